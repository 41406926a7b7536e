//! When the bytes came that a turn finds: what waited in the kernel while the loop was busy has waited, and who measures latency must know.
//!
//! A turn that follows a sleep, or a short turn, finds its bytes as they come: the time of the turn is that of their arrival, and nothing is asked.
//! After a turn that took long, the system is asked when the last bytes of each connection came ([`crate::backend::Backend::last_received_ago_us`]);
//! where it can't tell (Unix sockets), or the turn was shorter than its clock's tick, the times are spread evenly over the turn.
//!
//! Invariant: a time told lies between the beginning of the turn before and now. At most one question is asked for each [`US_PER_ASK`] of that turn, so
//! that asking takes no more than a hundredth of the time.

/// Bytes found after a shorter turn count as just arrived.
const LATE_US: u64 = 200;
/// After a turn from this length on the system is asked. Its answers are as fine as its tick, of up to 10 ms.
const ASK_US: u64 = 10_000;
/// So much of the turn before allows one question, which costs about a microsecond.
const US_PER_ASK: u64 = 100;
/// A wait longer than this was for something: what it found came while it waited.
const SLEPT_US: u64 = 50;
/// A part of 2^32 that, added over and over, spreads evenly: the golden section.
const GOLDEN: u32 = 0x9E37_79B9;

/// A time in the past in four bytes, to 32 microseconds. What is longer ago than a day or so seems to be less long ago.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Since(u32);

/// Microseconds by which [`Since`] counts, as a power of two.
const SINCE_SHIFT: u32 = 4;

impl Since {
    /// No time at all.
    pub(crate) const NEVER: Since = Since(0);

    pub(crate) fn of(at_us: u64) -> Since {
        // The next odd number below, which is never 0.
        Since(((at_us >> SINCE_SHIFT) as u32).wrapping_sub(1) | 1)
    }

    /// The time, seen from now.
    pub(crate) fn at_us(self, now_us: u64) -> Option<u64> {
        let ago = ((now_us >> SINCE_SHIFT) as u32).wrapping_sub(self.0);
        (self != Since::NEVER).then(|| now_us.saturating_sub(u64::from(ago) << SINCE_SHIFT))
    }
}

/// What is known of one connection, by its slot: beside the connection itself, so that that stays within three cache lines.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Mark {
    /// Lowest bits of the number of the last turn in which it was sent something.
    pub(crate) answered_turn: u32,
    /// Since when requests may lie unread, or unconsumed, because input was paused or is to be shown again.
    pub(crate) waits_since: Since,
}

/// What a turn knows about the time before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals {
    /// When this turn began.
    began_us: u64,
    /// When the one before did.
    since_us: u64,
    /// When that ended.
    until_us: u64,
    late: bool,
    asks_left: u64,
    spread: u32,
    marks: Vec<Mark>,
}

impl Arrivals {
    /// The loop has waited, and a turn begins.
    #[inline]
    pub(crate) fn begin(&mut self, now_us: u64) {
        self.since_us = std::mem::replace(&mut self.began_us, now_us);
        let took_us = self.until_us.saturating_sub(self.since_us);
        self.late = took_us >= LATE_US;
        self.asks_left = 1 + took_us / US_PER_ASK;
    }

    /// The turn is over; microseconds that it took.
    #[inline]
    pub(crate) fn end(&mut self, now_us: u64) -> u64 {
        self.until_us = now_us;
        now_us.saturating_sub(self.began_us)
    }

    /// The mark of a slot.
    #[inline]
    pub(crate) fn mark(&mut self, index: u32) -> &mut Mark {
        let index = index as usize;
        if self.marks.len() <= index {
            self.marks.resize(index + 1, Mark::default());
        }
        &mut self.marks[index]
    }

