//! XINFO STREAM key [FULL [COUNT n]] | GROUPS key | CONSUMERS key group | HELP: what is known of a stream. <https://redis.io/commands/xinfo>

use dunlin_store::stream::{Group, Id, Stream};

use super::{READ, integer, no_group_of, now_ms, reply_entry, reply_id, stream_of};
use crate::command::{ArgKind, Argument, Categories, Command, Handler, KeySpec};
use crate::commands::server::help;
use crate::reply::Reply;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XINFO.
pub(super) const XINFO: Command = Command {
    name: "xinfo",
    full_name: "xinfo",
    arity: -2,
    categories: Categories::SLOW,
    group: "stream",
    since: "5.0.0",
    complexity: "Depends on the subcommand",
    summary: "Tells what is known of a stream, its groups and their consumers.",
    subcommands: &[&CONSUMERS, &GROUPS, &HELP, &STREAM],
    ..Command::BASE
};

const CONSUMERS: Command = Command {
    arity: 4,
    complexity: "O(N) in the number of consumers",
    summary: "Lists the consumers of a group.",
    tips: &["nondeterministic_output"],
    history: &[("7.2.0", "Tells of `inactive`.")],
    arguments: &[Argument::KEY, Argument::new("group", ArgKind::String)],
    ..subcommand("consumers", "xinfo|consumers", consumers)
};

const GROUPS: Command = Command {
    arity: 3,
    complexity: "O(N) in the number of groups",
    summary: "Lists the groups of a stream.",
    history: &[("7.0.0", "Tells of `entries-read` and `lag`.")],
    arguments: &[Argument::KEY],
    ..subcommand("groups", "xinfo|groups", groups)
};

const STREAM: Command = Command {
    arity: -3,
    summary: "Describes a stream; with FULL also its groups, their consumers and what is pending.",
    history: &[
        ("6.0.0", "Takes FULL."),
        (
            "7.0.0",
            "Tells of `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`.",
        ),
        (
            "7.2.0",
            "Tells of `active-time`; `seen-time` is that of the last attempt.",
        ),
    ],
    arguments: &[
        Argument::KEY,
        Argument::block(
            "full-block",
            &[
                Argument::token("full", "FULL"),
                Argument::new("count", ArgKind::Integer)
                    .with_token("COUNT")
                    .optional(),
            ],
        )
        .optional(),
    ],
    ..subcommand("stream", "xinfo|stream", stream)
};

const HELP: Command = Command {
    name: "help",
    full_name: "xinfo|help",
    categories: Categories::STREAM.and(Categories::SLOW),
    group: "stream",
    ..help::HELP
};

const KEYS: &[KeySpec] = &[KeySpec::one(2, &["RO", "access"])];

const fn subcommand(name: &'static str, full_name: &'static str, handler: Handler) -> Command {
    Command {
        name,
        full_name,
        keys: KEYS,
        handler,
        ..READ
    }
}

/// What XINFO STREAM FULL shows of each list unless COUNT says otherwise.
const FULL_COUNT: usize = 10;

fn consumers(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, name, now) = (cx.db(), cx.key(2), cx.args.at(3), now_ms(cx));
    let entry = cx.keys.read(db, &key);
    let stream = stream_of(&entry)?.ok_or(ReplyError::NoSuchKey)?;
    let group = stream.group(name);
    let group = group.ok_or_else(|| no_group_of(key.bytes, name))?;
    let reply = &mut cx.reply;
    reply.array(group.consumers_len());
    for consumer in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"pending");
        reply.count(consumer.pending_len());
        reply.bulk(b"idle");
        reply.integer(now.saturating_sub(consumer.seen_ms) as i64);
        reply.bulk(b"inactive");
        let inactive = consumer.active_ms.map(|at| now as i64 - at as i64);
        reply.integer(inactive.unwrap_or(-1));
    }
    Ok(Flow::Done)
}

fn groups(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(2));
    let entry = cx.keys.read(db, &key);
    let stream = stream_of(&entry)?.ok_or(ReplyError::NoSuchKey)?;
    let reply = &mut cx.reply;
    let groups = stream.groups();
    reply.array(groups.len());
    for group in groups {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(group.name());
        reply.bulk(b"consumers");
        reply.count(group.consumers_len());
        reply.bulk(b"pending");
        reply.count(group.pending_len());
        reply_position(reply, stream, group);
    }
    Ok(Flow::Done)
}

/// How far a group has come: three fields.
fn reply_position(reply: &mut Reply<'_>, stream: &Stream, group: &Group) {
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    for (name, number) in [
        (&b"entries-read"[..], group.entries_read),
        (b"lag", stream.progress().lag(group)),
    ] {
        reply.bulk(name);
        match number {
            Some(number) => reply.integer(number),
            None => reply.null(),
        }
    }
}

