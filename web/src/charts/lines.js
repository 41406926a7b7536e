// Lines over time, one scale from zero, plain or stacked, or a logarithmic one. The legend shows the values under the crosshair.

import { el } from '../dom.js';
import { Chart, colour, line } from './canvas.js';

export class Lines extends Chart {
  /// `series`: `{name, colour, value(sample)}`; a value that is no number leaves a hole. `format` writes a value;
  /// `options`: `stacked`, `log` (then values of 0 and below are holes), `most` (the scale's fixed end), `least` (its end at least), `steps`
  /// (1024 for bytes), `area` (fill below the first line).
  constructor(board, title, series, format, options = {}) {
    super(board, title);
    this.series = series;
    this.format = format;
    this.options = options;
    this.values = series.map(() => el('b', {}, '–'));
    this.legend = el('ul', { class: 'legend' }, series.map((one, at) => {
      const dot = el('i', { 'aria-hidden': 'true' });
      dot.style.setProperty('background', `var(--${one.colour})`);
      return el('li', {}, dot, el('span', {}, one.name), this.values[at]);
    }));
  }

  draw(pen, area) {
    this.tell();
    this.timeAxis(pen, area);
    const scale = this.options.log ? this.logarithmic() : this.linear();
    this.grid(pen, area, scale);
    const y = (value) => area.bottom - scale.share(value) * (area.bottom - area.top);
    pen.save();
    pen.beginPath();
    pen.rect(area.left, area.top - 2, area.right - area.left + 1, area.bottom - area.top + 3);
    pen.clip();
    if (this.options.stacked) this.stack(pen, y);
    else this.plain(pen, y, area);
    pen.restore();
  }

  tell() {
    const sample = this.current();
    const said = [];
    this.series.forEach((one, at) => {
      const value = sample ? one.value(sample) : NaN;
      const text = Number.isFinite(value) ? this.format(value) : '–';
      if (this.values[at].textContent !== text) this.values[at].textContent = text;
      said.push(`${one.name} ${text}`);
    });
    this.canvas.setAttribute('aria-label', `${this.title}: ${said.join(', ')}`);
  }

  highest() {
    let high = this.options.least ?? 0;
    for (const sample of this.samples) {
      let sum = 0;
      for (const one of this.series) {
        const value = one.value(sample);
        if (!Number.isFinite(value)) continue;
        sum = this.options.stacked ? sum + value : Math.max(sum, value);
      }
      high = Math.max(high, sum);
    }
    return high;
  }

  linear() {
    const high = this.options.most ?? Math.max(this.highest(), 1e-9);
    const step = stepOf(high / 4, this.options.steps ?? 1000);
    const end = this.options.most ?? Math.ceil(high / step - 1e-9) * step;
    const ticks = [];
    for (let tick = 0; tick <= end * 1.0001; tick += step) ticks.push(tick);
    return { ticks, share: (value) => value / end };
  }

  logarithmic() {
    let low = Infinity;
    let high = 0;
    for (const sample of this.samples) {
      for (const one of this.series) {
        const value = one.value(sample);
        if (value > 0) {
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
      }
    }
    if (high === 0) [low, high] = [10, 1000];
    const from = Math.floor(Math.log10(low));
    const to = Math.max(from + 1, Math.ceil(Math.log10(high) - 1e-9));
    const ticks = [];
    for (let power = from; power <= to; power += 1) ticks.push(10 ** power);
    return { ticks, share: (value) => (Math.log10(value) - from) / (to - from) };
  }

  grid(pen, area, scale) {
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    pen.lineWidth = 1;
    for (const tick of scale.ticks) {
      const y = Math.round(area.bottom - scale.share(tick) * (area.bottom - area.top)) + 0.5;
      pen.strokeStyle = colour(tick === scale.ticks[0] ? 'axis' : 'grid');
      line(pen, area.left, y, area.right, y);
      pen.fillStyle = colour('text-3');
      // A tick is a round number: it needs no zeros behind its point.
      pen.fillText(this.format(tick).replace(/\.0+(?=\D|$)/, ''), area.left - 6, y);
    }
  }

  /// Runs of samples in which every point is there, as arrays of [x, sample].
  runs(present) {
    const runs = [];
    let run = null;
    for (const sample of this.samples) {
      if (sample.gap || !present(sample)) {
        run = null;
        continue;
      }
      if (!run) runs.push((run = []));
      run.push([this.x(sample.time), sample]);
    }
    return runs;
  }

  plain(pen, y, area) {
    this.series.forEach((one, at) => {
      const there = (sample) => {
        const value = one.value(sample);
        return Number.isFinite(value) && (!this.options.log || value > 0);
      };
      for (const run of this.runs(there)) {
        pen.beginPath();
        run.forEach(([x, sample], point) => (point ? pen.lineTo(x, y(one.value(sample))) : pen.moveTo(x, y(one.value(sample)))));
        // One sample alone is a dot, or it would not be seen.
        if (run.length === 1) pen.lineTo(run[0][0] + 1.5, y(one.value(run[0][1])));
        pen.strokeStyle = colour(one.colour);
        pen.lineWidth = 1.6;
        pen.lineJoin = 'round';
        pen.stroke();
        if (this.options.area && at === 0) {
          pen.lineTo(run[run.length - 1][0], area.bottom);
          pen.lineTo(run[0][0], area.bottom);
          pen.closePath();
          pen.globalAlpha = 0.14;
          pen.fillStyle = colour(one.colour);
          pen.fill();
          pen.globalAlpha = 1;
        }
      }
    });
  }

  stack(pen, y) {
    for (const run of this.runs(() => true)) {
      if (run.length === 1) run.push([run[0][0] + 1.5, run[0][1]]);
      const base = run.map(() => 0);
      for (const one of this.series) {
        pen.beginPath();
        run.forEach(([x], at) => (at ? pen.lineTo(x, y(base[at])) : pen.moveTo(x, y(base[at]))));
        for (let at = run.length - 1; at >= 0; at -= 1) {
          const value = one.value(run[at][1]);
          base[at] += Number.isFinite(value) ? value : 0;
          pen.lineTo(run[at][0], y(base[at]));
        }
        pen.closePath();
        pen.fillStyle = colour(one.colour);
        pen.globalAlpha = 0.82;
        pen.fill();
        pen.globalAlpha = 1;
      }
    }
  }
}

/// A step of 1, 2 or 5 (of bytes: a power of two) that is at least this large.
export function stepOf(least, base) {
  const size = base ** Math.max(0, Math.floor(Math.log(least) / Math.log(base) + 1e-9));
  const rest = least / size;
  if (base === 1024) return size * 2 ** Math.max(0, Math.ceil(Math.log2(rest) - 1e-9));
  const ten = 10 ** Math.floor(Math.log10(rest) + 1e-9);
  return size * ten * ([1, 2, 5, 10].find((step) => step >= rest / ten - 1e-9) ?? 10);
}
