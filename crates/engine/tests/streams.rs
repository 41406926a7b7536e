//! Streams as sessions, run by the engine and by a genuine server of 7.2 where there is one; and clients that wait for entries.

mod common;

use std::sync::Arc;

use common::genuine::Genuine;
use common::refusals;
use common::sessions::check_all;
use common::world::{World, engine};

const TOP: &str =
    "(error) ERR The ID specified in XADD is equal or smaller than the target stream top item";
const FULL: &str =
    "(error) ERR The stream has exhausted the last possible ID, unable to add more items";

/// Ids at and beyond all limits, wrong types, options that do not go together.
#[test]
fn bad_input() {
    refusals::check(
        &[
            &[
                (
                    "XADD s 0-0 a 1",
                    "(error) ERR The ID specified in XADD must be greater than 0-0",
                ),
                (
                    "XADD s 0 a 1",
                    "(error) ERR The ID specified in XADD must be greater than 0-0",
                ),
                ("XADD s 18446744073709551616 a 1", "!id"),
                ("XADD s 1-18446744073709551616 a 1", "!id"),
                ("XADD s -1 a 1", "!id"),
                ("XADD s 1- a 1", "!id"),
                ("XADD s 1-2-3 a 1", "!id"),
                ("XADD s x a 1", "!id"),
                ("XADD s '' a 1", "!id"),
                ("XADD s *-1 a 1", "!id"),
                ("XADD s + a 1", "!id"),
                ("XADD s $ a 1", "!id"),
                ("XADD s MAXLEN {OVER} * a 1", "!integer"),
                (
                    "XADD s MAXLEN -{MAX} * a 1",
                    "(error) ERR The MAXLEN argument must be >= 0.",
                ),
                ("XADD s MAXLEN ~ 5 LIMIT {OVER} * a 1", "!integer"),
                ("XADD s MINID - * a 1", "!id"),
                ("EXISTS s", "0"),
                (
                    "XADD s 18446744073709551615-18446744073709551614 a 1",
                    "18446744073709551615-18446744073709551614",
                ),
                (
                    "XADD s 18446744073709551615-* a 1",
                    "18446744073709551615-18446744073709551615",
                ),
                ("XADD s * a 1", FULL),
                ("XADD s 18446744073709551615-* a 1", FULL),
                ("XLEN s", "2"),
                (
                    "XRANGE s (18446744073709551615-18446744073709551615 +",
                    "(error) ERR invalid start ID for the interval",
                ),
                (
                    "XRANGE s - (0-0",
                    "(error) ERR invalid end ID for the interval",
                ),
                ("XRANGE s - + COUNT {OVER}", "!integer"),
                ("XRANGE s - + COUNT -1", "nil"),
                ("XRANGE s - + COUNT 1 COUNT", "!syntax"),
                ("XREVRANGE s - (", "!id"),
                ("XDEL s 1 18446744073709551616", "!id"),
                ("XTRIM s MAXLEN ~", "!integer"),
                (
                    "XTRIM s MAXLEN ~ 1 LIMIT -{MAX}",
                    "(error) ERR The LIMIT argument must be >= 0.",
                ),
                ("XSETID s 1-1 ENTRIESADDED {OVER}", "!integer"),
                ("XLEN s", "2"),
            ],
            &[
                ("XADD s 5-5 a 1", "5-5"),
                ("XADD s 5-5 a 1", TOP),
                ("XADD s 5 a 1", TOP),
                ("XADD s 4-* a 1", TOP),
                ("XADD s 05-006 a 1", "5-6"),
                ("XADD s ' 6' a 1", "6-0"),
                ("XGROUP CREATE s g 0 ENTRIESREAD {OVER}", "!integer"),
                ("XGROUP CREATE s g 18446744073709551616", "!id"),
                ("XGROUP CREATE s g +", "!id"),
                ("XGROUP CREATE s g 0", "OK"),
                (
                    "XGROUP CREATE s g 0",
                    "(error) BUSYGROUP Consumer Group name already exists",
                ),
                ("XGROUP SETID s g x", "!id"),
                (
                    "XGROUP SETID s g 0 ENTRIESREAD -2",
                    "(error) ERR value for ENTRIESREAD must be positive or -1",
                ),
                (
                    "XGROUP SETID s g 0 MKSTREAM",
                    "(error) ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.",
                ),
                (
                    "XGROUP DESTROY s g x",
                    "(error) ERR wrong number of arguments for 'xgroup|destroy' command",
                ),
                ("XREADGROUP GROUP g c COUNT {OVER} STREAMS s >", "!integer"),
                (
                    "XREADGROUP GROUP g c BLOCK -{MAX} STREAMS s >",
                    "(error) ERR timeout is negative",
                ),
                (
                    "XREADGROUP GROUP g c BLOCK {MAX} STREAMS s >",
                    "(error) ERR timeout is out of range",
                ),
                (
                    "XREADGROUP GROUP g c BLOCK 1.5 STREAMS s >",
                    "(error) ERR timeout is not an integer or out of range",
                ),
                ("XREADGROUP GROUP g c STREAMS s -", "!id"),
                (
                    "XREADGROUP GROUP g STREAMS s >",
                    "(error) ERR wrong number of arguments for 'xreadgroup' command",
                ),
                ("XACK s g 1 18446744073709551616", "!id"),
                ("XPENDING s g - + {OVER}", "!integer"),
                ("XPENDING s g IDLE {OVER} - + 1", "!integer"),
                ("XPENDING s g - + 1 c x", "[]"),
                (
                    "XPENDING s g (18446744073709551615-18446744073709551615 + 1",
                    "(error) ERR invalid start ID for the interval",
                ),
                (
                    "XCLAIM s g c {OVER} 1",
                    "(error) ERR Invalid min-idle-time argument for XCLAIM",
                ),
                (
                    "XCLAIM s g c 0 18446744073709551616",
                    "(error) ERR Unrecognized XCLAIM option '18446744073709551616'",
                ),
                (
                    "XCLAIM s g c 0 1 RETRYCOUNT {OVER}",
                    "(error) ERR Invalid RETRYCOUNT option argument for XCLAIM",
                ),
                (
                    "XAUTOCLAIM s g c {OVER} 0",
                    "(error) ERR Invalid min-idle-time argument for XAUTOCLAIM",
                ),
                (
                    "XAUTOCLAIM s g c 0 (18446744073709551615-18446744073709551615",
                    "(error) ERR invalid start ID for the interval",
                ),
                (
                    "XAUTOCLAIM s g c 0 0 COUNT -1",
                    "(error) ERR COUNT must be > 0",
                ),
                ("XINFO STREAM s FULL COUNT {OVER}", "!integer"),
                ("XINFO CONSUMERS s g", "[]"),
            ],
            &[
                ("SET k v", "OK"),
                ("XADD k * a 1", "!type"),
                ("XADD k NOMKSTREAM * a 1", "!type"),
                ("XLEN k", "!type"),
                ("XRANGE k - +", "!type"),
                ("XREVRANGE k + - COUNT 0", "!type"),
                ("XDEL k 1", "!type"),
                ("XTRIM k MAXLEN 0", "!type"),
                ("XREAD STREAMS k 0", "!type"),
                ("XREAD STREAMS none k 0 0", "!type"),
                ("XGROUP CREATE k g 0 MKSTREAM", "!type"),
                ("XGROUP DESTROY k g", "!type"),
                ("XREADGROUP GROUP g c STREAMS k >", "!type"),
                ("XACK k g 1", "!type"),
                ("XPENDING k g", "!type"),
                ("XCLAIM k g c 0 1", "!type"),
                ("XAUTOCLAIM k g c 0 0", "!type"),
                ("XINFO STREAM k", "!type"),
                ("XINFO GROUPS k", "!type"),
                ("XINFO CONSUMERS k g", "!type"),
                ("XSETID k 1", "!type"),
                ("XADD s 1 a 1", "1-0"),
                ("GET s", "!type"),
                ("LPUSH s a", "!type"),
                ("SADD s a", "!type"),
                ("HSET s a 1", "!type"),
                ("ZADD s 1 a", "!type"),
                ("SORT s", "!type"),
                ("APPEND s a", "!type"),
                ("GET k", "v"),
                ("XLEN s", "1"),
            ],
        ],
        Genuine::is_7_2,
    );
}

