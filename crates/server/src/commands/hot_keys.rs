//! HOTKEYS [COUNT count]: the keys that are asked for most, of the last minute for the most part.
//!
//! An estimate: one command in `hot-keys-sample-every` is looked at, and of a command with many keys the first.

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::host;

/// Keys returned unless asked for more or less.
const COUNT_DEFAULT: usize = 10;

/// HOTKEYS.
pub(super) const HOTKEYS: Command = Command {
    name: "hotkeys",
    full_name: "hotkeys",
    arity: -1,
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    since: "7.2.0",
    complexity: "O(W) in the number of workers",
    summary: "Returns the keys that most commands name, an estimate of the last minute: key, database, commands a second, percent of all.",
    tips: &[
        "request_policy:all_shards",
        "response_policy:special",
        "nondeterministic_output",
    ],
    arguments: &[COUNT],
    handler: hot_keys,
    ..Command::BASE
};

/// How many keys are wanted, the same for BIGKEYS.
pub(super) const COUNT: Argument = Argument::new("count", ArgKind::Integer)
    .with_token("COUNT")
    .optional();

fn hot_keys(cx: &mut Ctx<'_>) -> Outcome {
    let count = match cx.args.len() {
        1 => COUNT_DEFAULT,
        3 if cx.args.is(1, "count") => positive(cx, 2)?,
        _ => return Err(ReplyError::Syntax),
    };
    let host = host(cx);
    let now_ms = host.clock.monotonic_us() / 1_000;
    let observer = &host.shared.observer;
    if observer.hot_keys.every() == 0 {
        return Err(ReplyError::err(
            "HOTKEYS looks at nothing while hot-keys-sample-every is 0: set it to 128, say",
        ));
    }
    let hot = observer.hot_keys.top(now_ms, count);
    cx.reply.array(hot.len());
    for key in hot {
        cx.reply.map(4);
        cx.reply.bulk(b"key");
        cx.reply.bulk(&key.key);
        cx.reply.bulk(b"db");
        cx.reply.integer(i64::from(key.db));
        cx.reply.bulk(b"rate");
        cx.reply.double((key.rate * 10.0).round() / 10.0);
        cx.reply.bulk(b"percent");
        cx.reply.double((key.share * 10_000.0).round() / 100.0);
    }
    Ok(Flow::Done)
}

/// A number above 0 from an argument.
pub(super) fn positive(cx: &Ctx<'_>, at: usize) -> Result<usize, ReplyError> {
    let number = dunlin_engine::number::parse_i64(cx.args.at(at)).ok_or(ReplyError::NotInteger)?;
    usize::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| ReplyError::err("value is out of range, must be positive"))
}

#[cfg(test)]
mod tests {
    use dunlin_engine::testing::START_MS;

    use crate::commands::testing::{Console, check};
    use crate::config::Config;

    #[test]
    fn bad_input() {
        check(
            "HOTKEYS COUNT; HOTKEYS COUNT 0; HOTKEYS COUNT x; HOTKEYS OTHER 3; HOTKEYS COUNT 1 2",
            "(error) ERR syntax error; (error) ERR value is out of range, must be positive; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error; (error) ERR syntax error",
        );
    }

    #[test]
    fn tells_rate_and_share() {
        let mut console = Console::new(Config::default());
        let hot = &console.shared.clone().observer.hot_keys;
        hot.set_every(100);
        for seconds_ago in (0..8).rev() {
            let now_ms = START_MS - seconds_ago * 1_000;
            hot.count(0, now_ms, (0, b"a"), 1, 1);
            hot.count(0, now_ms, (3, b"b"), 2, 1);
            hot.count(0, now_ms, (3, b"b"), 2, 2);
        }
        let all = console.run("HOTKEYS");
        assert!(all.contains("[key b db 3 rate "), "{all}");
        let first = console.run("HOTKEYS COUNT 1");
        assert!(
            first.starts_with("[[key b db 3 rate ") && first.ends_with(" percent 75]]"),
            "{first}"
        );
        hot.set_every(0);
        assert!(
            console
                .run("HOTKEYS")
                .starts_with("(error) ERR HOTKEYS looks at nothing")
        );
    }
}
