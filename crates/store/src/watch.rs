//! WATCH: flags that a change of a key raises.
//!
//! A stripe keeps the watchers of its keys under its own lock; a session keeps one flag for all that it watches.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised when any key watched with it changed.
#[derive(Debug, Default)]
pub struct WatchFlag(AtomicBool);

impl WatchFlag {
    /// Whether a watched key changed. Exact only while its stripes are held.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Database and key.
type WatchedKey = (u32, Box<[u8]>);

/// Watchers of one stripe's keys.
#[derive(Debug, Default)]
pub struct WatchTable {
    keys: HashMap<WatchedKey, Vec<Arc<WatchFlag>>>,
}

impl WatchTable {
    /// Whether nobody watches a key of this stripe.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Raises `flag` whenever `key` changes from now on; false when it did so before.
    pub fn watch(&mut self, db: u32, key: &[u8], flag: &Arc<WatchFlag>) -> bool {
        let flags = self.keys.entry((db, key.into())).or_default();
        let is_new = !flags.iter().any(|f| Arc::ptr_eq(f, flag));
        if is_new {
            flags.push(Arc::clone(flag));
        }
        is_new
    }

    /// Undoes [`WatchTable::watch`].
    pub fn unwatch(&mut self, db: u32, key: &[u8], flag: &Arc<WatchFlag>) {
        let id = (db, Box::from(key));
        if let Some(flags) = self.keys.get_mut(&id) {
            flags.retain(|f| !Arc::ptr_eq(f, flag));
            if flags.is_empty() {
                self.keys.remove(&id);
            }
        }
    }

    /// Raises the flags of who watches `key`.
    pub fn touch(&self, db: u32, key: &[u8]) {
        // Only stripes with watchers come here, so the boxed look-up key costs the others nothing.
        if let Some(flags) = self.keys.get(&(db, Box::from(key))) {
            flags.iter().for_each(|f| f.raise());
        }
    }

    /// The watched keys and their databases.
    pub fn keys(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.keys.keys().map(|(db, key)| (*db, &**key))
    }

    /// Number of watched keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }
}
