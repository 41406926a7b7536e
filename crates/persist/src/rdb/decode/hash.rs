//! Hashes, with deadlines of fields and without.

use dunlin_store::bulk;
use dunlin_store::entry::DEADLINE_MS_MAX;
use dunlin_structures::packed::Element;

use super::super::cursor::{Cursor, Fault, Take};
use super::super::types::kind;
use super::{Decoded, Elements, Value, listpack, ziplist};

/// Why a hash has a wrong number of elements.
const UNPAIRED: &str = "a hash with a field without value";

pub(super) fn read(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Decoded> {
    let elements = match value.kind {
        kind::HASH_LISTPACK => value.packed(cursor, listpack::read)?,
        kind::HASH_ZIPLIST => value.packed(cursor, ziplist::read)?,
        kind::HASH_ZIPMAP => value.packed(cursor, ziplist::read_zipmap)?,
        _ => {
            let mut elements = Elements::with_room(value.bytes + value.bytes / 4);
            for _ in 0..cursor.length("a hash")? {
                elements.push_next(cursor, "a field of a hash")?;
                elements.push_next(cursor, "the value of a field")?;
            }
            elements
        }
    };
    build(
        value,
        &elements,
        value.kind == kind::HASH || value.kind == kind::HASH_ZIPMAP,
    )
}

fn build(value: &Value<'_>, elements: &Elements, longest: bool) -> Take<Decoded> {
    if elements.count == 0 {
        return Ok(Decoded::Empty);
    }
    if !elements.count.is_multiple_of(2) {
        return Err(Fault::bad(0, UNPAIRED));
    }
    let parts = value.parts(elements, longest);
    value.entry(bulk::hash(&parts, value.rules.hash, value.rules.hasher))
}

/// Hashes whose fields may have deadlines: fields, values and deadlines in turns, 0 for none.
pub(super) fn read_timed(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Decoded> {
    let is_listpack = matches!(
        value.kind,
        kind::HASH_LISTPACK_EX | kind::HASH_LISTPACK_EX_PRE_GA
    );
    let all = if is_listpack {
        if value.kind == kind::HASH_LISTPACK_EX {
            // The first deadline of all, which the fields tell, too.
            cursor.u64("the first deadline of a hash's fields")?;
        }
        value.packed(cursor, listpack::read)?
    } else {
        read_fields(value, cursor)?
    };
    if all.count == 0 {
        return Ok(Decoded::Empty);
    }
    if !all.count.is_multiple_of(3) {
        return Err(Fault::bad(0, UNPAIRED));
    }
    let (mut living, mut is_timed) = (Elements::with_room(all.list.len()), false);
    let mut elements = all.iter();
    while let (Some(field), Some(text), Some(deadline)) =
        (elements.next(), elements.next(), elements.next())
    {
        let Some(at_ms) = checked(deadline) else {
            return Err(Fault::bad(0, "a field with an impossible deadline"));
        };
        if at_ms > 0 && at_ms <= value.rules.now_ms {
            continue;
        }
        is_timed |= at_ms > 0;
        living.push(field);
        living.push(text);
        living.push(Element::Int(at_ms as i64));
    }
    if living.count == 0 {
        return Ok(Decoded::Expired);
    }
    if is_timed {
        let parts = value.parts(&living, !is_listpack);
        return value.entry(bulk::timed_hash(
            &parts,
            value.rules.hash,
            value.rules.hasher,
        ));
    }
    let mut plain = Elements::with_room(living.list.len());
    let texts = living.iter().enumerate().filter(|(place, _)| place % 3 < 2);
    texts.for_each(|(_, element)| plain.push(element));
    build(value, &plain, !is_listpack)
}

fn checked(deadline: Element<'_>) -> Option<u64> {
    match deadline {
        Element::Int(at) => u64::try_from(at).ok().filter(|at| *at <= DEADLINE_MS_MAX),
        Element::Bytes(_) => None,
    }
}

fn read_fields(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Elements> {
    let mut elements = Elements::with_room(value.bytes + value.bytes / 4);
    let first_ms = match value.kind {
        kind::HASH_METADATA => cursor.u64("the first deadline of a hash's fields")?,
        _ => 0,
    };
    for _ in 0..cursor.length("a hash")? {
        let stored = match value.kind {
            kind::HASH_VALKEY => None,
            _ => Some(cursor.length("the deadline of a field")?),
        };
        elements.push_next(cursor, "a field of a hash")?;
        elements.push_next(cursor, "the value of a field")?;
        let at = cursor.at();
        let deadline = match stored {
            // Counted from the first one, and one more, so that 0 remains for none.
            Some(after @ 1..) if value.kind == kind::HASH_METADATA => {
                first_ms.checked_add(after - 1)
            }
            Some(at_ms) => Some(at_ms),
            None => match cursor.u64("the deadline of a field")? as i64 {
                -1 => Some(0),
                at_ms => u64::try_from(at_ms).ok(),
            },
        };
        let impossible = || Fault::bad(at, "a field with an impossible deadline");
        let at_ms = deadline.and_then(|at_ms| i64::try_from(at_ms).ok());
        elements.push(Element::Int(at_ms.ok_or_else(impossible)?));
    }
    Ok(elements)
}
