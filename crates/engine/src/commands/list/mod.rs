//! Commands on lists.

mod bpop;
mod lindex;
mod linsert;
mod llen;
mod lmove;
mod lmpop;
mod lpos;
mod lrange;
mod lrem;
mod lset;
mod ltrim;
mod pop;
mod push;
mod sort;

use std::ops::Range;
use std::sync::atomic::Ordering;

use dunlin_store::list::{self, End, Fill, ListRef};
use dunlin_store::{Event, Found, Key};

use crate::command::{ArgKind, Argument};
use crate::number::parse_i64;
use crate::{Args, Command, Ctx, Engine, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &lmove::BLMOVE,
    &lmpop::BLMPOP,
    &bpop::BLPOP,
    &bpop::BRPOP,
    &lmove::BRPOPLPUSH,
    &lindex::LINDEX,
    &linsert::LINSERT,
    &llen::LLEN,
    &lmove::LMOVE,
    &lmpop::LMPOP,
    &pop::LPOP,
    &lpos::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &lrange::LRANGE,
    &lrem::LREM,
    &lset::LSET,
    &ltrim::LTRIM,
    &pop::RPOP,
    &lmove::RPOPLPUSH,
    &push::RPUSH,
    &push::RPUSHX,
    &sort::SORT,
    &sort::SORT_RO,
];

/// Longest element.
const ELEMENT_BYTES_MAX: usize = (1 << 32) - 1024;
/// Above so many elements, what is taken away is freed in the background.
const FREED_AT_ONCE: usize = 2048;

/// LEFT or RIGHT.
const ENDS: &[Argument] = &[
    Argument::token("left", "LEFT"),
    Argument::token("right", "RIGHT"),
];

/// An element, once or more.
const ELEMENTS: &[Argument] = &[
    Argument::KEY,
    Argument::new("element", ArgKind::String).multiple(),
];

fn fill(engine: &Engine) -> Fill {
    Fill::new(engine.encodings.list_size.load(Ordering::Relaxed))
}

/// The end that an argument names.
fn end(args: Args<'_>, index: usize) -> Result<End, ReplyError> {
    if args.is(index, "left") {
        Ok(End::Left)
    } else if args.is(index, "right") {
        Ok(End::Right)
    } else {
        Err(ReplyError::Syntax)
    }
}

fn integer(cx: &Ctx<'_>, index: usize) -> Result<i64, ReplyError> {
    parse_i64(cx.args.at(index)).ok_or(ReplyError::NotInteger)
}

/// An integer that LONG_MIN is not allowed for, since its sign is turned.
fn magnitude(cx: &Ctx<'_>, index: usize) -> Result<i64, ReplyError> {
    match integer(cx, index)? {
        i64::MIN => Err(ReplyError::err(
            "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        )),
        n => Ok(n),
    }
}

fn check_element(text: &[u8]) -> Result<(), ReplyError> {
    if text.len() > ELEMENT_BYTES_MAX {
        return Err(ReplyError::err("Element too large"));
    }
    Ok(())
}

/// The list that was found, for reading; its length.
fn length(cx: &mut Ctx<'_>, found: Found) -> Result<usize, ReplyError> {
    let entry = cx.keys.entry(found);
    ListRef::of(&entry)
        .map(|list| list.len())
        .ok_or(ReplyError::WrongType)
}

/// The element of an index that counts from the end when negative.
fn resolve(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 {
        index.checked_add(len as i64)?
    } else {
        index
    };
    usize::try_from(index).ok().filter(|&index| index < len)
}

/// The elements from one index to another, both of which may count from the end; empty ones are `0..0`.
fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    let count = len as i64;
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add(count)
        } else {
            index
        }
    };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(count - 1));
    if start > stop {
        return 0..0;
    }
    start as usize..stop as usize + 1
}

/// The first or last elements of a list of this length.
fn at_end(end: End, count: usize, len: usize) -> Range<usize> {
    match end {
        End::Left => 0..count,
        End::Right => len - count..len,
    }
}

/// Takes a range of elements away; with all of them, the key, which is the answer. The change is to be recorded, then
/// [`tell_deleted`] is to be called.
fn take(cx: &mut Ctx<'_>, key: &Key<'_>, found: Found, range: Range<usize>, len: usize) -> bool {
    if range.len() == len {
        if let Some(entry) = cx.keys.remove(cx.session.db, key) {
            cx.keys.discard(entry);
        }
        return true;
    }
    if range.len() > FREED_AT_ONCE {
        // The tree is shared with an entry that is discarded, so that only the leaves at the edges are copied here.
        let before = cx.keys.entry(found).image().to_entry(key.bytes);
        cx.keys.discard(before);
    }
    let fill = fill(cx.engine);
    cx.keys
        .update(found, |entry| list::remove(entry, range, fill));
    false
}

/// Tells that a key went with its last element.
fn tell_deleted(cx: &mut Ctx<'_>, key: &[u8], deleted: bool) {
    if deleted {
        cx.keys.notify(cx.session.db, key, Event::generic("del"));
    }
}

/// Takes `count` elements at an end, the outermost first, and answers an array of them. The change is to be recorded, then
/// [`tell_deleted`] is to be called with the answer.
fn pop_many(
    cx: &mut Ctx<'_>,
    key: &Key<'_>,
    found: Found,
    end: End,
    count: usize,
) -> Result<bool, ReplyError> {
    let entry = cx.keys.entry(found);
    let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
    let len = list.len();
    let range = at_end(end, count, len);
    cx.reply.array(count);
    let elements = list.range(range.clone());
    match end {
        End::Left => elements.for_each(|e| e.with_text(|text| cx.reply.bulk(text))),
        End::Right => elements
            .rev()
            .for_each(|e| e.with_text(|text| cx.reply.bulk(text))),
    }
    Ok(take(cx, key, found, range, len))
}

/// Names of the command and event that pop at an end.
fn pop_names(end: End) -> (&'static str, Event) {
    match end {
        End::Left => ("LPOP", Event::list("lpop")),
        End::Right => ("RPOP", Event::list("rpop")),
    }
}

fn push_event(end: End) -> Event {
    match end {
        End::Left => Event::list("lpush"),
        End::Right => Event::list("rpush"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_to_the_list() {
        let cases = [
            ((0, -1), 0..5),
            ((-2, -1), 3..5),
            ((1, 2), 1..3),
            ((3, 100), 3..5),
            ((-100, 1), 0..2),
            ((5, 9), 0..0),
            ((3, 2), 0..0),
            ((0, -6), 0..0),
            ((i64::MIN, i64::MAX), 0..5),
            ((i64::MAX, i64::MIN), 0..0),
        ];
        for ((start, stop), expected) in cases {
            assert_eq!(span(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(resolve(-5, 5), Some(0));
        assert_eq!(resolve(-6, 5), None);
        assert_eq!(resolve(5, 5), None);
        assert_eq!(resolve(i64::MIN, 5), None);
    }
}
