//! EXEC: runs the queued commands as one. <https://redis.io/commands/exec>
//!
//! The stripes of all queued and watched keys are held from the check of the watched keys to the last command, and time
//! stands still meanwhile. What the commands did makes one record of the log.

use super::forget_watches;
use crate::command::{Categories, Command, Flags, Scope};
use crate::{Args, Ctx, Engine, Flow, Outcome, ReplyError, Session};
use dunlin_store::Key;

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

/// Elements of the collections that queued commands may go through: those of commands that are not fast.
fn elements(cx: &mut Ctx<'_>) -> usize {
    let (db, mut sum) = (cx.db(), 0u64);
    let queued = cx.session.transaction.iter().flat_map(|t| &t.queue);
    for q in queued.filter(|q| !q.command.flags.has(Flags::FAST)) {
        let args = q.args.as_args();
        for spec in q.command.keys {
            spec.for_each(args, |i| {
                sum = sum.saturating_add(cx.keys.elements(db, args.at(i)))
            });
        }
    }
    usize::try_from(sum).unwrap_or(usize::MAX)
}

fn exec(cx: &mut Ctx<'_>) -> Outcome {
    let elements = elements(cx);
    if cx.is_heavy(elements) {
        return Ok(Flow::Heavy);
    }
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
    cx.host.inner_starts();
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
