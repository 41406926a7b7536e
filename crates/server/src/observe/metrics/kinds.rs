//! Memory by what it is for.
//!
//! Invariant: all kinds but fragmentation together are what is allocated.

use crate::commands::info::facts::Facts;

/// Bytes by what they are for.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct MemoryKinds {
    /// Names of keys.
    pub keys: u64,
    /// Values, and what entries need beside.
    pub values: u64,
    /// Deadlines' shares of the wheels.
    pub ttl: u64,
    /// Keys' shares of the dicts.
    pub dict: u64,
    /// Buffers of clients, those in the pools included.
    pub clients: u64,
    /// Records that are not written to the append-only file yet.
    pub log: u64,
    /// In pages that hold allocations, and free: what the allocator can use for more of the same size.
    pub fragmentation: u64,
    /// Before the first client, scripts and functions.
    pub other: u64,
}

impl MemoryKinds {
    pub(crate) fn of(facts: &Facts) -> MemoryKinds {
        let (memory, overhead) = (facts.memory(), facts.overhead());
        let engine = &facts.shared.engine;
        let databases = 0..engine.store.databases() as u32;
        let scripts = engine.scripts.overhead_bytes() + engine.scripts.library_bytes();
        // Other figures are estimates, or a moment older: none may be more than is left.
        let mut left = memory.allocated;
        let mut take = |bytes: u64| {
            let taken = bytes.min(left);
            left -= taken;
            taken
        };
        let other = take((overhead.startup + scripts) as u64);
        let clients = take((overhead.clients + overhead.pools) as u64);
        let log = take(facts.log_bytes());
        let dict = take(overhead.dicts as u64);
        let ttl = take(overhead.timers as u64);
        let keys = take(databases.map(|db| engine.store.key_bytes(db)).sum());
        MemoryKinds {
            keys,
            values: left,
            ttl,
            dict,
            clients,
            log,
            fragmentation: memory.active.saturating_sub(memory.allocated),
            other,
        }
    }

    /// Each by name.
    pub fn all(&self) -> [(&'static str, u64); 8] {
        [
            ("keys", self.keys),
            ("values", self.values),
            ("ttl", self.ttl),
            ("dict", self.dict),
            ("clients", self.clients),
            ("log", self.log),
            ("fragmentation", self.fragmentation),
            ("other", self.other),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::commands::testing::Console;

    #[test]
    fn kinds_make_up_what_is_allocated() {
        let mut console = Console::default();
        console.run("SET abc 1; SET de 1 PX 100000; HSET ghijk f v; SELECT 3; SET x 1");
        let of = |console: &Console| {
            let shared: Arc<_> = Arc::clone(&console.shared);
            let facts = Facts::at(&shared, 0, 0);
            (MemoryKinds::of(&facts), facts.memory().allocated)
        };
        let (kinds, allocated) = of(&console);
        let sum: u64 = kinds.all().iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum - kinds.fragmentation, allocated);
        // The console's allocator says that everything is the server's own.
        assert_eq!(kinds.other, allocated);
        let store = &console.shared.engine.store;
        assert_eq!((store.key_bytes(0), store.key_bytes(3)), (10, 1));
        console.run("SELECT 0; RENAME abc abcdefg; DEL de");
        let store = &console.shared.engine.store;
        assert_eq!(store.key_bytes(0), 12);
        console.run("FLUSHDB");
        let store = &console.shared.engine.store;
        assert_eq!((store.key_bytes(0), store.key_bytes(3)), (0, 1));
    }
}
