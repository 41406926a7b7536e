//! What one client does to others, on whichever worker they are: killing, pausing, limits, monitoring.

#![allow(clippy::disallowed_methods)]

mod world;

use dunlin_reactor::backend::memory::Client;
use dunlin_resp::reply;
use dunlin_store::stripes::{LockSet, ReadyList, Waiter, Wake};
use std::sync::Arc;

use world::{ADDRESS, World};

/// Turns after which something hangs.
const STEPS_MAX: usize = 100_000;

/// What a connection takes in each direction before it is read.
const SOCKET_BYTES: usize = 1_000;

/// A server and its clients.
struct Scene {
    world: World,
    clients: Vec<Client>,
}

impl Scene {
    /// So many clients, in turn on one worker and the other.
    fn new(clients: usize, options: &[&str]) -> Scene {
        let mut scene = Scene {
            world: World::new(1, options),
            clients: Vec::new(),
        };
        scene.world.network.set_splitting(false);
        scene.world.network.set_capacity_bytes(SOCKET_BYTES);
        (0..clients).for_each(|_| scene.join());
        scene
    }

    fn join(&mut self) {
        let address = ADDRESS.parse().expect("an address");
        let client = self.world.network.connect(address);
        self.clients.push(client.expect("the server listens"));
        self.settle();
    }

    /// Lets the server run until it has nothing to do.
    fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            let stepped = [0, 1, 2, 3].map(|part| self.world.step(part));
            if !stepped.contains(&true) {
                return;
            }
        }
        panic!("the server does not come to rest");
    }

    fn send(&mut self, client: usize, commands: &[&str]) {
        let mut bytes = Vec::new();
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            reply::request(&mut bytes, &words);
        }
        self.send_bytes(client, &bytes);
    }

    fn send_bytes(&mut self, client: usize, bytes: &[u8]) {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.clients[client].write(&bytes[sent..]) {
                Ok(n) => sent += n,
                Err(_) => return,
            }
            self.settle();
        }
    }

    /// What has arrived, and whether the server closed the connection behind it.
    fn receive(&mut self, client: usize) -> (String, bool) {
        let mut bytes = Vec::new();
        loop {
            self.settle();
            let closed = match self.clients[client].read(&mut bytes, usize::MAX) {
                Ok(None) => false,
                Ok(Some(0)) | Err(_) => true,
                Ok(Some(_)) => continue,
            };
            return (String::from_utf8_lossy(&bytes).into_owned(), closed);
        }
    }

    /// The replies of commands that are answered at once.
    fn ask(&mut self, client: usize, commands: &[&str]) -> String {
        self.send(client, commands);
        let (text, closed) = self.receive(client);
        assert!(!closed, "closed behind {text:?}");
        text
    }

    fn id(&mut self, client: usize) -> String {
        let reply = self.ask(client, &["CLIENT ID"]);
        reply.trim_matches([':', '\r', '\n']).to_owned()
    }

    fn advance_ms(&mut self, ms: u64) {
        self.world.network.advance_ms(ms);
        self.settle();
    }
}

const OK: &str = "+OK\r\n";