/// What groups reckon, and what stays of entries that are gone.
#[test]
fn groups_and_what_is_gone() {
    check_all(
        &[
            (
                "XGROUP CREATE s g $ MKSTREAM; XINFO GROUPS s; XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XADD s 4 a 4; \
                 XREADGROUP GROUP g c COUNT 1 STREAMS s >; XINFO GROUPS s; XDEL s 3; XINFO GROUPS s; XREADGROUP GROUP g c COUNT 2 STREAMS s >; \
                 XINFO GROUPS s; XADD s 5 a 5; XINFO GROUPS s; XTRIM s MAXLEN 1; XINFO GROUPS s; XDEL s 5; XINFO GROUPS s",
                "OK; [[name g consumers 0 pending 0 last-delivered-id 0-0 entries-read nil lag 0]]; 1-0; 2-0; 3-0; 4-0; \
                 [[s [[1-0 [a 1]]]]]; [[name g consumers 1 pending 1 last-delivered-id 1-0 entries-read 1 lag 3]]; 1; \
                 [[name g consumers 1 pending 1 last-delivered-id 1-0 entries-read 1 lag nil]]; [[s [[2-0 [a 2]] [4-0 [a 4]]]]]; \
                 [[name g consumers 1 pending 3 last-delivered-id 4-0 entries-read 4 lag 0]]; 5-0; \
                 [[name g consumers 1 pending 3 last-delivered-id 4-0 entries-read 4 lag 1]]; 3; \
                 [[name g consumers 1 pending 3 last-delivered-id 4-0 entries-read 4 lag 1]]; 1; \
                 [[name g consumers 1 pending 3 last-delivered-id 4-0 entries-read 4 lag 1]]",
            ),
            (
                "XADD s 1 a 1; XADD s 2 a 2; XADD s 3 a 3; XGROUP CREATE s g 1; XINFO GROUPS s; XGROUP CREATE s h 2; XINFO GROUPS s; \
                 XGROUP SETID s g 9 ENTRIESREAD 7; XGROUP SETID s h $; XINFO GROUPS s; XSETID s 10 ENTRIESADDED 20; XINFO GROUPS s",
                "1-0; 2-0; 3-0; OK; [[name g consumers 0 pending 0 last-delivered-id 1-0 entries-read nil lag 2]]; OK; \
                 [[name g consumers 0 pending 0 last-delivered-id 1-0 entries-read nil lag 2] \
                 [name h consumers 0 pending 0 last-delivered-id 2-0 entries-read nil lag nil]]; OK; OK; \
                 [[name g consumers 0 pending 0 last-delivered-id 9-0 entries-read 7 lag -4] \
                 [name h consumers 0 pending 0 last-delivered-id 3-0 entries-read nil lag 0]]; OK; \
                 [[name g consumers 0 pending 0 last-delivered-id 9-0 entries-read 7 lag 13] \
                 [name h consumers 0 pending 0 last-delivered-id 3-0 entries-read nil lag nil]]",
            ),
            (
                "XADD s 1 a 1; XADD s 2 b 2; XADD s 3 c 3; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >; XDEL s 1; \
                 XCLAIM s g d 0 1 2 FORCE JUSTID LASTID 9; XPENDING s g; XINFO GROUPS s; XAUTOCLAIM s g e 0 0 COUNT 1 JUSTID; \
                 XDEL s 3; XAUTOCLAIM s g e 0 0; XREADGROUP GROUP g e STREAMS s 0; XREADGROUP GROUP g e NOACK STREAMS s s > 0; \
                 XGROUP DELCONSUMER s g e; XPENDING s g",
                "1-0; 2-0; 3-0; OK; [[s [[1-0 [a 1]] [2-0 [b 2]] [3-0 [c 3]]]]]; 1; [2-0]; [2 2-0 3-0 [[c 1] [d 1]]]; \
                 [[name g consumers 2 pending 2 last-delivered-id 9-0 entries-read 3 lag 0]]; [3-0 [2-0] []]; \
                 1; [0-0 [[2-0 [b 2]]] [3-0]]; [[s [[2-0 [b 2]]]]]; [[s [[2-0 [b 2]]]]]; 1; [0 nil nil nil]",
            ),
            (
                "XADD s 1 a 1; XADD s 2 a 1; XADD s 3 a 1; XTRIM s MINID 3-1; XLEN s; XINFO GROUPS s; XADD s 3 a 1; XADD s MAXLEN 0 4 a 1; \
                 XADD s MAXLEN = 1 5 a 1; XADD s MINID 5-1 6 b 2 c 3; XRANGE s - +; TYPE s; OBJECT ENCODING s; COPY s t; XADD t 7 a 1; \
                 XLEN s; RENAME t s; XLEN s; XREVRANGE s + - COUNT 1",
                "1-0; 2-0; 3-0; 3; 0; []; (error) ERR The ID specified in XADD is equal or smaller than the target stream top item; 4-0; 5-0; 6-0; \
                 [[6-0 [b 2 c 3]]]; stream; stream; 1; 7-0; 1; OK; 2; [[7-0 [a 1]]]",
            ),
        ],
        Genuine::is_7_2,
    );
}