/// `None` without FULL, else how many of each list are shown.
fn full_count(cx: &Ctx<'_>) -> Result<Option<usize>, ReplyError> {
    let args = cx.args;
    let is_full = matches!(args.len(), 4 | 6) && args.is(3, "full");
    match args.len() {
        3 => Ok(None),
        4 if is_full => Ok(Some(FULL_COUNT)),
        6 if is_full && args.is(4, "count") => match integer(args.at(5))? {
            0 => Ok(Some(usize::MAX)),
            count => Ok(Some(usize::try_from(count).unwrap_or(FULL_COUNT))),
        },
        _ => Err(ReplyError::subcommand_syntax(args)),
    }
}

fn stream(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, may_defer) = (cx.db(), cx.key(2), cx.may_defer);
    let full = full_count(cx);
    let entry = cx.keys.read(db, &key);
    let stream = stream_of(&entry)?.ok_or(ReplyError::NoSuchKey)?;
    let full = full?;
    if let Some(count) = full {
        let pending: usize = stream.groups().map(Group::pending_len).sum();
        let shown = pending
            .saturating_mul(2)
            .saturating_add(stream.len() as usize);
        let most = count.saturating_mul(1 + 2 * stream.groups().len());
        if may_defer && Ctx::is_many(shown.min(most)) {
            return Ok(Flow::HeavyRead);
        }
    }
    let reply = &mut cx.reply;
    reply.map(if full.is_some() { 9 } else { 10 });
    reply.bulk(b"length");
    reply.integer(stream.len() as i64);
    // What a tree over the blocks would have.
    reply.bulk(b"radix-tree-keys");
    reply.count(stream.block_count());
    reply.bulk(b"radix-tree-nodes");
    reply.count(stream.block_count() + 1);
    for (name, id) in [
        (&b"last-generated-id"[..], stream.last_id()),
        (b"max-deleted-entry-id", stream.max_deleted_id()),
    ] {
        reply.bulk(name);
        reply_id(reply, id);
    }
    reply.bulk(b"entries-added");
    reply.integer(stream.entries_added() as i64);
    reply.bulk(b"recorded-first-entry-id");
    reply_id(reply, stream.first().unwrap_or_default());
    match full {
        None => reply_ends(reply, stream),
        Some(count) => reply_all(reply, stream, count),
    }
    Ok(Flow::Done)
}

/// The number of groups, the first entry and the last one.
fn reply_ends(reply: &mut Reply<'_>, stream: &Stream) {
    reply.bulk(b"groups");
    reply.count(stream.groups().len());
    let ends = [
        (&b"first-entry"[..], stream.first()),
        (b"last-entry", stream.last()),
    ];
    for (name, id) in ends {
        reply.bulk(name);
        match id.and_then(|id| stream.get(id)) {
            Some(entry) => reply_entry(reply, entry),
            None => reply.null(),
        }
    }
}

/// Entries, and groups with all that belongs to them; up to `count` of each list.
fn reply_all(reply: &mut Reply<'_>, stream: &Stream, count: usize) {
    reply.bulk(b"entries");
    let len = stream.count_range(Id::MIN, Id::MAX, count);
    reply.array(len);
    let entries = stream.range(Id::MIN, Id::MAX).take(len);
    entries.for_each(|entry| reply_entry(reply, entry));
    reply.bulk(b"groups");
    let groups = stream.groups();
    reply.array(groups.len());
    for group in groups {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(group.name());
        reply_position(reply, stream, group);
        reply.bulk(b"pel-count");
        reply.count(group.pending_len());
        reply.bulk(b"pending");
        reply.array(group.pending_len().min(count));
        for pending in group.pending_from(Id::MIN).take(count) {
            reply.array(4);
            reply_id(reply, pending.id);
            reply.bulk(group.consumer(pending.consumer).name());
            reply.integer(pending.delivered_ms as i64);
            reply.integer(pending.deliveries as i64);
        }
        reply.bulk(b"consumers");
        reply_consumers(reply, group, count);
    }
}

