// A table of rows that can be sorted by its heads; on a phone each row is a card, for which every cell knows its column's name.

import { el, fill } from './dom.js';

/// `columns`: `{title, cell(row), sort(row), number, class}`, where `cell` gives a text or a node and `sort` a number or a text.
/// `sorted` is `[column, descending]`; `open(row)` gives what is shown below a row that is pressed.
export class Table {
  constructor(label, columns, { sorted = null, open = null } = {}) {
    this.columns = columns;
    this.sorted = sorted;
    this.open = open;
    this.opened = null;
    this.rows = [];
    this.heads = columns.map((column, at) => el('th', { scope: 'col', class: column.number ? 'number' : null },
      column.sort ? el('button', { type: 'button', on: { click: () => this.sortBy(at) } }, column.title) : column.title));
    this.body = el('tbody');
    this.element = el('table', { class: 'cards', 'aria-label': label }, el('thead', {}, el('tr', {}, this.heads)), this.body);
  }

  sortBy(at) {
    const descending = this.sorted?.[0] === at ? !this.sorted[1] : Boolean(this.columns[at].number);
    this.sorted = [at, descending];
    this.show(this.rows);
  }

  show(rows) {
    this.rows = rows;
    const order = [...rows];
    this.heads.forEach((head) => head.removeAttribute('aria-sort'));
    if (this.sorted) {
      const [at, descending] = this.sorted;
      const key = this.columns[at].sort;
      order.sort((a, b) => compared(key(a), key(b)) * (descending ? -1 : 1));
      this.heads[at].setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    }
    fill(this.body, order.flatMap((row) => this.line(row)));
  }

  line(row) {
    const cells = this.columns.map((column) => {
      const classes = [column.number && 'number', column.class].filter(Boolean).join(' ');
      return el('td', { class: classes || null, 'data-label': column.title }, column.cell(row));
    });
    if (!this.open) return el('tr', {}, cells);
    const key = this.open.key(row);
    const line = el('tr', {
      class: 'open', tabindex: '0', 'aria-expanded': String(this.opened === key),
      on: {
        click: (event) => {
          if (!event.target.closest('button, a')) this.toggle(key);
        },
        keydown: (event) => {
          if (event.target === line && (event.key === 'Enter' || event.key === ' ')) {
            event.preventDefault();
            this.toggle(key);
          }
        },
      },
    }, cells);
    if (this.opened !== key) return line;
    return [line, el('tr', {}, el('td', { class: 'more', colspan: this.columns.length }, this.open.show(row)))];
  }

  toggle(key) {
    this.opened = this.opened === key ? null : key;
    this.show(this.rows);
    const lines = [...this.body.querySelectorAll('tr[aria-expanded="true"]')];
    lines[0]?.focus();
  }
}

function compared(a, b) {
  if (typeof a === 'string' || typeof b === 'string') return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  return a - b;
}
