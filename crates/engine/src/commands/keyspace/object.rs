//! OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT | HELP: how a value is kept. <https://redis.io/commands/object>

use dunlin_store::{Kind, StrRef};

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::server::help;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// Redis keeps one object for each integer below this.
const SHARED_INTEGERS: i64 = 10_000;
/// What Redis reports as the reference count of such an object.
const SHARED_REFCOUNT: i64 = i32::MAX as i64;
/// Bits of the access clock, which counts seconds.
const CLOCK_MASK: u32 = 0x00ff_ffff;

/// OBJECT.
pub(super) const OBJECT: Command = Command {
    name: "object",
    full_name: "object",
    arity: -2,
    categories: Categories::SLOW,
    group: "generic",
    since: "2.2.3",
    complexity: "Depends on the subcommand",
    summary: "Tells how values are kept.",
    subcommands: &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
    ..Command::BASE
};

const ENCODING: Command = Command {
    summary: "Names the encoding of a value.",
    ..FAMILY.subcommand("encoding", "object|encoding", encoding)
};

const FREQ: Command = Command {
    since: "4.0.0",
    summary: "Returns the logarithmic counter of accesses that an LFU policy keeps.",
    ..FAMILY.subcommand("freq", "object|freq", freq)
};

const IDLETIME: Command = Command {
    summary: "Returns the seconds since a key was last accessed.",
    ..FAMILY.subcommand("idletime", "object|idletime", idletime)
};

const REFCOUNT: Command = Command {
    summary: "Returns how often a value is referenced.",
    ..FAMILY.subcommand("refcount", "object|refcount", refcount)
};

const HELP: Command = Command {
    name: "help",
    full_name: "object|help",
    arity: 2,
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::KEYSPACE.and(Categories::SLOW),
    group: "generic",
    since: "6.2.0",
    ..help::HELP
};

const KEY: &[Argument] = &[Argument::KEY];
const KEYS: &[KeySpec] = &[KeySpec::one(2, &["RO"])];

/// What the subcommands have in common.
const FAMILY: Command = Command {
    arity: 3,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::SLOW),
    keys: KEYS,
    scope: Scope::Keys,
    group: "generic",
    since: "2.2.3",
    tips: &["nondeterministic_output"],
    arguments: KEY,
    ..Command::BASE
};

fn encoding(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(2));
    let name = cx
        .keys
        .peek(db, &key)
        .map(|entry| entry.kind().encoding_name());
    cx.keys.count_lookup(name.is_some());
    match name {
        Some(name) => cx.reply.bulk(name.as_bytes()),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

fn freq(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(2));
    let now_ms = cx.keys.now_ms();
    let clock = cx.keys.peek(db, &key).map(|entry| entry.clock());
    cx.keys.count_lookup(clock.is_some());
    let eviction = &cx.engine.store.eviction;
    match clock {
        None => cx.reply.null(),
        Some(_) if !eviction.policy().is_lfu() => return Err(ReplyError::NoFrequencies),
        Some(clock) => cx
            .reply
            .integer(i64::from(eviction.frequency(clock, now_ms))),
    }
    Ok(Flow::Done)
}

fn idletime(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(2));
    let clock = cx.keys.peek(db, &key).map(|entry| entry.clock());
    cx.keys.count_lookup(clock.is_some());
    match clock {
        Some(_) if cx.engine.store.eviction.policy().is_lfu() => {
            return Err(ReplyError::NoIdleTimes);
        }
        Some(clock) => {
            let now = cx.keys.local().clock;
            let idle = now.wrapping_sub(clock) & CLOCK_MASK;
            // Another worker's clock may be a second ahead: that is not an idle time of half a year.
            let idle = if idle > CLOCK_MASK / 2 { 0 } else { idle };
            cx.reply.integer(i64::from(idle));
        }
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

fn refcount(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(2));
    // Redis shares small integers unless each key needs a clock of its own.
    let eviction = &cx.engine.store.eviction;
    let shares = !eviction.is_on() || !eviction.policy().needs_clocks();
    let count = cx.keys.peek(db, &key).map(|entry| match entry.as_string() {
        Some(StrRef::Int(0..SHARED_INTEGERS)) if shares && entry.kind() == Kind::Int => {
            SHARED_REFCOUNT
        }
        _ => 1,
    });
    cx.keys.count_lookup(count.is_some());
    match count {
        Some(count) => cx.reply.integer(count),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn encodings() {
        let long = "x".repeat(45);
        check(
            &format!(
                "SET k 12; OBJECT ENCODING k; SET k abc; OBJECT ENCODING k; SET k {long}; OBJECT ENCODING k"
            ),
            "OK; int; OK; embstr; OK; raw",
        );
        check(
            "OBJECT ENCODING k; OBJECT IDLETIME k; OBJECT REFCOUNT k; OBJECT FREQ k",
            "nil; nil; nil; nil",
        );
    }

    #[test]
    fn refcounts_are_those_of_redis() {
        check(
            "SET k abc; OBJECT REFCOUNT k; SET k 9999; OBJECT REFCOUNT k; SET k 10000; OBJECT REFCOUNT k; SET k -1; OBJECT REFCOUNT k",
            "OK; 1; OK; 2147483647; OK; 1; OK; 1",
        );
    }

    #[test]
    fn idle_time_grows_until_a_read() {
        check(
            "SET k v; +5s; OBJECT IDLETIME k; GET k; OBJECT IDLETIME k; OBJECT ENCODING k",
            "OK; 5; v; 0; embstr",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "OBJECT; OBJECT NOSUCH k; OBJECT ENCODING; OBJECT ENCODING a b",
            "(error) ERR wrong number of arguments for 'object' command; \
             (error) ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP.; \
             (error) ERR wrong number of arguments for 'object|encoding' command; \
             (error) ERR wrong number of arguments for 'object|encoding' command",
        );
        let reply = Console::default().run("SET k v; OBJECT FREQ k");
        assert!(
            reply.starts_with("OK; (error) ERR An LFU maxmemory policy is not selected"),
            "{reply}"
        );
    }

    #[test]
    fn help_is_written_from_the_table() {
        let reply = Console::default().run("OBJECT HELP");
        assert!(reply.contains("ENCODING <key>"), "{reply}");
    }
}
