//! CLIENT UNBLOCK id [TIMEOUT | ERROR]: ends the wait of a blocked client. <https://redis.io/commands/client-unblock>
//!
//! Who waits for the end of a pause is not woken, as in Redis.

use std::sync::Arc;

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::ADMIN;
use crate::host::host;

/// CLIENT UNBLOCK.
pub(super) const UNBLOCK: Command = Command {
    arity: -3,
    since: "5.0.0",
    complexity: "O(log N) for N clients",
    summary: "Ends the wait of a client in a blocking command, as by its timeout or with an error.",
    arguments: &[
        Argument::new("client-id", ArgKind::Integer),
        Argument::one_of(
            "unblock-type",
            &[
                Argument::token("timeout", "TIMEOUT"),
                Argument::token("error", "ERROR"),
            ],
        )
        .optional(),
    ],
    ..ADMIN.subcommand("unblock", "client|unblock", unblock)
};

fn unblock(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        3 => {}
        4 if cx.args.is(3, "timeout") || cx.args.is(3, "error") => {}
        4 => {
            return Err(ReplyError::err(
                "CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    }
    let id = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let with_error = cx.args.is(3, "error");
    let shared = Arc::clone(&host(cx).shared);
    let client = u64::try_from(id)
        .ok()
        .and_then(|id| shared.clients.find(id));
    let unblocked = client.filter(|client| shared.clients.unblock(client, with_error));
    if let Some(client) = &unblocked {
        shared.wake_worker(client.worker());
    }
    cx.reply.count(usize::from(unblocked.is_some()));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::check;

    #[test]
    fn nobody_is_blocked() {
        check(
            "CLIENT UNBLOCK 1; CLIENT UNBLOCK 7 ERROR; CLIENT UNBLOCK x; CLIENT UNBLOCK 1 NOW; CLIENT UNBLOCK 1 ERROR x",
            "0; 0; (error) ERR value is not an integer or out of range; \
             (error) ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR; \
             (error) ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
        );
    }
}
