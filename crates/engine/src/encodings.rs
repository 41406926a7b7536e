//! How big a collection may be in its packed form: the `*-max-listpack-*` settings and their like.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use dunlin_persist::rdb::Rules;
use dunlin_store::KeyHasher;
use dunlin_store::hash_value::HashLimits;
use dunlin_store::list::Fill;
use dunlin_store::set;
use dunlin_store::stream::BlockLimits;

/// Limits of one type's packed form.
#[derive(Debug)]
pub struct PackedLimit {
    entries: AtomicUsize,
    value_bytes: AtomicUsize,
}

impl PackedLimit {
    const fn new(entries: usize, value_bytes: usize) -> Self {
        PackedLimit {
            entries: AtomicUsize::new(entries),
            value_bytes: AtomicUsize::new(value_bytes),
        }
    }

    /// Most members, or fields.
    #[inline]
    pub fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Longest member, field or value in bytes.
    #[inline]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes.load(Ordering::Relaxed)
    }

    /// Sets both.
    pub fn set(&self, entries: usize, value_bytes: usize) {
        self.entries.store(entries, Ordering::Relaxed);
        self.value_bytes.store(value_bytes, Ordering::Relaxed);
    }
}

/// The limits of all types. A packed form is also left when it takes more than [`PACKED_BYTES_MAX`], whatever these say.
#[derive(Debug)]
pub struct Encodings {
    /// `hash-max-listpack-entries`, `hash-max-listpack-value`.
    pub hash: PackedLimit,
    /// `set-max-listpack-entries`, `set-max-listpack-value`.
    pub set: PackedLimit,
    /// `set-max-intset-entries`.
    pub intset_entries: AtomicUsize,
    /// `zset-max-listpack-entries`, `zset-max-listpack-value`.
    pub zset: PackedLimit,
    /// `list-max-listpack-size`: elements, or from -1 to -5 bytes: 4, 8, 16, 32, 64 KiB.
    pub list_size: AtomicI64,
    /// `stream-node-max-bytes`.
    pub stream_bytes: AtomicUsize,
    /// `stream-node-max-entries`.
    pub stream_entries: AtomicUsize,
    /// `hll-sparse-max-bytes`: longest HyperLogLog in its sparse form, header included.
    pub hll_sparse_bytes: AtomicUsize,
}

impl Encodings {
    /// What values that are read from a file or a payload are built by. `clock` is their access clock; fields whose deadline is not after
    /// `now_ms` are left out.
    pub fn rules<'a>(&self, hasher: &'a KeyHasher, clock: u32, now_ms: u64) -> Rules<'a> {
        Rules {
            hasher,
            hash: HashLimits {
                entries: self.hash.entries(),
                value_bytes: self.hash.value_bytes(),
            },
            set: set::Limits {
                ints: self.intset_entries.load(Ordering::Relaxed),
                packed: self.set.entries(),
                value_bytes: self.set.value_bytes(),
            },
            zset_entries: self.zset.entries(),
            zset_value_bytes: self.zset.value_bytes(),
            list: Fill::new(self.list_size.load(Ordering::Relaxed)),
            blocks: self.stream_blocks(),
            clock,
            now_ms,
        }
    }

    /// When a block of a stream takes no further entry.
    #[inline]
    pub fn stream_blocks(&self) -> BlockLimits {
        BlockLimits {
            bytes: self.stream_bytes.load(Ordering::Relaxed),
            entries: self.stream_entries.load(Ordering::Relaxed),
        }
    }
}

/// A packed form lies in its entry, and an entry's value is no longer than this.
pub const PACKED_BYTES_MAX: usize = dunlin_store::entry::INLINE_BYTES_MAX;

impl Default for Encodings {
    fn default() -> Self {
        Encodings {
            hash: PackedLimit::new(512, 64),
            set: PackedLimit::new(128, 64),
            intset_entries: AtomicUsize::new(512),
            zset: PackedLimit::new(128, 64),
            list_size: AtomicI64::new(-2),
            stream_bytes: AtomicUsize::new(4096),
            stream_entries: AtomicUsize::new(100),
            hll_sparse_bytes: AtomicUsize::new(3000),
        }
    }
}
