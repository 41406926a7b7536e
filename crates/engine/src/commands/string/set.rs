//! SET key value [NX | XX] [GET] [EX s | PX ms | EXAT t | PXAT t | KEEPTTL]. <https://redis.io/commands/set>

use dunlin_store::log::Arg;
use dunlin_store::{Event, Key, NewString, Ttl};

use super::expire_option::ExpireOption;
use super::get::reply_value;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::expiry::positive_deadline;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// SET.
pub(super) const SET: Command = Command {
    name: "set",
    full_name: "set",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(
        1,
        &["RW", "access", "update", "variable_flags"],
    )],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Stores a string under a key, whatever type it had, and settles its time to live.",
    history: &[
        ("2.6.12", "Takes EX, PX, NX and XX."),
        ("6.0.0", "Takes KEEPTTL."),
        ("6.2.0", "Takes GET, EXAT and PXAT."),
        ("7.0.0", "Takes NX and GET together."),
    ],
    arguments: &[
        Argument::KEY,
        Argument::new("value", ArgKind::String),
        Argument::one_of(
            "condition",
            &[Argument::token("nx", "NX"), Argument::token("xx", "XX")],
        )
        .optional(),
        Argument::token("get", "GET").optional(),
        Argument::one_of(
            "expiration",
            &[
                Argument::new("seconds", ArgKind::Integer).with_token("EX"),
                Argument::new("milliseconds", ArgKind::Integer).with_token("PX"),
                Argument::new("unix-time-seconds", ArgKind::UnixTime).with_token("EXAT"),
                Argument::new("unix-time-milliseconds", ArgKind::UnixTime).with_token("PXAT"),
                Argument::token("keepttl", "KEEPTTL"),
            ],
        )
        .optional(),
    ],
    handler: set,
    ..Command::BASE
};

/// What must hold for the value to be stored.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Condition {
    Always,
    Absent,
    Present,
}

struct Options<'a> {
    condition: Condition,
    get: bool,
    keep_ttl: bool,
    expire: ExpireOption<'a>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Options<'a>, ReplyError> {
        let mut options = Options {
            condition: Condition::Always,
            get: false,
            keep_ttl: false,
            expire: ExpireOption::default(),
        };
        let mut i = 3;
        while i < args.len() {
            if args.is(i, "nx") && options.condition != Condition::Present {
                options.condition = Condition::Absent;
            } else if args.is(i, "xx") && options.condition != Condition::Absent {
                options.condition = Condition::Present;
            } else if args.is(i, "get") {
                options.get = true;
            } else if args.is(i, "keepttl") && options.expire.given.is_none() {
                options.keep_ttl = true;
            } else if !options.keep_ttl && options.expire.accept(args, i) {
                i += 1;
            } else {
                return Err(ReplyError::Syntax);
            }
            i += 1;
        }
        Ok(options)
    }

    fn ttl(&self, now_ms: u64) -> Result<Ttl, ReplyError> {
        Ok(match self.expire.given {
            Some((unit, time)) => Ttl::At(positive_deadline(unit, time, now_ms, "set")?),
            None if self.keep_ttl => Ttl::Keep,
            None => Ttl::Clear,
        })
    }
}

fn set(cx: &mut Ctx<'_>) -> Outcome {
    let key = cx.key(1);
    let value = cx.args.at(2);
    if cx.args.len() == 3 {
        store(cx, &key, value, Ttl::Clear);
        cx.reply.ok();
        return Ok(Flow::Done);
    }
    let options = Options::parse(cx.args)?;
    let ttl = options.ttl(cx.keys.now_ms())?;
    let exists = if options.get {
        reply_value(cx, &key)?
    } else {
        options.condition != Condition::Always && cx.find(1).is_some()
    };
    let wanted = match options.condition {
        Condition::Always => true,
        Condition::Absent => !exists,
        Condition::Present => exists,
    };
    if wanted {
        store(cx, &key, value, ttl);
    }
    match (options.get, wanted) {
        (true, _) => {}
        (false, true) => cx.reply.ok(),
        (false, false) => cx.reply.null(),
    }
    Ok(Flow::Done)
}