fn reply_consumers(reply: &mut Reply<'_>, group: &Group, count: usize) {
    reply.array(group.consumers_len());
    for consumer in group.consumers() {
        reply.map(5);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"seen-time");
        reply.integer(consumer.seen_ms as i64);
        reply.bulk(b"active-time");
        reply.integer(consumer.active_ms.map_or(-1, |at| at as i64));
        reply.bulk(b"pel-count");
        reply.count(consumer.pending_len());
        reply.bulk(b"pending");
        let pending = consumer.pending_from(Id::MIN).take(count);
        let pending: Vec<_> = pending.filter_map(|id| group.pending(id)).collect();
        reply.array(pending.len());
        for pending in pending {
            reply.array(3);
            reply_id(reply, pending.id);
            reply.integer(pending.delivered_ms as i64);
            reply.integer(pending.deliveries as i64);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, START_MS, check, resp3};

    #[test]
    fn a_stream() {
        check(
            "XADD s 1 a 1; XADD s 2 b 2; XADD s 3 c 3; XDEL s 3; XGROUP CREATE s g 1; XINFO STREAM s; XTRIM s MAXLEN 0; XINFO STREAM s",
            "1-0; 2-0; 3-0; 1; OK; \
             [length 2 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 3-0 max-deleted-entry-id 3-0 entries-added 3 \
             recorded-first-entry-id 1-0 groups 1 first-entry [1-0 [a 1]] last-entry [2-0 [b 2]]]; 2; \
             [length 0 radix-tree-keys 0 radix-tree-nodes 1 last-generated-id 3-0 max-deleted-entry-id 3-0 entries-added 3 \
             recorded-first-entry-id 0-0 groups 1 first-entry nil last-entry nil]",
        );
    }

    #[test]
    fn everything_of_a_stream() {
        let now = START_MS;
        check(
            "XADD s 1 a 1; XADD s 2 b 2; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >; XGROUP CREATECONSUMER s g b; \
             XINFO STREAM s FULL COUNT 1; XINFO STREAM s FULL COUNT 0; XINFO STREAM s FULL COUNT -1",
            &{
                let head = "length 2 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 2-0 max-deleted-entry-id 0-0 entries-added 2 \
                     recorded-first-entry-id 1-0";
                let group = |all: &str, own: &str| {
                    format!(
                        "groups [[name g last-delivered-id 2-0 entries-read 2 lag 0 pel-count 2 pending [{all}] consumers [\
                         [name b seen-time {now} active-time -1 pel-count 0 pending []] \
                         [name c seen-time {now} active-time {now} pel-count 2 pending [{own}]]]]]"
                    )
                };
                let one = group(&format!("[1-0 c {now} 1]"), &format!("[1-0 {now} 1]"));
                let both = group(
                    &format!("[1-0 c {now} 1] [2-0 c {now} 1]"),
                    &format!("[1-0 {now} 1] [2-0 {now} 1]"),
                );
                let full = format!("[{head} entries [[1-0 [a 1]] [2-0 [b 2]]] {both}]");
                format!(
                    "1-0; 2-0; OK; [[s [[1-0 [a 1]] [2-0 [b 2]]]]]; 1; [{head} entries [[1-0 [a 1]]] {one}]; {full}; {full}"
                )
            },
        );
    }

    #[test]
    fn lag() {
        check(
            "XGROUP CREATE s g $ MKSTREAM; XINFO GROUPS s; XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XREADGROUP GROUP g c COUNT 1 STREAMS s >; \
             XINFO GROUPS s; XDEL s 2; XINFO GROUPS s; XREADGROUP GROUP g c STREAMS s >; XINFO GROUPS s",
            "OK; [[name g consumers 0 pending 0 last-delivered-id 0-0 entries-read nil lag 0]]; 1-0; 2-0; 3-0; [[s [[1-0 [a 1]]]]]; \
             [[name g consumers 1 pending 1 last-delivered-id 1-0 entries-read 1 lag 2]]; 1; \
             [[name g consumers 1 pending 1 last-delivered-id 1-0 entries-read 1 lag nil]]; [[s [[3-0 [a 3]]]]]; \
             [[name g consumers 1 pending 2 last-delivered-id 3-0 entries-read 2 lag 1]]",
        );
    }

    #[test]
    fn maps_in_resp3() {
        let mut console = Console::default();
        console.run("XGROUP CREATE s g $ MKSTREAM; XGROUP CREATECONSUMER s g c");
        resp3(&mut console);
        assert!(console.run("XINFO STREAM s").starts_with("{length 0 "));
        assert!(
            console
                .run("XINFO GROUPS s")
                .starts_with("[{name g consumers 1 ")
        );
        assert!(
            console
                .run("XINFO CONSUMERS s g")
                .starts_with("[{name c pending 0 ")
        );
        let full = console.run("XINFO STREAM s FULL");
        assert!(
            full.contains(" groups [{name g ") && full.contains(" consumers [{name c "),
            "{full}"
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check(
            "XINFO STREAM s; XINFO STREAM s FULL x; XINFO GROUPS s; XINFO CONSUMERS s g; XADD s 1 a 1; XINFO CONSUMERS s g; XINFO STREAM s FOO; \
             XINFO STREAM s FULL COUNT; XINFO STREAM s FULL COUNT x; XINFO NOSUCH s; SET k v; XINFO STREAM k; XINFO GROUPS k; XINFO CONSUMERS k g",
            "(error) ERR no such key; (error) ERR no such key; (error) ERR no such key; (error) ERR no such key; 1-0; \
             (error) NOGROUP No such consumer group 'g' for key name 's'; \
             (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.; \
             (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.; \
             (error) ERR value is not an integer or out of range; (error) ERR unknown subcommand 'NOSUCH'. Try XINFO HELP.; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
