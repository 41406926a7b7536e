//! Segments: 1 to 64 buckets in one allocation, and the 64-bit word by which the directory names one.
//!
//! ```text
//! word     | 0 | 0 | count 9 | depth 5 | address 48, of which the low 6 bits, being 0, hold buckets - 1 |
//! memory   a word of 8 bytes for each bucket, then a row of 56 bytes for each
//! ```
//!
//! The buckets' words lie together, eight to a cache line: a table of a million entries has little more than a megabyte of them. So a key
//! that is not there costs a line that is likely in the cache, and who looks for room in other buckets finds their words
//! beside each other. What that and the ladder are worth is in ARCHITECTURE.md, Memory.
//!
//! The count stands only in the segment's first directory slot; elsewhere it is stale and must not be read.
//!
//! An entry lies in its home bucket or in its other bucket, which follows from home and fingerprint. If both are full, one of
//! their entries that has room in its own other bucket moves there: segments get 93 % full and more before one insertion
//! fails, with a sixth of the entries away from home then (measured; first-fit over three neighbours fails at 70 %).
//! Numbers of buckets climb a ladder, every step of which is a size class of jemalloc. A segment that grows takes two steps per doubling:
//! with more, entries take less memory and insertions copy more of them. A segment whose entries are known, having shrunk or being made for them, may stand between those steps.
//!
//! **Invariant.** Every entry is in one of its two buckets, and its home counts it if it is away.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use super::bucket::{Bucket, Row, SLOTS, same_class};
use super::handle::Tagged;
use super::position::Shape;
use crate::epoch::Retired;
use crate::prefetch;

/// Most buckets in a segment: 4096 bytes.
pub(super) const BUCKETS_MAX: usize = 64;

/// A word and a row.
const BUCKET_BYTES: usize = size_of::<AtomicU64>() + size_of::<Row>();

/// A cache line, and enough zeros at the end of an address for the number of buckets.
const ALIGN_BYTES: usize = 64;

const ADDRESS_MASK: u64 = ((1 << 48) - 1) & !(BUCKETS_MAX as u64 - 1);
pub(super) const DEPTH_SHIFT: u32 = 48;
const DEPTH_MASK: u64 = 31;
const COUNT_SHIFT: u32 = 53;
const COUNT_MASK: u64 = 511;

const _: () = assert!(BUCKETS_MAX * SLOTS <= COUNT_MASK as usize);
const _: () = assert!(ALIGN_BYTES == BUCKETS_MAX);
const _: () = assert!(align_of::<Row>() <= align_of::<AtomicU64>());

/// Steps of the ladder for each doubling, for a segment that grows ...
const STEPS_GROWING: usize = 2;
/// ... and for one whose number of entries is known.
const STEPS_FITTING: usize = 4;

/// The next step of a ladder: with two for each doubling 1, 2, 3, 4, 6, 8, .. 32, 48, 64.
const fn next_step(buckets: usize, steps: usize) -> usize {
    let step = (1 << buckets.ilog2()) / steps;
    let step = if step == 0 { 1 } else { step };
    (buckets / step + 1) * step
}

/// What a segment of so many buckets grows to.
pub(super) const fn next_size(buckets: usize) -> usize {
    next_step(buckets, STEPS_GROWING)
}

/// The smallest size at which `count` entries, and no more soon, are a load of at most `percent`; at most
/// [`BUCKETS_MAX`].
pub(super) fn fitting_size(count: usize, percent: usize) -> usize {
    size_for(count, percent, STEPS_FITTING)
}

/// The same for a segment that grows.
pub(super) fn growing_size(count: usize, percent: usize) -> usize {
    size_for(count, percent, STEPS_GROWING)
}

fn size_for(count: usize, percent: usize, steps: usize) -> usize {
    let mut buckets = 1;
    while buckets < BUCKETS_MAX && buckets * SLOTS * percent < count * 100 {
        buckets = next_step(buckets, steps);
    }
    buckets
}

/// The word of a segment. Copying it copies no segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment(pub(super) u64);

impl Segment {
    /// The word of no segment.
    pub(super) const NONE: Segment = Segment(0);

