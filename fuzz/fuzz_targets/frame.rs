//! Bytes from a device as frames: in any pieces the same packets and the same error, no panic, nothing copied.

#![no_main]

#[path = "../../crates/frame/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (pieces, stream) = invariants::cut(bytes);
    invariants::check(stream, &pieces);
    invariants::check(&invariants::frame_like(stream), &pieces);
});
