//! MULTI starts a transaction, DISCARD drops it. <https://redis.io/docs/interact/transactions/>

use super::forget_watches;
use crate::command::{Categories, Command, Flags, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError, Transaction};

const FLAGS: Flags = Flags::NOSCRIPT
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::FAST)
    .and(Flags::ALLOW_BUSY);

/// MULTI.
pub(super) const MULTI: Command = Command {
    name: "multi",
    full_name: "multi",
    arity: 1,
    flags: FLAGS,
    categories: Categories::FAST.and(Categories::TRANSACTION),
    group: "transactions",
    since: "1.2.0",
    summary: "Starts a transaction: the commands that follow are queued until EXEC.",
    handler: multi,
    ..Command::BASE
};

/// DISCARD.
pub(super) const DISCARD: Command = Command {
    name: "discard",
    full_name: "discard",
    scope: Scope::Watched,
    since: "2.0.0",
    complexity: "O(N) in the number of queued commands and watched keys",
    summary: "Drops the queued commands and unwatches all keys.",
    handler: discard,
    ..MULTI
};

fn multi(cx: &mut Ctx<'_>) -> Outcome {
    if cx.session.in_transaction() {
        return Err(ReplyError::NestedMulti);
    }
    cx.session.transaction = Some(Box::new(Transaction::default()));
    cx.reply.ok();
    Ok(Flow::Done)
}

fn discard(cx: &mut Ctx<'_>) -> Outcome {
    if cx.session.transaction.take().is_none() {
        return Err(ReplyError::DiscardWithoutMulti);
    }
    forget_watches(cx);
    cx.reply.ok();
    Ok(Flow::Done)
}
