//! What a dict stores: an owning pointer to an entry, and the small names by which callers speak of stored entries.
//!
//! **Invariant.** A stored word is the entry's address in its low 48 bits and a tag of 16 hash bits above them; an empty slot
//! is null. The tag lets a segment be rebuilt without touching the entries.
//!
//! Nothing here knows segments or hashing.

#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use super::segment::BUCKETS_MAX;

/// An owning, pointer-sized handle of an entry, such as a `Box`.
///
/// # Safety
/// - The implementor is `#[repr(transparent)]` over `NonNull<u8>`, and [`Handle::into_raw`] and [`Handle::from_raw`] convert
///   without changing that pointer.
/// - The pointer's address is below 2^48 (true of all user space memory that Linux gives out unasked).
/// - [`Handle::key`] returns memory of the entry, not of the handle, that stays valid and unchanged until the handle is
///   dropped, converted or mutably borrowed, even if the handle itself is moved meanwhile.
pub unsafe trait Handle: Sized {
    /// Gives up the handle, keeping the entry alive.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes the entry over again.
    ///
    /// # Safety
    /// `raw` came from [`Handle::into_raw`], and no other handle was made of it since.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// The entry's key.
    fn key(&self) -> &[u8];
}

/// A stored handle, borrowed from its dict. Dereferences to the handle.
pub struct Ref<'a, P> {
    raw: NonNull<u8>,
    dict: PhantomData<&'a P>,
}

impl<P> Clone for Ref<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Ref<'_, P> {}

// SAFETY: a `Ref` gives out no more than `&P`.
unsafe impl<P: Sync> Send for Ref<'_, P> {}
// SAFETY: as above.
unsafe impl<P: Sync> Sync for Ref<'_, P> {}

impl<'a, P: Handle> Ref<'a, P> {
    /// # Safety
    /// `raw` is a handle's pointer that stays stored, and is not mutably borrowed, for `'a`.
    #[inline]
    pub(super) unsafe fn new(raw: NonNull<u8>) -> Self {
        Ref {
            raw,
            dict: PhantomData,
        }
    }

    /// The entry's key, for as long as the dict is borrowed.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let key: *const [u8] = (*self).key();
        // SAFETY: by the contract of `Handle`, the key lies in the entry, which stays stored and unchanged for `'a`.
        unsafe { &*key }
    }

    /// The pointer of the handle.
    #[inline]
    pub fn as_raw(self) -> NonNull<u8> {
        self.raw
    }
}

impl<P: Handle> Deref for Ref<'_, P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        // SAFETY: `P` is transparent over `NonNull<u8>`, and by the contract of `new` the entry is alive and shared.
        unsafe { &*(&raw const self.raw).cast::<P>() }
    }
}

impl<P: Handle> fmt::Debug for Ref<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({})", self.key().escape_ascii())
    }
}

/// Where an entry is in its dict: valid until the next insertion or removal. Eight bytes, as is an `Option` of it.
///
/// Debug builds check that; a stale or foreign slot is never memory-unsafe, it names another entry or panics.
///
/// ```text
/// | stashed 1 | index in directory or stash 31 | mutations 16 | 0 | bucket 6 | slot 3 | 1 |
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Slot(NonZeroU64);

const STASHED: u64 = 1 << 63;
const INDEX_SHIFT: u32 = 32;
const INDEX_MASK: u64 = (1 << 31) - 1;
const MUTATIONS_SHIFT: u32 = 16;

impl Slot {
    /// In a bucket of the segment at `index` of the directory.
    #[inline]
    pub(super) fn stored(index: usize, bucket: usize, slot: usize, mutations: u16) -> Self {
        Self::pack(0, index, bucket << 4 | slot << 1, mutations)
    }

    /// At `index` of the stash.
    pub(super) fn stashed(index: usize, mutations: u16) -> Self {
        assert!(index as u64 <= INDEX_MASK);
        Self::pack(STASHED, index, 0, mutations)
    }

    #[inline]
    fn pack(mark: u64, index: usize, place: usize, mutations: u16) -> Self {
        let mutations = u64::from(mutations) << MUTATIONS_SHIFT;
        let word = mark | (index as u64) << INDEX_SHIFT | mutations | place as u64;
        Slot(NonZeroU64::MIN | word)
    }

