//! Freeing memory that other threads may still be looking at: quiescent-state reclamation.
//!
//! Workers look ahead into dicts without holding their lock. A block that a dict gives up is therefore not freed at once but
//! handed to a [`Reclaim`]. [`Limbo`] keeps it until every worker has passed a batch boundary ([`Epochs::quiescent`]) or sleeps
//! ([`Epochs::offline`]) after the block was unlinked.
//!
//! **Invariant.** A block is freed only after each worker that was online when its bag was sealed has announced a boundary
//! later than the seal; what a worker reads between two boundaries therefore stays allocated until the second.
//!
//! It frees blocks, never what they point to: entries are dropped by their owner, and look-ahead does not dereference them.

use std::alloc::Layout;
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// A block of memory that its structure no longer uses. Dropping it frees it.
#[derive(Debug)]
pub struct Retired {
    block: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the block is plain memory that nothing but this value owns, and the global allocator frees from any thread.
#[allow(unsafe_code)]
unsafe impl Send for Retired {}

impl Retired {
    /// Takes over a block.
    ///
    /// # Safety
    /// `block` was allocated by the global allocator with `layout`, is used by nobody but readers that the [`Reclaim`] it is
    /// given to waits for, and holds nothing that needs dropping.
    #[allow(unsafe_code)]
    pub unsafe fn new(block: NonNull<u8>, layout: Layout) -> Self {
        Retired { block, layout }
    }

