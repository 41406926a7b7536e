//! ZCARD key: number of members. <https://redis.io/commands/zcard>

use super::{FAST_READ, view};
use crate::command::{Argument, Command, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// ZCARD.
pub(super) const ZCARD: Command = Command {
    name: "zcard",
    full_name: "zcard",
    arity: 2,
    keys: &[KeySpec::one(1, &["RO"])],
    complexity: "O(1)",
    summary: "Counts the members of a sorted set.",
    arguments: &[Argument::KEY],
    handler: zcard,
    ..FAST_READ
};

fn zcard(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let len = match cx.keys.read(db, &key) {
        None => 0,
        Some(entry) => view(&entry)?.len(),
    };
    cx.reply.count(len);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts() {
        check(
            "ZCARD z; ZADD z 1 a 2 b; ZCARD z; ZREM z a; ZCARD z; SET s v; ZCARD s",
            "0; 2; 2; 1; 1; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
