//! What the in-memory network does to its connections, as a set of named knobs.
//!
//! Invariant: which connection is struck, where and when is drawn from the network's seed; a knob only says how often and how hard. The
//! default is a network that splits and hesitates but loses nothing and takes no time.

use std::ops::RangeInclusive;

use super::rng::Rng;

/// Bytes that fit into one direction of a connection, unless the test says otherwise.
const WINDOW_BYTES: usize = 64 * 1024;

/// The knobs. Those about one connection are drawn when it begins; changed ones hold for later connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Bytes arrive in any pieces, now and then a turn late; writes are cut short although there is room; events come in any order.
    pub splitting: bool,
    /// Bytes that fit into one direction of a connection, those on the way included. At least 1.
    pub window_bytes: RangeInclusive<usize>,
    /// Time from the side that connects to the side that accepts.
    pub latency_up_us: RangeInclusive<u64>,
    /// Time the other way.
    pub latency_down_us: RangeInclusive<u64>,
    /// How much longer a piece may take than its connection's latency. Pieces of one connection stay in order.
    pub jitter_us_max: u64,
    /// One connection in so many is reset for both sides; 0: none. The bytes on the way are lost or not.
    pub reset_one_in: usize,
    /// One connection in so many is cut: from then on nothing arrives in either direction, and nobody is told; 0: none.
    pub cut_one_in: usize,
    /// Such a connection is struck when it has carried so many bytes at most, both directions together ...
    pub strike_bytes_max: u64,
    /// ... or, half of them, after so much time at most.
    pub strike_after_us_max: u64,
    /// How long an end sends into a cut connection until it is told: that the time is over, or that the peer knows nothing of it.
    pub give_up_us: RangeInclusive<u64>,
    /// One accept call in so many fails for a moment, or because the process is out of descriptors; 0: none.
    pub accept_failure_one_in: usize,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            splitting: true,
            ..Faults::calm()
        }
    }
}

impl Faults {
    /// Nothing happens: bytes arrive whole and at once, writes are cut only by full buffers.
    #[must_use]
    pub fn calm() -> Faults {
        Faults {
            splitting: false,
            window_bytes: WINDOW_BYTES..=WINDOW_BYTES,
            latency_up_us: 0..=0,
            latency_down_us: 0..=0,
            jitter_us_max: 0,
            reset_one_in: 0,
            cut_one_in: 0,
            strike_bytes_max: 4_096,
            strike_after_us_max: 1_000_000,
            give_up_us: 15_000_000..=15_000_000,
            accept_failure_one_in: 0,
        }
    }

    /// Some of everything, how much of each drawn from `seed`. Each knob is off for some seeds, so that they are seen without each other.
    #[must_use]
    pub fn random(seed: u64) -> Faults {
        let mut rng = Rng::new(seed ^ 0xFA17_5EED);
        let window_max = 1 << (4 + rng.below(13));
        let latency = |rng: &mut Rng| {
            let max = [0, 300, 5_000, 80_000][rng.below(4)];
            max / 4..=max
        };
        let one_in = |rng: &mut Rng| [0, 2, 4, 10][rng.below(4)];
        Faults {
            splitting: !rng.one_in(8),
            window_bytes: (window_max / 8).max(1)..=window_max,
            latency_up_us: latency(&mut rng),
            latency_down_us: latency(&mut rng),
            jitter_us_max: [0, 200, 20_000][rng.below(3)],
            reset_one_in: one_in(&mut rng),
            cut_one_in: one_in(&mut rng),
            strike_bytes_max: 1 << (3 + rng.below(12)),
            strike_after_us_max: 1_000 << rng.below(11),
            give_up_us: 1_000..=1_000 << (1 + rng.below(14)),
            accept_failure_one_in: [0, 0, 3, 8][rng.below(4)],
        }
    }
}
