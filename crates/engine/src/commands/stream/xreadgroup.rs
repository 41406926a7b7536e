//! XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]: entries for a consumer of
//! a group: new ones with `>`, else those that are pending with it. <https://redis.io/commands/xreadgroup>

use dunlin_store::Found;
use dunlin_store::stream::{ConsumerNumber, Id, Stream};
use dunlin_structures::rope::Rope;
use smallvec::SmallVec;

use super::xread::{self, Request, nothing, reply_key, reply_streams};
use super::{
    GroupEffects, WRITE, change_quietly, id, no_group, now_ms, reply_entry, reply_id, view,
};
use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::reply::Reply;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XREADGROUP.
pub(super) const XREADGROUP: Command = Command {
    name: "xreadgroup",
    full_name: "xreadgroup",
    arity: -7,
    flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
    categories: Categories::WRITE
        .and(Categories::STREAM)
        .and(Categories::SLOW)
        .and(Categories::BLOCKING),
    keys: &[xread::key_spec(4)],
    complexity: "O(N log M) in the number of entries returned, with M entries pending",
    summary: "Returns new entries of streams to a consumer of a group, or those that are pending with it; waits for new ones if told so.",
    arguments: &[
        Argument::block(
            "group-block",
            &[
                Argument::new("group", ArgKind::String),
                Argument::new("consumer", ArgKind::String),
            ],
        )
        .with_token("GROUP"),
        xread::COUNT,
        xread::BLOCK,
        Argument::token("noack", "NOACK").optional(),
        xread::STREAMS,
    ],
    handler: xreadgroup,
    ..WRITE
};

/// What is read of a stream.
#[derive(Clone, Copy)]
enum Read {
    /// What the group has not been given yet.
    New,
    /// What is pending with the consumer, behind this id.
    History(Id),
}

impl Read {
    fn parse(text: &[u8]) -> Result<Read, ReplyError> {
        match text {
            b">" => Ok(Read::New),
            b"$" => Err(ReplyError::err(
                "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
                 specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
            )),
            // Taken for `>`, as in Redis.
            _ => id::strict(text).map(|id| match id {
                Id::MAX => Read::New,
                id => Read::History(id),
            }),
        }
    }

    /// Whether there is a reply for this stream, and of about how many entries.
    fn outlook(
        self,
        stream: &Stream,
        group: &[u8],
        consumer: &[u8],
        count: usize,
    ) -> (bool, usize) {
        let group = stream.group(group).expect("looked for before");
        match self {
            Read::History(_) => {
                let consumer = group.find_consumer(consumer);
                let pending = consumer.map_or(0, |number| group.consumer(number).pending_len());
                (true, pending.min(count))
            }
            Read::New => match group.last_id.next() {
                Some(from) if stream.last().is_some_and(|last| last >= from) => {
                    (true, stream.count_range(from, Id::MAX, count))
                }
                _ => (false, 0),
            },
        }
    }
}

/// What is read of which stream.
struct Part {
    key_at: usize,
    read: Read,
    served: bool,
    entries: usize,
}

/// Looks at all streams before any of them is changed.
fn look(cx: &mut Ctx<'_>, request: &Request<'_>) -> Result<SmallVec<[Part; 4]>, ReplyError> {
    let (group, consumer) = request.group.expect("parsed as that of a group");
    let db = cx.db();
    let mut parts = SmallVec::new();
    for key_at in request.first..request.first + request.streams {
        let key = cx.key(key_at);
        let entry = cx.keys.read(db, &key);
        let stream = super::stream_of(&entry)?.filter(|stream| stream.group(group).is_some());
        let stream =
            stream.ok_or_else(|| no_group(key.bytes, group, " in XREADGROUP with GROUP option"))?;
        let read = Read::parse(cx.args.at(key_at + request.streams))?;
        let (served, entries) = read.outlook(stream, group, consumer, request.count);
        parts.push(Part {
            key_at,
            read,
            served,
            entries,
        });
    }
    Ok(parts)
}

fn xreadgroup(cx: &mut Ctx<'_>) -> Outcome {
    let request = xread::parse(cx, true)?;
    let parts = look(cx, &request)?;
    if cx.is_heavy(parts.iter().map(|part| part.entries).sum()) {
        return Ok(Flow::Heavy);
    }
    // One stream, or none that has anything: what the reply begins with is known.
    if let [part] = &parts[..] {
        if part.served {
            reply_streams(&mut cx.reply, 1);
        }
        if !serve(cx, &request, part, None) {
            return nothing(cx, &request, None);
        }
        return Ok(Flow::Done);
    }
    // A stream that stands twice has less to give the second time.
    let (mut output, mut served) = (Rope::new(), 0);
    for part in &parts {
        served += usize::from(serve(cx, &request, part, Some(&mut output)));
    }
    if served == 0 {
        return nothing(cx, &request, None);
    }
    reply_streams(&mut cx.reply, served);
    cx.reply.append(&mut output);
    Ok(Flow::Done)
}