/// A stream with fields of all kinds has Redis's digest; the numbers are those of redis-server 7.2.4.
#[test]
fn digests_are_those_of_redis() {
    let lines = [
        "XADD s 1-1 a 1 b 2",
        "XADD s 1-2 a x b -5",
        "XADD s 7-0 c 12345678901234567890",
        "XADD s 18446744073709551615-3 '' ''",
        "XDEL s 1-2",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
    ];
    let mut world = World::new(Arc::new(engine(16, 1, 1)), 1, 1);
    let mut genuine = Genuine::start();
    for line in lines {
        let request = dunlin_resp::split_words(line.as_bytes()).expect("balanced quotes");
        world.start(0, &request);
        world.settle();
        assert_ne!(world.reply(0).first(), Some(&b'-'), "{line}");
        if let Some(genuine) = &mut genuine {
            genuine.call(&request);
        }
    }
    let digest = world.dataset().digest().to_owned();
    assert_eq!(digest, KNOWN);
    if let Some(genuine) = &mut genuine {
        let dunlin_resp::Value::Simple(theirs) = genuine.type_in("DEBUG DIGEST") else {
            panic!("DEBUG is enabled")
        };
        assert_eq!(digest, String::from_utf8_lossy(&theirs));
    }
}

const KNOWN: &str = "d409a37ab98c7e39d99643d22027c04ddb60701a";

