//! EXEC: runs the queued commands as one. <https://redis.io/commands/exec>
//!
//! The stripes of all queued and watched keys are held from the check of the watched keys to the last command, and time
//! stands still meanwhile. What the commands did makes one record of the log.

use super::forget_watches;
use crate::command::{Categories, Command, Flags, Scope};
use crate::{Args, Ctx, Engine, Flow, Outcome, ReplyError, Session};
use dunlin_store::{Key, Txn};

/// EXEC.
pub(super) const EXEC: Command = Command {
    name: "exec",
    full_name: "exec",
    arity: 1,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::SKIP_SLOWLOG),
    categories: Categories::SLOW.and(Categories::TRANSACTION),
    scope: Scope::Transaction,
    group: "transactions",
    since: "1.2.0",
    complexity: "Depends on the queued commands",
    summary: "Runs the queued commands, unless a watched key has changed.",
    weight: Some(weight),
    elements: Some(elements),
    handler: exec,
    ..Command::BASE
};

fn weight(engine: &Engine, session: &Session, _args: Args<'_>) -> u64 {
    let queued = session.transaction.iter().flat_map(|t| &t.queue);
    queued
        .map(|q| {
            q.command
                .weight
                .map_or(1, |weight| weight(engine, session, q.args.as_args()))
        })
        .sum()
}

fn elements(keys: &mut Txn<'_>, session: &Session, _args: Args<'_>) -> u64 {
    let queued = session.transaction.iter().flat_map(|t| &t.queue);
    queued
        .map(|q| {
            q.command
                .elements
                .map_or(0, |elements| elements(keys, session, q.args.as_args()))
        })
        .sum()
}

fn exec(cx: &mut Ctx<'_>) -> Outcome {
    let Some(transaction) = cx.session.transaction.take() else {
        return Err(ReplyError::ExecWithoutMulti);
    };
    let changed = watched_keys_changed(cx);
    forget_watches(cx);
    if let Some(refusal) = transaction.refused {
        // The code goes when it is the general one: the text stands behind another.
        let text = refusal.to_string();
        return Err(ReplyError::ExecRefused(
            text.strip_prefix("ERR ").unwrap_or(&text).to_owned(),
        ));
    }
    if transaction.aborted {
        return Err(ReplyError::ExecAbort);
    }
    if changed {
        cx.reply.null_array();
        return Ok(Flow::Done);
    }
    cx.reply.array(transaction.queue.len());
    for queued in &transaction.queue {
        cx.run_queued(queued);
    }
    Ok(Flow::Done)
}

fn watched_keys_changed(cx: &mut Ctx<'_>) -> bool {
    let Some(watches) = &cx.session.watches else {
        return false;
    };
    for (db, key, hash) in &watches.keys {
        // Looking a key up removes it if it has expired, which raises the flag if it was alive when watched.
        let _ = cx.keys.find(
            *db,
            &Key {
                bytes: key,
                hash: *hash,
            },
        );
    }
    watches.flag.is_raised()
}
