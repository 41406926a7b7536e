//! `dunlin gateway` over real sockets: the wire, what is kept and what is not kept twice, bad input, limits, and the stop.

mod common;

use std::io::Write;
use std::net::Shutdown;
use std::thread::sleep;
use std::time::Duration;

use common::devices::{Device, Gateway, restart, signal};
use common::{Client, Server, wait_for};

fn stream_len(client: &mut Client) -> usize {
    client.ask("XLEN submissions").parse().unwrap()
}

fn start() -> (Server, Gateway) {
    let server = Server::start("");
    let gateway = Gateway::start(server.port, &[]);
    (server, gateway)
}

#[test]
fn the_wire_byte_for_byte() {
    let (server, gateway) = start();
    let mut device = Device::connect(gateway.port);
    let frames: &[u8] = b"\x00\x00\x00\x14\x0100000001meter-7\x00\x00\x00\x12\x0200000002hello\x00\x00\x00\x0d\x0299999999";
    let acks: &[u8] = b"\x00\x00\x00\x0e\x8100000001\x00\x00\x00\x00\x0e\x8200000002\x00\x00\x00\x00\x0e\x8299999999\x00";
    // Several packets in one write, then byte by byte, with the same IDs: stored once.
    device.stream.write_all(frames).unwrap();
    device.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(device.rest(), acks);
    let mut device = Device::connect(gateway.port);
    for byte in frames {
        device.stream.write_all(&[*byte]).unwrap();
    }
    device.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(device.rest(), acks);
    let mut client = server.client();
    assert_eq!(stream_len(&mut client), 2);
    let entries = client.ask("XRANGE submissions - +");
    assert!(
        entries.contains("[id 00000002 token meter-7 payload hello]"),
        "{entries}"
    );
    assert!(
        entries.contains("[id 99999999 token meter-7 payload ]"),
        "{entries}"
    );
}

#[test]
fn the_codes_of_the_first_server() {
    let server = Server::start("");
    let gateway = Gateway::start(server.port, &["--ack-base", "0x80"]);
    let mut device = Device::connect(gateway.port);
    let frames = b"\x00\x00\x00\x0d\x0100000001\x00\x00\x00\x0d\x0200000002";
    device.stream.write_all(frames).unwrap();
    device.stream.shutdown(Shutdown::Write).unwrap();
    let acks = b"\x00\x00\x00\x0e\x8000000001\x00\x00\x00\x00\x0e\x8100000002\x00";
    assert_eq!(device.rest(), acks);
}

#[test]
fn with_a_token_once_without_one_each_time() {
    let (server, mut gateway) = start();
    let mut client = server.client();
    // Within one batch.
    let mut device = Device::with_token(gateway.port, "a");
    let mut same = Vec::new();
    for _ in 0..3 {
        same.extend_from_slice(b"\x00\x00\x00\x0e\x0200000007x");
    }
    device.stream.write_all(&same).unwrap();
    for _ in 0..3 {
        assert_eq!(device.ack(), Some(("SubmitAck", 7, true)));
    }
    assert_eq!(stream_len(&mut client), 1);
    // Later, by another connection, by another gateway, and by this one after a restart.
    assert!(device.ask(7, "x"));
    assert!(Device::with_token(gateway.port, "a").ask(7, "x"));
    let other = Gateway::start(server.port, &["--threads", "2"]);
    assert!(Device::with_token(other.port, "a").ask(7, "x"));
    gateway.kill();
    let gateway = Gateway::start_on(gateway.port, server.port, &[]);
    assert!(Device::with_token(gateway.port, "a").ask(7, "x"));
    assert_eq!(stream_len(&mut client), 1);
    // Another ID, and another token, are other messages.
    assert!(Device::with_token(gateway.port, "a").ask(8, "x"));
    assert!(Device::with_token(gateway.port, "b").ask(7, "x"));
    assert_eq!(stream_len(&mut client), 3);
    // Without a token there is nothing to know it again by. A second Conn takes the token back.
    let mut device = Device::connect(gateway.port);
    assert!(device.ask(7, "x") && device.ask(7, "x"));
    let mut device = Device::with_token(gateway.port, "a");
    device
        .stream
        .write_all(b"\x00\x00\x00\x0d\x0100000001")
        .unwrap();
    assert_eq!(device.ack(), Some(("ConnAck", 1, true)));
    assert!(device.ask(7, "x"));
    assert_eq!(stream_len(&mut client), 6);
}

