//! Which key comes next: uniform, by Zipf's law, or one after the other.
//!
//! Invariant: every number is below the size of the key space; the same seed gives the same numbers.

use std::f64::consts::E;

/// Ranks whose share is summed up one by one; the rest is integrated, which is exact to some 1e-8 there.
const SUMMED_RANKS: u64 = 1_000_000;

/// A generator of pseudo-random numbers: xoshiro256++ (Blackman and Vigna, 2018).
#[derive(Clone, Debug)]
pub(super) struct Random([u64; 4]);

impl Random {
    /// Seeded by splitmix64, as its authors advise.
    pub(super) fn new(seed: u64) -> Random {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        Random([next(), next(), next(), next()])
    }

    /// 64 bits.
    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Below `n`, which is at least 1.
    #[inline]
    pub(super) fn below(&mut self, n: u64) -> u64 {
        // The high half of the product: for n far below 2^64 the bias is nothing that can be measured.
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// From 0 up to 1.
    #[inline]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The distribution as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Distribution {
    Uniform,
    /// With this exponent, above 0 and below 1: the larger, the more a few keys get.
    Zipf(f64),
    Sequential,
}

/// The exponent of YCSB, with which a fifth of a million keys gets nine tenths of the requests.
pub(super) const DEFAULT_THETA: f64 = 0.99;

impl Distribution {
    /// `uniform`, `zipf`, `zipf:0.8` or `sequential`.
    pub(super) fn parse(text: &str) -> Option<Distribution> {
        match text {
            "uniform" => Some(Distribution::Uniform),
            "sequential" => Some(Distribution::Sequential),
            "zipf" => Some(Distribution::Zipf(DEFAULT_THETA)),
            _ => {
                let theta = text.strip_prefix("zipf:")?.parse().ok()?;
                (theta > 0.0 && theta < 1.0).then_some(Distribution::Zipf(theta))
            }
        }
    }
}

/// Zipf's law by the method of Gray et al. (Quickly Generating Billion-Record Synthetic Databases, 1994): one power a number.
#[derive(Clone, Debug)]
struct Zipf {
    n: f64,
    sum: f64,
    alpha: f64,
    eta: f64,
    second: f64,
}

impl Zipf {
    fn new(n: u64, theta: f64) -> Zipf {
        let sum = harmonic(n, theta);
        Zipf {
            n: n as f64,
            sum,
            alpha: 1.0 / (1.0 - theta),
            eta: (1.0 - (2.0 / n as f64).powf(1.0 - theta)) / (1.0 - harmonic(2, theta) / sum),
            second: 1.0 + 0.5_f64.powf(theta),
        }
    }

    #[inline]
    fn rank(&self, unit: f64) -> u64 {
        let scaled = unit * self.sum;
        if scaled < 1.0 {
            0
        } else if scaled < self.second {
            1
        } else {
            (self.n * (self.eta * unit - self.eta + 1.0).powf(self.alpha)) as u64
        }
    }
}

/// The sum of `1 / i^theta` for `i` from 1 to `n`.
fn harmonic(n: u64, theta: f64) -> f64 {
    let summed: f64 = (1..=n.min(SUMMED_RANKS))
        .map(|i| (i as f64).powf(-theta))
        .sum();
    if n <= SUMMED_RANKS {
        return summed;
    }
    let tail = |x: f64| x.powf(1.0 - theta) / (1.0 - theta);
    // From middle to middle: Euler's formula without its first term.
    summed + tail(n as f64 + 0.5) - tail(SUMMED_RANKS as f64 + 0.5)
}

/// Numbers of keys, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    random: Random,
    space: u64,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Uniform,
    Zipf(Box<Zipf>),
    Sequential { next: u64, step: u64 },
}

impl Keys {
    /// Of a space of `space` keys. Of `parts` generators each takes another part of a sequence, and is seeded differently.
    pub(super) fn new(
        distribution: Distribution,
        space: u64,
        seed: u64,
        part: usize,
        parts: usize,
    ) -> Keys {
        let space = space.max(1);
        Keys {
            random: Random::new(seed ^ (part as u64).wrapping_mul(E.to_bits())),
            space,
            way: match distribution {
                Distribution::Uniform => Way::Uniform,
                // Two keys are no distribution.
                Distribution::Zipf(_) if space <= 2 => Way::Uniform,
                Distribution::Zipf(theta) => Way::Zipf(Box::new(Zipf::new(space, theta))),
                Distribution::Sequential => Way::Sequential {
                    next: part as u64 % space,
                    step: parts as u64,
                },
            },
        }
    }

    /// The next key's number.
    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        match &mut self.way {
            Way::Uniform => self.random.below(self.space),
            Way::Zipf(zipf) => zipf.rank(self.random.unit()).min(self.space - 1),
            Way::Sequential { next, step } => {
                let number = *next;
                *next = (*next + *step) % self.space;
                number
            }
        }
    }

    /// A number below `n` that is no key.
    #[inline]
    pub(super) fn dice(&mut self, n: u64) -> u64 {
        self.random.below(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(distribution: Distribution, space: u64, draws: u64) -> Vec<u64> {
        let mut keys = Keys::new(distribution, space, 7, 0, 1);
        let mut counts = vec![0; space as usize];
        for _ in 0..draws {
            counts[keys.next() as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_draws_are_even_and_sequential_ones_are_exactly_so() {
        let counts_of = |distribution| counts(distribution, 10, 100_000);
        assert!(
            counts_of(Distribution::Uniform)
                .iter()
                .all(|n| (9_500..10_500).contains(n))
        );
        assert!(
            counts_of(Distribution::Sequential)
                .iter()
                .all(|n| *n == 10_000)
        );
        let mut halves: Vec<u64> = Vec::new();
        for part in 0..2 {
            let mut keys = Keys::new(Distribution::Sequential, 10, 0, part, 2);
            halves.extend((0..5).map(|_| keys.next()));
        }
        halves.sort_unstable();
        assert_eq!(halves, (0..10).collect::<Vec<u64>>());
    }

    #[test]
    fn shares_follow_zipfs_law() {
        let theta = 0.8;
        let counts = counts(Distribution::Zipf(theta), 1_000, 1_000_000);
        let sum = harmonic(1_000, theta);
        for rank in [0, 1, 9, 99] {
            let expected = 1e6 / ((rank + 1) as f64).powf(theta) / sum;
            let share = counts[rank] as f64 / expected;
            // The method is an approximation between the first two ranks and the tail.
            assert!(
                (0.8..1.25).contains(&share),
                "rank {rank}: {} of {expected}",
                counts[rank]
            );
        }
        let exact: f64 = (1..=2_000_000_u64).map(|i| (i as f64).powf(-theta)).sum();
        assert!((harmonic(2_000_000, theta) / exact - 1.0).abs() < 1e-6);
    }

    #[test]
    fn distributions_by_name() {
        assert_eq!(
            Distribution::parse("zipf"),
            Some(Distribution::Zipf(DEFAULT_THETA))
        );
        assert_eq!(
            Distribution::parse("zipf:0.5"),
            Some(Distribution::Zipf(0.5))
        );
        assert_eq!(Distribution::parse("zipf:1"), None);
        assert_eq!(Distribution::parse("normal"), None);
    }
}
