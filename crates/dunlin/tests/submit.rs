//! `dunlin submit`: its report, its exit code, its patience, and its end.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use common::devices::{Gateway, signal};
use common::{PROGRAM, Server, free_port};

fn submit(arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("submit").args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_defaults_against_the_gateway_and_the_server() {
    let frames = free_port();
    let server = Server::start(&format!("frame-port {frames}"));
    let gateway = Gateway::start(server.port, &[]);
    for port in [gateway.port, frames] {
        let output = submit(&["--interval", "10ms", &format!("127.0.0.1:{port}")]);
        let report = text(&output);
        assert!(output.status.success(), "{report}");
        assert!(
            report.starts_with("5 devices, 10 messages each, 1 under way at once\n"),
            "{report}"
        );
        assert!(
            report
                .contains("\nsent 50, acknowledged 50, unacknowledged 0, errors 0, reconnects 0\n"),
            "{report}"
        );
        assert!(report.contains("time to the ack, ms: p50 "), "{report}");
        assert!(
            output.stderr.is_empty(),
            "no progress where there is no terminal"
        );
    }
    let mut client = server.client();
    assert_eq!(client.ask("XLEN submissions"), "100");
    let first = client.ask("XRANGE submissions - + COUNT 1");
    assert!(first.contains("id 00000001 payload "), "{first}");
}

#[test]
fn the_codes_of_the_first_server() {
    let server = Server::start("");
    let gateway = Gateway::start(server.port, &["--ack-base", "0x80"]);
    let address = format!("127.0.0.1:{}", gateway.port);
    let one = ["-c", "1", "-n", "1", "--interval", "0", &address];
    let output = submit(&one);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("unknown command 0x80"),
        "{}",
        text(&output)
    );
    let output = submit(&[&["--ack-base", "0x80"], &one[..]].concat());
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn nobody_there() {
    let output = submit(&["-c", "2", &format!("127.0.0.1:{}", free_port())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("errors 2"), "{}", text(&output));
    assert_eq!(submit(&["--nonsense"]).status.code(), Some(1));
    assert_eq!(submit(&["--help"]).status.code(), Some(0));
}

/// Answers one device with these bytes, in pieces with pauses before each; then waits for the device to go.
fn answer(pieces: Vec<(u64, Vec<u8>)>) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for (pause_ms, piece) in pieces {
            thread::sleep(Duration::from_millis(pause_ms));
            // The device may have given up.
            let _ = stream.write_all(&piece);
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    (address, serving)
}

const CONN_ACK: &[u8] = b"\x00\x00\x00\x0e\x8100000000\x00";

#[test]
fn a_deadline_within_a_frame_loses_nothing() {
    let ack = b"\x00\x00\x00\x0e\x8200000001\x00";
    let (address, serving) = answer(vec![
        (0, CONN_ACK.to_vec()),
        (100, ack[..7].to_vec()),
        (5_500, ack[7..].to_vec()),
    ]);
    let output = submit(&["-c", "1", "-n", "1", "--interval", "0", &address]);
    assert!(output.status.success(), "{}", text(&output));
    serving.join().unwrap();
}

#[test]
fn silence_is_an_error() {
    let (address, serving) = answer(vec![(0, CONN_ACK.to_vec())]);
    let output = submit(&["-c", "1", "-n", "1", "--interval", "0", &address]);
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output);
    assert!(
        report.contains("sent 1, acknowledged 0, unacknowledged 1, errors 1"),
        "{report}"
    );
    assert!(report.contains("no ack within 5 s"), "{report}");
    serving.join().unwrap();
}

#[test]
fn an_ack_of_another_message_is_an_error() {
    let wrong = b"\x00\x00\x00\x0e\x8200000002\x00";
    let (address, serving) = answer(vec![(0, CONN_ACK.to_vec()), (0, wrong.to_vec())]);
    let output = submit(&["-c", "1", "-n", "1", "--interval", "0", &address]);
    assert_eq!(output.status.code(), Some(1));
    serving.join().unwrap();
}

#[test]
fn a_signal_ends_it_and_what_was_sent_is_waited_for() {
    let server = Server::start("");
    let gateway = Gateway::start(server.port, &[]);
    let child = Command::new(PROGRAM)
        .args(["submit", "-n", "1000000", "--interval", "20ms"])
        .arg(format!("127.0.0.1:{}", gateway.port))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut client = server.client();
    common::wait_for("some messages", || {
        client.ask("XLEN submissions").parse::<u32>().unwrap() > 20
    });
    signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    let report = text(&output);
    assert!(output.status.success(), "{report}");
    let kept = client.ask("XLEN submissions");
    assert!(
        report.contains(&format!(
            "sent {kept}, acknowledged {kept}, unacknowledged 0"
        )),
        "{report}"
    );
}
