//! LSET key index element: another text for an element. <https://redis.io/commands/lset>

use dunlin_store::Event;
use dunlin_store::list;

use super::{check_element, fill, integer, length, resolve};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LSET.
pub(super) const LSET: Command = Command {
    name: "lset",
    full_name: "lset",
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(log N) in the length of the list",
    summary: "Replaces the element of a list at an index.",
    arguments: &[
        Argument::KEY,
        Argument::new("index", ArgKind::Integer),
        Argument::new("element", ArgKind::String),
    ],
    handler: lset,
    ..Command::BASE
};

fn lset(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, text) = (cx.db(), cx.key(1), cx.args.at(3));
    let found = cx.keys.find(db, &key).ok_or(ReplyError::NoSuchKey)?;
    let len = length(cx, found)?;
    let index = integer(cx, 2)?;
    check_element(text)?;
    let index = resolve(index, len).ok_or(ReplyError::IndexOutOfRange)?;
    let fill = fill(cx.engine);
    cx.keys
        .update(found, |entry| list::set(entry, index, text, fill));
    cx.record_verbatim(key.bytes, Event::list("lset"));
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::testing::{Console, check};

    #[test]
    fn replaces_one() {
        check(
            "RPUSH k a b c; LSET k 1 12; LSET k -1 long; LSET k 0 \"\"; LRANGE k 0 -1",
            "3; OK; OK; OK; [ 12 long]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "LSET k x a; RPUSH k a; LSET k 1 b; LSET k -2 b; LSET k x b; SET s v; LSET s x b; LRANGE k 0 -1",
            "(error) ERR no such key; 1; (error) ERR index out of range; (error) ERR index out of range; \
             (error) ERR value is not an integer or out of range; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; [a]",
        );
    }

    #[test]
    fn the_encoding_follows() {
        let long = "x".repeat(4096);
        let mut console = Console::default();
        console
            .engine
            .encodings
            .list_size
            .store(-1, Ordering::Relaxed);
        assert_eq!(
            console.run(&format!(
                "RPUSH k a b; LSET k 0 {long}; OBJECT ENCODING k; LSET k 0 c; OBJECT ENCODING k; LRANGE k 0 -1"
            )),
            "2; OK; quicklist; OK; listpack; [c b]"
        );
    }
}
