//! What the sandbox gets from the host: `redis.*`, the libraries, and what it asks on its own behalf.
//!
//! Invariant: what scripts call raises its errors itself. A function of the sandbox between would take the script's place on Lua's stack
//! where that ends with a call (`return redis.call(...)`), and the error would not be located.

use std::rc::Rc;

use dunlin_resp::Version;
use dunlin_structures::lua::Read;
use mlua::{Error, Lua, MultiValue, Table, Value};

use super::call::{Failure, Words};
use super::interpreter::{LEVEL_WARNING, SANDBOX, State, message, text_arg};
use super::{bit, to_lua};

/// `redis.REPL_AOF` and `redis.REPL_REPLICA` together.
const REPL_ALL: i32 = 3;

fn fail<T>(text: &str) -> mlua::Result<T> {
    Err(Error::external(Failure::new(format!("ERR {text}"))))
}

/// The number that an argument is, as C's functions for Lua see it; text that is one will do.
fn number(arg: Option<&Value>) -> Option<f64> {
    match arg? {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => {
            let text = text.to_string_lossy();
            crate::number::parse_double(text.trim().as_bytes())
        }
        _ => None,
    }
}

/// The same, cut to an integer; 0 for what is no number.
fn integer(arg: Option<&Value>) -> i32 {
    number(arg).unwrap_or_default() as i32
}

/// What `host` is in sandbox.lua.
pub(super) fn host_table(lua: &Lua, state: &Rc<State>) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    let libraries = lua.create_table()?;
    libraries.raw_set("bit", bit::library(lua)?)?;
    libraries.raw_set("cjson", super::cjson::library(lua)?)?;
    libraries.raw_set("cmsgpack", super::cmsgpack::library(lua)?)?;
    libraries.raw_set("struct", super::structs::library(lua)?)?;
    host.raw_set("libraries", libraries)?;
    host.raw_set("redis", redis_table(lua, state)?)?;
    let own = Rc::clone(state);
    let register = move |_: &Lua, args: MultiValue| match own.register(&args) {
        Ok(()) => Ok(()),
        Err(text) => fail(&text),
    };
    host.raw_set("register", lua.create_function(register)?)?;
    let own = Rc::clone(state);
    let is_aborted = move |_: &Lua, (): ()| Ok(own.abort.get().is_some());
    host.raw_set("is_aborted", lua.create_function(is_aborted)?)?;
    let own = Rc::clone(state);
    let is_over = move |_: &Lua, (): ()| Ok(own.is_over());
    host.raw_set("is_over", lua.create_function(is_over)?)?;
    let own = Rc::clone(state);
    let random = move |_: &Lua, (): ()| Ok(own.random());
    host.raw_set("random", lua.create_function(random)?)?;
    let own = Rc::clone(state);
    let seed = move |_: &Lua, seed: f64| {
        own.seed(seed as i64 as i32);
        Ok(())
    };
    host.raw_set("seed", lua.create_function(seed)?)?;
    host.raw_set(
        "where",
        lua.create_function(|lua, (): ()| Ok(raised_at(lua)))?,
    )?;
    host.raw_set("raised", lua.create_function(raised)?)?;
    Ok(host)
}

/// The part of `redis` that is the same for scripts and functions.
fn redis_table(lua: &Lua, state: &Rc<State>) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    redis.raw_set("REDIS_VERSION", crate::REDIS_VERSION)?;
    redis.raw_set("REDIS_VERSION_NUM", crate::REDIS_VERSION_NUMBER)?;
    let own = Rc::clone(state);
    let call = move |lua: &Lua, words: Read<Words>| own.call_or_raise(lua, &words.0);
    redis.raw_set("call", lua.create_function(call)?)?;
    let own = Rc::clone(state);
    let pcall = move |lua: &Lua, words: Read<Words>| own.call_or_return(lua, &words.0);
    redis.raw_set("pcall", lua.create_function(pcall)?)?;
    let own = Rc::clone(state);
    let may_run = move |_: &Lua, words: Read<Words>| own.may_run(&words.0);
    redis.raw_set("acl_check_cmd", lua.create_function(may_run)?)?;
    let own = Rc::clone(state);
    let set_version = move |_: &Lua, args: MultiValue| own.set_version(&args);
    redis.raw_set("setresp", lua.create_function(set_version)?)?;
    let own = Rc::clone(state);
    let set_replication = move |_: &Lua, args: MultiValue| own.set_replication(&args);
    redis.raw_set("set_repl", lua.create_function(set_replication)?)?;
    let own = Rc::clone(state);
    let log = move |_: &Lua, args: MultiValue| own.log(&args);
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    Ok(redis)
}

impl State {
    fn set_version(&self, args: &MultiValue) -> mlua::Result<()> {
        if args.len() != 1 {
            return fail("redis.setresp() requires one argument.");
        }
        self.version.set(match integer(args.front()) {
            2 => Version::Resp2,
            3 => Version::Resp3,
            _ => return fail("RESP version must be 2 or 3."),
        });
        Ok(())
    }

    fn set_replication(&self, args: &MultiValue) -> mlua::Result<()> {
        if args.len() != 1 {
            return fail("redis.set_repl() requires one argument.");
        }
        let flags = integer(args.front());
        if flags & !REPL_ALL != 0 {
            return fail(
                "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            );
        }
        self.unlogged.set(flags == 0);
        Ok(())
    }

    fn log(&self, args: &MultiValue) -> mlua::Result<()> {
        if args.len() < 2 {
            return fail("redis.log() requires two arguments or more.");
        }
        let Some(level) = number(args.front()) else {
            return fail("First argument must be a number (log level).");
        };
        let level = level as i32;
        if !(0..=i32::from(LEVEL_WARNING)).contains(&level) {
            return fail("Invalid debug level.");
        }
        // What is no text is left out.
        let parts = (1..args.len()).filter_map(|at| text_arg(args, at).ok());
        let line = parts.collect::<Vec<_>>().join(&b' ');
        self.cx.with(|cx| {
            cx.host
                .script_logs(level as u8, &String::from_utf8_lossy(&line))
        });
        Ok(())
    }
}

fn sha1hex(_: &Lua, args: MultiValue) -> mlua::Result<String> {
    if args.len() != 1 {
        return fail("wrong number of arguments");
    }
    let text = text_arg(&args, 0).unwrap_or_default();
    Ok(super::hex(&super::digest(&text)))
}

/// What was raised, as scripts are to see it: an error of the host's comes as a userdata of mlua's.
fn raised(lua: &Lua, error: Value) -> mlua::Result<Value> {
    let Value::Error(error) = error else {
        return Ok(error);
    };
    match error.downcast_ref::<Failure>() {
        Some(failure) => Ok(Value::Table(to_lua::failure(lua, failure)?)),
        None => Ok(Value::String(lua.create_string(message(&error))?)),
    }
}

/// Source and line of the innermost function that is neither the host's nor the sandbox's.
fn raised_at(lua: &Lua) -> (Option<String>, Option<usize>) {
    /// Levels that are looked at.
    const LEVELS_MAX: usize = 64;
    for level in 1..LEVELS_MAX {
        let found = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source?.into_owned();
            let is_script = source.what == "Lua" || source.what == "main";
            (is_script && name != SANDBOX).then(|| (name, debug.current_line()))
        });
        match found {
            None => break,
            Some(None) => {}
            Some(Some((name, line))) => return (Some(name), line),
        }
    }
    (None, None)
}
