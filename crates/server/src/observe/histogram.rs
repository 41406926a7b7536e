//! A histogram of how long the calls of one command took: sixteen buckets for each doubling, so that a value is shown at
//! most a sixteenth too high. 4 KB, whatever it counts.
//!
//! Invariant: one worker writes it; everybody may read.

use dunlin_store::Counter;

/// Buckets for each doubling.
const PER_OCTAVE: usize = 16;
/// Values from here on (about a minute, nanoseconds) are counted as the largest below.
const LIMIT_NS: u64 = 1 << 36;
/// Buckets in all.
const BUCKETS: usize = bucket_of(LIMIT_NS - 1) + 1;
/// LATENCY HISTOGRAM's first boundary, nanoseconds; the others are its doublings.
const FIRST_BOUNDARY_NS: u64 = 1_024;

/// The bucket of a value below [`LIMIT_NS`].
const fn bucket_of(ns: u64) -> usize {
    if ns < PER_OCTAVE as u64 {
        return ns as usize;
    }
    let shift = ns.ilog2() - PER_OCTAVE.ilog2();
    (shift as usize) * PER_OCTAVE + (ns >> shift) as usize
}

/// The smallest value of a bucket.
const fn lowest_of(bucket: usize) -> u64 {
    if bucket < PER_OCTAVE {
        return bucket as u64;
    }
    let shift = bucket / PER_OCTAVE - 1;
    ((bucket % PER_OCTAVE + PER_OCTAVE) as u64) << shift
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Histogram {
    counts: [Counter; BUCKETS],
    sum_ns: Counter,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            counts: std::array::from_fn(|_| Counter::default()),
            sum_ns: Counter::default(),
        }
    }
}

impl Histogram {
    /// Counts so many calls of this length.
    #[inline]
    pub(super) fn record(&self, ns: u64, calls: u64) {
        self.counts[bucket_of(ns.min(LIMIT_NS - 1))].add(calls);
        self.sum_ns.add(ns.saturating_mul(calls));
    }
}

/// Sums of histograms.
#[derive(Clone, Debug)]
pub struct Distribution {
    counts: Box<[u64; BUCKETS]>,
    sum_ns: u64,
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution {
            counts: Box::new([0; BUCKETS]),
            sum_ns: 0,
        }
    }
}

