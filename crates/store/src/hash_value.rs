//! Hashes: fields with values packed inside the entry, and the big form, behind one interface.
//!
//! ```text
//! packed   a packed list: field, value, field, value, ...
//! big      a tree in the order of the fields' hashes; payload: length of the field (LEB128) | field | value
//! ```
//!
//! Each has a variant for fields with deadlines: see [`crate::timed_hash`].
//!
//! A hash leaves the packed form when it has more fields, or a longer field or value, than it may, and never returns to it.

use dunlin_structures::packed::{self, Element};
use dunlin_structures::tree::{self, Tree};
use smallvec::SmallVec;

use crate::big::{Big, MemberHash};
use crate::entry::{Entry, INLINE_BYTES_MAX, Kind};
use crate::hash::KeyHasher;
use crate::members::{self, member_hash};
use crate::timed_hash::{self, TimedHash};

/// Most fields, and longest field or value, of the packed form.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    /// `hash-max-listpack-entries`.
    pub entries: usize,
    /// `hash-max-listpack-value`.
    pub value_bytes: usize,
}

/// A hash, borrowed from its entry.
#[derive(Clone, Copy, Debug)]
pub enum HashRef<'a> {
    /// In the packed form: the list, and how many of its elements make a field.
    Packed(&'a [u8], usize),
    /// In the big form.
    Big(&'a Tree<MemberHash>),
}

/// Bytes that a deadline takes at most in the packed form.
const DEADLINE_BYTES_MAX: usize = 16;

/// Elements of a field in the packed form without deadlines.
const PLAIN_STRIDE: usize = 2;

/// Where the fields of a packed hash begin, and how many elements make one.
#[inline]
fn packed_shape(entry: &Entry) -> Option<(usize, usize)> {
    match entry.kind() {
        Kind::HashPacked => Some((0, PLAIN_STRIDE)),
        Kind::HashPackedTimed => {
            let bytes = entry.packed_bytes()?;
            Some((timed_hash::head_bytes(bytes), timed_hash::STRIDE))
        }
        _ => None,
    }
}

/// A field and its value.
pub type Pair<'a> = (Element<'a>, Element<'a>);

impl<'a> HashRef<'a> {
    /// The hash of an entry; `None` if it is of another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        if let Some((head, stride)) = packed_shape(entry) {
            let bytes = entry.packed_bytes()?;
            return Some(HashRef::Packed(&bytes[head..], stride));
        }
        match entry.kind() {
            kind if !kind.is_big() => None,
            _ => match entry.big() {
                Some(Big::Hash(tree)) => Some(HashRef::Big(tree)),
                Some(Big::HashTimed(hash)) => Some(HashRef::Big(&hash.fields)),
                _ => None,
            },
        }
    }

    /// Number of fields. O(fields) in the packed form.
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(list, stride) => packed::count(list) / stride,
            HashRef::Big(tree) => tree.len(),
        }
    }

    /// Whether there is no field, which no hash of a key has.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    #[inline]
    pub fn get(self, hasher: &KeyHasher, field: &[u8]) -> Option<Element<'a>> {
        match self {
            HashRef::Packed(list, stride) => {
                let (_, at) = packed::find(list, field, stride)?;
                let (_, value) = packed::element_at(list, at)?;
                packed::element_at(list, value).map(|(value, _)| value)
            }
            HashRef::Big(tree) => {
                let hash = member_hash(hasher, field);
                let found = members::find(tree, hash, |payload| unpack(payload).0 == field);
                found
                    .ok()
                    .map(|(_, payload)| Element::Bytes(unpack(payload).1))
            }
        }
    }

    /// Fields with values, in the order in which they lie.
    pub fn iter(self) -> Pairs<'a> {
        match self {
            HashRef::Packed(list, stride) => Pairs::Packed(packed::iter(list), stride),
            HashRef::Big(tree) => Pairs::Big(tree.iter()),
        }
    }

    /// The field of this number in that order. O(fields) in the packed form, else O(log fields).
    pub fn nth(self, index: usize) -> Option<Pair<'a>> {
        match self {
            HashRef::Packed(list, stride) => {
                let at = packed::position_of(list, index * stride, None);
                Pairs::Packed(packed::iter(&list[at..]), stride).next()
            }
            HashRef::Big(tree) => tree.get(index).map(|(_, payload)| pair(payload)),
        }
    }

    /// Visits fields from `cursor` on, see [`members::scan`]; all at once in the packed form.
    pub fn scan(self, cursor: u64, min: usize, mut visit: impl FnMut(Pair<'a>)) -> u64 {
        match self {
            HashRef::Packed(..) => {
                self.iter().for_each(visit);
                0
            }
            HashRef::Big(tree) => {
                members::scan(tree, cursor, min, |(_, payload)| visit(pair(payload)))
            }
        }
    }
}

