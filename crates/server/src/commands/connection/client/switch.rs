//! CLIENT NO-EVICT ON | OFF and CLIENT NO-TOUCH ON | OFF: what a client is spared, and what it spares the keys.
//! <https://redis.io/commands/client-no-evict> <https://redis.io/commands/client-no-touch>

use dunlin_engine::command::Argument;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::{ADMIN, FAMILY};
use crate::clients::Mark;
use crate::host::host;

const ON_OFF: &[Argument] = &[Argument::one_of(
    "enabled",
    &[Argument::token("on", "ON"), Argument::token("off", "OFF")],
)];

/// CLIENT NO-EVICT.
pub(super) const NO_EVICT: Command = Command {
    arity: 3,
    since: "7.0.0",
    complexity: "O(1)",
    summary: "Says whether this client may be closed over maxmemory-clients.",
    arguments: ON_OFF,
    ..ADMIN.subcommand("no-evict", "client|no-evict", no_evict)
};

/// CLIENT NO-TOUCH.
pub(super) const NO_TOUCH: Command = Command {
    arity: 3,
    since: "7.2.0",
    complexity: "O(1)",
    summary: "Says whether reads of this client leave the access times of keys alone.",
    arguments: ON_OFF,
    ..FAMILY.subcommand("no-touch", "client|no-touch", no_touch)
};

fn no_evict(cx: &mut Ctx<'_>) -> Outcome {
    let on = on_or_off(cx)?;
    mark(cx, Mark::NO_EVICT, on);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn no_touch(cx: &mut Ctx<'_>) -> Outcome {
    let on = on_or_off(cx)?;
    cx.session.no_touch = on;
    mark(cx, Mark::NO_TOUCH, on);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn on_or_off(cx: &Ctx<'_>) -> Result<bool, ReplyError> {
    if cx.args.is(2, "on") {
        Ok(true)
    } else if cx.args.is(2, "off") {
        Ok(false)
    } else {
        Err(ReplyError::Syntax)
    }
}

/// Marks the client that runs this command.
fn mark(cx: &mut Ctx<'_>, mark: Mark, on: bool) {
    let id = cx.session.id;
    if let Some(client) = host(cx).shared.clients.find(id) {
        client.mark(mark, on);
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn both_show_in_the_list() {
        let mut console = Console::default();
        assert_eq!(
            console.run("CLIENT NO-EVICT on; CLIENT NO-TOUCH ON"),
            "OK; OK"
        );
        assert!(console.run("CLIENT INFO").contains(" flags=eT "));
        assert_eq!(
            console.run("CLIENT NO-EVICT off; CLIENT NO-TOUCH maybe; CLIENT NO-EVICT"),
            "OK; (error) ERR syntax error; (error) ERR wrong number of arguments for 'client|no-evict' command"
        );
        assert!(console.run("CLIENT INFO").contains(" flags=T "));
        assert!(console.run("RESET; CLIENT INFO").contains(" flags=N "));
    }

    #[test]
    fn reads_leave_access_times_alone() {
        let mut console = Console::default();
        console.run("+1ms; SET k v; +5000ms; CLIENT NO-TOUCH on; GET k");
        assert_eq!(
            console.run("OBJECT IDLETIME k; TOUCH k; OBJECT IDLETIME k"),
            "5; 1; 0"
        );
        assert_eq!(
            console.run("+5000ms; CLIENT NO-TOUCH off; GET k; OBJECT IDLETIME k"),
            "OK; v; 0"
        );
    }
}
