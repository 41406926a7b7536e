//! GEORADIUS key longitude latitude radius unit ... and GEORADIUSBYMEMBER key member radius unit ...: searches of old, which may store
//! their results; with _RO they may not. <https://redis.io/commands/georadius>

use super::geosearch::{COUNT, GEOSEARCH, ORDER, WITHCOORD, WITHDIST, WITHHASH};
use super::options::Form;
use super::search::search;
use super::{LATITUDE, LONGITUDE, READ, UNIT};
use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec};

const RADIUS: Argument = Argument::new("radius", ArgKind::Double);

/// [`COUNT`] as it came to commands that had been there before.
const LATER_COUNT: Argument = Argument::block(
    "count-block",
    &[
        Argument::new("count", ArgKind::Integer).with_token("COUNT"),
        Argument::token("any", "ANY").optional().since("6.2.0"),
    ],
)
.optional();

const STORE: Argument = Argument::one_of(
    "store",
    &[
        Argument::new("storekey", ArgKind::Key(1))
            .shown_as("key")
            .with_token("STORE"),
        Argument::new("storedistkey", ArgKind::Key(2))
            .shown_as("key")
            .with_token("STOREDIST"),
    ],
)
.optional();

/// The key behind the last such word, among the options from `from` on.
const fn stored(
    word: &'static str,
    from: usize,
    others: &'static [(&'static str, usize)],
) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword(word, from as i32),
        find: Find::Option { word, from, others },
        flags: &["OW", "update"],
    }
}

const fn key_specs(from: usize) -> [KeySpec; 3] {
    [
        KeySpec::one(1, &["RO", "access"]),
        stored("STORE", from, &[("count", 1), ("storedist", 1)]),
        stored("STOREDIST", from, &[("count", 1), ("store", 1)]),
    ]
}

/// GEORADIUS.
pub(super) const GEORADIUS: Command = Command {
    name: "georadius",
    full_name: "georadius",
    arity: -6,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::MOVABLEKEYS),
    categories: Categories::WRITE.and(Categories::GEO).and(Categories::SLOW),
    keys: &key_specs(6),
    complexity: GEOSEARCH.complexity,
    summary: "Returns or stores the members within a distance of a point.",
    history: &[
        ("6.2.0", "Takes ANY behind COUNT."),
        ("7.0.0", "Takes units in upper case."),
    ],
    deprecated: Some((
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    )),
    arguments: &[
        Argument::KEY,
        LONGITUDE,
        LATITUDE,
        RADIUS,
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        LATER_COUNT,
        ORDER,
        STORE,
    ],
    handler: |cx| search(cx, Form::Radius { stores: true }),
    ..READ
};

/// GEORADIUSBYMEMBER.
pub(super) const GEORADIUSBYMEMBER: Command = Command {
    name: "georadiusbymember",
    full_name: "georadiusbymember",
    arity: -5,
    keys: &key_specs(5),
    summary: "Returns or stores the members within a distance of a member.",
    history: &[("7.0.0", "Takes units in upper case.")],
    deprecated: Some((
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    )),
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String),
        RADIUS,
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        COUNT,
        ORDER,
        STORE,
    ],
    handler: |cx| search(cx, Form::RadiusByMember { stores: true }),
    ..GEORADIUS
};

/// GEORADIUS_RO.
pub(super) const GEORADIUS_RO: Command = Command {
    name: "georadius_ro",
    full_name: "georadius_ro",
    arity: -6,
    since: "3.2.10",
    complexity: GEOSEARCH.complexity,
    summary: "Returns the members within a distance of a point.",
    history: &[("6.2.0", "Takes ANY behind COUNT.")],
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
    arguments: &[
        Argument::KEY,
        LONGITUDE,
        LATITUDE,
        RADIUS,
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        LATER_COUNT,
        ORDER,
    ],
    handler: |cx| search(cx, Form::Radius { stores: false }),
    ..READ
};

/// GEORADIUSBYMEMBER_RO.
pub(super) const GEORADIUSBYMEMBER_RO: Command = Command {
    name: "georadiusbymember_ro",
    full_name: "georadiusbymember_ro",
    arity: -5,
    summary: "Returns the members within a distance of a member.",
    history: &[],
    deprecated: Some((
        "6.2.0",
        "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    )),
    arguments: &[
        Argument::KEY,
        Argument::new("member", ArgKind::String),
        RADIUS,
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        COUNT,
        ORDER,
    ],
    handler: |cx| search(cx, Form::RadiusByMember { stores: false }),
    ..GEORADIUS_RO
};

#[cfg(test)]
mod tests {
    use crate::testing::check;

    fn check_sicily(script: &str, expected: &str) {
        let points = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";
        check(&format!("{points}; {script}"), &format!("2; {expected}"));
    }

    #[test]
    fn searches() {
        check_sicily(
            "GEORADIUS g 15 37 200 km WITHDIST ASC; GEORADIUS_RO g 15 37 100 KM; GEORADIUSBYMEMBER g Palermo 200 km DESC; \
             GEORADIUSBYMEMBER_RO g Catania 1 m WITHHASH; GEORADIUS none 1 1 1 m; GEORADIUSBYMEMBER none x y z",
            "[[Catania 56.4413] [Palermo 190.4424]]; [Catania]; [Catania Palermo]; [[Catania 3479447370796909]]; []; []",
        );
    }

    #[test]
    fn stores_under_the_last_key_that_is_named() {
        check_sicily(
            "GEORADIUS g 15 37 200 km STORE a; ZRANGE a 0 -1; GEORADIUSBYMEMBER g Palermo 200 km STORE a STOREDIST b STORE c STORE d; \
             EXISTS b c; ZCARD d; GEORADIUS g 15 37 200 km STORE STOREDIST; ZCARD STOREDIST; GEORADIUS g 15 37 200 km STORE x COUNT 1 STOREDIST y; \
             ZRANGE y 0 -1; EXISTS x; GEORADIUS none 15 37 200 km STORE a; EXISTS a",
            "2; [Palermo Catania]; 2; 0; 2; 2; 2; 1; [Catania]; 0; 0; 0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let with = "(error) ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
        check_sicily(
            "GEORADIUS g 15 37 200 km STORE a WITHDIST; GEORADIUS_RO g 15 37 200 km STORE a; GEORADIUSBYMEMBER_RO g Palermo 1 m STORE a; \
             GEORADIUSBYMEMBER g x 1 m; GEORADIUS g 15 37 200 km STORE; GEORADIUS g 15 37 x km; GEORADIUS g 15 99 1 km; SET s v; \
             GEORADIUS s 15 37 1 m",
            &format!(
                "{with}; (error) ERR syntax error; (error) ERR syntax error; (error) ERR could not decode requested zset member; \
                 (error) ERR syntax error; (error) ERR need numeric radius; \
                 (error) ERR invalid longitude,latitude pair 15.000000,99.000000; OK; \
                 (error) WRONGTYPE Operation against a key holding the wrong kind of value"
            ),
        );
    }
}
