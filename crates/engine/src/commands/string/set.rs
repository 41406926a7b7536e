//! SET key value [NX | XX] [GET] [EX s | PX ms | EXAT t | PXAT t | KEEPTTL]. <https://redis.io/commands/set>

use dunlin_store::log::Arg;
use dunlin_store::{Event, Key, NewString, Ttl};

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::expiry::{Unit, positive_deadline};
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// SET.
pub(super) const SET: Command = Command {
    name: "set",
    full_name: "set",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE.and(Categories::STRING).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "access", "update", "variable_flags"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Stores a string under a key, whatever type it had, and settles its time to live.",
    arguments: &[
        Argument::KEY,
        Argument::new("value", ArgKind::String),
        Argument::one_of("condition", &[Argument::token("nx", "NX"), Argument::token("xx", "XX")]).optional(),
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

struct Options {
    condition: Condition,
    get: bool,
    ttl: Ttl,
}

impl Options {
    fn parse(args: Args<'_>, now_ms: u64) -> Result<Options, ReplyError> {
        let mut options = Options { condition: Condition::Always, get: false, ttl: Ttl::Clear };
        let mut expiry = None;
        let mut i = 3;
        while i < args.len() {
            if args.is(i, "nx") && options.condition != Condition::Present {
                options.condition = Condition::Absent;
            } else if args.is(i, "xx") && options.condition != Condition::Absent {
                options.condition = Condition::Present;
            } else if args.is(i, "get") {
                options.get = true;
            } else if args.is(i, "keepttl") && expiry.is_none() {
                options.ttl = Ttl::Keep;
            } else if let (Some(unit), Some(time), true, None) =
                (Unit::from_option(&args[i]), args.get(i + 1), options.ttl == Ttl::Clear, expiry)
            {
                expiry = Some((unit, time));
                i += 1;
            } else {
                return Err(ReplyError::Syntax);
            }
            i += 1;
        }
        if let Some((unit, time)) = expiry {
            options.ttl = Ttl::At(positive_deadline(unit, time, now_ms, "set")?);
        }
        Ok(options)
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
    let options = Options::parse(cx.args, cx.keys.now_ms())?;
    let db = cx.db();
    let exists = if options.get {
        match cx.keys.read(db, &key) {
            None => {
                cx.reply.null();
                false
            }
            Some(entry) => {
                cx.reply.string(entry.as_string().ok_or(ReplyError::WrongType)?);
                true
            }
        }
    } else {
        options.condition != Condition::Always && cx.keys.find(db, &key).is_some()
    };
    let wanted = match options.condition {
        Condition::Always => true,
        Condition::Absent => !exists,
        Condition::Present => exists,
    };
    if wanted {
        store(cx, &key, value, options.ttl);
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
        Ttl::Clear => cx.keys.record(db, key.bytes, set, &[name, key.bytes.into(), value.into()]),
        Ttl::Keep => cx.keys.record(db, key.bytes, set, &[name, key.bytes.into(), value.into(), "KEEPTTL".into()]),
        Ttl::At(at) => {
            cx.keys.record(db, key.bytes, set, &[name, key.bytes.into(), value.into(), "PXAT".into(), at.into()]);
            cx.keys.notify(db, key.bytes, Event::generic("expire"));
        }
    }
}
