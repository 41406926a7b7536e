//! Runs a compiled script or function inside the transaction of the command that asked for it.
//!
//! Whatever ends it before its time leaves no trace: images of all that it touched are put back, its effects, events and wake-ups are
//! dropped. Then it is run again elsewhere, or its client gets an error.

use std::sync::atomic::Ordering;

use dunlin_resp::Version;
use mlua::{Either, Function, LuaString, Table, Value};

use super::from_lua::{self, Writer};
use super::interpreter::{Abort, Interpreter, MEMORY_BYTES_MAX, message};
use super::{Habits, Kind, RunningScript, SLICE_US, ScriptFlags};
use crate::context::{Ctx, Flow, Outcome};
use crate::error::ReplyError;

/// What is run.
pub(crate) struct Subject<'s> {
    /// The function.
    pub(crate) function: &'s Function,
    /// What it says about itself.
    pub(crate) flags: ScriptFlags,
    /// How it has behaved.
    pub(crate) habits: &'s Habits,
    /// What it was called by.
    pub(crate) kind: Kind,
}

/// How it is named.
pub(crate) struct Invocation<'s> {
    /// In errors and to people.
    pub(crate) shown: &'s dyn Fn() -> String,
    /// Among those that need every stripe.
    pub(crate) key: &'s dyn Fn() -> Vec<u8>,
    /// It was called by a command that must not write.
    pub(crate) read_only: bool,
    /// How many of the command's arguments from the third on are keys.
    pub(crate) keys: usize,
}

/// What a script left.
type Left = mlua::Result<(bool, Value)>;

/// Runs `subject`. See the module's text.
pub(crate) fn run(
    cx: &mut Ctx<'_>,
    interpreter: &Interpreter,
    subject: &Subject<'_>,
    invocation: &Invocation<'_>,
) -> Outcome {
    check(cx, subject.flags, invocation.read_only)?;
    if cx.may_defer && subject.habits.is_slow.load(Ordering::Relaxed) {
        return Ok(Flow::Heavy);
    }
    let before = (cx.session.db, cx.session.version);
    let nested = cx.keys.keeps_images();
    if !nested {
        cx.keys.keep_images();
    }
    let left = call(cx, interpreter, subject, invocation);
    (cx.session.db, cx.session.version) = before;
    let abort = interpreter.state.abort.take();
    if abort.is_some() && !nested {
        cx.keys.roll_back();
    } else if !nested {
        cx.keys.keep_changes();
    }
    let is_slow = &subject.habits.is_slow;
    if !cx.may_defer && is_slow.load(Ordering::Relaxed) {
        // It may be quick from now on: on a worker it would have been no burden this time.
        let since_us = interpreter.state.since_us.get();
        let was_quick =
            since_us == 0 || cx.host.monotonic_us().saturating_sub(since_us) < SLICE_US / 2;
        is_slow.store(!was_quick, Ordering::Relaxed);
    }
    match abort {
        None => answer(cx, interpreter, left, invocation),
        Some(Abort::Undeclared) => {
            cx.engine.scripts.remember_undeclared(&(invocation.key)());
            Ok(Flow::Again)
        }
        Some(Abort::Slow) => {
            is_slow.store(true, Ordering::Relaxed);
            Ok(Flow::Heavy)
        }
        Some(Abort::Killed | Abort::LoadTimeout) => {
            let place = match left {
                Ok((_, Value::Table(table))) => place(&table),
                _ => None,
            };
            Err(located(
                "ERR Script killed by user with SCRIPT KILL...",
                place,
                invocation,
            ))
        }
    }
}

/// The checks that a script's flags ask for.
fn check(cx: &Ctx<'_>, flags: ScriptFlags, read_only: bool) -> Result<(), ReplyError> {
    if flags.has(ScriptFlags::COMPATIBLE) {
        return Ok(());
    }
    let writes = !flags.has(ScriptFlags::NO_WRITES);
    if writes {
        if cx.engine.disk_trouble.is_there()
            && let Some(refusal) = cx.engine.disk_trouble.refusal()
            && !cx.session.replaying
        {
            return Err(refusal);
        }
        if read_only {
            return Err(ReplyError::err(
                "Can not execute a script with write flag using *_ro command.",
            ));
        }
        if cx.session.out_of_memory
            && cx.engine.store.eviction.is_on()
            && !flags.has(ScriptFlags::ALLOW_OOM)
        {
            return Err(ReplyError::Text(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'".into(),
            ));
        }
    }
    Ok(())
}

