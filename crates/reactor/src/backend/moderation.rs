//! Whether a wait for events is worth a pause that lets several gather: what network cards call interrupt moderation.
//!
//! A loop that sleeps and wakes for each connection or two spends more on that than on them. Where many connections take turns, a pause
//! of some 20 us gathers several. Where few do, each waits for its reply before it sends again, and a pause only holds all of them up: with
//! three or four connections it cost a third to a half of the throughput, with 16 it gained nothing, from 24 on it did. So those that send
//! are counted. And where a turn has much input, its work is long beside what a wake-up costs: more has gathered by its end, and a loop
//! that paused for more would only leave its processor idle.

use std::mem;

use crate::buffer::BUFFER_BYTES;

/// From so many connections on a loop is busy.
const ACTIVE_MIN: u32 = 20;

/// So many bytes of input are work enough for a turn.
const WORK_BYTES: usize = BUFFER_BYTES;

/// Arrivals among which they are counted.
const WINDOW: u32 = 128;

/// Words of the bitmap: connections whose places differ by a multiple of its 256 bits count once.
const WORDS: usize = 4;

/// Counts the connections that send.
#[derive(Default, Debug)]
pub(super) struct Moderation {
    /// Those of this window, by place.
    seen: [u64; WORDS],
    /// The window's arrivals so far.
    arrivals: u32,
    /// Whether the window before had enough of them.
    busy: bool,
    /// Bytes that came since the last wait.
    bytes: usize,
}

impl Moderation {
    /// Input of the connection at `place` has arrived. A place is small and used again, so places tell connections apart.
    #[inline]
    pub(super) fn arrived(&mut self, place: u32) {
        self.seen[(place / u64::BITS) as usize % WORDS] |= 1 << (place % u64::BITS);
        self.arrivals += 1;
        if self.arrivals == WINDOW {
            let active: u32 = self.seen.iter().map(|word| word.count_ones()).sum();
            *self = Moderation {
                busy: active >= ACTIVE_MIN,
                bytes: self.bytes,
                ..Moderation::default()
            };
        }
    }

    /// So many bytes have been received.
    #[inline]
    pub(super) fn received(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Before a wait: whether many connections take turns, and the last turn was short, so that a pause is worth while.
    #[inline]
    pub(super) fn pauses(&mut self) -> bool {
        mem::take(&mut self.bytes) < WORK_BYTES && self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy_with(places: impl Iterator<Item = u32> + Clone, arrivals: u32) -> bool {
        let mut moderation = Moderation::default();
        let arriving = places.cycle().take(arrivals as usize);
        arriving.for_each(|place| moderation.arrived(place));
        moderation.pauses()
    }

    #[test]
    fn many_connections_that_take_turns_are_worth_a_pause() {
        assert!(busy_with(0..ACTIVE_MIN, WINDOW));
        assert!(busy_with(1_000..1_050, WINDOW), "whatever their places");
        assert!(
            !busy_with(0..ACTIVE_MIN, WINDOW - 1),
            "not before they were counted"
        );
    }

    #[test]
    fn few_connections_are_not_however_much_they_send() {
        assert!(!busy_with(0..1, 100 * WINDOW));
        assert!(!busy_with(0..ACTIVE_MIN - 1, 100 * WINDOW));
    }

    #[test]
    fn what_was_busy_is_counted_again() {
        let mut moderation = Moderation::default();
        (0..WINDOW).for_each(|place| moderation.arrived(place));
        assert!(moderation.pauses());
        (0..WINDOW).for_each(|_| moderation.arrived(7));
        assert!(!moderation.pauses());
    }

    #[test]
    fn much_input_is_work_enough() {
        let mut moderation = Moderation::default();
        moderation.received(WORK_BYTES - 1);
        // The window ends, and what has come meanwhile still counts.
        (0..WINDOW).for_each(|place| moderation.arrived(place));
        moderation.received(1);
        assert!(!moderation.pauses());
        assert!(moderation.pauses(), "nothing has come since");
    }
}
