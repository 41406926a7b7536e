// The keys: found by SCAN, a page at a time, and one of them looked at, by its type.
//
// Nothing here costs the server more than a page: no KEYS, no whole collection, and types are asked for only of rows that are seen.

import { call } from '../api.js';
import { button, el, failure, fill, note, select } from '../dom.js';
import { bytes, shown, span, whole } from '../format.js';
import { HOW_TO_ALLOW, readSettings, state } from '../state.js';
import { COLLECTIONS, Collection } from '../values/collection.js';
import { StringValue } from '../values/string.js';

const KEYS_PAGE = 100;
const SCAN_COUNT = 500;
/// Calls of SCAN for one page: a rare pattern in a large database gives up here, and the person says whether to go on.
const SCANS_MAX = 40;
/// Keys that stay on the page.
const LISTED_MAX = 5000;
/// Types that are asked for at the same time.
const ASKED_AT_ONCE = 4;

const LENGTHS = { string: 'STRLEN', list: 'LLEN', hash: 'HLEN', set: 'SCARD', zset: 'ZCARD', stream: 'XLEN' };

class Keys {
  constructor({ go }) {
    this.go = go;
    this.db = 0;
    this.type = '';
    this.chosen = null;
    this.generation = 0;
    this.pattern = el('input', { type: 'search', placeholder: 'Pattern, as user:*', 'aria-label': 'Pattern of keys', on: { change: () => this.restart() } });
    this.databases = el('div');
    this.list = el('ol', { 'aria-label': 'Keys', on: { keydown: (event) => this.move(event) } });
    this.foot = el('div', { class: 'foot' });
    this.detail = el('section', { class: 'card', 'aria-label': 'The chosen key' });
    const types = select([['', 'all types'], ...Object.keys(LENGTHS).map((type) => [type, type])], '', (type) => {
      this.type = type;
      this.restart();
    }, { 'aria-label': 'Type' });
    const filter = el('form', {
      class: 'filter', role: 'search',
      on: {
        submit: (event) => {
          event.preventDefault();
          this.restart();
        },
      },
    }, this.pattern, types, this.databases);
    this.element = el('div', { class: 'browser' }, el('section', { class: 'card found', 'aria-label': 'Find keys' }, filter, this.list, this.foot), this.detail);
    this.asking = { waiting: [], running: 0 };
    this.seen = new IntersectionObserver((entries) => this.askTypes(entries), { root: this.list });
    this.started = false;
    this.choose(null);
  }

  /// `rest` are the parts of the address: a database, and a key as JSON.
  async show(rest) {
    await readSettings().catch(() => {});
    const [db, ...parts] = rest;
    const moved = db !== undefined && Number(db) !== this.db;
    if (moved) this.db = Number(db);
    fill(this.databases, select(Array.from({ length: state.databases }, (_, at) => [at, `db ${at}`]), this.db, (to) => this.go('keys', to), { 'aria-label': 'Database' }));
    if (!this.started || moved) {
      this.started = true;
      this.restart();
    }
    const key = parsedKey(parts.join('/'));
    this.choose(key);
  }

  search() {
    this.pattern.focus();
  }

  refresh() {
    this.restart();
    this.choose(this.chosen);
  }

  restart() {
    this.generation += 1;
    this.cursor = '0';
    this.known = new Set();
    this.seen.disconnect();
    fill(this.list);
    return this.load();
  }

  async load() {
    const generation = this.generation;
    fill(this.foot, 'reading…');
    try {
      let found = 0;
      for (let scans = 0; scans < SCANS_MAX && found < KEYS_PAGE; scans += 1) {
        const words = ['SCAN', this.cursor, 'COUNT', SCAN_COUNT];
        const pattern = asPattern(this.pattern.value);
        if (pattern) words.push('MATCH', pattern);
        if (this.type) words.push('TYPE', this.type);
        const [after, keys] = await call(this.db, ...words);
        if (generation !== this.generation) return;
        this.cursor = String(after);
        found += this.add(keys);
        if (this.cursor === '0') break;
      }
      this.tell();
    } catch (error) {
      if (generation === this.generation) fill(this.foot, failure(error));
    }
  }

  /// Adds keys that are not listed yet; SCAN may give one twice.
  add(keys) {
    let added = 0;
    for (const key of keys) {
      const name = JSON.stringify(key);
      if (this.known.has(name) || this.known.size >= LISTED_MAX) continue;
      this.known.add(name);
      added += 1;
      const badge = el('span', { class: `badge type type-${this.type || 'unknown'}` }, this.type || '…');
      const row = el('li', {}, el('button', {
        type: 'button', title: shown(key), 'aria-current': String(name === this.chosenName()), on: { click: () => this.go('keys', `${this.db}/${encodeURIComponent(name)}`) },
      }, badge, el('span', { class: 'name' }, shown(key) || '""')));
      row.key = key;
      row.badge = badge;
      this.list.append(row);
      if (!this.type) this.seen.observe(row);
    }
    return added;
  }

  chosenName() {
    return this.chosen === null ? null : JSON.stringify(this.chosen);
  }

