//! Commands on strings that are HyperLogLogs: see [`dunlin_structures::hyperloglog`].

mod pfadd;
mod pfcount;
mod pfdebug;
mod pfmerge;
mod pfselftest;

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use dunlin_store::{Entry, StrRef};
use dunlin_structures::hyperloglog::{self, Corrupted, Encoding};

use crate::command::{Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &pfadd::PFADD,
    &pfcount::PFCOUNT,
    &pfdebug::PFDEBUG,
    &pfmerge::PFMERGE,
    &pfselftest::PFSELFTEST,
];

/// Going through the registers of one takes about as long as touching so many elements of a collection.
const ELEMENTS_PER_SKETCH: usize = 200;

/// What the constant of a writing command starts from.
const WRITE: Command = Command {
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::HYPERLOGLOG)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "insert"])],
    scope: Scope::Keys,
    group: "hyperloglog",
    since: "2.8.9",
    ..Command::BASE
};

/// The HyperLogLog in an entry and its encoding. A dense one lies in its entry.
fn sketch(entry: &Entry) -> Result<(Cow<'_, [u8]>, Encoding), ReplyError> {
    let bytes = match entry.as_string().ok_or(ReplyError::WrongType)? {
        StrRef::Int(_) => None,
        StrRef::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
        // Only a sparse one can be so long; no other string is copied.
        text @ StrRef::Chunked(_) => {
            let mut head = [0; hyperloglog::HEADER_BYTES];
            text.copy_to(0, &mut head);
            let is_one = hyperloglog::encoding(&head) == Some(Encoding::Sparse);
            is_one.then(|| Cow::Owned(text.to_vec()))
        }
    };
    bytes
        .and_then(|bytes| {
            let encoding = hyperloglog::encoding(&bytes)?;
            Some((bytes, encoding))
        })
        .ok_or(ReplyError::NotHyperLogLog)
}

fn corrupted(_: Corrupted) -> ReplyError {
    ReplyError::CorruptedHyperLogLog
}

/// `hll-sparse-max-bytes`.
fn sparse_bytes_max(cx: &Ctx<'_>) -> usize {
    cx.engine.encodings.hll_sparse_bytes.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn other_strings_are_refused() {
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        let other = "(error) WRONGTYPE Key is not a valid HyperLogLog string value.";
        check(
            "LPUSH l a; PFADD l a; PFCOUNT l; PFCOUNT l l; PFMERGE d l; PFMERGE l; SET s HYLL; SET n 12; PFADD s a; PFADD n a; \
             PFCOUNT s; PFCOUNT s none; PFMERGE d s; PFMERGE n d; PFDEBUG ENCODING s; EXISTS d",
            &format!(
                "1; {wrong}; {wrong}; {wrong}; {wrong}; {wrong}; OK; OK; {other}; {other}; {other}; {other}; {other}; {other}; \
                 {other}; 0"
            ),
        );
        let mut console = Console::default();
        console.call(1, &[b"SET", b"s", &vec![b'x'; 100_000]]);
        assert_eq!(console.run("PFCOUNT s"), other);
    }

    #[test]
    fn corrupted_ones_are_noticed_and_stay_as_they_are() {
        let corrupted = "(error) INVALIDOBJ Corrupted HLL object detected";
        check(
            "PFADD h a b c; APPEND h hello; GETRANGE h 0 3; PFCOUNT h; PFCOUNT h h; PFMERGE d h; EXISTS d; PFDEBUG TODENSE h; \
             PFDEBUG GETREG h; STRLEN h",
            &format!(
                "1; 32; HYLL; {corrupted}; {corrupted}; {corrupted}; 0; {corrupted}; {corrupted}; 32"
            ),
        );
        let other = "(error) WRONGTYPE Key is not a valid HyperLogLog string value.";
        check(
            r#"PFADD h a b c; SETRANGE h 0 0123; PFCOUNT h; DEL h; PFADD h a; SETRANGE h 4 x; PFCOUNT h; SETRANGE h 4 "\x00"; PFCOUNT h"#,
            &format!("1; 27; {other}; 1; 1; 21; {other}; 21; {other}"),
        );
    }
}
