//! Changing a sorted set: an entry goes in, and comes out with the right form.
//!
//! The packed form becomes the big one at the limits, and never the other way round. An entry may come out empty: who called takes it out
//! of the keyspace.

use std::ops::Range;

use dunlin_structures::packed::Element;
use smallvec::SmallVec;

use super::range::AtItem;
use super::{Item, ZSet, ZSetRef, packed};
use crate::big::Big;
use crate::entry::{Entry, INLINE_BYTES_MAX, Kind};
use crate::hash::KeyHasher;
use crate::members::member_hash;

/// Items up to so many bytes are encoded on the stack.
const ITEM_BYTES: usize = 96;

/// What editing needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Hashes members.
    pub hasher: &'a KeyHasher,
    /// Most members of the packed form: `zset-max-listpack-entries`.
    pub entries: usize,
    /// Longest member of the packed form in bytes: `zset-max-listpack-value`.
    pub value_bytes: usize,
}

/// A new entry of no members, in the form for so many members that begin with one of so many bytes.
pub fn empty(
    key: &[u8],
    clock: u32,
    members: usize,
    first_bytes: usize,
    rules: &Rules<'_>,
) -> Entry {
    let entry = Entry::packed(key, Kind::ZSetPacked, &packed::EMPTY, clock);
    if members > rules.entries || first_bytes > rules.value_bytes {
        return entry.with_big(Big::ZSet(ZSet::new()));
    }
    entry
}

/// A new entry of these items, which are in order and of different members.
pub fn from_sorted<'a>(
    key: &[u8],
    clock: u32,
    items: impl ExactSizeIterator<Item = Item<'a>> + Clone,
    rules: &Rules<'_>,
) -> Entry {
    match packed_from_sorted(items.clone(), rules) {
        Some(bytes) => Entry::packed(key, Kind::ZSetPacked, &bytes, clock),
        None => Entry::packed(key, Kind::ZSetPacked, &packed::EMPTY, clock)
            .with_big(Big::ZSet(ZSet::from_sorted(items, rules.hasher))),
    }
}

/// The packed form of items in order, if it may have that.
pub(crate) fn packed_from_sorted<'a>(
    mut items: impl ExactSizeIterator<Item = Item<'a>>,
    rules: &Rules<'_>,
) -> Option<Vec<u8>> {
    let len = items.len();
    if len > rules.entries {
        return None;
    }
    let mut bytes = packed::EMPTY.to_vec();
    let fits = items.all(|(member, score)| {
        let member_len = member.len();
        packed::encode(&mut bytes, member, score);
        member_len <= rules.value_bytes && bytes.len() <= INLINE_BYTES_MAX
    });
    bytes[..packed::HEAD_BYTES].copy_from_slice(&packed::head(len));
    fits.then_some(bytes)
}

/// A big sorted set for changing it, if the entry is one.
fn big(entry: &mut Entry) -> Option<&mut ZSet> {
    match entry.big_mut()? {
        Big::ZSet(zset) => Some(zset),
        _ => None,
    }
}

fn packed_bytes(entry: &Entry) -> &[u8] {
    entry.packed_bytes().expect("a sorted set is big or packed")
}

/// The same in the big form.
#[must_use]
pub fn into_big(entry: Entry, rules: &Rules<'_>) -> Entry {
    match ZSetRef::of(&entry) {
        Some(view @ ZSetRef::Packed(_)) => {
            let zset = ZSet::from_sorted(view.iter(), rules.hasher);
            entry.with_big(Big::ZSet(zset))
        }
        _ => entry,
    }
}

/// The same, made big if a command that brings so many members would leave the packed form anyway.
#[must_use]
pub fn expecting(entry: Entry, members: usize, rules: &Rules<'_>) -> Entry {
    if members > rules.entries {
        into_big(entry, rules)
    } else {
        entry
    }
}

/// Adds a member, or changes its score, as `decide` says: it gets the old score and gives the new one, or `None` to leave all as it is.
/// O(log n).
#[must_use]
pub fn upsert(
    mut entry: Entry,
    member: &[u8],
    rules: &Rules<'_>,
    decide: impl FnOnce(Option<f64>) -> Option<f64>,
) -> Entry {
    if let Some(zset) = big(&mut entry) {
        zset.upsert(member_hash(rules.hasher, member), member, decide);
        return entry;
    }
    let bytes = packed_bytes(&entry);
    let (list, len) = (packed::list(bytes), packed::len(bytes));
    let hit = packed::find(list, member);
    let Some(score) = decide(hit.map(|hit| hit.score)) else {
        return entry;
    };
    match hit {
        Some(hit) if hit.score == score => return entry,
        Some(hit) => {
            entry = entry.splice(packed::HEAD_BYTES + hit.at, hit.end - hit.at, &[]);
        }
        None => {
            let is_too_big = len >= rules.entries
                || member.len() > rules.value_bytes
                || bytes.len() + packed::item_bytes_max(member.len()) > INLINE_BYTES_MAX;
            if is_too_big {
                entry = into_big(entry, rules);
                let zset = big(&mut entry).expect("made big just now");
                zset.upsert(member_hash(rules.hasher, member), member, |_| Some(score));
                return entry;
            }
            entry = entry.splice(0, packed::HEAD_BYTES, &packed::head(len + 1));
        }
    }
    let item = (Element::of(member), score);
    let list = packed::list(packed_bytes(&entry));
    let (_, at) = packed::position(list, len, &AtItem(item));
    let mut encoded = SmallVec::<[u8; ITEM_BYTES]>::new();
    packed::encode(&mut encoded, item.0, score);
    entry.splice(packed::HEAD_BYTES + at, 0, &encoded)
}

/// Takes a member out; with the entry, whether it was there. O(log n).
#[must_use]
pub fn remove(mut entry: Entry, member: &[u8], rules: &Rules<'_>) -> (Entry, bool) {
    if let Some(zset) = big(&mut entry) {
        let removed = zset.remove(member_hash(rules.hasher, member), member);
        return (entry, removed.is_some());
    }
    let bytes = packed_bytes(&entry);
    let len = packed::len(bytes);
    match packed::find(packed::list(bytes), member) {
        None => (entry, false),
        Some(hit) => (cut(entry, len - 1, hit.at..hit.end), true),
    }
}

/// Takes the members of a range of ranks out. O(log n) for each.
///
/// # Panics
/// If the range ends past the end.
#[must_use]
pub fn remove_ranks(mut entry: Entry, ranks: Range<usize>, rules: &Rules<'_>) -> Entry {
    if let Some(zset) = big(&mut entry) {
        zset.remove_ranks(ranks, rules.hasher);
        return entry;
    }
    let bytes = packed_bytes(&entry);
    let len = packed::len(bytes);
    let places = packed::places(packed::list(bytes), len, &ranks);
    cut(entry, len - ranks.len(), places)
}

/// Takes a piece of the list out, after which there are `len` members.
fn cut(entry: Entry, len: usize, places: Range<usize>) -> Entry {
    entry
        .splice(packed::HEAD_BYTES + places.start, places.len(), &[])
        .splice(0, packed::HEAD_BYTES, &packed::head(len))
}
