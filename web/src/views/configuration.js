// Every configuration key with what it is for, what it is, and what it would be.

import { call } from '../api.js';
import { button, el, failure, fill, note, prose } from '../dom.js';
import { shown, whole } from '../format.js';
import { readSettings, state } from '../state.js';

class Configuration {
  constructor() {
    this.filter = el('input', { type: 'search', class: 'grow', placeholder: 'Name, value or words of the text', 'aria-label': 'Search the configuration', on: { input: () => this.list() } });
    this.changed = el('input', { type: 'checkbox', on: { change: () => this.list() } });
    this.count = el('span', { class: 'hint' });
    this.body = el('div', { class: 'card' });
    this.element = el('div', {},
      el('div', { class: 'bar' }, this.filter, el('label', { class: 'check' }, this.changed, 'only what differs from the default'), this.count,
        el('div', { class: 'right' }, button('Read again', () => this.refresh()))), this.body);
  }

  show() {
    return this.refresh();
  }

  search() {
    this.filter.focus();
  }

  async refresh() {
    try {
      await readSettings();
      this.list();
    } catch (error) {
      fill(this.body, failure(error));
    }
  }

  list() {
    const wanted = this.filter.value.toLowerCase();
    const all = state.settings;
    const rows = all.filter((one) => (!this.changed.checked || differs(one))
      && [one.name, one.value, one.documentation].some((text) => shown(text).toLowerCase().includes(wanted)));
    const changed = all.filter(differs).length;
    this.count.textContent = `${whole(rows.length)} of ${whole(all.length)}, ${whole(changed)} differ from the default`;
    fill(this.body, rows.length ? rows.map((one) => this.row(one)) : note('No key like that'));
  }

  row(one) {
    const value = el('div', { class: 'value' });
    const read = () => fill(value, shown(one.value) === '' ? el('span', { class: 'hint' }, 'empty') : shown(one.value),
      differs(one) ? el('small', {}, shown(one.default) === '' ? 'default: empty' : `default: ${shown(one.default)}`) : '',
      state.writes && one.mutable ? el('div', {}, button('Change', edit, { class: 'link' })) : '');
    const edit = () => {
      const input = el('input', { value: shown(one.value), 'aria-label': `Value of ${one.name}` });
      const said = el('small', {});
      fill(value, el('form', {
        on: {
          submit: async (event) => {
            event.preventDefault();
            try {
              await call(0, 'CONFIG', 'SET', one.name, input.value);
              await this.refresh();
            } catch (error) {
              said.textContent = error.message;
            }
          },
        },
      }, input, el('button', { class: 'main' }, 'Set'), button('Leave', read)), said);
      input.focus();
    };
    read();
    return el('div', { class: `setting${differs(one) ? ' changed' : ''}` },
      el('div', { class: 'name' }, one.name, el('small', {}, [one.kind, one.mutable ? null : 'at start only'].filter(Boolean).join(', '))),
      value, el('p', {}, prose(one.documentation)));
  }
}

function differs(one) {
  return shown(one.value) !== shown(one.default);
}

export function configurationView() {
  return new Configuration();
}