/// See [`HashRef::iter`].
#[derive(Clone, Debug)]
pub enum Pairs<'a> {
    /// Over the packed form, and how many elements make a field.
    Packed(packed::Iter<'a>, usize),
    /// Over the big form.
    Big(tree::Iter<'a, MemberHash>),
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        match self {
            Pairs::Packed(elements, stride) => {
                let pair = (elements.next()?, elements.next()?);
                if *stride > PLAIN_STRIDE {
                    elements.next();
                }
                Some(pair)
            }
            Pairs::Big(entries) => entries.next().map(|(_, payload)| pair(payload)),
        }
    }
}

/// Field and value of a payload of the big form.
pub(crate) fn unpack(payload: &[u8]) -> (&[u8], &[u8]) {
    let (mut len, mut at) = (0, 0);
    loop {
        let byte = payload[at];
        len |= usize::from(byte & 0x7f) << (7 * at);
        at += 1;
        if byte < 0x80 {
            return payload[at..].split_at(len);
        }
    }
}

/// The field of such a payload.
pub(crate) fn field_of(payload: &[u8]) -> &[u8] {
    unpack(payload).0
}

fn pair(payload: &[u8]) -> Pair<'_> {
    let (field, value) = unpack(payload);
    (Element::Bytes(field), Element::Bytes(value))
}

/// The payload of a field and value; short ones need no allocation.
pub(crate) fn pack(field: &[u8], value: &[u8]) -> SmallVec<[u8; 160]> {
    let mut payload = SmallVec::with_capacity(field.len() + value.len() + 5);
    let mut len = field.len();
    while len >= 0x80 {
        payload.push(len as u8 | 0x80);
        len >>= 7;
    }
    payload.push(len as u8);
    payload.extend_from_slice(field);
    payload.extend_from_slice(value);
    payload
}

/// An empty hash under `key`, for fields to be set in it.
pub fn new(key: &[u8], clock: u32) -> Entry {
    Entry::packed(key, Kind::HashPacked, &[], clock)
}

/// Sets a field, which has no deadline then; whether it is a new one.
///
/// # Panics
/// If the entry is no hash.
#[must_use]
pub fn set(
    entry: Entry,
    hasher: &KeyHasher,
    limits: HashLimits,
    field: &[u8],
    value: &[u8],
) -> (Entry, bool) {
    put(entry, hasher, limits, (field, value), false)
}

/// Sets a field, whose deadline stays.
///
/// # Panics
/// If the entry is no hash.
#[must_use]
pub fn set_keeping_deadline(
    entry: Entry,
    hasher: &KeyHasher,
    limits: HashLimits,
    field: &[u8],
    value: &[u8],
) -> (Entry, bool) {
    put(entry, hasher, limits, (field, value), true)
}

