//! DBSIZE: number of keys. <https://redis.io/commands/dbsize>
//!
//! Sums what every stripe publishes and locks none. Keys that have expired count until they are removed, as in Redis.

use crate::command::{Categories, Command, Flags};
use crate::{Ctx, Flow, Outcome};

/// DBSIZE.
pub(super) const DBSIZE: Command = Command {
    name: "dbsize",
    full_name: "dbsize",
    arity: 1,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::FAST),
    group: "server",
    summary: "Returns the number of keys in the selected database.",
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    handler: dbsize,
    ..Command::BASE
};

fn dbsize(cx: &mut Ctx<'_>) -> Outcome {
    cx.keys.await_any();
    let keys = cx.engine.store.len(cx.db());
    cx.reply.count(keys as usize);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts_the_selected_database() {
        check(
            "DBSIZE; SET a 1; SET b 1 PX 5; DBSIZE; SELECT 1; DBSIZE; SELECT 0; DEL a b; DBSIZE",
            "0; OK; OK; 2; OK; 0; OK; 2; 0",
        );
        check("MULTI; SET a 1; DBSIZE; EXEC", "OK; QUEUED; QUEUED; [OK 1]");
    }
}