#[test]
fn the_same_messages_through_two_gateways_at_once() {
    let (server, one) = start();
    let other = Gateway::start(server.port, &["--threads", "2"]);
    const MESSAGES: u32 = 2_000;
    let devices: Vec<_> = [one.port, other.port, other.port]
        .into_iter()
        .map(|port| {
            std::thread::spawn(move || {
                let mut device = Device::with_token(port, "a");
                // Few at a time, so that they stay side by side.
                for first in (0..MESSAGES).step_by(5) {
                    (first..first + 5).for_each(|number| device.submit(number, "x"));
                    (0..5).for_each(|_| assert!(device.ack().unwrap().2));
                }
            })
        })
        .collect();
    devices
        .into_iter()
        .for_each(|device| device.join().unwrap());
    assert_eq!(stream_len(&mut server.client()), MESSAGES as usize);
}

#[test]
fn the_window_moves_on_and_ids_wrap() {
    let server = Server::start("");
    let gateway = Gateway::start(
        server.port,
        &["--token-window", "100", "--token-idle", "600"],
    );
    let mut client = server.client();
    let mut device = Device::with_token(gateway.port, "a");
    for number in (99_999_900..=99_999_999).chain(0..100) {
        assert!(device.ask(number, "x"));
    }
    assert_eq!(stream_len(&mut client), 200);
    // The last hundred are known; of those before at most as many as are cut late.
    for number in 0..100 {
        assert!(device.ask(number, "x"));
    }
    assert_eq!(stream_len(&mut client), 200);
    let key = "{submissions}:kept:a";
    let known: u64 = client.ask(&format!("ZCARD {key}")).parse().unwrap();
    assert!((100..=164).contains(&known), "{known}");
    let idle: i64 = client.ask(&format!("TTL {key}")).parse().unwrap();
    assert!((1..=600).contains(&idle), "{idle}");
    // The first ones have left the window long since: the ID has come round.
    assert!(device.ask(99_999_900, "x"));
    assert_eq!(stream_len(&mut client), 201);
}

#[test]
fn bad_input_closes_its_connection_and_no_other() {
    let server = Server::start("");
    let gateway = Gateway::start(server.port, &["--max-frame", "1000"]);
    let mut bystander = Device::with_token(gateway.port, "bystander");
    let submit_2 = b"\x00\x00\x00\x0e\x0200000002x";
    let ack_2: &[u8] = b"\x00\x00\x00\x0e\x8200000002\x00";
    let long_token = [&b"\x00\x00\x01\x0e\x0100000009"[..], &[b't'; 257]].concat();
    // What is sent, what comes back, and what the log says.
    let cases: &[(&[u8], &[u8], &str)] = &[
        (b"\x00\x00\x00\x00", b"", "a frame of 0 bytes is announced"),
        (b"\x00\x00\x00\x03", b"", "a frame of 3 bytes is announced"),
        (b"\x00\x00\x00\x04", b"", "the least is 5"),
        (
            b"\xff\xff\xff\xff",
            b"",
            "a frame of 4294967295 bytes is announced, the most is 1000",
        ),
        (b"\x80\x00\x00\x01\x02", b"", "a frame of 2147483649 bytes"),
        (
            b"\x00\x00\x03\xe9\x0200000003x",
            b"\x00\x00\x00\x0e\x8200000003\x01",
            "a frame of 1001 bytes",
        ),
        (b"\x00\x00\x00\x0d\x0300000001", b"", "unknown command 0x03"),
        (b"\x00\x00\x00\x05\x00", b"", "unknown command 0x00"),
        (b"\x00\x00\x00\x05\x02", b"", "a Submit without its ID"),
        (
            b"\x00\x00\x00\x0c\x020000000",
            b"",
            "the frame ends after 12 bytes",
        ),
        (
            b"\x00\x00\x00\x0d\x020000000x",
            b"",
            "the ID of a Submit is not eight digits: \"0000000x\"",
        ),
        (
            b"\x00\x00\x00\x0d\x01\xff\n000000",
            b"",
            "\"\\xff\\n000000\"",
        ),
        (
            b"\x00\x00\x00\x0e\x8200000001\x00",
            b"",
            "a SubmitAck, which devices do not send",
        ),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            b"",
            "a frame of 1195725856 bytes",
        ),
        (
            &long_token,
            b"\x00\x00\x00\x0e\x8100000009\x01",
            "a token of 257 bytes, the most is 256",
        ),
    ];
    for (bytes, answer, reason) in cases {
        for behind in [false, true] {
            let mut device = Device::connect(gateway.port);
            let (sent, expected) = if behind {
                ([&submit_2[..], bytes].concat(), [ack_2, answer].concat())
            } else {
                (bytes.to_vec(), answer.to_vec())
            };
            device.stream.write_all(&sent).unwrap();
            let mut heard = device.rest();
            // What is refused at once may be told before what the store is asked for.
            if behind && heard != expected {
                heard.rotate_left(answer.len());
            }
            assert_eq!(heard, expected, "{reason}");
            let line = format!("{}: ", device.address());
            let log = gateway.log();
            let said = log.lines().any(|l| l.contains(&line) && l.contains(reason));
            assert!(said, "{reason} is not in\n{log}");
            assert!(bystander.ask(1, "x"));
        }
    }
    assert_eq!(stream_len(&mut server.client()), cases.len() + 1);
}

