//! FUNCTION: manages libraries of functions. <https://redis.io/commands/function-load>
//!
//! What changes them holds every stripe, so that it has its place in the log and in snapshots. In the log are the sources.

use crate::command::{ArgKind, Argument, Categories, Command, Flags, Scope};
use crate::commands::server::help;
use crate::scripting::{self, ENGINE, Kind, Libraries, Library, NotKilled, ScriptFlags};
use crate::{Ctx, Flow, Outcome, ReplyError};
use dunlin_persist::rdb;
use dunlin_store::log::Arg;
use smallvec::SmallVec;
use std::sync::Arc;

/// FUNCTION.
pub(super) const FUNCTION: Command = Command {
    name: "function",
    full_name: "function",
    arity: -2,
    categories: Categories::SLOW,
    group: "scripting",
    since: "7.0.0",
    complexity: "Depends on the subcommand",
    summary: "Manages the functions that scripts are made of.",
    subcommands: &[
        &DELETE, &DUMP, &FLUSH, &HELP, &KILL, &LIST, &LOAD, &RESTORE, &STATS,
    ],
    ..Command::BASE
};

const FLUSH: Command = Command {
    name: "flush",
    full_name: "function|flush",
    arity: -2,
    flags: Flags::WRITE.and(Flags::NOSCRIPT),
    categories: Categories::WRITE
        .and(Categories::SLOW)
        .and(Categories::SCRIPTING),
    group: "scripting",
    since: "7.0.0",
    complexity: "O(N) in the number of functions",
    summary: "Removes all functions.",
    scope: Scope::All,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    arguments: &[Argument::one_of(
        "flush-type",
        &[
            Argument::token("async", "ASYNC"),
            Argument::token("sync", "SYNC"),
        ],
    )
    .optional()],
    handler: flush,
    ..Command::BASE
};

const DELETE: Command = Command {
    name: "delete",
    full_name: "function|delete",
    arity: 3,
    complexity: "O(1)",
    summary: "Removes a library with its functions.",
    arguments: &[Argument::new("library-name", ArgKind::String)],
    handler: delete,
    ..FLUSH
};

const DUMP: Command = Command {
    name: "dump",
    full_name: "function|dump",
    arity: 2,
    summary: "Returns all libraries in the form that FUNCTION RESTORE takes.",
    tips: &[],
    arguments: &[],
    handler: dump,
    ..LIST
};

const KILL: Command = Command {
    name: "kill",
    full_name: "function|kill",
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
    complexity: "O(1)",
    summary: "Ends the function that runs; what it has done is undone.",
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    arguments: &[],
    handler: kill,
    ..LIST
};

const LOAD: Command = Command {
    name: "load",
    full_name: "function|load",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::NOSCRIPT),
    complexity: "O(1) but for the time that compiling takes",
    summary: "Makes a library of its source.",
    arguments: &[
        Argument::token("replace", "REPLACE").optional(),
        Argument::new("function-code", ArgKind::String),
    ],
    handler: load,
    ..FLUSH
};

const RESTORE: Command = Command {
    name: "restore",
    full_name: "function|restore",
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::NOSCRIPT),
    complexity: "O(N) in the number of functions of the payload",
    summary: "Makes the libraries that FUNCTION DUMP returned.",
    arguments: &[
        Argument::new("serialized-value", ArgKind::String),
        Argument::one_of(
            "policy",
            &[
                Argument::token("flush", "FLUSH"),
                Argument::token("append", "APPEND"),
                Argument::token("replace", "REPLACE"),
            ],
        )
        .optional(),
    ],
    handler: restore,
    ..FLUSH
};

const STATS: Command = Command {
    name: "stats",
    full_name: "function|stats",
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
    complexity: "O(1)",
    summary: "Tells of the function that runs, and how many there are.",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    arguments: &[],
    handler: stats,
    ..LIST
};

const LIST: Command = Command {
    name: "list",
    full_name: "function|list",
    arity: -2,
    flags: Flags::NOSCRIPT,
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "7.0.0",
    complexity: "O(N) in the number of functions",
    summary: "Lists the function libraries.",
    tips: &["nondeterministic_output_order"],
    arguments: &[
        Argument::new("library-name-pattern", ArgKind::String)
            .with_token("LIBRARYNAME")
            .optional(),
        Argument::token("withcode", "WITHCODE").optional(),
    ],
    handler: list,
    ..Command::BASE
};

