//! The pipeline client against servers that answer late, wrongly, in halves, or not at all.
//!
//! Invariant: every test ends each request with its own reply or with the error that is due, whatever the server does.

mod common;

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Fake, block_on, wait_for};
use dunlin_client::{Client, Command, Error, Limits, Options};

fn echo(client: &Client, word: &str) -> Result<String, Error> {
    client.command("ECHO").arg(word).call()
}

#[test]
fn replies_are_matched_in_order() {
    let fake = Fake::start(common::Peer::echo);
    let client = Client::connect(fake.options()).unwrap();
    let replies: Vec<_> = (0..1_000)
        .map(|n| client.command("ECHO").arg(n).send::<i64>())
        .collect();
    for (n, reply) in replies.into_iter().enumerate() {
        assert_eq!(block_on(reply).unwrap(), n as i64);
    }
}

#[test]
fn a_request_past_its_deadline_times_out_and_its_late_reply_is_dropped() {
    let fake = Fake::start(|peer| {
        while let Some(request) = peer.request() {
            if request == "ECHO late" {
                thread::sleep(Duration::from_millis(150));
            }
            peer.answer(&request);
        }
    });
    let client = Client::connect(fake.options()).unwrap();
    let late = client
        .command("ECHO")
        .arg("late")
        .deadline(Duration::from_millis(40))
        .send::<String>();
    let behind = client.command("ECHO").arg("behind").send::<String>();
    let error = late.wait().unwrap_err();
    assert_eq!(error.to_string(), "time out");
    assert!(!error.outcome_is_known());
    assert_eq!(behind.wait().unwrap(), "behind");
    assert_eq!(echo(&client, "next").unwrap(), "next");
    assert_eq!(fake.connections.load(Ordering::SeqCst), 1);
    assert_eq!(client.stats().time_outs, 1);
    wait_for("all replies", || client.in_flight() == 0);
}

#[test]
fn the_deadline_is_3_s_unless_told_otherwise() {
    let options: Options = "redis://h".parse().unwrap();
    assert_eq!(options.deadline, Duration::from_secs(3));
    assert_eq!(options.heartbeat, Duration::from_secs(1));
}

