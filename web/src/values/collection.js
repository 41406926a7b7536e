// Lists, hashes, sets, sorted sets and streams, a page at a time. What differs between them is the table TYPES.

import { call } from '../api.js';
import { button, el, failure, fill, note } from '../dom.js';
import { prettyJson, shown, textOf, bytesOf, whole } from '../format.js';

const ELEMENTS_PAGE = 100;
/// A cell's letters; a longer value is shown whole when its row is opened.
const CELL_LETTERS = 300;

/// For each type: `heads`, `read(place, next, pattern)` which gives `[rows, next]` (next null at the end), `cells(row)`; `pattern` where elements can
/// be searched; and, for who may write, `inputs` with `add(place, values)` and `remove(place, row)`.
const TYPES = {
  list: {
    heads: ['#', 'Element'],
    first: 0,
    async read({ db, key, length }, next) {
      const items = await call(db, 'LRANGE', key, next, next + ELEMENTS_PAGE - 1);
      const end = next + items.length;
      return [items.map((value, at) => ({ index: next + at, value })), items.length < ELEMENTS_PAGE || end >= length ? null : end];
    },
    cells: (row) => [whole(row.index), row.value],
    inputs: ['Element to append'],
    add: ({ db, key }, [value]) => call(db, 'RPUSHX', key, value),
  },
  hash: {
    heads: ['Field', 'Value'],
    first: '0',
    pattern: true,
    read: (place, next, pattern) => scan('HSCAN', place, next, pattern, (items) => paired(items).map(([field, value]) => ({ field, value }))),
    cells: (row) => [row.field, row.value],
    inputs: ['Field', 'Value'],
    add: ({ db, key }, [field, value]) => call(db, 'HSET', key, field, value),
    remove: ({ db, key }, row) => call(db, 'HDEL', key, row.field),
  },
  set: {
    heads: ['Member'],
    first: '0',
    pattern: true,
    read: (place, next, pattern) => scan('SSCAN', place, next, pattern, (items) => items.map((value) => ({ value }))),
    cells: (row) => [row.value],
    inputs: ['Member'],
    add: ({ db, key }, [member]) => call(db, 'SADD', key, member),
    remove: ({ db, key }, row) => call(db, 'SREM', key, row.value),
  },
  zset: {
    heads: ['Rank', 'Score', 'Member'],
    first: 0,
    async read({ db, key }, next) {
      const items = await call(db, 'ZRANGE', key, next, next + ELEMENTS_PAGE - 1, 'WITHSCORES');
      const rows = paired(items).map(([value, score], at) => ({ rank: next + at, score, value }));
      return [rows, rows.length < ELEMENTS_PAGE ? null : next + rows.length];
    },
    cells: (row) => [whole(row.rank), String(row.score), row.value],
    inputs: ['Score', 'Member'],
    add: ({ db, key }, [score, member]) => call(db, 'ZADD', key, score, member),
    remove: ({ db, key }, row) => call(db, 'ZREM', key, row.value),
  },
  stream: {
    heads: ['Id', 'Fields'],
    first: '-',
    async read({ db, key }, next) {
      const items = await call(db, 'XRANGE', key, next, '+', 'COUNT', ELEMENTS_PAGE);
      const rows = items.map(([id, fields]) => ({ id, fields: paired(fields ?? []) }));
      return [rows, rows.length < ELEMENTS_PAGE ? null : `(${rows[rows.length - 1].id}`];
    },
    cells: (row) => [row.id, el('dl', { class: 'entry' }, row.fields.map(([name, value]) => [el('dt', {}, shown(name)), el('dd', {}, cut(shown(value)))]))],
    inputs: ['Field', 'Value'],
    add: ({ db, key }, [field, value]) => call(db, 'XADD', key, 'NOMKSTREAM', '*', field, value),
    remove: ({ db, key }, row) => call(db, 'XDEL', key, row.id),
  },
};

