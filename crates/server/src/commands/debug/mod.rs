//! DEBUG: what tests and people who look for bugs ask. <https://redis.io/commands/debug>
//!
//! Only where `enable-debug-command` allows it: a client could stop the server with it. In Redis's command table DEBUG has
//! no subcommands; here it has, because they lock different things.

mod allocator;
mod config_rewrite;
mod crash;
mod deny_scripts;
mod digest;
mod log;
mod matching;
mod object;
mod populate;
mod protocol;
mod reload;
mod sleep;
mod structure;

pub(super) use object::CLOCK_MASK;

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::commands::server::help;
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::{host, origin};

/// DEBUG.
pub(super) const DEBUG: Command = Command {
    complexity: "Depends on the subcommand",
    summary: "Shows and does what only tests need.",
    subcommands: &[
        &AOF_FLUSH_SLEEP,
        &crash::ASSERT,
        &CHANGE_REPL_ID,
        &config_rewrite::CONFIG_REWRITE_FORCE_ALL,
        &digest::DIGEST,
        &digest::DIGEST_VALUE,
        &ERROR,
        &HELP,
        &structure::HTSTATS,
        &structure::HTSTATS_KEY,
        &LEAK,
        &structure::LISTPACK,
        &reload::LOADAOF,
        &log::LOG,
        &allocator::MALLCTL,
        &allocator::MALLCTL_STR,
        &object::OBJECT,
        &crash::OOM,
        &crash::PANIC,
        &PAUSE_CRON,
        &populate::POPULATE,
        &protocol::PROTOCOL,
        &structure::QUICKLIST,
        &QUICKLIST_PACKED_THRESHOLD,
        &reload::RELOAD,
        &REPLYBUFFER,
        &crash::SEGFAULT,
        &SET_ACTIVE_EXPIRE,
        &deny_scripts::SET_DISABLE_DENY_SCRIPTS,
        &SET_SKIP_CHECKSUM_VALIDATION,
        &sleep::SLEEP,
        &matching::STRINGMATCH_TEST,
    ],
    ..FAMILY.subcommand("debug", "debug", set_active_expire)
};

const HELP: Command = Command {
    full_name: "debug",
    categories: Categories::SLOW,
    group: "server",
    handler: permitted_help,
    ..help::HELP
};

const AOF_FLUSH_SLEEP: Command = Command {
    summary: "Has the writer of the append-only file sleep so many microseconds before it writes.",
    arguments: &[Argument::new("microseconds", ArgKind::Integer)],
    ..FAMILY.subcommand("aof-flush-sleep", "debug", aof_flush_sleep)
};

const CHANGE_REPL_ID: Command = Command {
    summary: "Makes a new replication id, as if this were another server.",
    ..FAMILY.subcommand("change-repl-id", "debug", change_repl_id)
};

const ERROR: Command = Command {
    summary: "Replies with this error.",
    arguments: &[Argument::new("message", ArgKind::String)],
    ..FAMILY.subcommand("error", "debug", error)
};

const LEAK: Command = Command {
    summary: "Leaks a copy of this text.",
    arguments: &[Argument::new("text", ArgKind::String)],
    ..FAMILY.subcommand("leak", "debug", leak)
};

const PAUSE_CRON: Command = Command {
    summary: "With 1, signals that stop the server wait until 0, as nothing else here happens at fixed times.",
    arguments: &[Argument::new("on", ArgKind::Integer)],
    ..FAMILY.subcommand("pause-cron", "debug", pause_cron)
};

const REPLYBUFFER: Command = Command {
    summary: "Accepted for the sake of Redis's tests: a client has a reply buffer only while there is a reply in it.",
    arguments: &[Argument::one_of(
        "setting",
        &[
            Argument::new("time", ArgKind::String).with_token("PEAK-RESET-TIME"),
            Argument::new("on", ArgKind::Integer).with_token("RESIZING"),
        ],
    )],
    ..FAMILY.subcommand("replybuffer", "debug", replybuffer)
};

fn permitted_help(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 0..=0)?;
    (help::HELP.handler)(cx)
}

