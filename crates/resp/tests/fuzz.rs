//! Random bytes against the parsers, on stable Rust and within `cargo test`.
//!
//! Each target runs for a moment; `BOLERO_RANDOM_TEST_TIME_MS=60000` makes it a minute. The same checks run under libFuzzer in
//! `fuzz/`.

mod invariants;

use std::time::Duration;

/// How long a target runs when nothing else is said.
const TEST_TIME: Duration = Duration::from_millis(700);
/// Bytes per input. Byte by byte and in three variants this stays below a millisecond.
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

target!(fuzz_request_bytes, invariants::check_requests);
target!(fuzz_request_pieces, |stream, pieces: &[usize]| {
    invariants::check_requests(&invariants::resp_like(stream), pieces)
});
target!(fuzz_reply_bytes, invariants::check_replies);
target!(fuzz_reply_pieces, |stream, pieces: &[usize]| {
    invariants::check_replies(&invariants::resp_like(stream), pieces)
});
