//! EXEC: runs the queued commands as one. <https://redis.io/commands/exec>
//!
//! The stripes of all queued and watched keys are held from the check of the watched keys to the last command, and time
//! stands still meanwhile. What the commands did makes one record of the log.
//!
//! EXEC RB (or ROLLBACK), which Redis lacks: when a command fails, the others are not run, and every key is put back as it was, with its
//! deadline. Nothing reaches the log, no watched key counts as changed, nobody who waits is served. What is no key's (CONFIG SET ...) stays.

use super::forget_watches;
use crate::command::{Argument, Categories, Command, Flags, Scope};
use crate::reply::Reply;
use crate::session::Queued;
use crate::{Args, Ctx, Engine, Flow, Outcome, ReplyError, Session};
use dunlin_store::Key;
use dunlin_structures::rope::Rope;

/// EXEC.
pub(super) const EXEC: Command = Command {
    name: "exec",
    full_name: "exec",
    arity: -1,
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::SKIP_SLOWLOG),
    categories: Categories::SLOW.and(Categories::TRANSACTION),
    scope: Scope::Transaction,
    group: "transactions",
    since: "1.2.0",
    complexity: "Depends on the queued commands",
    summary: "Runs the queued commands, unless a watched key has changed; undoes them all if one fails and that was asked for.",
    arguments: &[Argument::one_of(
        "mode",
        &[
            Argument::token("rb", "RB"),
            Argument::token("rollback", "ROLLBACK"),
        ],
    )
    .optional()],
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
    // What locks nothing names no keys: shard channels are described as if they were some.
    let slow =
        queued.filter(|q| !q.command.flags.has(Flags::FAST) && q.command.scope != Scope::Nothing);
    for q in slow {
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
    // Nothing of a transaction can be taken back for a script that takes too long.
    let queued = cx.session.transaction.iter().flat_map(|t| &t.queue);
    let has_scripts = queued.clone().any(|q| q.command.scope == Scope::Script);
    if cx.is_heavy(elements) || (has_scripts && cx.may_defer) {
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
    if cx.args.len() > 1 {
        return all_or_nothing(cx, &transaction.queue);
    }
    cx.reply.array(transaction.queue.len());
    cx.host.inner_starts();
    for queued in &transaction.queue {
        cx.run_queued(queued);
    }
    Ok(Flow::Done)
}

fn all_or_nothing(cx: &mut Ctx<'_>, queue: &[Queued]) -> Outcome {
    let before = (cx.session.db, cx.session.version);
    let mut replies = Rope::new();
    cx.keys.keep_images();
    cx.host.inner_starts();
    let failure = {
        let mut inner = cx.nested(cx.command, cx.args);
        inner.reply = Reply::new(&mut replies, before.1);
        inner.reply.array(queue.len());
        queue.iter().find_map(|queued| inner.run_queued(queued))
    };
    if let Some(failure) = failure {
        cx.keys.roll_back();
        (cx.session.db, cx.session.version) = before;
        return Err(ReplyError::RolledBack(failure.to_string()));
    }
    cx.keys.keep_changes();
    cx.reply.append(&mut replies);
    cx.reply.set_version(cx.session.version);
    Ok(Flow::Done)
}

/// Whether these are arguments of EXEC: none, or the mode. Everything else is a wrong number of them, as in Redis.
pub(crate) fn is_exec(args: Args<'_>) -> bool {
    match args.len() {
        1 => true,
        2 => args.is(1, "rb") || args.is(1, "rollback"),
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn all_or_nothing() {
        check(
            "SET a 1 PX 50000; RPUSH l x; MULTI; SET a 2; SADD s m; LPUSH l y; DEL l; INCR l; LPUSH a z; SET b 3; EXEC RB; \
             GET a; PTTL a; LRANGE l 0 -1; EXISTS s b",
            &format!(
                "OK; 1; OK; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; \
                 (error) EXECABORT Transaction rolled back: {WRONG}; 1; 50000; [x]; 0"
            ),
        );
        check(
            "MULTI; SET a 2; LPUSH l y; EXEC ROLLBACK; GET a; LRANGE l 0 -1",
            "OK; QUEUED; QUEUED; [OK 1]; 2; [y]",
        );
    }

    #[test]
    fn whole_databases_come_back() {
        check(
            "SET a 1; SELECT 1; SET a one; SET b two; SELECT 0; MULTI; SET a 2; SWAPDB 0 1; SET a 3; DEL b; FLUSHALL; SET c 4; SELECT 2; \
             SET d 5; HSET d f v; EXEC rb; GET a; EXISTS b c d; DBSIZE; SELECT 1; GET a; GET b; SELECT 2; DBSIZE",
            &format!(
                "OK; OK; OK; OK; OK; OK; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; \
                 (error) EXECABORT Transaction rolled back: {WRONG}; 1; 0; 1; OK; one; two; OK; 0"
            ),
        );
    }

    #[test]
    fn who_watches_sees_only_what_stays() {
        let (failing, passing) = ("MULTI; SET w 2; INCR l; EXEC RB", "MULTI; SET w 2; EXEC RB");
        for (other, expected) in [(failing, "[OK]"), (passing, "nil")] {
            let mut console = Console::default();
            console.run("RPUSH l x; 2> WATCH w; 2> MULTI; 2> SET seen 1");
            console.run(other);
            assert_eq!(console.run("2> EXEC"), expected, "{other}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        check(
            "EXEC RB; MULTI; SET a 1; EXEC NOW; GET a; MULTI; EXEC RB x; MULTI; NOSUCH; EXEC RB",
            "(error) ERR EXEC without MULTI; OK; QUEUED; (error) EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command; nil; OK; \
             (error) EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command; OK; \
             (error) ERR unknown command 'NOSUCH', with args beginning with: ; \
             (error) EXECABORT Transaction discarded because of previous errors.",
        );
    }
}
