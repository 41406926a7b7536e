//! The client against a genuine redis-server: many threads over one connection, kills in mid-flight, subscriptions.
//!
//! Invariant: every reply is the one to its own request. `DUNLIN_CLIENT_REQUESTS` (per thread) and `DUNLIN_CLIENT_KILLS` make it
//! longer than in CI.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{Genuine, block_on, setting, wait_for};
use dunlin_client::{Client, Error, Protocol};

#[test]
fn threads_share_one_connection_and_get_their_own_replies() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let requests = setting("DUNLIN_CLIENT_REQUESTS", 300);
    let client = Client::connect(genuine.options()).unwrap();
    let threads: Vec<_> = (0..32)
        .map(|id| {
            let client = client.clone();
            thread::spawn(move || {
                for n in 0..requests {
                    let word = format!("{id}:{n}");
                    let reply: String = client.command("ECHO").arg(&word).call().unwrap();
                    assert_eq!(reply, word);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    // What was answered is counted at the end of the loop's turn.
    wait_for("the end of the turn", || client.in_flight() == 0);
    assert_eq!(client.stats().connections, 1);
}

#[test]
fn killed_in_mid_flight_nothing_is_mixed_up() {
    let Some(mut genuine) = Genuine::start(&[]) else {
        return;
    };
    let kills = setting("DUNLIN_CLIENT_KILLS", 5);
    let client = Client::connect(genuine.options().deadline(Duration::from_secs(10))).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..16)
        .map(|id| {
            let (client, stop, answered) = (client.clone(), stop.clone(), answered.clone());
            thread::spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let word = format!("{id}:{n}");
                    match client.command("ECHO").arg(&word).call::<String>() {
                        Ok(reply) => {
                            assert_eq!(reply, word);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(Error::ConnectionReset) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for _ in 0..kills {
        let before = answered.load(Ordering::Relaxed);
        wait_for("some answers", || {
            answered.load(Ordering::Relaxed) > before + 200
        });
        genuine.restart();
    }
    let before = answered.load(Ordering::Relaxed);
    wait_for("answers behind the last kill", || {
        answered.load(Ordering::Relaxed) > before + 200
    });
    stop.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(client.stats().connections > kills as u64);
}

#[test]
fn login_name_and_database_hold_also_after_a_loss() {
    let Some(genuine) = Genuine::start(&["--requirepass", "secret"]) else {
        return;
    };
    assert!(matches!(
        Client::connect(genuine.options()),
        Err(Error::Refused { .. })
    ));
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let options = genuine.options().login(None, "secret").protocol(protocol);
        let client = Client::connect(options.name("tester").db(5)).unwrap();
        let () = client.command("SET").arg(("k", "v")).call().unwrap();
        let check = || {
            let info: String = client.command("CLIENT").arg("INFO").call().unwrap();
            assert!(
                info.contains("name=tester") && info.contains("db=5"),
                "{info}"
            );
            let dialect = if protocol == Protocol::Auto {
                "resp=3"
            } else {
                "resp=2"
            };
            assert!(info.contains(dialect), "{info}");
        };
        check();
        let id: i64 = client.command("CLIENT").arg("ID").call().unwrap();
        let kill = client
            .command("CLIENT")
            .arg(("KILL", "ID", id, "SKIPME", "no"));
        let _ = kill.call::<i64>();
        wait_for("the second connection", || client.stats().connections == 2);
        check();
        assert_eq!(
            client.command("GET").arg("k").call::<String>().unwrap(),
            "v"
        );
    }
}

#[test]
fn messages_reach_their_subscribers_and_subscriptions_come_back() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let client = Client::connect(genuine.options().protocol(protocol)).unwrap();
        let publish = |channel: &str, text: &str| -> i64 {
            client
                .command("PUBLISH")
                .arg((channel, text))
                .call()
                .unwrap()
        };
        let news = client.subscribe(["news", "sport"]).unwrap();
        let all = client.psubscribe("n*").unwrap();
        let again = client.subscribe("news").unwrap();
        assert_eq!(publish("news", "one"), 2);
        assert_eq!(news.recv().unwrap().payload, b"one");
        assert_eq!(again.recv().unwrap().payload, b"one");
        let message = block_on(all.next()).unwrap();
        assert_eq!(message.pattern.as_deref(), Some(&b"n*"[..]));
        assert_eq!(
            (message.channel, message.payload),
            (b"news".into(), b"one".into())
        );
        drop(again);
        assert_eq!(publish("news", "two"), 2);
        assert_eq!(news.recv().unwrap().payload, b"two");
        // The connections are killed, and what is subscribed to comes back by itself.
        let kill = client
            .command("CLIENT")
            .arg(("KILL", "TYPE", "pubsub", "SKIPME", "no"));
        let _ = kill.call::<i64>();
        let kill = client
            .command("CLIENT")
            .arg(("KILL", "TYPE", "normal", "SKIPME", "no"));
        let _ = kill.call::<i64>();
        wait_for("the subscriptions", || {
            let reply = client
                .command("PUBLISH")
                .arg(("sport", "three"))
                .call::<i64>();
            matches!(reply, Ok(1))
        });
        assert_eq!(news.recv().unwrap().channel, b"sport");
        drop((news, all));
        wait_for("the end of all", || {
            let channels = client.command("PUBSUB").arg("CHANNELS");
            channels.call::<Vec<String>>().unwrap().is_empty()
        });
        if protocol == Protocol::Auto {
            let shard = client.ssubscribe("s").unwrap();
            let () = client.command("SPUBLISH").arg(("s", "m")).call().unwrap();
            assert_eq!(shard.recv().unwrap().payload, b"m");
        }
        client.close();
    }
}

#[test]
fn a_slow_subscriber_loses_its_oldest_messages_and_holds_nobody_up() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let client = Client::connect(genuine.options().messages_max(10)).unwrap();
    let slow = client.subscribe("c").unwrap();
    for n in 0..100 {
        let () = client.command("PUBLISH").arg(("c", n)).call().unwrap();
    }
    assert_eq!(slow.waiting(), 10);
    assert_eq!(slow.dropped(), 90);
    assert_eq!(slow.recv().unwrap().payload, b"90");
    client.close();
    assert_eq!(slow.filter(|m| m.payload.starts_with(b"9")).count(), 9);
}

#[test]
fn a_unix_socket_does_as_well() {
    let path = std::env::temp_dir().join(format!("dunlin-client-{}.sock", std::process::id()));
    let Some(_genuine) = Genuine::start(&["--unixsocket", path.to_str().unwrap()]) else {
        return;
    };
    wait_for("the socket", || path.exists());
    let client = Client::connect(&format!("unix://{}?db=2", path.display())).unwrap();
    let () = client.command("SET").arg(("k", "v")).call().unwrap();
    assert_eq!(
        client.command("GET").arg("k").call::<String>().unwrap(),
        "v"
    );
    let _ = std::fs::remove_file(path);
}

#[test]
fn big_requests_and_replies_pass_in_both_directions_at_once() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let client = Client::connect(genuine.options()).unwrap();
    let big = "x".repeat(3 << 20);
    let replies: Vec<_> = (0..10)
        .map(|_| client.command("ECHO").arg(&big).send::<String>())
        .collect();
    for reply in replies {
        assert_eq!(reply.wait().unwrap().len(), big.len());
    }
}
