//! GEOHASH key [member ...]: places as standard geohashes. <https://redis.io/commands/geohash>

use dunlin_structures::geohash::Point;

use super::{READ, zset_of};
use crate::command::{ArgKind, Argument, Command};
use crate::commands::string::argument_count;
use crate::{Ctx, Flow, Outcome};

/// GEOHASH.
pub(super) const GEOHASH: Command = Command {
    name: "geohash",
    full_name: "geohash",
    arity: -2,
    complexity: "O(M log N) for M members out of N",
    summary: "Returns the places of members as geohashes.",
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String)
            .optional()
            .multiple(),
    ],
    weight: Some(argument_count),
    handler: geohash,
    ..READ
};

fn geohash(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, members) = (cx.db(), cx.key(1), cx.args.from(2));
    let hasher = cx.engine.store.hasher();
    let entry = cx.keys.read(db, &key);
    let zset = zset_of(&entry)?;
    cx.reply.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(hasher, member)) {
            Some(score) => cx.reply.bulk(&Point::of_score(score).text()),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn geohashes() {
        check(
            "GEOADD g 13.361389 38.115556 Palermo -5.6 42.6 x; GEOHASH g Palermo Rome x; GEOHASH g; GEOHASH none a; SET s v; GEOHASH s a",
            "2; [sqc8b49rny0 nil ezs42e44yx0]; []; [nil]; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
