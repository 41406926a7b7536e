//! The biggest keys seen so far, and how far the search for them has come. `commands/big_keys.rs` searches.
//!
//! Invariant: what is known is bounded by [`KNOWN_MAX`], whatever the keys are.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_store::ValueType;

/// Keys that are remembered.
pub const KNOWN_MAX: usize = 128;

/// A big key, as it was when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BigKey {
    /// The key.
    pub key: Box<[u8]>,
    /// Its database.
    pub db: u32,
    /// The type of its value.
    pub of: ValueType,
    /// Elements of a collection, bytes of a string.
    pub elements: u64,
    /// Bytes that the key and its value take.
    pub bytes: usize,
}

/// Where the search goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Database.
    pub db: u32,
    /// Stripe.
    pub stripe: usize,
    /// Cursor in the stripe.
    pub cursor: u64,
}

/// What a search knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The biggest, in no order; at most [`KNOWN_MAX`].
    pub keys: Vec<BigKey>,
    /// Where it goes on.
    pub place: Place,
    /// How often it has been through all databases.
    pub passes: u64,
}

impl Known {
    /// Whether a key of this size would be remembered.
    pub fn wants(&self, bytes: usize) -> bool {
        self.keys.len() < KNOWN_MAX || self.keys.iter().any(|known| known.bytes < bytes)
    }

    /// Remembers a key, in place of what was known of it or of the smallest.
    pub fn note(&mut self, key: BigKey) {
        let same = |known: &BigKey| known.db == key.db && known.key == key.key;
        let smallest = || (0..KNOWN_MAX).min_by_key(|&at| self.keys[at].bytes);
        let at = match self.keys.iter().position(same) {
            None if self.keys.len() >= KNOWN_MAX => {
                smallest().filter(|&at| self.keys[at].bytes < key.bytes)
            }
            None => {
                self.keys.push(key);
                return;
            }
            known => known,
        };
        if let Some(at) = at {
            self.keys[at] = key;
        }
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct BigKeys(Mutex<Known>);

impl BigKeys {
    /// What is known.
    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use dunlin_store::ValueType;

    use super::{BigKey, KNOWN_MAX, Known};

    fn key(name: u64, bytes: usize) -> BigKey {
        BigKey {
            key: name.to_le_bytes().into(),
            db: 0,
            of: ValueType::String,
            elements: 1,
            bytes,
        }
    }

    #[test]
    fn the_smallest_goes_first() {
        let mut known = Known::default();
        for number in 0..KNOWN_MAX as u64 {
            assert!(known.wants(1));
            known.note(key(number, 100 + number as usize));
        }
        assert!(!known.wants(100) && known.wants(101));
        known.note(key(1_000, 100));
        assert!(known.keys.iter().all(|known| known.bytes < 1_000));
        known.note(key(1_001, 5_000));
        known.note(key(5, 7_000));
        assert_eq!(known.keys.len(), KNOWN_MAX);
        let names: Vec<u64> = known
            .keys
            .iter()
            .filter(|known| known.bytes >= 5_000)
            .map(|known| u64::from_le_bytes(known.key[..].try_into().unwrap()))
            .collect();
        assert_eq!(names, [1_001, 5]);
        assert!(!known.keys.contains(&key(0, 100)), "the smallest is gone");
    }
}
