//! Sets: member by member, as sorted integers, or as a listpack.

use dunlin_store::{Kind, bulk};
use dunlin_structures::packed::Element;

use super::super::cursor::{Cursor, Fault, Take};
use super::super::types::kind;
use super::listpack::signed;
use super::{Decoded, Elements, Value, elements, listpack, within};

pub(super) fn read(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Decoded> {
    let rules = value.rules;
    let limits = &rules.set;
    if value.kind == kind::SET_INTSET {
        let mut room = Vec::new();
        let (bytes, at) = elements::blob(cursor, &mut room, "a set of integers")?;
        let numbers = within(bytes, at, "Intset", read_ints)?;
        return Ok(build_ints(value, &numbers));
    }
    let (elements, is_listpack) = match value.kind {
        kind::SET_LISTPACK => (value.packed(cursor, listpack::read)?, true),
        _ => {
            let mut elements = Elements::with_room(value.bytes + value.bytes / 4);
            for _ in 0..cursor.length("a set")? {
                elements.push_next(cursor, "a member of a set")?;
            }
            (elements, false)
        }
    };
    if elements.count == 0 {
        return Ok(Decoded::Empty);
    }
    if !is_listpack && elements.count <= limits.ints {
        let number = |element| match element {
            Element::Int(n) => Some(n),
            Element::Bytes(_) => None,
        };
        if let Some(mut numbers) = elements.iter().map(number).collect::<Option<Vec<i64>>>() {
            numbers.sort_unstable();
            if !numbers.is_sorted_by(|a, b| a < b) {
                return value.entry(None);
            }
            return Ok(build_ints(value, &numbers));
        }
    }
    let is_long = !is_listpack && elements.longest > limits.value_bytes;
    let is_few = elements.count <= limits.packed;
    // Members that are all integers, and more than a set of integers takes, Redis puts into a table at once.
    let is_ints = !is_listpack && elements.iter().all(|e| matches!(e, Element::Int(_)));
    let form = if is_few && !is_long && !is_ints {
        Kind::SetPacked
    } else {
        Kind::Set
    };
    value.entry(bulk::set(
        &value.parts(&elements, false),
        form,
        rules.hasher,
    ))
}

fn build_ints(value: &Value<'_>, numbers: &[i64]) -> Decoded {
    if numbers.is_empty() {
        return Decoded::Empty;
    }
    let rules = value.rules;
    Decoded::Entry(bulk::ints(
        value.key,
        numbers,
        &rules.set,
        rules.hasher,
        rules.clock,
    ))
}

/// Width, 4 bytes; how many, 4 bytes; numbers in ascending order.
fn read_ints(bytes: &[u8]) -> Take<Vec<i64>> {
    let mut cursor = Cursor::new(bytes);
    let width = cursor.u32("a set of integers")? as usize;
    let count = cursor.u32("a set of integers")? as usize;
    if !matches!(width, 2 | 4 | 8) || Some(cursor.left()) != count.checked_mul(width) {
        return Err(Fault::bad(
            0,
            "a set of integers of another length than it claims",
        ));
    }
    let bytes = cursor.take(count * width, "a set of integers")?;
    let numbers: Vec<i64> = bytes.chunks_exact(width).map(signed).collect();
    if !numbers.is_sorted_by(|a, b| a < b) {
        return Err(Fault::bad(0, "a set of integers that do not ascend"));
    }
    Ok(numbers)
}
