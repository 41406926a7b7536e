// The slow log: which calls took long, and on which stage they spent it.

import { get } from '../api.js';
import { button, el, failure, fill, note } from '../dom.js';
import { micros, moment, quoted, shown } from '../format.js';
import { Table } from '../table.js';

const SPENT_ON = [
  ['queue_us', 'Queue', 'c5'],
  ['execute_us', 'Execute', 'c1'],
  ['log_wait_us', 'Log wait', 'c2'],
  ['flush_us', 'Flush', 'c6'],
];
/// The arguments of a line up to here; the rest is shown when it is opened.
const LINE_LETTERS = 160;

class SlowLog {
  constructor() {
    this.longest = 1;
    this.table = new Table('Slow log', [
      { title: 'Time', cell: (row) => moment(row.time_s * 1000), sort: (row) => row.id },
      { title: 'Took', cell: (row) => micros(row.duration_us), sort: (row) => row.duration_us, number: true },
      { title: 'By stage', cell: (row) => stagesBar(row, this.longest), class: 'bar-cell' },
      { title: 'Command', cell: (row) => cutLine(callLine(row)), class: 'mono' },
      { title: 'Client', cell: (row) => shown(row.name) || shown(row.client), sort: (row) => shown(row.client), class: 'mono' },
    ], { sorted: [0, true], open: { key: (row) => row.id, show: slowCall } });
    this.body = el('div', { class: 'card' });
    this.element = el('div', {},
      el('div', { class: 'bar' },
        el('ul', { class: 'legend' }, SPENT_ON.map(([, name, colour]) => el('li', {}, swatch(colour), name))),
        el('div', { class: 'right' }, button('Read again', () => this.refresh()))),
      this.body);
  }

  show() {
    return this.refresh();
  }

  async refresh() {
    try {
      const rows = await get('/api/slowlog');
      this.longest = Math.max(1, ...rows.map((row) => row.duration_us));
      if (rows.length === 0) {
        fill(this.body, note('No slow calls', 'What takes longer than slowlog-log-slower-than microseconds is kept here, up to slowlog-max-len calls.'));
        return;
      }
      this.table.show(rows);
      fill(this.body, this.table.element);
    } catch (error) {
      fill(this.body, failure(error));
    }
  }
}

function swatch(colour) {
  const dot = el('i', { class: 'swatch', 'aria-hidden': 'true' });
  dot.style.setProperty('background', `var(--${colour})`);
  return dot;
}

function callLine(row) {
  return row.arguments.map((argument, at) => (at === 0 || /^[\w:.*-]+$/.test(shown(argument)) ? shown(argument) : quoted(argument))).join(' ');
}

function cutLine(text) {
  return text.length > LINE_LETTERS ? `${text.slice(0, LINE_LETTERS)}…` : text;
}

function known(row) {
  return SPENT_ON.filter(([key]) => Number.isFinite(row.stages?.[key]));
}

/// As long as the call took beside the longest one, parted by what it spent where.
function stagesBar(row, longest) {
  const stages = known(row);
  const all = stages.reduce((sum, [key]) => sum + row.stages[key], 0);
  const words = stages.map(([key, name]) => `${name} ${micros(row.stages[key])}`).join(', ');
  const bar = el('div', { class: 'stages', role: 'img', 'aria-label': words || 'stages not known', title: words });
  const part = (share, colour) => {
    const piece = el('i');
    piece.style.setProperty('width', `${share * 100}%`);
    piece.style.setProperty('background', `var(--${colour})`);
    bar.append(piece);
  };
  const length = row.duration_us / longest;
  if (all === 0) part(length, 'c8');
  else for (const [key, , colour] of stages) part((row.stages[key] / all) * length, colour);
  return bar;
}

function slowCall(row) {
  const stages = known(row).map(([key, name, colour]) => [el('dt', {}, swatch(colour), name), el('dd', {}, micros(row.stages[key]))]);
  return el('div', {},
    el('dl', { class: 'measures' }, stages.map((pair) => el('div', {}, pair)),
      el('div', {}, el('dt', {}, 'Client'), el('dd', {}, shown(row.client))),
      el('div', {}, el('dt', {}, 'Entry'), el('dd', {}, String(row.id)))),
    el('pre', { class: 'dump' }, row.arguments.map(shown).join('\n')));
}

export function slowLogView() {
  return new SlowLog();
}
