//! CLIENT PAUSE timeout [WRITE | ALL] and CLIENT UNPAUSE: commands of all clients wait, so that nothing changes.
//! <https://redis.io/commands/client-pause>
//!
//! What waits are the commands that may change data, or all. Nothing expires and nothing is evicted meanwhile. A command that
//! runs already goes on.

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::ADMIN;
use crate::clients::Scope;
use crate::host::host;

/// Where the end of a pause still fits its word.
const END_MS_MAX: u64 = u64::MAX >> 1;

/// CLIENT PAUSE.
pub(super) const PAUSE: Command = Command {
    arity: -3,
    since: "3.0.0",
    complexity: "O(1)",
    summary: "Lets the commands of all clients wait for so many milliseconds: all, or those that write.",
    history: &[("6.2.0", "Takes WRITE and ALL.")],
    arguments: &[
        Argument::new("timeout", ArgKind::Integer),
        Argument::one_of(
            "mode",
            &[
                Argument::token("write", "WRITE"),
                Argument::token("all", "ALL"),
            ],
        )
        .optional()
        .since("6.2.0"),
    ],
    ..ADMIN.subcommand("pause", "client|pause", pause)
};

/// CLIENT UNPAUSE.
pub(super) const UNPAUSE: Command = Command {
    since: "6.2.0",
    complexity: "O(N) for N clients that wait",
    summary: "Ends what CLIENT PAUSE began.",
    ..ADMIN.subcommand("unpause", "client|unpause", unpause)
};

fn pause(cx: &mut Ctx<'_>) -> Outcome {
    let scope = match cx.args.len() {
        3 => Scope::All,
        4 if cx.args.is(3, "write") => Scope::Write,
        4 if cx.args.is(3, "all") => Scope::All,
        4 => {
            return Err(ReplyError::err("CLIENT PAUSE mode must be WRITE or ALL"));
        }
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    };
    let timeout_ms = parse_i64(cx.args.at(2))
        .ok_or_else(|| ReplyError::err("timeout is not an integer or out of range"))?;
    let timeout_ms =
        u64::try_from(timeout_ms).map_err(|_| ReplyError::err("timeout is negative"))?;
    let now_ms = cx.keys.now_ms();
    let end_ms = now_ms
        .checked_add(timeout_ms)
        .filter(|&end_ms| end_ms <= END_MS_MAX)
        .ok_or_else(|| ReplyError::err("timeout is out of range"))?;
    let shared = &host(cx).shared;
    shared.clients.pause.begin(now_ms, end_ms, scope);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn unpause(cx: &mut Ctx<'_>) -> Outcome {
    let shared = &host(cx).shared;
    shared.clients.pause.end();
    shared.wake_workers();
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::clients::Scope;
    use crate::commands::testing::{Console, check};

    #[test]
    fn pauses_and_ends() {
        let mut console = Console::default();
        let start_ms = dunlin_engine::testing::START_MS;
        assert_eq!(console.run("CLIENT PAUSE 100 WRITE"), "OK");
        let at = |console: &Console, ms| console.shared.clients.pause.at(start_ms + ms);
        assert_eq!(at(&console, 99), Some((Scope::Write, start_ms + 100)));
        console.run("CLIENT PAUSE 50");
        assert_eq!(at(&console, 99), Some((Scope::All, start_ms + 100)));
        console.run("CLIENT UNPAUSE");
        assert_eq!(at(&console, 10), None);
    }

    #[test]
    fn expired_keys_are_not_found_and_stay() {
        let mut console = Console::default();
        console.run("SET a 1 PX 10; MULTI; SET b 1 PX 10; GET a; EXEC; CLIENT PAUSE 1000 WRITE");
        assert_eq!(
            console.run("+20ms; GET a; EXISTS a b; GET b; KEYS *; DBSIZE"),
            "nil; 0; nil; []; 2"
        );
        assert!(console.run("INFO stats").contains("expired_keys:0"));
        assert_eq!(console.run("CLIENT UNPAUSE; GET a; DBSIZE"), "OK; nil; 1");
        assert!(console.run("INFO stats").contains("expired_keys:1"));
    }

    #[test]
    fn refusals() {
        check(
            "CLIENT PAUSE; CLIENT PAUSE x; CLIENT PAUSE -1; CLIENT PAUSE 9223372036854775807; CLIENT PAUSE 1 READ; \
             CLIENT PAUSE 1 ALL x; CLIENT UNPAUSE x",
            "(error) ERR wrong number of arguments for 'client|pause' command; \
             (error) ERR timeout is not an integer or out of range; (error) ERR timeout is negative; \
             (error) ERR timeout is out of range; (error) ERR CLIENT PAUSE mode must be WRITE or ALL; \
             (error) ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.; \
             (error) ERR wrong number of arguments for 'client|unpause' command",
        );
    }
}