  tell() {
    const more = this.cursor !== '0';
    const full = this.known.size >= LISTED_MAX;
    if (this.known.size === 0 && !more) {
      fill(this.foot, note('No keys', this.pattern.value || this.type ? 'None of this database fits the pattern and the type.' : 'This database is empty.'));
      return;
    }
    fill(this.foot, el('span', {}, `${whole(this.known.size)} keys${more ? ' so far' : ''}`),
      full ? el('span', {}, 'narrow the pattern to see others') : more ? button('Read more', () => this.load()) : '');
  }

  askTypes(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.seen.unobserve(target);
      this.asking.waiting.push(target);
    }
    while (this.asking.running < ASKED_AT_ONCE && this.asking.waiting.length > 0) this.askNext();
  }

  async askNext() {
    const row = this.asking.waiting.shift();
    this.asking.running += 1;
    try {
      // A row of a list that was read anew is not worth a question.
      if (row.isConnected) paintType(row.badge, await call(this.db, 'TYPE', row.key));
    } catch {
      row.badge.textContent = '?';
    }
    this.asking.running -= 1;
    if (this.asking.waiting.length > 0) this.askNext();
  }

  /// Arrow keys go along the list.
  move(event) {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
    const row = event.target.closest('li');
    if (!step || !row) return;
    event.preventDefault();
    row[step]?.querySelector('button').focus();
  }

  async choose(key) {
    this.chosen = key;
    const name = this.chosenName();
    for (const row of this.list.children) row.firstChild.setAttribute('aria-current', String(name !== null && JSON.stringify(row.key) === name));
    if (key === null) {
      fill(this.detail, note('No key chosen', 'Choose one at the side to see its value, its time to live and what it costs.'));
      return;
    }
    try {
      await this.read(key, this.db);
    } catch (error) {
      if (this.chosen === key) fill(this.detail, failure(error));
    }
  }

  async read(key, db) {
    const type = await call(db, 'TYPE', key);
    if (type === 'none') {
      if (this.chosen === key) fill(this.detail, note('This key is gone', `${shown(key)} expired, or somebody removed it.`));
      return;
    }
    const [ttl, encoding, memory, length] = await Promise.all([
      call(db, 'PTTL', key), call(db, 'OBJECT', 'ENCODING', key), call(db, 'MEMORY', 'USAGE', key),
      LENGTHS[type] ? call(db, LENGTHS[type], key) : null,
    ]);
    if (this.chosen !== key || this.db !== db) return;
    const place = { db, key, length, writes: state.writes, changed: () => this.choose(key) };
    const value = type === 'string' ? new StringValue(place) : COLLECTIONS.includes(type) ? new Collection(type, place) : null;
    const badge = el('span', { class: 'badge type' });
    paintType(badge, type);
    const measure = (title, text) => el('div', {}, el('dt', {}, title), el('dd', {}, text));
    fill(this.detail,
      el('div', { class: 'key-head' },
        el('h2', {}, badge, el('span', {}, shown(key) || '""')),
        el('dl', { class: 'measures' },
          measure('TTL', ttl >= 0 ? (ttl < 60000 ? `${(ttl / 1000).toFixed(1)} s` : span(ttl / 1000)) : 'none'),
          measure(type === 'string' ? 'Length' : 'Elements', length === null ? '–' : type === 'string' ? bytes(length) : whole(length)),
          measure('Encoding', shown(encoding)),
          measure('Memory', memory === null ? '–' : bytes(memory))),
        state.writes ? this.actions(place, ttl) : el('p', { class: 'hint' }, HOW_TO_ALLOW)),
      value ? value.element : note('No view for this type', `Its type is ${shown(type)}.`));
  }

  actions({ db, key }, ttl) {
    const said = el('span', { class: 'hint', role: 'alert' });
    const act = (...words) => async () => {
      try {
        await call(db, ...words);
        this.choose(key);
      } catch (error) {
        said.textContent = error.message;
      }
    };
    const seconds = el('input', { type: 'number', min: '1', required: true, placeholder: 'seconds', 'aria-label': 'Time to live in seconds' });
    const expire = el('form', {
      class: 'actions',
      on: {
        submit: (event) => {
          event.preventDefault();
          act('EXPIRE', key, seconds.value)();
        },
      },
    }, seconds, el('button', {}, 'Set TTL'));
    let sure = false;
    const remove = button('Delete', () => {
      if (sure) {
        act('UNLINK', key)();
        return;
      }
      // Once more, instead of a dialog: a key that is gone does not come back.
      sure = true;
      remove.textContent = 'Delete for good?';
    }, { class: 'danger' });
    return el('div', { class: 'actions' }, expire, ttl >= 0 ? button('No TTL', act('PERSIST', key)) : '', button('Read again', () => this.choose(key)), remove, said);
  }
}

function paintType(badge, type) {
  badge.className = `badge type type-${/^[a-z]+$/.test(type) ? type : 'unknown'}`;
  badge.textContent = type;
}

/// What was written, with stars round it unless it has some sign of a pattern.
function asPattern(text) {
  if (text === '') return '';
  return /[*?[\]\\]/.test(text) ? text : `*${text}*`;
}

function parsedKey(text) {
  try {
    return text === '' ? null : JSON.parse(decodeURIComponent(text));
  } catch {
    return null;
  }
}

export function keysView(page) {
  return new Keys(page);
}