const SET_ACTIVE_EXPIRE: Command = Command {
    summary: "With 0, expired keys are removed only when they are accessed; with 1, by time as well.",
    arguments: &[Argument::new("on", ArgKind::Integer)],
    ..FAMILY.subcommand("set-active-expire", "debug", set_active_expire)
};

const SET_SKIP_CHECKSUM_VALIDATION: Command = Command {
    summary: "With 1, RESTORE takes payloads whatever their checksum.",
    arguments: &[Argument::new("on", ArgKind::Integer)],
    ..FAMILY.subcommand(
        "set-skip-checksum-validation",
        "debug",
        set_skip_checksum_validation,
    )
};

const QUICKLIST_PACKED_THRESHOLD: Command = Command {
    summary: "Accepted for the sake of Redis's tests: lists here have no plain nodes.",
    arguments: &[Argument::new("size", ArgKind::String)],
    ..FAMILY.subcommand("quicklist-packed-threshold", "debug", accept_one)
};

/// What the subcommands have in common.
const FAMILY: Command = Command {
    // Each counts its own arguments: Redis has one text for all that is wrong with them.
    arity: -2,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    ..Command::BASE
};

/// Lets the handler go on if this client may use DEBUG and gave as many arguments as this.
fn permit(cx: &mut Ctx<'_>, arguments: RangeInclusive<usize>) -> Result<(), ReplyError> {
    let permission = host(cx).shared.config().debug_command();
    if permission.allows(origin(cx.session)) {
        // The container's and the subcommand's names are arguments, too.
        let fits = arguments.contains(&(cx.args.len() - 2));
        return fits
            .then_some(())
            .ok_or_else(|| ReplyError::subcommand_syntax(cx.args));
    }
    Err(ReplyError::Text(Cow::Borrowed(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
         local connection, otherwise you need to set this option in the configuration file, and then restart the \
         server.",
    )))
}

