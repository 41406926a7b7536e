//! HGETALL, HKEYS, HVALS key. <https://redis.io/commands/hgetall>

use super::hash_of;
use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

const BASE: Command = Command {
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::HASH).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "hash",
    since: "2.0.0",
    complexity: "O(N) in the number of fields",
    tips: &["nondeterministic_output_order"],
    arguments: &[Argument::KEY],
    ..Command::BASE
};

/// HGETALL.
pub(super) const HGETALL: Command = Command {
    name: "hgetall",
    full_name: "hgetall",
    summary: "Returns all fields of a hash with their values.",
    handler: |cx| list(cx, true, true),
    ..BASE
};

/// HKEYS.
pub(super) const HKEYS: Command = Command {
    name: "hkeys",
    full_name: "hkeys",
    summary: "Returns all fields of a hash.",
    handler: |cx| list(cx, true, false),
    ..BASE
};

/// HVALS.
pub(super) const HVALS: Command = Command {
    name: "hvals",
    full_name: "hvals",
    summary: "Returns the values of all fields of a hash.",
    handler: |cx| list(cx, false, true),
    ..BASE
};

fn list(cx: &mut Ctx<'_>, fields: bool, values: bool) -> Outcome {
    let (db, key, may_defer) = (cx.db(), cx.key(1), cx.may_defer);
    let entry = cx.keys.read(db, &key);
    let hash = hash_of(&entry)?;
    let len = hash.map_or(0, |hash| hash.len());
    if may_defer && Ctx::is_many(len) {
        return Ok(Flow::HeavyRead);
    }
    if fields && values {
        cx.reply.map(len);
    } else {
        cx.reply.array(len);
    }
    for (field, value) in hash.into_iter().flat_map(|hash| hash.iter()) {
        if fields {
            cx.reply.element(field);
        }
        if values {
            cx.reply.element(value);
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn lists_everything() {
        check(
            "HSET h a 1 b two; HGETALL h; HKEYS h; HVALS h; HGETALL none; HKEYS none",
            "2; [a 1 b two]; [a b]; [1 two]; []; []",
        );
        check(
            "SET s v; HGETALL s",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn is_a_map_in_resp3() {
        let mut console = Console::default();
        console.run("HSET h a 1");
        resp3(&mut console);
        assert_eq!(
            console.call(1, &[b"HGETALL", b"h"]),
            b"%1\r\n$1\r\na\r\n$1\r\n1\r\n"
        );
    }

    #[test]
    fn a_large_one_goes_to_the_auxiliary_thread_and_comes_back_whole() {
        let mut console = Console::default();
        for at in 0..250 {
            let fields: Vec<String> = (0..100).map(|n| format!("f{at}-{n} {n}")).collect();
            console.run(&format!("HSET h {}", fields.join(" ")));
        }
        assert_eq!(console.run("HLEN h"), "25000");
        assert_eq!(console.run("HKEYS h").split(' ').count(), 25_000);
        assert_eq!(console.run("HGETALL h").split(' ').count(), 50_000);
    }
}
