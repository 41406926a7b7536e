//! What is known of data that is being loaded, or was last: for INFO, and for who saves.

use std::sync::atomic::{AtomicU64, Ordering};

/// See the module's text. Whether data is being loaded right now is [`dunlin_engine::Engine::is_loading`].
#[derive(Debug, Default)]
pub struct Loading {
    started_s: AtomicU64,
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    used_bytes: AtomicU64,
    keys_loaded: AtomicU64,
    keys_expired: AtomicU64,
}

impl Loading {
    /// Loading files of so many bytes begins, at this time in seconds since 1970.
    pub fn begin(&self, total_bytes: u64, now_s: u64) {
        self.started_s.store(now_s, Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.keys_loaded.store(0, Ordering::Relaxed);
        self.keys_expired.store(0, Ordering::Relaxed);
        self.loaded_bytes.store(0, Ordering::Relaxed);
        self.used_bytes.store(0, Ordering::Relaxed);
    }

    /// So many bytes are read.
    pub fn advance(&self, loaded_bytes: u64) {
        self.loaded_bytes.store(loaded_bytes, Ordering::Relaxed);
    }

    /// The dump says that its data took so much memory.
    pub fn note_used_bytes(&self, bytes: u64) {
        self.used_bytes.store(bytes, Ordering::Relaxed);
    }

    /// So many more keys were loaded, and so many left out because their deadlines had passed.
    pub fn count(&self, loaded: u64, expired: u64) {
        self.keys_loaded.fetch_add(loaded, Ordering::Relaxed);
        self.keys_expired.fetch_add(expired, Ordering::Relaxed);
    }

    /// When it began, in seconds since 1970.
    pub fn started_s(&self) -> u64 {
        self.started_s.load(Ordering::Relaxed)
    }

    /// Length of all files.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of them that are read.
    pub fn loaded_bytes(&self) -> u64 {
        self.loaded_bytes.load(Ordering::Relaxed)
    }

    /// Memory that the data took where it was saved; 0 if the file does not say.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Keys of dumps that were loaded last, or so far.
    pub fn keys_loaded(&self) -> u64 {
        self.keys_loaded.load(Ordering::Relaxed)
    }

    /// Keys of dumps whose deadlines had passed.
    pub fn keys_expired(&self) -> u64 {
        self.keys_expired.load(Ordering::Relaxed)
    }
}