fn set_active_expire(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    // As C's atoi: what does not begin with a number is 0.
    let on = dunlin_engine::number::parse_i64(cx.args.at(2)).is_some_and(|n| n != 0);
    cx.engine.store.set_active_expire(on);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn set_skip_checksum_validation(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let on = dunlin_engine::number::parse_i64(cx.args.at(2)).is_some_and(|n| n != 0);
    let flag = &cx.engine.payloads.any_checksum;
    flag.store(on, Ordering::Relaxed);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn pause_cron(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let on = dunlin_engine::number::parse_i64(cx.args.at(2)).is_some_and(|n| n != 0);
    host(cx).shared.hold_signals(on);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn aof_flush_sleep(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let us = parse_i64(cx.args.at(2)).and_then(|us| u64::try_from(us).ok());
    let us = us.ok_or(ReplyError::NotInteger)?;
    let journal = &host(cx).shared.journal;
    journal.flush_sleep_us.store(us, Ordering::Relaxed);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn change_repl_id(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 0..=0)?;
    host(cx).shared.change_replication_id();
    cx.reply.ok();
    Ok(Flow::Done)
}

fn error(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    // A line end would end the error, and what is behind it would be another reply.
    let text = String::from_utf8_lossy(cx.args.at(2)).replace(['\r', '\n'], " ");
    Err(ReplyError::Text(Cow::Owned(text)))
}

fn leak(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    std::mem::forget(cx.args.at(2).to_vec());
    cx.reply.ok();
    Ok(Flow::Done)
}

fn replybuffer(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 2..=2)?;
    if !cx.args.is(2, "peak-reset-time") && !cx.args.is(2, "resizing") {
        return Err(ReplyError::subcommand_syntax(cx.args));
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn accept_one(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};
    use crate::config::Config;

    const REFUSED: &str = "(error) ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
        you can run it from a local connection, otherwise you need to set this option in the configuration file, and \
        then restart the server.";

    #[test]
    fn only_who_may() {
        for command in [
            "DIGEST",
            "DIGEST-VALUE k",
            "HELP",
            "OBJECT k",
            "POPULATE 1",
            "PROTOCOL string",
            "SET-ACTIVE-EXPIRE 0",
            "SLEEP 0",
        ] {
            check(&format!("DEBUG {command}"), REFUSED);
        }
        let local =
            Config::load(&["--enable-debug-command", "local"]).expect("a valid command line");
        let mut console = Console::new(local.config);
        assert_eq!(console.run("DEBUG SET-ACTIVE-EXPIRE 0"), REFUSED);
        console.session(1).peer.remote = Some(([10, 0, 0, 1], 1).into());
        assert_eq!(console.run("DEBUG SET-ACTIVE-EXPIRE 0"), REFUSED);
        console.session(1).peer.remote = Some(([127, 0, 0, 1], 1).into());
        assert_eq!(console.run("DEBUG SET-ACTIVE-EXPIRE 0"), "OK");
        console.session(2).peer.unix = true;
        assert_eq!(console.run("2> DEBUG SET-ACTIVE-EXPIRE 1"), "OK");
    }

    #[test]
    fn expiry_by_time_is_switched() {
        let mut console = Console::with_debug();
        console.run("DEBUG SET-ACTIVE-EXPIRE 0; SET k v PX 5; +10ms");
        assert_eq!(console.shared.engine.store.next_due(0), None);
        assert_eq!(
            console.run("GET k; SET k v PX 5; DEBUG SET-ACTIVE-EXPIRE 1"),
            "nil; OK; OK"
        );
        assert!(console.shared.engine.store.next_due(0).is_some());
    }

    #[test]
    fn errors_and_ids_on_request() {
        let mut console = Console::with_debug();
        assert_eq!(
            console.run("DEBUG ERROR 'NOPE not\\r\\nnow'"),
            "(error) NOPE not\\r\\nnow"
        );
        assert_eq!(
            console.call(1, &[b"DEBUG", b"ERROR", b"NOPE not\r\n+now"]),
            b"-NOPE not  +now\r\n"
        );
        let id = |console: &mut Console| {
            let reply = console.run("INFO replication");
            let at = reply.find("master_replid:").expect("a field") + "master_replid:".len();
            reply[at..at + 40].to_owned()
        };
        let before = id(&mut console);
        assert!(before.bytes().all(|b| b.is_ascii_hexdigit()), "{before}");
        assert_eq!(before, id(&mut console));
        assert_eq!(console.run("DEBUG CHANGE-REPL-ID"), "OK");
        assert_ne!(before, id(&mut console));
    }

    #[test]
    fn checksums_of_payloads_are_skipped() {
        let restore = r#"RESTORE k 0 "\x00\x03foo\x0b\x0012345678""#;
        assert_eq!(
            Console::with_debug().run(&format!(
                "{restore}; DEBUG SET-SKIP-CHECKSUM-VALIDATION 1; {restore}; GET k; DEBUG SET-SKIP-CHECKSUM-VALIDATION 0; {restore} REPLACE"
            )),
            "(error) ERR DUMP payload version or checksum are wrong; OK; OK; foo; OK; \
             (error) ERR DUMP payload version or checksum are wrong"
        );
    }

    #[test]
    fn what_is_accepted() {
        assert_eq!(
            Console::with_debug().run(
                "DEBUG AOF-FLUSH-SLEEP 5; DEBUG AOF-FLUSH-SLEEP x; DEBUG PAUSE-CRON 1; DEBUG REPLYBUFFER RESIZING 0; DEBUG REPLYBUFFER peak-reset-time never; DEBUG REPLYBUFFER x 1; \
                 DEBUG LEAK text"
            ),
            "OK; (error) ERR value is not an integer or out of range; OK; OK; OK; (error) ERR unknown subcommand or wrong number of arguments for 'REPLYBUFFER'. Try DEBUG HELP.; OK"
        );
    }

    #[test]
    fn unknown_subcommands() {
        assert!(
            Console::with_debug()
                .run("DEBUG HELP")
                .contains("POPULATE <count> [<prefix>] [<size>]")
        );
        assert_eq!(
            Console::with_debug().run("DEBUG; DEBUG NOSUCH; DEBUG SLEEP; DEBUG digest x"),
            "(error) ERR wrong number of arguments for 'debug' command; \
             (error) ERR unknown subcommand 'NOSUCH'. Try DEBUG HELP.; \
             (error) ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP.; \
             (error) ERR unknown subcommand or wrong number of arguments for 'digest'. Try DEBUG HELP."
        );
    }
}
