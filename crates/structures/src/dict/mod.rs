//! The keyspace dict: extendible hashing over small segments, with no slow step at any size.
//!
//! A directory, indexed by the first bits of the hash (below the stripe's), names segments of 1 to 64 buckets; a bucket holds
//! seven entries under one-byte fingerprints, and the fingerprints of a segment lie together. A full segment climbs a ladder of sizes and at the top splits in
//! two; a sparse one climbs down and merges with its buddy. One operation rebuilds at most one segment (448 entries) and
//! copies at most the directory (one slot per some 200 entries): below 50 us up to several million entries.
//!
//! - `position` says how a hash becomes a place, and what a scan cursor is. Scans are exact whatever the dict does meanwhile.
//! - `bucket`, `segment`, `directory` are the three layers of memory; `restructure` is growth and shrinking, `moving` what it moves; `walk` is
//!   everything that visits many entries; `root` is what other threads may look at without the lock.
//!
//! **Invariant.** The owner alone, by `&mut`, changes anything. Other threads see atomics through a [`Root`] and use them for
//! prefetching only; memory that they may see goes to a [`Reclaim`], never straight back.
//!
//! **Collisions.** Entries that find no room though their segment is mostly empty (more than 14 equal hashes, which a keyed
//! hash makes a matter of luck) go to a list beside the directory, the stash, searched from front to back. Memory and the
//! directory stay proportional to the entries, whatever the hashes are.
//!
//! The dict knows neither hash function nor time; it does not compare hashes, only keys, and stores no key twice only because
//! the caller asks first ([`Dict::insert_new`]).

mod bucket;
mod check;
mod directory;
mod handle;
mod moving;
mod position;
mod restructure;
mod root;
mod segment;
mod walk;

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::epoch::{FreeNow, Reclaim};
use directory::RootWord;
use handle::{AbortOnUnwind, Tagged, WriteBack};
use position::{Position, fingerprint};
use segment::{Segment, View};

pub use handle::{Handle, Ref, Slot};
pub use position::{POSITION_BITS, STRIPE_BITS};
pub use root::{Root, Sighting};
pub use walk::{Drain, Iter};

/// An entry that found no room where it belongs.
struct Stashed<P> {
    hash: u64,
    entry: P,
}

/// A dict of entries found by 64-bit hash and key. See the module.
///
/// Every entry must have been inserted under the hash that later calls give for its key, and all hashes of a dict must agree
/// in their top [`STRIPE_BITS`] (else scan cursors of different stripes mix; nothing else depends on it).
///
/// Dropping a dict drops its entries and frees its memory at once: where other threads may look into it through a [`Root`],
/// end it by [`Dict::into_drain`].
#[repr(C)]
pub struct Dict<P: Handle> {
    /// A [`RootWord`].
    root: AtomicU64,
    len: usize,
    /// Bytes of segments and directory.
    bytes: usize,
    /// Segments as deep as the directory.
    deepest: usize,
    mutations: u16,
    stash: Vec<Stashed<P>>,
    owns: PhantomData<P>,
}

impl<P: Handle> Default for Dict<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Handle> std::fmt::Debug for Dict<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dict")
            .field("len", &self.len)
            .field("bytes", &self.memory_bytes())
            .finish_non_exhaustive()
    }
}

impl<P: Handle> Dict<P> {
    /// An empty dict; allocates nothing.
    pub const fn new() -> Self {
        Dict {
            root: AtomicU64::new(0),
            len: 0,
            bytes: 0,
            deepest: 0,
            mutations: 0,
            stash: Vec::new(),
            owns: PhantomData,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the dict has allocated, not counting the entries and what waits in a [`Reclaim`]. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.bytes + self.stash.capacity() * size_of::<Stashed<P>>()
    }

    /// Where the entry with this key is. O(1): for most a cache line of fingerprints; for a hit one of pointers, and the entry.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        self.look_up(hash, key).map(|(slot, _)| slot)
    }