fn put(
    mut entry: Entry,
    hasher: &KeyHasher,
    limits: HashLimits,
    (field, value): (&[u8], &[u8]),
    keeps_deadline: bool,
) -> (Entry, bool) {
    let is_short = field.len().max(value.len()) <= limits.value_bytes;
    if let Some((head, stride)) = packed_shape(&entry) {
        let list = &entry.packed_bytes().expect("it is packed")[head..];
        let found = packed::find(list, field, stride);
        let room = packed::encoded_len_max(field.len())
            + packed::encoded_len_max(value.len())
            + packed::encoded_len_max(0);
        // A change of a field counts, too: the limit may have been lowered meanwhile.
        let fits = packed::count(list) / stride + usize::from(found.is_none()) <= limits.entries;
        if is_short && fits && head + list.len() + room <= INLINE_BYTES_MAX {
            let mut new = Vec::with_capacity(room);
            let clears = stride > PLAIN_STRIDE && !keeps_deadline;
            let (at, old) = match found {
                Some((_, at)) => {
                    let (value, len) = value_place(list, at);
                    let end = field_end(list, at, stride);
                    (value, if clears { end - value } else { len })
                }
                None => {
                    Element::of(field).encode(&mut new);
                    (list.len(), 0)
                }
            };
            Element::of(value).encode(&mut new);
            if clears || (stride > PLAIN_STRIDE && found.is_none()) {
                timed_hash::packed_deadline(None).encode(&mut new);
            }
            return (entry.splice(head + at, old, &new), found.is_none());
        }
        entry = into_big(entry, hasher);
    }
    match entry.big_mut() {
        Some(Big::Hash(tree)) => {
            let is_new = set_big(tree, hasher, field, value);
            (entry, is_new)
        }
        Some(Big::HashTimed(hash)) => {
            let is_new = set_big(&mut hash.fields, hasher, field, value);
            if !keeps_deadline {
                hash.set_deadline(hasher, field, None);
            }
            (entry, is_new)
        }
        _ => panic!("the entry is no hash"),
    }
}

fn into_big(entry: Entry, hasher: &KeyHasher) -> Entry {
    let tree = tree_of(&entry, hasher);
    let Some(deadlines) = entry.timed() else {
        return entry.with_big(Big::Hash(tree));
    };
    let mut hash = TimedHash::new(tree, deadlines.of_key());
    deadlines.for_each(|field, at| hash.set_deadline(hasher, field, Some(at)));
    entry.with_big(Big::HashTimed(Box::new(hash)))
}

fn tree_of(entry: &Entry, hasher: &KeyHasher) -> Tree<MemberHash> {
    let mut tree = Tree::new();
    if let Some(hash) = HashRef::of(entry) {
        for (field, value) in hash.iter() {
            field.with_text(|field| {
                value.with_text(|value| set_big(&mut tree, hasher, field, value))
            });
        }
    }
    tree
}

/// Sets or takes away the deadline of a field that is there. The entry has to be filed anew then.
///
/// # Panics
/// If the entry is no hash.
#[must_use]
pub fn set_deadline(
    mut entry: Entry,
    hasher: &KeyHasher,
    field: &[u8],
    deadline_ms: Option<u64>,
) -> Entry {
    entry = match entry.kind() {
        Kind::HashPacked => into_timed_packed(entry, hasher),
        _ => into_timed_big(entry),
    };
    if let Some(Big::HashTimed(hash)) = entry.big_mut() {
        hash.set_deadline(hasher, field, deadline_ms);
        return entry;
    }
    let (head, stride) = packed_shape(&entry).expect("a hash is packed or big");
    let list = &entry.packed_bytes().expect("it is packed")[head..];
    let Some((_, at)) = packed::find(list, field, stride) else {
        return entry;
    };
    let (value, len) = value_place(list, at);
    let (from, end) = (value + len, field_end(list, at, stride));
    let mut new = SmallVec::<[u8; DEADLINE_BYTES_MAX]>::new();
    timed_hash::packed_deadline(deadline_ms).encode(&mut new);
    entry.splice(head + from, end - from, &new)
}

/// A hash that is not packed, with room for deadlines.
fn into_timed_big(mut entry: Entry) -> Entry {
    let fields = match entry.big_mut() {
        Some(Big::Hash(tree)) => std::mem::take(tree),
        _ => return entry,
    };
    let hash = TimedHash::new(fields, entry.due());
    entry.with_big(Big::HashTimed(Box::new(hash)))
}

/// A packed hash, with room for deadlines: packed, unless it would be too long.
fn into_timed_packed(entry: Entry, hasher: &KeyHasher) -> Entry {
    let list = entry.packed_bytes().expect("it is packed");
    let room = (packed::count(list) / PLAIN_STRIDE + 1) * DEADLINE_BYTES_MAX;
    if list.len() + room > INLINE_BYTES_MAX {
        return into_timed_big(into_big(entry, hasher));
    }
    let mut bytes = Vec::with_capacity(list.len() + room);
    timed_hash::packed_deadline(entry.due()).encode(&mut bytes);
    for (field, value) in Pairs::Packed(packed::iter(list), PLAIN_STRIDE) {
        field.encode(&mut bytes);
        value.encode(&mut bytes);
        timed_hash::packed_deadline(None).encode(&mut bytes);
    }
    entry.with_packed(Kind::HashPackedTimed, &bytes)
}

