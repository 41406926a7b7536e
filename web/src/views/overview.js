// The state of the server at a glance, and how it came to it.

import { Board } from '../charts/canvas.js';
import { Heat } from '../charts/heat.js';
import { Lines } from '../charts/lines.js';
import { el, fill, segments } from '../dom.js';
import { bytes, micros, percent, short, span, whole } from '../format.js';
import { STAGES, percentile } from '../latency.js';
import { state } from '../state.js';

const MEMORY_KINDS = [
  ['values', 'Values', 'c1'],
  ['keys', 'Keys', 'c2'],
  ['dict', 'Dict', 'c3'],
  ['ttl', 'TTL', 'c5'],
  ['clients', 'Clients', 'c4'],
  ['log', 'Log', 'c7'],
  ['fragmentation', 'Fragmentation', 'c6'],
  ['other', 'Other', 'c8'],
];
const WINDOWS = [[60, '1 min'], [120, '2 min'], [300, '5 min'], [900, '15 min'], [1800, '30 min']];

/// Samples lie up to a second apart from a whole number of them: the window reaches a little over its left edge.
const MARGIN_S = 3;

class Overview {
  constructor() {
    this.board = new Board();
    this.stage = 'total';
    const level = (name) => (sample) => sample[name];
    const share = (part) => (sample) => {
      const counts = sample.latency[this.stage];
      return counts ? percentile(counts, state.history.bounds, part) : NaN;
    };
    const perSecond = (value) => `${short(value)}/s`;
    const rate = (name, colour, key) => ({ name, colour, value: level(key) });
    this.charts = {
      operations: new Lines(this.board, 'Operations', [rate('per second', 'c1', 'operations')], short, { area: true, least: 10 }),
      latency: new Lines(this.board, 'Latency', [
        { name: 'p50', colour: 'c2', value: share(0.5) },
        { name: 'p99', colour: 'c1', value: share(0.99) },
        { name: 'p99.9', colour: 'c7', value: share(0.999) },
      ], micros, { log: true }),
      memory: new Lines(this.board, 'Memory by kind', MEMORY_KINDS.map(([key, name, colour]) => ({
        name, colour, value: (sample) => sample.memory.kinds[key],
      })), bytes, { stacked: true, steps: 1024, least: 1 << 20 }),
      hits: new Lines(this.board, 'Hit ratio', [{ name: 'hits', colour: 'c3', value: level('hitRatio') }], percent, { area: true, most: 1 }),
      connections: new Lines(this.board, 'Connections', [
        { name: 'open', colour: 'c2', value: level('connections') },
        { name: 'blocked', colour: 'c4', value: level('blocked') },
        rate('accepted/s', 'c5', 'accepted'),
        rate('rejected/s', 'c7', 'rejected'),
      ], short, { least: 4 }),
      expiry: new Lines(this.board, 'Expiry and eviction', [
        rate('expired', 'c5', 'expired'),
        rate('evicted', 'c7', 'evicted'),
      ], perSecond, { least: 4 }),
      lag: new Lines(this.board, 'Expiry lag', [{ name: 'behind', colour: 'c4', value: (sample) => sample.lagMs * 1000 }], micros, { area: true, least: 1000 }),
      network: new Lines(this.board, 'Network', [
        rate('in', 'c6', 'input'),
        rate('out', 'c1', 'output'),
      ], (value) => `${bytes(value)}/s`, { steps: 1024, least: 1024 }),
    };
    this.heat = new Heat(this.board, 'Latency over time');
    this.tiles = new Map();
    this.workers = el('ul', { class: 'workers' });
    this.facts = el('dl', { class: 'facts' });
    this.element = this.lay();
  }

  lay() {
    const tile = (key, name) => {
      const parts = { value: el('dd', {}, '–'), more: el('p', {}, '\u00a0') };
      this.tiles.set(key, parts);
      return el('div', { class: 'tile', id: `tile-${key}` }, el('dt', {}, name), parts.value, parts.more);
    };
    const card = (chart, size = '', id = '') => el('section', { class: `card ${size}`, id },
      el('header', {}, el('h2', {}, chart.title), chart.legend), chart.box);
    const { operations, latency, memory, hits, connections, expiry, lag, network } = this.charts;
    const stages = segments('Stage', 'stage', STAGES, this.stage, (stage) => {
      this.stage = stage;
      this.heat.stage = stage;
      this.sample();
    });
    return el('div', {},
      el('dl', { class: 'tiles' }, tile('operations', 'Operations'), tile('p50', 'Median latency'), tile('p99', 'p99 latency'), tile('memory', 'Memory'),
        tile('keys', 'Keys'), tile('clients', 'Clients'), tile('hits', 'Hit ratio'), tile('busy', 'Workers busy')),
      el('div', { class: 'bar' },
        segments('Time shown', 'window', WINDOWS, this.board.seconds, (seconds) => {
          this.board.seconds = seconds;
          this.sample();
        }),
        el('div', { class: 'field right' }, el('span', {}, 'Latency of'), stages)),
      el('div', { class: 'board' },
        card(operations, 'half', 'chart-operations'),
        card(latency, 'half'),
        el('section', { class: 'card wide', id: 'chart-heat' }, el('header', {}, el('h2', {}, 'Latency over time'), el('div', { class: 'legend' }, 'brighter: more requests')),
          this.heat.box, this.heat.reading),
        el('section', { class: 'card' }, el('header', {}, el('h2', {}, 'Workers')), this.workers, el('header', {}, el('h2', {}, 'Persistence')), this.facts),
        card(memory, 'wide', 'chart-memory'),
        card(network),
        card(hits, 'quarter'),
        card(connections, 'quarter'),
        card(expiry, 'quarter'),
        card(lag, 'quarter')));
  }

