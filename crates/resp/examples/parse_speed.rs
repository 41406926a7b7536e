//! How long parsing takes: `cargo run --release -p dunlin-resp --example parse_speed`.
//!
//! Prints nanoseconds per request, the median of several rounds, for a buffer of 64 pipelined requests of one kind. The arguments
//! are only located: what a server does with them comes on top.

// It measures time and tells it: the rules against both are for the library.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Instant;

use dunlin_resp::{Limits, Outcome, RequestParser, Span, reply};

/// Requests in a buffer, as redis-benchmark -P 64 sends them.
const PIPELINE: usize = 64;
/// Buffers per round.
const BUFFERS: usize = 20_000;
const ROUNDS: usize = 9;

fn main() {
    let value_bytes = |len: usize| "v".repeat(len);
    let key = |n: usize| format!("key:{n:012}");
    measure("PING", |_| vec!["PING".into()]);
    measure("GET, 16 B key", |n| vec!["GET".into(), key(n)]);
    measure("SET, 64 B value", |n| {
        vec!["SET".into(), key(n), value_bytes(64)]
    });
    measure("SET, 0..200 B value", |n| {
        vec!["SET".into(), key(n), value_bytes(n * 7919 % 200)]
    });
    measure("SET k v PX 100000", |n| {
        let words = ["SET", &key(n), &value_bytes(64), "PX", "100000"];
        words.map(String::from).to_vec()
    });
    measure("SET, 4 KiB value", |n| {
        vec!["SET".into(), key(n), value_bytes(4096)]
    });
    measure("MSET, 10 keys", |n| {
        let pairs = (0..10).flat_map(|i| [key(n + i), value_bytes(64)]);
        std::iter::once("MSET".into()).chain(pairs).collect()
    });
    let lines = "PING\r\n".repeat(PIPELINE);
    measure_stream("PING, inline", lines.as_bytes());
}

fn measure(name: &str, request: impl Fn(usize) -> Vec<String>) {
    let mut stream = Vec::new();
    for n in 0..PIPELINE {
        reply::request(&mut stream, &request(n));
    }
    measure_stream(name, &stream);
}

fn measure_stream(name: &str, stream: &[u8]) {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round(stream)).collect();
    rounds.sort_by(f64::total_cmp);
    println!("{name:<22} {:>7.1} ns", rounds[ROUNDS / 2]);
}

/// Nanoseconds per request of one round.
fn round(stream: &[u8]) -> f64 {
    let limits = black_box(Limits::default());
    let mut parser = RequestParser::new();
    let mut args: Vec<Span> = Vec::new();
    let began = Instant::now();
    for _ in 0..BUFFERS {
        let mut input = black_box(stream);
        args.clear();
        while let Outcome::Request { end } = parser.next(input, &limits, &mut args) {
            input = &input[end..];
        }
        assert!(input.is_empty());
        black_box(&args);
    }
    began.elapsed().as_secs_f64() * 1e9 / (BUFFERS * PIPELINE) as f64
}
