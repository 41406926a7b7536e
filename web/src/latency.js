// Histograms: differences, percentiles, and rows for a heat map. Pure.

export const STAGES = [
  ['total', 'Total'],
  ['queue', 'Queue'],
  ['execute', 'Execute'],
  ['log_wait', 'Log wait'],
  ['flush', 'Flush'],
];

/// What came to each bucket between two readings; null when the buckets are others, or when a counter went back.
export function difference(now, before) {
  if (!now || !before || now.length !== before.length) return null;
  const counts = new Float32Array(now.length);
  for (let at = 0; at < now.length; at += 1) {
    if (now[at] < before[at]) return null;
    counts[at] = now[at] - before[at];
  }
  return counts;
}

/// The value, in the bounds' unit, below which this share of the counts lies; within a bucket by a straight line. NaN of nothing.
export function percentile(counts, bounds, share) {
  let all = 0;
  for (const count of counts) all += count;
  if (all === 0) return NaN;
  let rest = share * all;
  for (let at = 0; at < counts.length; at += 1) {
    if (counts[at] > 0 && rest <= counts[at]) {
      const low = at === 0 ? 0 : bounds[at - 1];
      // The last bucket has no upper end: its lower one is all that is known.
      const high = at < bounds.length ? bounds[at] : low;
      return low + (high - low) * (rest / counts[at]);
    }
    rest -= counts[at];
  }
  return bounds[bounds.length - 1];
}

/// The first and the last bucket that any of these histograms uses, or null.
export function used(histograms) {
  let low = Infinity;
  let high = -1;
  for (const counts of histograms) {
    if (!counts) continue;
    for (let at = 0; at < counts.length; at += 1) {
      if (counts[at] > 0) {
        if (at < low) low = at;
        if (at > high) high = at;
      }
    }
  }
  return high < 0 ? null : [low, high];
}
