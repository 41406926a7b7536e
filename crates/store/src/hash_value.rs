//! Hashes: fields with values packed inside the entry, and the big form, behind one interface.
//!
//! ```text
//! packed   a packed list: field, value, field, value, ...
//! big      a tree in the order of the fields' hashes; payload: length of the field (LEB128) | field | value
//! timed    such a tree, and the fields that have deadlines: see [`crate::timed_hash`]
//! ```
//!
//! A hash leaves the packed form when it has more fields, or a longer field or value, than it may, and never returns to it.

use dunlin_structures::packed::{self, Element};
use dunlin_structures::tree::{self, Tree};
use smallvec::SmallVec;

use crate::big::{Big, MemberHash};
use crate::entry::{Entry, INLINE_BYTES_MAX, Kind};
use crate::hash::KeyHasher;
use crate::members::{self, member_hash};
use crate::timed_hash::TimedHash;

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
    /// In the packed form.
    Packed(&'a [u8]),
    /// In the big form.
    Big(&'a Tree<MemberHash>),
}

/// A field and its value.
pub type Pair<'a> = (Element<'a>, Element<'a>);

impl<'a> HashRef<'a> {
    /// The hash of an entry; `None` if it is of another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        match entry.kind() {
            Kind::HashPacked => entry.packed_bytes().map(HashRef::Packed),
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
            HashRef::Packed(list) => packed::count(list) / 2,
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
            HashRef::Packed(list) => {
                let (_, at) = packed::find(list, field, 2)?;
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
            HashRef::Packed(list) => Pairs::Packed(packed::iter(list)),
            HashRef::Big(tree) => Pairs::Big(tree.iter()),
        }
    }

    /// The field of this number in that order. O(fields) in the packed form, else O(log fields).
    pub fn nth(self, index: usize) -> Option<Pair<'a>> {
        match self {
            HashRef::Packed(list) => {
                let mut pairs = Pairs::Packed(packed::iter(
                    &list[packed::position_of(list, index * 2, None)..],
                ));
                pairs.next()
            }
            HashRef::Big(tree) => tree.get(index).map(|(_, payload)| pair(payload)),
        }
    }

    /// Visits fields from `cursor` on, see [`members::scan`]; all at once in the packed form.
    pub fn scan(self, cursor: u64, min: usize, mut visit: impl FnMut(Pair<'a>)) -> u64 {
        match self {
            HashRef::Packed(_) => {
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
    /// Over the packed form.
    Packed(packed::Iter<'a>),
    /// Over the big form.
    Big(tree::Iter<'a, MemberHash>),
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        match self {
            Pairs::Packed(elements) => Some((elements.next()?, elements.next()?)),
            Pairs::Big(entries) => entries.next().map(|(_, payload)| pair(payload)),
        }
    }
}

/// Field and value of a payload of the big form.
fn unpack(payload: &[u8]) -> (&[u8], &[u8]) {
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

fn pair(payload: &[u8]) -> Pair<'_> {
    let (field, value) = unpack(payload);
    (Element::Bytes(field), Element::Bytes(value))
}

/// The payload of a field and value; short ones need no allocation.
fn pack(field: &[u8], value: &[u8]) -> SmallVec<[u8; 160]> {
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
    if let Some(list) = entry.packed_bytes() {
        let found = packed::find(list, field, 2);
        let room = packed::encoded_len_max(field.len()) + packed::encoded_len_max(value.len());
        // A change of a field counts, too: the limit may have been lowered meanwhile.
        let fits = packed::count(list) / 2 + usize::from(found.is_none()) <= limits.entries;
        if is_short && fits && list.len() + room <= INLINE_BYTES_MAX {
            let mut new = Vec::with_capacity(room);
            let (at, old) = match found {
                Some((_, at)) => value_place(list, at),
                None => {
                    Element::of(field).encode(&mut new);
                    (list.len(), 0)
                }
            };
            Element::of(value).encode(&mut new);
            return (entry.splice(at, old, &new), found.is_none());
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
            if !is_short || hash.len() > limits.entries {
                hash.outgrow();
            }
            (entry, is_new)
        }
        _ => panic!("the entry is no hash"),
    }
}

fn into_big(entry: Entry, hasher: &KeyHasher) -> Entry {
    let tree = tree_of(&entry, hasher);
    entry.with_big(Big::Hash(tree))
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
    let is_packed = entry.kind() == Kind::HashPacked;
    let fields = match entry.big_mut() {
        Some(Big::Hash(tree)) => Some(std::mem::take(tree)),
        None if is_packed => Some(tree_of(&entry, hasher)),
        _ => None,
    };
    if let Some(fields) = fields {
        let timed = TimedHash::new(fields, entry.due(), is_packed);
        entry = entry.with_big(Big::HashTimed(Box::new(timed)));
    }
    match entry.big_mut() {
        Some(Big::HashTimed(hash)) => hash.set_deadline(hasher, field, deadline_ms),
        _ => panic!("the entry is no hash"),
    }
    entry
}

fn set_big(tree: &mut Tree<MemberHash>, hasher: &KeyHasher, field: &[u8], value: &[u8]) -> bool {
    let hash = member_hash(hasher, field);
    let payload = pack(field, value);
    match members::find(tree, hash, |payload| unpack(payload).0 == field) {
        Ok((rank, _)) => tree.replace(rank, hash, &payload),
        Err(rank) => {
            tree.insert(rank, hash, &payload);
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

/// Takes a field away; whether it was there.
///
/// # Panics
/// If the entry is no hash.
#[must_use]
pub fn remove(mut entry: Entry, hasher: &KeyHasher, field: &[u8]) -> (Entry, bool) {
    if let Some(list) = entry.packed_bytes() {
        let Some((_, at)) = packed::find(list, field, 2) else {
            return (entry, false);
        };
        let (value, len) = value_place(list, at);
        return (entry.splice(at, value + len - at, &[]), true);
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
    let rank = found.map(|(rank, _)| rank);
    if let Ok(rank) = rank {
        tree.remove(rank);
    }
    rank.is_ok()
}