const HELP: Command = Command {
    name: "help",
    full_name: "function|help",
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "7.0.0",
    ..help::HELP
};

fn flush(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 => {}
        3 if cx.args.is(2, "sync") || cx.args.is(2, "async") => {}
        3 => return Err(ReplyError::FunctionFlushMode),
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    }
    change(cx, Libraries::default(), &[&[b"FUNCTION", b"FLUSH"]]);
    cx.reply.ok();
    Ok(Flow::Done)
}

/// Replaces the libraries, and puts into the log how.
fn change(cx: &mut Ctx<'_>, libraries: Libraries, effects: &[&[&[u8]]]) {
    cx.engine.scripts.set_libraries(libraries);
    let db = cx.db();
    for effect in effects {
        let effect = effect.iter().map(|&arg| arg.into());
        let effect: SmallVec<[Arg<'_>; 4]> = effect.collect();
        cx.keys.record_global(db, &effect);
    }
}

fn delete(cx: &mut Ctx<'_>) -> Outcome {
    let name = cx.args.at(2);
    let mut libraries = Libraries::clone(&cx.engine.scripts.libraries());
    // A base may have been written after what stands in the log.
    if !libraries.remove(name) && !cx.session.replaying {
        return Err(ReplyError::err("Library not found"));
    }
    change(cx, libraries, &[&[b"FUNCTION", b"DELETE", name]]);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn load(cx: &mut Ctx<'_>) -> Outcome {
    let code_at = cx.args.len() - 1;
    let mut replaces = false;
    for at in 2..code_at {
        if !cx.args.is(at, "replace") {
            let option = String::from_utf8_lossy(cx.args.at(at)).into_owned();
            return Err(ReplyError::err(format!("Unknown option given: {option}")));
        }
        replaces = true;
    }
    let code = cx.args.at(code_at);
    let interpreter = scripting::own(cx);
    let library = interpreter.load_library_of(cx, code)?;
    let mut libraries = Libraries::clone(&cx.engine.scripts.libraries());
    libraries.insert(Arc::clone(&library), replaces)?;
    change(cx, libraries, &[&[b"FUNCTION", b"LOAD", b"REPLACE", code]]);
    cx.reply.bulk(&library.name);
    Ok(Flow::Done)
}

fn dump(cx: &mut Ctx<'_>) -> Outcome {
    let libraries = cx.engine.scripts.libraries();
    let codes = libraries.iter().map(|library| &*library.code);
    let payload = cx.engine.payloads.dump_libraries(codes);
    cx.reply.bulk(&payload);
    Ok(Flow::Done)
}

fn restore(cx: &mut Ctx<'_>) -> Outcome {
    if cx.args.len() > 4 {
        return Err(ReplyError::subcommand_syntax(cx.args));
    }
    let is = |word: &str| cx.args.is(3, word);
    if cx.args.len() == 4 && !(is("append") || is("replace") || is("flush")) {
        return Err(ReplyError::err(
            "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ));
    }
    let (flushes, replaces) = (is("flush"), is("replace"));
    let checked = !cx
        .engine
        .payloads
        .any_checksum
        .load(std::sync::atomic::Ordering::Relaxed);
    let codes = rdb::restore_libraries(cx.args.at(2), checked).map_err(|error| match error {
        rdb::RestoreError::Footer => ReplyError::DumpFooter,
        rdb::RestoreError::Value(_) => {
            ReplyError::err("failed loading the given functions payload")
        }
    })?;
    let mut libraries = match flushes {
        true => Libraries::default(),
        false => Libraries::clone(&cx.engine.scripts.libraries()),
    };
    let interpreter = scripting::own(cx);
    let mut restored = Vec::<Arc<Library>>::new();
    for code in &codes {
        restored.push(interpreter.load_library_of(cx, code)?);
    }
    for library in &restored {
        libraries.insert(Arc::clone(library), replaces)?;
    }
    let mut effects = Vec::<[&[u8]; 4]>::new();
    for library in &restored {
        effects.push([b"FUNCTION", b"LOAD", b"REPLACE", &library.code]);
    }
    let flush: &[&[u8]] = &[b"FUNCTION", b"FLUSH"];
    let first = flushes.then_some(flush).into_iter();
    let effects: Vec<&[&[u8]]> = first.chain(effects.iter().map(|e| &e[..])).collect();
    change(cx, libraries, &effects);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn kill(cx: &mut Ctx<'_>) -> Outcome {
    match cx.engine.scripts.running.kill(Kind::Function) {
        Ok(()) => cx.reply.ok(),
        Err(NotKilled::Idle) => return Err(ReplyError::NotBusy),
        Err(NotKilled::Other) => return Err(ReplyError::BusyScript),
    }
    Ok(Flow::Done)
}

fn stats(cx: &mut Ctx<'_>) -> Outcome {
    let running = cx.engine.scripts.running.longest();
    if running.as_ref().is_some_and(|r| r.kind == Kind::Script) {
        return Err(ReplyError::BusyScript);
    }
    cx.reply.map(2);
    cx.reply.bulk(b"running_script");
    match running {
        None => cx.reply.null(),
        Some(script) => {
            let now_us = cx.host.monotonic_us();
            cx.reply.map(3);
            cx.reply.bulk(b"name");
            cx.reply.bulk(&script.name);
            cx.reply.bulk(b"command");
            cx.reply.array(script.command.len());
            script.command.iter().for_each(|arg| cx.reply.bulk(arg));
            cx.reply.bulk(b"duration_ms");
            let duration_us = now_us.saturating_sub(script.since_us);
            cx.reply.count((duration_us / 1_000) as usize);
        }
    }
    let libraries = cx.engine.scripts.libraries();
    cx.reply.bulk(b"engines");
    cx.reply.map(1);
    cx.reply.bulk(ENGINE.as_bytes());
    cx.reply.map(2);
    cx.reply.bulk(b"libraries_count");
    cx.reply.count(libraries.iter().len());
    cx.reply.bulk(b"functions_count");
    cx.reply.count(libraries.functions());
    Ok(Flow::Done)
}

fn list(cx: &mut Ctx<'_>) -> Outcome {
    let (mut pattern, mut with_code) = (None, false);
    let mut i = 2;
    while i < cx.args.len() {
        if !with_code && cx.args.is(i, "withcode") {
            with_code = true;
        } else if pattern.is_none() && cx.args.is(i, "libraryname") {
            i += 1;
            if i == cx.args.len() {
                return Err(ReplyError::LibraryNameMissing);
            }
            pattern = Some(cx.args.at(i));
        } else {
            let argument = String::from_utf8_lossy(cx.args.at(i)).into_owned();
            return Err(ReplyError::UnknownArgument(argument));
        }
        i += 1;
    }
    let libraries = cx.engine.scripts.libraries();
    let matches = |library: &&Arc<Library>| {
        pattern.is_none_or(|pattern| crate::glob::matches(pattern, &library.name, true))
    };
    let shown: Vec<&Arc<Library>> = libraries.iter().filter(matches).collect();
    cx.reply.array(shown.len());
    for library in shown {
        cx.reply.map(if with_code { 4 } else { 3 });
        cx.reply.bulk(b"library_name");
        cx.reply.bulk(&library.name);
        cx.reply.bulk(b"engine");
        cx.reply.bulk(ENGINE.as_bytes());
        cx.reply.bulk(b"functions");
        cx.reply.array(library.functions.len());
        for function in &library.functions {
            cx.reply.map(3);
            cx.reply.bulk(b"name");
            cx.reply.bulk(&function.name);
            cx.reply.bulk(b"description");
            match &function.description {
                Some(text) => cx.reply.bulk(text),
                None => cx.reply.null(),
            }
            cx.reply.bulk(b"flags");
            let flags = ScriptFlags::NAMES
                .iter()
                .filter(|(flag, _)| function.flags.has(*flag));
            cx.reply.set(flags.clone().count());
            flags.for_each(|(_, name)| cx.reply.simple(name));
        }
        if with_code {
            cx.reply.bulk(b"library_code");
            cx.reply.bulk(&library.code);
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    const LIBRARY: &str = "FUNCTION LOAD \"#!lua name=mylib\nlocal n = 40 redis.register_function('one', function(keys, args) return n + #keys + #args end) \
        redis.register_function{function_name='two', callback=function(keys) return redis.call('get', keys[1]) end, description='reads', flags={'no-writes'}}\"";

    #[test]
    fn a_library_comes_and_goes() {
        check(
            &format!(
                "{LIBRARY}; FCALL one 1 k a; FCALL ONE 0; SET k v; FCALL_RO two 1 k; FCALL_RO one 0; FUNCTION LIST; FUNCTION STATS; \
                 FUNCTION LIST LIBRARYNAME other*; {LIBRARY}; FUNCTION DELETE mylib; FCALL one 0; FUNCTION DELETE mylib; FUNCTION KILL"
            ),
            "mylib; 42; 40; OK; v; (error) ERR Can not execute a script with write flag using *_ro command.; \
             [[library_name mylib engine LUA functions [[name one description nil flags []] [name two description reads flags [no-writes]]]]]; \
             [running_script nil engines [LUA [libraries_count 1 functions_count 2]]]; []; \
             (error) ERR Library 'mylib' already exists; OK; (error) ERR Function not found; (error) ERR Library not found; \
             (error) NOTBUSY No scripts in execution right now.",
        );
    }

    #[test]
    fn libraries_are_dumped_and_restored() {
        let mut console = Console::default();
        console.run(LIBRARY);
        let dump = console.call(1, &[b"FUNCTION", b"DUMP"]);
        let start = dump
            .iter()
            .position(|&byte| byte == b'\n')
            .expect("a length")
            + 1;
        let payload = &dump[start..dump.len() - 2];
        let restore = |console: &mut Console, policy: &[u8]| {
            let reply = console.call(1, &[b"FUNCTION", b"RESTORE", payload, policy]);
            crate::testing::show(&reply)
        };
        assert_eq!(
            restore(&mut console, b"APPEND"),
            "(error) ERR Library 'mylib' already exists"
        );
        assert_eq!(restore(&mut console, b"REPLACE"), "OK");
        assert_eq!(console.run("FUNCTION FLUSH; FUNCTION LIST"), "OK; []");
        assert_eq!(restore(&mut console, b"FLUSH"), "OK");
        assert_eq!(
            console.run("FCALL one 0; FUNCTION RESTORE x; FUNCTION RESTORE x OTHER"),
            "40; (error) ERR DUMP payload version or checksum are wrong; \
             (error) ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
        );
    }

    #[test]
    fn libraries_do_nothing_but_register() {
        let mut console = Console::default();
        for (code, error) in [
            ("return 1", "Missing library metadata"),
            ("#!lua", "Invalid library metadata"),
            ("#!lua\nx", "Library name was not given"),
            ("#!php name=a\nx", "Engine 'php' not found"),
            (
                "#!lua name=a name=b\nx",
                "Invalid metadata value, name argument was given multiple times",
            ),
            (
                "#!lua name=a.b\nx",
                "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
            ),
            ("#!lua name=a\nreturn 1", "No functions registered"),
            (
                "#!lua name=a\nredis.call('get', 'k')",
                "Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'call'",
            ),
            (
                "#!lua name=a\nmath.random()",
                "Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'math'",
            ),
            (
                "#!lua name=a\nredis.register_function('x')",
                "Error registering functions: ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
            ),
            (
                "#!lua name=a\nredis.register_function('x', 1)",
                "Error registering functions: ERR second argument to redis.register_function must be a function",
            ),
            (
                "#!lua name=a\nx = 1",
                "Error registering functions: ERR user_function:2: Attempt to modify a readonly table",
            ),
        ] {
            let reply = console.call(1, &[b"FUNCTION", b"LOAD", code.as_bytes()]);
            assert_eq!(
                crate::testing::show(&reply),
                format!("(error) ERR {error}"),
                "{code}"
            );
        }
        assert_eq!(console.run("FUNCTION LIST"), "[]");
    }

    #[test]
    fn functions_can_not_register_others() {
        check(
            "FUNCTION LOAD \"#!lua name=a\nlocal r = redis.register_function r('x', function() r('y', function() end) end)\"; FCALL x 0",
            "a; (error) ERR redis.register_function can only be called on FUNCTION LOAD command script: x, on @user_function:2.",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "FUNCTION FLUSH now; FUNCTION FLUSH SYNC SYNC; FUNCTION LIST LIBRARYNAME; FUNCTION LIST WITHCODE WITHCODE; \
             FUNCTION LOAD x y; FUNCTION; FCALL x y; FCALL x 0",
            "(error) ERR FUNCTION FLUSH only supports SYNC|ASYNC option; \
             (error) ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.; \
             (error) ERR library name argument was not given; (error) ERR Unknown argument WITHCODE; \
             (error) ERR Unknown option given: x; \
             (error) ERR wrong number of arguments for 'function' command; \
             (error) ERR Function not found; (error) ERR Function not found",
        );
    }
}
