//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT key time [NX | XX | GT | LT]: set a deadline. <https://redis.io/commands/expire>
//!
//! A deadline that has passed removes the key at once; its effect is a DEL. While the log is replayed it does not, because
//! the DEL stands in the log too.

use dunlin_store::Event;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, Handler, KeySpec, Scope};
use crate::expiry::{Unit, clamp};
use crate::number::parse_i64;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// Key, time and condition.
macro_rules! arguments {
    ($time:literal, $kind:expr) => {
        &[
            Argument::KEY,
            Argument::new($time, $kind),
            Argument::one_of(
                "condition",
                &[
                    Argument::token("nx", "NX"),
                    Argument::token("xx", "XX"),
                    Argument::token("gt", "GT"),
                    Argument::token("lt", "LT"),
                ],
            )
            .since("7.0.0")
            .optional(),
        ]
    };
}

/// EXPIRE.
pub(super) const EXPIRE: Command = Command {
    summary: "Gives a key so many seconds to live.",
    arguments: arguments!("seconds", ArgKind::Integer),
    ..command("expire", "1.0.0", |cx| expire(cx, Unit::EX))
};

/// PEXPIRE.
pub(super) const PEXPIRE: Command = Command {
    summary: "Gives a key so many milliseconds to live.",
    arguments: arguments!("milliseconds", ArgKind::Integer),
    ..command("pexpire", "2.6.0", |cx| expire(cx, Unit::PX))
};

/// EXPIREAT.
pub(super) const EXPIREAT: Command = Command {
    summary: "Lets a key expire at a time in seconds since 1970.",
    arguments: arguments!("unix-time-seconds", ArgKind::UnixTime),
    ..command("expireat", "1.2.0", |cx| expire(cx, Unit::EXAT))
};

/// PEXPIREAT.
pub(super) const PEXPIREAT: Command = Command {
    summary: "Lets a key expire at a time in milliseconds since 1970.",
    arguments: arguments!("unix-time-milliseconds", ArgKind::UnixTime),
    ..command("pexpireat", "2.6.0", |cx| expire(cx, Unit::PXAT))
};

const KEYS: &[KeySpec] = &[KeySpec::one(1, &["RW", "update"])];

const fn command(name: &'static str, since: &'static str, handler: Handler) -> Command {
    Command {
        name,
        full_name: name,
        arity: -3,
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Categories::KEYSPACE
            .and(Categories::WRITE)
            .and(Categories::FAST),
        keys: KEYS,
        scope: Scope::Keys,
        group: "generic",
        since,
        history: &[("7.0.0", "Takes NX, XX, GT and LT.")],
        handler,
        ..Command::BASE
    }
}

/// What must hold of the present deadline; all may be asked for at once, where they don't contradict each other.
#[derive(Default)]
struct Conditions {
    absent: bool,
    present: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn parse(args: Args<'_>) -> Result<Conditions, ReplyError> {
        let mut wanted = Conditions::default();
        for i in 3..args.len() {
            if args.is(i, "nx") {
                wanted.absent = true;
            } else if args.is(i, "xx") {
                wanted.present = true;
            } else if args.is(i, "gt") {
                wanted.later = true;
            } else if args.is(i, "lt") {
                wanted.earlier = true;
            } else {
                let option = String::from_utf8_lossy(args.at(i)).into_owned();
                return Err(ReplyError::UnsupportedOption(option));
            }
        }
        if wanted.absent && (wanted.present || wanted.later || wanted.earlier) {
            return Err(ReplyError::ExpireNxWithOthers);
        }
        if wanted.later && wanted.earlier {
            return Err(ReplyError::ExpireGtWithLt);
        }
        Ok(wanted)
    }

    /// Whether a key with this deadline may get that one. No deadline is later than any.
    fn allow(&self, present: Option<u64>, wanted: i64) -> bool {
        // Deadlines take 48 bits.
        let present = present.map(|at| at as i64);
        !(self.absent && present.is_some()
            || self.present && present.is_none()
            || self.later && present.is_none_or(|at| wanted <= at)
            || self.earlier && present.is_some_and(|at| wanted >= at))
    }
}