#[test]
fn every_split_of_bad_input() {
    let (_server, gateway) = start();
    let bytes = b"\x00\x00\x00\x0e\x0200000002x\x00\x00\x00\x0d\x020000:000";
    for cut in 1..bytes.len() {
        let mut device = Device::connect(gateway.port);
        device.stream.write_all(&bytes[..cut]).unwrap();
        sleep(Duration::from_millis(1));
        // The end of it may find the connection closed.
        let _ = device.stream.write_all(&bytes[cut..]);
        assert_eq!(device.ack(), Some(("SubmitAck", 2, true)), "cut at {cut}");
        assert_eq!(device.rest(), b"");
    }
}

#[test]
fn a_device_that_does_not_go_on_is_nobodys_burden() {
    let (_server, gateway) = start();
    // Half a frame, then the end: not even a warning.
    let mut device = Device::connect(gateway.port);
    device
        .stream
        .write_all(b"\x00\x00\x00\x20\x0200000001half")
        .unwrap();
    device.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(device.rest(), b"");
    wait_for("the log", || gateway.log().contains("ended within a frame"));
    // Connecting and going, and a device that resets.
    for _ in 0..50 {
        drop(Device::connect(gateway.port));
    }
    assert!(Device::connect(gateway.port).ask(1, "x"));
}

#[test]
fn more_connections_than_allowed() {
    let server = Server::start("");
    let gateway = Gateway::start(server.port, &["--max-connections", "2"]);
    let mut one = Device::with_token(gateway.port, "a");
    let two = Device::with_token(gateway.port, "b");
    let mut three = Device::connect(gateway.port);
    assert_eq!(three.rest(), b"");
    let refused = format!("{}: there are 2 connections", three.address());
    assert!(gateway.log().contains(&refused), "{}", gateway.log());
    drop(two);
    wait_for("room", || {
        let mut again = Device::connect(gateway.port);
        again
            .stream
            .write_all(b"\x00\x00\x00\x0d\x0100000001")
            .is_ok()
            && again.ack().is_some()
    });
    assert!(one.ask(1, "x"));
}

#[test]
fn a_device_that_sends_ahead_is_held_back() {
    let server = Server::start("");
    let options = ["--max-pending", "4", "--max-batch", "3"];
    let gateway = Gateway::start(server.port, &options);
    for token in ["", "a"] {
        let mut device = Device::with_token(gateway.port, token);
        let mut frames = Vec::new();
        for number in 0..5_000 {
            frames.extend_from_slice(b"\x00\x00\x00\x12\x02");
            frames.extend_from_slice(format!("{number:08}hello").as_bytes());
        }
        device.stream.write_all(&frames).unwrap();
        device.stream.shutdown(Shutdown::Write).unwrap();
        let mut numbers: Vec<u32> = std::iter::from_fn(|| device.ack())
            .map(|(_, number, ok)| {
                assert!(ok);
                number
            })
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..5_000).collect::<Vec<_>>());
    }
    assert_eq!(stream_len(&mut server.client()), 10_000);
}

#[test]
fn long_messages() {
    let (server, gateway) = start();
    let mut device = Device::with_token(gateway.port, "a");
    let long = "x".repeat((1 << 20) - 13);
    for number in 0..20 {
        device.submit(number, &long);
    }
    for _ in 0..20 {
        assert!(device.ack().unwrap().2);
    }
    assert_eq!(stream_len(&mut server.client()), 20);
}

#[test]
fn what_the_store_refuses_is_answered_with_an_error_and_may_come_again() {
    let (server, gateway) = start();
    let mut client = server.client();
    client.ask("SET submissions text");
    let mut device = Device::with_token(gateway.port, "a");
    let mut stranger = Device::connect(gateway.port);
    assert!(!device.ask(1, "x") && !stranger.ask(1, "x"));
    wait_for("the log", || gateway.log().contains("holds a string"));
    client.ask("DEL submissions");
    assert!(device.ask(1, "x") && stranger.ask(1, "x"));
    assert_eq!(stream_len(&mut client), 2);
    // A token whose key is something else: only its messages are refused.
    client.ask("SET {submissions}:kept:bad text");
    let mut bad = Device::with_token(gateway.port, "bad");
    assert!(!bad.ask(1, "x"));
    assert!(device.ask(2, "x"));
    assert_eq!(stream_len(&mut client), 3);
}