/// The consumer that reads, made if there is none.
pub(super) fn consumer(
    cx: &mut Ctx<'_>,
    found: Found,
    effects: &GroupEffects<'_>,
    name: &[u8],
) -> ConsumerNumber {
    let now = now_ms(cx);
    let (number, is_new) = change_quietly(&mut cx.keys, found, |stream| {
        let group = stream.group_mut(effects.group).expect("looked for before");
        match group.find_consumer(name) {
            Some(number) => {
                group.consumer_mut(number).seen_ms = now;
                (number, false)
            }
            None => {
                let number = group.add_consumer(name, now);
                (number.expect("there is none of this name"), true)
            }
        }
    });
    if is_new {
        effects.consumer_added(cx, name);
    }
    number
}

/// Serves one stream; whether there is something in the reply, or in `output` instead.
fn serve(cx: &mut Ctx<'_>, request: &Request<'_>, part: &Part, output: Option<&mut Rope>) -> bool {
    let (db, key) = (cx.db(), cx.key(part.key_at));
    let (group, name) = request.group.expect("parsed as that of a group");
    let effects = GroupEffects {
        key: key.bytes,
        group,
    };
    let found = cx.keys.find(db, &key).expect("looked for before");
    let number = consumer(cx, found, &effects, name);
    let (served, entries) = match &output {
        None => (part.served, part.entries),
        Some(_) => {
            let entry = cx.keys.entry(found);
            let stream = view(&entry).expect("looked at before");
            part.read.outlook(stream, group, name, request.count)
        }
    };
    if !served {
        return false;
    }
    let now = now_ms(cx);
    let version = cx.reply.version();
    let mut reply = match output {
        Some(output) => Reply::new(output, version),
        None => cx.reply.reborrow(),
    };
    reply_key(&mut reply, key.bytes);
    match part.read {
        Read::History(after) => {
            let count = request.count;
            change_quietly(&mut cx.keys, found, |stream| {
                history(stream, group, number, (after, count), now, &mut reply);
            });
            cx.keys.count_changes(1);
        }
        Read::New => {
            reply.array(entries);
            let mut delivered = cx.keys.store().log.is_active().then(Vec::new);
            change_quietly(&mut cx.keys, found, |stream| {
                stream.deliver(group, number, entries, now, request.noack, |entry| {
                    reply_entry(&mut reply, entry);
                    if let Some(delivered) = &mut delivered {
                        delivered.push(entry.id);
                    }
                });
            });
            cx.keys.count_changes(1);
            if let Some(delivered) = delivered {
                record(
                    cx,
                    &effects,
                    found,
                    (number, name),
                    delivered,
                    request.noack,
                );
            }
        }
    }
    true
}

/// Answers what is pending with a consumer, and counts it as delivered once more.
fn history(
    stream: &mut Stream,
    group: &[u8],
    consumer: ConsumerNumber,
    (after, count): (Id, usize),
    now: u64,
    reply: &mut Reply<'_>,
) {
    let ids: Vec<Id> = match (stream.group(group), after.next()) {
        (Some(group), Some(from)) => group
            .consumer(consumer)
            .pending_from(from)
            .take(count)
            .collect(),
        _ => Vec::new(),
    };
    reply.array(ids.len());
    for id in ids {
        let Some(entry) = stream.get(id) else {
            reply.array(2);
            reply_id(reply, id);
            reply.null_array();
            continue;
        };
        reply_entry(reply, entry);
        let group = stream.group_mut(group).expect("looked for before");
        if let Some(mut pending) = group.pending(id) {
            pending.delivered_ms = now;
            pending.deliveries += 1;
            group.assign(pending);
        }
    }
}

