// Keys that are asked for most, and keys that are largest: both from samples, so what they say is an estimate.

import { call } from '../api.js';
import { button, el, failure, fill, note } from '../dom.js';
import { bytes, short, shown, whole } from '../format.js';
import { Table } from '../table.js';

const SAMPLED_EVERY_MS = 3000;
const SAMPLED_KEYS = 50;
/// Keys that one reading may look at: a keyspace is gone through by many readings, none of which costs the server much.
const LOOKED_AT = 20000;

class Hot {
  constructor({ go }) {
    const key = (row) => button(shown(row.key), () => go('keys', `${row.db}/${encodeURIComponent(JSON.stringify(row.key))}`), { class: 'link mono' });
    const db = { title: 'Db', cell: (row) => String(row.db), sort: (row) => row.db, number: true };
    this.hot = this.card('Hot keys', hotKeys, new Table('Hot keys', [
      { title: 'Key', cell: key, sort: (row) => shown(row.key) },
      db,
      { title: 'Rate', cell: (row) => `${short(row.rate)}/s`, sort: (row) => row.rate, number: true },
      { title: '', cell: (row) => share(row.rate, this.hot.rows, (one) => one.rate), class: 'bar-cell' },
    ], { sorted: [2, true] }), ['No hot keys yet', 'Keys are counted while clients ask for them, unless hot-keys-sample-every is 0.']);
    this.big = this.card('Big keys', bigKeys, new Table('Big keys', [
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

  card(title, reading, table, empty) {
    const body = el('div');
    const said = el('span', { class: 'hint' });
    return { reading, table, body, said, empty, rows: [], element: el('section', { class: 'card' }, el('header', {}, el('h2', {}, title), said), body) };
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
      const [rows, said] = await card.reading();
      card.rows = rows;
      card.said.textContent = said;
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

/// The keys of HOTKEYS, and what there is to say of them.
async function hotKeys() {
  const rows = await call(0, 'HOTKEYS', 'COUNT', SAMPLED_KEYS);
  return [rows.map((row) => Object.fromEntries(row)), 'of the last minute, for the most part'];
}

/// The same of BIGKEYS, which goes on at each call where the last one stopped.
async function bigKeys() {
  const reply = Object.fromEntries(await call(0, 'BIGKEYS', 'COUNT', SAMPLED_KEYS, 'KEYS', LOOKED_AT));
  const { keys, passes, 'keys-in-all': all } = reply;
  return [keys.map((row) => Object.fromEntries(row)), passes > 0 ? `of ${whole(all)} keys` : `still looking through ${whole(all)} keys`];
}

function share(value, rows, of) {
  const bar = el('i');
  bar.style.setProperty('width', `${(value / Math.max(1e-9, ...rows.map(of))) * 100}%`);
  return el('div', { class: 'gauge', 'aria-hidden': 'true' }, bar);
}

export function hotView(page) {
  return new Hot(page);
}
