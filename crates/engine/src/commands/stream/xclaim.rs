//! XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]: entries that are
//! pending with one consumer become another's. <https://redis.io/commands/xclaim>

use dunlin_store::stream::{ConsumerNumber, Id, Pending, Stream};
use dunlin_store::{Found, Txn};
use smallvec::SmallVec;

use super::{FAST_WRITE, GroupEffects, change_quietly, find_group, id, no_group, now_ms};
use super::{reply_entry, reply_id, shown, view};
use crate::command::{ArgKind, Argument, Command};
use crate::commands::string::argument_count;
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XCLAIM.
pub(super) const XCLAIM: Command = Command {
    name: "xclaim",
    full_name: "xclaim",
    arity: -6,
    complexity: "O(log N) for each id, with N entries pending",
    summary: "Makes a consumer the one with which entries are pending.",
    tips: &["nondeterministic_output"],
    arguments: &[
        Argument::KEY,
        Argument::new("group", ArgKind::String),
        Argument::new("consumer", ArgKind::String),
        Argument::new("min-idle-time", ArgKind::String),
        Argument::new("ID", ArgKind::String).multiple(),
        Argument::new("ms", ArgKind::Integer)
            .with_token("IDLE")
            .optional(),
        Argument::new("unix-time-milliseconds", ArgKind::UnixTime)
            .with_token("TIME")
            .optional(),
        Argument::new("count", ArgKind::Integer)
            .with_token("RETRYCOUNT")
            .optional(),
        Argument::token("force", "FORCE").optional(),
        Argument::token("justid", "JUSTID").optional(),
        Argument::new("lastid", ArgKind::String)
            .with_token("LASTID")
            .optional(),
    ],
    weight: Some(argument_count),
    handler: xclaim,
    ..FAST_WRITE
};

struct Options {
    min_idle_ms: i64,
    ids: SmallVec<[Id; 8]>,
    /// When the entries count as delivered.
    delivered_ms: u64,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: Id,
}

fn number(text: &[u8], what: &str) -> Result<i64, ReplyError> {
    parse_i64(text).ok_or_else(|| ReplyError::err(format!("Invalid {what} argument for XCLAIM")))
}

fn options(cx: &Ctx<'_>, now_ms: u64) -> Result<Options, ReplyError> {
    let args = cx.args;
    let mut options = Options {
        min_idle_ms: number(args.at(4), "min-idle-time")?.max(0),
        ids: SmallVec::new(),
        delivered_ms: now_ms,
        deliveries: None,
        force: false,
        just_id: false,
        last_id: Id::MIN,
    };
    let ids = args.from(5).map_while(|text| id::strict(text).ok());
    options.ids.extend(ids);
    let now = now_ms as i64;
    let mut delivered = None;
    let mut i = 5 + options.ids.len();
    while i < args.len() {
        let value = args.get(i + 1);
        let mut has_value = true;
        match value {
            _ if args.is(i, "force") => (options.force, has_value) = (true, false),
            _ if args.is(i, "justid") => (options.just_id, has_value) = (true, false),
            Some(value) if args.is(i, "idle") => {
                delivered = Some(now.wrapping_sub(number(value, "IDLE option")?));
            }
            Some(value) if args.is(i, "time") => delivered = Some(number(value, "TIME option")?),
            Some(value) if args.is(i, "retrycount") => {
                options.deliveries = u64::try_from(number(value, "RETRYCOUNT option")?).ok();
            }
            Some(value) if args.is(i, "lastid") => options.last_id = id::strict(value)?,
            _ => {
                let option = shown(args.at(i));
                let text = format!("Unrecognized XCLAIM option '{option}'");
                return Err(ReplyError::err(text));
            }
        }
        i += 1 + usize::from(has_value);
    }
    // A time that makes no sense is now; the log has none of its own to tell.
    let is_sane = |ms: &u64| cx.session.replaying || *ms <= now_ms;
    let delivered = delivered.and_then(|ms| u64::try_from(ms).ok());
    options.delivered_ms = delivered.filter(is_sane).unwrap_or(now_ms);
    Ok(options)
}

