//! HRANDFIELD key [count [WITHVALUES]]. <https://redis.io/commands/hrandfield>

use std::sync::atomic::Ordering;

use dunlin_store::hash_value::Pair;

use super::hash_of;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::sample::{below, distinct};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// HRANDFIELD.
pub(super) const HRANDFIELD: Command = Command {
    name: "hrandfield",
    full_name: "hrandfield",
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::HASH).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "hash",
    since: "6.2.0",
    complexity: "O(N) in the number of fields returned",
    summary: "Returns fields picked at random.",
    tips: &["nondeterministic_output"],
    arguments: &[
        Argument::KEY,
        Argument::block(
            "options",
            &[
                Argument::new("count", ArgKind::Integer),
                Argument::token("withvalues", "WITHVALUES").optional(),
            ],
        )
        .optional(),
    ],
    handler: hrandfield,
    ..Command::BASE
};

fn hrandfield(cx: &mut Ctx<'_>) -> Outcome {
    if cx.args.len() == 2 {
        return one(cx);
    }
    let count = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    if count == i64::MIN {
        return Err(ReplyError::err(
            "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_values = cx.args.len() == 4 && cx.args.is(3, "withvalues");
    if cx.args.len() > 4 || (cx.args.len() == 4 && !with_values) {
        return Err(ReplyError::Syntax);
    }
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(ReplyError::OutOfRange);
    }
    many(cx, count, with_values)
}

fn one(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, random) = (cx.db(), cx.key(1), cx.keys.local().random());
    let entry = cx.keys.read(db, &key);
    let hash = hash_of(&entry)?;
    match hash.and_then(|hash| hash.nth(below(random, hash.len()))) {
        Some((field, _)) => cx.reply.element(field),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

fn many(cx: &mut Ctx<'_>, count: i64, with_values: bool) -> Outcome {
    let (db, key, may_defer) = (cx.db(), cx.key(1), cx.may_defer);
    let mut seed = cx.keys.local().random();
    let mut random = || {
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        seed.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    let entry = cx.keys.read(db, &key);
    let Some(hash) = hash_of(&entry)? else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let len = hash.len();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let picked = if count < 0 { wanted } else { wanted.min(len) };
    if may_defer && Ctx::is_many(picked) {
        return Ok(Flow::HeavyRead);
    }
    let nested = with_values && cx.reply.version() == dunlin_resp::Version::Resp3;
    let elements = if with_values && !nested {
        picked.saturating_mul(2)
    } else {
        picked
    };
    let max = cx.engine.reply_bytes_max.load(Ordering::Relaxed);
    cx.reply.array(elements);
    let mut reply = |(field, value): Pair<'_>| {
        if nested {
            cx.reply.array(2);
        }
        cx.reply.element(field);
        if with_values {
            cx.reply.element(value);
        }
        // Past that the client is closed, and the rest is for nobody.
        cx.reply.output_len() <= max
    };
    if picked == len && count > 0 {
        hash.iter().all(reply);
    } else if count < 0 {
        // One by one, however many: nothing but the reply grows.
        (0..picked)
            .filter_map(|_| hash.nth(below(random(), len)))
            .all(reply);
    } else {
        let ranks = distinct(len, picked, &mut random);
        ranks
            .into_iter()
            .filter_map(|rank| hash.nth(rank))
            .all(&mut reply);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn picks() {
        check(
            "HRANDFIELD h; HRANDFIELD h 3; HSET h a 1; HRANDFIELD h; HRANDFIELD h 5; HRANDFIELD h -3; HRANDFIELD h 0",
            "nil; []; 1; a; [a]; [a a a]; []",
        );
        check(
            "HSET h a 1; HRANDFIELD h 5 WITHVALUES; HRANDFIELD h -2 WITHVALUES",
            "1; [a 1]; [a 1 a 1]",
        );
    }

    #[test]
    fn refuses() {
        check(
            "HSET h a 1; HRANDFIELD h x; HRANDFIELD h 1 x; HRANDFIELD h 1 WITHVALUES x; HRANDFIELD h -9223372036854775808; \
             HRANDFIELD h -9223372036854770000 WITHVALUES; SET s v; HRANDFIELD s; HRANDFIELD s 1",
            "1; (error) ERR value is not an integer or out of range; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807; \
             (error) ERR value is out of range; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn different_fields_for_a_positive_count_in_both_forms() {
        let mut console = Console::default();
        for size in [300, 3_000] {
            for at in 0..size {
                console.run(&format!("HSET h{size} f{at} {at}"));
            }
            for count in [1, 10, size / 2, size - 1] {
                let reply = console.run(&format!("HRANDFIELD h{size} {count}"));
                let mut fields: Vec<&str> = reply.trim_matches(['[', ']']).split(' ').collect();
                fields.sort_unstable();
                fields.dedup();
                assert_eq!(fields.len(), count);
            }
        }
    }

    #[test]
    fn pairs_are_arrays_in_resp3() {
        let mut console = Console::default();
        console.run("HSET h a 1");
        resp3(&mut console);
        assert_eq!(
            console.call(1, &[b"HRANDFIELD", b"h", b"1", b"WITHVALUES"]),
            b"*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"
        );
    }
}
