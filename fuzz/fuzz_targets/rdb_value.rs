//! Bytes as the type and value of a payload: refused, or a sound value that is the same when it was written and read again.

#![no_main]

#[path = "../../crates/persist/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    invariants::check_value(bytes);
    invariants::check_value(&invariants::damaged(bytes));
});