  show() {
    this.sample();
  }

  /// Draws what was read last.
  sample() {
    const { history } = state;
    const { last } = history;
    if (!last) return;
    const samples = history.window(this.board.seconds + MARGIN_S);
    const end = history.end();
    for (const chart of Object.values(this.charts)) chart.show(samples, end);
    this.heat.bounds = history.bounds;
    this.heat.show(samples, end);
    const sample = samples[samples.length - 1];
    if (sample && !sample.gap) this.tell(sample, last);
    this.tellFacts(last);
  }

  tell(sample, stats) {
    const set = (key, [value, unit], more) => {
      const tile = this.tiles.get(key);
      fill(tile.value, value, unit ? el('small', {}, unit) : '');
      tile.more.textContent = more;
    };
    const counts = sample.latency[this.stage];
    const share = (part) => (counts ? percentile(counts, state.history.bounds, part) : NaN);
    const { memory } = stats;
    const busy = sample.workers.reduce((sum, worker) => sum + worker.busy, 0) / Math.max(1, sample.workers.length);
    set('operations', parted(short(sample.operations), '/s'), `${short(stats.commands)} since the start`);
    set('p50', parted(micros(share(0.5))), `p90 ${micros(share(0.9))}`);
    set('p99', parted(micros(share(0.99))), `p99.9 ${micros(share(0.999))}`);
    set('memory', parted(bytes(memory.used)), memory.limit ? `${percent(memory.used / memory.limit)} of ${bytes(memory.limit)}` : `${bytes(memory.rss)} resident`);
    set('keys', parted(short(stats.keys)), `${short(stats.keys_with_ttl)} with a TTL`);
    set('clients', [whole(stats.connections), ''], `${whole(stats.blocked)} blocked, ${short(stats.connections_accepted)} so far`);
    set('hits', parted(percent(sample.hitRatio)), hitsSinceStart(stats));
    set('busy', parted(percent(busy)), `${stats.workers.length} ${stats.workers.length === 1 ? 'worker' : 'workers'}`);
    fill(this.workers, el('li', { class: 'titles' }, el('span', {}, '#'), el('span', {}, 'busy'), el('span', {}, ''), el('span', {}, 'operations'), el('span', {}, 'clients')),
      sample.workers.map((worker, at) => {
        const bar = el('i', { class: worker.busy > 0.85 ? 'high' : null });
        bar.style.setProperty('width', `${worker.busy * 100}%`);
        return el('li', {}, el('span', {}, String(at)), el('span', { class: 'gauge' }, bar), el('b', {}, percent(worker.busy)),
          el('span', {}, `${short(worker.operations)}/s`), el('span', {}, whole(worker.clients)));
      }));
  }

  tellFacts(stats) {
    fill(this.facts, facts(stats.persistence, stats.time_ms).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
  }
}

/// Number and unit of a formatted value, for the tile's two sizes.
function parted(text, more = '') {
  const [number, unit = ''] = text.split('\u202f');
  return [number, unit + more];
}

function hitsSinceStart({ hits, misses }) {
  return hits + misses > 0 ? `${percent(hits / (hits + misses))} since the start` : 'no reads yet';
}

/// What is known of snapshots and of the append-only file, as rows.
function facts(kept, now) {
  const ago = (seconds) => (seconds > 0 ? `${span(now / 1000 - seconds)} ago` : 'never');
  const rows = [];
  if (kept.loading) rows.push(['Loading', `${bytes(kept.loaded_bytes)} of ${bytes(kept.loading_bytes)}`]);
  rows.push(
    ['Last snapshot', kept.last_snapshot_ok ? ago(kept.last_snapshot_s) : 'FAILED: see the log'],
    ['Snapshot now', kept.snapshot_running ? `${percent(kept.snapshot_keys_done / Math.max(1, kept.snapshot_keys))} of ${short(kept.snapshot_keys)} keys` : 'none'],
    ['Changes since', whole(kept.unsaved_changes)],
    ['Append-only file', !kept.aof ? 'off' : kept.aof_ok ? 'on' : 'FAILED: see the log'],
  );
  if (kept.aof) {
    rows.push(['Its size, and at its last rewrite', `${bytes(kept.aof_bytes)}, ${bytes(kept.aof_base_bytes)}`], ['Waiting for the disk', bytes(kept.aof_buffer_bytes)],
      ['Rewrites', `${whole(kept.aof_rewrites)}${kept.aof_rewriting ? ', one now' : ''}`]);
  }
  return rows;
}

export function overviewView() {
  return new Overview();
}
