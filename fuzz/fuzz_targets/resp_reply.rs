//! Bytes from a peer as replies: in any pieces the same result, no panic, no span outside the input.

#![no_main]

#[path = "../../crates/resp/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (pieces, stream) = invariants::cut(bytes);
    invariants::check_replies(stream, &pieces);
});
