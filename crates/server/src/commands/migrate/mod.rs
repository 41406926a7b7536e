//! `MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password] [KEYS key ...]`: keys go to another server.
//! <https://redis.io/commands/migrate>
//!
//! It runs on the auxiliary thread and holds the stripes of its keys until the target has answered: nobody sees a key at both places or
//! at none, and other keys are served meanwhile.

mod target;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use dunlin_engine::command::{ArgKind, Argument, Begin, Categories, Find, Flags, KeySpec, Scope};
use dunlin_engine::dispatch::HEAVY_ELEMENTS;
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Args, Command, Ctx, Engine, Flow, Outcome, ReplyError, Session};
use dunlin_store::Event;

use self::target::{Failure, Target};
use crate::host::host;
use crate::shared::Shared;

pub use self::target::Targets;

/// Where the options begin.
const OPTIONS_AT: usize = 6;
/// The timeout where none is given, that is 0 or less.
const TIMEOUT_MS: u64 = 1_000;
/// Of the keys.
const KEY_FLAGS: &[&str] = &["RW", "access", "delete"];

/// MIGRATE.
pub(super) const MIGRATE: Command = Command {
    name: "migrate",
    full_name: "migrate",
    arity: -6,
    flags: Flags::WRITE.and(Flags::MOVABLEKEYS),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    keys: &[
        KeySpec {
            begin: Begin::Index(3),
            find: Find::OneUnlessEmpty,
            flags: KEY_FLAGS,
        },
        KeySpec {
            begin: Begin::Options {
                word: "KEYS",
                from: -2,
                first: OPTIONS_AT,
                options: &[("copy", 0), ("replace", 0), ("auth", 1), ("auth2", 2)],
            },
            find: Find::Range {
                last: -1,
                step: 1,
                limit: 0,
            },
            flags: &["RW", "access", "delete", "incomplete"],
        },
    ],
    scope: Scope::Keys,
    group: "generic",
    since: "2.6.0",
    complexity: "O(bytes of the values), here and at the target",
    summary: "Moves keys, or copies of them, to another server.",
    history: &[
        ("3.0.0", "Takes COPY and REPLACE."),
        ("3.0.6", "Takes KEYS."),
        ("4.0.7", "Takes AUTH."),
        ("6.0.0", "Takes AUTH2."),
    ],
    tips: &["nondeterministic_output"],
    arguments: &[
        Argument::new("host", ArgKind::String),
        Argument::new("port", ArgKind::Integer),
        Argument::one_of(
            "key-selector",
            &[Argument::KEY, Argument::token("empty-string", "\"\"")],
        ),
        Argument::new("destination-db", ArgKind::Integer),
        Argument::new("timeout", ArgKind::Integer),
        Argument::token("copy", "COPY").optional().since("3.0.0"),
        Argument::token("replace", "REPLACE")
            .optional()
            .since("3.0.0"),
        Argument::one_of(
            "authentication",
            &[
                Argument::new("auth", ArgKind::String)
                    .shown_as("password")
                    .with_token("AUTH")
                    .since("4.0.7"),
                Argument::block(
                    "auth2",
                    &[
                        Argument::new("username", ArgKind::String),
                        Argument::new("password", ArgKind::String),
                    ],
                )
                .with_token("AUTH2")
                .since("6.0.0"),
            ],
        )
        .optional(),
        Argument::new("keys", ArgKind::Key(1))
            .shown_as("key")
            .with_token("KEYS")
            .optional()
            .multiple()
            .since("3.0.6"),
    ],
    weight: Some(too_long_for_a_worker),
    handler: migrate,
    ..Command::BASE
};

fn too_long_for_a_worker(_engine: &Engine, _session: &Session, _args: Args<'_>) -> u64 {
    HEAVY_ELEMENTS + 1
}

/// What is asked for; numbers are places of arguments.
struct Request {
    copy: bool,
    replace: bool,
    auth: Range<usize>,
    keys: Range<usize>,
    db: i64,
    timeout: Duration,
}

impl Request {
    fn parse(args: Args<'_>) -> Result<Request, ReplyError> {
        let mut request = Request {
            copy: false,
            replace: false,
            auth: 0..0,
            keys: 3..4,
            db: 0,
            timeout: Duration::from_millis(TIMEOUT_MS),
        };
        let mut i = OPTIONS_AT;
        while i < args.len() {
            let left = args.len() - i - 1;
            if args.is(i, "copy") {
                request.copy = true;
            } else if args.is(i, "replace") {
                request.replace = true;
            } else if args.is(i, "auth") && left >= 1 {
                request.auth = i + 1..i + 2;
                i += 1;
            } else if args.is(i, "auth2") && left >= 2 {
                request.auth = i + 1..i + 3;
                i += 2;
            } else if args.is(i, "keys") {
                if !args.at(3).is_empty() {
                    return Err(ReplyError::err(
                        "When using MIGRATE KEYS option, the key argument must be set to the empty string",
                    ));
                }
                request.keys = i + 1..args.len();
                break;
            } else {
                return Err(ReplyError::Syntax);
            }
            i += 1;
        }
        let number = |i: usize| parse_i64(args.at(i)).ok_or(ReplyError::NotInteger);
        if let Ok(timeout_ms @ 1..) = u64::try_from(number(5)?) {
            request.timeout = Duration::from_millis(timeout_ms);
        }
        request.db = number(4)?;
        Ok(request)
    }
}

