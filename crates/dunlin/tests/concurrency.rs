//! Many clients at once against the binary with several workers: what each must never see, whoever comes between.
//!
//! Each test is seeded; threads add chance of their own.

mod common;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Client, Server, wait_for};

const WORKERS: &str = "workers 4\nenable-debug-command yes";

/// A small generator (xorshift64*, Vigna 2014).
struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
}

/// Runs lines as a transaction; the reply of `exec`.
fn transaction(client: &mut Client, lines: &[String], exec: &str) -> String {
    let requests = ["MULTI"]
        .into_iter()
        .chain(lines.iter().map(String::as_str))
        .chain([exec]);
    for line in requests {
        client
            .send(&line.split(' ').collect::<Vec<_>>())
            .expect("the server takes it");
    }
    let mut reply = String::new();
    for _ in 0..lines.len() + 2 {
        reply = client.reply().expect("a reply");
    }
    reply
}

#[test]
fn transfers_keep_the_sum_for_every_reader() {
    const ACCOUNTS: u64 = 1_000;
    const EACH: u64 = 1_000;
    const TRANSFERS: usize = 3_000;
    let server = Server::start(WORKERS);
    let names: Vec<String> = (0..ACCOUNTS).map(|i| format!("account:{i}")).collect();
    let pairs: Vec<String> = names.iter().map(|n| format!("{n} {EACH}")).collect();
    assert_eq!(
        server.client().ask(&format!("MSET {}", pairs.join(" "))),
        "OK"
    );
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|seed| {
                let mut client = server.client();
                scope.spawn(move || {
                    let mut rng = Rng::new(seed + 1);
                    for _ in 0..TRANSFERS {
                        let (from, to) = (rng.below(ACCOUNTS), rng.below(ACCOUNTS));
                        let amount = rng.below(10) + 1;
                        let lines = [
                            format!("DECRBY account:{from} {amount}"),
                            format!("INCRBY account:{to} {amount}"),
                        ];
                        assert!(transaction(&mut client, &lines, "EXEC").starts_with('['));
                    }
                })
            })
            .collect();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (mut client, names, done) = (server.client(), &names, &done);
                scope.spawn(move || {
                    let mut reads = 0;
                    while !done.load(Ordering::Relaxed) || reads == 0 {
                        // In two commands, so that it is the transaction which makes them one.
                        let (low, high) = names.split_at(names.len() / 2);
                        let lines = [low, high].map(|part| format!("MGET {}", part.join(" ")));
                        let reply = transaction(&mut client, &lines, "EXEC");
                        let sum: i64 = reply
                            .split(' ')
                            .map(|word| word.trim_matches(['[', ']']))
                            .map(|word| word.parse::<i64>().expect("a number"))
                            .sum();
                        assert_eq!(sum, (ACCOUNTS * EACH) as i64);
                        reads += 1;
                    }
                })
            })
            .collect();
        writers
            .into_iter()
            .for_each(|w| w.join().expect("no panic"));
        done.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .for_each(|r| r.join().expect("no panic"));
    });
}

/// Changes of keys of every type, of whole keys and of deadlines.
const CHANGES: &[&str] = &[
    "SET string other",
    "APPEND string more",
    "SETRANGE long 70000 x",
    "INCR counter",
    "LPUSH list a b c",
    "LTRIM list 1 2",
    "LPOP longlist 300",
    "HSET hash f1 x new y",
    "HDEL longhash f1 f2 f3",
    "SADD set m1 new",
    "SPOP longset 50",
    "SADD numbers 1000 text",
    "ZADD zset 9 a 1 new",
    "ZPOPMIN longzset 100",
    "ZUNIONSTORE zset 2 zset longzset",
    "DEL longlist string",
    "RENAME hash moved",
    "COPY list copied",
    "EXPIRE string 5000",
    "PERSIST volatile",
    "DEL volatile",
    "SORT numbers STORE sorted",
    "XADD stream * f v",
    "XTRIM longstream MAXLEN 5",
    "XDEL longstream 3-1",
    "XGROUP CREATE stream other 0",
    "XREADGROUP GROUP group consumer COUNT 20 STREAMS longstream >",
    "XACK longstream group 1-1 2-1",
    "XGROUP DESTROY longstream group",
    "SETBIT bits 100 1",
    "BITOP NOT bits long",
    "PFADD hll new",
    "PFMERGE merged hll",
    "GEOADD places 13.4 38.1 new",
    "GEOSEARCHSTORE near places FROMLONLAT 13 38 BYRADIUS 500 km",
    "HPEXPIRE hash 5000 FIELDS 1 f1",
    "HPERSIST timed FIELDS 1 f1",
    "HSET timed f2 new",
    "LMOVE list longlist LEFT RIGHT",
    "SELECT 3",
    "MSET a 1 b 2 c 3",
    "FLUSHDB",
    "SWAPDB 0 3",
];