fn call(
    cx: &mut Ctx<'_>,
    interpreter: &Interpreter,
    subject: &Subject<'_>,
    invocation: &Invocation<'_>,
) -> Left {
    let state = &interpreter.state;
    let compatible = subject.flags.has(ScriptFlags::COMPATIBLE);
    let says = |flag| !compatible && subject.flags.has(flag);
    state.abort.set(None);
    state.version.set(Version::Resp2);
    state
        .read_only
        .set(invocation.read_only || says(ScriptFlags::NO_WRITES));
    state.allow_oom.set(says(ScriptFlags::ALLOW_OOM));
    state.has_written.set(false);
    state.unlogged.set(false);
    state.since_us.set(0);
    state
        .limit_us
        .set(cx.may_defer.then_some((SLICE_US, Abort::Slow)));

    let (engine, worker) = (cx.engine, cx.keys.local().worker);
    let running = &engine.scripts.running;
    running.begin(worker, interpreter.next_run(), subject.kind);
    if !cx.may_defer || cx.session.replaying {
        let since_us = cx.host.monotonic_us();
        let name = (invocation.shown)().into_bytes();
        let held = cx.keys.held_set().cloned();
        running.show(
            worker,
            RunningScript::of(name, cx.args, subject.kind, since_us, held),
        );
    }
    cx.session.in_script = true;
    let left = arguments(cx, interpreter, invocation).and_then(|(keys, args)| {
        let entrance = match subject.kind {
            Kind::Script => &interpreter.eval,
            Kind::Function => &interpreter.call,
        };
        interpreter.lua.set_memory_limit(MEMORY_BYTES_MAX)?;
        let left = state.cx.lend(cx, || {
            entrance.call::<(bool, Value)>((subject.function, &keys, &args))
        });
        interpreter.lua.set_memory_limit(0)?;
        left
    });
    cx.session.in_script = false;
    running.end(worker);
    interpreter.ran(engine, worker);
    left
}

/// KEYS and ARGV.
fn arguments(
    cx: &Ctx<'_>,
    interpreter: &Interpreter,
    invocation: &Invocation<'_>,
) -> mlua::Result<(Table, Table)> {
    /// Where keys begin among the arguments of EVAL and its kind.
    const FIRST: usize = 3;
    let lua = &interpreter.lua;
    let table = |from: usize, to: usize| {
        // Text goes straight onto Lua's stack, bytes by way of a reference: mlua has no other way.
        let values = (from..to).map(|at| match str::from_utf8(cx.args.at(at)) {
            Ok(text) => Either::Left(text),
            Err(_) => Either::Right(LuaString::wrap(cx.args.at(at))),
        });
        lua.create_sequence_from(values)
    };
    let end = FIRST + invocation.keys;
    Ok((table(FIRST, end)?, table(end, cx.args.len())?))
}

/// Answers with what a script returned or failed with.
fn answer(
    cx: &mut Ctx<'_>,
    interpreter: &Interpreter,
    left: Left,
    invocation: &Invocation<'_>,
) -> Outcome {
    let value = match left {
        Ok((true, value)) => value,
        Ok((false, Value::Table(failure))) => return Err(failed(&failure, invocation)),
        Ok((false, other)) => {
            let text = other.to_string().unwrap_or_default();
            return Err(crashed(&text, invocation));
        }
        Err(error) => return Err(crashed(&message(&error), invocation)),
    };
    match &value {
        Value::Integer(number) => cx.reply.integer(*number),
        Value::String(text) => cx.reply.bulk(&text.as_bytes()),
        Value::Nil => cx.reply.null(),
        Value::Table(table) if let Some((text, is_counted)) = from_lua::failure(table) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            return Err(handed_on(text, is_counted));
        }
        _ => {
            let script = interpreter.state.version.get();
            let client = cx.reply.version();
            let mut uncounted = Vec::new();
            cx.reply.write(|out| {
                let mut writer = Writer {
                    out,
                    client,
                    script,
                    uncounted: Vec::new(),
                };
                writer.value(&value, 0);
                uncounted = writer.uncounted;
            });
            for text in uncounted {
                cx.stats.count_error(&ReplyError::Text(text.into()));
            }
        }
    }
    Ok(Flow::Done)
}

/// An error that is no table: memory ran out, or the handler of errors failed itself.
fn crashed(text: &str, invocation: &Invocation<'_>) -> ReplyError {
    /// Bytes shown of the text.
    const SHOWN: usize = 100;
    let text: String = text.chars().take(SHOWN).collect();
    ReplyError::err(format!(
        "Error running script {}, {text}",
        (invocation.shown)()
    ))
}

/// Where an error was raised: source and line.
fn place(failure: &Table) -> Option<(String, String)> {
    let part = |name: &str| {
        let value = failure.raw_get::<Value>(name).ok()?;
        match value {
            Value::String(_) | Value::Integer(_) | Value::Number(_) => value.to_string().ok(),
            _ => None,
        }
    };
    Some((part("source")?, part("line")?))
}

fn located(text: &str, place: Option<(String, String)>, invocation: &Invocation<'_>) -> ReplyError {
    let text = match place {
        Some((source, line)) => {
            format!(
                "{text} script: {}, on {source}:{line}.",
                (invocation.shown)()
            )
        }
        None => text.to_owned(),
    };
    ReplyError::Text(text.into())
}

fn failed(failure: &Table, invocation: &Invocation<'_>) -> ReplyError {
    let (text, is_counted) = match failure.raw_get::<Value>("err") {
        Ok(Value::String(_)) => from_lua::failure(failure).unwrap_or_default(),
        Ok(value @ (Value::Integer(_) | Value::Number(_))) => {
            (value.to_string().unwrap_or_default().into_bytes(), false)
        }
        _ => (b"ERR unknown error".to_vec(), false),
    };
    let text = String::from_utf8_lossy(&text);
    let error = located(&text, place(failure), invocation);
    handed_on(error.to_string(), is_counted)
}

/// The error that is answered: it may have been counted where it arose.
fn handed_on(text: String, is_counted: bool) -> ReplyError {
    match is_counted {
        true => ReplyError::HandedOn(text),
        false => ReplyError::Text(text.into()),
    }
}
