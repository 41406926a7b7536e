// A reply for people: as a table, or as redis-cli would write it.

import { pairsOf } from './api.js';
import { el } from './dom.js';
import { quoted, shown, whole } from './format.js';

/// Elements that are drawn of one reply; beyond them it says how many there are.
const ELEMENTS_MAX = 2000;
const NESTED_MAX = 8;

/// The reply as redis-cli's lines.
export function rawReply(reply, indent = '') {
  const { type, value } = reply;
  switch (type) {
    case 'null': return '(nil)';
    case 'integer': return `(integer) ${value}`;
    case 'double': return `(double) ${value}`;
    case 'bignumber': return `(big number) ${shown(value)}`;
    case 'boolean': return value ? '(true)' : '(false)';
    case 'error': return `(error) ${shown(value)}`;
    case 'simple': return shown(value);
    case 'verbatim': return text(value);
    case 'bulk': return quoted(value);
    case 'map': return rawLines(pairsOf(reply), indent, '#', ([name, inner], deeper) => `${rawReply(name, deeper)} => ${rawReply(inner, deeper)}`);
    case 'set': return rawLines(value, indent, '~', rawReply);
    default: return rawLines(value, indent, ')', rawReply);
  }
}

function rawLines(values, indent, mark, write) {
  if (values.length === 0) return '(empty)';
  const width = String(values.length).length;
  return values.map((value, at) => {
    const number = `${String(at + 1).padStart(width)}${mark} `;
    return `${at === 0 ? '' : indent}${number}${write(value, indent + ' '.repeat(number.length))}`;
  }).join('\n');
}

/// The text with its lines kept, where it has several, as INFO's.
function text(value) {
  return typeof value === 'string' ? value.replaceAll('\r\n', '\n') : shown(value);
}

/// The reply as elements; arrays and maps are tables.
export function replyElement(reply, depth = 0) {
  const { type, value } = reply;
  if (type === 'map') return nested(pairsOf(reply), depth, true);
  if (Array.isArray(value)) {
    // An array of equally long arrays of scalars is a table by itself: slots, scores, entries.
    return nested(value.map((inner, at) => [{ type: 'index', value: at + 1 }, inner]), depth, false);
  }
  return el('span', { class: `scalar ${type}` }, scalar(type, value));
}

function scalar(type, value) {
  switch (type) {
    case 'null': return 'nil';
    case 'boolean': return value ? 'true' : 'false';
    case 'integer': return whole(value);
    case 'index': return String(value);
    case 'bulk': case 'verbatim': return value === '' ? '""' : text(value);
    default: return typeof value === 'object' ? shown(value) : String(value);
  }
}

function nested(pairs, depth, named) {
  if (pairs.length === 0) return el('span', { class: 'scalar null' }, 'empty');
  if (depth >= NESTED_MAX) return el('span', { class: 'scalar null' }, `${pairs.length} more inside`);
  const rows = pairs.slice(0, ELEMENTS_MAX).map(([name, inner]) => el('tr', {},
    el('td', {}, replyElement(name, depth + 1)), el('td', {}, replyElement(inner, depth + 1))));
  const rest = pairs.length - rows.length;
  return el('table', { class: `nested${named ? ' named' : ''}` }, el('tbody', {}, rows,
    rest > 0 ? el('tr', {}, el('td', { colspan: 2 }, `and ${whole(rest)} more`)) : ''));
}