    /// Makes an empty segment.
    pub(super) fn allocate(shape: Shape) -> Self {
        let layout = Self::layout(shape.buckets);
        // SAFETY: the layout is not empty.
        let block = unsafe { alloc_zeroed(layout) };
        let Some(block) = NonNull::new(block) else {
            handle_alloc_error(layout);
        };
        let address = block.as_ptr().expose_provenance() as u64;
        assert_eq!(address & !ADDRESS_MASK, 0, "segment beyond 48 bits");
        Segment(address | u64::from(shape.depth) << DEPTH_SHIFT | (shape.buckets as u64 - 1))
    }

    fn layout(buckets: usize) -> Layout {
        Layout::from_size_align(buckets * BUCKET_BYTES, ALIGN_BYTES)
            .expect("64 buckets are a small array")
    }

    #[inline]
    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) fn shape(self) -> Shape {
        Shape {
            depth: self.depth(),
            buckets: (self.0 as usize & (BUCKETS_MAX - 1)) + 1,
        }
    }

    #[inline]
    pub(super) fn depth(self) -> u32 {
        (self.0 >> DEPTH_SHIFT & DEPTH_MASK) as u32
    }

    /// Number of entries; of the word in the first slot only.
    #[inline]
    pub(super) fn count(self) -> usize {
        (self.0 >> COUNT_SHIFT & COUNT_MASK) as usize
    }

    #[inline]
    pub(super) fn with_count(self, count: usize) -> Self {
        debug_assert!(count <= BUCKETS_MAX * SLOTS);
        Segment(self.0 & !(COUNT_MASK << COUNT_SHIFT) | (count as u64) << COUNT_SHIFT)
    }

    pub(super) fn bytes(self) -> usize {
        self.shape().buckets * BUCKET_BYTES
    }

    #[inline]
    fn base(self) -> *mut AtomicU64 {
        ptr::with_exposed_provenance_mut((self.0 & ADDRESS_MASK) as usize)
    }

    /// Its buckets.
    ///
    /// # Safety
    /// The word is not `NONE`, and the segment is not freed for `'a`.
    #[inline]
    pub(super) unsafe fn view<'a>(self) -> View<'a> {
        let shape = self.shape();
        let words = self.base().cast_const();
        // SAFETY: allocated with room for so many words and, behind them, as many rows, which need no stricter alignment; zeroed, which are
        // valid empty buckets; shared access is by atomics.
        let (words, rows) = unsafe {
            let rows = words.add(shape.buckets).cast::<Row>();
            (
                std::slice::from_raw_parts(words, shape.buckets),
                std::slice::from_raw_parts(rows, shape.buckets),
            )
        };
        View { shape, words, rows }
    }

    /// Hands the memory over.
    ///
    /// # Safety
    /// The word is not `NONE`, no directory names the segment any more, and its entries are elsewhere.
    pub(super) unsafe fn retire(self) -> Retired {
        let block = NonNull::new(self.base().cast()).expect("a segment");
        // SAFETY: allocated in `allocate` with this layout; buckets need no drop.
        unsafe { Retired::new(block, Self::layout(self.shape().buckets)) }
    }
}

/// A segment that can be read and, by the owner, written.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) shape: Shape,
    words: &'a [AtomicU64],
    rows: &'a [Row],
}

