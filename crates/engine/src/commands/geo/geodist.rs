//! GEODIST key member member [m | km | ft | mi]: how far two members are from each other. <https://redis.io/commands/geodist>

use dunlin_structures::geohash::Point;

use super::{READ, UNIT, reply_distance, unit, zset_of};
use crate::command::{ArgKind, Argument, Command};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// GEODIST.
pub(super) const GEODIST: Command = Command {
    name: "geodist",
    full_name: "geodist",
    arity: -4,
    complexity: "O(log N) with N members in the sorted set",
    summary: "Returns the distance between two members.",
    arguments: &[
        Argument::KEY,
        Argument::new("member1", ArgKind::String),
        Argument::new("member2", ArgKind::String),
        UNIT.optional(),
    ],
    handler: geodist,
    ..READ
};

fn geodist(cx: &mut Ctx<'_>) -> Outcome {
    let metres = match cx.args.len() {
        4 => 1.0,
        5 => unit(cx.args.at(4))?,
        _ => return Err(ReplyError::Syntax),
    };
    let (db, key, args) = (cx.db(), cx.key(1), cx.args);
    let hasher = cx.engine.store.hasher();
    let entry = cx.keys.read(db, &key);
    let zset = zset_of(&entry)?;
    let score = |i: usize| zset.and_then(|zset| zset.score(hasher, args.at(i)));
    match (score(2), score(3)) {
        (Some(a), Some(b)) => {
            let distance = Point::of_score(a).distance(Point::of_score(b));
            reply_distance(&mut cx.reply, distance / metres);
        }
        _ => cx.reply.null(),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn distances() {
        check(
            "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania; GEODIST g Palermo Catania; \
             GEODIST g Palermo Catania km; GEODIST g Palermo Catania MI; GEODIST g Palermo Catania ft; GEODIST g Palermo Palermo; \
             GEODIST g Palermo Rome; GEODIST none a b",
            "2; 166274.1516; 166.2742; 103.3182; 545518.8700; 0.0000; nil; nil",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "GEODIST g a b x; GEODIST g a b m m; SET s v; GEODIST s a b",
            "(error) ERR unsupported unit provided. please use M, KM, FT, MI; (error) ERR syntax error; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
