//! One key with its value in one allocation.
//!
//! ```text
//! byte 0      kind (low 4 bits) and flags (DEADLINE, WIDE, MARK)
//! bytes 1-3   access clock, 24 bits
//! then        key length, value length: one byte each, or four bytes each when WIDE
//! then        with DEADLINE: wheel index (4 bytes), deadline (6 bytes, milliseconds since 1970)
//! then        key, value bytes (a value behind a pointer takes the 8 bytes of the pointer)
//! ```
//!
//! A 16-byte key with a 64-byte value and a deadline takes exactly the 96-byte size class.
//!
//! Invariant: the allocation's size is `size_class(content)`, so content may change in place as long as its class stays.
//! Not here: where the entry is filed (see [`crate::shard`]) and when it dies.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use dunlin_structures::dict::Handle;

use crate::big::Big;
use crate::chunked::Chunked;
pub use crate::image::Image;
pub use crate::kind::{Kind, ValueType};
pub use crate::text::{NewString, StrRef};
use crate::timed_hash::Deadlines;

/// Strings up to this many bytes live in the entry; longer ones are chunked.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Strings up to this many bytes report the encoding `embstr`, as in Redis.
pub const EMBSTR_BYTES_MAX: usize = 44;
/// Latest deadline that an entry can hold: 48 bits of milliseconds, the year 10889.
pub const DEADLINE_MS_MAX: u64 = (1 << 48) - 1;
/// The wheel index of an entry that is in no wheel.
pub const NO_TIMER: u32 = u32::MAX;

const DEADLINE: u8 = 0x10;
const WIDE: u8 = 0x20;
/// See [`Entry::mark`].
const MARK: u8 = 0x40;
const CLOCK_MASK: u32 = 0x00ff_ffff;
/// What of an entry's first word stays when its value changes: clock and mark.
const KEPT_MASK: u32 = !0xff | MARK as u32;
const NARROW_HEADER_BYTES: usize = 6;
const WIDE_HEADER_BYTES: usize = 12;
const TIMER_BYTES: usize = 10;

pub use dunlin_structures::packed::canonical_int as parse_canonical_int;

/// Rounds a content size up to its allocation class: multiples of 16 up to 128, then four classes per doubling
/// (the classes of jemalloc, so that nothing is wasted there).
pub fn size_class(content: usize) -> usize {
    if content <= 128 {
        return content.next_multiple_of(16);
    }
    let spacing = 1usize << (usize::BITS - 3 - (content - 1).leading_zeros());
    content.next_multiple_of(spacing)
}

/// An owned entry. One word; the allocation is freed on drop.
#[repr(transparent)]
pub struct Entry(NonNull<u8>);

// SAFETY: an entry owns its allocation and everything in it is Send (bytes, Arc<Chunked>).
unsafe impl Send for Entry {}

/// Lengths and flags of an entry: what decides its layout.
#[derive(Copy, Clone)]
struct Shape {
    key_len: usize,
    value_len: usize,
    deadline: bool,
}

impl Shape {
    #[inline]
    fn wide(self) -> bool {
        self.key_len > 255 || self.value_len > 255
    }
    #[inline]
    fn lead(self) -> usize {
        let lens = if self.wide() {
            WIDE_HEADER_BYTES
        } else {
            NARROW_HEADER_BYTES
        };
        lens + if self.deadline { TIMER_BYTES } else { 0 }
    }
    #[inline]
    fn content(self) -> usize {
        self.lead() + self.key_len + self.value_len
    }
    #[inline]
    fn class(self) -> usize {
        size_class(self.content())
    }
    /// Whether an entry of this shape becomes one of the other, of the same key, in place.
    #[inline]
    fn has_room_for(self, new: Shape) -> bool {
        self.value_len == new.value_len
            || (self.class() == new.class() && self.wide() == new.wide())
    }
}

fn layout(class: usize) -> Layout {
    Layout::from_size_align(class, 8).expect("an entry is far smaller than isize::MAX")
}

