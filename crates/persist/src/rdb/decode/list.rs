//! Lists: element by element, as one ziplist, or as nodes.

use dunlin_store::bulk;

use super::super::cursor::{Cursor, Fault, Take};
use super::super::types::{kind, quicklist};
use super::{Decoded, Elements, Value, elements, listpack, within, ziplist};

pub(super) fn read(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Decoded> {
    let mut elements = Elements::default();
    let may_pack = match value.kind {
        kind::LIST => {
            elements = Elements::with_room(value.bytes + value.bytes / 4);
            for _ in 0..cursor.length("a list")? {
                elements.push_next(cursor, "an element of a list")?;
            }
            true
        }
        kind::LIST_ZIPLIST => {
            elements = value.packed(cursor, ziplist::read)?;
            true
        }
        _ => read_nodes(value.kind, cursor, &mut elements)?,
    };
    if elements.count == 0 {
        return Ok(Decoded::Empty);
    }
    let parts = value.parts(&elements, false);
    let list = bulk::list(&parts, may_pack, value.rules.list);
    Ok(Decoded::Entry(list))
}

/// Whether Redis would consider to keep the list in one piece: it has one node, which is a packed one.
fn read_nodes(kind: u8, cursor: &mut Cursor<'_>, elements: &mut Elements) -> Take<bool> {
    let nodes = cursor.length("a list")?;
    let mut room = Vec::new();
    let mut may_pack = nodes == 1;
    for _ in 0..nodes {
        let form = match kind {
            kind::LIST_QUICKLIST => quicklist::PACKED,
            _ => cursor.length("the form of a list's node")?,
        };
        let start = cursor.at();
        match form {
            quicklist::PLAIN => {
                may_pack = false;
                let before = elements.text_bytes;
                elements.push_next(cursor, "a long element of a list")?;
                if elements.text_bytes == before {
                    return Err(Fault::bad(start, "a list's node that is empty"));
                }
            }
            quicklist::PACKED => {
                let (node, at) = elements::blob(cursor, &mut room, "a node of a list")?;
                within(node, at, "Quicklist node", |node| match kind {
                    kind::LIST_QUICKLIST => ziplist::read(node, elements),
                    _ => listpack::read(node, elements),
                })?;
            }
            _ => {
                return Err(Fault::bad(
                    start,
                    format!("a list's node in the unknown form {form}"),
                ));
            }
        }
    }
    Ok(may_pack)
}