/// The same with another deadline of the key, where that is kept in the value.
#[must_use]
pub(crate) fn with_key_deadline(mut entry: Entry, deadline_ms: Option<u64>) -> Entry {
    match entry.kind() {
        Kind::HashPackedTimed => {
            let bytes = entry.packed_bytes().expect("it is packed");
            let head = timed_hash::head_bytes(bytes);
            let mut new = SmallVec::<[u8; DEADLINE_BYTES_MAX]>::new();
            timed_hash::packed_deadline(deadline_ms).encode(&mut new);
            entry.splice(0, head, &new)
        }
        Kind::HashTimed => {
            if let Some(Big::HashTimed(hash)) = entry.big_mut() {
                hash.set_key_deadline(deadline_ms);
            }
            entry
        }
        _ => entry,
    }
}

/// Takes out fields that are due, at most so many; their names.
#[must_use]
pub(crate) fn take_due(
    mut entry: Entry,
    hasher: &KeyHasher,
    now_ms: u64,
    max: usize,
) -> (Entry, Vec<Box<[u8]>>) {
    if let Some(Big::HashTimed(hash)) = entry.big_mut() {
        let due = hash.take_due(hasher, now_ms, max);
        return (entry, due);
    }
    let mut due: Vec<Box<[u8]>> = Vec::new();
    if let Some(deadlines) = entry.timed() {
        deadlines.for_each(|field, at| {
            if at <= now_ms && due.len() < max {
                due.push(field.into());
            }
        });
    }
    for field in &due {
        (entry, _) = remove(entry, hasher, field);
    }
    (entry, due)
}

fn set_big(tree: &mut Tree<MemberHash>, hasher: &KeyHasher, field: &[u8], value: &[u8]) -> bool {
    let hash = member_hash(hasher, field);
    let payload = pack(field, value);
    match members::find(tree, hash, |payload| unpack(payload).0 == field) {
        Ok((path, _)) => tree.replace_at(path, hash, &payload),
        Err(path) => {
            tree.insert_at(path, hash, &payload);
            return true;
        }
    }
    false
}

/// Where the value of the field at `at` begins, and its length as an element.
fn value_place(list: &[u8], at: usize) -> (usize, usize) {
    let (_, value) = packed::element_at(list, at).expect("a field");
    let (_, end) = packed::element_at(list, value).expect("its value");
    (value, end - value)
}

/// Where the field at `at` ends, with all that belongs to it.
fn field_end(list: &[u8], at: usize, stride: usize) -> usize {
    (0..stride).fold(at, |at, _| {
        let (_, next) = packed::element_at(list, at).expect("whole fields");
        next
    })
}

/// Takes a field away; whether it was there.
///
/// # Panics
/// If the entry is no hash.
#[must_use]
pub fn remove(mut entry: Entry, hasher: &KeyHasher, field: &[u8]) -> (Entry, bool) {
    if let Some((head, stride)) = packed_shape(&entry) {
        let list = &entry.packed_bytes().expect("it is packed")[head..];
        let Some((_, at)) = packed::find(list, field, stride) else {
            return (entry, false);
        };
        let len = field_end(list, at, stride) - at;
        return (entry.splice(head + at, len, &[]), true);
    }
    let removed = match entry.big_mut() {
        Some(Big::Hash(tree)) => remove_big(tree, hasher, field),
        Some(Big::HashTimed(hash)) => {
            hash.set_deadline(hasher, field, None);
            remove_big(&mut hash.fields, hasher, field)
        }
        _ => panic!("the entry is no hash"),
    };
    (entry, removed)
}

pub(crate) fn remove_big(tree: &mut Tree<MemberHash>, hasher: &KeyHasher, field: &[u8]) -> bool {
    let hash = member_hash(hasher, field);
    let found = members::find(tree, hash, |payload| unpack(payload).0 == field);
    let path = found.map(|(path, _)| path);
    if let Ok(path) = path {
        tree.remove_at(path);
    }
    path.is_ok()
}
