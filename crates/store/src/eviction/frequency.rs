//! How often a key is used, in the 24 bits of an entry's clock: a counter of 8 bits that grows with the logarithm of the accesses and
//! shrinks with time, and the minute of its last decay in 16 bits. <https://redis.io/docs/reference/eviction/#lfu>

/// A new key's count: high enough not to go before it had a chance.
const NEW: u8 = 5;
const COUNT_BITS: u32 = 8;

/// Minutes since 1970, as far as they fit.
pub(super) fn minutes(now_ms: u64) -> u16 {
    (now_ms / 60_000) as u16
}

/// The clock of a new entry.
pub(super) fn new_clock(now_ms: u64) -> u32 {
    clock_of(NEW, now_ms)
}

/// The clock of an entry of this count.
pub(super) fn clock_of(count: u8, now_ms: u64) -> u32 {
    Frequency {
        decayed: minutes(now_ms),
        count,
    }
    .clock()
}

/// See the module's text.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct Frequency {
    /// Minute of the last decay.
    decayed: u16,
    count: u8,
}

impl Frequency {
    /// As an entry's clock holds it.
    pub(super) fn of(clock: u32) -> Frequency {
        Frequency {
            decayed: (clock >> COUNT_BITS) as u16,
            count: clock as u8,
        }
    }

    /// As an entry's clock.
    pub(super) fn clock(self) -> u32 {
        u32::from(self.decayed) << COUNT_BITS | u32::from(self.count)
    }

    /// The count at a minute: one less for every `decay_minutes` since the last decay; 0 of those is no decay.
    pub(super) fn count(self, minutes: u16, decay_minutes: u32) -> u8 {
        let passed = u32::from(minutes.wrapping_sub(self.decayed));
        let periods = passed.checked_div(decay_minutes).unwrap_or(0);
        self.count
            .saturating_sub(u8::try_from(periods).unwrap_or(u8::MAX))
    }

    /// After one more access. The count grows with a probability of 1 in (count - 5) * `log_factor` + 1; `random` is uniform.
    #[must_use]
    pub(super) fn touched(
        self,
        minutes: u16,
        decay_minutes: u32,
        log_factor: u32,
        random: u64,
    ) -> Frequency {
        let count = self.count(minutes, decay_minutes);
        let base = u64::from(count.saturating_sub(NEW));
        let one_in = base * u64::from(log_factor) + 1;
        let grows = count < u8::MAX && random.is_multiple_of(one_in);
        Frequency {
            decayed: minutes,
            count: count + u8::from(grows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frequency, NEW, minutes, new_clock};

    #[test]
    fn counts_grow_with_the_logarithm_and_shrink_with_time() {
        let mut state = 1u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33
        };
        let start = Frequency::of(new_clock(0));
        assert_eq!(start.count(0, 1), NEW);
        let mut frequency = start;
        let mut after = Vec::new();
        for access in 1..=100_000u32 {
            frequency = frequency.touched(0, 1, 10, random());
            if [100, 1_000, 100_000].contains(&access) {
                after.push(frequency.count(0, 1));
            }
        }
        // The table of Redis's documentation for a factor of 10: 10, 18, 142.
        assert!((7..=14).contains(&after[0]), "{after:?}");
        assert!((14..=24).contains(&after[1]), "{after:?}");
        assert!((125..=160).contains(&after[2]), "{after:?}");
        assert_eq!(frequency.count(10, 1), after[2] - 10);
        assert_eq!(frequency.count(10, 5), after[2] - 2);
        assert_eq!(frequency.count(u16::MAX, 1), 0);
        assert_eq!(frequency.count(u16::MAX, 0), after[2], "no decay");
        assert_eq!(Frequency::of(frequency.clock()), frequency);
        assert_eq!(
            minutes(u64::from(u16::MAX) * 60_000 + 60_000),
            0,
            "it wraps"
        );
    }
}
