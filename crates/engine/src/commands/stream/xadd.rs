//! XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value ...]: appends an entry.
//! <https://redis.io/commands/xadd>

use dunlin_store::Event;
use dunlin_store::stream::{self, BlockLimits, Id, Stream};

use super::id::NewId;
use super::trim::{self, Options, Trimmed};
use super::{FAST_WRITE, change, discard, now_ms, view};
use crate::command::{ArgKind, Argument, Command, Flags};
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// XADD.
pub(super) const XADD: Command = Command {
    name: "xadd",
    full_name: "xadd",
    arity: -5,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    complexity: "O(1), and O(N) in the number of entries that trimming removes",
    summary: "Appends an entry to a stream, which is made if the key does not exist.",
    tips: &["nondeterministic_output"],
    history: &[
        ("6.2.0", "Takes NOMKSTREAM, MINID and LIMIT."),
        ("7.0.0", "Takes an id of the form `<ms>-*`."),
    ],
    arguments: &[
        Argument::KEY,
        Argument::token("nomkstream", "NOMKSTREAM")
            .optional()
            .since("6.2.0"),
        Argument::block("trim", trim::ARGUMENTS).optional(),
        Argument::one_of(
            "id-selector",
            &[
                Argument::token("auto-id", "*"),
                Argument::new("id", ArgKind::String),
            ],
        ),
        Argument::block(
            "data",
            &[
                Argument::new("field", ArgKind::String),
                Argument::new("value", ArgKind::String),
            ],
        )
        .multiple(),
    ],
    handler: xadd,
    ..FAST_WRITE
};

/// Bytes of names and values that an entry may have together, as in Redis.
const ENTRY_BYTES_MAX: usize = 1 << 30;

/// The names and values behind an id.
fn pairs<'a>(
    args: Args<'a>,
    id_at: usize,
) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone {
    let first = id_at + 1;
    let count = (args.len() - first) / 2;
    (0..count).map(move |i| (args.at(first + 2 * i), args.at(first + 2 * i + 1)))
}

