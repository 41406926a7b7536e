//! GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]: adds points.
//! <https://redis.io/commands/geoadd>
//!
//! It is ZADD with the points' numbers as scores, and that is its effect.

use super::{LATITUDE, LONGITUDE, READ, point};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec};
use crate::commands::string::argument_count;
use crate::commands::zset::ZADD;
use crate::{Ctx, Outcome, OwnedArgs, ReplyError};

/// GEOADD.
pub(super) const GEOADD: Command = Command {
    name: "geoadd",
    full_name: "geoadd",
    arity: -5,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE.and(Categories::GEO).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    complexity: "O(log N) for each member, with N members in the sorted set",
    summary: "Adds members with their places on the Earth to a sorted set, or moves them.",
    history: &[("6.2.0", "Takes CH, NX and XX.")],
    arguments: &[
        Argument::KEY,
        Argument::one_of(
            "condition",
            &[Argument::token("nx", "NX"), Argument::token("xx", "XX")],
        )
        .optional()
        .since("6.2.0"),
        Argument::token("change", "CH").optional().since("6.2.0"),
        Argument::block(
            "data",
            &[
                LONGITUDE,
                LATITUDE,
                Argument::new("member", ArgKind::String),
            ],
        )
        .multiple(),
    ],
    weight: Some(argument_count),
    handler: geoadd,
    ..READ
};

fn geoadd(cx: &mut Ctx<'_>) -> Outcome {
    let args = cx.args;
    let (mut nx, mut xx, mut first) = (false, false, 2);
    while first < args.len() {
        if args.is(first, "nx") {
            nx = true;
        } else if args.is(first, "xx") {
            xx = true;
        } else if !args.is(first, "ch") {
            break;
        }
        first += 1;
    }
    if !(args.len() - first).is_multiple_of(3) || (nx && xx) {
        return Err(ReplyError::Syntax);
    }
    let mut scores = Vec::with_capacity((args.len() - first) / 3);
    for i in (first..args.len()).step_by(3) {
        let score = point(args, i)?.number();
        scores.push((itoa::Buffer::new().format(score).to_owned(), args.at(i + 2)));
    }
    let options = (1..first).map(|i| args.at(i));
    let pairs = scores
        .iter()
        .flat_map(|(score, member)| [score.as_bytes(), member]);
    let zadd = OwnedArgs::of(std::iter::once(&b"ZADD"[..]).chain(options).chain(pairs));
    (ZADD.handler)(&mut cx.nested(&ZADD, zadd.as_args()))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn adds_and_moves() {
        check(
            "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania; ZRANGE g 0 -1 WITHSCORES; \
             GEOADD g 15.087269 37.502669 Palermo; GEOADD g CH 13.361389 38.115556 Palermo; ZSCORE g Palermo",
            "2; [Palermo 3479099956230698 Catania 3479447370796909]; 0; 1; 3479099956230698",
        );
        check(
            "GEOADD g XX 1 1 a; EXISTS g; GEOADD g nx ch 1 1 a; GEOADD g NX 2 2 a; GEOPOS g a; ZCARD g",
            "0; 0; 1; 0; [[0.99999994039535522 0.99999945914297683]]; 1",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let syntax = "(error) ERR syntax error";
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "GEOADD g NX XX 1 1 a; GEOADD g 1 1 a 2; GEOADD g ch nx ch; GEOADD g x 1 a; GEOADD g 1 1 a 1 x b; GEOADD g 181 1 a; \
             GEOADD g 1 -85.06 a; GEOADD g inf 1 a; SET s v; GEOADD s 1 1 a; EXISTS g",
            &format!(
                "{syntax}; {syntax}; {syntax}; (error) ERR value is not a valid float; (error) ERR value is not a valid float; \
                 (error) ERR invalid longitude,latitude pair 181.000000,1.000000; \
                 (error) ERR invalid longitude,latitude pair 1.000000,-85.060000; \
                 (error) ERR invalid longitude,latitude pair inf,1.000000; OK; {wrong}; 0"
            ),
        );
    }
}
