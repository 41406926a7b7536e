//! An entry for dict tests and measurements, and the hashes that they are filed under.

#![allow(unsafe_code, dead_code)]

use std::ptr::NonNull;

use dunlin_structures::dict::Handle;

/// A key of eight bytes, a value, and the hash, so that `hash_of` can be asked.
#[derive(Debug)]
struct Entry {
    key: [u8; 8],
    value: u64,
    hash: u64,
}

/// An owning handle of an [`Entry`].
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Item(NonNull<u8>);

// SAFETY: an `Item` owns its entry like a box.
unsafe impl Send for Item {}
// SAFETY: as above.
unsafe impl Sync for Item {}

impl Item {
    pub(crate) fn new(key: u64, value: u64, hash: u64) -> Self {
        let key = key.to_be_bytes();
        let entry = Box::new(Entry { key, value, hash });
        Item(NonNull::from(Box::leak(entry)).cast())
    }

    fn entry(&self) -> &Entry {
        // SAFETY: the pointer is a leaked box of ours.
        unsafe { self.0.cast().as_ref() }
    }

    pub(crate) fn number(&self) -> u64 {
        u64::from_be_bytes(self.entry().key)
    }

    pub(crate) fn value(&self) -> u64 {
        self.entry().value
    }

    pub(crate) fn set_value(&mut self, value: u64) {
        // SAFETY: as in `entry`, and borrowed mutably.
        unsafe { self.0.cast::<Entry>().as_mut() }.value = value;
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        // SAFETY: the box leaked in `new`, dropped once.
        drop(unsafe { Box::from_raw(self.0.cast::<Entry>().as_ptr()) });
    }
}

// SAFETY: transparent; boxes lie in user space; the key is in the box.
unsafe impl Handle for Item {
    fn into_raw(self) -> NonNull<u8> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Item(raw)
    }

    fn key(&self) -> &[u8] {
        &self.entry().key
    }
}

/// The hash that the entry was made with.
pub(crate) fn hash_of(item: &Item) -> u64 {
    item.entry().hash
}

/// A hash function: fair, or as bad as a test wants it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keyed {
    seed: u64,
    mask: u64,
    stripe: u64,
    lopsided: bool,
}

impl Keyed {
    /// All bits below the stripe's are random.
    pub(crate) fn fair(seed: u64) -> Self {
        Self::masked(seed, u64::MAX >> 8)
    }

    /// Only these bits differ.
    pub(crate) fn masked(seed: u64, mask: u64) -> Self {
        Keyed {
            seed,
            mask: mask & u64::MAX >> 8,
            ..Keyed::default()
        }
    }

    /// Most hashes begin with the same bits, so that depths differ.
    pub(crate) fn lopsided(seed: u64) -> Self {
        Keyed {
            lopsided: true,
            ..Self::fair(seed)
        }
    }

    pub(crate) fn in_stripe(self, stripe: u64) -> Self {
        Keyed {
            stripe: stripe << 56,
            ..self
        }
    }

    pub(crate) fn hash(self, key: u64) -> u64 {
        let mut hash = mix(key ^ self.seed) & self.mask;
        if self.lopsided && !key.is_multiple_of(8) {
            hash &= u64::MAX >> 10;
        }
        hash | self.stripe
    }
}

/// A finalizer that makes every output bit depend on every input bit.
fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let x = (x ^ x >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ x >> 32
}

/// A small generator of random numbers: the same numbers for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}
