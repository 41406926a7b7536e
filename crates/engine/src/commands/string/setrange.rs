//! SETRANGE key offset value: writes into a string. <https://redis.io/commands/setrange>

use dunlin_store::{Entry, Event, NewString};

use super::check_length;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SETRANGE.
pub(super) const SETRANGE: Command = Command {
    name: "setrange",
    full_name: "setrange",
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    scope: Scope::Keys,
    group: "string",
    since: "2.2.0",
    complexity: "O(N) in the bytes written",
    summary: "Writes bytes into a string from an offset on, with zeros before it where the string was shorter.",
    arguments: &[
        Argument::KEY,
        Argument::new("offset", ArgKind::Integer),
        Argument::new("value", ArgKind::String),
    ],
    handler: setrange,
    ..Command::BASE
};

fn setrange(cx: &mut Ctx<'_>) -> Outcome {
    let offset = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let offset = usize::try_from(offset).map_err(|_| ReplyError::OffsetOutOfRange)?;
    let (db, key, value) = (cx.db(), cx.key(1), cx.args.at(3));
    let found = cx.keys.find(db, &key);
    let old_len = match found {
        None => 0,
        Some(found) => cx
            .keys
            .entry(found)
            .as_string()
            .ok_or(ReplyError::WrongType)?
            .len(),
    };
    if value.is_empty() {
        cx.reply.integer(old_len as i64);
        return Ok(Flow::Done);
    }
    let end = check_length(cx, offset, value.len())?;
    match found {
        Some(found) => cx
            .keys
            .update(found, |entry| entry.with_range(offset, value)),
        None => {
            let empty = Entry::string(key.bytes, NewString::Raw(b""), cx.keys.local().clock);
            cx.keys
                .put_entry(db, &key, empty.with_range(offset, value), None);
        }
    }
    cx.record_verbatim(key.bytes, Event::string("setrange"));
    cx.reply.integer(old_len.max(end) as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn writes_inside_behind_and_far_behind() {
        check(
            "SET k \"Hello World\"; SETRANGE k 6 Redis; GET k",
            "OK; 11; Hello Redis",
        );
        check(
            "SETRANGE k 0 foo; SETRANGE k 5 b; GET k; SETRANGE k 1 aaaaaaaa; GET k",
            r"3; 6; foo\x00\x00b; 9; faaaaaaaa",
        );
        check(
            "SETRANGE k 2 x; GET k; SET n 1234; SETRANGE n 1 x; GET n",
            r"3; \x00\x00x; OK; 4; 1x34",
        );
        check("SET k v PX 9; SETRANGE k 1 w; +9ms; GET k", "OK; 2; nil");
    }

    #[test]
    fn writing_nothing_changes_nothing() {
        check(
            "SETRANGE k 10 \"\"; KEYS *; SET k 5; SETRANGE k 10 \"\"; GET k",
            "0; []; OK; 1; 5",
        );
        check("SETRANGE k 9223372036854775807 \"\"", "0");
        check(
            "SET k v; WATCH k; 2> SETRANGE k 1 \"\"; MULTI; GET k; EXEC",
            "OK; OK; 1; OK; QUEUED; [v]",
        );
    }

    #[test]
    fn offsets_have_limits() {
        check(
            "SETRANGE k -1 v; KEYS *",
            "(error) ERR offset is out of range; []",
        );
        check(
            "SETRANGE k x v",
            "(error) ERR value is not an integer or out of range",
        );
        let error = "(error) ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        for offset in ["536870912", "9223372036854775807", "4294967296"] {
            check(
                &format!("SETRANGE k {offset} v; SET k a; SETRANGE k {offset} v; GET k"),
                &format!("{error}; OK; {error}; a"),
            );
        }
        check(
            "SETRANGE k 536870911 v; STRLEN k; GETRANGE k -2 -1",
            r"536870912; 536870912; \x00v",
        );
    }
}
