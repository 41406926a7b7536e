//! Sorted sets: members, each with a score, in the order of scores and then of bytes.
//!
//! Read through [`ZSetRef`], changed by the functions of [`edit`]. There are two forms: up to the limits of `zset-max-listpack-*` a packed
//! list inside the entry, see `packed`, above them two trees, [`ZSet`].
//!
//! **Invariant.** No score is NaN, no member stands twice, and no sorted set that is filed is empty.

pub mod edit;
mod packed;
mod range;
mod tree;
mod view;

use std::cmp::Ordering;

use dunlin_structures::packed::Element;

pub use self::range::{LexBound, LexRange, ScoreBound, ScoreRange};
pub use self::tree::{ByHash, HashedMember, Score, ZSet};
pub use self::view::{Items, ZSetRef};

/// A member and its score.
pub type Item<'a> = (Element<'a>, f64);

/// How scores are ordered; neither is NaN. Negative zero equals zero.
#[inline]
pub fn order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// How members are ordered: as bytes.
#[inline]
pub fn order_members(a: Element<'_>, b: Element<'_>) -> Ordering {
    match (a, b) {
        (Element::Bytes(a), Element::Bytes(b)) => a.cmp(b),
        _ => a.with_text(|a| b.with_text(|b| a.cmp(b))),
    }
}

/// How items are ordered.
#[inline]
pub fn order_items(a: Item<'_>, b: Item<'_>) -> Ordering {
    order(a.1, b.1).then_with(|| order_members(a.0, b.0))
}
