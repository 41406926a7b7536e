//! Ends of ranges in arguments: `1.5`, `(1.5`, `-inf` of scores; `[a`, `(a`, `-`, `+` of members; ranks that count from either end.

use std::ops::Range;

use dunlin_store::zset::{LexBound, LexRange, ScoreBound, ScoreRange};

use crate::ReplyError;
use crate::number::parse_bound;

/// A range of scores.
pub(super) fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, ReplyError> {
    let bound = |text: &[u8]| {
        let (exclusive, number) = match text {
            [b'(', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let score = parse_bound(number)?;
        Some(ScoreBound { score, exclusive })
    };
    match (bound(min), bound(max)) {
        (Some(min), Some(max)) => Ok(ScoreRange { min, max }),
        _ => Err(ReplyError::err("min or max is not a float")),
    }
}

/// A range of members.
pub(super) fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, ReplyError> {
    fn bound(text: &[u8]) -> Option<LexBound<'_>> {
        match text {
            [b'-'] | [b'-', 0, ..] => Some(LexBound::First),
            [b'+'] | [b'+', 0, ..] => Some(LexBound::Last),
            [b'(', member @ ..] => Some(LexBound::Exclusive(member)),
            [b'[', member @ ..] => Some(LexBound::Inclusive(member)),
            _ => None,
        }
    }
    match (bound(min), bound(max)) {
        (Some(min), Some(max)) => Ok(LexRange { min, max }),
        _ => Err(ReplyError::err("min or max not valid string range item")),
    }
}

/// The ranks from `start` to `stop`, both inside and negative from the end, of `len`.
pub(super) fn rank_range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_end = |rank: i64| match usize::try_from(rank) {
        Ok(rank) => Some(rank),
        Err(_) => len.checked_sub(usize::try_from(rank.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let start = from_end(start).unwrap_or(0).min(len);
    let end = from_end(stop).map_or(0, |stop| stop.saturating_add(1).min(len));
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::rank_range;

    #[test]
    fn ranks() {
        for (start, stop, expected) in [
            (0, -1, 0..3),
            (1, 1, 1..2),
            (-2, -1, 1..3),
            (-9, 1, 0..2),
            (0, 99, 0..3),
            (i64::MIN, i64::MAX, 0..3),
            (0, i64::MIN, 0..0),
            (2, 1, 2..2),
            (3, 9, 3..3),
            (i64::MAX, i64::MAX, 3..3),
            (0, -4, 0..0),
        ] {
            assert_eq!(rank_range(start, stop, 3), expected, "{start} {stop}");
        }
    }
}
