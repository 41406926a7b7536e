// What the page remembers: one sample for each reading of /api/stats, with rates made from the differences of its counters.
//
// Invariant: never more than SAMPLES_MAX of them, so a page that is left open for a week needs no more memory than after half an hour.

import { STAGES, difference } from './latency.js';

export const SAMPLES_MAX = 1800;

export class History {
  constructor() {
    this.samples = [];
    this.bounds = [];
    this.last = null;
  }

  /// Takes a reading in; the first one, and one of a server that was started anew, only begins.
  push(stats) {
    const before = this.last;
    this.last = stats;
    this.bounds = stats.latency?.bounds_us ?? [];
    const sample = levels(stats);
    const seconds = before ? (stats.time_ms - before.time_ms) / 1000 : 0;
    if (before && seconds <= 0) return null;
    if (before && stats.uptime_s >= before.uptime_s && stats.commands >= before.commands) {
      rates(sample, stats, before, seconds);
    } else {
      sample.gap = true;
    }
    this.samples.push(sample);
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
    return sample;
  }

  /// The samples of the last so many seconds.
  window(seconds) {
    const from = this.end() - seconds * 1000;
    let at = this.samples.length;
    while (at > 0 && this.samples[at - 1].time >= from) at -= 1;
    return this.samples.slice(at);
  }

  /// The time of the last sample.
  end() {
    return this.samples.length ? this.samples[this.samples.length - 1].time : 0;
  }
}

function levels(stats) {
  return {
    time: stats.time_ms,
    gap: false,
    connections: stats.connections,
    blocked: stats.blocked,
    lagMs: stats.expiry_lag_ms,
    keys: stats.keys,
    volatile: stats.keys_with_ttl,
    memory: stats.memory,
    workers: [],
    latency: {},
  };
}

function rates(sample, stats, before, seconds) {
  const rate = (name) => Math.max(0, stats[name] - before[name]) / seconds;
  sample.operations = rate('commands');
  sample.accepted = rate('connections_accepted');
  sample.rejected = rate('connections_rejected');
  sample.expired = rate('expired');
  sample.evicted = rate('evicted');
  sample.input = rate('input_bytes');
  sample.output = rate('output_bytes');
  const hits = stats.hits - before.hits;
  const misses = stats.misses - before.misses;
  sample.hitRatio = hits + misses > 0 ? hits / (hits + misses) : NaN;
  sample.workers = stats.workers.map((worker, at) => {
    const old = before.workers[at] ?? worker;
    return {
      operations: Math.max(0, worker.commands - old.commands) / seconds,
      busy: Math.min(1, Math.max(0, (worker.busy_us - old.busy_us) / 1e6 / seconds)),
      clients: worker.clients,
    };
  });
  for (const [stage] of STAGES) {
    sample.latency[stage] = difference(stats.latency?.[stage], before.latency?.[stage]);
  }
}
