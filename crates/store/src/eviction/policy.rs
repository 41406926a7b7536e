//! The policies of `maxmemory-policy`, and by how much each wants a key gone.

use crate::entry::Entry;

const CLOCK_MASK: u32 = 0x00ff_ffff;

/// A policy of `maxmemory-policy`.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum Policy {
    /// Nothing is evicted: commands that need memory are refused.
    #[default]
    NoEviction,
    /// The key that was not used for longest.
    AllkeysLru,
    /// The key that is used least often.
    AllkeysLfu,
    /// Any key.
    AllkeysRandom,
    /// As `AllkeysLru`, of the keys with a deadline.
    VolatileLru,
    /// As `AllkeysLfu`, of the keys with a deadline.
    VolatileLfu,
    /// Any key with a deadline.
    VolatileRandom,
    /// The key with the next deadline.
    VolatileTtl,
}

/// By their numbers.
const ALL: [(Policy, &str); 8] = [
    (Policy::NoEviction, "noeviction"),
    (Policy::AllkeysLru, "allkeys-lru"),
    (Policy::AllkeysLfu, "allkeys-lfu"),
    (Policy::AllkeysRandom, "allkeys-random"),
    (Policy::VolatileLru, "volatile-lru"),
    (Policy::VolatileLfu, "volatile-lfu"),
    (Policy::VolatileRandom, "volatile-random"),
    (Policy::VolatileTtl, "volatile-ttl"),
];

impl Policy {
    /// By its name in the configuration.
    pub fn of_name(name: &str) -> Option<Policy> {
        let (policy, _) = ALL.iter().find(|(_, known)| *known == name)?;
        Some(*policy)
    }

    pub(super) fn from_bits(bits: u8) -> Policy {
        ALL.get(usize::from(bits))
            .map_or_else(Policy::default, |(policy, _)| *policy)
    }

    /// Whether only keys with a deadline are evicted.
    pub fn is_volatile(self) -> bool {
        use Policy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
        matches!(
            self,
            VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl
        )
    }

    /// Whether entries count how often they are used instead of when.
    pub fn is_lfu(self) -> bool {
        matches!(self, Policy::AllkeysLfu | Policy::VolatileLfu)
    }

    /// Whether the policy goes by when or how often entries are used.
    pub fn needs_clocks(self) -> bool {
        matches!(self, Policy::AllkeysLru | Policy::VolatileLru) || self.is_lfu()
    }

    /// How much the policy wants an entry gone: more is sooner.
    pub(super) fn merit(self, entry: &Entry, clock: u32, frequency: impl FnOnce() -> u8) -> u64 {
        match self {
            Policy::NoEviction | Policy::AllkeysRandom | Policy::VolatileRandom => 0,
            Policy::AllkeysLru | Policy::VolatileLru => {
                let idle_s = clock.wrapping_sub(entry.clock()) & CLOCK_MASK;
                // Another worker's clock may be a second ahead.
                u64::from(if idle_s > CLOCK_MASK / 2 { 0 } else { idle_s })
            }
            Policy::AllkeysLfu | Policy::VolatileLfu => u64::from(u8::MAX - frequency()),
            Policy::VolatileTtl => u64::MAX - entry.deadline().unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Policy};

    #[test]
    fn numbers_and_names_agree() {
        for (number, (policy, name)) in ALL.iter().enumerate() {
            assert_eq!(*policy as usize, number);
            assert_eq!(Policy::from_bits(number as u8), *policy);
            assert_eq!(Policy::of_name(name), Some(*policy));
            assert_eq!(policy.is_volatile(), name.starts_with("volatile"));
            assert_eq!(policy.is_lfu(), name.ends_with("lfu"));
        }
        assert_eq!(Policy::of_name("lru"), None);
    }
}