impl<'a> View<'a> {
    #[inline]
    pub(super) fn bucket(self, at: usize) -> Bucket<'a> {
        Bucket {
            word: &self.words[at],
            row: &self.rows[at],
        }
    }

    pub(super) fn buckets(self) -> impl Iterator<Item = Bucket<'a>> {
        (0..self.shape.buckets).map(move |at| self.bucket(at))
    }

    /// Brings a bucket into the cache: its word's line, and the one or two of its row.
    #[inline]
    pub(super) fn prefetch(self, at: usize) {
        prefetch::line(ptr::from_ref(&self.words[at]).cast());
        self.prefetch_row(at);
    }

    /// Brings the entries of a bucket into the cache while its word is looked at.
    #[inline]
    pub(super) fn prefetch_row(self, at: usize) {
        let row = &self.rows[at];
        prefetch::line(ptr::from_ref(&row[0]).cast());
        prefetch::line(ptr::from_ref(&row[SLOTS - 1]).cast());
    }

    /// The other bucket of an entry; its home again in a segment of one bucket.
    #[inline]
    pub(super) fn alternate(self, home: usize, fingerprint: u8) -> usize {
        let buckets = self.shape.buckets;
        let further = home + 1 + ((usize::from(fingerprint) * (buckets - 1)) >> 8);
        if further < buckets {
            further
        } else {
            further - buckets
        }
    }

    /// All entries: bucket, slot, entry.
    pub(super) fn entries(self) -> impl Iterator<Item = (usize, usize, Tagged)> + 'a {
        self.buckets().enumerate().flat_map(|(at, bucket)| {
            let occupied = bucket.word().occupied();
            occupied.map(move |slot| (at, slot, bucket.entry(slot)))
        })
    }

    /// Stores an entry in one of its buckets, moving another one out of the way if that is what it takes.
    /// `None`: there is no room.
    #[inline]
    pub(super) fn place(self, fingerprint: u8, entry: Tagged) -> Option<(usize, usize)> {
        let home = self.shape.home(entry.tag());
        if let Some(slot) = self.bucket(home).word().vacancy() {
            self.bucket(home).fill(slot, fingerprint, entry);
            return Some((home, slot));
        }
        self.place_away(home, fingerprint, entry)
    }

    fn place_away(self, home: usize, fingerprint: u8, entry: Tagged) -> Option<(usize, usize)> {
        let other = self.alternate(home, fingerprint);
        let (bucket, slot) = match self.bucket(other).word().vacancy() {
            Some(slot) => (other, slot),
            None => self.make_way(home).or_else(|| self.make_way(other))?,
        };
        self.bucket(bucket).fill(slot, fingerprint, entry);
        if bucket != home {
            self.bucket(home).add_away(fingerprint);
        }
        Some((bucket, slot))
    }

    /// Moves an entry of a full bucket to its other bucket, if there is room for one of them, and says what that freed.
    fn make_way(self, bucket: usize) -> Option<(usize, usize)> {
        let full = self.bucket(bucket);
        let refuge = |slot: usize| {
            let fingerprint = full.word().fingerprint(slot);
            let home = self.shape.home(full.entry(slot).tag());
            let refuge = if home == bucket {
                self.alternate(home, fingerprint)
            } else {
                home
            };
            Some((slot, home, refuge, self.bucket(refuge).word().vacancy()?))
        };
        let (slot, home, refuge, vacancy) = (0..SLOTS).find_map(refuge)?;
        let (fingerprint, moved) = full.take(slot);
        self.bucket(refuge).fill(vacancy, fingerprint, moved);
        if home == bucket {
            self.bucket(home).add_away(fingerprint);
        } else {
            self.forget_away(home, fingerprint);
        }
        Some((bucket, slot))
    }

    /// An entry of this home that was away is so no longer.
    #[inline]
    pub(super) fn forget_away(self, home: usize, fingerprint: u8) {
        self.bucket(home).drop_away(fingerprint, || {
            let is_away = |(at, slot, entry): &(usize, usize, Tagged)| {
                *at != home
                    && self.shape.home(entry.tag()) == home
                    && same_class(self.bucket(*at).word().fingerprint(*slot), fingerprint)
            };
            self.entries().filter(is_away).count()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladders_are_made_of_size_classes() {
        for steps in [STEPS_GROWING, STEPS_FITTING] {
            let mut buckets = 1;
            while buckets < BUCKETS_MAX {
                let next = next_step(buckets, steps);
                assert!(next * steps <= buckets * (steps + 1) || next == buckets + 1);
                // A size class of jemalloc has at most three significant bits.
                assert!(next >> next.trailing_zeros() <= 7);
                buckets = next;
            }
            assert_eq!(buckets, BUCKETS_MAX);
        }
        assert_eq!([40, 56, 10].map(next_size), [48, 64, 12]);
    }

    #[test]
    fn sizes_fit_counts() {
        assert_eq!(fitting_size(0, 75), 1);
        assert_eq!(fitting_size(5, 75), 1);
        assert_eq!(fitting_size(6, 75), 2);
        assert_eq!(fitting_size(448, 100), 64);
        assert_eq!(fitting_size(448, 50), 64);
        assert_eq!((fitting_size(200, 75), growing_size(200, 75)), (40, 48));
    }

    #[test]
    fn words_keep_their_fields_apart() {
        let shape = Shape {
            depth: 24,
            buckets: 64,
        };
        let segment = Segment::allocate(shape).with_count(448);
        assert_eq!(
            (segment.shape(), segment.count(), segment.bytes()),
            (shape, 448, 4096)
        );
        assert_eq!(segment.with_count(0).count(), 0);
        // SAFETY: never published, no entries.
        drop(unsafe { segment.retire() });
    }
}
