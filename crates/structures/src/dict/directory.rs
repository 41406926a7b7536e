//! The dict's root word: one segment, or a directory of segments.
//!
//! ```text
//! root   0                                                   nothing at all
//!        | 0 | segment word 63 |                             one segment, of depth 0: small dicts need no directory
//!        | 1 | 0 ... | depth 5 | address 48 |                a directory of 2^depth segment words
//! ```
//!
//! A segment whose depth is less than the directory's stands in 2^(difference) neighbouring slots; the first of them, whose
//! index ends in that many zeros, is its home: it has the true count.
//!
//! This file knows the words only; who grows what is in `restructure`.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use super::position::Position;
use super::segment::{DEPTH_SHIFT, Segment};
use crate::epoch::Retired;

const IS_DIRECTORY: u64 = 1 << 63;
const ADDRESS_MASK: u64 = (1 << 48) - 1;
const DEPTH_MASK: u64 = 31;
/// Directories start on a cache line.
const ALIGN_BYTES: usize = 64;

/// A root word, as read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RootWord(pub(super) u64);

impl RootWord {
    /// Makes a directory of these segments.
    ///
    /// # Panics
    /// If there are fewer than 2^depth segments.
    pub(super) fn allocate(depth: u32, segments: impl Iterator<Item = Segment>) -> RootWord {
        let layout = Self::layout(depth);
        // SAFETY: the layout is not empty.
        let block = unsafe { alloc(layout) }.cast::<u64>();
        if block.is_null() {
            handle_alloc_error(layout);
        }
        let mut filled = 0;
        for (at, segment) in segments.take(1 << depth).enumerate() {
            // SAFETY: `at` is below the number of slots allocated.
            unsafe { block.add(at).write(segment.0) };
            filled = at + 1;
        }
        assert_eq!(filled, 1 << depth, "a segment for each slot");
        let address = block.expose_provenance() as u64;
        assert_eq!(address & !ADDRESS_MASK, 0, "directory beyond 48 bits");
        let word = IS_DIRECTORY | u64::from(depth) << DEPTH_SHIFT | address;
        RootWord(word)
    }

    fn layout(depth: u32) -> Layout {
        Layout::array::<u64>(1 << depth)
            .and_then(|layout| layout.align_to(ALIGN_BYTES))
            .expect("a directory is far smaller than the address space")
            .pad_to_align()
    }

    #[inline]
    pub(super) fn is_directory(self) -> bool {
        self.0 & IS_DIRECTORY != 0
    }

    /// Log2 of the number of slots.
    #[inline]
    pub(super) fn depth(self) -> u32 {
        if self.is_directory() {
            (self.0 >> DEPTH_SHIFT & DEPTH_MASK) as u32
        } else {
            0
        }
    }

    #[inline]
    fn base(self) -> *mut AtomicU64 {
        ptr::with_exposed_provenance_mut((self.0 & ADDRESS_MASK) as usize)
    }

    /// Index and segment of a position.
    ///
    /// # Safety
    /// The root is nothing, or the directory is not freed during the call.
    #[inline]
    pub(super) unsafe fn locate(self, position: Position) -> (usize, Segment) {
        if !self.is_directory() {
            return (0, Segment(self.0));
        }
        let index = position.prefix(self.depth());
        // SAFETY: a prefix of `depth` bits is below 2^depth, the number of slots.
        let slot = unsafe { &*self.base().add(index) };
        (index, Segment(slot.load(Ordering::Acquire)))
    }

    /// The slots of a directory.
    ///
    /// # Safety
    /// It is a directory, and is not freed for `'a`.
    #[inline]
    pub(super) unsafe fn slots<'a>(self) -> &'a [AtomicU64] {
        // SAFETY: allocated with this many slots and filled.
        unsafe { std::slice::from_raw_parts(self.base(), 1 << self.depth()) }
    }

    /// Hands the directory's memory over; the segments are elsewhere.
    ///
    /// # Safety
    /// It is a directory, and no dict uses it any more.
    pub(super) unsafe fn retire(self) -> Retired {
        let block = NonNull::new(self.base().cast()).expect("a directory");
        // SAFETY: allocated in `allocate` with this layout.
        unsafe { Retired::new(block, Self::layout(self.depth())) }
    }

    /// Without what changes at every insertion: the form that is published.
    pub(super) fn published(self) -> u64 {
        if self.is_directory() || self.0 == 0 {
            self.0
        } else {
            Segment(self.0).with_count(0).0
        }
    }

    /// Bytes of a directory, 0 if it is none.
    pub(super) fn bytes(self) -> usize {
        if self.is_directory() {
            Self::layout(self.depth()).size()
        } else {
            0
        }
    }
}