/// How far an exchange came.
#[derive(Default)]
struct Progress {
    /// Places of the keys that the target has.
    taken: Vec<usize>,
    /// The first error that it answered with.
    refusal: Option<String>,
}

fn migrate(cx: &mut Ctx<'_>) -> Outcome {
    let request = Request::parse(cx.args)?;
    let db = cx.db();
    let mut present = Vec::new();
    for i in request.keys.clone() {
        let key = cx.key(i);
        if cx.keys.read(db, &key).is_some() {
            present.push(i);
        }
    }
    if present.is_empty() {
        cx.reply.simple("NOKEY");
        return Ok(Flow::Done);
    }
    let shared = Arc::clone(&host(cx).shared);
    let mut may_retry = true;
    let (progress, failure) = loop {
        let (args, timeout) = (cx.args, request.timeout);
        let taken = shared.targets.take(args.at(1), args.at(2), timeout);
        let mut target = taken.map_err(io_error)?;
        let mut progress = Progress::default();
        let done = exchange(cx, &shared, &request, &present, &mut target, &mut progress);
        match done {
            Ok(()) => {
                target.db = progress.refusal.is_none().then_some(request.db);
                shared.targets.put(target);
                break (progress, None);
            }
            Err(Failure::Writing { timed_out: false } | Failure::Reading { timed_out: false })
                if may_retry
                    && target.is_kept
                    && progress.taken.is_empty()
                    && progress.refusal.is_none() =>
            {
                // The target had closed it meanwhile.
                may_retry = false;
            }
            Err(failure) => break (progress, Some(failure)),
        }
    };
    if !request.copy {
        remove(cx, &progress.taken);
    }
    if let Some(refusal) = progress.refusal {
        return Err(ReplyError::err(format!(
            "Target instance replied with error: {refusal}"
        )));
    }
    if let Some(failure) = failure {
        return Err(io_error(failure));
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn io_error(failure: Failure) -> ReplyError {
    ReplyError::Text(Cow::Borrowed(match failure {
        Failure::Connecting => "IOERR error or timeout connecting to the client",
        Failure::Writing { .. } => "IOERR error or timeout writing to target instance",
        Failure::Reading { .. } => "IOERR error or timeout reading to target instance",
    }))
}

/// Takes keys out that the target has now.
fn remove(cx: &mut Ctx<'_>, keys: &[usize]) {
    let db = cx.db();
    for i in keys {
        let key = cx.key(*i);
        if let Some(entry) = cx.keys.remove(db, &key) {
            cx.keys.discard(entry);
            let effect = ["DEL".into(), key.bytes.into()];
            cx.keys
                .record(db, key.bytes, Event::generic("del"), &effect);
        }
    }
}

/// A command as it is sent.
fn put_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// Sends the keys, one after the other, and then reads what the target says to each.
fn exchange(
    cx: &mut Ctx<'_>,
    shared: &Shared,
    request: &Request,
    keys: &[usize],
    target: &mut Target,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let (db, now_ms, timeout) = (cx.db(), cx.keys.now_ms(), request.timeout);
    let is_stopping = || shared.is_stopping();
    let mut out = Vec::new();
    let mut before = 0;
    if !request.auth.is_empty() {
        let mut auth: Vec<&[u8]> = vec![b"AUTH"];
        auth.extend(request.auth.clone().map(|i| cx.args.at(i)));
        put_command(&mut out, &auth);
        before += 1;
    }
    if target.db != Some(request.db) {
        put_command(&mut out, &[b"SELECT", request.db.to_string().as_bytes()]);
        before += 1;
    }
    let mut sent = Vec::with_capacity(keys.len());
    for i in keys {
        let key = cx.key(*i);
        let Some(entry) = cx.keys.peek(db, &key) else {
            continue;
        };
        let ttl_ms = entry
            .deadline()
            .map_or(0, |at| at.saturating_sub(now_ms).max(1));
        let payload = cx.engine.payloads.dump(&entry);
        let ttl_ms = ttl_ms.to_string();
        let restore = [
            b"RESTORE",
            key.bytes,
            ttl_ms.as_bytes(),
            &payload,
            b"REPLACE",
        ];
        let len = if request.replace { 5 } else { 4 };
        put_command(&mut out, &restore[..len]);
        target.send(&out, timeout, &is_stopping)?;
        out.clear();
        sent.push(*i);
    }
    let mut early = None;
    for _ in 0..before {
        let line = target.line(timeout, &is_stopping)?;
        early = early.or_else(|| refused(&line));
    }
    for i in sent {
        let line = target.line(timeout, &is_stopping)?;
        match early.clone().or_else(|| refused(&line)) {
            Some(refusal) => progress.refusal = progress.refusal.take().or(Some(refusal)),
            None => progress.taken.push(i),
        }
    }
    Ok(())
}

/// The text of a reply that is an error.
fn refused(line: &[u8]) -> Option<String> {
    let text = line.strip_prefix(b"-")?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests;
