//! Random bytes against the admin port's reader of requests, on stable Rust and within `cargo test`.
//!
//! Each target runs for a moment; `BOLERO_RANDOM_TEST_TIME_MS=60000` makes it a minute. The same checks run under libFuzzer in
//! `fuzz/`.

#[path = "http/mod.rs"]
mod invariants;

use std::time::Duration;

/// How long a target runs when nothing else is said.
const TEST_TIME: Duration = Duration::from_millis(700);
/// Bytes per input.
const INPUT_BYTES_MAX: usize = 512;

macro_rules! target {
    ($name:ident, $check:expr) => {
        #[test]
        fn $name() {
            bolero::check!()
                .with_test_time(TEST_TIME)
                .with_max_len(INPUT_BYTES_MAX)
                .for_each(|bytes: &[u8]| {
                    let (pieces, stream) = invariants::cut(bytes);
                    #[allow(clippy::redundant_closure_call)]
                    $check(stream, &pieces)
                });
        }
    };
}

target!(fuzz_http_bytes, invariants::check);
target!(fuzz_http_requests, |stream, pieces: &[usize]| {
    invariants::check(&invariants::http_like(stream), pieces)
});

#[test]
fn requests_are_reached_by_what_is_made_up() {
    use dunlin_server::admin::http::{Decoded, decode};
    // Else the target above would try heads that are none.
    let word = |text: &str| invariants::word(text).unwrap();
    let bytes = [
        word("GET /a HTTP/1.1\r\n"),
        word("Host: a\r\n"),
        word("\r\n"),
    ];
    let stream = invariants::http_like(&bytes);
    assert!(matches!(decode(&stream), Ok(Decoded::Whole(..))));
}
