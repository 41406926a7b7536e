// What all charts share: a canvas as large as its place in device pixels, the colours of the theme, one axis of time, and one crosshair.
//
// Invariant: a chart draws from what it was given last; nothing is animated, so a page in the background costs nothing but its readings.

import { el } from '../dom.js';
import { clock } from '../format.js';

const RIGHT_PX = 8;
const TOP_PX = 8;
const BOTTOM_PX = 20;
const charts = new Set();
let styles = null;

/// A colour of the theme.
export function colour(name) {
  styles ??= getComputedStyle(document.documentElement);
  return styles.getPropertyValue(`--${name}`).trim();
}

/// Draws everything again in the colours of a theme that has just changed.
export function themeChanged() {
  styles = null;
  for (const chart of charts) chart.redraw();
}

/// The time that the crosshair stands at, or null. All charts of a board show the same.
export class Board {
  constructor() {
    this.seconds = 120;
    this.at = null;
    this.charts = [];
  }

  point(time) {
    if (time === this.at) return;
    this.at = time;
    for (const chart of this.charts) chart.redraw();
  }
}

export class Chart {
  /// `title` names it for those who don't see it; `left` is the room for its scale, in pixels.
  constructor(board, title, left = 52) {
    this.board = board;
    this.left = left;
    this.title = title;
    this.samples = [];
    this.end = 0;
    this.due = false;
    this.canvas = el('canvas', {
      role: 'img', tabindex: '0', 'aria-label': title,
      on: {
        pointermove: (event) => board.point(this.timeAt(event.offsetX)),
        pointerleave: () => board.point(null),
        keydown: (event) => this.key(event),
        blur: () => board.point(null),
      },
    });
    this.box = el('div', { class: 'plot' }, this.canvas);
    new ResizeObserver(() => this.redraw()).observe(this.box);
    board.charts.push(this);
    charts.add(this);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || this.samples.length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const at = this.board.at === null ? this.samples.length : this.nearest(this.board.at);
    const next = Math.min(this.samples.length - 1, Math.max(0, at + step));
    this.board.point(this.samples[next].time);
  }

  show(samples, end) {
    this.samples = samples;
    this.end = end;
    this.redraw();
  }

  redraw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  paint() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (width === 0 || height === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    const pen = this.canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `11px ${colour('sans')}`;
    this.area = { left: this.left, right: width - RIGHT_PX, top: TOP_PX, bottom: height - BOTTOM_PX };
    this.draw(pen, this.area);
    this.crosshair(pen, this.area);
  }

  /// Where a time lies, in pixels from the left.
  x(time) {
    const { left, right } = this.area;
    return right - ((this.end - time) / 1000 / this.board.seconds) * (right - left);
  }

  timeAt(x) {
    if (!this.area || this.samples.length === 0) return null;
    const { left, right } = this.area;
    const time = this.end - ((right - x) / (right - left)) * this.board.seconds * 1000;
    return this.samples[this.nearest(time)].time;
  }

  /// The index of the sample nearest to a time.
  nearest(time) {
    let best = 0;
    for (let at = 1; at < this.samples.length; at += 1) {
      if (Math.abs(this.samples[at].time - time) < Math.abs(this.samples[best].time - time)) best = at;
    }
    return best;
  }

  /// The sample under the crosshair, else the last.
  current() {
    if (this.samples.length === 0) return null;
    const { at } = this.board;
    return this.samples[at === null ? this.samples.length - 1 : this.nearest(at)];
  }

  crosshair(pen, { top, bottom, left, right }) {
    const { at } = this.board;
    if (at === null || this.samples.length === 0) return;
    const x = this.x(at);
    if (x < left || x > right) return;
    pen.strokeStyle = colour('text-3');
    pen.lineWidth = 1;
    line(pen, Math.round(x) + 0.5, top, Math.round(x) + 0.5, bottom);
    const label = clock(at);
    const width = pen.measureText(label).width + 8;
    const from = Math.min(right - width, Math.max(left, x - width / 2));
    pen.fillStyle = colour('text-2');
    pen.fillRect(from, bottom + 3, width, 15);
    pen.fillStyle = colour('panel');
    pen.textAlign = 'left';
    pen.textBaseline = 'middle';
    pen.fillText(label, from + 4, bottom + 11);
  }

  /// The times below, as how long ago they were.
  timeAxis(pen, { left, right, bottom }) {
    pen.fillStyle = colour('text-3');
    pen.textBaseline = 'middle';
    const { seconds } = this.board;
    const step = [5, 10, 15, 30, 60, 120, 300, 600].find((size) => (right - left) / (seconds / size) >= 84) ?? 900;
    for (let ago = 0; ago <= seconds; ago += step) {
      const x = right - (ago / seconds) * (right - left);
      pen.textAlign = ago === 0 ? 'right' : x - left < 14 ? 'left' : 'center';
      const text = ago === 0 ? 'now' : ago % 60 === 0 ? `−${ago / 60} min` : `−${ago} s`;
      pen.fillText(text, ago === 0 ? right : x, bottom + 11);
    }
  }
}

export function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
