//! Key specs: which arguments are keys, for every form of spec that Redis's commands use.

mod common;

use common::commands::words;
use common::rng::Rng;
use dunlin_engine::OwnedArgs;
use dunlin_engine::command::{Begin, Find, KeySpec};

/// The keys in a command, or none if the spec does not fit it.
fn keys(spec: &KeySpec, line: &str) -> Option<String> {
    let words = words(line);
    let args = OwnedArgs::of(words.iter().map(Vec::as_slice));
    let mut keys = Vec::new();
    let fits = spec.for_each(args.as_args(), |i| {
        keys.push(String::from_utf8_lossy(args.as_args().at(i)).into_owned())
    });
    fits.then(|| keys.join(" "))
}

#[track_caller]
fn check(spec: KeySpec, cases: &[(&str, Option<&str>)]) {
    for (line, expected) in cases {
        assert_eq!(keys(&spec, line).as_deref(), *expected, "{line}");
    }
}

const fn spec(begin: Begin, find: Find) -> KeySpec {
    KeySpec {
        begin,
        find,
        flags: &[],
    }
}

#[test]
fn ranges() {
    check(
        KeySpec::one(1, &[]),
        &[("get k", Some("k")), ("set k v", Some("k")), ("get", None)],
    );
    check(
        KeySpec::rest(1, 1, &[]),
        &[
            ("del a b c", Some("a b c")),
            ("del a", Some("a")),
            ("del", None),
        ],
    );
    check(
        KeySpec::rest(1, 2, &[]),
        &[("mset a 1 b 2", Some("a b")), ("mset a 1", Some("a"))],
    );
    // BLPOP: all but the timeout.
    let but_last = spec(
        Begin::Index(1),
        Find::Range {
            last: -2,
            step: 1,
            limit: 0,
        },
    );
    check(
        but_last,
        &[
            ("blpop a b 0", Some("a b")),
            ("blpop a 0", Some("a")),
            ("blpop a", None),
            ("blpop", None),
        ],
    );
    // Two keys, counted from the first.
    let two = spec(
        Begin::Index(2),
        Find::Range {
            last: 1,
            step: 1,
            limit: 0,
        },
    );
    check(two, &[("x 0 a b c", Some("a b"))]);
}

#[test]
fn ranges_behind_a_keyword() {
    // XREAD: the first half of what follows STREAMS.
    let streams = spec(
        Begin::Keyword("STREAMS", 1),
        Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
    );
    check(
        streams,
        &[
            ("xread COUNT 2 streams a b 0 0", Some("a b")),
            ("xread streams a 0", Some("a")),
            ("xread streams a", None),
            ("xread streams", None),
            // Without the word there are no such keys.
            ("xread COUNT 2", Some("")),
        ],
    );
    // MIGRATE: the word is searched from the end.
    let keys = spec(
        Begin::Keyword("KEYS", -2),
        Find::Range {
            last: -1,
            step: 1,
            limit: 0,
        },
    );
    check(
        keys,
        &[
            ("migrate h p keys 0 5 KEYS a b", Some("a b")),
            ("migrate h p k 0 5", Some("")),
            ("migrate", Some("")),
        ],
    );
}

#[test]
fn ranges_behind_options() {
    let streams = spec(
        Begin::Options {
            word: "STREAMS",
            from: 4,
            first: 1,
            options: &[("count", 1), ("noack", 0), ("group", 2)],
        },
        Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
    );
    check(
        streams,
        &[
            ("xreadgroup GROUP g c streams a b > >", Some("a b")),
            (
                "xreadgroup COUNT 1 noack GROUP streams streams STREAMS streams >",
                Some("streams"),
            ),
            ("xreadgroup COUNT STREAMS a 0", Some("")),
            ("xreadgroup GROUP g c STREAMS a", None),
            ("xreadgroup GROUP g c STREAMS", None),
            ("xreadgroup GROUP g", Some("")),
            ("xreadgroup FOO STREAMS a 0", Some("")),
        ],
    );
}

#[test]
fn counted() {
    // EVAL: script, number, keys.
    let eval = spec(
        Begin::Index(2),
        Find::Count {
            count: 0,
            first: 1,
            step: 1,
        },
    );
    check(
        eval,
        &[
            ("eval s 2 a b x y", Some("a b")),
            ("eval s 1 a", Some("a")),
            ("eval s 0", None),
            ("eval s 3 a b", None),
            ("eval s -1 a", None),
            ("eval s x a", None),
            ("eval s 99999999999999999999 a", None),
            ("eval s 9223372036854775807 a", None),
            ("eval s", None),
        ],
    );
    let pairs = spec(
        Begin::Index(1),
        Find::Count {
            count: 0,
            first: 1,
            step: 2,
        },
    );
    check(pairs, &[("x 2 a 1 b 2", Some("a b")), ("x 2 a 1", None)]);
}

/// Whatever the spec and the arguments are: no panic, and no key that is no argument.
#[test]
fn indices_are_always_arguments() {
    let mut rng = Rng::new(1);
    for _ in 0..50_000 {
        let begin = if rng.chance(50) {
            Begin::Index(rng.below(5) as usize)
        } else {
            Begin::Keyword("w", rng.between(-4, 4) as i32)
        };
        let find = if rng.chance(50) {
            let last = rng.between(-4, 4) as i32;
            let limit = if last == -1 { rng.below(4) as usize } else { 0 };
            Find::Range {
                last,
                step: rng.between(1, 3) as usize,
                limit,
            }
        } else {
            let mut small = || rng.below(4) as usize;
            Find::Count {
                count: small(),
                first: small(),
                step: small().max(1),
            }
        };
        let line: Vec<&str> = (0..rng.between(1, 7))
            .map(|_| *rng.pick(&["a", "w", "2", "3", "-7"]))
            .collect();
        let args = OwnedArgs::of(line.iter().map(|word| word.as_bytes()));
        let spec = spec(begin, find);
        spec.for_each(args.as_args(), |i| {
            assert!(i < line.len(), "{spec:?} {line:?}")
        });
    }
}