#[test]
fn a_store_that_is_away() {
    let mut server = Server::start("appendonly yes\nappendfsync always");
    let gateway = Gateway::start(server.port, &["--patience", "700"]);
    let mut device = Device::with_token(gateway.port, "a");
    assert!(device.ask(1, "x"));
    // It does not answer: it may have kept the message, which nobody knows.
    signal(server.child.id(), "STOP");
    assert!(!device.ask(2, "x"));
    signal(server.child.id(), "CONT");
    assert!(device.ask(2, "x"));
    assert_eq!(stream_len(&mut server.client()), 2);
    // It is gone, and comes back.
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(!device.ask(3, "x"));
    restart(&mut server, None);
    wait_for("the store to be back", || device.ask(3, "x"));
    assert!(device.ask(1, "x") && device.ask(2, "x"));
    assert_eq!(stream_len(&mut server.client()), 3);
}

#[test]
fn a_store_with_a_password() {
    let server = Server::start("requirepass secret");
    let mut without = Gateway::start(server.port, &["--patience", "300"]);
    assert!(!Device::connect(without.port).ask(1, "x"));
    assert!(without.log().contains("NOAUTH"), "{}", without.log());
    without.kill();
    let port = common::free_port();
    let mut child = std::process::Command::new(common::PROGRAM)
        .args([
            "gateway",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--db",
            "3",
        ])
        .args(["--store", &format!("127.0.0.1:{}", server.port)])
        .env("DUNLIN_STORE_PASSWORD", "secret")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the gateway", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let kept = Device::connect(port).ask(1, "x");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(kept);
    let mut client = server.client();
    client.ask("AUTH secret");
    client.ask("SELECT 3");
    assert_eq!(stream_len(&mut client), 1);
}

#[test]
fn a_stop_answers_what_was_submitted() {
    let (server, mut gateway) = start();
    let mut devices: Vec<Device> = (0..8)
        .map(|n| Device::with_token(gateway.port, &format!("device-{n}")))
        .collect();
    for device in &mut devices {
        for number in 0..200 {
            device.submit(number, "hello");
        }
        assert_eq!(device.ack().map(|ack| ack.2), Some(true));
    }
    assert!(gateway.stop().success());
    let mut acknowledged = devices.len();
    for device in &mut devices {
        while let Some(ack) = device.ack() {
            assert!(ack.2);
            acknowledged += 1;
        }
    }
    // Nothing that was kept is unanswered.
    assert_eq!(stream_len(&mut server.client()), acknowledged);
    assert!(gateway.log().contains("The gateway has ended"));
    // And nobody listens any more.
    assert!(std::net::TcpStream::connect(("127.0.0.1", gateway.port)).is_err());
}

#[test]
fn a_stop_with_a_store_that_is_away_ends_all_the_same() {
    let (mut server, mut gateway) = start();
    let mut device = Device::with_token(gateway.port, "a");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    device.submit(1, "x");
    sleep(Duration::from_millis(50));
    assert!(gateway.stop().success());
    assert_eq!(device.ack(), Some(("SubmitAck", 1, false)));
    assert_eq!(device.ack(), None);
}

#[test]
fn the_servers_own_gateway() {
    let port = common::free_port();
    let lines =
        format!("frame-port {port}\nrequirepass secret\nappendonly yes\nappendfsync always");
    let mut server = Server::start(&lines);
    let mut device = Device::with_token(port, "a");
    wait_for("the data to be loaded", || device.ask(1, "x"));
    for number in 1..50 {
        device.submit(number, "hello");
    }
    for _ in 1..50 {
        assert!(device.ack().unwrap().2);
    }
    // What was acknowledged is there after a kill, and is known again.
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    restart(&mut server, Some(port));
    let mut device = Device::with_token(port, "a");
    wait_for("the data to be loaded", || device.ask(49, "hello"));
    assert!(device.ask(50, "hello"));
    let mut client = server.client();
    client.ask("AUTH secret");
    assert_eq!(stream_len(&mut client), 50);
    // A stop answers what was submitted.
    for number in 51..500 {
        device.submit(number, "hello");
    }
    assert_eq!(device.ack(), Some(("SubmitAck", 51, true)));
    signal(server.child.id(), "TERM");
    let mut acknowledged = 51;
    while let Some(ack) = device.ack() {
        assert!(ack.2);
        acknowledged += 1;
    }
    assert!(server.wait().success());
    restart(&mut server, Some(port));
    let mut client = server.client();
    client.ask("AUTH secret");
    wait_for("the data to be loaded", || client.ask("PING") == "PONG");
    assert_eq!(stream_len(&mut client), acknowledged);
}

#[test]
fn a_frame_port_in_use_is_an_error_at_the_start() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let free = common::free_port().to_string();
    let output = std::process::Command::new(common::PROGRAM)
        .args(["--port", &free, "--frame-port", &port, "--save", ""])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        log.contains("frame-port") && log.contains("in use"),
        "{log}"
    );
}