    /// Brings the bucket where an entry with this hash belongs into the cache.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let position = Position::of_hash(hash);
        let (_, segment) = self.locate(position);
        if !segment.is_none() {
            let view = self.view(segment);
            let home = view.shape.home(view.shape.tag(position));
            view.prefetch(home);
        }
    }

    /// The entry with this key, and where it is.
    #[inline]
    pub fn look_up(&self, hash: u64, key: &[u8]) -> Option<(Slot, Ref<'_, P>)> {
        let position = Position::of_hash(hash);
        let (index, segment) = self.locate(position);
        if segment.is_none() {
            return None;
        }
        let view = self.view(segment);
        let tag = view.shape.tag(position);
        let home = view.shape.home(tag);
        let print = fingerprint(hash);
        view.prefetch_row(home);
        if let Some((slot, entry)) = self.find_in(view, home, print, tag, key) {
            return Some((self.slot(index, home, slot), entry));
        }
        let word = view.bucket(home).word();
        if word.may_be_away(print) {
            let other = view.alternate(home, print);
            if let Some((slot, entry)) = self.find_away(view, other, print, tag, key) {
                return Some((self.slot(index, other, slot), entry));
            }
        }
        if word.has_stashed() {
            return self.find_stashed(hash, key);
        }
        None
    }

    /// Spelled once more as a function of its own: the home bucket, where most are, is looked into without a call.
    #[inline(never)]
    fn find_away(
        &self,
        view: View<'_>,
        other: usize,
        print: u8,
        tag: u16,
        key: &[u8],
    ) -> Option<(usize, Ref<'_, P>)> {
        self.find_in(view, other, print, tag, key)
    }

    #[inline(always)]
    fn find_in(
        &self,
        view: View<'_>,
        bucket: usize,
        print: u8,
        tag: u16,
        key: &[u8],
    ) -> Option<(usize, Ref<'_, P>)> {
        let bucket = view.bucket(bucket);
        bucket.word().matches(print).find_map(|slot| {
            let word = bucket.entry(slot);
            let entry = self.borrow(word);
            (word.tag() == tag && is_same(entry.key(), key)).then_some((slot, entry))
        })
    }

    #[cold]
    fn find_stashed(&self, hash: u64, key: &[u8]) -> Option<(Slot, Ref<'_, P>)> {
        let is_it = |stashed: &Stashed<P>| stashed.hash == hash && stashed.entry.key() == key;
        let at = self.stash.iter().position(is_it)?;
        let entry = self.borrow_stashed(&self.stash[at].entry);
        Some((self.stash_slot(at), entry))
    }

    /// The entry at a slot.
    ///
    /// # Panics
    /// If the slot is stale, as far as that shows.
    #[inline]
    pub fn at(&self, slot: Slot) -> Ref<'_, P> {
        self.check(slot);
        if slot.is_stashed() {
            return self.borrow_stashed(&self.stash[slot.index()].entry);
        }
        let (bucket, at) = slot.place();
        let view = self.view(self.segment_at(slot.index()));
        self.borrow(view.bucket(bucket).entry(at))
    }

    /// Lets the owner change an entry, even move it to another allocation; it must keep its key. The slot stays valid.
    pub fn with_mut<R>(&mut self, slot: Slot, change: impl FnOnce(&mut P) -> R) -> R {
        self.check(slot);
        if slot.is_stashed() {
            return change(&mut self.stash[slot.index()].entry);
        }
        let (bucket, at) = slot.place();
        let view = self.view(self.segment_at(slot.index()));
        let bucket = view.bucket(bucket);
        let entry = bucket.entry(at);
        let store = |raw| bucket.replace(at, Tagged::new(raw, entry.tag()));
        // SAFETY: the word is stored in this dict, which is mutably borrowed, and `store` replaces it.
        #[allow(unsafe_code)]
        let mut handle = unsafe { WriteBack::<P, _>::new(entry.raw(), store) };
        change(handle.handle())
    }

    /// Replaces an entry by another with the same key. The slot stays valid. A panic in `change` aborts the process.
    pub fn replace(&mut self, slot: Slot, change: impl FnOnce(P) -> P) {
        self.with_mut(slot, |handle| {
            let guard = AbortOnUnwind;
            #[allow(unsafe_code)]
            // SAFETY: the copy is the handle from here on; the original is overwritten without being dropped, and no
            // unwinding comes between.
            unsafe {
                let changed = change(std::ptr::read(handle));
                std::ptr::write(handle, changed);
            }
            std::mem::forget(guard);
        });
    }

    /// Adds an entry whose key is not in the dict (that is for the caller to know). Amortized O(1); at worst one segment is
    /// rebuilt, or split and the directory doubled. Slots become invalid.
    ///
    /// `hash_of` is asked for the hashes of entries in the segment that splits.
    pub fn insert_new(
        &mut self,
        hash: u64,
        entry: P,
        hash_of: impl Fn(&P) -> u64,
        reclaim: &mut impl Reclaim,
    ) -> Slot {
        let position = Position::of_hash(hash);
        self.mutations = self.mutations.wrapping_add(1);
        self.len += 1;
        if self.root_word().0 == 0 {
            self.plant();
        }
        let raw = entry.into_raw();
        loop {
            let (index, segment) = self.locate(position);
            let view = self.view(segment);
            let tagged = Tagged::new(raw, view.shape.tag(position));
            if let Some((bucket, slot)) = view.place(fingerprint(hash), tagged) {
                let first = self.first_index(index, segment);
                let count = self.segment_at(first).count();
                self.set_segment(first, segment.with_count(count + 1));
                return self.slot(index, bucket, slot);
            }
            if !self.make_room(index, &hash_of, reclaim) {
                // SAFETY: `raw` came from `into_raw` above and was not stored.
                #[allow(unsafe_code)]
                let entry = unsafe { P::from_raw(raw) };
                return self.put_in_stash(hash, entry);
            }
        }
    }

    /// Takes an entry out. Amortized O(1); at worst one segment is rebuilt smaller, or merged and the directory halved. Slots
    /// become invalid.
    pub fn remove(&mut self, slot: Slot, reclaim: &mut impl Reclaim) -> P {
        self.check(slot);
        self.mutations = self.mutations.wrapping_add(1);
        if slot.is_stashed() {
            self.len -= 1;
            return self.take_from_stash(slot.index());
        }
        let (bucket, at) = slot.place();
        let segment = self.segment_at(slot.index());
        let view = self.view(segment);
        let raw = view.bucket(bucket).entry(at).raw();
        let (print, tagged) = view.bucket(bucket).take(at);
        let home = view.shape.home(tagged.tag());
        self.len -= 1;
        let first = self.first_index(slot.index(), segment);
        let count = self.segment_at(first).count();
        self.set_segment(first, segment.with_count(count - 1));
        if home != bucket {
            view.forget_away(home, print);
        }
        if !self.stash.is_empty() {
            self.unstash(first);
        }
        self.tidy(first, reclaim);
        // SAFETY: the pointer was stored by `into_raw` and is stored no longer.
        #[allow(unsafe_code)]
        unsafe {
            P::from_raw(raw)
        }
    }

    #[inline]
    fn root_word(&self) -> RootWord {
        RootWord(self.root.load(Ordering::Relaxed))
    }

    /// Index and segment of a position; `NONE` in an empty dict.
    #[inline]
    fn locate(&self, position: Position) -> (usize, Segment) {
        // SAFETY: the directory is the dict's own and cannot change while it is borrowed.
        #[allow(unsafe_code)]
        unsafe {
            self.root_word().locate(position)
        }
    }

    /// The slots of the directory, or the root word itself as the only slot.
    #[inline]
    fn slots(&self) -> &[AtomicU64] {
        let root = self.root_word();
        if root.is_directory() {
            // SAFETY: the directory is the dict's own and is not freed while it is borrowed.
            #[allow(unsafe_code)]
            unsafe {
                root.slots()
            }
        } else {
            std::slice::from_ref(&self.root)
        }
    }

    #[inline]
    fn segment_at(&self, index: usize) -> Segment {
        Segment(self.slots()[index].load(Ordering::Relaxed))
    }

    #[inline]
    fn set_segment(&mut self, index: usize, segment: Segment) {
        // Release, because look-ahead follows the pointer to memory that was zeroed without atomics.
        self.slots()[index].store(segment.0, Ordering::Release);
    }

    /// The first of the slots that name a segment.
    #[inline]
    fn first_index(&self, index: usize, segment: Segment) -> usize {
        let spare = self.root_word().depth() - segment.depth();
        index >> spare << spare
    }

    /// The buckets of one of the dict's segments. The lifetime is the caller's to keep short: no segment may be retired or
    /// freed while its view is used.
    #[inline]
    fn view<'a>(&self, segment: Segment) -> View<'a> {
        assert!(!segment.is_none(), "the dict is not empty");
        // SAFETY: words come from the dict's own slots; `restructure` and `walk` do not use views of segments they retired.
        #[allow(unsafe_code)]
        unsafe {
            segment.view()
        }
    }

    #[inline]
    fn borrow(&self, entry: Tagged) -> Ref<'_, P> {
        // SAFETY: entries are read from the dict's own buckets and stay stored while it is borrowed.
        #[allow(unsafe_code)]
        unsafe {
            entry.borrow()
        }
    }

    fn borrow_stashed<'a>(&'a self, entry: &'a P) -> Ref<'a, P> {
        // SAFETY: a handle is transparent over its pointer, and the entry stays stored while the dict is borrowed.
        #[allow(unsafe_code)]
        unsafe {
            Ref::new(*std::ptr::from_ref(entry).cast())
        }
    }

    #[inline]
    fn slot(&self, index: usize, bucket: usize, slot: usize) -> Slot {
        Slot::stored(index, bucket, slot, self.mutations)
    }

    fn stash_slot(&self, at: usize) -> Slot {
        Slot::stashed(at, self.mutations)
    }

    #[inline]
    fn check(&self, slot: Slot) {
        debug_assert_eq!(slot.mutations(), self.mutations, "a slot is used too late");
    }
}

impl<P: Handle> Drop for Dict<P> {
    fn drop(&mut self) {
        if self.root_word().0 != 0 {
            self.clear_slice(
                &mut walk::DrainAt::default(),
                usize::MAX,
                &mut FreeNow,
                &mut drop,
            );
        }
    }
}

/// Whether two keys are equal. Most have 8 to 16 bytes, and two comparisons of words cost less than a call.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(first), Some(other)) if a.len() <= 16 => {
            first == other && a.last_chunk::<8>() == b.last_chunk::<8>()
        }
        _ => a == b,
    }
}
