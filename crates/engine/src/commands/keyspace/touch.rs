//! TOUCH key [key ...]: sets the access clocks of keys. <https://redis.io/commands/touch>

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// TOUCH.
pub(super) const TOUCH: Command = Command {
    name: "touch",
    full_name: "touch",
    arity: -2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::FAST),
    keys: &[KeySpec::rest(1, 1, &["RO"])],
    scope: Scope::Keys,
    group: "generic",
    since: "3.2.1",
    complexity: "O(N) in the number of keys",
    summary: "Marks keys as just accessed and counts those that exist.",
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    arguments: &[Argument::KEY.multiple()],
    weight: Some(argument_count),
    handler: touch,
    ..Command::BASE
};

fn touch(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    let mut count = 0;
    for i in 1..cx.args.len() {
        let key = cx.key(i);
        count += i64::from(cx.keys.read(db, &key).is_some());
    }
    cx.reply.integer(count);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn touching_ends_idleness() {
        check(
            "SET a 1; SET b 1; +7s; OBJECT IDLETIME a; TOUCH a nothing a; OBJECT IDLETIME a; OBJECT IDLETIME b",
            "OK; OK; 7; 2; 0; 7",
        );
        check(
            "SET a 1; +3s; TTL a; TYPE a; EXISTS a; OBJECT IDLETIME a",
            "OK; -1; string; 1; 3",
        );
    }
}
