// Numbers, sizes, times and bytes as a person reads them. Pure: no document, no clock.

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const THIN = '\u202f';

/// Three significant digits, never more than asked for by the size of the number.
function digits(value) {
  const size = Math.abs(value);
  if (size === 0 || size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

function scaled(value, step, units) {
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= step * 0.9995 && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  return [unit === 0 ? String(Math.round(rest * 100) / 100) : digits(rest), units[unit]];
}

/// A whole number with its thousands parted.
export function whole(value) {
  return typeof value === 'bigint' ? value.toLocaleString('en-US') : GROUPED.format(value);
}

/// 1234567 as 1.23 M.
export function short(value) {
  const [number, unit] = scaled(value, 1000, ['', 'k', 'M', 'G', 'T']);
  return unit ? `${number}${THIN}${unit}` : number;
}

/// Bytes in powers of 1024.
export function bytes(value) {
  const [number, unit] = scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
  return `${number}${THIN}${unit}`;
}

/// Microseconds.
export function micros(value) {
  if (!Number.isFinite(value)) return '–';
  if (value >= 1e6) return `${digits(value / 1e6)}${THIN}s`;
  if (value >= 1e3) return `${digits(value / 1e3)}${THIN}ms`;
  return `${value === 0 ? '0' : digits(value)}${THIN}µs`;
}

/// A share between 0 and 1.
export function percent(share) {
  if (!Number.isFinite(share)) return '–';
  const value = share * 100;
  return `${value >= 99.95 ? '100' : value.toFixed(value > 99 || value < 10 ? 1 : 0)}${THIN}%`;
}

/// Seconds as the two largest units that they have.
export function span(seconds) {
  let rest = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || (unit === 's' && parts.length === 0)) parts.push(`${count}${THIN}${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

/// Milliseconds since 1970 as hours, minutes and seconds of here.
export function clock(ms) {
  return new Date(ms).toLocaleTimeString('en-GB', { hour12: false });
}

/// Milliseconds since 1970 as a date and a time of here.
export function moment(ms) {
  const date = new Date(ms);
  const two = (number) => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms)}`;
}

/// The bytes of a text as the server gives it: a string, or `{"base64": …}` where it is no UTF-8.
export function bytesOf(text) {
  if (text !== null && typeof text === 'object' && 'base64' in text) {
    return Uint8Array.from(atob(text.base64), (letter) => letter.charCodeAt(0));
  }
  return new TextEncoder().encode(String(text));
}

/// Bytes as the server takes them.
export function textOf(octets) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    let letters = '';
    for (const octet of octets) letters += String.fromCharCode(octet);
    return { base64: btoa(letters) };
  }
}

const ESCAPES = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 13: '\\r' };

/// A text on one line: what cannot be seen is written as an escape.
export function shown(text) {
  if (text === null || text === undefined) return '';
  if (typeof text !== 'object') {
    // Also the marks that turn the direction of a line round: a key must not rearrange what stands beside it.
    return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (letter) => {
      const code = letter.charCodeAt(0);
      return ESCAPES[code] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`);
    });
  }
  let line = '';
  for (const octet of bytesOf(text)) {
    const plain = octet >= 32 && octet < 127;
    line += plain ? String.fromCharCode(octet) : ESCAPES[octet] ?? `\\x${octet.toString(16).padStart(2, '0')}`;
  }
  return line;
}

/// A text between quotes, as redis-cli writes and reads it.
export function quoted(text) {
  if (typeof text === 'object') return `"${shown(text).replaceAll('"', '\\"')}"`;
  const inner = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return `"${shown(inner)}"`;
}

/// Lines of 16 bytes: offset, hexadecimal, and letters.
export function hexDump(octets, from = 0) {
  const lines = [];
  for (let at = 0; at < octets.length; at += 16) {
    const row = [...octets.subarray(at, at + 16)];
    const hex = row.map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
    const letters = row.map((octet) => (octet >= 32 && octet < 127 ? String.fromCharCode(octet) : '·')).join('');
    lines.push(`${(from + at).toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${letters}`);
  }
  return lines.join('\n');
}

/// Indented JSON, or null when the text is no object or array of JSON.
export function prettyJson(text) {
  if (typeof text !== 'string' || !/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return indented(text);
}

/// The text with JSON's own letters kept, since reading and writing it again would change large numbers.
function indented(text) {
  let out = '';
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (letter === '"') {
      let end = at + 1;
      while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
      out += text.slice(at, end + 1);
      at = end;
    } else if (letter === '{' || letter === '[') {
      const rest = /^\s*[}\]]/.exec(text.slice(at + 1, at + 200));
      if (rest) {
        out += letter + rest[0].trim();
        at += rest[0].length;
      } else {
        depth += 1;
        out += letter + line();
      }
    } else if (letter === '}' || letter === ']') {
      depth -= 1;
      out += line() + letter;
    } else if (letter === ',') {
      out += letter + line();
    } else if (letter === ':') {
      out += ': ';
    } else if (!/\s/.test(letter)) {
      out += letter;
    }
  }
  return out;
}