impl Entry {
    fn allocate(shape: Shape) -> NonNull<u8> {
        let layout = layout(shape.class());
        // SAFETY: the layout's size is never zero: a header alone takes 6 bytes.
        let raw = unsafe { alloc(layout) };
        NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// Writes flags, kind and lengths; `kept` has clock and mark where the first word has them.
    #[inline]
    fn write_header(&mut self, kind: Kind, kept: u32, shape: Shape) {
        assert!(
            shape.key_len <= u32::MAX as usize,
            "keys are limited by proto-max-bulk-len"
        );
        let mut flags = kind as u8;
        if shape.deadline {
            flags |= DEADLINE;
        }
        if shape.wide() {
            flags |= WIDE;
        }
        let word = u32::from(flags) | kept;
        let p = self.0.as_ptr();
        // SAFETY: the allocation has at least `shape.lead()` bytes.
        unsafe {
            p.cast::<u32>().write(word);
            if shape.wide() {
                p.add(4).cast::<u32>().write_unaligned(shape.key_len as u32);
                p.add(8)
                    .cast::<u32>()
                    .write_unaligned(shape.value_len as u32);
            } else {
                p.add(4).write(shape.key_len as u8);
                p.add(5).write(shape.value_len as u8);
            }
        }
    }

    /// The allocation, for who files the entry.
    #[inline]
    pub(crate) fn raw(&self) -> NonNull<u8> {
        self.0
    }

    #[inline]
    fn flags(&self) -> u8 {
        // SAFETY: byte 0 of every entry holds the flags.
        unsafe { self.0.as_ptr().read() }
    }

    #[inline]
    fn shape(&self) -> Shape {
        let p = self.0.as_ptr();
        let flags = self.flags();
        // SAFETY: the lengths stand where `write_header` put them for this WIDE flag.
        let (key_len, value_len) = unsafe {
            if flags & WIDE != 0 {
                (
                    p.add(4).cast::<u32>().read() as usize,
                    p.add(8).cast::<u32>().read() as usize,
                )
            } else {
                (p.add(4).read() as usize, p.add(5).read() as usize)
            }
        };
        Shape {
            key_len,
            value_len,
            deadline: flags & DEADLINE != 0,
        }
    }

    /// A new entry without deadline.
    pub fn string(key: &[u8], value: NewString<'_>, clock: u32) -> Entry {
        let mut scratch = [0u8; 8];
        let (kind, bytes) = stored(value, &mut scratch);
        Entry::assemble(key, kind, bytes, clock << 8, None)
    }

    fn assemble(
        key: &[u8],
        kind: Kind,
        value: &[u8],
        kept: u32,
        timer: Option<(u32, u64)>,
    ) -> Entry {
        let shape = Shape {
            key_len: key.len(),
            value_len: value.len(),
            deadline: timer.is_some(),
        };
        let mut entry = Entry(Entry::allocate(shape));
        entry.write_header(kind, kept, shape);
        if let Some((index, deadline)) = timer {
            entry.write_timer(index, deadline);
        }
        // SAFETY: the allocation has room for lead, key and value; sources don't overlap a fresh allocation.
        unsafe {
            let body = entry.0.as_ptr().add(shape.lead());
            body.copy_from_nonoverlapping(key.as_ptr(), key.len());
            body.add(key.len())
                .copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
        entry
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: key_len bytes stand behind the lead.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(shape.lead()), shape.key_len) }
    }

    /// Type and encoding.
    #[inline]
    pub fn kind(&self) -> Kind {
        Kind::from_bits(self.flags())
    }

    #[inline]
    pub(crate) fn value_bytes(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: value_len bytes stand behind lead and key.
        unsafe {
            std::slice::from_raw_parts(
                self.0.as_ptr().add(shape.lead() + shape.key_len),
                shape.value_len,
            )
        }
    }