/// What became of an entry.
pub(super) enum Claimed {
    /// It is pending like this.
    Yes(Pending),
    /// It is gone from the stream, and was pending like this.
    Gone(Pending),
    /// Nothing.
    No,
}

impl Options {
    /// Claims one entry.
    fn claim(
        &self,
        stream: &mut Stream,
        group: &[u8],
        consumer: ConsumerNumber,
        id: Id,
        now: u64,
    ) -> Claimed {
        let exists = stream.get(id).is_some();
        let group = stream.group_mut(group).expect("just found");
        let before = group.pending(id);
        if !exists {
            group.acknowledge(id);
            return before.map_or(Claimed::No, Claimed::Gone);
        }
        let deliveries = match before {
            None if !self.force => return Claimed::No,
            None => 1,
            Some(pending) if is_too_fresh(pending, now, self.min_idle_ms) => return Claimed::No,
            Some(pending) => pending.deliveries,
        };
        let more = u64::from(!self.just_id);
        let pending = Pending {
            id,
            delivered_ms: self.delivered_ms,
            deliveries: self.deliveries.unwrap_or(deliveries.saturating_add(more)),
            consumer,
        };
        group.assign(pending);
        group.consumer_mut(consumer).active_ms = Some(now);
        Claimed::Yes(pending)
    }
}

/// Whether an entry was delivered too shortly ago to be claimed.
pub(super) fn is_too_fresh(pending: Pending, now_ms: u64, min_idle_ms: i64) -> bool {
    min_idle_ms > 0 && (now_ms as i64).saturating_sub(pending.delivered_ms as i64) < min_idle_ms
}

/// The consumer that claims, made if there is none.
pub(super) fn claimer(
    cx: &mut Ctx<'_>,
    found: Found,
    effects: &GroupEffects<'_>,
    name: &[u8],
) -> ConsumerNumber {
    super::xreadgroup::consumer(cx, found, effects, name)
}

/// Answers entries that were claimed: ids, or all of them.
pub(super) fn reply_claimed(cx: &mut Ctx<'_>, found: Found, ids: &[Id], just_id: bool) {
    let entry = cx.keys.entry(found);
    let stream = view(&entry).expect("looked at before");
    cx.reply.array(ids.len());
    for id in ids {
        match stream.get(*id) {
            Some(entry) if !just_id => reply_entry(&mut cx.reply, entry),
            _ => reply_id(&mut cx.reply, *id),
        }
    }
}

/// Name of the consumer of a number, and the group's last id.
pub(super) fn facts(
    keys: &mut Txn<'_>,
    found: Found,
    group: &[u8],
    number: ConsumerNumber,
) -> (Vec<u8>, Id) {
    let entry = keys.entry(found);
    let group = view(&entry).ok().and_then(|stream| stream.group(group));
    let group = group.expect("just found");
    (group.consumer(number).name().to_vec(), group.last_id)
}