    /// Size of the block in bytes.
    pub fn bytes(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new`, the block was allocated with this layout and is ours alone.
        #[allow(unsafe_code)]
        unsafe {
            std::alloc::dealloc(self.block.as_ptr(), self.layout);
        }
    }
}

/// Where a structure puts the blocks it has unlinked.
pub trait Reclaim {
    /// Takes a block that is no longer reachable from the structure, though perhaps still from what was published of it
    /// before. Frees it when nobody can be reading it.
    fn retire(&mut self, block: Retired);
}

/// Frees at once: for structures that no other thread looks into.
#[derive(Clone, Copy, Debug, Default)]
pub struct FreeNow;

impl Reclaim for FreeNow {
    fn retire(&mut self, block: Retired) {
        drop(block);
    }
}

/// One announcement per cache line pair, so that workers do not disturb each other.
#[repr(align(128))]
#[derive(Debug)]
struct Padded(AtomicU64);

/// What a worker that reads nothing announces: later than every seal.
const OFFLINE: u64 = u64::MAX;

/// The boundaries that the workers have passed.
///
/// A worker is offline until its first [`Epochs::online`]. Between `online` (or a `quiescent`) and the next `quiescent` or
/// `offline` it may look into published structures.
#[derive(Debug)]
pub struct Epochs {
    sealed: Padded,
    announced: Box<[Padded]>,
}

impl Epochs {
    /// For `workers` threads, numbered from 0, all offline.
    pub fn new(workers: usize) -> Self {
        Epochs {
            sealed: Padded(AtomicU64::new(0)),
            announced: (0..workers)
                .map(|_| Padded(AtomicU64::new(OFFLINE)))
                .collect(),
        }
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.announced.len()
    }

    /// The worker holds no pointer into a published structure at this moment: call at each batch boundary. One load and one
    /// release store.
    #[inline]
    pub fn quiescent(&self, worker: usize) {
        let sealed = self.sealed.0.load(Ordering::Acquire);
        self.announced[worker].0.store(sealed, Ordering::Release);
    }

    /// The worker reads nothing until [`Epochs::online`]: call before sleeping, so that nobody waits for it.
    pub fn offline(&self, worker: usize) {
        self.announced[worker].0.store(OFFLINE, Ordering::Release);
    }

    /// The worker may read again: call after sleeping, before the first look-ahead.
    pub fn online(&self, worker: usize) {
        let sealed = self.sealed.0.load(Ordering::Acquire);
        self.announced[worker].0.store(sealed, Ordering::Relaxed);
        // Pairs with the fence in `seal`: either the sealer sees this worker online, or this worker sees what was unlinked.
        fence(Ordering::SeqCst);
    }

    /// Draws the line after everything that this thread has unlinked so far.
    fn seal(&self) -> u64 {
        let stamp = self.sealed.0.fetch_add(1, Ordering::AcqRel) + 1;
        fence(Ordering::SeqCst);
        stamp
    }

    /// The latest seal that every online worker has passed.
    fn passed(&self) -> u64 {
        let passed = self
            .announced
            .iter()
            .map(|worker| worker.0.load(Ordering::Acquire));
        passed.min().unwrap_or(OFFLINE)
    }
}

/// The blocks that one thread has unlinked and that are waiting for the workers to move on.
///
/// Dropping it frees them at once; drop it only when no worker runs any more.
#[derive(Debug, Default)]
pub struct Limbo {
    open: Vec<Retired>,
    bags: VecDeque<(u64, Vec<Retired>)>,
    bytes: usize,
}

impl Limbo {
    /// Empty; allocates nothing.
    pub const fn new() -> Self {
        Limbo {
            open: Vec::new(),
            bags: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Seals what was retired since the last call and frees what everybody has passed. Call at the batch boundary, after
    /// every change of this batch has been published and the locks were released; nearly free when nothing is waiting.
    #[inline]
    pub fn turn(&mut self, epochs: &Epochs) {
        if !self.open.is_empty() || !self.bags.is_empty() {
            self.turn_slowly(epochs);
        }
    }

    fn turn_slowly(&mut self, epochs: &Epochs) {
        if !self.open.is_empty() {
            let bag = std::mem::take(&mut self.open);
            self.bags.push_back((epochs.seal(), bag));
        }
        let passed = epochs.passed();
        while let Some((stamp, _)) = self.bags.front() {
            if *stamp > passed {
                break;
            }
            if let Some((_, bag)) = self.bags.pop_front() {
                self.bytes -= bag.iter().map(Retired::bytes).sum::<usize>();
            }
        }
    }

    /// Bytes that are waiting to be freed.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Reclaim for Limbo {
    fn retire(&mut self, block: Retired) {
        self.bytes += block.bytes();
        self.open.push(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Retired {
        let layout = Layout::from_size_align(64, 64).expect("a valid layout");
        // SAFETY: allocated with this layout, and used by nobody.
        #[allow(unsafe_code)]
        unsafe {
            let block = NonNull::new(std::alloc::alloc(layout)).expect("64 bytes");
            Retired::new(block, layout)
        }
    }

    #[test]
    fn waits_for_every_online_worker() {
        let epochs = Epochs::new(3);
        epochs.online(0);
        epochs.online(1);
        let mut limbo = Limbo::new();
        limbo.retire(block());
        limbo.turn(&epochs);
        assert_eq!(limbo.bytes(), 64);
        epochs.quiescent(0);
        limbo.turn(&epochs);
        assert_eq!(limbo.bytes(), 64, "worker 1 has not moved");
        epochs.quiescent(1);
        limbo.turn(&epochs);
        assert_eq!(limbo.bytes(), 0, "worker 2 sleeps and does not count");
    }

    #[test]
    fn a_boundary_before_the_seal_does_not_count() {
        let epochs = Epochs::new(1);
        epochs.online(0);
        let mut limbo = Limbo::new();
        limbo.retire(block());
        epochs.quiescent(0);
        limbo.turn(&epochs);
        assert_eq!(limbo.bytes(), 64);
        epochs.offline(0);
        limbo.turn(&epochs);
        assert_eq!(limbo.bytes(), 0);
    }

    #[test]
    fn bags_are_freed_in_order() {
        let epochs = Epochs::new(1);
        epochs.online(0);
        let mut limbo = Limbo::new();
        limbo.retire(block());
        limbo.turn(&epochs);
        epochs.quiescent(0);
        limbo.retire(block());
        limbo.retire(block());
        limbo.turn(&epochs);
        assert_eq!(
            limbo.bytes(),
            128,
            "the first bag is gone, the second waits"
        );
        epochs.quiescent(0);
        limbo.turn(&epochs);
        assert_eq!(limbo.bytes(), 0);
    }
}
