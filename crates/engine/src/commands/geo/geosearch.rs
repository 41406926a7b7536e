//! GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX width height unit [ASC | DESC]
//! [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]: members in an area; GEOSEARCHSTORE destination source ... stores them.
//! <https://redis.io/commands/geosearch>

use super::options::Form;
use super::search::search;
use super::{LATITUDE, LONGITUDE, READ, UNIT};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec};

const FROM: Argument = Argument::one_of(
    "from",
    &[
        Argument::new("member", ArgKind::String).with_token("FROMMEMBER"),
        Argument::block("fromlonlat", &[LONGITUDE, LATITUDE]).with_token("FROMLONLAT"),
    ],
);

const BY: Argument = Argument::one_of(
    "by",
    &[
        Argument::block(
            "circle",
            &[
                Argument::new("radius", ArgKind::Double).with_token("BYRADIUS"),
                UNIT,
            ],
        ),
        Argument::block(
            "box",
            &[
                Argument::new("width", ArgKind::Double).with_token("BYBOX"),
                Argument::new("height", ArgKind::Double),
                UNIT,
            ],
        ),
    ],
);

/// `ASC | DESC`.
pub(super) const ORDER: Argument = Argument::one_of(
    "order",
    &[
        Argument::token("asc", "ASC"),
        Argument::token("desc", "DESC"),
    ],
)
.optional();

/// `COUNT count [ANY]`.
pub(super) const COUNT: Argument = Argument::block(
    "count-block",
    &[
        Argument::new("count", ArgKind::Integer).with_token("COUNT"),
        Argument::token("any", "ANY").optional(),
    ],
)
.optional();

/// `WITHCOORD`.
pub(super) const WITHCOORD: Argument = Argument::token("withcoord", "WITHCOORD").optional();
/// `WITHDIST`.
pub(super) const WITHDIST: Argument = Argument::token("withdist", "WITHDIST").optional();
/// `WITHHASH`.
pub(super) const WITHHASH: Argument = Argument::token("withhash", "WITHHASH").optional();

const HISTORY: &[(&str, &str)] = &[("7.0.0", "Takes units in upper case.")];

/// GEOSEARCH.
pub(super) const GEOSEARCH: Command = Command {
    name: "geosearch",
    full_name: "geosearch",
    arity: -7,
    since: "6.2.0",
    complexity: "O(log N + M) for M members in the cells round the area out of N",
    summary: "Returns the members that are inside a circle or a box.",
    history: HISTORY,
    arguments: &[
        Argument::KEY,
        FROM,
        BY,
        ORDER,
        COUNT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
    ],
    handler: |cx| search(cx, Form::Search),
    ..READ
};

