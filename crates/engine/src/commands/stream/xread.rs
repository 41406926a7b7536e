//! XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]: entries behind an id, of several streams.
//! <https://redis.io/commands/xread>

use dunlin_store::ValueType;
use dunlin_store::blocked::Wanted;
use dunlin_store::stream::{Id, IdText, Stream};
use smallvec::SmallVec;

use super::{READ, id, integer, reply_entry, stream_of, view};
use crate::blocking::deadline_of_ms;
use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec};
use crate::context::Block;
use crate::reply::Reply;
use crate::{Ctx, Flow, Outcome, OwnedArgs, ReplyError};

/// Options before the keys, and how many arguments each has.
const OPTIONS: &[(&str, usize)] = &[("block", 1), ("count", 1), ("group", 2), ("noack", 0)];

/// The keys of XREAD and XREADGROUP, which clients are told to search from an argument on.
pub(super) const fn key_spec(from: i32) -> KeySpec {
    KeySpec {
        begin: Begin::Options {
            word: "STREAMS",
            from,
            first: 1,
            options: OPTIONS,
        },
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        flags: &["RO", "access"],
    }
}

/// Arguments that both have.
pub(super) const COUNT: Argument = Argument::new("count", ArgKind::Integer)
    .with_token("COUNT")
    .optional();
pub(super) const BLOCK: Argument = Argument::new("milliseconds", ArgKind::Integer)
    .with_token("BLOCK")
    .optional();
pub(super) const STREAMS: Argument = Argument::block(
    "streams",
    &[
        Argument::KEY.multiple(),
        Argument::new("ID", ArgKind::String).multiple(),
    ],
)
.with_token("STREAMS");

/// XREAD.
pub(super) const XREAD: Command = Command {
    name: "xread",
    full_name: "xread",
    arity: -4,
    flags: Flags::READONLY.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
    categories: Categories::READ
        .and(Categories::STREAM)
        .and(Categories::SLOW)
        .and(Categories::BLOCKING),
    keys: &[key_spec(1)],
    complexity: "O(N) in the number of entries returned",
    summary: "Returns the entries of streams with greater ids than given; waits for one if told so.",
    arguments: &[COUNT, BLOCK, STREAMS],
    handler: xread,
    ..READ
};

/// What XREAD and XREADGROUP were asked for.
pub(super) struct Request<'a> {
    /// Most entries of each stream.
    pub(super) count: usize,
    /// Until when to wait, milliseconds since 1970, or for ever; `None` where the reply is due at once.
    pub(super) block_until: Option<Option<u64>>,
    /// Group and consumer.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    pub(super) noack: bool,
    /// Where the first key is.
    pub(super) first: usize,
    /// Number of keys; the id of each is so many arguments behind it.
    pub(super) streams: usize,
}

