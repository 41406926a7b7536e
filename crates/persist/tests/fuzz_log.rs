//! Random bytes against the readers of the log, on stable Rust and within `cargo test`.
//!
//! Each target runs for a moment; `BOLERO_RANDOM_TEST_TIME_MS=60000` makes it a minute. The same checks run under libFuzzer in
//! `fuzz/`.

mod log_invariants;

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
                .for_each(|bytes: &[u8]| $check(bytes));
        }
    };
}

target!(fuzz_log_bytes, log_invariants::check_log);
target!(fuzz_log_pieces, log_invariants::check_log_like);
target!(fuzz_manifest, log_invariants::check_manifest);
