// Commands by hand: completion from the command table, earlier commands by arrow keys, replies as tables or as text.

import { run } from '../api.js';
import { button, el, fill, note, segments, select } from '../dom.js';
import { micros } from '../format.js';
import { rawReply, replyElement } from '../replies.js';
import { HOW_TO_ALLOW, readCommands, readSettings, state } from '../state.js';
import { called, complete, split } from '../words.js';

const OPTIONS_MAX = 12;
const HISTORY_MAX = 200;
/// Replies that stay on the page; older ones go.
const REPLIES_MAX = 50;

class Runner {
  constructor() {
    this.db = 0;
    this.lines = [];
    this.place = 0;
    this.draft = '';
    this.found = [];
    this.chosen = -1;
    this.look = 'table';
    this.input = el('input', {
      type: 'text', role: 'combobox', 'aria-label': 'Command', 'aria-expanded': 'false', 'aria-controls': 'options', 'aria-autocomplete': 'list',
      autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', placeholder: 'GET key', id: 'prompt',
      on: { input: () => this.suggest(), keydown: (event) => this.key(event), blur: () => this.close() },
    });
    this.options = el('ul', { class: 'options', role: 'listbox', id: 'options', 'aria-label': 'Commands', hidden: true });
    this.syntax = el('div', { class: 'syntax', 'aria-live': 'polite' });
    this.databases = el('div');
    this.replies = el('div', { class: 'replies', role: 'log', 'aria-label': 'Replies' });
    const form = el('form', {
      on: {
        submit: (event) => {
          event.preventDefault();
          this.submit();
        },
      },
    }, this.databases, this.input, el('button', { class: 'main' }, 'Run'));
    this.element = el('div', { class: 'runner' },
      el('div', { class: 'card prompt' }, form, this.options, this.syntax),
      el('div', { class: 'bar' },
        segments('Replies as', 'look', [['table', 'Tables'], ['raw', 'Text']], this.look, (look) => {
          this.look = look;
          for (const reply of this.replies.children) reply.draw?.();
        }),
        el('div', { class: 'right' }, button('Clear', () => this.clear()))),
      this.replies);
    this.clear();
  }

  async show() {
    this.search();
    await Promise.all([readCommands(), readSettings()]).catch(() => {});
    fill(this.databases, select(Array.from({ length: state.databases }, (_, at) => [at, `db ${at}`]), this.db, (db) => {
      this.db = Number(db);
    }, { 'aria-label': 'Database' }));
    this.hint();
  }

  search() {
    this.input.focus();
  }

  clear() {
    fill(this.replies, note('Nothing was run yet', 'Write a command, or a part of its name and Tab. Quotes and escapes are those of redis-cli.'));
  }

  key(event) {
    const open = !this.options.hidden;
    const { key } = event;
    if (key === 'Tab' && open && !event.shiftKey) this.take(Math.max(0, this.chosen));
    else if (key === 'Enter' && open && this.chosen >= 0) this.take(this.chosen);
    else if (key === 'Escape' && open) {
      event.stopPropagation();
      this.close();
    } else if (key === 'ArrowDown' && open) this.choose(this.chosen + 1);
    else if (key === 'ArrowUp' && open && this.chosen >= 0) this.choose(this.chosen - 1);
    else if (key === 'ArrowUp') this.recall(-1);
    else if (key === 'ArrowDown') this.recall(1);
    else return;
    event.preventDefault();
  }

  suggest() {
    this.found = complete(this.input.value, state.commands, OPTIONS_MAX);
    this.chosen = -1;
    this.place = this.lines.length;
    fill(this.options, this.found.map((command, at) => el('li', {
      role: 'option', id: `option-${at}`, 'aria-selected': 'false',
      // Before the input loses the focus, which closes the list.
      on: {
        mousedown: (event) => {
          event.preventDefault();
          this.take(at);
        },
      },
    }, el('code', {}, command.name.toUpperCase()), el('span', {}, command.summary ?? ''))));
    this.options.hidden = this.found.length === 0;
    this.input.setAttribute('aria-expanded', String(this.found.length > 0));
    this.hint();
  }

