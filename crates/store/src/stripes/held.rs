//! The proof that a set of stripes is held.
//!
//! Invariant: there is one `Held` for each set taken, and it ends by being released to the `Stripes` it came from. A lost one
//! would lock its stripes for ever, so dropping it is a bug and panics. Not here: what the stripes guard.

use std::{cell::Cell, fmt, marker::PhantomData};

use super::set::LockSet;
#[cfg(debug_assertions)]
use super::waiter::Waiter;
#[cfg(debug_assertions)]
use std::sync::Arc;

/// Stripes taken together. Give it back with [`Stripes::release`](super::Stripes::release). It may be moved to another
/// thread, which then holds the stripes; it cannot be shared, so that a stripe's value need not be `Sync`.
#[must_use = "the stripes stay locked until they are released"]
pub struct Held {
    /// Nothing once released.
    set: Option<LockSet>,
    owner: u64,
    /// Told in debug builds when its session holds nothing any more.
    #[cfg(debug_assertions)]
    pub(super) holder: Option<Arc<Waiter>>,
    not_sync: PhantomData<Cell<()>>,
}

impl Held {
    #[inline]
    pub(super) fn new(set: LockSet, owner: u64) -> Self {
        Self {
            set: Some(set),
            owner,
            #[cfg(debug_assertions)]
            holder: None,
            not_sync: PhantomData,
        }
    }

    /// Which stripes.
    #[inline]
    pub fn set(&self) -> &LockSet {
        match &self.set {
            Some(set) => set,
            // The set is taken only by `retire`, which consumes the proof.
            None => unreachable!("a released proof"),
        }
    }

    /// Whether the stripe may be used by the holder of this.
    #[inline]
    pub fn covers(&self, stripe: usize) -> bool {
        u16::try_from(stripe).is_ok_and(|stripe| self.set().covers(stripe))
    }

    #[inline]
    pub(super) fn assert_of(&self, owner: u64) {
        assert!(self.owner == owner, "stripes of another set of stripes");
    }

    #[inline]
    pub(super) fn assert_covers(&self, owner: u64, stripe: usize) {
        self.assert_of(owner);
        // Spelled out for the most common set.
        if matches!(&self.set, Some(LockSet::One(only)) if usize::from(*only) == stripe) {
            return;
        }
        assert!(
            self.covers(stripe),
            "stripe {stripe} is not held, but {:?}",
            self.set()
        );
    }

    /// Ends the proof; the caller has unlocked the stripes, or is about to. Not done by handing the set out: for the
    /// most common set, copying it about costs as much as the unlocking.
    #[inline]
    pub(super) fn retire(mut self) {
        #[cfg(debug_assertions)]
        if let Some(holder) = self.holder.take() {
            holder.note_holds(false);
        }
        self.set = None;
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        // While a test unwinds, the first panic is the one to see.
        if self.set.is_some() && !std::thread::panicking() {
            panic!(
                "held stripes were dropped instead of released: {:?}",
                self.set
            );
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.set).finish()
    }
}
