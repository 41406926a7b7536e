//! XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]: claims what has been pending for long, part by part.
//! <https://redis.io/commands/xautoclaim>

use dunlin_store::stream::{ConsumerNumber, Id, Pending, Stream};

use super::xclaim::{claimer, facts, is_too_fresh, reply_claimed};
use super::{FAST_WRITE, GroupEffects, change_quietly, find_group, id, no_group, now_ms, reply_id};
use crate::command::{ArgKind, Argument, Command, KeySpec};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XAUTOCLAIM.
pub(super) const XAUTOCLAIM: Command = Command {
    name: "xautoclaim",
    full_name: "xautoclaim",
    arity: -6,
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    since: "6.2.0",
    complexity: "O(COUNT log N) with N entries pending",
    summary: "Makes a consumer the one with which entries are pending that have been so for long.",
    tips: &["nondeterministic_output"],
    history: &[(
        "7.0.0",
        "The reply tells of entries that are gone, which are pending no longer.",
    )],
    arguments: &[
        Argument::KEY,
        Argument::new("group", ArgKind::String),
        Argument::new("consumer", ArgKind::String),
        Argument::new("min-idle-time", ArgKind::String),
        Argument::new("start", ArgKind::String),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
        Argument::token("justid", "JUSTID").optional(),
    ],
    handler: xautoclaim,
    ..FAST_WRITE
};

/// Entries unless COUNT says otherwise, and how many are looked at for each.
const COUNT: usize = 100;
const LOOKS: usize = 10;
/// The greatest COUNT, as in Redis.
const COUNT_MAX: i64 = i64::MAX / 16;

struct Options {
    min_idle_ms: i64,
    start: Id,
    count: usize,
    just_id: bool,
}

fn options(cx: &Ctx<'_>) -> Result<Options, ReplyError> {
    let args = cx.args;
    let min_idle_ms = parse_i64(args.at(4))
        .ok_or_else(|| ReplyError::err("Invalid min-idle-time argument for XAUTOCLAIM"))?;
    let mut options = Options {
        min_idle_ms: min_idle_ms.max(0),
        start: id::range_start(args.at(5))?,
        count: COUNT,
        just_id: false,
    };
    let mut i = 6;
    while i < args.len() {
        if args.is(i, "count") && i + 1 < args.len() {
            i += 1;
            let count = parse_i64(args.at(i)).filter(|count| (1..=COUNT_MAX).contains(count));
            options.count = count.ok_or_else(|| ReplyError::err("COUNT must be > 0"))? as usize;
        } else if args.is(i, "justid") {
            options.just_id = true;
        } else {
            return Err(ReplyError::Syntax);
        }
        i += 1;
    }
    Ok(options)
}

/// What a call did.
#[derive(Default)]
struct Pass {
    claimed: Vec<Id>,
    gone: Vec<Id>,
    /// What is pending now, or was before its entry was found gone.
    changes: Vec<Pending>,
    /// Where to go on.
    next: Id,
}

impl Options {
    fn pass(&self, stream: &mut Stream, group: &[u8], consumer: ConsumerNumber, now: u64) -> Pass {
        let mut pass = Pass::default();
        let mut from = Some(self.start);
        let (mut looks, mut left) = (self.count.saturating_mul(LOOKS), self.count);
        loop {
            let pending = from.and_then(|from| {
                let group = stream.group(group).expect("just found");
                group.pending_from(from).next()
            });
            let Some(mut pending) = pending else {
                return pass;
            };
            if looks == 0 || left == 0 {
                pass.next = pending.id;
                return pass;
            }
            looks -= 1;
            from = pending.id.next();
            let exists = stream.get(pending.id).is_some();
            let group = stream.group_mut(group).expect("just found");
            if !exists {
                group.acknowledge(pending.id);
                pass.gone.push(pending.id);
                pass.changes.push(pending);
                left -= 1;
                continue;
            }
            if is_too_fresh(pending, now, self.min_idle_ms) {
                continue;
            }
            pending.delivered_ms = now;
            pending.deliveries = pending.deliveries.saturating_add(u64::from(!self.just_id));
            pending.consumer = consumer;
            group.assign(pending);
            group.consumer_mut(consumer).active_ms = Some(now);
            pass.claimed.push(pending.id);
            pass.changes.push(pending);
            left -= 1;
        }
    }
}