#[test]
fn clients_of_both_workers_are_listed_and_killed() {
    let mut scene = Scene::new(4, &[]);
    let per_worker: Vec<usize> = (0..2)
        .map(|w| scene.world.loops[w].remote().load())
        .collect();
    assert_eq!(per_worker, [2, 2]);
    let ids: Vec<String> = (0..4).map(|c| scene.id(c)).collect();
    let list = scene.ask(0, &["CLIENT LIST"]);
    for id in &ids {
        assert!(list.contains(&format!("id={id} ")), "{list} lacks {id}");
    }
    for victim in [1, 2] {
        // What the victim sends in the same moment is not executed.
        let kill = format!("CLIENT KILL ID {}", ids[victim]);
        assert_eq!(scene.ask(0, &[&kill, &kill]), ":1\r\n:0\r\n");
        scene.send(victim, &["SET late 1"]);
        assert_eq!(scene.receive(victim), (String::new(), true));
    }
    assert_eq!(scene.ask(0, &["EXISTS late"]), ":0\r\n");
    assert_eq!(scene.world.shared.open_clients(), 2);
    scene.send(0, &["CLIENT KILL SKIPME no", "SET late 1"]);
    assert_eq!(scene.receive(0), (":2\r\n".to_owned(), true));
    assert_eq!(scene.receive(3), (String::new(), true));
    scene.join();
    assert_eq!(scene.ask(4, &["EXISTS late"]), ":0\r\n");
    assert_eq!(scene.world.shared.client_bytes(), {
        let all = scene.world.shared.clients.all();
        all.iter().map(|c| c.memory()).sum::<u64>()
    });
}

#[test]
fn messages_wait_for_the_end_of_a_pause() {
    let mut scene = Scene::new(3, &[]);
    scene.ask(1, &["SUBSCRIBE c"]);
    assert_eq!(scene.ask(0, &["CLIENT PAUSE 1000 WRITE"]), OK);
    for publish in ["PUBLISH c m", "SPUBLISH c m"] {
        scene.send(2, &[publish]);
        assert_eq!(scene.receive(2), (String::new(), false), "{publish}");
        assert_eq!(scene.ask(0, &["CLIENT UNPAUSE"]), OK);
        let receivers = usize::from(publish.starts_with('P'));
        assert_eq!(scene.receive(2).0, format!(":{receivers}\r\n"));
        assert_eq!(scene.ask(0, &["CLIENT PAUSE 1000 WRITE"]), OK);
    }
    assert!(scene.receive(1).0.ends_with("$1\r\nm\r\n"));
}

#[test]
fn who_reads_only_when_all_is_sent_is_served() {
    /// Replies of more than holds a client back.
    const COMMANDS: usize = 300;
    let mut scene = Scene::new(2, &[]);
    assert_eq!(scene.ask(0, &["SETRANGE k 999999 v"]), ":1000000\r\n");
    let mut request = Vec::new();
    reply::request(&mut request, &["GET", "k"]);
    let requests = request.repeat(COMMANDS);
    // The connection takes less than the requests in each direction, so that the server has to read to the end.
    let (mut sent, mut rests) = (0, 0);
    while sent < requests.len() {
        match scene.clients[1].write(&requests[sent..]) {
            Ok(0) => {
                rests += 1;
                assert!(rests < 1_000, "{sent} bytes were read, and no more");
                scene.advance_ms(60);
            }
            Ok(n) => sent += n,
            Err(error) => panic!("closed after {sent} bytes: {error}"),
        }
        scene.settle();
    }
    assert!(rests > 0, "it was not held back");
    // What is left of its input is executed without its reading, too.
    for _ in 0..COMMANDS {
        scene.advance_ms(60);
    }
    let stats = scene.ask(0, &["INFO stats"]);
    let hits = format!("keyspace_hits:{COMMANDS}\r\n");
    assert!(stats.contains(&hits), "{stats}");
}

#[test]
fn a_browser_is_not_served() {
    for request in [
        "POST / HTTP/1.1\r\nX: y\r\n\r\nSET k v\r\n",
        "GET k\r\nHost: localhost\r\nSET k v\r\n",
        "*1\r\n$4\r\npost\r\nSET k v\r\n",
    ] {
        let mut scene = Scene::new(2, &[]);
        scene.send_bytes(1, request.as_bytes());
        let (_, closed) = scene.receive(1);
        assert!(closed, "{request}");
        assert_eq!(scene.ask(0, &["EXISTS k"]), ":0\r\n", "{request}");
        assert_eq!(scene.world.shared.open_clients(), 1);
    }
}