#[test]
fn what_is_rolled_back_leaves_no_trace() {
    const TRANSACTIONS: usize = 150;
    let server = Server::start(WORKERS);
    let mut client = server.client();
    let many = |make: &dyn Fn(usize) -> String| (0..1_000).map(make).collect::<Vec<_>>().join(" ");
    for line in [
        "SET string value".to_owned(),
        format!("SET long {}", "x".repeat(200_000)),
        "SET counter 41".to_owned(),
        "SET volatile v PX 100000000".to_owned(),
        "RPUSH list 1 2 3".to_owned(),
        format!("RPUSH longlist {}", many(&|i| format!("e{i}"))),
        "HSET hash f1 v1 f2 v2".to_owned(),
        format!("HSET longhash {}", many(&|i| format!("f{i} v{i}"))),
        "SADD set m1 m2".to_owned(),
        format!("SADD longset {}", many(&|i| format!("m{i}"))),
        "SADD numbers 3 1 2".to_owned(),
        "ZADD zset 1 a 2 b".to_owned(),
        format!("ZADD longzset {}", many(&|i| format!("{i} m{i}"))),
        "XADD stream 1-1 f v".to_owned(),
        "XGROUP CREATE longstream group 0 MKSTREAM".to_owned(),
        "SETBIT bits 3 1".to_owned(),
        "PFADD hll a b c".to_owned(),
        "GEOADD places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania".to_owned(),
        "HSET timed f1 v1 f2 v2 f3 v3".to_owned(),
        "HPEXPIRE timed 100000000 FIELDS 2 f1 f2".to_owned(),
    ] {
        assert!(!client.ask(&line).starts_with('-'), "{line:.60}");
    }
    for id in 1..1_000 {
        client.ask(&format!("XADD longstream {id}-1 field value{id}"));
    }
    client.ask("XREADGROUP GROUP group consumer COUNT 10 STREAMS longstream >");
    client.ask("SELECT 3");
    client.ask("SET elsewhere here");
    client.ask("SELECT 0");
    let before = (client.ask("DEBUG DIGEST"), client.ask("PTTL volatile"));
    // What the digest leaves out.
    let groups = client.ask("XINFO GROUPS longstream");
    let pending = client.ask("XPENDING longstream group");
    thread::scope(|scope| {
        for seed in 0..4 {
            let mut client = server.client();
            scope.spawn(move || {
                let mut rng = Rng::new(seed + 10);
                for _ in 0..TRANSACTIONS {
                    let mut lines: Vec<String> = (0..1 + rng.below(8))
                        .map(|_| CHANGES[rng.below(CHANGES.len() as u64) as usize].to_owned())
                        .collect();
                    // Each of these fails whatever the others have made of the keys.
                    let failure = [
                        "LPUSH planted x",
                        "EXPIRE planted x",
                        "SETRANGE planted -1 x",
                    ];
                    let planted = failure[rng.below(3) as usize];
                    let place = rng.below(lines.len() as u64 + 1) as usize;
                    let planted = [format!("SET planted {place}"), planted.to_owned()];
                    lines.splice(place..place, planted);
                    let reply = transaction(&mut client, &lines, "EXEC RB");
                    assert!(
                        reply.starts_with("-EXECABORT Transaction rolled back: "),
                        "{lines:?}: {reply}"
                    );
                }
            });
        }
    });
    let left = |ttl: &str| ttl.parse::<i64>().expect("milliseconds");
    assert_eq!(client.ask("DEBUG DIGEST"), before.0);
    assert_eq!(client.ask("XINFO GROUPS longstream"), groups);
    assert_eq!(client.ask("XPENDING longstream group"), pending);
    assert!(left(&client.ask("PTTL volatile")) > left(&before.1) - 60_000);
    assert_eq!(client.ask("EXISTS planted a sorted copied moved"), "0");
    // What does not fail stays.
    let lines = ["SET string other".to_owned(), "LPUSH list x".to_owned()];
    assert_eq!(transaction(&mut client, &lines, "EXEC RB"), "[OK 4]");
    assert_ne!(client.ask("DEBUG DIGEST"), before.0);
}

