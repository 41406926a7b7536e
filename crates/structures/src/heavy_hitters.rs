//! The most frequent of many things, in bounded memory: a count-min sketch with the heads of the ranking by name.
//!
//! Invariant: an estimate is never below what was counted since the last halvings; it is above by at most a share of all
//! counts that shrinks with the width. Names are kept only for the heads, of which there are at most [`HEADS_MAX`].
//! Source: G. Cormode, S. Muthukrishnan, "An improved data stream summary: the count-min sketch and its applications" (2005);
//! the update is the conservative one of C. Estan and G. Varghese (2002).

/// Rows of the sketch: the chance that all of them collide falls with each.
const ROWS: usize = 4;
/// Counters in a row, a power of two. The usual error is all counts divided by it.
const WIDTH: usize = 2_048;
const WIDTH_BITS: u32 = WIDTH.trailing_zeros();
/// Heads that are kept by name.
pub const HEADS_MAX: usize = 64;
/// A longer name is counted, but never becomes a head: heads must stay small.
pub const NAME_BYTES_MAX: usize = 1_024;
/// Odd numbers that make one hash into a hash for each row.
const ROW_FACTORS: [u64; ROWS] = [
    0x9e37_79b9_7f4a_7c15,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x27d4_eb2f_1656_67c5,
];

/// One of the most frequent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub name: Box<[u8]>,
    /// The space that the name is of, e.g. the number of a database.
    pub space: u32,
    /// How often it was counted, about.
    pub count: u32,
}

/// See the module's text. 32 KiB and the heads.
pub struct HeavyHitters {
    rows: Box<[[u32; WIDTH]; ROWS]>,
    /// Hashes of the heads, in the same order.
    hashes: Vec<u64>,
    heads: Vec<Head>,
    total: u64,
}

impl Default for HeavyHitters {
    fn default() -> HeavyHitters {
        let rows = vec![[0; WIDTH]; ROWS].into_boxed_slice();
        HeavyHitters {
            rows: rows.try_into().expect("made with so many rows"),
            hashes: Vec::new(),
            heads: Vec::new(),
            total: 0,
        }
    }
}

impl HeavyHitters {
    /// Counts something `times` times. `hash` must be the same for the same name in the same space, and hard to foresee for
    /// those who choose names. O(rows + heads).
    pub fn add(&mut self, hash: u64, space: u32, name: &[u8], times: u32) {
        self.total += u64::from(times);
        let cells =
            ROW_FACTORS.map(|factor| (hash.wrapping_mul(factor) >> (64 - WIDTH_BITS)) as usize);
        let rows = &mut *self.rows;
        let least = (0..ROWS).map(|row| rows[row][cells[row]]).min();
        let count = least.unwrap_or(0).saturating_add(times);
        for (row, cell) in rows.iter_mut().zip(cells) {
            row[cell] = row[cell].max(count);
        }
        if let Some(at) = self.hashes.iter().position(|&known| known == hash) {
            self.heads[at].count = count;
        } else if name.len() <= NAME_BYTES_MAX {
            self.enter(hash, space, name, count);
        }
    }

    /// Makes something a head if it is more frequent than the last of them.
    fn enter(&mut self, hash: u64, space: u32, name: &[u8], count: u32) {
        let head = || Head {
            name: name.into(),
            space,
            count,
        };
        if self.heads.len() < HEADS_MAX {
            self.hashes.push(hash);
            self.heads.push(head());
            return;
        }
        let last = (0..self.heads.len()).min_by_key(|&at| self.heads[at].count);
        if let Some(at) = last.filter(|&at| self.heads[at].count < count) {
            (self.hashes[at], self.heads[at]) = (hash, head());
        }
    }

    /// Halves every count, so that what was frequent long ago fades. O(size of the sketch), some microseconds.
    pub fn halve(&mut self) {
        self.rows
            .as_flattened_mut()
            .iter_mut()
            .for_each(|n| *n /= 2);
        self.total /= 2;
        let mut hashes = self.hashes.iter().copied();
        let mut kept = Vec::with_capacity(self.hashes.len());
        self.heads.retain_mut(|head| {
            head.count /= 2;
            let hash = hashes.next().expect("one for each head");
            if head.count > 0 {
                kept.push(hash);
            }
            head.count > 0
        });
        self.hashes = kept;
    }

    /// The heads, in no order.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// How often anything was counted, with the same halvings.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADS_MAX, HeavyHitters, NAME_BYTES_MAX};

    /// A hash that is as good as any for numbers in a row.
    fn hash(number: u64) -> u64 {
        let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
    }

    fn count_of(hitters: &HeavyHitters, name: u64) -> Option<u32> {
        let mut heads = hitters.heads().iter();
        let head = heads.find(|head| *head.name == name.to_le_bytes());
        head.map(|head| head.count)
    }

    #[test]
    fn a_few_hot_among_many_cold() {
        let mut hitters = HeavyHitters::default();
        // 20 hot names, each 500 times, among 100,000 that come once.
        for turn in 0..100_000_u64 {
            let cold = 1_000 + turn;
            hitters.add(hash(cold), 0, &cold.to_le_bytes(), 1);
            if turn % 10 == 0 {
                let hot = turn / 10 % 20;
                hitters.add(hash(hot), 0, &hot.to_le_bytes(), 1);
            }
        }
        assert_eq!(hitters.total(), 110_000);
        assert_eq!(hitters.heads().len(), HEADS_MAX);
        for hot in 0..20 {
            let count = count_of(&hitters, hot).expect("a head");
            assert!((500..600).contains(&count), "{hot}: {count}");
        }
    }

    #[test]
    fn who_was_hot_fades() {
        let mut hitters = HeavyHitters::default();
        hitters.add(hash(1), 0, &1_u64.to_le_bytes(), 40);
        hitters.halve();
        assert_eq!(count_of(&hitters, 1), Some(20));
        hitters.add(hash(1), 0, &1_u64.to_le_bytes(), 1);
        assert_eq!(count_of(&hitters, 1), Some(21));
        for _ in 0..5 {
            hitters.halve();
        }
        assert_eq!((hitters.heads().len(), hitters.total()), (0, 0));
    }

    #[test]
    fn a_name_of_any_length_is_not_kept() {
        let mut hitters = HeavyHitters::default();
        hitters.add(7, 0, &[b'x'; NAME_BYTES_MAX + 1], 1_000);
        hitters.add(9, 3, &[b'x'; NAME_BYTES_MAX], 1);
        assert_eq!(hitters.heads().len(), 1);
        assert_eq!((hitters.heads()[0].space, hitters.total()), (3, 1_001));
    }
}
