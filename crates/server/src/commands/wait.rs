//! WAIT numreplicas timeout and WAITAOF numlocal numreplicas timeout: wait until replicas, or the log on disk, have what was written.
//! <https://redis.io/commands/wait>, <https://redis.io/commands/waitaof>
//!
//! There are no replicas yet: whoever asks for one waits for the whole of the timeout.

use dunlin_engine::blocking::deadline_of_ms;
use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Block, Command, Ctx, Flow, Outcome, Reply, ReplyError, UntilSafe};
use dunlin_store::ValueType;
use dunlin_store::blocked::Wanted;

use crate::host::host;

/// WAIT.
pub(super) const WAIT: Command = Command {
    name: "wait",
    full_name: "wait",
    arity: 3,
    categories: Categories::SLOW.and(Categories::CONNECTION),
    group: "generic",
    since: "3.0.0",
    complexity: "O(1)",
    summary: "Waits until so many replicas have what this connection has written, and returns how many have.",
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    arguments: &[
        Argument::new("numreplicas", ArgKind::Integer),
        Argument::new("timeout", ArgKind::Integer),
    ],
    handler: wait,
    ..Command::BASE
};

/// WAITAOF.
pub(super) const WAITAOF: Command = Command {
    name: "waitaof",
    full_name: "waitaof",
    arity: 4,
    flags: Flags::NOSCRIPT,
    since: "7.2.0",
    summary: "Waits until the logs on the disks of this server and of so many replicas have what this connection has written.",
    arguments: &[
        Argument::new("numlocal", ArgKind::Integer),
        Argument::new("numreplicas", ArgKind::Integer),
        Argument::new("timeout", ArgKind::Integer),
    ],
    handler: waitaof,
    ..WAIT
};

fn wait(cx: &mut Ctx<'_>) -> Outcome {
    let replicas = parse_i64(cx.args.at(1)).ok_or(ReplyError::NotInteger)?;
    let deadline_ms = deadline_of_ms(cx, 2)?;
    wait_for(
        cx,
        replicas <= 0,
        deadline_ms,
        |reply| reply.integer(0),
        None,
    )
}

fn waitaof(cx: &mut Ctx<'_>) -> Outcome {
    let local = match parse_i64(cx.args.at(1)) {
        Some(n @ 0..=1) => n,
        _ => {
            let refusal = "value is out of range, value must between 0 and 1";
            return Err(ReplyError::err(refusal));
        }
    };
    let replicas = parse_i64(cx.args.at(2))
        .filter(|n| *n >= 0)
        .ok_or_else(|| ReplyError::err("value is out of range, must be positive"))?;
    let deadline_ms = deadline_of_ms(cx, 3)?;
    if local > 0 && !host(cx).shared.journal.is_on() {
        return Err(ReplyError::err(
            "WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    let position = cx.session.wrote;
    let is_on = host(cx).shared.journal.is_on();
    let is_safe = is_on && cx.engine.store.log.safe() >= position;
    let until_safe = is_on.then_some(UntilSafe {
        position,
        reply: |reply| acknowledged(reply, 1),
        at_once: replicas == 0,
    });
    let answer: fn(&mut Reply<'_>) = if is_safe {
        |reply| acknowledged(reply, 1)
    } else {
        |reply| acknowledged(reply, 0)
    };
    let at_once = replicas == 0 && (local == 0 || is_safe);
    wait_for(cx, at_once, deadline_ms, answer, until_safe)
}

/// By how many logs, here and on replicas.
fn acknowledged(reply: &mut Reply<'_>, local: i64) {
    reply.array(2);
    reply.integer(local);
    reply.integer(0);
}

/// Gives this answer: at once, or where nothing may wait; else at the deadline, or that of `until_safe`.
fn wait_for(
    cx: &mut Ctx<'_>,
    at_once: bool,
    deadline_ms: Option<u64>,
    answer: fn(&mut Reply<'_>),
    until_safe: Option<UntilSafe>,
) -> Outcome {
    if at_once || !cx.may_block() {
        answer(&mut cx.reply);
        return Ok(Flow::Done);
    }
    Ok(Flow::Block(Box::new(Block {
        keys: Default::default(),
        // It has no key that could be of a type.
        wanted: Wanted {
            kind: ValueType::String,
            or_loss: false,
        },
        deadline_ms,
        nothing: answer,
        until_safe,
        args: None,
    })))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::check;

    #[test]
    fn who_asks_for_nobody_waits_for_nobody() {
        check("WAIT 0 0; WAIT -1 0; WAITAOF 0 0 0", "0; 0; [0 0]");
        check(
            "MULTI; WAIT 1 0; WAITAOF 0 1 0; EXEC",
            "OK; QUEUED; QUEUED; [0 [0 0]]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "WAIT x 0; WAIT 1 x; WAIT 1 -1; WAITAOF 2 0 0; WAITAOF x 0 0; WAITAOF 0 -1 0; WAITAOF 1 0 0; WAITAOF 0 0 x",
            "(error) ERR value is not an integer or out of range; (error) ERR timeout is not an integer or out of range; \
             (error) ERR timeout is negative; (error) ERR value is out of range, value must between 0 and 1; \
             (error) ERR value is out of range, value must between 0 and 1; (error) ERR value is out of range, must be positive; \
             (error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.; \
             (error) ERR timeout is not an integer or out of range",
        );
    }
}
