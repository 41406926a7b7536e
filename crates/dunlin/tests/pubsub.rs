//! Pub/sub of the binary, over real sockets and two workers: a million messages in order, and subscribers that do not read.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{PATIENCE, Server, wait_for};

const MESSAGES: usize = 1_000_000;
/// A loaded machine, a build that is hardly optimized: a tenth of this is usual.
const LIMIT: Duration = Duration::from_secs(120);
/// PUBLISH commands that are sent together.
const BATCH: usize = 1_000;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn encode(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// A subscriber that has sent these commands, each answered once.
fn subscriber(server: &Server, commands: &[&str]) -> BufReader<TcpStream> {
    let mut reader = BufReader::with_capacity(1 << 16, connect(server));
    for command in commands {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        let mut bytes = Vec::new();
        encode(&mut bytes, &words);
        reader.get_mut().write_all(&bytes).unwrap();
        skip_reply(&mut reader);
    }
    reader
}

fn line(reader: &mut BufReader<TcpStream>, into: &mut Vec<u8>) {
    into.clear();
    reader.read_until(b'\n', into).unwrap();
    assert!(into.ends_with(b"\r\n"), "the connection was closed");
    into.truncate(into.len() - 2);
}

fn skip_reply(reader: &mut BufReader<TcpStream>) {
    let mut head = Vec::new();
    line(reader, &mut head);
    let number = std::str::from_utf8(&head[1..]).unwrap().parse::<usize>();
    match head[0] {
        b'$' => {
            reader
                .read_exact(&mut vec![0; number.unwrap() + 2])
                .unwrap();
        }
        b'*' | b'>' => (0..number.unwrap()).for_each(|_| skip_reply(reader)),
        b'%' => (0..2 * number.unwrap()).for_each(|_| skip_reply(reader)),
        _ => {}
    }
}

/// Reads as many messages, of which each must say its number; the lines of one are `lines`, the last but its own.
fn read_numbers(mut reader: BufReader<TcpStream>, head: &[&str]) {
    let mut got = Vec::new();
    for number in 0..MESSAGES {
        for expected in head {
            line(&mut reader, &mut got);
            assert_eq!(got, expected.as_bytes(), "before message {number}");
        }
        line(&mut reader, &mut got);
        line(&mut reader, &mut got);
        let said = got
            .iter()
            .fold(0, |n, digit| 10 * n + usize::from(digit - b'0'));
        assert_eq!(said, number, "messages are lost, doubled or out of order");
    }
}

#[test]
fn a_million_messages_arrive_once_and_in_order() {
    let server = Server::start("client-output-buffer-limit pubsub 0 0 0");
    let resp2 = ["*3", "$7", "message", "$1", "c"];
    let resp3 = [">3", "$7", "message", "$1", "c"];
    let pattern = ["*4", "$8", "pmessage", "$2", "c*", "$1", "c"];
    let started = Instant::now();
    std::thread::scope(|scope| {
        // Two of each kind, so that both workers have some.
        for _ in 0..2 {
            let reader = subscriber(&server, &["SUBSCRIBE c"]);
            scope.spawn(move || read_numbers(reader, &resp2));
            let reader = subscriber(&server, &["HELLO 3", "SUBSCRIBE c"]);
            scope.spawn(move || read_numbers(reader, &resp3));
        }
        let reader = subscriber(&server, &["PSUBSCRIBE c*"]);
        scope.spawn(move || read_numbers(reader, &pattern));
        let mut publisher = BufReader::new(connect(&server));
        let mut got = Vec::new();
        for batch in 0..MESSAGES / BATCH {
            let mut bytes = Vec::new();
            for number in batch * BATCH..(batch + 1) * BATCH {
                encode(
                    &mut bytes,
                    &[b"PUBLISH", b"c", number.to_string().as_bytes()],
                );
            }
            publisher.get_mut().write_all(&bytes).unwrap();
            for _ in 0..BATCH {
                line(&mut publisher, &mut got);
                assert_eq!(got, b":5");
            }
        }
    });
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
}

#[test]
fn subscribers_that_do_not_read_cost_no_key_and_end_by_their_limit() {
    const SUBSCRIBERS: usize = 200;
    const MESSAGE_BYTES: usize = 10 << 20;
    const KEYS: usize = 2_000;
    let server = Server::start("maxmemory-policy allkeys-lru");
    let mut client = server.client();
    let field = |client: &mut common::Client, section: &str, name: &str| -> u64 {
        let info = client.ask(&format!("INFO {section}"));
        let found = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found
            .unwrap_or_else(|| panic!("{name} in {info}"))
            .trim()
            .parse()
            .unwrap()
    };
    for key in 0..KEYS {
        client.ask(&format!("SET key:{key} {}", "v".repeat(100)));
    }
    let slow: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| subscriber(&server, &["SUBSCRIBE c"]))
        .collect();
    // One who reads is not delayed, whatever becomes of the others.
    let mut reader = subscriber(&server, &["SUBSCRIBE c"]);
    let used = field(&mut client, "memory", "used_memory");
    client.ask(&format!("CONFIG SET maxmemory {}", used + (2 << 20)));
    let message = vec![b'm'; MESSAGE_BYTES];
    let mut publisher = BufReader::new(connect(&server));
    let mut rounds = 0;
    while field(&mut client, "clients", "pubsub_clients") > 1 {
        rounds += 1;
        assert!(rounds <= 20, "they have no limit");
        let mut bytes = Vec::new();
        encode(&mut bytes, &[b"PUBLISH", b"c", &message]);
        let sender = std::thread::spawn(move || {
            publisher.get_mut().write_all(&bytes).unwrap();
            skip_reply(&mut publisher);
            publisher
        });
        skip_reply(&mut reader);
        publisher = sender.join().unwrap();
        client.ask(&format!("SET key:{rounds} again"));
    }
    assert_eq!(field(&mut client, "stats", "evicted_keys"), 0);
    assert_eq!(client.ask("DBSIZE"), KEYS.to_string());
    let closed = "client_output_buffer_limit_disconnections";
    assert_eq!(field(&mut client, "stats", closed), SUBSCRIBERS as u64);
    drop(slow);
    // What they were sent is not forgotten: the memory is free again.
    wait_for("the memory of the messages", || {
        field(&mut client, "memory", "used_memory") < used + (2 << 20)
    });
}