    /// Whether bytes found in this turn may have come long ago.
    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.late
    }

    /// The earliest time at which bytes can have come that lay unread since `unread_since_us`, or else since the turn before began.
    pub(crate) fn earliest_us(&self, unread_since_us: Option<u64>) -> u64 {
        let since_us = unread_since_us.unwrap_or(self.since_us);
        since_us.min(self.began_us)
    }

    /// Whether it is worth asking about bytes that came since then, and allowed.
    pub(crate) fn may_ask(&mut self, since_us: u64) -> bool {
        let asks = self.began_us - since_us >= ASK_US && self.asks_left > 0;
        self.asks_left -= u64::from(asks);
        asks
    }

    /// The times of the first and the last bytes of a connection, as far as is known. `ago_us`: the system's answer. `answered`: it was sent
    /// something at the end of the turn before, so that its peer is likely to have waited for that.
    pub(crate) fn times(
        &mut self,
        since_us: u64,
        ago_us: Option<u64>,
        answered: bool,
    ) -> (u64, u64) {
        let now_us = self.began_us;
        let Some(ago_us) = ago_us else {
            return self.guess(since_us, answered);
        };
        let last_us = now_us.saturating_sub(ago_us).clamp(since_us, now_us);
        if answered && last_us + ASK_US >= self.until_us {
            return (now_us, now_us);
        }
        (since_us, last_us)
    }

    fn guess(&mut self, since_us: u64, answered: bool) -> (u64, u64) {
        let now_us = self.began_us;
        if answered || now_us.saturating_sub(self.until_us) > SLEPT_US {
            return (now_us, now_us);
        }
        self.spread = self.spread.wrapping_add(GOLDEN);
        let span_us = self.until_us.clamp(since_us, now_us) - since_us;
        let at_us = since_us + ((u128::from(span_us) * u128::from(self.spread)) >> 32) as u64;
        (at_us, at_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A turn from 1,000,000 for so long, and one that begins right after it.
    fn after(turn_us: u64) -> Arrivals {
        let mut arrivals = Arrivals::default();
        arrivals.begin(1_000_000);
        assert_eq!(arrivals.end(1_000_000 + turn_us), turn_us);
        arrivals.begin(1_000_003 + turn_us);
        arrivals
    }

    #[test]
    fn a_time_in_four_bytes() {
        assert_eq!(Since::NEVER.at_us(5), None);
        for at_us in [1_000_000, 1 << 36, (1 << 36) + 77, 1 << 50] {
            for ago_us in [0, 16, 5_000, 3_600_000_000] {
                let now_us = at_us + ago_us;
                let told = Since::of(at_us).at_us(now_us).expect("a time");
                assert!(
                    told <= at_us && at_us - told < 48,
                    "{at_us} + {ago_us}: {told}"
                );
            }
        }
    }

    #[test]
    fn short_turns_ask_nothing() {
        assert!(!after(LATE_US - 1).is_late());
        let mut late = after(LATE_US);
        assert!(late.is_late());
        let since_us = late.earliest_us(None);
        assert_eq!(since_us, 1_000_000);
        assert!(!late.may_ask(since_us));
    }

    #[test]
    fn questions_are_bounded() {
        let mut late = after(50_000);
        let asked = (0..10_000).filter(|_| {
            let since_us = late.earliest_us(None);
            late.may_ask(since_us)
        });
        assert_eq!(asked.count() as u64, 1 + 50_000 / US_PER_ASK);
    }

    #[test]
    fn answers_are_kept_within_the_turn() {
        let mut late = after(50_000);
        let since_us = late.earliest_us(None);
        let mut last = |ago_us| late.times(since_us, Some(ago_us), false).1;
        assert_eq!(last(20_003), 1_030_000);
        assert_eq!(last(0), 1_050_003);
        assert_eq!(last(900_000), 1_000_000);
    }

    #[test]
    fn who_was_answered_has_asked_anew() {
        let mut late = after(50_000);
        let since_us = late.earliest_us(None);
        let now = (1_050_003, 1_050_003);
        assert_eq!(late.times(since_us, Some(4_000), true), now);
        assert_eq!(late.times(since_us, None, true), now);
        // Unless that can't be: it had come long before the answer.
        let early = late.times(since_us, Some(40_003), true);
        assert_eq!(early, (1_000_000, 1_010_000));
    }

    #[test]
    fn guesses_are_spread_evenly() {
        let mut late = after(8_000);
        let since_us = late.earliest_us(None);
        let mut by_quarter = [0; 4];
        for _ in 0..1_000 {
            let (_, at_us) = late.times(since_us, None, false);
            by_quarter[((at_us - 1_000_000) / 2_000) as usize] += 1;
        }
        assert!(
            by_quarter.iter().all(|n| (240..=260).contains(n)),
            "{by_quarter:?}"
        );
    }

    #[test]
    fn what_ends_a_sleep_has_just_come() {
        let mut arrivals = Arrivals::default();
        arrivals.begin(1_000_000);
        arrivals.end(1_005_000);
        arrivals.begin(1_105_000);
        let since_us = arrivals.earliest_us(None);
        assert_eq!(
            arrivals.times(since_us, None, false),
            (1_105_000, 1_105_000)
        );
    }
}