#[test]
fn every_element_is_popped_once_and_in_order() {
    const KEYS: usize = 3;
    const POPPERS: usize = 100;
    const PUSHES: usize = 2_000;
    let server = Server::start(WORKERS);
    let popped: Mutex<HashMap<String, usize>> = Mutex::default();
    thread::scope(|scope| {
        for number in 0..POPPERS {
            let (mut client, popped) = (server.client(), &popped);
            scope.spawn(move || {
                let mut last = [-1i64; KEYS];
                // Each in another order of keys.
                let keys: Vec<String> = (0..KEYS)
                    .map(|i| format!("queue:{}", (i + number) % KEYS))
                    .collect();
                let request = format!("BLPOP {} end 0", keys.join(" "));
                loop {
                    let reply = client.ask(&request);
                    let reply = reply.trim_matches(['[', ']']);
                    let (key, element) = reply.split_once(' ').expect("key and element");
                    if key == "end" {
                        break;
                    }
                    let key: usize = key["queue:".len()..].parse().expect("a number");
                    let n: i64 = element.parse().expect("a number");
                    assert!(n > last[key], "queue:{key}: {n} after {}", last[key]);
                    last[key] = n;
                    let name = format!("{key} {n}");
                    *popped.lock().unwrap().entry(name).or_default() += 1;
                }
            });
        }
        let pushers: Vec<_> = (0..KEYS)
            .map(|key| {
                let mut client = server.client();
                scope.spawn(move || {
                    let (mut rng, mut next) = (Rng::new(key as u64 + 77), 0);
                    while next < PUSHES {
                        let count = (1 + rng.below(3) as usize).min(PUSHES - next);
                        let elements: Vec<String> =
                            (next..next + count).map(|n| n.to_string()).collect();
                        next += count;
                        let line = format!("RPUSH queue:{key} {}", elements.join(" "));
                        if rng.below(2) == 0 {
                            assert!(!client.ask(&line).starts_with('-'));
                        } else {
                            let reply = transaction(&mut client, &[line], "EXEC");
                            assert!(reply.starts_with('['), "{reply}");
                        }
                    }
                })
            })
            .collect();
        pushers
            .into_iter()
            .for_each(|p| p.join().expect("no panic"));
        let mut client = server.client();
        wait_for("all elements to be popped", || {
            client.ask("EXISTS queue:0 queue:1 queue:2") == "0"
        });
        let ends = "x ".repeat(POPPERS);
        client.ask(&format!("RPUSH end {}", ends.trim_end()));
    });
    let popped = popped.into_inner().unwrap();
    assert_eq!(popped.len(), KEYS * PUSHES);
    assert!(popped.values().all(|&times| times == 1));
    let clients = server.client().ask("INFO clients");
    assert!(clients.contains("blocked_clients:0"), "{clients}");
}

#[test]
fn who_pushes_sees_what_was_served() {
    let server = Server::start(WORKERS);
    let (mut pusher, mut other) = (server.client(), server.client());
    // On all workers.
    let mut waiting: Vec<Client> = (0..8).map(|_| server.client()).collect();
    for round in 0..50 {
        for (i, client) in waiting.iter_mut().enumerate() {
            client
                .send(&["BLMOVE", "from", "to", "LEFT", "RIGHT", "0"])
                .expect("sent");
            let count = format!("blocked_clients:{}\r", i + 1);
            wait_for("it to be blocked", || {
                other.ask("INFO clients").contains(&count)
            });
        }
        let elements: Vec<String> = (0..8).map(|i| format!("{round}.{i}")).collect();
        let request = format!("RPUSH from {}", elements.join(" "));
        assert_eq!(pusher.ask(&request), "8");
        assert_eq!(
            pusher.ask("LRANGE to 0 -1"),
            format!("[{}]", elements.join(" ")),
            "first come, first served, before the push is answered"
        );
        assert_eq!(other.ask("LLEN from"), "0");
        for (client, element) in waiting.iter_mut().zip(&elements) {
            assert_eq!(&client.reply().expect("served"), element);
        }
        pusher.ask("DEL to");
    }
}

