//! EXISTS key [key ...]: how many of the keys exist. <https://redis.io/commands/exists>

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// EXISTS.
pub(super) const EXISTS: Command = Command {
    name: "exists",
    full_name: "exists",
    arity: -2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::FAST),
    keys: &[KeySpec::rest(1, 1, &["RO"])],
    scope: Scope::Keys,
    group: "generic",
    complexity: "O(N) in the number of keys",
    summary: "Counts which of the keys exist; a key named twice counts twice.",
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    history: &[("3.0.3", "Takes several keys.")],
    arguments: &[Argument::KEY.multiple()],
    weight: Some(argument_count),
    handler: exists,
    ..Command::BASE
};

fn exists(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    let mut count = 0;
    for i in 1..cx.args.len() {
        let key = cx.key(i);
        let found = cx.keys.find(db, &key).is_some();
        cx.keys.count_lookup(found);
        if !found {
            cx.keys.missed(db, key.bytes);
        }
        count += i64::from(found);
    }
    cx.reply.integer(count);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts_each_mention() {
        check(
            "SET a 1; EXISTS a; EXISTS a a b; EXISTS b; EXISTS",
            "OK; 1; 2; 0; (error) ERR wrong number of arguments for 'exists' command",
        );
        check("SET a 1 PX 5; +5ms; EXISTS a", "OK; 0");
    }
}
