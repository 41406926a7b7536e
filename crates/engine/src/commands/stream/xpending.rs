//! XPENDING key group [[IDLE ms] start end count [consumer]]: what is pending, in sum or one by one. <https://redis.io/commands/xpending>

use dunlin_store::stream::{Group, Id, Pending};

use super::{READ, id, integer, no_group, now_ms, reply_id, stream_of};
use crate::command::{ArgKind, Argument, Command};
use crate::reply::Reply;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XPENDING.
pub(super) const XPENDING: Command = Command {
    name: "xpending",
    full_name: "xpending",
    arity: -3,
    complexity: "O(N) in the number of entries looked at; in sum O(N) in the number of consumers",
    summary: "Returns what a group was given and has not acknowledged.",
    tips: &["nondeterministic_output"],
    history: &[("6.2.0", "Takes IDLE, and ids that are outside.")],
    arguments: &[
        Argument::KEY,
        Argument::new("group", ArgKind::String),
        Argument::block(
            "filters",
            &[
                Argument::new("min-idle-time", ArgKind::Integer)
                    .with_token("IDLE")
                    .optional()
                    .since("6.2.0"),
                Argument::new("start", ArgKind::String),
                Argument::new("end", ArgKind::String),
                Argument::new("count", ArgKind::Integer),
                Argument::new("consumer", ArgKind::String).optional(),
            ],
        )
        .optional(),
    ],
    handler: xpending,
    ..READ
};

/// Which entries are asked for.
struct Filter<'a> {
    min_idle_ms: i64,
    from: Id,
    to: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

fn filter<'a>(cx: &Ctx<'a>) -> Result<Option<Filter<'a>>, ReplyError> {
    let args = cx.args;
    match args.len() {
        3 => return Ok(None),
        6..=9 => {}
        _ => return Err(ReplyError::Syntax),
    }
    let (mut at, mut min_idle_ms) = (3, 0);
    if args.is(3, "idle") {
        min_idle_ms = integer(args.at(4))?;
        if args.len() < 8 {
            return Err(ReplyError::Syntax);
        }
        at = 5;
    }
    let count = integer(args.at(at + 2))?;
    Ok(Some(Filter {
        min_idle_ms,
        from: id::range_start(args.at(at))?,
        to: id::range_end(args.at(at + 1))?,
        count: usize::try_from(count).unwrap_or(0),
        consumer: args.get(at + 3),
    }))
}

fn xpending(cx: &mut Ctx<'_>) -> Outcome {
    let filter = filter(cx)?;
    let (db, key, name) = (cx.db(), cx.key(1), cx.args.at(2));
    let (now, may_defer) = (now_ms(cx), cx.may_defer);
    let entry = cx.keys.read(db, &key);
    let group = stream_of(&entry)?.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| no_group(key.bytes, name, ""))?;
    let Some(filter) = filter else {
        summary(&mut cx.reply, group);
        return Ok(Flow::Done);
    };
    let looked_at = match filter.min_idle_ms {
        0 => filter.count.min(group.pending_len()),
        _ => group.pending_len(),
    };
    if may_defer && Ctx::is_many(looked_at) {
        return Ok(Flow::HeavyRead);
    }
    let is_idle = |pending: &Pending| {
        let idle_ms = now as i64 - pending.delivered_ms as i64;
        filter.min_idle_ms == 0 || idle_ms >= filter.min_idle_ms
    };
    let found: Vec<Pending> = match filter.consumer {
        None => {
            let all = group.pending_from(filter.from);
            let all = all.take_while(|pending| pending.id <= filter.to);
            all.filter(is_idle).take(filter.count).collect()
        }
        Some(consumer) => match group.find_consumer(consumer) {
            None => Vec::new(),
            Some(number) => {
                let ids = group.consumer(number).pending_from(filter.from);
                let ids = ids.take_while(|id| *id <= filter.to);
                let all = ids.filter_map(|id| group.pending(id));
                all.filter(is_idle).take(filter.count).collect()
            }
        },
    };
    cx.reply.array(found.len());
    for pending in found {
        cx.reply.array(4);
        reply_id(&mut cx.reply, pending.id);
        cx.reply.bulk(group.consumer(pending.consumer).name());
        cx.reply
            .integer(now.saturating_sub(pending.delivered_ms) as i64);
        cx.reply.integer(pending.deliveries as i64);
    }
    Ok(Flow::Done)
}

/// How many are pending, the first and the last, and how many with each consumer.
fn summary(reply: &mut Reply<'_>, group: &Group) {
    reply.array(4);
    reply.count(group.pending_len());
    let first = group.pending_from(Id::MIN).next();
    let (Some(first), Some(last)) = (first, group.last_pending()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first.id);
    reply_id(reply, last);
    let busy = || {
        let consumers = group.consumers();
        consumers.filter(|consumer| consumer.pending_len() > 0)
    };
    reply.array(busy().count());
    for consumer in busy() {
        reply.array(2);
        reply.bulk(consumer.name());
        let len = consumer.pending_len();
        reply.bulk(itoa::Buffer::new().format(len).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    const GROUP: &str = "XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XGROUP CREATE s g 0; XREADGROUP GROUP g c COUNT 2 STREAMS s >; +50ms; \
         XREADGROUP GROUP g d STREAMS s >";
    const MADE: &str = "1-0; 2-0; 3-0; OK; [[s [[1-0 [a 1]] [2-0 [a 2]]]]]; [[s [[3-0 [a 3]]]]]";

    #[track_caller]
    fn check_group(script: &str, expected: &str) {
        check(
            &format!("{GROUP}; {script}"),
            &format!("{MADE}; {expected}"),
        );
    }

    #[test]
    fn in_sum_and_one_by_one() {
        check_group(
            "+5ms; XPENDING s g; XPENDING s g - + 10; XPENDING s g (1 3 1; XPENDING s g - + 10 d; XPENDING s g - + 10 none; \
             XPENDING s g IDLE 50 - + 10; XPENDING s g IDLE 60 - + 10; XPENDING s g IDLE 55 2 + 10 c; XPENDING s g - + 0; XPENDING s g - + -1",
            "[3 1-0 3-0 [[c 2] [d 1]]]; [[1-0 c 55 1] [2-0 c 55 1] [3-0 d 5 1]]; [[2-0 c 55 1]]; [[3-0 d 5 1]]; []; \
             [[1-0 c 55 1] [2-0 c 55 1]]; []; [[2-0 c 55 1]]; []; []",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check_group(
            "XPENDING s none; XPENDING none g; XPENDING s g -; XPENDING s g - +; XPENDING s g IDLE 5 - +; XPENDING s g x + 5; \
             XPENDING s g - x 5; XPENDING s g - + x; XPENDING s g IDLE x - + 5; XPENDING none g - x 5; SET k v; XPENDING k g",
            "(error) NOGROUP No such key 's' or consumer group 'none'; (error) NOGROUP No such key 'none' or consumer group 'g'; \
             (error) ERR syntax error; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR value is not an integer or out of range; (error) ERR value is not an integer or out of range; \
             (error) ERR Invalid stream ID specified as stream command argument; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