async function scan(name, { db, key }, next, pattern, rowsOf) {
  const rows = [];
  let cursor = next;
  // A page may come empty although more follows, where a pattern leaves most out.
  for (let calls = 0; calls < 20 && rows.length < ELEMENTS_PAGE; calls += 1) {
    const [after, items] = await call(db, name, key, cursor, ...(pattern ? ['MATCH', pattern] : []), 'COUNT', ELEMENTS_PAGE);
    rows.push(...rowsOf(items));
    cursor = String(after);
    if (cursor === '0') return [rows, null];
  }
  return [rows, cursor];
}

/// Pairs, of a flat array or of one that has them already.
function paired(items) {
  if (Array.isArray(items[0])) return items;
  const pairs = [];
  for (let at = 0; at + 1 < items.length; at += 2) pairs.push([items[at], items[at + 1]]);
  return pairs;
}

function cut(text) {
  return text.length > CELL_LETTERS ? `${text.slice(0, CELL_LETTERS)}…` : text;
}

export class Collection {
  constructor(type, place) {
    this.kind = TYPES[type];
    this.place = place;
    this.pattern = '';
    this.body = el('tbody');
    this.foot = el('div', { class: 'foot' });
    this.said = el('span', { class: 'hint', role: 'alert' });
    this.removes = place.writes && Boolean(this.kind.remove);
    const heads = [...this.kind.heads, ...(this.removes ? [''] : [])];
    this.heads = heads;
    this.element = el('div', { class: 'value-body tabular' },
      this.kind.pattern || place.writes ? el('div', { class: 'bar' }, this.kind.pattern ? this.search() : '', place.writes ? this.adder() : '', this.said) : '',
      el('table', { class: 'cards', 'aria-label': `Elements of this ${type}` }, el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))), this.body),
      this.foot);
    this.restart();
  }

  search() {
    return el('input', {
      type: 'search', class: 'grow', placeholder: 'Pattern, as a*', 'aria-label': 'Pattern of elements',
      on: {
        change: (event) => {
          this.pattern = event.target.value;
          this.restart();
        },
      },
    });
  }

  adder() {
    const inputs = this.kind.inputs.map((label) => el('input', { placeholder: label, 'aria-label': label, class: 'mono', required: true }));
    return el('form', {
      class: 'actions',
      on: {
        submit: (event) => {
          event.preventDefault();
          this.change(() => this.kind.add(this.place, inputs.map((input) => input.value)));
        },
      },
    }, inputs, el('button', {}, 'Add'));
  }

  async change(act) {
    try {
      await act();
      this.place.changed();
    } catch (error) {
      this.said.textContent = error.message;
    }
  }

  restart() {
    this.next = this.kind.first;
    this.count = 0;
    fill(this.body);
    return this.load();
  }

  async load() {
    try {
      const [rows, next] = await this.kind.read(this.place, this.next, this.pattern);
      this.next = next;
      this.count += rows.length;
      this.body.append(...rows.map((row) => this.row(row)));
      const of = this.pattern ? '' : ` of ${whole(this.place.length)}`;
      fill(this.foot, this.count === 0 && next === null ? note('Nothing here') : `${whole(this.count)}${of}`, next === null ? '' : button('Read more', () => this.load()));
    } catch (error) {
      fill(this.foot, failure(error));
    }
  }

  row(row) {
    const cells = this.kind.cells(row).map((cell, at) => {
      const data = { class: 'mono', 'data-label': this.heads[at] };
      return el('td', data, cell instanceof Node ? cell : valueCell(cell));
    });
    if (this.removes) {
      cells.push(el('td', { class: 'number', 'data-label': '' }, button('Remove', () => this.change(() => this.kind.remove(this.place, row)), { class: 'link' })));
    }
    return el('tr', {}, cells);
  }
}

/// A value in a cell: short as it is, long or JSON behind a press.
function valueCell(value) {
  const text = shown(value);
  const json = prettyJson(textOf(bytesOf(value)));
  if (text.length <= CELL_LETTERS && !json) return text;
  return el('details', {}, el('summary', {}, cut(text)), el('pre', { class: 'dump' }, json ?? text));
}

export const COLLECTIONS = Object.keys(TYPES);
