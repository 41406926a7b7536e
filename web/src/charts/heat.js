// Latency over time as a heat map: a column for each second, a row for each bucket of the histogram, brighter for more requests.
//
// A percentile is one number and hides two humps; here a slow command that queues others is a second band.

import { el } from '../dom.js';
import { micros, percent, whole } from '../format.js';
import { used } from '../latency.js';
import { Chart, colour } from './canvas.js';

/// A row is at least this high; narrower buckets are drawn together.
const ROW_PX = 4;
/// Steps of the ramp between its three colours.
const SHADES = 64;
/// So many rows are shown at least, or one busy bucket would fill the chart.
const BUCKETS_MIN = 12;

export class Heat extends Chart {
  constructor(board, title) {
    super(board, title, 60);
    this.stage = 'total';
    this.bounds = [];
    this.pointed = null;
    this.reading = el('p', { class: 'reading' });
    this.canvas.addEventListener('pointermove', (event) => {
      this.pointed = event.offsetY;
      this.redraw();
    });
    this.canvas.addEventListener('pointerleave', () => {
      this.pointed = null;
      this.redraw();
    });
  }

  draw(pen, area) {
    this.timeAxis(pen, area);
    const histograms = this.samples.map((sample) => sample.latency[this.stage]);
    const range = used(histograms);
    if (!range) {
      this.tell('No requests in this time.');
      pen.fillStyle = colour('text-3');
      pen.textAlign = 'center';
      pen.fillText('no requests in this time', (area.left + area.right) / 2, (area.top + area.bottom) / 2);
      return;
    }
    const rows = this.rowsOf(range, area);
    const columns = this.columns(histograms, rows);
    const most = Math.max(...columns.map((column) => Math.max(...column.counts)));
    const shades = ramp();
    for (const { from, to, counts } of columns) {
      for (let row = 0; row < counts.length; row += 1) {
        if (counts[row] === 0) continue;
        // By its logarithm, or the few slow ones that matter would not be seen beside the many quick ones.
        const share = most > 1 ? Math.log1p(counts[row]) / Math.log1p(most) : 1;
        pen.fillStyle = shades[Math.min(SHADES - 1, Math.floor(share * SHADES))];
        const y = area.bottom - (row + 1) * rows.height;
        pen.fillRect(from, y, to - from, rows.height - (rows.height > 6 ? 0.5 : 0));
      }
    }
    this.scale(pen, area, rows);
    this.read(area, rows);
  }

  /// Which buckets make a row, and how high it is. Buckets grow by a factor, so equal rows are a logarithmic scale.
  rowsOf([low, high], area) {
    const most = this.bounds.length;
    let [first, last] = [Math.max(0, low - 1), Math.min(most, high + 1)];
    while (last - first + 1 < BUCKETS_MIN && (first > 0 || last < most)) {
      first = Math.max(0, first - 1);
      last = Math.min(most, last + 1);
    }
    const room = area.bottom - area.top;
    const together = Math.max(1, Math.ceil(((last - first + 1) * ROW_PX) / room));
    const count = Math.ceil((last - first + 1) / together);
    return { first, together, count, height: room / count };
  }

  columns(histograms, rows) {
    const columns = [];
    const second = (this.area.right - this.area.left) / this.board.seconds;
    this.samples.forEach((sample, at) => {
      const counts = histograms[at];
      if (!counts || sample.gap) return;
      const to = Math.round(this.x(sample.time));
      const before = at > 0 ? this.x(this.samples[at - 1].time) : this.x(sample.time) - second;
      const from = Math.max(Math.round(before), this.area.left, to - Math.ceil(second * 3));
      if (to <= this.area.left) return;
      const merged = new Float64Array(rows.count);
      for (let bucket = rows.first; bucket < counts.length; bucket += 1) {
        const row = Math.floor((bucket - rows.first) / rows.together);
        if (row < rows.count) merged[row] += counts[bucket];
      }
      const last = columns[columns.length - 1];
      if (last && last.to >= to) {
        // Several samples in one pixel are one column.
        merged.forEach((count, row) => (last.counts[row] += count));
      } else {
        columns.push({ from: last ? Math.max(from, last.to) : from, to: Math.max(to, from + 1), counts: merged });
      }
    });
    return columns.length ? columns : [{ from: 0, to: 0, counts: new Float64Array(rows.count) }];
  }

  /// The lower and the upper end of a row, in microseconds.
  ends(rows, row) {
    const low = rows.first + row * rows.together;
    const high = Math.min(this.bounds.length, low + rows.together - 1);
    return [low === 0 ? 0 : this.bounds[low - 1], high < this.bounds.length ? this.bounds[high] : Infinity];
  }

  scale(pen, area, rows) {
    pen.fillStyle = colour('text-3');
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    const every = Math.max(1, Math.round(26 / rows.height));
    for (let row = 0; row <= rows.count; row += every) {
      const [low] = this.ends(rows, row);
      if (low === undefined) break;
      pen.fillText(micros(low), area.left - 6, area.bottom - row * rows.height);
    }
  }

  read(area, rows) {
    const sample = this.current();
    const counts = sample?.latency[this.stage];
    if (!counts) return this.tell('');
    const all = counts.reduce((sum, count) => sum + count, 0);
    if (this.pointed === null || this.board.at === null) {
      return this.tell(`${whole(all)} requests in the last second`);
    }
    const row = Math.min(rows.count - 1, Math.max(0, Math.floor((area.bottom - this.pointed) / rows.height)));
    const [low, high] = this.ends(rows, row);
    let some = 0;
    for (let at = 0; at < rows.together; at += 1) some += counts[rows.first + row * rows.together + at] ?? 0;
    const upper = Number.isFinite(high) ? `to ${micros(high)}` : 'and more';
    return this.tell(`${micros(low)} ${upper}: ${whole(some)} of ${whole(all)} requests, ${percent(all ? some / all : 0)}`);
  }

  tell(text) {
    if (this.reading.textContent !== text) this.reading.textContent = text;
    this.canvas.setAttribute('aria-label', `${this.title}: ${text}`);
  }
}

/// From the theme's coolest to its hottest colour.
function ramp() {
  const stops = ['heat-0', 'heat-1', 'heat-2', 'heat-3'].map((name) => numbers(colour(name)));
  const shades = [];
  for (let at = 0; at < SHADES; at += 1) {
    const place = (at / (SHADES - 1)) * (stops.length - 1);
    const stop = Math.min(stops.length - 2, Math.floor(place));
    const mixed = stops[stop].map((from, part) => Math.round(from + (stops[stop + 1][part] - from) * (place - stop)));
    shades.push(`rgb(${mixed.join(',')})`);
  }
  return shades;
}

function numbers(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
