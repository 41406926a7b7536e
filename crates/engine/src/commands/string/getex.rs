//! GETEX key [EX s | PX ms | EXAT t | PXAT t | PERSIST]: the value of a string, and a new time to live for it.
//! <https://redis.io/commands/getex>

use dunlin_store::Event;

use super::expire_option::ExpireOption;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::expiry::positive_deadline;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// GETEX.
pub(super) const GETEX: Command = Command {
    name: "getex",
    full_name: "getex",
    arity: -2,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    scope: Scope::Keys,
    group: "string",
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Returns the string stored under a key and changes its time to live.",
    arguments: &[
        Argument::KEY,
        Argument::one_of(
            "expiration",
            &[
                Argument::new("seconds", ArgKind::Integer).with_token("EX"),
                Argument::new("milliseconds", ArgKind::Integer).with_token("PX"),
                Argument::new("unix-time-seconds", ArgKind::UnixTime).with_token("EXAT"),
                Argument::new("unix-time-milliseconds", ArgKind::UnixTime).with_token("PXAT"),
                Argument::token("persist", "PERSIST"),
            ],
        )
        .optional(),
    ],
    handler: getex,
    ..Command::BASE
};

#[derive(Default)]
struct Options<'a> {
    expire: ExpireOption<'a>,
    persist: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Options<'a>, ReplyError> {
        let mut options = Options::default();
        let mut i = 2;
        while i < args.len() {
            if args.is(i, "persist") && options.expire.given.is_none() {
                options.persist = true;
                i += 1;
            } else if !options.persist && options.expire.accept(args, i) {
                i += 2;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }
}

fn getex(cx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse(cx.args)?;
    let (db, key, now_ms) = (cx.db(), cx.key(1), cx.keys.now_ms());
    let Some(entry) = cx.keys.read(db, &key) else {
        cx.reply.null();
        return Ok(Flow::Done);
    };
    let value = entry.as_string().ok_or(ReplyError::WrongType)?;
    // The time is looked at only for a string that exists.
    let deadline = match options.expire.given {
        None => None,
        Some((unit, time)) => Some((unit, positive_deadline(unit, time, now_ms, "getex")?)),
    };
    cx.reply.string(value);
    let had_deadline = entry.deadline().is_some();
    match deadline {
        Some((unit, at)) if unit.absolute && at <= now_ms => {
            if let Some(entry) = cx.keys.remove(db, &key) {
                cx.keys.discard(entry);
                cx.keys.record(
                    db,
                    key.bytes,
                    Event::generic("del"),
                    &["DEL".into(), key.bytes.into()],
                );
            }
        }
        Some((_, at)) => {
            let found = cx
                .find(1)
                .expect("it was just read under the same locks and time");
            cx.keys.set_deadline(found, Some(at));
            let effect = ["PEXPIREAT".into(), key.bytes.into(), at.into()];
            cx.keys
                .record(db, key.bytes, Event::generic("expire"), &effect);
        }
        None if options.persist && had_deadline => {
            let found = cx
                .find(1)
                .expect("it was just read under the same locks and time");
            cx.keys.set_deadline(found, None);
            cx.keys.record(
                db,
                key.bytes,
                Event::generic("persist"),
                &["PERSIST".into(), key.bytes.into()],
            );
        }
        None => {}
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{START_MS, check};

    #[test]
    fn sets_moves_and_takes_away_the_deadline() {
        check(
            "SET k v; GETEX k PX 10; +9ms; GET k; GETEX k EX 1; +999ms; GET k; +1ms; GET k",
            "OK; v; v; v; v; nil",
        );
        check(
            "SET k v PX 10; GETEX k PERSIST; GETEX k persist; +10ms; GET k",
            "OK; v; v; v",
        );
        check("SET k v PX 10; GETEX k; +10ms; GETEX k", "OK; v; nil");
        let at = START_MS + 10;
        check(
            &format!("SET k v; GETEX k PXAT {at}; +9ms; GET k; +1ms; GET k"),
            "OK; v; v; nil",
        );
        check(
            &format!("SET k v; GETEX k EXAT {}; +1s; GET k", START_MS / 1000 + 1),
            "OK; v; nil",
        );
    }

    #[test]
    fn a_time_in_the_past_removes_the_key() {
        check("SET k v; GETEX k PXAT 1; GET k; KEYS *", "OK; v; nil; []");
        check(
            &format!("SET k v; GETEX k EXAT {}; KEYS *", START_MS / 1000),
            "OK; v; []",
        );
    }

    #[test]
    fn options_are_checked_before_the_key_and_times_after_it() {
        for options in [
            "PX",
            "PX 1 EX 1",
            "PERSIST EX 1",
            "EX 1 PERSIST",
            "KEEPTTL",
            "NX",
            "XX",
            "GET",
            "EX 1 2",
            "10",
        ] {
            check(&format!("GETEX k {options}"), "(error) ERR syntax error");
        }
        check("SET k v; GETEX k EX 100 ex 1; +1s; GET k", "OK; v; nil");
        check(
            "GETEX k PX x; SET k v; GETEX k PX x",
            "nil; OK; (error) ERR value is not an integer or out of range",
        );
        let error = "(error) ERR invalid expire time in 'getex' command";
        for time in [
            "EX 0",
            "PX -1",
            "EX 9223372036854775807",
            "PX 9223372036854775807",
            "PXAT 0",
            "EXAT -1",
        ] {
            check(
                &format!("SET k v; GETEX k {time}; GET k"),
                &format!("OK; {error}; v"),
            );
        }
    }
}
