//! Where a value ends, found without decoding it.

use super::cursor::{Cursor, Fault, Take};
use super::types::kind;

/// Bytes of an id of a stream's entry.
pub(super) const ID_BYTES: usize = 16;
/// Bytes of a time in milliseconds.
pub(super) const TIME_BYTES: usize = 8;
/// Bytes of a score that is no text.
const SCORE_BYTES: usize = 8;
/// A score that is a text is told by a length below this; from here on the byte is the score.
pub(super) const SCORE_WORDS: u8 = 253;

/// Goes to the end of a value of this type.
pub(super) fn skip(kind: u8, cursor: &mut Cursor<'_>) -> Take<()> {
    match kind {
        kind::STRING
        | kind::HASH_ZIPMAP
        | kind::LIST_ZIPLIST
        | kind::SET_INTSET
        | kind::ZSET_ZIPLIST
        | kind::HASH_ZIPLIST
        | kind::HASH_LISTPACK
        | kind::ZSET_LISTPACK
        | kind::SET_LISTPACK
        | kind::HASH_LISTPACK_EX_PRE_GA => text(cursor),
        kind::HASH_LISTPACK_EX => {
            cursor.take(TIME_BYTES, "the first deadline of a hash's fields")?;
            text(cursor)
        }
        kind::LIST | kind::SET | kind::LIST_QUICKLIST => each(cursor, text),
        kind::HASH => each(cursor, pair),
        kind::ZSET => each(cursor, |cursor| {
            text(cursor)?;
            score_text(cursor)
        }),
        kind::ZSET_2 => each(cursor, |cursor| {
            text(cursor)?;
            cursor.take(SCORE_BYTES, "a score").map(|_| ())
        }),
        kind::LIST_QUICKLIST_2 => each(cursor, |cursor| {
            cursor.length("the form of a list's node")?;
            text(cursor)
        }),
        kind::HASH_METADATA_PRE_GA => each(cursor, timed_pair),
        kind::HASH_METADATA => {
            cursor.take(TIME_BYTES, "the first deadline of a hash's fields")?;
            each(cursor, timed_pair)
        }
        kind::HASH_VALKEY => each(cursor, |cursor| {
            pair(cursor)?;
            cursor
                .take(TIME_BYTES, "the deadline of a field")
                .map(|_| ())
        }),
        kind::STREAM_LISTPACKS => stream(cursor, 1),
        kind::STREAM_LISTPACKS_2 => stream(cursor, 2),
        kind::STREAM_LISTPACKS_3 => stream(cursor, 3),
        kind::MODULE_PRE_GA => Err(Fault::Unknown {
            at: cursor.at(),
            what: "a module's value as release candidates of Redis 4.0 wrote it".into(),
        }),
        kind::MODULE_2 => {
            let at = cursor.at();
            let id = cursor.length("a module's value")?;
            let what = format!("a value of the module type '{}'", module_name(id));
            Err(Fault::Unknown { at, what })
        }
        other => Err(Fault::bad(
            cursor.at(),
            format!("{other} is no type of a value"),
        )),
    }
}

fn each(cursor: &mut Cursor<'_>, mut skip: impl FnMut(&mut Cursor<'_>) -> Take<()>) -> Take<()> {
    let count = cursor.length("the number of a value's elements")?;
    for _ in 0..count {
        skip(cursor)?;
    }
    Ok(())
}

fn text(cursor: &mut Cursor<'_>) -> Take<()> {
    cursor.text("a text").map(|_| ())
}

fn pair(cursor: &mut Cursor<'_>) -> Take<()> {
    text(cursor)?;
    text(cursor)
}

fn timed_pair(cursor: &mut Cursor<'_>) -> Take<()> {
    cursor.length("the deadline of a field")?;
    pair(cursor)
}

fn score_text(cursor: &mut Cursor<'_>) -> Take<()> {
    match cursor.byte("a score")? {
        SCORE_WORDS.. => Ok(()),
        len => cursor.take(len.into(), "a score").map(|_| ()),
    }
}

fn lengths(cursor: &mut Cursor<'_>, count: usize) -> Take<()> {
    (0..count).try_for_each(|_| cursor.length("the ids of a stream").map(|_| ()))
}

/// A stream in its form of this generation.
fn stream(cursor: &mut Cursor<'_>, generation: u8) -> Take<()> {
    each(cursor, pair)?;
    // Number of entries, last id; then first id, greatest deleted one, entries added.
    lengths(cursor, if generation >= 2 { 8 } else { 3 })?;
    each(cursor, |cursor| {
        text(cursor)?;
        // Last id; entries read.
        lengths(cursor, if generation >= 2 { 3 } else { 2 })?;
        each(cursor, |cursor| {
            cursor.take(ID_BYTES + TIME_BYTES, "a pending entry")?;
            cursor.length("a pending entry").map(|_| ())
        })?;
        each(cursor, |cursor| {
            text(cursor)?;
            // Seen; active.
            let times = if generation >= 3 { 2 } else { 1 };
            cursor.take(times * TIME_BYTES, "a consumer")?;
            let pending = cursor.length("a consumer")?;
            cursor.skip_pieces(pending, ID_BYTES, "the pending entries of a consumer")
        })
    })
}

/// The name in a module's id: nine letters of six bits each, above ten bits of a version.
pub(super) fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const VERSION_BITS: u32 = 10;
    let letter = |place: u32| LETTERS[(id >> (VERSION_BITS + 6 * place) & 0x3f) as usize];
    (0..9)
        .rev()
        .map(|place| char::from(letter(place)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named() {
        // "ReJSON-RL", version 3.
        let id = b"ReJSON-RL".iter().fold(0u64, |id, letter| {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                _ => 62,
            };
            id << 6 | u64::from(value)
        }) << 10
            | 3;
        let mut bytes = vec![0x81];
        bytes.extend(id.to_be_bytes());
        let fault = skip(kind::MODULE_2, &mut Cursor::new(&bytes));
        assert_eq!(
            fault,
            Err(Fault::Unknown {
                at: 0,
                what: "a value of the module type 'ReJSON-RL'".into()
            })
        );
    }
}
