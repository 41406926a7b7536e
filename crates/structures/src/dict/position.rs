//! From a hash to a place, and back to a scan cursor.
//!
//! ```text
//! hash      | stripe 8 | position 40 .............................. | 8 unused | fingerprint 8 |
//! position  | directory: depth bits | bucket in the segment: monotonic in the following bits |
//! ```
//!
//! The dict lies below the stripes, so it skips the hash's top [`STRIPE_BITS`]. The first bits of the position choose the
//! directory slot, the following ones the home bucket by a multiplication, so that the order of (segment, home bucket) is the
//! order of positions, whatever the depths and the sizes of the segments are. A scan cursor is a position: 48 bits with the
//! stripe's.
//!
//! An entry's **tag** is the 16 position bits from the last multiple of [`ANCHOR_STEP`] at or before the segment's depth. It
//! is stored beside the entry's pointer, so that homes are known without reading entries; seven of eight splits need no hash.
//!
//! **Invariant.** A home depends on nothing but tag, depth and number of buckets.

/// Bits at the top of a hash that the dict ignores: they are the same for all of its entries, having chosen the stripe.
pub const STRIPE_BITS: u32 = 8;

/// Bits of a position, and of a scan cursor below the stripe's bits.
pub const POSITION_BITS: u32 = 40;

/// A segment shares at most this many leading position bits.
pub(super) const DEPTH_MAX: u32 = 24;

/// Bits of a tag.
const TAG_BITS: u32 = 16;

/// Tags start at multiples of this depth. What is left of a tag behind the segment's depth, 9 bits at the least, divides the entries among
/// its buckets.
const ANCHOR_STEP: u32 = 8;

const _: () = assert!(DEPTH_MAX + TAG_BITS <= POSITION_BITS);

/// A hash without its stripe's bits, aligned at the top: the first 40 bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub(super) u64);

impl Position {
    #[inline]
    pub(super) fn of_hash(hash: u64) -> Self {
        Position(hash << STRIPE_BITS)
    }

    /// Of a cursor; its stripe bits are ignored.
    pub(super) fn of_cursor(cursor: u64) -> Self {
        Position(cursor << (64 - POSITION_BITS))
    }

    /// As a cursor of the stripe that `origin` is a cursor of.
    pub(super) fn cursor(self, origin: u64) -> u64 {
        origin >> POSITION_BITS << POSITION_BITS | self.0 >> (64 - POSITION_BITS)
    }

    /// The first `depth` bits.
    #[inline]
    pub(super) fn prefix(self, depth: u32) -> usize {
        // In two steps, because a shift by 64 is none.
        (self.0 >> 1 >> (63 - depth)) as usize
    }

    /// Without the bits that a cursor does not have.
    #[cfg(test)]
    pub(super) fn truncated(self) -> Self {
        Position(self.0 >> (64 - POSITION_BITS) << (64 - POSITION_BITS))
    }
}

/// One byte of the hash that no position uses, never 0.
#[inline]
pub(super) fn fingerprint(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// How a segment maps tags to buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Leading position bits that all entries of the segment share.
    pub(super) depth: u32,
    /// Number of buckets, at least 1.
    pub(super) buckets: usize,
}

impl Shape {
    /// Bits of the tag that are the directory's.
    #[inline]
    fn shift(self) -> u32 {
        self.depth % ANCHOR_STEP
    }

    #[inline]
    fn anchor(self) -> u32 {
        self.depth - self.shift()
    }

    #[inline]
    pub(super) fn tag(self, position: Position) -> u16 {
        (position.0 << self.anchor() >> (64 - TAG_BITS)) as u16
    }

    /// The bucket where an entry with this tag belongs.
    #[inline]
    pub(super) fn home(self, tag: u16) -> usize {
        (usize::from(tag << self.shift()) * self.buckets) >> TAG_BITS
    }

    /// Position of the segment's first possible entry, for any position of the segment.
    pub(super) fn first(self, inside: Position) -> Position {
        Position(inside.0 & !(u64::MAX >> self.depth))
    }

    /// The first position whose home is `bucket` or later; `None` past the last position of all.
    pub(super) fn bucket_start(self, inside: Position, bucket: usize) -> Option<Position> {
        let first = self.first(inside).0;
        if bucket == self.buckets {
            let span = (u64::MAX >> self.depth).wrapping_add(1);
            return first.checked_add(span).filter(|_| span != 0).map(Position);
        }
        let unit = 1 << self.shift();
        let window = (bucket << TAG_BITS)
            .div_ceil(self.buckets)
            .next_multiple_of(unit) as u64;
        Some(Position(first | window << (64 - TAG_BITS) >> self.depth))
    }

    /// Whether a position is decided by its tag alone, there being no bits after it.
    pub(super) fn is_exact(self, position: Position) -> bool {
        position.0 << self.anchor() << TAG_BITS == 0
    }

    /// Which half of the segment an entry goes to when it splits.
    pub(super) fn half(self, tag: u16) -> usize {
        usize::from(tag >> (TAG_BITS - 1 - self.shift()) & 1)
    }

    /// Whether the tags of a split segment's halves start elsewhere, so that the hashes are needed.
    pub(super) fn split_moves_anchor(self) -> bool {
        self.shift() == ANCHOR_STEP - 1
    }

    /// The tag after the segment, whose entries share `prefix` (depth bits), is merged with its buddy.
    pub(super) fn tag_after_merge(self, prefix: usize, tag: u16) -> u16 {
        if self.shift() == 0 {
            (prefix << (TAG_BITS - ANCHOR_STEP)) as u16 | tag >> ANCHOR_STEP
        } else {
            tag
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn homes_follow_positions(
            a: u64, b: u64, depth in 0..=DEPTH_MAX, buckets in 1usize..=64,
        ) {
            let shape = Shape { depth, buckets };
            let prefix = shape.first(Position(a)).0;
            let inside = |x: u64| Position(prefix | x & (u64::MAX >> depth));
            let (low, high) = (inside(a.min(b)), inside(a.max(b)));
            let (low, high) = (low.min(high), low.max(high));
            let home = |position| shape.home(shape.tag(position));
            prop_assert!(home(low) <= home(high));
            prop_assert!(home(high) < buckets);
        }

        #[test]
        fn bucket_starts_divide_positions(
            at: u64, depth in 0..=DEPTH_MAX, buckets in 1usize..=64,
        ) {
            let shape = Shape { depth, buckets };
            let at = Position(at).truncated();
            let home = shape.home(shape.tag(at));
            let start = shape.bucket_start(at, home).expect("inside");
            prop_assert!(start <= at);
            prop_assert_eq!(start.truncated(), start, "a cursor can say it");
            let end = shape.bucket_start(at, home + 1);
            prop_assert!(end.is_none_or(|end| at < end && end.truncated() == end));
            prop_assert!(end.is_none_or(|end| home + 1 == buckets || shape.home(shape.tag(end)) > home));
            prop_assert_eq!(Position::of_cursor(at.cursor(0)), at);
        }

        #[test]
        fn tags_survive_split_and_merge(at: u64, depth in 0..DEPTH_MAX) {
            let at = Position(at);
            let parent = Shape { depth, buckets: 64 };
            let child = Shape { depth: depth + 1, buckets: 32 };
            prop_assert_eq!(parent.half(parent.tag(at)), at.prefix(depth + 1) & 1);
            if !parent.split_moves_anchor() {
                prop_assert_eq!(parent.tag(at), child.tag(at));
            }
            prop_assert_eq!(child.tag_after_merge(at.prefix(depth + 1), child.tag(at)), parent.tag(at));
        }
    }
}
