//! GEOPOS key [member ...]: longitudes and latitudes of members. <https://redis.io/commands/geopos>

use dunlin_structures::geohash::Point;

use super::geohash::GEOHASH;
use super::{reply_point, zset_of};
use crate::command::Command;
use crate::{Ctx, Flow, Outcome};

/// GEOPOS.
pub(super) const GEOPOS: Command = Command {
    name: "geopos",
    full_name: "geopos",
    summary: "Returns the longitudes and latitudes of members.",
    handler: geopos,
    ..GEOHASH
};

fn geopos(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, members) = (cx.db(), cx.key(1), cx.args.from(2));
    let hasher = cx.engine.store.hasher();
    let entry = cx.keys.read(db, &key);
    let zset = zset_of(&entry)?;
    cx.reply.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(hasher, member)) {
            Some(score) => reply_point(&mut cx.reply, Point::of_score(score)),
            None => cx.reply.null_array(),
        }
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn places() {
        check(
            "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania; GEOPOS g Palermo Rome Catania; GEOPOS g; GEOPOS none a; \
             SET s v; GEOPOS s a",
            "2; [[13.36138933897018433 38.11555639549629859] nil [15.08726745843887329 37.50266842333162032]]; []; [nil]; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn resp3_has_doubles() {
        let mut console = Console::default();
        console.run("GEOADD g 13.361389 38.115556 Palermo");
        assert_eq!(console.call(1, &[b"GEOPOS", b"g", b"x"]), b"*1\r\n*-1\r\n");
        resp3(&mut console);
        assert_eq!(
            console.call(1, &[b"GEOPOS", b"g", b"Palermo", b"x"]),
            b"*2\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n_\r\n"
        );
    }
}