#[test]
fn who_is_gone_leaves_its_element_to_the_next() {
    let server = Server::start(WORKERS);
    let mut client = server.client();
    for round in 0..300 {
        let mut gone = server.client();
        gone.send(&["BLPOP", "k", "0"]).expect("sent");
        let mut next = server.client();
        next.send(&["BLPOP", "k", "other", "0"]).expect("sent");
        wait_for("both to be blocked", || {
            client.ask("INFO clients").contains("blocked_clients:2")
        });
        // At the same moment.
        drop(gone);
        client.ask("RPUSH k a b");
        assert_eq!(next.reply().expect("served").get(..3), Some("[k "));
        wait_for("nobody to be blocked", || {
            client.ask("INFO clients").contains("blocked_clients:0")
        });
        // One of both elements may have gone to the client that was going.
        let left = client.ask("LLEN k");
        assert!(left == "0" || left == "1", "round {round}: {left}");
        client.ask("DEL k");
    }
}

#[test]
fn timeouts_and_unblocking() {
    let server = Server::start(WORKERS);
    let (mut client, mut waiting) = (server.client(), server.client());
    assert_eq!(waiting.ask("BLPOP k 0.01"), "nil");
    assert_eq!(waiting.ask("BZPOPMIN k 0.01"), "nil");
    assert_eq!(waiting.ask("WAIT 1 10"), "0");
    let id = waiting.ask("CLIENT ID");
    for (how, answer) in [
        ("TIMEOUT", "nil"),
        ("ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        waiting.send(&["BLPOP", "k", "0"]).expect("sent");
        wait_for("it to be blocked", || {
            client.ask("INFO clients").contains("blocked_clients:1")
        });
        assert!(client.ask("CLIENT LIST").contains(" flags=b "));
        assert!(
            client
                .ask("INFO clients")
                .contains("total_blocking_keys:1\r")
        );
        assert_eq!(client.ask(&format!("CLIENT UNBLOCK {id} {how}")), "1");
        assert_eq!(waiting.reply().expect("unblocked"), answer);
        assert_eq!(client.ask(&format!("CLIENT UNBLOCK {id}")), "0");
    }
    // It waits for nothing any more, and what comes stays.
    assert_eq!(client.ask("RPUSH k a"), "1");
    assert_eq!(waiting.ask("LLEN k"), "1");
}

#[test]
fn who_waits_does_not_delay_the_end() {
    let mut server = Server::start(WORKERS);
    let mut waiting: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for client in &mut waiting {
        client.send(&["BLPOP", "k", "0"]).expect("sent");
    }
    let mut client = server.client();
    wait_for("all to be blocked", || {
        client.ask("INFO clients").contains("blocked_clients:4")
    });
    let since = std::time::Instant::now();
    let _ = client.try_ask(&["SHUTDOWN", "NOSAVE"]);
    assert!(server.wait().success());
    // Those who are served get up to ten seconds.
    assert!(since.elapsed().as_secs() < 8, "{:?}", since.elapsed());
}

#[test]
fn who_writes_all_before_reading_gets_every_reply() {
    const COMMANDS: usize = 300_000;
    let server = Server::start(WORKERS);
    let mut client = server.client();
    assert_eq!(client.ask(&format!("SET k {}", "v".repeat(40))), "OK");
    // 13 MB of replies: more than both ends' sockets hold.
    for _ in 0..COMMANDS {
        client
            .send(&["GET", "k"])
            .expect("the server goes on reading");
    }
    for _ in 0..COMMANDS {
        assert_eq!(client.reply().expect("a reply").len(), 40);
    }
}
