//! How long to wait before something that failed is tried again.
//!
//! Invariant: it reads no clock and does no I/O; the same seed gives the same waits. No wait is longer than
//! [`RetryLimits::wait_max_ms`], and none but the quick ones is shorter than half of [`RetryLimits::wait_ms`], so what is
//! down is never hammered on. The waits are spread at random (each lies between one half and the whole of its bound), so that
//! a thousand clients that lost one server do not come back in the same millisecond.

/// When a connection is tried again. Every field is a limit, with its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryLimits {
    /// How long one attempt may take.
    pub connect_ms: u64,
    /// Retries in a row that wait [`RetryLimits::quick_wait_ms`] only: for a server that just restarts.
    pub quick_retries: u32,
    /// The longest wait before a quick retry.
    pub quick_wait_ms: u64,
    /// The longest wait before the first retry that is not quick; each later one waits up to twice as long as the one before.
    pub wait_ms: u64,
    /// The longest wait of all.
    pub wait_max_ms: u64,
    /// A connection that stood this long was a success, and the next loss starts anew with the quick retries. One that was lost
    /// earlier counts as one more failure: a server that accepts and hangs up is as good as none.
    pub steady_ms: u64,
}

impl Default for RetryLimits {
    fn default() -> RetryLimits {
        RetryLimits {
            connect_ms: 2_000,
            quick_retries: 3,
            quick_wait_ms: 50,
            wait_ms: 200,
            wait_max_ms: 30_000,
            steady_ms: 5_000,
        }
    }
}

/// Counts failures in a row, and says how long to wait after each.
///
/// ```
/// use dunlin_reactor::{Backoff, RetryLimits};
///
/// let mut backoff = Backoff::new(RetryLimits::default(), 42);
/// let waits_ms: Vec<u64> = (0..20).map(|_| backoff.fail()).collect();
/// assert!(waits_ms[..3].iter().all(|wait| *wait <= 50));
/// assert!((100..=200).contains(&waits_ms[3]) && (200..=400).contains(&waits_ms[4]));
/// assert!((15_000..=30_000).contains(&waits_ms[19]));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    limits: RetryLimits,
    failures: u32,
    /// SplitMix64's, see [`Backoff::random`].
    state: u64,
}

impl Backoff {
    /// No failure yet. Clients that may lose the same server should have different seeds.
    #[must_use]
    pub fn new(limits: RetryLimits, seed: u64) -> Backoff {
        Backoff {
            limits,
            failures: 0,
            state: seed,
        }
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &RetryLimits {
        &self.limits
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts one more failure; how long to wait before the next try, in ms.
    pub fn fail(&mut self) -> u64 {
        let bound_ms = self.bound_ms();
        self.failures = self.failures.saturating_add(1);
        let least_ms = bound_ms / 2;
        least_ms + self.random() % (bound_ms - least_ms + 1)
    }

    /// It succeeded: forgets all failures.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// The longest wait behind the failure that comes now.
    fn bound_ms(&self) -> u64 {
        let limits = &self.limits;
        if self.failures < limits.quick_retries {
            return limits.quick_wait_ms.min(limits.wait_max_ms);
        }
        let doublings = self.failures - limits.quick_retries;
        let factor = 1u64.checked_shl(doublings).unwrap_or(u64::MAX);
        limits
            .wait_ms
            .saturating_mul(factor)
            .min(limits.wait_max_ms)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_capped_for_ever() {
        for seed in 0..100 {
            let limits = RetryLimits::default();
            let mut backoff = Backoff::new(limits.clone(), seed);
            let mut bound_ms = limits.wait_ms;
            for n in 0..1_000 {
                let wait_ms = backoff.fail();
                if n < limits.quick_retries {
                    assert!((25..=50).contains(&wait_ms), "{wait_ms}");
                } else {
                    assert!(
                        (bound_ms / 2..=bound_ms).contains(&wait_ms),
                        "{n}: {wait_ms}"
                    );
                    bound_ms = (bound_ms * 2).min(limits.wait_max_ms);
                }
            }
            backoff.failures = u32::MAX;
            assert!(backoff.fail() >= limits.wait_max_ms / 2);
            backoff.succeed();
            assert!(backoff.fail() <= limits.quick_wait_ms);
        }
    }

    #[test]
    fn waits_follow_from_the_seed_and_are_spread() {
        let waits = |seed| {
            let mut backoff = Backoff::new(RetryLimits::default(), seed);
            (0..12).map(|_| backoff.fail()).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        let mut tenths: Vec<u64> = (0..100).map(|seed| waits(seed)[9]).collect();
        tenths.sort_unstable();
        tenths.dedup();
        assert!(tenths.len() > 90, "only {} different waits", tenths.len());
    }

    #[test]
    fn limits_of_zero_wait_not_at_all() {
        let limits = RetryLimits {
            quick_wait_ms: 0,
            wait_ms: 0,
            ..RetryLimits::default()
        };
        let mut backoff = Backoff::new(limits, 1);
        assert_eq!((0..10).map(|_| backoff.fail()).max(), Some(0));
    }
}
