//! LRANGE key start stop: elements between two indices. <https://redis.io/commands/lrange>

use dunlin_store::list::ListRef;

use super::{integer, span};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LRANGE.
pub(super) const LRANGE: Command = Command {
    name: "lrange",
    full_name: "lrange",
    arity: 4,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::LIST).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(log L + N) for N elements returned from a list of L",
    summary: "Returns the elements of a list from one index to another.",
    arguments: &[
        Argument::KEY,
        Argument::new("start", ArgKind::Integer),
        Argument::new("stop", ArgKind::Integer),
    ],
    handler: lrange,
    ..Command::BASE
};

fn lrange(cx: &mut Ctx<'_>) -> Outcome {
    let (start, stop) = (integer(cx, 2)?, integer(cx, 3)?);
    let (db, key) = (cx.db(), cx.key(1));
    // Looked up twice only where the arguments alone don't tell that it is short.
    if cx.is_heavy(span(start, stop, usize::MAX >> 1).len()) {
        let len = cx.keys.elements(db, key.bytes) as usize;
        if cx.is_heavy(span(start, stop, len).len()) {
            return Ok(Flow::HeavyRead);
        }
    }
    let Some(entry) = cx.keys.read(db, &key) else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
    let range = span(start, stop, list.len());
    cx.reply.array(range.len());
    list.range(range)
        .for_each(|element| element.with_text(|text| cx.reply.bulk(text)));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn ranges() {
        check(
            "RPUSH k a b 3 d; LRANGE k 0 -1; LRANGE k 1 2; LRANGE k -2 100; LRANGE k 2 1; LRANGE k 4 9; LRANGE k -100 0",
            "4; [a b 3 d]; [b 3]; [3 d]; []; []; [a]",
        );
        check(
            "LRANGE k 0 -1; RPUSH k a; LRANGE k -9223372036854775808 9223372036854775807",
            "[]; 1; [a]",
        );
    }

    #[test]
    fn arguments_come_before_the_key() {
        check(
            "SET s v; LRANGE s x 1; LRANGE nosuch 0 1.5; LRANGE s 0 1",
            "OK; (error) ERR value is not an integer or out of range; \
             (error) ERR value is not an integer or out of range; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn of_a_long_list() {
        let mut console = Console::default();
        let many: Vec<String> = (0..30_000).map(|n| n.to_string()).collect();
        console.run(&format!("RPUSH k {}", many.join(" ")));
        assert_eq!(console.run("OBJECT ENCODING k"), "quicklist");
        assert_eq!(
            console.run("LRANGE k 0 -1"),
            format!("[{}]", many.join(" "))
        );
        assert_eq!(
            console.run("LRANGE k 20000 20002; MULTI; LRANGE k -3 -1; EXEC"),
            "[20000 20001 20002]; OK; QUEUED; [[29997 29998 29999]]"
        );
    }
}
