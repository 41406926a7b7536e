// Who is connected: the fields of CLIENT LIST, those that matter first.

import { call, get } from '../api.js';
import { button, el, failure, fill, note } from '../dom.js';
import { bytes, shown, span, whole } from '../format.js';
import { state } from '../state.js';
import { Table } from '../table.js';

const CLIENTS_EVERY_MS = 2000;

class Clients {
  constructor() {
    const number = (name) => (row) => Number(row[name] ?? 0);
    this.table = new Table('Clients', [
      { title: 'Id', cell: (row) => shown(row.id), sort: number('id'), number: true },
      { title: 'Address', cell: (row) => shown(row.addr), sort: (row) => shown(row.addr), class: 'mono' },
      { title: 'Name', cell: (row) => shown(row.name) || '–', sort: (row) => shown(row.name) },
      { title: 'Db', cell: (row) => shown(row.db), sort: number('db'), number: true },
      { title: 'Last command', cell: (row) => shown(row.cmd), sort: (row) => shown(row.cmd), class: 'mono' },
      { title: 'Idle', cell: (row) => span(number('idle')(row)), sort: number('idle'), number: true },
      { title: 'Age', cell: (row) => span(number('age')(row)), sort: number('age'), number: true },
      { title: 'Memory', cell: (row) => bytes(number('tot-mem')(row)), sort: number('tot-mem'), number: true },
      { title: 'Flags', cell: (row) => shown(row.flags), sort: (row) => shown(row.flags), class: 'mono' },
    ], { sorted: [0, false], open: { key: (row) => row.id, show: (row) => this.more(row) } });
    this.filter = el('input', { type: 'search', class: 'grow', placeholder: 'Address, name, user, command', 'aria-label': 'Filter clients', on: { input: () => this.list() } });
    this.count = el('span', { class: 'hint' });
    this.body = el('div', { class: 'card' });
    this.element = el('div', {},
      el('div', { class: 'bar' }, this.filter, this.count, el('div', { class: 'right' }, button('Read again', () => this.refresh()))), this.body);
    this.rows = [];
    this.timer = null;
  }

  show() {
    this.hide();
    this.timer = setInterval(() => this.refresh(), CLIENTS_EVERY_MS);
    return this.refresh();
  }

  hide() {
    clearInterval(this.timer);
  }

  search() {
    this.filter.focus();
  }

  async refresh() {
    try {
      this.rows = await get('/api/clients');
      // A row that has the focus stays as it is, or whoever goes through the rows by keyboard would lose the place.
      if (!this.table.element.contains(document.activeElement)) this.list();
    } catch (error) {
      fill(this.body, failure(error));
    }
  }

  list() {
    const wanted = this.filter.value.toLowerCase();
    const rows = this.rows.filter((row) => ['addr', 'name', 'user', 'cmd', 'id'].some((name) => shown(row[name]).toLowerCase().includes(wanted)));
    this.count.textContent = rows.length === this.rows.length ? `${whole(rows.length)} connected` : `${whole(rows.length)} of ${whole(this.rows.length)}`;
    if (rows.length === 0) {
      fill(this.body, this.rows.length ? note('Nobody like that') : note('Nobody is connected', 'Clients of the data port are listed here; the console is none of them.'));
      return;
    }
    this.table.show(rows);
    if (!this.table.element.isConnected) fill(this.body, this.table.element);
  }

  more(row) {
    const facts = el('dl', { class: 'columns' }, Object.entries(row).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, shown(value) || '–'))));
    if (!state.writes) return facts;
    const said = el('span', { class: 'hint' });
    const kill = button('Close this connection', async () => {
      try {
        await call(0, 'CLIENT', 'KILL', 'ID', shown(row.id));
        this.table.opened = null;
        document.activeElement.blur();
        await this.refresh();
      } catch (error) {
        said.textContent = error.message;
      }
    }, { class: 'danger' });
    return el('div', {}, facts, el('div', { class: 'actions' }, kill, said));
  }
}

export function clientsView() {
  return new Clients();
}
