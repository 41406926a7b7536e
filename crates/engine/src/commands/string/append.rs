//! APPEND key value: adds bytes at the end of a string. <https://redis.io/commands/append>

use dunlin_store::{Event, NewString, Ttl};

use super::check_length;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// APPEND.
pub(super) const APPEND: Command = Command {
    name: "append",
    full_name: "append",
    arity: 3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "insert"])],
    scope: Scope::Keys,
    group: "string",
    since: "2.0.0",
    complexity: "O(N) in the bytes added, amortised",
    summary: "Adds bytes at the end of a string, which is made if it does not exist.",
    arguments: &[Argument::KEY, Argument::new("value", ArgKind::String)],
    handler: append,
    ..Command::BASE
};

fn append(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, value) = (cx.db(), cx.key(1), cx.args.at(2));
    let len = match cx.keys.find(db, &key) {
        None => {
            cx.keys
                .put_string(db, &key, NewString::new(value), Ttl::Clear);
            value.len()
        }
        Some(found) => {
            let old_len = cx
                .keys
                .entry(found)
                .as_string()
                .ok_or(ReplyError::WrongType)?
                .len();
            let len = check_length(cx, old_len, value.len())?;
            cx.keys
                .update(found, |entry| entry.with_range(old_len, value));
            len
        }
    };
    cx.record_verbatim(key.bytes, Event::string("append"));
    cx.reply.integer(len as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn adds_to_what_is_there() {
        check(
            "APPEND k foo; GET k; APPEND k bar; GET k; STRLEN k",
            "3; foo; 6; foobar; 6",
        );
        check(
            "SET k 12; APPEND k 3; GET k; INCR k; APPEND k \"\"; GET k",
            "OK; 3; 123; 124; 3; 124",
        );
        check(
            "SET k v PX 100; APPEND k w; +99ms; GET k; +1ms; GET k",
            "OK; 2; vw; nil",
        );
        check(
            "APPEND k",
            "(error) ERR wrong number of arguments for 'append' command",
        );
    }

    #[test]
    fn stops_at_the_longest_string() {
        let mut console = Console::default();
        console
            .engine
            .bulk_bytes_max
            .store(8, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(
            console.run("SET k 12345; APPEND k 678; APPEND k 9; APPEND k \"\"; GET k"),
            "OK; 8; (error) ERR string exceeds maximum allowed size (proto-max-bulk-len); 8; 12345678"
        );
    }
}
