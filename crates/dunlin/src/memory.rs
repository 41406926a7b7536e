//! What the server asks of the allocator: figures, and to give memory back.

use dunlin_server::{Allocator, Memory};
use tikv_jemalloc_ctl::stats_print::{Options, stats_print};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
use tikv_jemalloc_ctl::{Access, AsName, Name, arenas, epoch, stats};

/// jemalloc, which every build of the binary uses.
pub(crate) const ALLOCATOR: Allocator = Allocator {
    figures,
    thread_bytes,
    purge,
    report,
    number,
    text,
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

/// A number by its name in jemalloc's tree. They are of several sizes, which only trying tells.
fn number(name: &[u8], value: Option<i64>) -> Result<Option<i64>, String> {
    let name = terminated(name)?;
    let name = name.name();
    let Some(value) = value else {
        return read_number(name).map(Some);
    };
    // What takes functions or structures would be called or read as such.
    let text = name.to_string();
    if text.contains("hook") || text.starts_with("experimental.") {
        return Err("this name does not take a number".to_owned());
    }
    let narrow = u32::try_from(value).ok();
    let switch = match value {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    let old = name
        .update(value as u64)
        .map(|old: u64| old as i64)
        .or_else(|error| narrow.map_or(Err(error), |new| name.update(new).map(i64::from)))
        .or_else(|error| switch.map_or(Err(error), |new| name.update(new).map(i64::from)));
    if let Ok(old) = old {
        return Ok(Some(old));
    }
    // Some can be set and not read.
    name.write(value as u64)
        .or_else(|error| narrow.map_or(Err(error), |new| name.write(new)))
        .or_else(|error| switch.map_or(Err(error), |new| name.write(new)))
        .map(|()| None)
        .map_err(|error| error.to_string())
}

fn read_number(name: &Name) -> Result<i64, String> {
    let long: Result<u64, _> = name.read();
    long.map(|n| n as i64)
        .or_else(|_| {
            let narrow: Result<u32, _> = name.read();
            narrow.map(i64::from)
        })
        .or_else(|_| {
            let switch: Result<bool, _> = name.read();
            switch.map(i64::from)
        })
        .map_err(|error| error.to_string())
}

/// A text by its name in jemalloc's tree.
fn text(name: &[u8]) -> Result<String, String> {
    let name = terminated(name)?;
    let name = name.name();
    if !name.value_type_str() {
        return Err("this name has no text".to_owned());
    }
    let text: Result<&'static str, _> = name.read();
    text.map(str::to_owned).map_err(|error| error.to_string())
}

/// A name with the NUL that ends it.
fn terminated(name: &[u8]) -> Result<String, String> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_empty() && !text.contains('\0') => Ok(format!("{text}\0")),
        _ => Err("this is no name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{figures, number, purge, report, text, thread_bytes};

    #[test]
    fn numbers_and_texts_have_names() {
        assert!(number(b"arenas.page", None).is_ok_and(|n| n.is_some_and(|n| n >= 4096)));
        assert!(number(b"arenas.narenas", None).is_ok_and(|n| n.is_some_and(|n| n >= 1)));
        assert_eq!(number(b"config.stats", None), Ok(Some(1)));
        let cache = number(b"thread.tcache.enabled", Some(1));
        assert_eq!(cache, Ok(Some(1)));
        assert!(number(b"arenas.page", Some(1)).is_err(), "it is fixed");
        for name in [&b"nosuch"[..], b"", b"arenas.page\0x"] {
            assert!(number(name, None).is_err() && text(name).is_err());
        }
        assert!(number(b"arena.0.extent_hooks", Some(1)).is_err());
        assert!(text(b"version").is_ok_and(|text| text.starts_with(char::is_numeric)));
        assert!(text(b"arenas.page").is_err());
    }

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