/// Records what a delivery left behind: entries that are pending, and how far the group has come.
fn record(
    cx: &mut Ctx<'_>,
    effects: &GroupEffects<'_>,
    found: Found,
    (number, name): (ConsumerNumber, &[u8]),
    delivered: Vec<Id>,
    noack: bool,
) {
    let (last_id, entries_read, pending) = {
        let entry = cx.keys.entry(found);
        let group = view(&entry)
            .ok()
            .and_then(|stream| stream.group(effects.group));
        let group = group.expect("looked for before");
        let pending = |id: &Id| group.pending(*id).filter(|_| !noack);
        let pending: Vec<_> = delivered.iter().filter_map(pending).collect();
        (group.last_id, group.entries_read, pending)
    };
    for pending in pending {
        debug_assert_eq!(pending.consumer, number);
        effects.assigned(cx, name, pending, pending.id);
    }
    if !delivered.is_empty() {
        effects.advanced(cx, last_id, entries_read);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    const GROUP: &str = "XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XGROUP CREATE s g 0";
    const MADE: &str = "1-0; 2-0; 3-0; OK";

    #[track_caller]
    fn check_group(script: &str, expected: &str) {
        check(
            &format!("{GROUP}; {script}"),
            &format!("{MADE}; {expected}"),
        );
    }

    #[test]
    fn delivers_what_is_new_once() {
        check_group(
            "XREADGROUP GROUP g c COUNT 1 STREAMS s >; XREADGROUP GROUP g d STREAMS s >; XREADGROUP GROUP g d STREAMS s >; \
             XPENDING s g; XADD s 4 a 4; XREADGROUP GROUP g d NOACK STREAMS s >; XPENDING s g",
            "[[s [[1-0 [a 1]]]]]; [[s [[2-0 [a 2]] [3-0 [a 3]]]]]; nil; [3 1-0 3-0 [[c 1] [d 2]]]; 4-0; [[s [[4-0 [a 4]]]]]; \
             [3 1-0 3-0 [[c 1] [d 2]]]",
        );
    }

    #[test]
    fn history_is_what_is_pending_with_the_consumer() {
        check_group(
            "XREADGROUP GROUP g c COUNT 2 STREAMS s >; XREADGROUP GROUP g c STREAMS s 0; XREADGROUP GROUP g c STREAMS s 1; \
             XREADGROUP GROUP g d STREAMS s 0; XDEL s 1; XREADGROUP GROUP g c STREAMS s 0; XACK s g 1; \
             XREADGROUP GROUP g c COUNT 5 STREAMS s 0; XPENDING s g - + 9",
            "[[s [[1-0 [a 1]] [2-0 [a 2]]]]]; [[s [[1-0 [a 1]] [2-0 [a 2]]]]]; [[s [[2-0 [a 2]]]]]; [[s []]]; 1; \
             [[s [[1-0 nil] [2-0 [a 2]]]]]; 1; [[s [[2-0 [a 2]]]]]; [[2-0 c 0 5]]",
        );
    }

    #[test]
    fn several_streams() {
        check_group(
            "XGROUP CREATE t g $ MKSTREAM; XREADGROUP GROUP g c STREAMS t s > >; XREADGROUP GROUP g c STREAMS t s > 2; \
             XGROUP SETID s g 2; XREADGROUP GROUP g c STREAMS s s > >; XREADGROUP GROUP g c STREAMS s t > >",
            "OK; [[s [[1-0 [a 1]] [2-0 [a 2]] [3-0 [a 3]]]]]; [[s [[3-0 [a 3]]]]]; OK; [[s [[3-0 [a 3]]]]]; nil",
        );
    }

    #[test]
    fn a_map_in_resp3() {
        let mut console = Console::default();
        console.run("XGROUP CREATE s g $ MKSTREAM; XADD s 1 a b");
        resp3(&mut console);
        assert_eq!(
            console.call(
                1,
                &[b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"s", b">"]
            ),
            b"%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
        );
        console.run("XDEL s 1");
        assert_eq!(
            console.call(
                1,
                &[b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"s", b"0"]
            ),
            b"%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n_\r\n"
        );
    }

    #[test]
    fn an_entry_delivered_anew_changes_hands() {
        check_group(
            "XREADGROUP GROUP g c STREAMS s >; XGROUP SETID s g 1; XREADGROUP GROUP g d STREAMS s >; XPENDING s g; XACK s g 1 2 3; XPENDING s g",
            "[[s [[1-0 [a 1]] [2-0 [a 2]] [3-0 [a 3]]]]]; OK; [[s [[2-0 [a 2]] [3-0 [a 3]]]]]; [3 1-0 3-0 [[c 1] [d 2]]]; 3; [0 nil nil nil]",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check_group(
            "XREADGROUP GROUP x c STREAMS s >; XREADGROUP GROUP g c STREAMS none >; XREADGROUP GROUP g c STREAMS s $; \
             XREADGROUP GROUP g c STREAMS s x; XREADGROUP COUNT 1 NOACK STREAMS s >; XREADGROUP GROUP g c STREAMS s s >; \
             XREADGROUP GROUP g c STREAMS s none > >; XINFO CONSUMERS s g; SET k v; XREADGROUP GROUP g c STREAMS k >",
            "(error) NOGROUP No such key 's' or consumer group 'x' in XREADGROUP with GROUP option; \
             (error) NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option; \
             (error) ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
             specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR Missing GROUP option for XREADGROUP; \
             (error) ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.; \
             (error) NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option; []; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
