//! The packed form: number of members (2 bytes, little-endian), then a packed list of members and scores in turns, in order.
//!
//! A score is an element too: the integer if it is one up to 2^53 either way, else a string of the 8 bytes of the double. As in Redis,
//! negative zero becomes zero here.
//!
//! **Invariant.** Items ascend by [`super::order_items`]; a place is the position where an item begins, or the end.

use std::cmp::Ordering;
use std::ops::Range;

use dunlin_structures::packed::{self, Element, Sink, element_at};

use super::Item;
use super::range::Place;

/// Bytes of the number of members.
pub(super) const HEAD_BYTES: usize = 2;
/// The form of no members.
pub(super) const EMPTY: [u8; HEAD_BYTES] = [0; HEAD_BYTES];
/// Integers up to this, either way, are doubles without loss.
const WHOLE_MAX: f64 = (1u64 << 53) as f64;
/// Bytes that a score takes at most: a string of 8.
const SCORE_BYTES_MAX: usize = 10;

/// Bytes that an item takes at most.
pub(super) fn item_bytes_max(member_len: usize) -> usize {
    packed::encoded_len_max(member_len) + SCORE_BYTES_MAX
}

/// Number of members. O(1).
#[inline]
pub(super) fn len(bytes: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// What the head says for so many members.
#[inline]
pub(super) fn head(len: usize) -> [u8; HEAD_BYTES] {
    u16::try_from(len)
        .expect("64 KiB hold fewer members than 2^16")
        .to_le_bytes()
}

/// The list behind the head.
#[inline]
pub(super) fn list(bytes: &[u8]) -> &[u8] {
    &bytes[HEAD_BYTES..]
}

#[inline]
pub(super) fn decode_score(element: Element<'_>) -> f64 {
    match element {
        Element::Int(n) => n as f64,
        Element::Bytes(bytes) => {
            f64::from_le_bytes(bytes.try_into().expect("a score is an integer or 8 bytes"))
        }
    }
}

/// Appends an item.
pub(super) fn encode(out: &mut impl Sink, member: Element<'_>, score: f64) {
    member.encode(out);
    if score.fract() == 0.0 && score.abs() <= WHOLE_MAX {
        Element::Int(score as i64).encode(out);
    } else {
        Element::Bytes(&score.to_le_bytes()).encode(out);
    }
}

/// The item at a place of a list, and the place behind it.
#[inline]
pub(super) fn item_at(list: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let (member, score_at) = element_at(list, at)?;
    let (score, next) = element_at(list, score_at).expect("a member has a score");
    Some(((member, decode_score(score)), next))
}

/// A member that was found.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    pub(super) rank: usize,
    pub(super) score: f64,
    pub(super) at: usize,
    pub(super) end: usize,
}

/// Looks a member up. O(n).
pub(super) fn find(list: &[u8], member: &[u8]) -> Option<Hit> {
    let wanted = Element::of(member);
    let (mut at, mut rank) = (0, 0);
    loop {
        let (element, score_at) = element_at(list, at)?;
        let (score, end) = element_at(list, score_at).expect("a member has a score");
        if element == wanted {
            return Some(Hit {
                rank,
                score: decode_score(score),
                at,
                end,
            });
        }
        (at, rank) = (end, rank + 1);
    }
}

/// Rank and place of the first item that is not before `place`. O(n), O(1) where it is behind all.
pub(super) fn position(list: &[u8], len: usize, place: &impl Place) -> (usize, usize) {
    if let Some((score, score_at)) = packed::element_before(list, list.len()) {
        let (member, _) = packed::element_before(list, score_at).expect("a score has a member");
        if place.by_item((member, decode_score(score))) == Ordering::Less {
            return (len, list.len());
        }
    }
    let (mut at, mut rank) = (0, 0);
    while let Some((item, next)) = item_at(list, at) {
        if place.by_item(item) != Ordering::Less {
            break;
        }
        (at, rank) = (next, rank + 1);
    }
    (rank, at)
}

/// Places of a range of ranks. O(n), counted from the nearer end.
pub(super) fn places(list: &[u8], len: usize, ranks: &Range<usize>) -> Range<usize> {
    let at = |rank: usize| packed::position_of(list, 2 * rank, Some(2 * len));
    at(ranks.start)..at(ranks.end)
}