    #[inline]
    pub(super) fn is_stashed(self) -> bool {
        self.0.get() & STASHED != 0
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        (self.0.get() >> INDEX_SHIFT & INDEX_MASK) as usize
    }

    /// Bucket, and place in it.
    #[inline]
    pub(super) fn place(self) -> (usize, usize) {
        let word = self.0.get() as usize;
        (word >> 4 & (BUCKETS_MAX - 1), word >> 1 & 7)
    }

    /// The dict's count of mutations, cut to 16 bits, when the slot was made.
    #[inline]
    pub(super) fn mutations(self) -> u16 {
        (self.0.get() >> MUTATIONS_SHIFT) as u16
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bucket, slot) = self.place();
        if self.is_stashed() {
            write!(f, "Slot(stash {})", self.index())
        } else {
            write!(f, "Slot({}.{bucket}.{slot})", self.index())
        }
    }
}

const ADDRESS_BITS: u32 = 48;
const ADDRESS_MASK: usize = (1 << ADDRESS_BITS) - 1;

/// A stored word: entry pointer and tag, or null.
#[derive(Clone, Copy)]
pub(super) struct Tagged(*mut u8);

impl Tagged {
    /// What an empty slot holds.
    pub(super) const NONE: Tagged = Tagged(ptr::null_mut());

    /// # Panics
    /// If the address does not fit in 48 bits.
    #[inline]
    pub(super) fn new(raw: NonNull<u8>, tag: u16) -> Self {
        assert!(raw.addr().get() <= ADDRESS_MASK, "entry beyond 48 bits");
        Tagged(
            raw.as_ptr()
                .map_addr(|address| address | (tag as usize) << ADDRESS_BITS),
        )
    }

    /// Of a word read from a slot.
    #[inline]
    pub(super) fn from_word(word: *mut u8) -> Self {
        Tagged(word)
    }

    #[inline]
    pub(super) fn word(self) -> *mut u8 {
        self.0
    }

    #[inline]
    pub(super) fn tag(self) -> u16 {
        (self.0.addr() >> ADDRESS_BITS) as u16
    }

    #[inline]
    pub(super) fn with_tag(self, tag: u16) -> Self {
        Tagged(
            self.0
                .map_addr(|address| address & ADDRESS_MASK | (tag as usize) << ADDRESS_BITS),
        )
    }

    /// The entry's address, for prefetching.
    #[inline]
    pub(super) fn pointer(self) -> *const u8 {
        self.0.map_addr(|address| address & ADDRESS_MASK)
    }

    /// The handle's pointer.
    ///
    /// # Panics
    /// If the slot was empty.
    #[inline]
    pub(super) fn raw(self) -> NonNull<u8> {
        NonNull::new(self.pointer().cast_mut()).expect("the slot holds an entry")
    }

    /// # Safety
    /// The word is stored in a dict that is borrowed for `'a`.
    #[inline]
    pub(super) unsafe fn borrow<'a, P: Handle>(self) -> Ref<'a, P> {
        // SAFETY: a stored word is a handle's pointer; the rest is the caller's promise.
        unsafe { Ref::new(self.raw()) }
    }
}

/// Borrows a stored handle mutably in place of its word and writes the pointer back, even when unwinding.
pub(super) struct WriteBack<P: Handle, F: FnMut(NonNull<u8>)> {
    handle: ManuallyDrop<P>,
    store: F,
}

impl<P: Handle, F: FnMut(NonNull<u8>)> WriteBack<P, F> {
    /// # Safety
    /// `raw` is a stored handle's pointer, the dict is mutably borrowed, and `store` replaces it.
    pub(super) unsafe fn new(raw: NonNull<u8>, store: F) -> Self {
        // SAFETY: the stored word is not used as a handle until `store` wrote it again.
        let handle = ManuallyDrop::new(unsafe { P::from_raw(raw) });
        WriteBack { handle, store }
    }

    pub(super) fn handle(&mut self) -> &mut P {
        &mut self.handle
    }
}

impl<P: Handle, F: FnMut(NonNull<u8>)> Drop for WriteBack<P, F> {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let handle = unsafe { ManuallyDrop::take(&mut self.handle) };
        (self.store)(handle.into_raw());
    }
}

/// Aborts the process if dropped: a handle was moved out and cannot be put back.
pub(super) struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}
