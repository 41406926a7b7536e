//! Random bytes, and damaged values, against the reader of dump files, on stable Rust and within `cargo test`.
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
                    #[allow(clippy::redundant_closure_call)]
                    $check(bytes);
                });
        }
    };
}

target!(fuzz_rdb_values, invariants::check_value);
target!(fuzz_rdb_damaged_values, |input| {
    invariants::check_value(&invariants::damaged(input));
});
target!(fuzz_rdb_files, |input| {
    // Refused or not: what matters is asserted on the way.
    let _ = invariants::check_file(input);
});
target!(fuzz_rdb_damaged_files, |input| {
    invariants::check_value_in_file(&invariants::damaged(input));
});
