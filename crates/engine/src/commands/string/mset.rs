//! MSET and MSETNX key value [key value ...]: store several strings at one moment. <https://redis.io/commands/mset>

use dunlin_store::{Event, NewString, Ttl};

use super::argument_count;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// MSET.
pub(super) const MSET: Command = Command {
    name: "mset",
    full_name: "mset",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::SLOW),
    keys: &[KeySpec::rest(1, 2, &["OW", "update"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.1",
    complexity: "O(N) in the number of keys",
    summary: "Stores strings under several keys, all at one moment.",
    tips: &[
        "request_policy:multi_shard",
        "response_policy:all_succeeded",
    ],
    arguments: &[Argument::block(
        "data",
        &[Argument::KEY, Argument::new("value", ArgKind::String)],
    )
    .multiple()],
    weight: Some(argument_count),
    handler: mset,
    ..Command::BASE
};

/// MSETNX.
pub(super) const MSETNX: Command = Command {
    name: "msetnx",
    full_name: "msetnx",
    keys: &[KeySpec::rest(1, 2, &["OW", "insert"])],
    summary: "Stores strings under several keys, all at one moment, if none of the keys exists.",
    tips: &[],
    handler: msetnx,
    ..MSET
};

fn mset(cx: &mut Ctx<'_>) -> Outcome {
    check_pairs(cx)?;
    store_pairs(cx);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn msetnx(cx: &mut Ctx<'_>) -> Outcome {
    check_pairs(cx)?;
    let stored = !(1..cx.args.len()).step_by(2).any(|i| cx.find(i).is_some());
    if stored {
        store_pairs(cx);
    }
    cx.reply.integer(i64::from(stored));
    Ok(Flow::Done)
}

/// A key without a value counts as a wrong number of arguments.
fn check_pairs(cx: &Ctx<'_>) -> Result<(), ReplyError> {
    if cx.args.len().is_multiple_of(2) {
        Err(ReplyError::WrongArity(cx.command.full_name))
    } else {
        Ok(())
    }
}

/// Stores all pairs, then records them as one effect: the DELs of expired keys that storing comes upon stand before it.
fn store_pairs(cx: &mut Ctx<'_>) {
    let db = cx.db();
    for i in (1..cx.args.len()).step_by(2) {
        let key = cx.key(i);
        cx.keys
            .put_string(db, &key, NewString::new(cx.args.at(i + 1)), Ttl::Clear);
    }
    let set = Event::string("set");
    cx.record_verbatim(cx.args.at(1), set);
    for i in (3..cx.args.len()).step_by(2) {
        cx.keys.changed(db, cx.args.at(i), set);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn mset_stores_all() {
        check(
            "MSET x 10 y \"foo bar\" z \"\"; MGET x y z",
            "OK; [10 foo bar ]",
        );
        check("MSET x 1 x 2; GET x", "OK; 2");
        check("SET x 0 PX 5; MSET x 1; +5ms; GET x", "OK; OK; 1");
    }

    #[test]
    fn msetnx_stores_all_or_nothing() {
        check(
            "SET x 1; MSETNX y 2 x 3; MGET x y; MSETNX y 2 z 3; MGET y z",
            "OK; 0; [1 nil]; 1; [2 3]",
        );
        check(
            "MSETNX a 1 a 2; GET a; MSETNX b 1 a 1; KEYS *",
            "1; 2; 0; [a]",
        );
        check("SET x 1 PX 5; +5ms; MSETNX x 2 y 3", "OK; 1");
    }

    #[test]
    fn pairs_must_be_whole() {
        for command in ["mset", "msetnx"] {
            let error = format!("(error) ERR wrong number of arguments for '{command}' command");
            check(
                &format!("{command} x 1 y; {command} x; KEYS *"),
                &format!("{error}; {error}; []"),
            );
            check(
                &format!("MULTI; {command} x 1 y; EXEC"),
                &format!("OK; QUEUED; [(error) {}]", &error[8..]),
            );
        }
    }

    #[test]
    fn every_watched_key_trips() {
        for key in ["a", "b", "c"] {
            check(
                &format!("WATCH {key}; 2> MSET a 1 b 2 c 3; MULTI; GET a; EXEC"),
                "OK; OK; OK; QUEUED; nil",
            );
        }
        check(
            "WATCH d; 2> MSET a 1 b 2 c 3; MULTI; GET a; EXEC",
            "OK; OK; OK; QUEUED; [1]",
        );
    }
}