fn xautoclaim(cx: &mut Ctx<'_>) -> Outcome {
    let options = options(cx)?;
    let (key, group, name) = (cx.args.at(1), cx.args.at(2), cx.args.at(3));
    let pending = find_group(cx, 1, group, |_, group| group.pending_len())?;
    let Some((found, pending)) = pending else {
        return Err(no_group(key, group, ""));
    };
    if cx.is_heavy(pending.min(options.count.saturating_mul(LOOKS))) {
        return Ok(Flow::Heavy);
    }
    let now = now_ms(cx);
    let effects = GroupEffects { key, group };
    let number = claimer(cx, found, &effects, name);
    let pass = change_quietly(&mut cx.keys, found, |stream| {
        options.pass(stream, group, number, now)
    });
    if cx.keys.store().log.is_active() {
        for pending in &pass.changes {
            let (owner, last_id) = facts(&mut cx.keys, found, group, pending.consumer);
            effects.assigned(cx, &owner, *pending, last_id);
        }
    }
    cx.keys.count_changes(pass.changes.len() as u64);
    cx.reply.array(3);
    reply_id(&mut cx.reply, pass.next);
    reply_claimed(cx, found, &pass.claimed, options.just_id);
    cx.reply.array(pass.gone.len());
    for id in pass.gone {
        reply_id(&mut cx.reply, id);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    const GROUP: &str = "XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XGROUP CREATE s g 0; XREADGROUP GROUP g c COUNT 2 STREAMS s >; +50ms; \
         XREADGROUP GROUP g c STREAMS s >";
    const MADE: &str = "1-0; 2-0; 3-0; OK; [[s [[1-0 [a 1]] [2-0 [a 2]]]]]; [[s [[3-0 [a 3]]]]]";

    #[track_caller]
    fn check_group(script: &str, expected: &str) {
        check(
            &format!("{GROUP}; {script}"),
            &format!("{MADE}; {expected}"),
        );
    }

    #[test]
    fn goes_over_what_is_pending() {
        check_group(
            "XAUTOCLAIM s g d 50 - COUNT 1; XAUTOCLAIM s g d 50 2 COUNT 1 JUSTID; XAUTOCLAIM s g d 50 3-0; XPENDING s g - + 9; \
             XAUTOCLAIM s g e 0 (1",
            "[2-0 [[1-0 [a 1]]] []]; [3-0 [2-0] []]; [0-0 [] []]; [[1-0 d 0 2] [2-0 d 0 1] [3-0 c 0 1]]; \
             [0-0 [[2-0 [a 2]] [3-0 [a 3]]] []]",
        );
    }

    #[test]
    fn what_is_gone_is_pending_no_longer() {
        check_group(
            "XDEL s 1 3; XAUTOCLAIM s g d 0 0 COUNT 1; XAUTOCLAIM s g d 0 0; XPENDING s g",
            "2; [2-0 [] [1-0]]; [0-0 [[2-0 [a 2]]] [3-0]]; [1 2-0 2-0 [[d 1]]]",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check_group(
            "XAUTOCLAIM none g d 0 0; XAUTOCLAIM s none d 0 0; XAUTOCLAIM s g d x 0; XAUTOCLAIM s g d 0 x; XAUTOCLAIM s g d 0 0 COUNT 0; \
             XAUTOCLAIM s g d 0 0 COUNT 8070450532247928833; XAUTOCLAIM s g d 0 0 COUNT x; XAUTOCLAIM s g d 0 0 COUNT; XAUTOCLAIM s g d 0 0 FOO; \
             SET k v; XAUTOCLAIM k g d 0 0",
            "(error) NOGROUP No such key 'none' or consumer group 'g'; (error) NOGROUP No such key 's' or consumer group 'none'; \
             (error) ERR Invalid min-idle-time argument for XAUTOCLAIM; (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR COUNT must be > 0; (error) ERR COUNT must be > 0; (error) ERR COUNT must be > 0; (error) ERR syntax error; \
             (error) ERR syntax error; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
