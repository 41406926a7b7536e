//! What the server asks of the allocator: figures, and to give memory back.

use dunlin_server::{Allocator, Memory};
use tikv_jemalloc_ctl::stats_print::{Options, stats_print};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
use tikv_jemalloc_ctl::{Access, AsName, arenas, epoch, stats};

/// jemalloc, which every build of the binary uses.
pub(crate) const ALLOCATOR: Allocator = Allocator {
    figures,
    thread_bytes,
    purge,
    report,
};

/// Figures as of now; zeros if the allocator does not answer.
fn figures() -> Memory {
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

thread_local! {
    /// Where jemalloc counts what this thread allocates and frees.
    static COUNTERS: Option<(ThreadLocal<u64>, ThreadLocal<u64>)> =
        allocatedp::read().ok().zip(deallocatedp::read().ok());
}

fn thread_bytes() -> i64 {
    let counted = |counters: &Option<(ThreadLocal<u64>, ThreadLocal<u64>)>| {
        let (allocated, freed) = counters.as_ref()?;
        Some(allocated.get().wrapping_sub(freed.get()) as i64)
    };
    COUNTERS.with(counted).unwrap_or(0)
}

/// Purges every arena. The build's `dirty_decay_ms` is -1 (see .cargo/config.toml): nothing else gives memory back.
fn purge() {
    const AT_ONCE: isize = 0;
    const NEVER: isize = -1;
    for arena in 0..arenas::narenas::read().unwrap_or(0) {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let name = name.as_str().name();
        // Refused for arenas that are not in use: they have nothing to give. A decay time of 0 purges at once.
        if name.write(AT_ONCE).is_ok() {
            let _ = name.write(NEVER);
        }
    }
}

fn report() -> Option<String> {
    let mut text = Vec::new();
    stats_print(&mut text, Options::default()).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{figures, purge, report, thread_bytes};

    #[test]
    fn reports() {
        let report = report().expect("jemalloc has one");
        assert!(report.contains("jemalloc statistics"), "{report}");
    }

    #[test]
    fn a_purge_gives_memory_back_and_counts_nothing() {
        const BYTES: usize = 64 << 20;
        let before = thread_bytes();
        let block = vec![1u8; BYTES];
        assert!(thread_bytes() - before >= BYTES as i64);
        drop(block);
        let kept = figures();
        purge();
        let left = figures();
        assert!(thread_bytes() - before < BYTES as i64 / 2);
        assert!(
            left.resident + BYTES as u64 / 2 <= kept.resident,
            "{kept:?}, then {left:?}"
        );
    }
}
