//! Bytes as a dump file: items and sound values, or a refusal with its place.

#![no_main]

#[path = "../../crates/persist/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Refused or not: what matters is asserted on the way.
    let _ = invariants::check_file(bytes);
    invariants::check_value_in_file(&invariants::damaged(bytes));
});
