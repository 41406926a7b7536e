//! MEMORY USAGE | HELP: what a key costs. <https://redis.io/commands/memory-usage>

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::server::help;
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// A key's share of its dict, bytes: a pointer and a fingerprint at the usual load.
pub const DICT_SHARE_BYTES: usize = 12;
/// A key's node in the wheel, if it has a deadline, bytes.
pub const TIMER_BYTES: usize = 24;

/// MEMORY.
pub(super) const MEMORY: Command = Command {
    name: "memory",
    full_name: "memory",
    arity: -2,
    categories: Categories::SLOW,
    group: "server",
    since: "4.0.0",
    complexity: "Depends on the subcommand",
    summary: "Tells what memory is used for.",
    subcommands: &[&HELP, &USAGE],
    ..Command::BASE
};

const USAGE: Command = Command {
    name: "usage",
    full_name: "memory|usage",
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::SLOW),
    keys: &[KeySpec::one(2, &["RO"])],
    scope: Scope::Keys,
    group: "server",
    since: "4.0.0",
    complexity: "O(N) in the number of the value's chunks",
    summary: "Returns the bytes that a key and its value take. Nothing is estimated, so SAMPLES changes nothing.",
    arguments: &[
        Argument::KEY,
        Argument::new("count", ArgKind::Integer)
            .with_token("SAMPLES")
            .optional(),
    ],
    handler: usage,
    ..Command::BASE
};

const HELP: Command = Command {
    name: "help",
    full_name: "memory|help",
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW,
    group: "server",
    since: "4.0.0",
    ..help::HELP
};

fn usage(cx: &mut Ctx<'_>) -> Outcome {
    for at in (3..cx.args.len()).step_by(2) {
        let samples = cx.args.get(at + 1).filter(|_| cx.args.is(at, "samples"));
        let samples = parse_i64(samples.ok_or(ReplyError::Syntax)?);
        if samples.ok_or(ReplyError::NotInteger)? < 0 {
            return Err(ReplyError::Syntax);
        }
    }
    let (db, key) = (cx.db(), cx.key(2));
    match cx.keys.peek(db, &key) {
        None => cx.reply.null(),
        Some(entry) => {
            let timer = if entry.deadline().is_some() {
                TIMER_BYTES
            } else {
                0
            };
            let own = entry.allocated_bytes() + DICT_SHARE_BYTES + timer;
            cx.reply.count(own + entry.outside_bytes());
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn counts_everything() {
        let mut console = Console::default();
        let mut bytes = |lines: &str| -> usize {
            let reply = console.run(lines);
            let last = reply.rsplit("; ").next().unwrap_or_default();
            last.parse().expect("a number")
        };
        assert_eq!(bytes("SET k v; MEMORY USAGE k"), 16 + 12);
        let long = bytes(&format!(
            "SET k {}; MEMORY USAGE k SAMPLES 5",
            "x".repeat(200_000)
        ));
        assert!((200_000..210_000).contains(&long), "{long}");
        let hash = bytes(&format!("HSET h f {}; MEMORY USAGE h", "x".repeat(5_000)));
        assert!((5_000..7_000).contains(&hash), "{hash}");
    }

    #[test]
    fn options() {
        check(
            "MEMORY USAGE k; SET k v; MEMORY USAGE k SAMPLES; MEMORY USAGE k SAMPLES -1; MEMORY USAGE k SAMPLES x; MEMORY USAGE k FOO 1",
            "nil; OK; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error",
        );
    }
}
