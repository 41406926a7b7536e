// A string: as text, as indented JSON, or as bytes. A large one comes in parts.

import { call } from '../api.js';
import { button, el, failure, fill, segments } from '../dom.js';
import { bytes, bytesOf, hexDump, prettyJson, textOf, whole } from '../format.js';

/// Bytes that are read at once.
const PART_BYTES = 65536;

export class StringValue {
  /// `place` is `{db, key, length, writes, changed()}`.
  constructor(place) {
    this.place = place;
    this.octets = new Uint8Array(0);
    this.look = null;
    this.element = el('div', { class: 'value-body' });
    this.load();
  }

  async load() {
    const { db, key } = this.place;
    const from = this.octets.length;
    try {
      const part = bytesOf(await call(db, 'GETRANGE', key, from, from + PART_BYTES - 1));
      const all = new Uint8Array(from + part.length);
      all.set(this.octets);
      all.set(part, from);
      this.octets = all;
      this.draw();
    } catch (error) {
      fill(this.element, failure(error));
    }
  }

  draw() {
    const { length, writes } = this.place;
    const complete = this.octets.length >= length;
    const text = textOf(this.octets);
    // A part of a text may end within a letter: then it is shown as far as it goes.
    const letters = typeof text === 'string' ? text : complete ? null : new TextDecoder().decode(this.octets);
    const readable = letters !== null && !/[\u0000-\u0008\u000e-\u001f]/.test(letters) && (complete || !/\ufffd[^]/.test(letters));
    const json = complete ? prettyJson(text) : null;
    const looks = [readable && ['text', 'Text'], json && ['json', 'JSON'], ['hex', 'Hex']].filter(Boolean);
    this.look ??= json ? 'json' : readable ? 'text' : 'hex';
    const shown = { text: () => letters, json: () => json, hex: () => hexDump(this.octets) }[this.look]();
    const body = el('pre', { class: `dump${this.look === 'hex' ? ' hex' : ''}`, tabindex: '0' }, shown);
    fill(this.element,
      el('div', { class: 'bar' },
        segments('Show as', 'look-of-value', looks, this.look, (look) => {
          this.look = look;
          this.draw();
        }),
        writes && complete && typeof text === 'string' ? button('Edit', () => this.edit(text)) : ''),
      body,
      complete ? '' : el('div', { class: 'foot' }, `${bytes(this.octets.length)} of ${bytes(length)} (${whole(length)} bytes)`, button('Read more', () => this.load())));
  }

  edit(text) {
    const area = el('textarea', { 'aria-label': 'Value' });
    area.value = text;
    const said = el('span', { class: 'hint', role: 'alert' });
    const save = async () => {
      try {
        // XX and KEEPTTL: a key that went meanwhile stays gone, and its time stays what it is.
        const reply = await call(this.place.db, 'SET', this.place.key, area.value, 'XX', 'KEEPTTL');
        if (reply === null) throw new Error('The key is gone.');
        this.place.changed();
      } catch (error) {
        said.textContent = error.message;
      }
    };
    fill(this.element, area, el('div', { class: 'foot' }, button('Save', save, { class: 'main' }), button('Leave', () => this.draw()), said));
    area.focus();
  }
}