/// GEOSEARCHSTORE.
pub(super) const GEOSEARCHSTORE: Command = Command {
    name: "geosearchstore",
    full_name: "geosearchstore",
    arity: -8,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE.and(Categories::GEO).and(Categories::SLOW),
    keys: &[
        KeySpec::one(1, &["OW", "update"]),
        KeySpec::one(2, &["RO", "access"]),
    ],
    summary: "Stores the members that are inside a circle or a box, or their distances.",
    arguments: &[
        Argument::new("destination", ArgKind::Key(0)),
        Argument::new("source", ArgKind::Key(1)),
        FROM,
        BY,
        ORDER,
        COUNT,
        Argument::token("storedist", "STOREDIST").optional(),
    ],
    handler: |cx| search(cx, Form::SearchStore),
    ..GEOSEARCH
};

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    const SICILY: &str = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 \
                          17.241510 38.788135 edge2";

    fn check_sicily(script: &str, expected: &str) {
        check(&format!("{SICILY}; {script}"), &format!("4; {expected}"));
    }

    #[test]
    fn finds_what_is_inside() {
        check_sicily(
            "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC; GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km desc; \
             GEOSEARCH g FROMMEMBER Palermo BYRADIUS 10 m; GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 1 mi; \
             GEOSEARCH none FROMMEMBER x BYRADIUS 1 m",
            "[Catania Palermo]; [edge1 edge2 Palermo Catania]; [Palermo]; []; []",
        );
        check_sicily(
            "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST COUNT 2; \
             GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH COUNT 1; \
             GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km COUNT 1; GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km COUNT 3 ANY DESC",
            "[[Catania 56.4413] [Palermo 190.4424]]; \
             [[Catania 56.4413 3479447370796909 [15.08726745843887329 37.50266842333162032]]]; [Catania]; [edge1 Palermo Catania]",
        );
    }

    #[test]
    fn stores() {
        check_sicily(
            "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 3; ZRANGE d 0 -1; GEOSEARCH d FROMLONLAT 15 37 BYBOX 400 400 km ASC; \
             GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST; ZRANGE d 0 -1 WITHSCORES; \
             GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m; EXISTS d; SET d v; GEOSEARCHSTORE d none FROMLONLAT 1 1 BYRADIUS 1 m; \
             EXISTS d; OBJECT ENCODING g",
            "3; [Palermo Catania edge2]; [Catania Palermo edge2]; 2; \
             [Catania 56.4412578701582 Palermo 190.44242984775784]; 0; 0; OK; 0; 0; listpack",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let syntax = "(error) ERR syntax error";
        check_sicily(
            "GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m FROMMEMBER Palermo; GEOSEARCH g BYRADIUS 1 m BYBOX 1 1 m; \
             GEOSEARCH g FROMLONLAT 1 1 ASC WITHDIST; geosearch g BYRADIUS 1 m ASC DESC; GEOSEARCH g FROMMEMBER x BYRADIUS 1 m; \
             GEOSEARCH g FROMLONLAT 1 1 BYRADIUS x m; GEOSEARCH g FROMLONLAT 1 1 BYRADIUS -1 m; GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 -1 m; \
             GEOSEARCH g FROMLONLAT 1 1 BYBOX x 1 m; GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 x m; GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 1 x",
            &format!(
                "{syntax}; {syntax}; (error) ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH; \
                 (error) ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch; \
                 (error) ERR could not decode requested zset member; (error) ERR need numeric radius; \
                 (error) ERR radius cannot be negative; (error) ERR height or width cannot be negative; \
                 (error) ERR need numeric width; (error) ERR need numeric height; \
                 (error) ERR unsupported unit provided. please use M, KM, FT, MI"
            ),
        );
        check_sicily(
            "GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m COUNT 0; GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m COUNT x; \
             GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m ANY; GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m STOREDIST; \
             GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m WITHDIST; SET s v; GEOSEARCH s a b c d e; EXISTS d",
            &format!(
                "(error) ERR COUNT must be > 0; (error) ERR value is not an integer or out of range; \
                 (error) ERR the ANY argument requires COUNT argument; {syntax}; \
                 (error) ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options; OK; \
                 (error) WRONGTYPE Operation against a key holding the wrong kind of value; 0"
            ),
        );
    }

    #[test]
    fn many_candidates_are_gone_through_on_the_auxiliary_thread() {
        let mut console = Console::default();
        for row in 0..150 {
            let points: Vec<String> = (0..150)
                .map(|i| {
                    format!(
                        "{} {} m{row}-{i}",
                        10.0 + f64::from(i) / 1000.0,
                        10.0 + f64::from(row) / 1000.0
                    )
                })
                .collect();
            console.run(&format!("GEOADD g {}", points.join(" ")));
        }
        let reply = console.run("GEOSEARCH g FROMLONLAT 10.07 10.07 BYRADIUS 100 km");
        assert_eq!(reply.split(' ').count(), 150 * 150);
        assert_eq!(
            console.run("GEOSEARCHSTORE d g FROMLONLAT 10.07 10.07 BYRADIUS 100 km; ZCARD d; GEOSEARCH g FROMMEMBER m3-4 BYRADIUS 1 m"),
            "22500; 22500; [m3-4]"
        );
    }
}
