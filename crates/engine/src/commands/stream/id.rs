//! Ids as arguments: `ms-seq`, `ms`, `-` and `+`, `(` before an end that is outside; of a new entry also `*` and `ms-*`.

use dunlin_store::stream::Id;

use crate::ReplyError;

/// Longest text that is an id.
const TEXT_BYTES_MAX: usize = 127;

fn invalid() -> ReplyError {
    ReplyError::err("Invalid stream ID specified as stream command argument")
}

/// An unsigned number. As in Redis, other forms than the canonical one are read as C's strtoull reads them: blanks and a sign before,
/// leading zeros.
fn number(text: &[u8]) -> Option<u64> {
    let text = match text {
        [b'1'..=b'9', ..] => text,
        _ => {
            let blanks = text
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'));
            match &text[blanks.count()..] {
                [b'+', rest @ ..] => rest,
                rest => rest,
            }
        }
    };
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok()
}

/// `ms-seq` or `ms`, which gets this `seq`.
fn plain(text: &[u8], missing_seq: u64) -> Result<Id, ReplyError> {
    let parsed = || {
        let (ms, seq) = match text.iter().position(|byte| *byte == b'-') {
            None => (text, None),
            Some(at) => (&text[..at], Some(&text[at + 1..])),
        };
        let ms = number(ms)?;
        let seq = seq.map_or(Some(missing_seq), number)?;
        Some(Id { ms, seq })
    };
    (text.len() <= TEXT_BYTES_MAX)
        .then(parsed)
        .flatten()
        .ok_or_else(invalid)
}

/// An id.
pub(super) fn strict(text: &[u8]) -> Result<Id, ReplyError> {
    plain(text, 0)
}

/// An id, `-` for the smallest or `+` for the greatest.
pub(super) fn loose(text: &[u8], missing_seq: u64) -> Result<Id, ReplyError> {
    match text {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => plain(text, missing_seq),
    }
}

/// Where a range begins.
pub(super) fn range_start(text: &[u8]) -> Result<Id, ReplyError> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => strict(rest)?
            .next()
            .ok_or_else(|| ReplyError::err("invalid start ID for the interval")),
        _ => loose(text, 0),
    }
}

/// Where a range ends.
pub(super) fn range_end(text: &[u8]) -> Result<Id, ReplyError> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => plain(rest, u64::MAX)?
            .previous()
            .ok_or_else(|| ReplyError::err("invalid end ID for the interval")),
        _ => loose(text, u64::MAX),
    }
}

/// The id that a new entry is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: the time, or the one behind the last.
    Auto,
    /// `ms-*`: the first free one of this millisecond.
    AutoSeq(u64),
    /// This one.
    Given(Id),
}

impl NewId {
    pub(super) fn parse(text: &[u8]) -> Result<NewId, ReplyError> {
        if let Some(ms) = text.strip_suffix(b"-*")
            && !ms.contains(&b'-')
        {
            return plain(ms, 0).map(|id| NewId::AutoSeq(id.ms));
        }
        strict(text).map(NewId::Given)
    }

    /// The id itself, if it is above the last one.
    pub(super) fn resolve(self, last: Id, now_ms: u64) -> Option<Id> {
        let id = match self {
            NewId::Auto if now_ms > last.ms => Id::new(now_ms, 0),
            NewId::Auto => last.next()?,
            NewId::AutoSeq(ms) if ms == last.ms => Id::new(ms, last.seq.checked_add(1)?),
            NewId::AutoSeq(ms) => Id::new(ms, 0),
            NewId::Given(id) => id,
        };
        (id > last).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, expected) in [
            ("5-3", Some((5, 3))),
            ("5", Some((5, 0))),
            ("0-0", Some((0, 0))),
            (
                "18446744073709551615-18446744073709551615",
                Some((u64::MAX, u64::MAX)),
            ),
            ("05-003", Some((5, 3))),
            (" 5-+3", Some((5, 3))),
            ("18446744073709551616", None),
            ("1-18446744073709551616", None),
            ("", None),
            ("-", None),
            ("+", None),
            ("-5", None),
            ("5-", None),
            ("5-3-1", None),
            ("5-*", None),
            ("x", None),
            ("5 ", None),
        ] {
            let id = strict(text.as_bytes()).ok();
            assert_eq!(id.map(|id| (id.ms, id.seq)), expected, "{text:?}");
        }
        assert!(strict(&[b'0'; 128]).is_err());
        assert!(strict(&[b'0'; 127]).is_ok());
    }

    #[test]
    fn ends_of_ranges() {
        let start = |text: &str| range_start(text.as_bytes()).ok();
        let end = |text: &str| range_end(text.as_bytes()).ok();
        assert_eq!((start("-"), end("+")), (Some(Id::MIN), Some(Id::MAX)));
        assert_eq!(
            (start("5"), end("5")),
            (Some(Id::new(5, 0)), Some(Id::new(5, u64::MAX)))
        );
        assert_eq!(
            (start("(5-1"), end("(5-1")),
            (Some(Id::new(5, 2)), Some(Id::new(5, 0)))
        );
        assert_eq!(end("(5"), Some(Id::new(5, u64::MAX - 1)));
        assert_eq!(
            (
                start("(18446744073709551615-18446744073709551615"),
                end("(0-0")
            ),
            (None, None)
        );
        assert_eq!((start("(-"), end("(+"), start("(")), (None, None, None));
    }

    #[test]
    fn new_ids() {
        let parse = |text: &str| NewId::parse(text.as_bytes()).ok();
        assert_eq!(parse("7-*"), Some(NewId::AutoSeq(7)));
        assert_eq!(parse("7"), Some(NewId::Given(Id::new(7, 0))));
        assert_eq!(
            (parse("-*"), parse("1-2-*"), parse("*")),
            (None, None, None)
        );
        let last = Id::new(100, 5);
        let resolve = |id: NewId| id.resolve(last, 90);
        assert_eq!(resolve(NewId::Auto), Some(Id::new(100, 6)));
        assert_eq!(NewId::Auto.resolve(last, 101), Some(Id::new(101, 0)));
        assert_eq!(resolve(NewId::AutoSeq(100)), Some(Id::new(100, 6)));
        assert_eq!(resolve(NewId::AutoSeq(99)), None);
        assert_eq!(resolve(NewId::Given(last)), None);
        assert_eq!(NewId::AutoSeq(5).resolve(Id::new(5, u64::MAX), 0), None);
        assert_eq!(NewId::Auto.resolve(Id::MAX, 7), None);
    }
}