fn xclaim(cx: &mut Ctx<'_>) -> Outcome {
    let (key, group, name) = (cx.args.at(1), cx.args.at(2), cx.args.at(3));
    let Some((found, ())) = find_group(cx, 1, group, |_, _| ())? else {
        return Err(no_group(key, group, ""));
    };
    let now = now_ms(cx);
    let options = options(cx, now)?;
    let effects = GroupEffects { key, group };
    let moved_to = change_quietly(&mut cx.keys, found, |stream| {
        let group = stream.group_mut(group).expect("just found");
        let moved = options.last_id > group.last_id;
        group.last_id = group.last_id.max(options.last_id);
        moved.then_some((group.last_id, group.entries_read))
    });
    let number = claimer(cx, found, &effects, name);
    let mut claimed = SmallVec::<[Id; 8]>::new();
    let mut changes = 0;
    for id in &options.ids {
        let became = change_quietly(&mut cx.keys, found, |stream| {
            options.claim(stream, group, number, *id, now)
        });
        let pending = match became {
            Claimed::No => continue,
            Claimed::Gone(pending) => pending,
            Claimed::Yes(pending) => {
                claimed.push(*id);
                pending
            }
        };
        changes += 1;
        if cx.keys.store().log.is_active() {
            let (owner, last_id) = facts(&mut cx.keys, found, group, pending.consumer);
            effects.assigned(cx, &owner, pending, last_id);
        }
    }
    if changes == 0
        && let Some((last_id, entries_read)) = moved_to
    {
        effects.advanced(cx, last_id, entries_read);
        changes = 1;
    }
    cx.keys.count_changes(changes);
    reply_claimed(cx, found, &claimed, options.just_id);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{START_MS, check};

    const GROUP: &str = "XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XGROUP CREATE s g 0; XREADGROUP GROUP g c COUNT 2 STREAMS s >; +50ms";
    const MADE: &str = "1-0; 2-0; 3-0; OK; [[s [[1-0 [a 1]] [2-0 [a 2]]]]]";

    #[track_caller]
    fn check_group(script: &str, expected: &str) {
        check(
            &format!("{GROUP}; {script}"),
            &format!("{MADE}; {expected}"),
        );
    }

    #[test]
    fn what_is_idle_changes_hands() {
        check_group(
            "XCLAIM s g d 60 1 2; XCLAIM s g d 50 1 3 9; XPENDING s g - + 9; XCLAIM s g d 10 1; XCLAIM s g d 0 2 1 JUSTID; XPENDING s g - + 9",
            "[]; [[1-0 [a 1]]]; [[1-0 d 0 2] [2-0 c 50 1]]; []; [2-0 1-0]; [[1-0 d 0 2] [2-0 d 0 1]]",
        );
    }

    #[test]
    fn options() {
        check_group(
            &format!(
                "XCLAIM s g d 0 1 IDLE 20 RETRYCOUNT 7; XCLAIM s g d 0 2 TIME {} JUSTID; XCLAIM s g d 0 3; XCLAIM s g d 0 3 FORCE JUSTID; \
                 XPENDING s g - + 9; XCLAIM s g d 0 1 TIME 99999999999999 RETRYCOUNT 0; XPENDING s g - + 1; XCLAIM s g d 0 9 LASTID 3; \
                 XREADGROUP GROUP g d STREAMS s >",
                START_MS + 45
            ),
            "[[1-0 [a 1]]]; [2-0]; []; [3-0]; [[1-0 d 20 7] [2-0 d 5 1] [3-0 d 0 1]]; [[1-0 [a 1]]]; [[1-0 d 0 0]]; []; nil",
        );
    }

    #[test]
    fn what_is_gone_is_pending_no_longer() {
        check_group(
            "XDEL s 1; XCLAIM s g d 0 1 2; XPENDING s g - + 9; XCLAIM s g d 0 1 FORCE; XPENDING s g",
            "1; [[2-0 [a 2]]]; [[2-0 d 0 2]]; []; [1 2-0 2-0 [[d 1]]]",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check_group(
            "XCLAIM none g d 0 1; XCLAIM s none d 0 1; XCLAIM s g d x 1; XCLAIM s g d 0 1 x; XCLAIM s g d 0 1 IDLE; XCLAIM s g d 0 1 IDLE x; \
             XCLAIM s g d 0 1 TIME x; XCLAIM s g d 0 1 RETRYCOUNT x; XCLAIM s g d 0 1 LASTID x; XINFO CONSUMERS s g; SET k v; XCLAIM k g d 0 1",
            "(error) NOGROUP No such key 'none' or consumer group 'g'; (error) NOGROUP No such key 's' or consumer group 'none'; \
             (error) ERR Invalid min-idle-time argument for XCLAIM; (error) ERR Unrecognized XCLAIM option 'x'; \
             (error) ERR Unrecognized XCLAIM option 'IDLE'; (error) ERR Invalid IDLE option argument for XCLAIM; \
             (error) ERR Invalid TIME option argument for XCLAIM; (error) ERR Invalid RETRYCOUNT option argument for XCLAIM; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             [[name c pending 2 idle 50 inactive 50]]; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