    #[inline]
    fn value_bytes_mut(&mut self) -> &mut [u8] {
        let shape = self.shape();
        // SAFETY: as in `value_bytes`; `&mut self` makes the access exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.0.as_ptr().add(shape.lead() + shape.key_len),
                shape.value_len,
            )
        }
    }

    fn word(&self) -> [u8; 8] {
        self.value_bytes()
            .try_into()
            .expect("values behind a pointer and integers take 8 bytes")
    }

    fn chunked_ptr(&self) -> *const Chunked {
        debug_assert_eq!(self.kind(), Kind::Chunked);
        std::ptr::with_exposed_provenance(usize::from_ne_bytes(self.word()))
    }

    pub(crate) fn chunked_arc(&self) -> Arc<Chunked> {
        let raw = self.chunked_ptr();
        // SAFETY: the pointer came from Arc::into_raw; the count is raised first, so the entry keeps its own reference.
        unsafe {
            Arc::increment_strong_count(raw);
            Arc::from_raw(raw)
        }
    }

    /// Takes the entry's reference out. Eight meaningless raw bytes are left as the value, so that neither a drop nor a
    /// change of the entry releases the reference again.
    fn take_chunked(&mut self) -> Arc<Chunked> {
        let raw = self.chunked_ptr();
        let (kept, shape) = (self.kept(), self.shape());
        self.write_header(Kind::Raw, kept, shape);
        // SAFETY: the pointer came from Arc::into_raw, and the entry has just forgotten it.
        unsafe { Arc::from_raw(raw) }
    }

    /// The value as a string; `None` when it is of another type. O(1).
    #[inline]
    pub fn as_string(&self) -> Option<StrRef<'_>> {
        Some(match self.kind() {
            Kind::Int => StrRef::Int(i64::from_ne_bytes(self.word())),
            Kind::Embstr | Kind::Raw => StrRef::Bytes(self.value_bytes()),
            // SAFETY: the pointer came from Arc::into_raw and the entry keeps its reference while it is borrowed.
            Kind::Chunked => StrRef::Chunked(unsafe { &*self.chunked_ptr() }),
            _ => return None,
        })
    }

    /// Deadline of the key in milliseconds since 1970, if it has one.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        match self.timed() {
            None => self.due(),
            Some(deadlines) => deadlines.of_key(),
        }
    }

    /// When the entry has to be looked after: its deadline, or of a hash whose fields have deadlines at the latest the first of them all.
    #[inline]
    pub fn due(&self) -> Option<u64> {
        let shape = self.shape();
        if !shape.deadline {
            return None;
        }
        let at = shape.lead() - 6;
        let mut bytes = [0u8; 8];
        // SAFETY: an entry with DEADLINE has six deadline bytes at the end of its lead.
        unsafe {
            bytes
                .as_mut_ptr()
                .copy_from_nonoverlapping(self.0.as_ptr().add(at), 6)
        };
        Some(u64::from_le_bytes(bytes))
    }

    /// Whether nothing of it is left at this time.
    #[inline]
    pub fn is_dead(&self, now_ms: u64) -> bool {
        self.due().is_some_and(|due| due <= now_ms)
            && self
                .timed()
                .is_none_or(|deadlines| deadlines.all_past(now_ms))
    }

    /// The deadlines of a hash whose fields may have some.
    #[inline]
    pub fn timed(&self) -> Option<Deadlines<'_>> {
        match self.kind() {
            Kind::HashPackedTimed => Some(Deadlines::Packed(self.value_bytes())),
            Kind::HashTimed => match self.big() {
                Some(Big::HashTimed(hash)) => Some(Deadlines::Big(hash)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Index of the entry's node in its shard's wheel, or [`NO_TIMER`].
    pub fn timer_index(&self) -> u32 {
        let shape = self.shape();
        if !shape.deadline {
            return NO_TIMER;
        }
        // SAFETY: an entry with DEADLINE has the index in the ten last bytes of its lead.
        unsafe {
            self.0
                .as_ptr()
                .add(shape.lead() - TIMER_BYTES)
                .cast::<u32>()
                .read_unaligned()
        }
    }

    /// Overwrites wheel index and deadline of an entry that has room for them.
    pub fn write_timer(&mut self, index: u32, deadline_ms: u64) {
        let shape = self.shape();
        assert!(
            shape.deadline,
            "an entry without deadline has no room for one"
        );
        let deadline = deadline_ms.min(DEADLINE_MS_MAX).to_le_bytes();
        // SAFETY: an entry with DEADLINE has ten timer bytes at the end of its lead.
        unsafe {
            let at = self.0.as_ptr().add(shape.lead() - TIMER_BYTES);
            at.cast::<u32>().write_unaligned(index);
            at.add(4).copy_from_nonoverlapping(deadline.as_ptr(), 6);
        }
    }

    /// The access clock, 24 bits.
    #[inline]
    pub fn clock(&self) -> u32 {
        // SAFETY: the first four bytes of every entry are initialised.
        unsafe { self.0.as_ptr().cast::<u32>().read() >> 8 }
    }

    /// Sets the access clock; writes only when it changed, so that a read leaves the cache line clean.
    #[inline]
    pub fn set_clock(&self, clock: u32) {
        let p = self.0.as_ptr().cast::<u32>();
        // SAFETY: the first four bytes of every entry are initialised, and no reference to them is ever made. Entries are not
        // `Sync`, so no other thread looks meanwhile.
        unsafe {
            let old = p.read();
            let new = (old & 0xff) | (clock & CLOCK_MASK) << 8;
            if new != old {
                p.write(new);
            }
        }
    }

    /// Clock and mark, where the first word has them.
    #[inline]
    fn kept(&self) -> u32 {
        // SAFETY: the first four bytes of every entry are initialised.
        unsafe { self.0.as_ptr().cast::<u32>().read() & KEPT_MASK }
    }

    /// A bit that the shard of the entry uses to tell what a snapshot has seen.
    #[inline]
    pub(crate) fn mark(&self) -> bool {
        self.flags() & MARK != 0
    }

    /// Sets the mark; writes only when it changed.
    #[inline]
    pub(crate) fn set_mark(&self, mark: bool) {
        let p = self.0.as_ptr().cast::<u32>();
        // SAFETY: as in `set_clock`.
        unsafe {
            let old = p.read();
            let new = (old & !u32::from(MARK)) | (u32::from(mark) * u32::from(MARK));
            if new != old {
                p.write(new);
            }
        }
    }

    /// Bytes allocated for this entry, without what it points to.
    pub fn allocated_bytes(&self) -> usize {
        self.shape().class()
    }

    /// Whether the value lies in the entry and takes at most so many bytes.
    #[inline]
    pub(crate) fn is_short(&self, bytes_max: usize) -> bool {
        let kind = self.kind();
        !kind.is_big() && kind != Kind::Chunked && self.shape().value_len <= bytes_max
    }

    /// Bytes held by the value outside the entry. O(chunks).
    pub fn outside_bytes(&self) -> usize {
        match (self.as_string(), self.big()) {
            (Some(StrRef::Chunked(c)), _) => c.memory_bytes(),
            (_, Some(big)) => big.memory_bytes(),
            _ => 0,
        }
    }

    /// Steps needed to free this entry; above one, freeing belongs in the background.
    #[inline]
    pub fn free_effort(&self) -> usize {
        match self.kind() {
            // SAFETY: as in `as_string`.
            Kind::Chunked => unsafe { &*self.chunked_ptr() }.chunk_count(),
            kind if kind.is_big() => self.big().map_or(1, Big::leaf_count),
            _ => 1,
        }
    }

    /// Drops what the value owns outside the entry; the entry's value bytes are dead afterwards.
    fn release_outside(&mut self) {
        match self.kind() {
            Kind::Chunked => drop(self.take_chunked()),
            kind if kind.is_big() => drop(self.take_big()),
            _ => {}
        }
    }

    fn big_ptr(&self) -> *mut Big {
        std::ptr::with_exposed_provenance_mut(usize::from_ne_bytes(self.word()))
    }

    /// Takes the value out, if it is a chunked string; the entry's value bytes are dead then.
    pub(crate) fn take_value_if_chunked(&mut self) -> Option<Arc<Chunked>> {
        (self.kind() == Kind::Chunked).then(|| self.take_chunked())
    }

    /// The value, if it is a collection in its big form.
    #[inline]
    pub fn big(&self) -> Option<&Big> {
        // SAFETY: the pointer came from Box::into_raw in `with_big`, and the entry owns the box while it is borrowed.
        self.kind().is_big().then(|| unsafe { &*self.big_ptr() })
    }

    /// The value for changing it, likewise; it must stay of its kind.
    #[inline]
    pub fn big_mut(&mut self) -> Option<&mut Big> {
        // SAFETY: as in `big`; `&mut self` makes the access exclusive.
        self.kind()
            .is_big()
            .then(|| unsafe { &mut *self.big_ptr() })
    }

    /// Takes the box out, as `take_chunked` does.
    fn take_big(&mut self) -> Box<Big> {
        let raw = self.big_ptr();
        let (kept, shape) = (self.kept(), self.shape());
        self.write_header(Kind::Raw, kept, shape);
        // SAFETY: the pointer came from Box::into_raw, and the entry has just forgotten it.
        unsafe { Box::from_raw(raw) }
    }

    /// Stores a collection in its big form in place of the value.
    #[must_use]
    pub fn with_big(self, big: Big) -> Entry {
        let kind = big.kind();
        let word = Box::into_raw(Box::new(big))
            .expose_provenance()
            .to_ne_bytes();
        self.with_value(kind, &word)
    }

    /// A new entry, without deadline, of a collection in its packed form.
    pub fn packed(key: &[u8], kind: Kind, bytes: &[u8], clock: u32) -> Entry {
        debug_assert!(kind.is_packed());
        Entry::assemble(key, kind, bytes, clock << 8, None)
    }

    /// The bytes of a collection in its packed form.
    #[inline]
    pub fn packed_bytes(&self) -> Option<&[u8]> {
        self.kind().is_packed().then(|| self.value_bytes())
    }

    /// Stores a collection in its packed form in place of the value.
    #[must_use]
    pub fn with_packed(self, kind: Kind, bytes: &[u8]) -> Entry {
        debug_assert!(kind.is_packed());
        self.with_value(kind, bytes)
    }

    /// A packed form with `old` bytes at `at` replaced by `new`. In place when the size class stays.
    ///
    /// # Panics
    /// If the value is in no packed form or shorter than `at + old`.
    #[must_use]
    pub fn splice(mut self, at: usize, old: usize, new: &[u8]) -> Entry {
        let kind = self.kind();
        assert!(kind.is_packed(), "{kind:?} is no packed form");
        let len = self.shape().value_len;
        assert!(at + old <= len);
        if new.len() > old {
            self = self.resized(kind, len + new.len() - old);
        }
        let value = self.value_bytes_mut();
        value.copy_within(at + old..len, at + new.len());
        value[at..at + new.len()].copy_from_slice(new);
        if new.len() < old {
            self = self.resized(kind, len + new.len() - old);
        }
        self
    }

    /// The same key and deadline with another string. In place when the size class stays.
    #[inline]
    #[must_use]
    pub fn with_string(self, value: NewString<'_>) -> Entry {
        let mut scratch = [0u8; 8];
        let (kind, bytes) = stored(value, &mut scratch);
        self.with_value(kind, bytes)
    }

    /// Overwrites a string that lies in an entry without deadline by another that does, if its size class stays. `false`: nothing was done.
    ///
    /// # Safety
    /// Nobody else looks at the entry meanwhile, and no reference into it is in use. `value` is not part of it.
    #[inline]
    pub unsafe fn overwrite(&self, value: NewString<'_>, clock: u32) -> bool {
        let mut scratch = [0u8; 8];
        let (kind, value) = match value {
            NewString::Raw(b) if b.len() > INLINE_BYTES_MAX => return false,
            _ => stored(value, &mut scratch),
        };
        let old = self.shape();
        let new = Shape {
            value_len: value.len(),
            ..old
        };
        let lies_here = matches!(self.kind(), Kind::Int | Kind::Embstr | Kind::Raw);
        if !lies_here || old.deadline || !old.has_room_for(new) {
            return false;
        }
        let kept = self.kept() & 0xff | (clock & CLOCK_MASK) << 8;
        // Another handle of the same entry, for writing; it must not free it.
        let mut entry = ManuallyDrop::new(Entry(self.0));
        entry.write_header(kind, kept, new);
        entry.value_bytes_mut().copy_from_slice(value);
        true
    }

    /// `value` is in stored form and is not part of this entry.
    #[inline]
    fn with_value(mut self, kind: Kind, value: &[u8]) -> Entry {
        let old = self.shape();
        let new = Shape {
            value_len: value.len(),
            ..old
        };
        if old.has_room_for(new) {
            self.release_outside();
            let kept = self.kept();
            self.write_header(kind, kept, new);
            self.value_bytes_mut().copy_from_slice(value);
            return self;
        }
        let timer = self.due().map(|at| (self.timer_index(), at));
        Entry::assemble(self.key(), kind, value, self.kept(), timer)
    }

    /// The same key and value with room for a deadline, or without. The value is moved, not copied, when it is outside.
    #[must_use]
    pub fn with_timer(self, timer: Option<(u32, u64)>) -> Entry {
        let shape = self.shape();
        if let (true, Some((index, deadline))) = (shape.deadline, timer) {
            let mut entry = self;
            entry.write_timer(index, deadline);
            return entry;
        }
        if shape.deadline == timer.is_some() {
            return self;
        }
        self.rebuilt(None, timer)
    }

    /// The same value, deadline and clock under another key.
    #[must_use]
    pub fn with_key(self, key: &[u8]) -> Entry {
        let timer = self.due().map(|at| (self.timer_index(), at));
        self.rebuilt(Some(key), timer)
    }

    fn rebuilt(mut self, key: Option<&[u8]>, timer: Option<(u32, u64)>) -> Entry {
        let kind = self.kind();
        let fresh = Entry::assemble(
            key.unwrap_or(self.key()),
            kind,
            self.value_bytes(),
            self.kept(),
            timer,
        );
        // The outside value now belongs to `fresh`: this shell must not release it.
        let shape = self.shape();
        let kept = self.kept();
        self.write_header(Kind::Raw, kept, shape);
        fresh
    }

    /// Stores an integer in place of the value.
    #[must_use]
    pub fn with_int(self, n: i64) -> Entry {
        self.with_value(Kind::Int, &n.to_ne_bytes())
    }

    /// Stores a chunked string in place of the value.
    #[must_use]
    pub fn with_chunked(self, chunked: Arc<Chunked>) -> Entry {
        let word = Arc::into_raw(chunked).expose_provenance().to_ne_bytes();
        self.with_value(Kind::Chunked, &word)
    }

    /// Writes `bytes` at `offset`, zero-filling a gap; the result is a raw string. O(bytes), plus O(length) when an
    /// inline value moves to a larger allocation.
    #[must_use]
    pub fn with_range(mut self, offset: usize, bytes: &[u8]) -> Entry {
        let end = offset + bytes.len();
        match self.kind() {
            Kind::Chunked => {
                let mut chunked = self.take_chunked();
                Arc::make_mut(&mut chunked).write(offset, bytes);
                self.with_chunked(chunked)
            }
            Kind::Int => {
                let text = self.as_string().expect("an integer is a string").to_vec();
                self.with_value(Kind::Raw, &text).with_range(offset, bytes)
            }
            Kind::Embstr | Kind::Raw if end > INLINE_BYTES_MAX => {
                let mut chunked = Chunked::from_bytes(self.value_bytes());
                chunked.write(offset, bytes);
                self.with_chunked(Arc::new(chunked))
            }
            Kind::Embstr | Kind::Raw => {
                let old_len = self.shape().value_len;
                let mut entry = self.resized(Kind::Raw, old_len.max(end));
                let value = entry.value_bytes_mut();
                if offset > old_len {
                    value[old_len..offset].fill(0);
                }
                value[offset..end].copy_from_slice(bytes);
                entry
            }
            kind => unreachable!("{kind:?} is no string"),
        }
    }

    /// The same with the bytes of a string that lies in the entry changed in place; the result is a raw string.
    ///
    /// # Panics
    /// If the value is an integer, chunked or no string.
    #[must_use]
    pub fn edited(mut self, change: impl FnOnce(&mut [u8])) -> Entry {
        assert!(matches!(self.kind(), Kind::Embstr | Kind::Raw));
        let (kept, shape) = (self.kept(), self.shape());
        self.write_header(Kind::Raw, kept, shape);
        change(self.value_bytes_mut());
        self
    }

    /// A value that lies in the entry with another length, cut or filled up with zeros.
    fn resized(mut self, kind: Kind, value_len: usize) -> Entry {
        let old = self.shape();
        let new = Shape { value_len, ..old };
        let kept = self.kept();
        if old.has_room_for(new) {
            // SAFETY: the class has room for the new content; grown bytes are zeroed so that they are initialised.
            unsafe {
                let value = self.0.as_ptr().add(old.lead() + old.key_len);
                if value_len > old.value_len {
                    value
                        .add(old.value_len)
                        .write_bytes(0, value_len - old.value_len);
                }
            }
            self.write_header(kind, kept, new);
            return self;
        }
        let mut entry = Entry(Entry::allocate(new));
        entry.write_header(kind, kept, new);
        if let Some(at) = self.due() {
            entry.write_timer(self.timer_index(), at);
        }
        // SAFETY: `new` has room for the key and `value_len` bytes; all of them are initialised here.
        unsafe {
            let body = entry.0.as_ptr().add(new.lead());
            body.copy_from_nonoverlapping(self.key().as_ptr(), new.key_len);
            let value = body.add(new.key_len);
            let kept = old.value_len.min(value_len);
            value.copy_from_nonoverlapping(self.value_bytes().as_ptr(), kept);
            value.add(kept).write_bytes(0, value_len - kept);
        }
        entry
    }
}

/// Kind and stored bytes of a new string.
#[inline]
fn stored<'a>(value: NewString<'a>, scratch: &'a mut [u8; 8]) -> (Kind, &'a [u8]) {
    match value {
        NewString::Int(n) => {
            *scratch = n.to_ne_bytes();
            (Kind::Int, scratch)
        }
        NewString::Embstr(b) => (Kind::Embstr, b),
        NewString::Raw(b) if b.len() <= INLINE_BYTES_MAX => (Kind::Raw, b),
        NewString::Raw(b) => {
            *scratch = Arc::into_raw(Arc::new(Chunked::from_bytes(b)))
                .expose_provenance()
                .to_ne_bytes();
            (Kind::Chunked, scratch)
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.release_outside();
        let class = self.shape().class();
        // SAFETY: allocated with exactly this layout: the class is a function of the shape, which in-place changes keep.
        unsafe { dealloc(self.0.as_ptr(), layout(class)) };
    }
}

// SAFETY: an entry is one word, a pointer to an allocation of at least 16 bytes and 8-aligned; the key never changes
// while the entry is filed.
unsafe impl Handle for Entry {
    fn into_raw(self) -> NonNull<u8> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Entry(raw)
    }
    fn key(&self) -> &[u8] {
        Entry::key(self)
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key().escape_ascii().to_string())
            .field("kind", &self.kind())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
