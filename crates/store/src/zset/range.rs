//! Ranges of scores and of members, as places among ordered items.

use std::cmp::Ordering;

use dunlin_structures::packed::Element;
use dunlin_structures::tree::Probe;

use super::{Item, Score, order};

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBound {
    /// The score; not NaN.
    pub score: f64,
    /// Whether the score itself is outside.
    pub exclusive: bool,
}

/// Scores from one bound to the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower end.
    pub min: ScoreBound,
    /// The upper end.
    pub max: ScoreBound,
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all.
    First,
    /// Behind all.
    Last,
    /// This member, inside.
    Inclusive(&'a [u8]),
    /// This member, outside.
    Exclusive(&'a [u8]),
}

/// Members from one bound to the other; meant for members of one score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexBound<'a>,
    /// The upper end.
    pub max: LexBound<'a>,
}

/// A place between items: those that are `Less` lie before it, none is `Equal`.
pub(super) trait Place {
    fn by_item(&self, item: Item<'_>) -> Ordering;
}

/// Before the items of a score, or behind them.
pub(super) struct AtScore {
    score: f64,
    behind: bool,
}

impl AtScore {
    #[inline]
    fn by_score(&self, score: f64) -> Ordering {
        match order(score, self.score) {
            Ordering::Equal if self.behind => Ordering::Less,
            Ordering::Equal => Ordering::Greater,
            unequal => unequal,
        }
    }
}

impl Place for AtScore {
    #[inline]
    fn by_item(&self, item: Item<'_>) -> Ordering {
        self.by_score(item.1)
    }
}

impl Probe<Score> for AtScore {
    #[inline]
    fn by_key(&self, key: Score) -> Ordering {
        self.by_score(key.0)
    }

    fn by_payload(&self, _payload: &[u8]) -> Ordering {
        Ordering::Greater
    }
}

/// Before a member, or behind it.
pub(super) enum AtLex<'a> {
    First,
    Last,
    Member { member: &'a [u8], behind: bool },
}

impl AtLex<'_> {
    fn by_member(&self, text: &[u8]) -> Ordering {
        match *self {
            AtLex::First => Ordering::Greater,
            AtLex::Last => Ordering::Less,
            AtLex::Member { member, behind } => match text.cmp(member) {
                Ordering::Equal if behind => Ordering::Less,
                Ordering::Equal => Ordering::Greater,
                unequal => unequal,
            },
        }
    }
}

impl Place for AtLex<'_> {
    fn by_item(&self, item: Item<'_>) -> Ordering {
        item.0.with_text(|text| self.by_member(text))
    }
}

impl Probe<Score> for AtLex<'_> {
    #[inline]
    fn by_key(&self, _key: Score) -> Ordering {
        Ordering::Equal
    }

    #[inline]
    fn by_payload(&self, payload: &[u8]) -> Ordering {
        self.by_member(payload)
    }
}

/// The place of an item.
pub(super) struct AtItem<'a>(pub(super) Item<'a>);

impl Place for AtItem<'_> {
    #[inline]
    fn by_item(&self, item: Item<'_>) -> Ordering {
        super::order_items(item, self.0)
    }
}

impl ScoreRange {
    /// Where it begins and where it ends.
    pub(super) fn places(&self) -> (AtScore, AtScore) {
        let min = AtScore {
            score: self.min.score,
            behind: self.min.exclusive,
        };
        let max = AtScore {
            score: self.max.score,
            behind: !self.max.exclusive,
        };
        (min, max)
    }
}

impl<'a> LexRange<'a> {
    /// Where it begins and where it ends.
    pub(super) fn places(&self) -> (AtLex<'a>, AtLex<'a>) {
        let place = |bound: LexBound<'a>, behind_inclusive: bool| match bound {
            LexBound::First => AtLex::First,
            LexBound::Last => AtLex::Last,
            LexBound::Inclusive(member) => AtLex::Member {
                member,
                behind: behind_inclusive,
            },
            LexBound::Exclusive(member) => AtLex::Member {
                member,
                behind: !behind_inclusive,
            },
        };
        (place(self.min, false), place(self.max, true))
    }

    /// Whether the member is inside.
    pub fn contains(&self, member: Element<'_>) -> bool {
        let (from, to) = self.places();
        from.by_item((member, 0.0)) == Ordering::Greater
            && to.by_item((member, 0.0)) == Ordering::Less
    }
}
