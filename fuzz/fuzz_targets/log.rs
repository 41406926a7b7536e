//! Bytes as a file of the log and as its manifest.

#![no_main]

#[path = "../../crates/persist/tests/log_invariants/mod.rs"]
mod log_invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    log_invariants::check_log(bytes);
    log_invariants::check_log_like(bytes);
    log_invariants::check_manifest(bytes);
});
