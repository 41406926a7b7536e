// Keys that are asked for most, and keys that are largest: both from samples, so what they say is an estimate.

import { get } from '../api.js';
import { button, el, failure, fill, note } from '../dom.js';
import { bytes, short, shown, whole } from '../format.js';
import { Table } from '../table.js';

const SAMPLED_EVERY_MS = 3000;

class Hot {
  constructor({ go }) {
    const key = (row) => button(shown(row.key), () => go('keys', `${row.db}/${encodeURIComponent(JSON.stringify(row.key))}`), { class: 'link mono' });
    const db = { title: 'Db', cell: (row) => String(row.db), sort: (row) => row.db, number: true };
    this.hot = this.card('Hot keys', '/api/hotkeys', new Table('Hot keys', [
      { title: 'Key', cell: key, sort: (row) => shown(row.key) },
      db,
      { title: 'Rate', cell: (row) => `${short(row.rate_per_s)}/s`, sort: (row) => row.rate_per_s, number: true },
      { title: '', cell: (row) => share(row.rate_per_s, this.hot.rows, (one) => one.rate_per_s), class: 'bar-cell' },
    ], { sorted: [2, true] }), ['No hot keys yet', 'Keys are counted while clients ask for them.']);
    this.big = this.card('Big keys', '/api/bigkeys', new Table('Big keys', [
      { title: 'Key', cell: key, sort: (row) => shown(row.key) },
      { title: 'Type', cell: (row) => el('span', { class: `badge type type-${row.type}` }, row.type), sort: (row) => row.type },
      db,
      { title: 'Elements', cell: (row) => whole(row.elements), sort: (row) => row.elements, number: true },
      { title: 'Size', cell: (row) => bytes(row.bytes), sort: (row) => row.bytes, number: true },
      { title: '', cell: (row) => share(row.bytes, this.big.rows, (one) => one.bytes), class: 'bar-cell' },
    ], { sorted: [4, true] }), ['No big keys yet', 'The largest keys that were met are listed here.']);
    this.element = el('div', {},
      el('div', { class: 'bar' }, el('p', { class: 'hint' }, 'Sampled as clients use them: good for finding, not for accounting.'),
        el('div', { class: 'right' }, button('Read again', () => this.refresh()))),
      el('div', { class: 'pair' }, this.hot.element, this.big.element));
    this.timer = null;
  }

  card(title, path, table, empty) {
    const body = el('div');
    return { path, table, body, empty, rows: [], element: el('section', { class: 'card' }, el('header', {}, el('h2', {}, title)), body) };
  }

  show() {
    this.hide();
    this.timer = setInterval(() => this.refresh(), SAMPLED_EVERY_MS);
    return this.refresh();
  }

  hide() {
    clearInterval(this.timer);
  }

  refresh() {
    return Promise.all([this.read(this.hot), this.read(this.big)]);
  }

  async read(card) {
    try {
      card.rows = await get(card.path);
      if (card.rows.length === 0) {
        fill(card.body, note(...card.empty));
        return;
      }
      // The focus would be lost with the row that has it.
      if (card.table.element.contains(document.activeElement)) return;
      card.table.show(card.rows);
      if (!card.table.element.isConnected) fill(card.body, card.table.element);
    } catch (error) {
      fill(card.body, failure(error));
    }
  }
}

function share(value, rows, of) {
  const bar = el('i');
  bar.style.setProperty('width', `${(value / Math.max(1e-9, ...rows.map(of))) * 100}%`);
  return el('div', { class: 'gauge', 'aria-hidden': 'true' }, bar);
}

export function hotView(page) {
  return new Hot(page);
}
