//! DEBUG: what tests and people who look for bugs ask. <https://redis.io/commands/debug>
//!
//! Only where `enable-debug-command` allows it: a client could stop the server with it. In Redis's command table DEBUG has
//! no subcommands; here it has, because they lock different things.

mod digest;
mod object;
mod populate;
mod protocol;
mod sleep;

pub(super) use object::CLOCK_MASK;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags, Handler};
use dunlin_engine::commands::server::help;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::{host, origin};

/// DEBUG.
pub(super) const DEBUG: Command = Command {
    complexity: "Depends on the subcommand",
    summary: "Shows and does what only tests need.",
    subcommands: &[
        &digest::DIGEST,
        &digest::DIGEST_VALUE,
        &HELP,
        &object::OBJECT,
        &populate::POPULATE,
        &protocol::PROTOCOL,
        &QUICKLIST_PACKED_THRESHOLD,
        &SET_ACTIVE_EXPIRE,
        &sleep::SLEEP,
    ],
    ..subcommand("debug", set_active_expire)
};

const HELP: Command = Command {
    full_name: "debug",
    categories: Categories::SLOW,
    group: "server",
    ..help::HELP
};

const SET_ACTIVE_EXPIRE: Command = Command {
    summary: "With 0, expired keys are removed only when they are accessed; with 1, by time as well.",
    arguments: &[Argument::new("on", ArgKind::Integer)],
    ..subcommand("set-active-expire", set_active_expire)
};

const QUICKLIST_PACKED_THRESHOLD: Command = Command {
    summary: "Accepted for the sake of Redis's tests: lists here have no plain nodes.",
    arguments: &[Argument::new("size", ArgKind::String)],
    ..subcommand("quicklist-packed-threshold", quicklist_packed_threshold)
};

/// What every subcommand starts from.
const fn subcommand(name: &'static str, handler: Handler) -> Command {
    Command {
        name,
        // Clients are told of DEBUG alone, and statistics are filed under it.
        full_name: "debug",
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
        handler,
        ..Command::BASE
    }
}

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

fn quicklist_packed_threshold(cx: &mut Ctx<'_>) -> Outcome {
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