  choose(at) {
    this.chosen = Math.min(at, this.found.length - 1);
    [...this.options.children].forEach((option, place) => option.setAttribute('aria-selected', String(place === this.chosen)));
    if (this.chosen >= 0) {
      this.input.setAttribute('aria-activedescendant', `option-${this.chosen}`);
      this.options.children[this.chosen].scrollIntoView({ block: 'nearest' });
    } else {
      this.input.removeAttribute('aria-activedescendant');
    }
  }

  take(at) {
    this.input.value = `${this.found[at].name.toUpperCase()} `;
    this.close();
    this.hint();
  }

  close() {
    this.options.hidden = true;
    this.chosen = -1;
    this.input.setAttribute('aria-expanded', 'false');
    this.input.removeAttribute('aria-activedescendant');
  }

  recall(step) {
    if (this.lines.length === 0) return;
    if (this.place === this.lines.length) this.draft = this.input.value;
    this.place = Math.min(this.lines.length, Math.max(0, this.place + step));
    this.input.value = this.place === this.lines.length ? this.draft : this.lines[this.place];
    this.close();
    this.hint();
  }

  /// The syntax of the command that stands in the prompt.
  hint() {
    const command = called(this.input.value, state.commands);
    if (!command) {
      fill(this.syntax, state.writes ? 'Commands run as the default user; writes are allowed.' : 'Commands run as the default user; the console is read-only.');
      return;
    }
    fill(this.syntax, el('code', {}, `${command.name.toUpperCase()} ${command.syntax ?? ''}`), command.summary ? `  ${command.summary}` : '',
      command.since ? `  Since ${command.since}.` : '');
  }

  async submit() {
    const line = this.input.value.trim();
    if (line === '') return;
    this.close();
    if (this.lines[this.lines.length - 1] !== line) this.lines.push(line);
    if (this.lines.length > HISTORY_MAX) this.lines.shift();
    this.place = this.lines.length;
    this.input.value = '';
    this.hint();
    const { db } = this;
    const began = performance.now();
    let result;
    try {
      result = { reply: await run(db, split(line)) };
    } catch (error) {
      result = { error };
      if (error.status === 403) await readSettings().catch(() => {});
    }
    this.add(line, db, performance.now() - began, result);
  }

  add(line, db, tookMs, result) {
    const body = el('div', { class: 'body' });
    const copy = button('Again', () => {
      this.input.value = line;
      this.search();
      this.hint();
    }, { class: 'link' });
    const card = el('section', { class: 'card reply' },
      el('header', {}, el('code', {}, line), el('span', { class: 'badge' }, `db ${db}`), el('span', { class: 'hint right' }, micros(tookMs * 1000)), copy), body);
    card.draw = () => fill(body, this.drawn(result));
    card.draw();
    if (this.replies.firstChild?.classList.contains('empty')) this.replies.replaceChildren();
    this.replies.prepend(card);
    while (this.replies.children.length > REPLIES_MAX) this.replies.lastChild.remove();
  }

  drawn({ reply, error }) {
    if (error) {
      // The server says how to allow it in its own words; the page adds its own only where these are missing.
      const refused = error.status === 403;
      const more = refused && !state.writes && !error.message.includes('admin-allow-writes') ? el('p', {}, HOW_TO_ALLOW) : '';
      return el('div', { class: 'failure', role: 'alert' }, el('strong', {}, refused ? 'Refused' : 'That did not work'), el('p', {}, error.message), more);
    }
    if (reply.type === 'error') return el('div', { class: 'failure', role: 'alert' }, el('p', {}, rawReply(reply)));
    return this.look === 'raw' ? el('pre', {}, rawReply(reply)) : replyElement(reply);
  }
}

export function runnerView() {
  return new Runner();
}