/// Stores a string and records it as SET with an absolute deadline.
pub(super) fn store(cx: &mut Ctx<'_>, key: &Key<'_>, value: &[u8], ttl: Ttl) {
    let db = cx.db();
    cx.keys.put_string(db, key, NewString::new(value), ttl);
    let (set, name): (Event, Arg<'_>) = (Event::string("set"), "SET".into());
    match ttl {
        // The arguments one after the other: no array of them is made where there is no log.
        Ttl::Clear => {
            let args = [b"SET", key.bytes, value];
            cx.keys.record_args(db, key.bytes, set, args.into_iter());
        }
        Ttl::Keep => cx.keys.record(
            db,
            key.bytes,
            set,
            &[name, key.bytes.into(), value.into(), "KEEPTTL".into()],
        ),
        Ttl::At(at) => {
            cx.keys.record(
                db,
                key.bytes,
                set,
                &[
                    name,
                    key.bytes.into(),
                    value.into(),
                    "PXAT".into(),
                    at.into(),
                ],
            );
            cx.keys.notify(db, key.bytes, Event::generic("expire"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{START_MS, check};

    #[test]
    fn conditions() {
        check(
            "SET k a XX; GET k; SET k b NX; SET k c NX; GET k; SET k d xx; GET k",
            "nil; nil; OK; nil; b; OK; d",
        );
        check("SET k a PX 5; +5ms; SET k b XX; SET k c NX", "OK; nil; OK");
        check(
            "SET k v; WATCH k; 2> SET k w NX; MULTI; GET k; EXEC",
            "OK; OK; nil; OK; QUEUED; [v]",
        );
    }

    #[test]
    fn get_returns_what_was_there() {
        check("SET k a GET; SET k b GET; GET k", "nil; a; b");
        check(
            "SET k a GET XX; GET k; SET k a; SET k b XX GET; GET k",
            "nil; nil; OK; a; b",
        );
        check("SET k a NX GET; SET k b GET NX; GET k", "nil; a; a");
        check("SET k 1; SET k 2 get get; GET k", "OK; 1; 2");
        check(
            "SET k 1 PX 5; SET k 2 GET PX 9; +8ms; SET k 3 KEEPTTL GET; +1ms; GET k",
            "OK; 1; 2; nil",
        );
    }

    #[test]
    fn deadlines() {
        check("SET k v EX 1; +999ms; GET k; +1ms; GET k", "OK; v; nil");
        check(
            "SET k v PX 10; SET k w KEEPTTL; +9ms; GET k; +1ms; GET k",
            "OK; OK; w; nil",
        );
        check(
            "SET k v PX 10; SET k w; +10ms; GET k; SET k x KEEPTTL; +1s; GET k",
            "OK; OK; w; OK; x",
        );
        check(
            &format!("SET k v PXAT {}; +2ms; GET k; +1ms; GET k", START_MS + 3),
            "OK; v; nil",
        );
        check(
            &format!(
                "SET k v EXAT {}; +999ms; GET k; +1ms; GET k",
                START_MS / 1000 + 1
            ),
            "OK; v; nil",
        );
        check("SET k v PXAT 1; GET k; KEYS *", "OK; nil; []");
        check(
            "SET k v XX GET EX 5; SET k v PX 5 NX GET; SET k w GET PX 6 XX; +6ms; GET k",
            "nil; nil; v; nil",
        );
    }

    #[test]
    fn options_that_do_not_go_together() {
        for options in [
            "foo",
            "EX",
            "EX 1 PX 1",
            "PX 1 EX 1",
            "EXAT 1 PXAT 1",
            "NX XX",
            "XX NX",
            "KEEPTTL EX 1",
            "EX 1 KEEPTTL",
            "10",
            "EX 1 2",
            "GET EX",
            "PERSIST",
            "NX GET PX",
        ] {
            check(
                &format!("SET k v {options}; KEYS *"),
                "(error) ERR syntax error; []",
            );
        }
        check(
            "SET k v NX nx KEEPTTL keepttl; SET k w EX 100 ex 1; +1s; GET k",
            "OK; OK; nil",
        );
    }

    #[test]
    fn times_that_are_none() {
        let error = "(error) ERR invalid expire time in 'set' command";
        for time in [
            "EX 0",
            "EX -1",
            "PX 0",
            "EXAT -5",
            "PXAT 0",
            "EX 9223372036854775",
            "EX 9223372036854776",
            "PX 9223372036854775807",
        ] {
            check(
                &format!("SET k v {time}; SET k v GET {time}; KEYS *"),
                &format!("{error}; {error}; []"),
            );
        }
        check(
            "SET k v EX x; SET k v EX 1.5",
            &["(error) ERR value is not an integer or out of range"; 2].join("; "),
        );
        check(
            "SET k v EX 9223370336854; GET k; SET k v PX 9223372036854; GET k",
            "OK; v; OK; v",
        );
    }
}