/// Appends the entry, then trims.
fn append(
    stream: &mut Stream,
    args: Args<'_>,
    options: &Options,
    limits: BlockLimits,
    now_ms: u64,
) -> Result<(Id, Option<Trimmed>), ReplyError> {
    if stream.last_id() == Id::MAX {
        return Err(ReplyError::err(
            "The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = options
        .id
        .resolve(stream.last_id(), now_ms)
        .ok_or_else(|| {
            ReplyError::err(
                "The ID specified in XADD is equal or smaller than the target stream top item",
            )
        })?;
    stream.append(id, pairs(args, options.id_at), limits);
    Ok((id, options.apply(stream)))
}

fn xadd(cx: &mut Ctx<'_>) -> Outcome {
    let options = trim::parse(cx, true)?;
    let args = cx.args;
    let words = args.len().saturating_sub(options.id_at + 1);
    if words < 2 || words % 2 == 1 {
        return Err(ReplyError::WrongArity(cx.command.full_name));
    }
    if options.id == NewId::Given(Id::MIN) {
        return Err(ReplyError::err(
            "The ID specified in XADD must be greater than 0-0",
        ));
    }
    let (db, key, now_ms) = (cx.db(), cx.key(1), now_ms(cx));
    let found = cx.keys.find(db, &key);
    if let Some(found) = found {
        let effort = options.effort(view(&cx.keys.entry(found))?);
        if cx.is_heavy(effort) {
            return Ok(Flow::Heavy);
        }
    } else if options.no_mkstream {
        cx.reply.null();
        return Ok(Flow::Done);
    }
    let bytes: usize = args.from(options.id_at + 1).map(<[u8]>::len).sum();
    if bytes > ENTRY_BYTES_MAX {
        return Err(ReplyError::err("Elements are too large to be stored"));
    }
    let limits = cx.engine.encodings.stream_blocks();
    let (id, trimmed) = match found {
        Some(found) => change(&mut cx.keys, found, |stream| {
            let added = append(stream, args, &options, limits, now_ms);
            let changed = added.is_ok();
            (added, changed)
        })?,
        None => {
            let mut stream = Box::new(Stream::new());
            let added = append(&mut stream, args, &options, limits, now_ms)?;
            let clock = cx.keys.local().clock;
            let entry = stream::entry(key.bytes, stream, clock);
            cx.keys.put_entry(db, &key, entry, None);
            added
        }
    };
    let text = id.text();
    cx.reply.bulk(text.as_bytes());
    record(cx, &options, text.as_bytes(), trimmed);
    Ok(Flow::Done)
}

/// Tells of the entry, and of what was trimmed.
fn record(cx: &mut Ctx<'_>, options: &Options, id: &[u8], trimmed: Option<Trimmed>) {
    let (db, key, args) = (cx.db(), cx.args.at(1), cx.args);
    let event = Event::stream("xadd");
    let Some(trimmed) = trimmed else {
        let with_id = |(i, arg)| if i == options.id_at { id } else { arg };
        let effect = args.iter().enumerate().map(with_id);
        cx.keys.record_args(db, key, event, effect);
        return;
    };
    let effect = options.effect(args, id, Some(&trimmed));
    cx.keys.record_args(db, key, event, effect.into_iter());
    if trimmed.removed > 0 {
        cx.keys.notify(db, key, Event::stream("xtrim"));
        discard(cx, trimmed.remains);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{START_MS, check};

    #[test]
    fn appends_and_makes_ids() {
        check(
            "XADD s * a 1 b 2; XADD s * c 3; +5ms; XADD s * d 4; XLEN s; XRANGE s - +; TYPE s; OBJECT ENCODING s",
            &format!(
                "{0}-0; {0}-1; {1}-0; 3; [[{0}-0 [a 1 b 2]] [{0}-1 [c 3]] [{1}-0 [d 4]]]; stream; stream",
                START_MS,
                START_MS + 5
            ),
        );
        check(
            "XADD s 5 a 1; XADD s 5-* a 2; XADD s 6-* a 3; XADD s 0-* a 1; XADD t 0-* a 1; XADD s 7-7 a 4; XREVRANGE s + -",
            "5-0; 5-1; 6-0; (error) ERR The ID specified in XADD is equal or smaller than the target stream top item; \
             0-1; 7-7; [[7-7 [a 4]] [6-0 [a 3]] [5-1 [a 2]] [5-0 [a 1]]]",
        );
    }

    #[test]
    fn the_last_possible_id_is_the_last() {
        let max = "18446744073709551615-18446744073709551615";
        check(
            &format!("XADD s {max} a 1; XADD s * a 1; XADD s 5 a 1; XLEN s"),
            &format!(
                "{max}; (error) ERR The stream has exhausted the last possible ID, unable to add more items; \
                 (error) ERR The stream has exhausted the last possible ID, unable to add more items; 1"
            ),
        );
        check(
            "XADD s 5-18446744073709551615 a 1; XADD s 5-* a 1; XADD s 6-* a 1",
            "5-18446744073709551615; (error) ERR The ID specified in XADD is equal or smaller than the target stream top item; 6-0",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check(
            "XADD s 0-0 a 1; XADD s x a 1; XADD s 1 a; XADD s 1 a 1 b; XADD s - a 1; XADD s 18446744073709551616 a 1; EXISTS s",
            "(error) ERR The ID specified in XADD must be greater than 0-0; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR wrong number of arguments for 'xadd' command; \
             (error) ERR wrong number of arguments for 'xadd' command; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR Invalid stream ID specified as stream command argument; 0",
        );
        check(
            "SET k v; XADD k * a 1; XADD s NOMKSTREAM * a 1; EXISTS s; XADD s 1 a 1; XADD s nomkstream 2 a 1",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; nil; 0; 1-0; 2-0",
        );
        check(
            "XADD s MAXLEN 5 LIMIT 3 * a 1; XADD s LIMIT 3 * a 1; XADD s MAXLEN -1 * a 1; XADD s MAXLEN x * a 1; \
             XADD s MAXLEN 1 MINID 1 * a 1; XADD s MAXLEN ~ 1 LIMIT -1 * a 1; XADD s MINID x * a 1; EXISTS s",
            "(error) ERR syntax error, LIMIT cannot be used without the special ~ option; \
             (error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy; \
             (error) ERR The MAXLEN argument must be >= 0.; (error) ERR value is not an integer or out of range; \
             (error) ERR syntax error, MAXLEN and MINID options at the same time are not compatible; \
             (error) ERR The LIMIT argument must be >= 0.; \
             (error) ERR Invalid stream ID specified as stream command argument; 0",
        );
    }

    #[test]
    fn trims() {
        check(
            "XADD s 1 a 1; XADD s 2 a 2; XADD s MAXLEN 2 3 a 3; XADD s MAXLEN = 2 4 a 4; XRANGE s - +; \
             XADD s MINID 4 5 a 5; XRANGE s - +; XADD s MAXLEN 0 6 a 6; XLEN s; EXISTS s; XADD s 6 a 1",
            "1-0; 2-0; 3-0; 4-0; [[3-0 [a 3]] [4-0 [a 4]]]; 5-0; [[4-0 [a 4]] [5-0 [a 5]]]; 6-0; 0; 1; \
             (error) ERR The ID specified in XADD is equal or smaller than the target stream top item",
        );
    }
}
