//! Sorted sets: member by member with scores as texts or as doubles, or as a ziplist or listpack of both.

use std::cmp::Ordering;

use dunlin_store::bulk;
use dunlin_store::zset::{Item, order_items};
use dunlin_structures::packed::Element;

use super::super::cursor::{Cursor, Fault, Take};
use super::super::extent::SCORE_WORDS;
use super::super::types::kind;
use super::{Decoded, Elements, Value, listpack, ziplist};

/// Longest text of a score.
const SCORE_TEXT_BYTES_MAX: usize = 255;

pub(super) fn read(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Decoded> {
    match value.kind {
        kind::ZSET_ZIPLIST => {
            let elements = value.packed(cursor, ziplist::read)?;
            build(value, pairs(&elements)?)
        }
        kind::ZSET_LISTPACK => {
            let elements = value.packed(cursor, listpack::read)?;
            build(value, pairs(&elements)?)
        }
        _ => {
            let mut members = Elements::with_room(value.bytes + value.bytes / 4);
            let mut scores = Vec::new();
            for _ in 0..cursor.length("a sorted set")? {
                members.push_next(cursor, "a member of a sorted set")?;
                let at = cursor.at();
                let score = match value.kind {
                    kind::ZSET_2 => Some(f64::from_bits(cursor.u64("a score")?)),
                    _ => score_text(cursor)?,
                };
                scores.push(checked(score, at)?);
            }
            let mut items: Vec<Item<'_>> = members.iter().zip(scores).collect();
            // Redis writes the highest first.
            if items.is_sorted_by(|a, b| order_items(*a, *b) == Ordering::Greater) {
                items.reverse();
            } else {
                items.sort_unstable_by(|a, b| order_items(*a, *b));
            }
            build(value, items)
        }
    }
}

fn build(value: &Value<'_>, items: Vec<Item<'_>>) -> Take<Decoded> {
    if items.is_empty() {
        return Ok(Decoded::Empty);
    }
    let rules = value.rules;
    let is_in_order = items.is_sorted_by(|a, b| order_items(*a, *b) == Ordering::Less);
    if !is_in_order {
        return Err(Fault::bad(0, "a sorted set that is out of order"));
    }
    value.entry(bulk::zset(value.key, &items, &rules.zset(), rules.clock))
}

/// Members and scores that stand in turns.
fn pairs(elements: &Elements) -> Take<Vec<Item<'_>>> {
    if !elements.count.is_multiple_of(2) {
        return Err(Fault::bad(0, "a sorted set with a member without score"));
    }
    let mut items = Vec::with_capacity(elements.count / 2);
    let mut elements = elements.iter();
    while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
        let score = match score {
            Element::Int(n) => Some(n as f64),
            Element::Bytes(text) => parsed(text),
        };
        items.push((member, checked(score, 0)?));
    }
    Ok(items)
}

/// A length and a text, or a byte that is the score.
fn score_text(cursor: &mut Cursor<'_>) -> Take<Option<f64>> {
    const NAN: u8 = SCORE_WORDS;
    const PLUS_INFINITY: u8 = SCORE_WORDS + 1;
    Ok(match cursor.byte("a score")? {
        NAN => None,
        PLUS_INFINITY => Some(f64::INFINITY),
        len @ ..NAN => parsed(cursor.take(len.into(), "a score")?),
        _ => Some(f64::NEG_INFINITY),
    })
}

fn parsed(text: &[u8]) -> Option<f64> {
    if text.len() > SCORE_TEXT_BYTES_MAX {
        return None;
    }
    fast_float2::parse(text).ok()
}

fn checked(score: Option<f64>, at: usize) -> Take<f64> {
    let score = score.filter(|score| !score.is_nan());
    score.ok_or_else(|| Fault::bad(at, "a score that is no number"))
}
