//! TTL, PTTL, EXPIRETIME, PEXPIRETIME: how long a key lives, or until when. <https://redis.io/commands/ttl>

use crate::command::{Argument, Categories, Command, Flags, Handler, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// Milliseconds of a second.
const SECOND_MS: u64 = 1000;

/// TTL.
pub(super) const TTL: Command = Command {
    summary: "Returns the seconds that a key has left to live.",
    tips: &["nondeterministic_output"],
    history: &[("2.8.0", "Answers -2 for a key that does not exist.")],
    ..command("ttl", "1.0.0", |cx| reply(cx, false, true))
};

/// PTTL.
pub(super) const PTTL: Command = Command {
    summary: "Returns the milliseconds that a key has left to live.",
    tips: &["nondeterministic_output"],
    history: &[("2.8.0", "Answers -2 for a key that does not exist.")],
    ..command("pttl", "2.6.0", |cx| reply(cx, false, false))
};

/// EXPIRETIME.
pub(super) const EXPIRETIME: Command = Command {
    summary: "Returns when a key expires, in seconds since 1970.",
    ..command("expiretime", "7.0.0", |cx| reply(cx, true, true))
};

/// PEXPIRETIME.
pub(super) const PEXPIRETIME: Command = Command {
    summary: "Returns when a key expires, in milliseconds since 1970.",
    ..command("pexpiretime", "7.0.0", |cx| reply(cx, true, false))
};

const KEY: &[Argument] = &[Argument::KEY];
const KEYS: &[KeySpec] = &[KeySpec::one(1, &["RO", "access"])];

const fn command(name: &'static str, since: &'static str, handler: Handler) -> Command {
    Command {
        name,
        full_name: name,
        arity: 2,
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Categories::KEYSPACE
            .and(Categories::READ)
            .and(Categories::FAST),
        keys: KEYS,
        scope: Scope::Keys,
        group: "generic",
        since,
        arguments: KEY,
        handler,
        ..Command::BASE
    }
}

/// -2 without key, -1 without deadline; seconds are rounded to the nearest.
fn reply(cx: &mut Ctx<'_>, absolute: bool, seconds: bool) -> Outcome {
    let (db, key, now) = (cx.db(), cx.key(1), cx.keys.now_ms());
    let deadline = cx.keys.peek(db, &key).map(|entry| entry.deadline());
    cx.keys.count_lookup(deadline.is_some());
    match deadline {
        None => {
            cx.keys.missed(db, key.bytes);
            cx.reply.integer(-2);
        }
        Some(None) => cx.reply.integer(-1),
        Some(Some(at)) => {
            let ms = if absolute { at } else { at.saturating_sub(now) };
            let shown = if seconds {
                (ms + SECOND_MS / 2) / SECOND_MS
            } else {
                ms
            };
            cx.reply.integer(shown as i64);
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn the_four_ways_to_tell_a_deadline() {
        // The console's clock starts at 1,700,000,000,000.
        check(
            "SET k v PX 10500; TTL k; PTTL k; EXPIRETIME k; PEXPIRETIME k; +4001ms; TTL k",
            "OK; 11; 10500; 1700000011; 1700000010500; 6",
        );
        check("SET k v PX 499; TTL k; +499ms; TTL k", "OK; 0; -2");
    }

    #[test]
    fn without_deadline_or_key() {
        check(
            "SET k v; TTL k; PTTL k; EXPIRETIME k; PEXPIRETIME k; TTL n; PTTL n; EXPIRETIME n; PEXPIRETIME n",
            "OK; -1; -1; -1; -1; -2; -2; -2; -2",
        );
    }
}