fn only_of_groups(option: &str) -> ReplyError {
    ReplyError::err(format!(
        "The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

/// Reads the arguments.
pub(super) fn parse<'a>(cx: &Ctx<'a>, of_group: bool) -> Result<Request<'a>, ReplyError> {
    let args = cx.args;
    let mut request = Request {
        count: usize::MAX,
        block_until: None,
        group: None,
        noack: false,
        first: 0,
        streams: 0,
    };
    let mut i = 1;
    while i < args.len() && request.first == 0 {
        let more = args.len() - i - 1;
        if more >= 1 && args.is(i, "block") {
            if cx.session.in_script {
                return Err(ReplyError::err(format!(
                    "{} command is not allowed with BLOCK option from scripts",
                    cx.command.name
                )));
            }
            i += 1;
            request.block_until = Some(deadline_of_ms(cx, i)?);
        } else if more >= 1 && args.is(i, "count") {
            i += 1;
            let count = integer(args.at(i))?;
            request.count = match usize::try_from(count) {
                Ok(0) | Err(_) => usize::MAX,
                Ok(count) => count,
            };
        } else if more >= 1 && args.is(i, "streams") {
            if more % 2 == 1 {
                let (name, symbol) = (cx.command.full_name, if of_group { '>' } else { '$' });
                return Err(ReplyError::err(format!(
                    "Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
                )));
            }
            (request.first, request.streams) = (i + 1, more / 2);
        } else if more >= 2 && args.is(i, "group") {
            if !of_group {
                return Err(only_of_groups("GROUP"));
            }
            request.group = Some((args.at(i + 1), args.at(i + 2)));
            i += 2;
        } else if args.is(i, "noack") {
            if !of_group {
                return Err(only_of_groups("NOACK"));
            }
            request.noack = true;
        } else {
            return Err(ReplyError::Syntax);
        }
        i += 1;
    }
    if request.first == 0 {
        return Err(ReplyError::Syntax);
    }
    if of_group && request.group.is_none() {
        return Err(ReplyError::err("Missing GROUP option for XREADGROUP"));
    }
    Ok(request)
}

/// No stream has anything to give: a null reply, or, if the client is ready to wait, that. `resolved` are the arguments to come back with.
pub(super) fn nothing(
    cx: &mut Ctx<'_>,
    request: &Request<'_>,
    resolved: Option<OwnedArgs>,
) -> Outcome {
    let Some(deadline_ms) = request.block_until.filter(|_| cx.may_block()) else {
        cx.reply.null_array();
        return Ok(Flow::Done);
    };
    Ok(Flow::Block(Box::new(Block {
        keys: (request.first..request.first + request.streams).collect(),
        wanted: Wanted {
            kind: ValueType::Stream,
            // Who reads for a group is told that the group is gone.
            or_loss: request.group.is_some(),
        },
        deadline_ms,
        nothing: |reply| reply.null_array(),
        until_safe: None,
        args: resolved,
    })))
}

/// Head of a reply of so many streams.
pub(super) fn reply_streams(reply: &mut Reply<'_>, streams: usize) {
    match reply.version() {
        dunlin_resp::Version::Resp2 => reply.array(streams),
        dunlin_resp::Version::Resp3 => reply.map(streams),
    }
}

/// Head of a stream in such a reply.
pub(super) fn reply_key(reply: &mut Reply<'_>, key: &[u8]) {
    if reply.version() == dunlin_resp::Version::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

/// The id behind which a stream is read.
fn after(text: &[u8], stream: Option<&Stream>) -> Result<Id, ReplyError> {
    match text {
        b"$" => Ok(stream.map_or(Id::MIN, Stream::last_id)),
        b">" => Err(ReplyError::err(
            "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        )),
        _ => id::strict(text),
    }
}

/// The arguments with `$` replaced by what it stands for now, if there is any: who waits is to be given what comes from now on.
fn resolve(cx: &Ctx<'_>, request: &Request<'_>, after: &[Id]) -> Option<OwnedArgs> {
    let first = request.first + request.streams;
    if request.block_until.is_none() || !cx.args.from(first).any(|text| text == b"$") {
        return None;
    }
    let ids: Vec<IdText> = after.iter().map(|id| id.text()).collect();
    let head = cx.args.iter().take(first);
    Some(OwnedArgs::of(head.chain(ids.iter().map(IdText::as_bytes))))
}

fn xread(cx: &mut Ctx<'_>) -> Outcome {
    let request = parse(cx, false)?;
    let (db, may_defer) = (cx.db(), cx.may_defer);
    let mut parts = SmallVec::<[(usize, Id, usize); 8]>::new();
    let (mut entries, mut after_all) = (0, SmallVec::<[Id; 8]>::new());
    for at in request.first..request.first + request.streams {
        let (key, text) = (cx.key(at), cx.args.at(at + request.streams));
        let entry = cx.keys.read(db, &key);
        let stream = stream_of(&entry)?;
        let after = after(text, stream)?;
        after_all.push(after);
        if let (Some(stream), Some(from)) = (stream, after.next())
            && stream.last().is_some_and(|last| last > after)
        {
            let count = stream.count_range(from, Id::MAX, request.count);
            entries += count;
            parts.push((at, from, count));
        }
    }
    if parts.is_empty() {
        let resolved = resolve(cx, &request, &after_all);
        return nothing(cx, &request, resolved);
    }
    if may_defer && Ctx::is_many(entries) {
        return Ok(Flow::HeavyRead);
    }
    reply_streams(&mut cx.reply, parts.len());
    for (at, from, count) in parts {
        let key = cx.key(at);
        let found = cx.keys.find(db, &key).expect("it was there before");
        let entry = cx.keys.entry(found);
        let stream = view(&entry)?;
        reply_key(&mut cx.reply, key.bytes);
        cx.reply.array(count);
        let entries = stream.range(from, Id::MAX).take(count);
        entries.for_each(|entry| reply_entry(&mut cx.reply, entry));
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn reads_behind_ids() {
        check(
            "XADD s 1 a 1; XADD s 2 a 2; XADD t 1 b 1; XREAD STREAMS s t 0 0; XREAD COUNT 1 STREAMS s t 0-0 1; \
             XREAD STREAMS s t 2 1-0; XREAD COUNT 0 STREAMS s 1; XREAD COUNT -3 STREAMS s s 1 0-9; XREAD STREAMS none s $ $",
            "1-0; 2-0; 1-0; [[s [[1-0 [a 1]] [2-0 [a 2]]]] [t [[1-0 [b 1]]]]]; [[s [[1-0 [a 1]]]]]; nil; \
             [[s [[2-0 [a 2]]]]]; [[s [[2-0 [a 2]]]] [s [[1-0 [a 1]] [2-0 [a 2]]]]]; nil",
        );
        check(
            "XADD s 1 a 1; XADD s 2 a 2; XDEL s 2; XREAD STREAMS s 1; MULTI; XREAD BLOCK 100 STREAMS s 5; XREAD BLOCK 0 STREAMS s $; EXEC",
            "1-0; 2-0; 1; nil; OK; QUEUED; QUEUED; [nil nil]",
        );
    }

    #[test]
    fn the_greatest_id_has_nothing_behind_it() {
        let max = "18446744073709551615-18446744073709551615";
        check(
            &format!(
                "XADD s {max} a 1; XREAD STREAMS s {max}; XREAD STREAMS s 18446744073709551615-18446744073709551614"
            ),
            &format!("{max}; nil; [[s [[{max} [a 1]]]]]"),
        );
    }

    #[test]
    fn is_a_map_in_resp3() {
        let mut console = Console::default();
        console.run("XADD s 1 a b");
        resp3(&mut console);
        assert_eq!(
            console.call(1, &[b"XREAD", b"STREAMS", b"s", b"0"]),
            b"%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
        );
        assert_eq!(console.run("XREAD STREAMS s 1"), "nil");
    }

    #[test]
    fn refuses_what_it_must() {
        check(
            "XREAD STREAMS s t 0; XREAD STREAMS s >; XREAD STREAMS s x; XREAD COUNT 1; XREAD FOO STREAMS s 0; XREAD COUNT x STREAMS s 0; \
             XREAD NOACK STREAMS s 0; XREAD GROUP g c STREAMS s 0; XREAD BLOCK x STREAMS s 0; XREAD BLOCK -1 STREAMS s 0; \
             XREAD BLOCK 9223372036854775807 STREAMS s 0; SET k v; XREAD STREAMS k 0",
            "(error) ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.; \
             (error) ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR wrong number of arguments for 'xread' command; (error) ERR syntax error; \
             (error) ERR value is not an integer or out of range; \
             (error) ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.; \
             (error) ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.; \
             (error) ERR timeout is not an integer or out of range; (error) ERR timeout is negative; \
             (error) ERR timeout is out of range; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn words_that_look_like_options_are_keys_behind_the_word() {
        check(
            "XADD streams 1 a 1; XREAD STREAMS streams 0; XREAD COUNT 5 streams streams 0; COMMAND GETKEYS XREAD BLOCK 0 STREAMS count 0",
            "1-0; [[streams [[1-0 [a 1]]]]]; [[streams [[1-0 [a 1]]]]]; [count]",
        );
        check(
            "XADD k 1 a 1; XGROUP CREATE k streams 0; XREADGROUP COUNT 1 GROUP streams streams STREAMS k >; \
             COMMAND GETKEYS XREADGROUP COUNT 1 GROUP streams streams STREAMS k >",
            "1-0; OK; [[k [[1-0 [a 1]]]]]; [k]",
        );
    }
}
