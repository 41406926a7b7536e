//! What the allocator says of its memory.

use dunlin_server::Memory;
use tikv_jemalloc_ctl::{epoch, stats};

/// Figures as of now; zeros if the allocator does not answer.
pub(crate) fn figures() -> Memory {
    // The allocator caches its figures until the epoch is advanced.
    if epoch::advance().is_err() {
        return Memory::default();
    }
    let bytes = |figure: Result<usize, _>| figure.map_or(0, |n| n as u64);
    Memory {
        allocated: bytes(stats::allocated::read()),
        active: bytes(stats::active::read()),
        resident: bytes(stats::resident::read()),
    }
}
