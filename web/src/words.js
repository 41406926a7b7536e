// A line of the command runner into arguments, quoted as in redis-cli, and arguments into completion. Pure.

import { textOf } from './format.js';

const LETTERS = { n: 10, r: 13, t: 9, b: 8, a: 7 };

/// The arguments of a line; an error says what is wrong with its quotes.
export function split(line) {
  const octets = new TextEncoder().encode(line);
  const words = [];
  let at = 0;
  const blank = (octet) => octet === 32 || octet === 9;
  while (at < octets.length) {
    while (blank(octets[at])) at += 1;
    if (at >= octets.length) break;
    const word = [];
    while (at < octets.length && !blank(octets[at])) {
      const quote = octets[at];
      if (quote !== 34 && quote !== 39) {
        word.push(quote);
        at += 1;
        continue;
      }
      at = afterQuote(octets, at + 1, quote, word);
      if (at < octets.length && !blank(octets[at])) throw new Error('A closing quote must be followed by a space.');
    }
    words.push(textOf(Uint8Array.from(word)));
  }
  return words;
}

/// Reads up to the closing quote and returns what comes behind it.
function afterQuote(octets, from, quote, word) {
  let at = from;
  while (octets[at] !== quote) {
    if (at >= octets.length) throw new Error('A quote is not closed.');
    if (octets[at] === 92 && quote === 34) {
      const hex = /^x[0-9a-fA-F]{2}/.exec(String.fromCharCode(...octets.subarray(at + 1, at + 4)));
      if (hex) {
        word.push(parseInt(hex[0].slice(1), 16));
        at += 4;
      } else if (at + 1 < octets.length) {
        word.push(LETTERS[String.fromCharCode(octets[at + 1])] ?? octets[at + 1]);
        at += 2;
      } else {
        throw new Error('A quote is not closed.');
      }
    } else if (octets[at] === 92 && octets[at + 1] === 39) {
      word.push(39);
      at += 2;
    } else {
      word.push(octets[at]);
      at += 1;
    }
  }
  return at + 1;
}

/// The commands whose names begin with what stands at the start of the line; names of two words count as one.
export function complete(line, commands, most) {
  const typed = line.trimStart().toLowerCase().replace(/\s+/g, ' ');
  if (typed === '' || /["']/.test(typed)) return [];
  const found = commands.filter((command) => command.name.startsWith(typed) && command.name !== typed);
  return found.sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1)).slice(0, most);
}

/// The command that the line is a call of: the longest name that it begins with.
export function called(line, commands) {
  const typed = `${line.trim().toLowerCase().replace(/\s+/g, ' ')} `;
  let best = null;
  for (const command of commands) {
    if (typed.startsWith(`${command.name} `) && command.name.length > (best?.name.length ?? 0)) best = command;
  }
  return best;
}