impl Distribution {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, count) in self.counts.iter_mut().zip(&histogram.counts) {
            *sum += count.value();
        }
        self.sum_ns += histogram.sum_ns.value();
    }

    /// Adds another one, of a command shown under the same name.
    pub fn merge(&mut self, other: &Distribution) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts.iter()) {
            *sum += count;
        }
        self.sum_ns += other.sum_ns;
    }

    pub(super) fn subtract(&mut self, before: &Distribution) {
        for (sum, count) in self.counts.iter_mut().zip(before.counts.iter()) {
            *sum = sum.saturating_sub(*count);
        }
        self.sum_ns = self.sum_ns.saturating_sub(before.sum_ns);
    }

    /// Nanoseconds of all calls together.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// How many calls took no longer than each of these boundaries (nanoseconds, rising), as far as the buckets tell: a bucket that lies across a
    /// boundary is counted above it. Behind them stands the number of all.
    pub fn up_to_ns(&self, boundaries: &[u64]) -> Vec<u64> {
        let (mut counts, mut seen, mut bucket) = (Vec::with_capacity(boundaries.len() + 1), 0, 0);
        for boundary_ns in boundaries {
            while bucket < BUCKETS && lowest_of(bucket + 1) <= boundary_ns + 1 {
                seen += self.counts[bucket];
                bucket += 1;
            }
            counts.push(seen);
        }
        counts.push(self.calls());
        counts
    }

    /// Calls counted.
    pub fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Nanoseconds that `percent` of the calls did not exceed: the largest value of the bucket in which that call is, of
    /// 0 % the smallest.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let calls = self.calls();
        let rank = ((percent / 100.0 * calls as f64 + 0.5) as u64).clamp(1, calls.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return if percent == 0.0 {
                    lowest_of(bucket)
                } else {
                    lowest_of(bucket + 1) - 1
                };
            }
        }
        0
    }

    /// Boundaries in microseconds, each about double the one before, and how many calls stayed below; without the
    /// boundaries that add nothing.
    pub fn cumulative_us(&self) -> Vec<(u64, u64)> {
        let calls = self.calls();
        let (mut steps, mut seen, mut bucket) = (Vec::new(), 0, 0);
        let mut boundary_ns = FIRST_BOUNDARY_NS;
        while seen < calls {
            let before = seen;
            while bucket < BUCKETS && lowest_of(bucket) < boundary_ns {
                seen += self.counts[bucket];
                bucket += 1;
            }
            if seen > before {
                // Redis's histogram names a boundary by the end of its own bucket, a 128th further on.
                steps.push(((boundary_ns + boundary_ns / 128 - 1) / 1_000, seen));
            }
            boundary_ns *= 2;
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other() {
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(lowest_of(bucket)), bucket);
            assert_eq!(bucket_of(lowest_of(bucket + 1) - 1), bucket);
        }
        assert_eq!(lowest_of(BUCKETS), LIMIT_NS);
    }

    fn of(values: &[u64]) -> Distribution {
        let histogram = Histogram::default();
        values.iter().for_each(|ns| histogram.record(*ns, 1));
        let mut sum = Distribution::default();
        sum.add(&histogram);
        sum
    }

    #[test]
    fn percentiles_are_at_most_a_sixteenth_too_high() {
        let values: Vec<u64> = (1..=1_000).map(|n| n * 1_000).collect();
        let sum = of(&values);
        assert_eq!(sum.calls(), 1_000);
        for percent in [0.1, 1.0, 50.0, 99.0, 99.9, 100.0] {
            let exact = (percent * 10.0) as u64 * 1_000;
            let shown = sum.percentile_ns(percent);
            assert!(
                (exact..=exact + exact / 16 + 1).contains(&shown),
                "{percent}: {shown}"
            );
        }
        assert!((938..=1_000).contains(&sum.percentile_ns(0.0)));
        assert_eq!(of(&[]).percentile_ns(50.0), 0);
        assert_eq!(of(&[u64::MAX]).percentile_ns(50.0), LIMIT_NS - 1);
    }

    #[test]
    fn boundaries_are_those_of_redis() {
        assert_eq!(of(&[]).cumulative_us(), []);
        assert_eq!(
            of(&[0, 1_000, 1_500, 20_000, 40_000, 900_000, 2_000_000_000]).cumulative_us(),
            [(1, 2), (2, 3), (33, 4), (66, 5), (1_056, 6), (2_164_260, 7)]
        );
    }

    #[test]
    fn counts_up_to_boundaries() {
        let sum = of(&[1, 1_000, 1_023, 1_025, 5_000_000, u64::MAX]);
        assert_eq!(sum.up_to_ns(&[1_024, 2_048, 1 << 33]), [3, 4, 5, 6]);
        assert_eq!(sum.up_to_ns(&[]), [6]);
        assert_eq!(of(&[2_000, 3_000]).sum_ns(), 5_000);
    }

    proptest::proptest! {
        #[test]
        fn any_percentile_is_at_most_a_sixteenth_too_high(
            mut values in proptest::collection::vec(1..LIMIT_NS, 1..200),
            percent in 0.1..100.0f64,
        ) {
            let shown = of(&values).percentile_ns(percent);
            values.sort_unstable();
            let rank = (percent / 100.0 * values.len() as f64 + 0.5) as usize;
            let exact = values[rank.clamp(1, values.len()) - 1];
            proptest::prop_assert!(shown >= exact && shown - exact <= exact / 16, "{shown} for {exact}");
        }
    }

    #[test]
    fn a_reset_is_a_subtraction() {
        let mut now = of(&[1, 5, 5]);
        now.subtract(&of(&[5]));
        assert_eq!((now.calls(), now.percentile_ns(100.0)), (2, 5));
        now.merge(&of(&[7]));
        assert_eq!((now.calls(), now.percentile_ns(100.0)), (3, 7));
    }
}
