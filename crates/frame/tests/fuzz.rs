//! Random bytes against the codec, on stable Rust and within `cargo test`.
//!
//! Each target runs for a moment; `BOLERO_RANDOM_TEST_TIME_MS=60000` makes it a minute. The same checks run under libFuzzer in
//! `fuzz/`.

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

target!(fuzz_frame_bytes, invariants::check);
target!(fuzz_frames, |stream, pieces: &[usize]| {
    invariants::check(&invariants::frame_like(stream), pieces)
});