#[test]
fn a_client_that_is_away_can_be_killed() {
    let mut scene = Scene::new(2, &["--enable-debug-command", "yes"]);
    let id = scene.id(1);
    let bytes = b"*3\r\n$5\r\nDEBUG\r\n$5\r\nSLEEP\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n";
    scene.clients[1].write(bytes).expect("open");
    (0..20).for_each(|i| {
        scene.world.step(i % 2);
    });
    assert_eq!(scene.receive_without_auxiliary(1), "", "it sleeps");
    scene.send_without_auxiliary(0, &["CLIENT LIST", &format!("CLIENT KILL ID {id}")]);
    let (replies, _) = scene.receive(0);
    assert!(replies.contains(&format!("id={id} ")), "{replies}");
    assert!(replies.ends_with(":1\r\n"), "{replies}");
    assert_eq!(scene.receive(1), (String::new(), true));
    assert_eq!(scene.ask(0, &["PING"]), "+PONG\r\n");
}

impl Scene {
    fn send_without_auxiliary(&mut self, client: usize, commands: &[&str]) {
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            let mut bytes = Vec::new();
            reply::request(&mut bytes, &words);
            self.clients[client].write(&bytes).expect("open");
        }
        (0..40).for_each(|i| {
            self.world.step(i % 2);
        });
    }

    fn receive_without_auxiliary(&mut self, client: usize) -> String {
        let mut bytes = Vec::new();
        let _ = self.clients[client].read(&mut bytes, usize::MAX);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[test]
fn writes_wait_for_the_end_of_a_pause_in_order() {
    let mut scene = Scene::new(4, &[]);
    assert_eq!(
        scene.ask(0, &["CLIENT PAUSE 100 WRITE", "GET k"]),
        format!("{OK}$-1\r\n")
    );
    scene.send(1, &["GET k", "APPEND k a", "GET k"]);
    scene.send(2, &["MULTI", "GET k", "EXEC", "MULTI", "SET other 1"]);
    scene.send(3, &["SET k", "NOSUCH"]);
    assert_eq!(
        scene.receive(1).0,
        "$-1\r\n",
        "reads go on until a write comes"
    );
    assert_eq!(scene.receive(2).0, "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n+OK\r\n");
    assert_eq!(
        scene.receive(3).0.matches("-ERR").count(),
        2,
        "refusals don't wait"
    );
    assert_eq!(scene.world.shared.blocked_clients(), 2);
    scene.advance_ms(99);
    assert_eq!(scene.receive(1).0, "");
    scene.advance_ms(1);
    assert_eq!(scene.receive(1).0, ":1\r\n$1\r\na\r\n");
    assert_eq!(scene.receive(2).0, "+QUEUED\r\n");
    assert_eq!(scene.world.shared.blocked_clients(), 0);
    // The EXEC of a write waits as a write does.
    scene.ask(0, &["CLIENT PAUSE 100000 WRITE"]);
    scene.send(2, &["EXEC"]);
    assert_eq!(scene.receive(2).0, "");
    assert_eq!(
        scene.ask(0, &["CLIENT UNPAUSE", "EXISTS other"]),
        format!("{OK}:0\r\n")
    );
    assert_eq!(scene.receive(2).0, "*1\r\n+OK\r\n");
    // That of scripts which say that they don't write does not.
    scene.ask(0, &["CLIENT PAUSE 100000 WRITE"]);
    scene.send(2, &["MULTI"]);
    scene.send_bytes(2, b"EVAL \"#!lua flags=no-writes\\nreturn 7\" 0\r\n");
    scene.send(2, &["EXEC"]);
    assert_eq!(scene.receive(2).0, "+OK\r\n+QUEUED\r\n*1\r\n:7\r\n");
    scene.send(2, &["MULTI"]);
    scene.send_bytes(2, b"EVAL \"return 8\" 0\r\n");
    assert_eq!(scene.receive(2).0, "+OK\r\n");
    scene.ask(0, &["CLIENT UNPAUSE"]);
    assert_eq!(scene.receive(2).0, "+QUEUED\r\n");
}

#[test]
fn a_pause_of_all_holds_reads_too_and_outlasts_shorter_ones() {
    let mut scene = Scene::new(2, &[]);
    scene.send(0, &["CLIENT PAUSE 50", "PING"]);
    assert_eq!(scene.receive(0).0, OK);
    scene.send(1, &["PING"]);
    assert_eq!(scene.receive(1).0, "");
    scene.advance_ms(50);
    assert_eq!(scene.receive(0).0, "+PONG\r\n");
    assert_eq!(scene.receive(1).0, "+PONG\r\n");
    // Who goes away meanwhile leaves nothing behind.
    scene.ask(0, &["CLIENT PAUSE 1000 WRITE"]);
    scene.send(1, &["SET gone 1"]);
    assert_eq!(scene.world.shared.blocked_clients(), 1);
    scene.clients.remove(1);
    scene.settle();
    assert_eq!(scene.world.shared.blocked_clients(), 0);
    assert_eq!(
        scene.ask(0, &["CLIENT UNPAUSE", "EXISTS gone"]),
        format!("{OK}:0\r\n")
    );
}

#[test]
fn nothing_expires_during_a_pause() {
    let mut scene = Scene::new(1, &[]);
    scene.ask(
        0,
        &["SET a 1 PX 10", "SET b 1 PX 10", "CLIENT PAUSE 100 WRITE"],
    );
    scene.advance_ms(50);
    assert_eq!(scene.ask(0, &["GET a", "DBSIZE"]), "$-1\r\n:2\r\n");
    scene.advance_ms(60);
    assert_eq!(scene.ask(0, &["DBSIZE"]), ":0\r\n");
}

#[test]
fn a_client_over_a_limit_of_output_is_closed() {
    let limits = ["--client-output-buffer-limit", "normal 100000 50000 2"];
    let mut scene = Scene::new(4, &limits);
    let long = "x".repeat(60_000);
    assert_eq!(scene.ask(0, &[&format!("SET k {long}")]), OK);
    // The hard limit: nothing of the reply is sent.
    scene.send(1, &["GET k", "GET k", "SET executed 1"]);
    assert_eq!(scene.receive(1), (String::new(), true));
    // The soft limit: closed two seconds later, though nothing happens meanwhile.
    scene.send(2, &["GET k"]);
    scene.advance_ms(1_500);
    assert_eq!(scene.world.shared.open_clients(), 3);
    (0..6).for_each(|_| scene.advance_ms(200));
    assert_eq!(scene.world.shared.open_clients(), 2);
    // Who reads in time is not.
    scene.send(3, &["GET k"]);
    scene.advance_ms(1_500);
    assert_eq!(scene.receive(3).0.len(), 60_010);
    (0..6).for_each(|_| scene.advance_ms(200));
    assert_eq!(scene.ask(3, &["EXISTS executed"]), ":1\r\n");
    let totals = scene.world.shared.totals();
    assert_eq!(
        (totals.output_limit_closed, totals.query_limit_closed),
        (2, 0)
    );
}

#[test]
fn a_client_closed_while_it_waits_gives_its_stripe_up() {
    struct NoOne;
    impl Wake for NoOne {
        fn wake(&self) {}
    }
    let limits = ["--client-output-buffer-limit", "normal 0 50000 1"];
    let mut scene = Scene::new(2, &limits);
    let long = "x".repeat(60_000);
    assert_eq!(scene.ask(0, &[&format!("SET long {long}")]), OK);
    let shared = Arc::clone(&scene.world.shared);
    let store = &shared.engine.store;
    let stripe = |key: &[u8]| store.stripe_of(store.hasher().hash(key)) as u16;
    assert_ne!(stripe(b"long"), stripe(b"waited-for"));
    let somebody = Waiter::new(ReadyList::new(NoOne), 0);
    let held = store
        .lock_stripes(&LockSet::One(stripe(b"waited-for")), &somebody)
        .expect("nobody else has it");
    scene.send(1, &["GET long", "SET waited-for 1"]);
    (0..12).for_each(|_| scene.advance_ms(200));
    assert_eq!(shared.totals().output_limit_closed, 1);
    store.release_stripes(held);
    assert_eq!(scene.ask(0, &["SET waited-for 2"]), OK);
}

#[test]
fn the_greediest_clients_are_closed_first() {
    let mut scene = Scene::new(4, &["--maxmemory-clients", "1mb"]);
    scene.ask(3, &["CLIENT NO-EVICT on"]);
    let half = |n: usize| [format!("*1\r\n${n}\r\n").as_bytes(), &vec![b'v'; n - 10]].concat();
    scene.send_bytes(0, &half(100_000));
    scene.send_bytes(1, &half(200_000));
    scene.send_bytes(3, &half(400_000));
    assert_eq!(scene.world.shared.open_clients(), 4);
    scene.send_bytes(2, &half(500_000));
    assert_eq!(scene.receive(2), (String::new(), true));
    assert_eq!(scene.world.shared.open_clients(), 3);
    // Lowering the limit acts at once.
    scene.join();
    assert_eq!(scene.ask(4, &["CONFIG SET maxmemory-clients 550000"]), OK);
    assert_eq!(scene.receive(1), (String::new(), true));
    assert_eq!(scene.receive(0), (String::new(), false));
    assert_eq!(scene.receive(3), (String::new(), false));
    assert_eq!(scene.world.shared.totals().evicted_clients, 2);
}

#[test]
fn too_long_a_request_closes() {
    let mut scene = Scene::new(2, &["--client-query-buffer-limit", "1mb"]);
    let bytes = [b"*1\r\n$3000000\r\n", &[b'v'; 2_000_000][..]].concat();
    scene.send_bytes(0, &bytes);
    assert_eq!(scene.receive(0), (String::new(), true));
    assert_eq!(scene.world.shared.totals().query_limit_closed, 1);
}

#[test]
fn replies_that_are_not_wanted_are_not_sent() {
    let mut scene = Scene::new(1, &["--enable-debug-command", "yes"]);
    let replies = scene.ask(
        0,
        &[
            "CLIENT REPLY SKIP",
            "SET k 1",
            "INCR k",
            "CLIENT REPLY SKIP",
            "CLIENT REPLY SKIP",
            "INCR k",
            "INCR k",
            "CLIENT REPLY OFF",
            "INCR k",
            "NOSUCH",
            "CLIENT REPLY SKIP",
            "INCR k",
            "INCR k",
            "CLIENT REPLY ON",
            "GET k",
        ],
    );
    assert_eq!(replies, ":2\r\n:4\r\n+OK\r\n$1\r\n7\r\n");
    // Nor those of commands that run elsewhere, or in steps.
    let replies = scene.ask(
        0,
        &[
            "PING",
            "CLIENT REPLY SKIP",
            "DEBUG SLEEP 0",
            "PING",
            "CLIENT REPLY SKIP",
            "KEYS *",
            "PING",
        ],
    );
    assert_eq!(replies, "+PONG\r\n+PONG\r\n+PONG\r\n");
}

#[test]
fn monitors_see_what_runs_on_both_workers() {
    let mut scene = Scene::new(3, &[]);
    assert_eq!(scene.ask(0, &["MONITOR"]), OK);
    scene.send(
        1,
        &[
            "SET k \"v\"",
            "SET k",
            "NOSUCH",
            "CONFIG GET save",
            "AUTH secret",
        ],
    );
    scene.send(
        2,
        &["SELECT 3", "CLIENT REPLY OFF", "MULTI", "INCR n", "EXEC"],
    );
    let (lines, closed) = scene.receive(0);
    let shown: Vec<String> = lines
        .lines()
        .map(|line| {
            let (time, rest) = line.split_once(' ').expect("a time");
            assert!(
                time.starts_with('+') && time.split_once('.').is_some_and(|(_, us)| us.len() == 6)
            );
            let (address, command) = rest.split_once("] ").expect("an address");
            format!("{} {command}", &address[..2])
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"[0 "SET" "k" "\"v\"""#,
            r#"[0 "AUTH" "(redacted)""#,
            r#"[3 "SELECT" "3""#,
            r#"[3 "CLIENT" "REPLY" "OFF""#,
            r#"[3 "MULTI""#,
            r#"[3 "INCR" "n""#,
            r#"[3 "EXEC""#,
        ]
    );
    assert!(!closed);
    assert!(scene.ask(1, &["CLIENT LIST"]).contains(" flags=O "));
    let own = scene.ask(0, &["RESET"]);
    assert!(own.contains("+RESET\r\n"), "{own}");
    scene.ask(1, &["PING"]);
    assert_eq!(scene.receive(0).0, "");
    assert!(scene.world.shared.clients.monitors.is_empty());
    assert_eq!(
        scene.ask(1, &["MULTI", "MONITOR", "EXEC"]),
        "+OK\r\n+QUEUED\r\n*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n"
    );
}

#[test]
fn a_slow_monitor_is_closed_and_delays_nobody() {
    let limits = ["--client-output-buffer-limit", "normal 100000 0 0"];
    let mut scene = Scene::new(2, &limits);
    assert_eq!(scene.ask(0, &["MONITOR"]), OK);
    let command = format!("SET k {}", "x".repeat(900));
    for _ in 0..200 {
        assert_eq!(scene.ask(1, &[&command]), OK);
    }
    assert!(scene.receive(0).1, "closed");
    assert!(scene.world.shared.clients.monitors.is_empty());
}

#[test]
fn subscribers_are_a_class_of_their_own() {
    let mut scene = Scene::new(3, &["--timeout", "2"]);
    scene.ask(1, &["SUBSCRIBE a b", "PSUBSCRIBE c*", "SSUBSCRIBE s"]);
    let list = scene.ask(0, &["CLIENT LIST TYPE pubsub"]);
    assert_eq!(list.matches("id=").count(), 1, "{list}");
    assert!(list.contains(" flags=P "), "{list}");
    assert!(list.contains(" sub=2 psub=1 ssub=1 "), "{list}");
    let info = scene.ask(0, &["INFO"]);
    for field in [
        "pubsub_clients:1\r\n",
        "pubsub_channels:2\r\n",
        "pubsub_patterns:1\r\n",
        "pubsubshard_channels:1\r\n",
    ] {
        assert!(info.contains(field), "{field}");
    }
    // `timeout` closes who says nothing, but not who listens.
    for _ in 0..8 {
        scene.advance_ms(500);
        scene.ask(0, &["PING"]);
    }
    assert_eq!(scene.receive(2), (String::new(), true));
    assert_eq!(scene.ask(0, &["PUBLISH a x"]), ":1\r\n");
    let message = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
    assert_eq!(scene.receive(1), (message.to_owned(), false));
    assert_eq!(scene.ask(0, &["CLIENT KILL TYPE pubsub"]), ":1\r\n");
    assert_eq!(scene.receive(1), (String::new(), true));
    assert_eq!(scene.ask(0, &["PUBLISH a x"]), ":0\r\n");
    assert!(scene.ask(0, &["INFO"]).contains("pubsub_clients:0\r\n"));
}

#[test]
fn subscribers_have_limits_of_output_of_their_own() {
    let limits = ["--client-output-buffer-limit", "pubsub 100000 50000 2"];
    let mut scene = Scene::new(4, &limits);
    let long = format!("PUBLISH c {}", "x".repeat(60_000));
    (1..4).for_each(|client| drop(scene.ask(client, &["SUBSCRIBE c"])));
    assert_eq!(scene.ask(0, &[&long]), ":3\r\n");
    // One reads, the others do not.
    assert_eq!(scene.receive(2).0.len(), 60_034);
    scene.advance_ms(1_500);
    assert_eq!(scene.world.shared.open_clients(), 4);
    (0..6).for_each(|_| scene.advance_ms(200));
    assert_eq!(scene.world.shared.open_clients(), 2);
    assert_eq!(scene.ask(0, &[&long]), ":1\r\n");
    assert_eq!(scene.ask(0, &[&long]), ":1\r\n");
    assert!(scene.receive(2).1, "over the hard limit");
    // Who does not listen has none.
    let key = format!("SET k {}", "x".repeat(120_000));
    assert_eq!(scene.ask(0, &[&key]), OK);
    assert_eq!(scene.ask(0, &["GET k"]).len(), 120_011);
}

#[test]
fn confirmations_and_messages_come_whatever_client_reply_says() {
    let mut scene = Scene::new(2, &[]);
    scene.send(1, &["HELLO 3"]);
    scene.receive(1);
    scene.send(1, &["CLIENT REPLY OFF", "SUBSCRIBE a", "PING"]);
    let confirmed = ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
    assert_eq!(scene.receive(1).0, confirmed);
    assert_eq!(scene.ask(0, &["PUBLISH a x"]), ":1\r\n");
    let message = ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
    assert_eq!(scene.receive(1).0, message);
    scene.send(1, &["MULTI", "UNSUBSCRIBE", "EXEC"]);
    let confirmed = ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n";
    assert_eq!(scene.receive(1).0, confirmed);
}

#[test]
fn what_was_published_before_unsubscribing_is_delivered() {
    // The second and the fourth are on one worker.
    let mut scene = Scene::new(4, &[]);
    scene.send(1, &["HELLO 3"]);
    scene.receive(1);
    let push = |word: &str, rest: &str| {
        format!(">3\r\n${}\r\n{word}\r\n$1\r\na\r\n{rest}\r\n", word.len())
    };
    let commands = [
        "SUBSCRIBE a",
        "PUBLISH a x",
        "UNSUBSCRIBE a",
        "PUBLISH a y",
        "RESET",
    ];
    assert_eq!(
        scene.ask(1, &commands),
        [
            push("subscribe", ":1"),
            ":1\r\n".to_owned(),
            push("message", "$1\r\nx"),
            push("unsubscribe", ":0"),
            ":0\r\n+RESET\r\n".to_owned(),
        ]
        .concat()
    );
    // Who subscribes later in the same turn does not get it.
    scene.send(1, &["HELLO 3"]);
    scene.receive(1);
    assert!(scene.ask(3, &["SUBSCRIBE a"]).ends_with(":1\r\n"));
    let both = scene.ask(1, &["PUBLISH a x", "SUBSCRIBE a"]);
    assert_eq!(both, format!(":1\r\n{}", push("subscribe", ":1")));
    assert!(scene.receive(3).0.contains("message"));
}

#[test]
fn a_stop_cuts_no_reply_of_a_client_that_waits_for_a_key() {
    let mut scene = Scene::new(2, &[]);
    let long = "x".repeat(10 * SOCKET_BYTES);
    assert_eq!(scene.ask(0, &[&format!("SET k {long}")]), OK);
    scene.send(1, &["GET k", "BLPOP nothing 0"]);
    scene.clients.remove(0);
    scene.settle();
    assert_eq!(scene.world.shared.blocked_clients(), 1);
    for event_loop in &scene.world.loops {
        event_loop.remote().stop(u64::MAX);
    }
    scene.settle();
    assert_eq!(scene.world.shared.blocked_clients(), 0);
    let (reply, closed) = scene.receive(0);
    assert_eq!(reply, format!("${}\r\n{long}\r\n", long.len()));
    assert!(closed);
}
