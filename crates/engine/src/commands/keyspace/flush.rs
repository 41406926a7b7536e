//! FLUSHDB and FLUSHALL [ASYNC | SYNC]: empty one database or all. <https://redis.io/commands/flushall>
//!
//! Both modes do the same: whole dicts are handed to the freeing task, so neither makes anyone wait.

use dunlin_store::log::Arg;

use crate::command::{Argument, Categories, Command, Flags, Scope};
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// FLUSHALL.
pub(super) const FLUSHALL: Command = Command {
    name: "flushall",
    full_name: "flushall",
    arity: -1,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    scope: Scope::All,
    group: "server",
    complexity: "O(1): keys are freed in the background",
    summary: "Removes all keys from all databases.",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    history: &[("4.0.0", "Takes ASYNC."), ("6.2.0", "Takes SYNC.")],
    arguments: &[Argument::one_of(
        "flush-type",
        &[
            Argument::token("async", "ASYNC").since("4.0.0"),
            Argument::token("sync", "SYNC").since("6.2.0"),
        ],
    )
    .optional()],
    handler: flushall,
    ..Command::BASE
};

/// FLUSHDB.
pub(super) const FLUSHDB: Command = Command {
    name: "flushdb",
    full_name: "flushdb",
    summary: "Removes all keys from the selected database.",
    handler: flushdb,
    ..FLUSHALL
};

fn check_mode(args: Args<'_>) -> Result<(), ReplyError> {
    match args.len() {
        1 => Ok(()),
        2 if args.is(1, "sync") || args.is(1, "async") => Ok(()),
        _ => Err(ReplyError::Syntax),
    }
}

fn flushdb(cx: &mut Ctx<'_>) -> Outcome {
    check_mode(cx.args)?;
    let db = cx.db();
    cx.keys.flush(db);
    cx.keys.record_global(db, &[Arg::from("FLUSHDB")]);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn flushall(cx: &mut Ctx<'_>) -> Outcome {
    check_mode(cx.args)?;
    for db in 0..cx.engine.store.databases() as u32 {
        cx.keys.flush(db);
    }
    cx.keys.record_global(cx.db(), &[Arg::from("FLUSHALL")]);
    let may_wait = !cx.is_inside();
    if let Some(order) = cx.host.flushed_all(may_wait) {
        return Ok(Flow::Away(order));
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn empties_one_database_or_all() {
        let fill = "SET a 1; SET b 1 PX 50; SELECT 5; SET c 1";
        check(
            &format!(
                "{fill}; FLUSHDB; DBSIZE; SELECT 0; DBSIZE; flushdb async; KEYS *; SET a 2; GET a"
            ),
            "OK; OK; OK; OK; OK; 0; OK; 2; OK; []; OK; 2",
        );
        check(
            &format!("{fill}; FLUSHALL SYNC; DBSIZE; SELECT 0; DBSIZE; +60ms; SET b 2; GET b"),
            "OK; OK; OK; OK; OK; 0; OK; 0; OK; 2",
        );
    }

    #[test]
    fn refuses_other_modes() {
        check(
            "FLUSHALL NOW; FLUSHDB SYNC SYNC; FLUSHDB LATER",
            "(error) ERR syntax error; (error) ERR syntax error; (error) ERR syntax error",
        );
    }
}
