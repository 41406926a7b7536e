//! Bytes to the admin port as HTTP requests: in any pieces the same requests and the same refusal, no panic, paths in one spelling.

#![no_main]

#[path = "../../crates/server/tests/http/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (pieces, stream) = invariants::cut(bytes);
    invariants::check(stream, &pieces);
    invariants::check(&invariants::http_like(stream), &pieces);
});