fn expire(cx: &mut Ctx<'_>, unit: Unit) -> Outcome {
    let conditions = Conditions::parse(cx.args)?;
    let time = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let now = cx.keys.now_ms();
    let moment = unit
        .moment(time, now)
        .ok_or(ReplyError::InvalidExpire(cx.command.name))?;
    let (db, key) = (cx.db(), cx.key(1));
    let Some(found) = cx.keys.find(db, &key) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let present = cx.keys.entry(found).deadline();
    if !conditions.allow(present, moment) {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    }
    let passed = u64::try_from(moment).map_or(true, |at| at <= now);
    if passed && !cx.session.replaying {
        if let Some(entry) = cx.keys.remove(db, &key) {
            cx.keys.discard(entry);
        }
        let effect = ["DEL".into(), key.bytes.into()];
        cx.keys
            .record(db, key.bytes, Event::generic("del"), &effect);
    } else {
        let deadline = clamp(moment);
        cx.keys.set_deadline(found, Some(deadline));
        let effect = ["PEXPIREAT".into(), key.bytes.into(), deadline.into()];
        cx.keys
            .record(db, key.bytes, Event::generic("expire"), &effect);
    }
    cx.reply.integer(1);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn the_four_ways_to_set_a_deadline() {
        check(
            "SET k v; EXPIRE k 10; PTTL k; PEXPIRE k 10; PTTL k; EXPIREAT k 1700000020; PTTL k; \
             PEXPIREAT k 1700000000030; PTTL k; +29ms; GET k; +1ms; GET k",
            "OK; 1; 10000; 1; 10; 1; 20000; 1; 30; v; nil",
        );
        check("EXPIRE nothing 10; TTL nothing", "0; -2");
    }

    #[test]
    fn a_time_that_has_passed_removes_the_key() {
        for time in ["0", "-1", "-9223372036854775"] {
            check(
                &format!("SET k v; EXPIRE k {time}; EXISTS k; DBSIZE"),
                "OK; 1; 0; 0",
            );
        }
        check("SET k v; PEXPIREAT k 1700000000000; EXISTS k", "OK; 1; 0");
        check("SET k v; PEXPIREAT k 1700000000001; EXISTS k", "OK; 1; 1");
        check(
            "SET k v; PEXPIREAT k -9223372036854770000; TTL k",
            "OK; 1; -2",
        );
    }

    #[test]
    fn conditions() {
        check(
            "SET k v; EXPIRE k 10 XX; EXPIRE k 10 GT; EXPIRE k 10 NX; EXPIRE k 20 NX; TTL k",
            "OK; 0; 0; 1; 0; 10",
        );
        check(
            "SET k v EX 10; EXPIRE k 10 GT; EXPIRE k 9 gt; EXPIRE k 11 GT; EXPIRE k 11 LT; EXPIRE k 5 LT XX; TTL k",
            "OK; 0; 0; 1; 0; 1; 5",
        );
        check(
            "SET k v; EXPIRE k 10 LT; EXPIRE k 0 LT; TTL k",
            "OK; 1; 1; -2",
        );
        check(
            "SET k v; EXPIRE k 10 LT XX; TTL k; EXPIRE n 10 NX",
            "OK; 0; -1; 0",
        );
    }

    #[test]
    fn errors_in_order() {
        check(
            "EXPIRE k x FOO; EXPIRE k x NX XX; EXPIRE k x NX GT; EXPIRE k x NX LT; EXPIRE k x GT LT; EXPIRE k x; EXPIRE k",
            "(error) ERR Unsupported option FOO; \
             (error) ERR NX and XX, GT or LT options at the same time are not compatible; \
             (error) ERR NX and XX, GT or LT options at the same time are not compatible; \
             (error) ERR NX and XX, GT or LT options at the same time are not compatible; \
             (error) ERR GT and LT options at the same time are not compatible; \
             (error) ERR value is not an integer or out of range; \
             (error) ERR wrong number of arguments for 'expire' command",
        );
        for (command, time) in [
            ("EXPIRE", "9223370399119966"),
            ("EXPIRE", "9223372036854776"),
            ("EXPIRE", "-9223372036854776"),
            ("EXPIREAT", "9223372036854776"),
            ("PEXPIRE", "9223372036854770000"),
        ] {
            let name = command.to_ascii_lowercase();
            check(
                &format!("SET k v; {command} k {time}; {command} nothing {time}; TTL k"),
                &format!(
                    "OK; (error) ERR invalid expire time in '{name}' command; \
                     (error) ERR invalid expire time in '{name}' command; -1"
                ),
            );
        }
    }

    #[test]
    fn times_beyond_48_bits_are_held_as_the_latest() {
        check(
            "SET k v; PEXPIREAT k 9223372036854770000; PEXPIRETIME k; GET k",
            "OK; 1; 281474976710655; v",
        );
    }

    #[test]
    fn replaying_keeps_what_has_passed() {
        let mut console = Console::default();
        console.session(1).replaying = true;
        assert_eq!(console.run("SET k v; PEXPIREAT k 5"), "OK; 1");
        assert_eq!(console.engine.store.len(0), 1);
    }
}