#[test]
fn an_idle_connection_sends_heartbeats() {
    let fake = Fake::start(common::Peer::echo);
    let options = fake.options().heartbeat(Duration::from_millis(20));
    let client = Client::connect(options).unwrap();
    let beats = || fake.log().iter().filter(|line| *line == "PING").count();
    wait_for("heartbeats", || beats() >= 3);
    assert_eq!(echo(&client, "x").unwrap(), "x");
    assert_eq!(fake.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_connection_that_leaves_a_heartbeat_unanswered_is_given_up() {
    let fake = Fake::start(|peer| {
        if peer.number > 0 {
            return peer.echo();
        }
        while peer.request().is_some() {}
    });
    let options = fake
        .options()
        .heartbeat(Duration::from_millis(20))
        .deadline(Duration::from_millis(60));
    let client = Client::connect(options).unwrap();
    wait_for("the second connection", || {
        fake.connections.load(Ordering::SeqCst) == 2
    });
    wait_for("an answer", || echo(&client, "x").is_ok());
    let failure = client.stats().last_failure.unwrap();
    assert!(failure.contains("heartbeat"), "{failure}");
}

#[test]
fn what_was_in_flight_fails_when_the_connection_is_lost_and_is_not_sent_again() {
    let fake = Fake::start(|peer| {
        if peer.number > 0 {
            return peer.echo();
        }
        peer.request();
        peer.request();
        peer.reset();
    });
    let client = Client::connect(fake.options()).unwrap();
    let first = client.command("ECHO").arg("one").send::<String>();
    let second = client.command("ECHO").arg("two").send::<String>();
    for lost in [first, second] {
        let error = lost.wait().unwrap_err();
        assert_eq!(error.to_string(), "connection reset; outcome unknown");
        assert!(!error.outcome_is_known());
    }
    assert_eq!(echo(&client, "three").unwrap(), "three");
    let sent = |word: &str| fake.log().iter().filter(|l| l.ends_with(word)).count();
    assert_eq!((sent("one"), sent("two"), sent("three")), (1, 1, 1));
}

#[test]
fn what_is_safe_to_repeat_is_sent_again() {
    let fake = Fake::start(|peer| {
        if peer.number >= 2 {
            return peer.echo();
        }
        peer.request();
        peer.request();
        peer.reset();
    });
    let client = Client::connect(fake.options()).unwrap();
    let plain = client.command("ECHO").arg("plain").send::<String>();
    let again = client.command("ECHO").arg("again").idempotent();
    let again = again.send::<String>();
    let third = client.command("ECHO").arg("third").idempotent();
    let third = third.send::<String>();
    assert!(matches!(plain.wait(), Err(Error::ConnectionReset)));
    assert_eq!(again.wait().unwrap(), "again");
    assert_eq!(third.wait().unwrap(), "third");
}

#[test]
fn what_was_not_written_yet_goes_out_on_the_next_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let options: Options = format!("redis://{address}").parse().unwrap();
    let client = Client::start(common::quick(options)).unwrap();
    let replies: Vec<_> = (0..100)
        .map(|n| client.command("ECHO").arg(n).send::<i64>())
        .collect();
    thread::sleep(Duration::from_millis(30));
    let listener = std::net::TcpListener::bind(address).unwrap();
    let _fake = Fake::on(listener, common::Peer::echo);
    for (n, reply) in replies.into_iter().enumerate() {
        assert_eq!(reply.wait().unwrap(), n as i64);
    }
    assert!(client.stats().failures > 0);
}

#[test]
fn requests_time_out_while_nobody_answers() {
    let client = Client::start("redis://127.0.0.1:1").unwrap();
    let reply = client.command("GET").arg("k");
    let reply = reply.deadline(Duration::from_millis(30));
    assert_eq!(reply.call::<()>().unwrap_err().to_string(), "time out");
    let refused = Client::connect("redis://127.0.0.1:1").unwrap_err();
    assert!(matches!(refused, Error::Connect { .. }), "{refused}");
}

#[test]
fn garbage_ends_the_connection_and_not_the_client() {
    for garbage in [
        "HTTP/1.1 400\r\n",
        "$5\r\nabc",
        "+OK\r\n+OK\r\n+OK\r\n",
        ":x\r\n",
    ] {
        let fake = Fake::start(move |peer| {
            if peer.number > 0 {
                return peer.echo();
            }
            peer.request();
            peer.send(garbage);
            thread::sleep(Duration::from_millis(20));
            peer.reset();
        });
        let client = Client::connect(fake.options()).unwrap();
        let first = echo(&client, "first");
        if !garbage.starts_with('+') {
            assert!(matches!(first, Err(Error::ConnectionReset)), "{garbage}");
        }
        wait_for("the second connection", || {
            fake.connections.load(Ordering::SeqCst) == 2
        });
        wait_for(
            "an answer",
            || matches!(echo(&client, "w"), Ok(w) if w == "w"),
        );
    }
}

#[test]
fn half_a_reply_and_a_reset_is_a_lost_request() {
    let fake = Fake::start(|peer| {
        if peer.number > 0 {
            return peer.echo();
        }
        peer.request();
        peer.request();
        peer.send("$3\r\none\r\n*2\r\n$3\r\ntw");
        peer.reset();
    });
    let client = Client::connect(fake.options()).unwrap();
    let one = client.command("ECHO").arg("one").send::<String>();
    let two = client.command("ECHO").arg("two").send::<String>();
    assert_eq!(one.wait().unwrap(), "one");
    assert!(matches!(two.wait(), Err(Error::ConnectionReset)));
    assert_eq!(echo(&client, "three").unwrap(), "three");
}

#[test]
fn pushes_in_between_disturb_nothing() {
    let fake = Fake::start(|peer| {
        while let Some(request) = peer.request() {
            peer.send(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
            peer.answer(&request);
            peer.send(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n>0\r\n");
        }
    });
    let client = Client::connect(fake.options()).unwrap();
    for n in 0..100 {
        assert_eq!(echo(&client, &n.to_string()).unwrap(), n.to_string());
    }
}

#[test]
fn replies_in_single_bytes_are_replies() {
    let fake = Fake::start(|peer| {
        while let Some(request) = peer.request() {
            let last = request.rsplit(' ').next().unwrap().to_owned();
            for byte in format!("${}\r\n{last}\r\n", last.len()).chars() {
                peer.send(&byte.to_string());
                thread::sleep(Duration::from_micros(200));
            }
        }
    });
    let client = Client::connect(fake.options()).unwrap();
    for word in ["a", "bc", ""] {
        assert_eq!(echo(&client, word).unwrap(), word);
    }
}

#[test]
fn a_closed_client_says_so_and_answers_what_was_under_way() {
    let fake = Fake::start(|peer| {
        while let Some(request) = peer.request() {
            thread::sleep(Duration::from_millis(5));
            peer.answer(&request);
        }
    });
    let client = Client::connect(fake.options()).unwrap();
    let replies: Vec<_> = (0..20)
        .map(|n| client.command("ECHO").arg(n).send::<i64>())
        .collect();
    client.close();
    for (n, reply) in replies.into_iter().enumerate() {
        assert_eq!(reply.wait().unwrap(), n as i64);
    }
    assert_eq!(echo(&client, "x").unwrap_err().to_string(), "client closed");
    let future = client.command("ECHO").arg("x").send::<String>();
    assert!(matches!(block_on(future), Err(Error::Closed)));
    client.close();
}

#[test]
fn closing_gives_up_at_its_deadline() {
    let fake = Fake::start(|peer| while peer.request().is_some() {});
    let client = Client::connect(fake.options()).unwrap();
    let reply = client.command("ECHO").arg("x").send::<String>();
    let since = Instant::now();
    client.close_within(Duration::from_millis(40));
    assert!(since.elapsed() < Duration::from_secs(2));
    assert!(matches!(reply.wait(), Err(Error::ConnectionReset)));
}

#[test]
fn stopping_while_others_send_hangs_nobody_and_answers_wrongly_to_nobody() {
    for round in 0..10 {
        let fake = Fake::start(common::Peer::echo);
        let client = Client::connect(fake.options()).unwrap();
        let senders: Vec<_> = (0..8)
            .map(|id| {
                let client = client.clone();
                thread::spawn(move || {
                    for n in 0.. {
                        let word = format!("{id}-{n}");
                        match echo(&client, &word) {
                            Ok(reply) => assert_eq!(reply, word),
                            Err(Error::Closed | Error::ConnectionReset) => return,
                            Err(other) => panic!("{other}"),
                        }
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(round));
        client.close();
        senders.into_iter().for_each(|t| t.join().unwrap());
    }
}

#[test]
fn who_finds_it_full_waits_or_is_told() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let fake = Fake::start(move |peer| {
        gate.lock().unwrap().recv().unwrap();
        peer.echo();
    });
    let limits = Limits {
        in_flight_max: 4,
        ..Limits::default()
    };
    let client = Client::start(fake.options().limits(limits)).unwrap();
    let accepted: Vec<_> = (0..4)
        .map(|n| client.command("ECHO").arg(n).try_send::<i64>().unwrap())
        .collect();
    let full = client.command("ECHO").arg(5).try_send::<i64>();
    assert!(matches!(full, Err(Error::Full)));
    let waits = client.command("ECHO").arg("x");
    let waits = waits.deadline(Duration::from_millis(20)).call::<String>();
    assert!(matches!(waits, Err(Error::TimeOut)));
    let future = client.command("ECHO").arg(6).send::<i64>();
    let awaiting = thread::spawn(move || block_on(future));
    let blocked = client.clone();
    let blocked = thread::spawn(move || echo(&blocked, "7"));
    thread::sleep(Duration::from_millis(20));
    assert_eq!(client.in_flight(), 4);
    go.send(()).unwrap();
    for (n, reply) in accepted.into_iter().enumerate() {
        assert_eq!(reply.wait().unwrap(), n as i64);
    }
    assert_eq!(awaiting.join().unwrap().unwrap(), 6);
    assert_eq!(blocked.join().unwrap().unwrap(), "7");
}

#[test]
fn bytes_in_flight_are_bounded_too() {
    let fake = Fake::start(|peer| while peer.request().is_some() {});
    let limits = Limits {
        in_flight_bytes_max: 10_000,
        ..Limits::default()
    };
    let client = Client::connect(fake.options().limits(limits)).unwrap();
    let big = "x".repeat(9_000);
    let _first = client.command("ECHO").arg(&big).try_send::<()>().unwrap();
    let second = client.command("ECHO").arg(&big).try_send::<()>();
    assert!(matches!(second, Err(Error::Full)));
    let _small = client.command("ECHO").arg("x").try_send::<()>().unwrap();
}

#[test]
fn a_dropped_future_disturbs_nobody() {
    let fake = Fake::start(|peer| {
        while let Some(request) = peer.request() {
            thread::sleep(Duration::from_millis(2));
            peer.answer(&request);
        }
    });
    let client = Client::connect(fake.options()).unwrap();
    for n in 0..50 {
        drop(client.command("ECHO").arg("dropped").send::<String>());
        assert_eq!(echo(&client, &n.to_string()).unwrap(), n.to_string());
    }
}

#[test]
fn everything_is_restored_before_any_request() {
    let fake = Fake::start(|peer| {
        if peer.number == 0 {
            peer.request();
            return peer.reset();
        }
        peer.echo();
    });
    let options = fake
        .options()
        .login(Some("me"), "secret")
        .name("tester")
        .db(3);
    let client = Client::connect(options).unwrap();
    assert!(echo(&client, "lost").is_err());
    assert_eq!(echo(&client, "kept").unwrap(), "kept");
    let greeting = ["HELLO 3 AUTH me secret SETNAME tester", "SELECT 3"];
    let expected = [&greeting[..], &["ECHO lost"], &greeting[..], &["ECHO kept"]].concat();
    assert_eq!(fake.log(), expected);
}

#[test]
fn a_server_without_hello_is_spoken_to_in_resp2() {
    let fake = Fake::start(|peer| {
        while let Some(words) = peer.words() {
            match words[0].as_str() {
                "HELLO" => {
                    peer.send("-ERR unknown command `HELLO`, with args beginning with: \r\n")
                }
                "AUTH" | "CLIENT" | "SELECT" => peer.send("+OK\r\n"),
                _ => peer.answer(&words.join(" ")),
            }
        }
    });
    let options = fake.options().login(None, "secret").name("n").db(1);
    let client = Client::connect(options).unwrap();
    assert_eq!(echo(&client, "x").unwrap(), "x");
}

#[test]
fn a_refused_login_is_an_error_at_once() {
    let fake = Fake::start(|peer| {
        while peer.words().is_some() {
            peer.send("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
        }
    });
    let error = Client::connect(fake.options().login(None, "wrong")).unwrap_err();
    assert!(
        matches!(&error, Error::Refused { step: "HELLO", error } if error.code() == "WRONGPASS")
    );
    assert!(!error.to_string().contains("wrong "), "{error}");
}

#[test]
fn reconnecting_backs_off() {
    let fake = Fake::start(|peer| peer.reset());
    let mut options = fake.options();
    options.retry.quick_retries = 3;
    options.retry.quick_wait_ms = 1;
    options.retry.wait_ms = 10_000;
    options.retry.wait_max_ms = 30_000;
    let _client = Client::start(options).unwrap();
    wait_for("the quick tries", || {
        fake.connections.load(Ordering::SeqCst) == 4
    });
    thread::sleep(Duration::from_millis(100));
    assert_eq!(fake.connections.load(Ordering::SeqCst), 4);
}

#[test]
fn what_would_change_the_shared_connection_is_refused() {
    let fake = Fake::start(common::Peer::echo);
    let client = Client::connect(fake.options()).unwrap();
    for command in [
        Command::new("SELECT").arg(1),
        Command::new("BLPOP").arg("k"),
    ] {
        assert!(matches!(
            client.call::<()>(command),
            Err(Error::NotShared { .. })
        ));
    }
    assert_eq!(echo(&client, "x").unwrap(), "x");
}

#[test]
fn what_was_half_written_does_not_corrupt_the_next_stream() {
    let fake = Fake::start(|peer| {
        if peer.number > 0 {
            return peer.echo();
        }
        // Takes a part of what is written, and goes.
        peer.take(100_000);
        peer.reset();
    });
    let client = Client::connect(fake.options()).unwrap();
    let big = "x".repeat(8 << 20);
    let half = client.command("ECHO").arg(&big).send::<String>();
    thread::sleep(Duration::from_millis(5));
    let behind: Vec<_> = (0..50)
        .map(|n| client.command("ECHO").arg(n).send::<i64>())
        .collect();
    assert!(matches!(half.wait(), Err(Error::ConnectionReset)));
    for (n, reply) in behind.into_iter().enumerate() {
        // Not written yet: it goes out on the next connection, from its first byte on.
        assert_eq!(reply.wait().unwrap(), n as i64);
    }
    assert_eq!(fake.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_peer_that_takes_nothing_is_given_up_and_nobody_waits_longer_than_the_deadline() {
    let fake = Fake::start(|peer| {
        if peer.number > 0 {
            return peer.echo();
        }
        peer.request();
        thread::sleep(Duration::from_secs(2));
    });
    let options = fake
        .options()
        .deadline(Duration::from_millis(100))
        .heartbeat(Duration::from_millis(50));
    let client = Client::connect(options).unwrap();
    let since = Instant::now();
    let big = "x".repeat(16 << 20);
    for round in 0..2 {
        let echoed = client.command("ECHO").arg(&big).call::<String>();
        // The second request may find the next connection made already.
        match echoed {
            Err(Error::TimeOut | Error::ConnectionReset) => {}
            Ok(text) if round == 1 => assert!(text == big),
            other => panic!("{round}: {:?}", other.map(|text| text.len())),
        }
    }
    wait_for("the next connection", || echo(&client, "x").is_ok());
    assert!(since.elapsed() < Duration::from_secs(2));
}