/// Clients of an engine; what each was answered.
struct Clients(World);

impl Clients {
    fn new(count: usize) -> Clients {
        Clients(World::new(Arc::new(engine(16, 1, 1)), 1, count))
    }

    /// Starts a command; the reply, or `waits`.
    fn run(&mut self, client: usize, line: &str) -> String {
        let request = line.split(' ').map(|word| word.as_bytes().to_vec());
        self.0.start(client, &request.collect());
        self.reply(client)
    }

    fn reply(&mut self, client: usize) -> String {
        match self.0.is_busy(client) {
            true => "waits".to_owned(),
            false => dunlin_engine::testing::show(&self.0.reply(client)),
        }
    }
}

#[test]
fn who_reads_behind_the_end_is_given_what_comes() {
    let mut clients = Clients::new(3);
    clients.run(2, "XADD s 5 a 1");
    assert_eq!(clients.run(0, "XREAD BLOCK 0 STREAMS t s $ $"), "waits");
    assert_eq!(
        clients.run(1, "XREAD COUNT 1 BLOCK 0 STREAMS s 5-3"),
        "waits"
    );
    // Below what the second waits for, and no entry at all.
    assert_eq!(clients.run(2, "XADD s 5-1 a 2"), "5-1");
    assert_eq!(clients.reply(0), "[[s [[5-1 [a 2]]]]]");
    assert_eq!(clients.reply(1), "waits");
    for line in [
        "XDEL s 5-1",
        "XGROUP CREATE s g 0",
        "DEL t",
        "SET t v",
        "DEL s",
    ] {
        clients.run(2, line);
        assert_eq!(clients.reply(1), "waits", "{line}");
    }
    clients.run(2, "MULTI");
    clients.run(2, "XADD s 6 a 1");
    clients.run(2, "XADD s 7 a 1");
    assert_eq!(clients.run(2, "EXEC"), "[6-0 7-0]");
    assert_eq!(clients.reply(1), "[[s [[6-0 [a 1]]]]]");
}

#[test]
fn an_entry_goes_to_one_consumer_of_a_group() {
    let mut clients = Clients::new(4);
    clients.run(3, "XGROUP CREATE s g $ MKSTREAM");
    for (client, group, name) in [(0, "g", "a"), (1, "g", "b")] {
        let line = format!("XREADGROUP GROUP {group} {name} BLOCK 0 STREAMS s >");
        assert_eq!(clients.run(client, &line), "waits");
    }
    assert_eq!(clients.run(2, "XREAD BLOCK 0 STREAMS s $"), "waits");
    assert_eq!(clients.run(3, "XADD s 1 n 1"), "1-0");
    assert_eq!(clients.reply(0), "[[s [[1-0 [n 1]]]]]");
    assert_eq!(clients.reply(1), "waits");
    assert_eq!(clients.reply(2), "[[s [[1-0 [n 1]]]]]");
    assert_eq!(clients.run(3, "XADD s 2 n 2"), "2-0");
    assert_eq!(clients.reply(1), "[[s [[2-0 [n 2]]]]]");
    assert_eq!(clients.run(3, "XPENDING s g"), "[2 1-0 2-0 [[a 1] [b 1]]]");
    // History is there at once, even if it is empty.
    assert_eq!(
        clients.run(0, "XREADGROUP GROUP g c BLOCK 0 STREAMS s 0"),
        "[[s []]]"
    );
}

#[test]
fn who_reads_for_a_group_is_told_that_it_is_gone() {
    let no_group =
        "(error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    let wrong_type = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
    for (lines, expected) in [
        (&["XGROUP DESTROY s g"][..], no_group),
        (&["DEL s"], no_group),
        (&["SET s v"], wrong_type),
        (&["MULTI", "DEL s", "SADD s m", "EXEC"], wrong_type),
        (&["FLUSHALL"], no_group),
        (&["SWAPDB 0 1"], no_group),
        (&["RENAME s t"], no_group),
        (&["XADD t 1 a 1", "RENAME t s"], no_group),
    ] {
        let mut clients = Clients::new(2);
        clients.run(1, "XGROUP CREATE s g $ MKSTREAM");
        let waits = clients.run(0, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >");
        assert_eq!(waits, "waits");
        for line in lines {
            clients.run(1, line);
        }
        assert_eq!(clients.reply(0), expected, "{lines:?}");
    }
}
