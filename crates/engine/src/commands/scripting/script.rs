//! SCRIPT: manages the scripts that EVALSHA finds. <https://redis.io/commands/script-load>

use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::commands::server::help;
use crate::scripting::{self, Kind, NotKilled};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SCRIPT.
pub(super) const SCRIPT: Command = Command {
    name: "script",
    full_name: "script",
    arity: -2,
    categories: Categories::SLOW,
    group: "scripting",
    since: "2.6.0",
    complexity: "Depends on the subcommand",
    summary: "Manages the cache of scripts.",
    subcommands: &[&DEBUG, &EXISTS, &FLUSH, &HELP, &KILL, &LOAD],
    ..Command::BASE
};

const FLUSH: Command = Command {
    name: "flush",
    full_name: "script|flush",
    arity: -2,
    flags: Flags::NOSCRIPT,
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "2.6.0",
    complexity: "O(N) in the number of scripts",
    summary: "Empties the cache of scripts.",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    history: &[("6.2.0", "Takes ASYNC and SYNC.")],
    arguments: &[Argument::one_of(
        "flush-type",
        &[
            Argument::token("async", "ASYNC"),
            Argument::token("sync", "SYNC"),
        ],
    )
    .since("6.2.0")
    .optional()],
    handler: flush,
    ..Command::BASE
};

const DEBUG: Command = Command {
    name: "debug",
    full_name: "script|debug",
    arity: 3,
    since: "3.2.0",
    complexity: "O(1)",
    summary: "Accepted, and does nothing: there is no debugger of scripts.",
    tips: &[],
    history: &[],
    arguments: &[Argument::one_of(
        "mode",
        &[
            Argument::token("yes", "YES"),
            Argument::token("sync", "SYNC"),
            Argument::token("no", "NO"),
        ],
    )],
    handler: debug,
    ..FLUSH
};

const EXISTS: Command = Command {
    name: "exists",
    full_name: "script|exists",
    arity: -3,
    complexity: "O(N) in the number of digests",
    summary: "Tells which scripts are known.",
    tips: &[
        "request_policy:all_shards",
        "response_policy:agg_logical_and",
    ],
    history: &[],
    arguments: &[Argument::new("sha1", ArgKind::String).multiple()],
    handler: exists,
    ..FLUSH
};

const KILL: Command = Command {
    name: "kill",
    full_name: "script|kill",
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
    complexity: "O(1)",
    summary: "Ends the script that runs; what it has done is undone.",
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    history: &[],
    arguments: &[],
    handler: kill,
    ..FLUSH
};

const LOAD: Command = Command {
    name: "load",
    full_name: "script|load",
    arity: 3,
    flags: Flags::NOSCRIPT.and(Flags::STALE),
    complexity: "O(N) in the length of the script",
    summary: "Makes a script known, without running it.",
    history: &[],
    arguments: &[Argument::new("script", ArgKind::String)],
    handler: load,
    ..FLUSH
};

const HELP: Command = Command {
    name: "help",
    full_name: "script|help",
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "5.0.0",
    ..help::HELP
};

fn flush(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 => {}
        3 if cx.args.is(2, "sync") || cx.args.is(2, "async") => {}
        3 => return Err(ReplyError::ScriptFlushMode),
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    }
    cx.engine.scripts.flush();
    cx.reply.ok();
    Ok(Flow::Done)
}

fn debug(cx: &mut Ctx<'_>) -> Outcome {
    if !["yes", "sync", "no"].iter().any(|mode| cx.args.is(2, mode)) {
        return Err(ReplyError::err("Use SCRIPT DEBUG YES/SYNC/NO"));
    }
    // There is no debugger: scripts run to their end, as they do in Redis once its debugger is told to go on.
    cx.reply.ok();
    Ok(Flow::Done)
}

fn exists(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.array(cx.args.len() - 2);
    for text in cx.args.from(2) {
        let digest = scripting::parse_hex(text);
        let known = digest.and_then(|digest| cx.engine.scripts.find(&digest));
        cx.reply.integer(i64::from(known.is_some()));
    }
    Ok(Flow::Done)
}

fn load(cx: &mut Ctx<'_>) -> Outcome {
    let source = cx.args.at(2);
    let digest = scripting::digest(source);
    let interpreter = scripting::own(cx);
    interpreter.script(cx.engine, &digest, Some(source))?;
    cx.reply.bulk(scripting::hex(&digest).as_bytes());
    Ok(Flow::Done)
}

fn kill(cx: &mut Ctx<'_>) -> Outcome {
    match cx.engine.scripts.running.kill(Kind::Script) {
        Ok(()) => cx.reply.ok(),
        Err(NotKilled::Idle) => return Err(ReplyError::NotBusy),
        Err(NotKilled::Other) => return Err(ReplyError::BusyFunction),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, show};

    #[test]
    fn scripts_are_known_until_they_are_flushed() {
        check(
            "SCRIPT LOAD 'return 1'; SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db E0E1F9FABFC9D4800C877A703B823AC0578FF8DB x; \
             EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0; EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0; \
             SCRIPT FLUSH; SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db; \
             EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0; EVALSHA x 0",
            "e0e1f9fabfc9d4800c877a703b823ac0578ff8db; [1 1 0]; 1; 1; OK; [0]; \
             (error) NOSCRIPT No matching script. Please use EVAL.; (error) NOSCRIPT No matching script. Please use EVAL.",
        );
        check("SCRIPT FLUSH sync; SCRIPT FLUSH ASYNC", "OK; OK");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SCRIPT FLUSH now; SCRIPT FLUSH SYNC SYNC; SCRIPT NOSUCH x; SCRIPT KILL; SCRIPT DEBUG maybe; SCRIPT DEBUG no; \
             SCRIPT LOAD 'return (' ",
            "(error) ERR SCRIPT FLUSH only support SYNC|ASYNC option; \
             (error) ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try SCRIPT HELP.; \
             (error) ERR unknown subcommand 'NOSUCH'. Try SCRIPT HELP.; \
             (error) NOTBUSY No scripts in execution right now.; (error) ERR Use SCRIPT DEBUG YES/SYNC/NO; OK; \
             (error) ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'",
        );
    }

    #[test]
    fn there_may_be_any_number_of_scripts() {
        // More than an interpreter keeps compiled, and than a stack of Lua's holds.
        const SCRIPTS: usize = 9_000;
        let mut console = Console::default();
        let mut digests = Vec::new();
        for n in 0..SCRIPTS {
            let reply = console.call(1, &[b"SCRIPT", b"LOAD", format!("return {n}").as_bytes()]);
            digests.push(show(&reply));
        }
        for n in [0, 1, SCRIPTS / 2, SCRIPTS - 1] {
            let reply = console.call(1, &[b"EVALSHA", digests[n].as_bytes(), b"0"]);
            assert_eq!(show(&reply), n.to_string());
        }
    }
}
