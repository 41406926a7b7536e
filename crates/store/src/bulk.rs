//! Values built at once from all that they consist of: what is read from a file, not what a command adds.
//!
//! The elements come as one packed list (see [`dunlin_structures::packed`]), whatever they were encoded in, and are looked at a fixed
//! number of times; nothing here is quadratic but for a handful of elements. Each function gives the form that the limits ask for, and
//! `None` where a field or member stands twice.

use dunlin_structures::packed::{self, Element};
use dunlin_structures::tree::{Builder, Tree};

use crate::big::{Big, MemberHash};
use crate::entry::{Entry, INLINE_BYTES_MAX, Kind};
use crate::hash::KeyHasher;
use crate::hash_value::{self, HashLimits};
use crate::intset;
use crate::list::{self, Fill};
use crate::members::member_hash;
use crate::set;
use crate::timed_hash::{self, TimedHash};
use crate::zset::{self, Item, ZSet, edit};

/// So few elements are compared with each other rather than hashed.
const COMPARED_MAX: usize = 8;

/// What a value is built of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The elements: a packed list.
    pub list: &'a [u8],
    /// How many they are.
    pub count: usize,
    /// Bytes of all texts together.
    pub text_bytes: usize,
    /// Bytes of the longest text, as far as the limits are about it.
    pub longest: usize,
    /// The access clock.
    pub clock: u32,
}

impl<'a> Parts<'a> {
    /// An entry that will be given its big form.
    fn shell(&self) -> Entry {
        Entry::packed(self.key, Kind::HashPacked, &[], self.clock)
    }

    /// Every `stride`-th element, from the first one on.
    fn every(&self, stride: usize) -> impl Iterator<Item = (usize, Element<'a>)> + Clone + use<'a> {
        let mut elements = packed::iter(self.list);
        std::iter::from_fn(move || {
            let at = elements.position();
            let element = elements.next()?;
            (1..stride).for_each(|_| {
                elements.next();
            });
            Some((at, element))
        })
    }

    /// Every `stride`-th element as the hash of its text and its position, in the order of hashes.
    fn by_hash(&self, stride: usize, hasher: &KeyHasher) -> Option<Vec<(MemberHash, usize)>> {
        let mut hashed = Vec::with_capacity(self.count / stride);
        hashed.extend(self.every(stride).map(|(at, element)| {
            let hash = element.with_text(|text| member_hash(hasher, text));
            (hash, at)
        }));
        hashed.sort_unstable();
        let element = |at: usize| packed::element_at(self.list, at).map(|(element, _)| element);
        let are_distinct = hashed
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|same| same.len() > 1)
            .all(|same| are_distinct_pairwise(same.iter().filter_map(|(_, at)| element(*at))));
        are_distinct.then_some(hashed)
    }

    /// Whether every `stride`-th element is another.
    fn are_distinct(&self, stride: usize, hasher: &KeyHasher) -> bool {
        if self.count / stride <= COMPARED_MAX {
            return are_distinct_pairwise(self.every(stride).map(|(_, element)| element));
        }
        self.by_hash(stride, hasher).is_some()
    }

    /// The fields that these positions say, with their values, as a tree.
    fn fields(&self, hashed: &[(MemberHash, usize)]) -> Tree<MemberHash> {
        let mut tree = Builder::new();
        for (hash, at) in hashed {
            let mut elements = packed::iter(&self.list[*at..]);
            if let (Some(field), Some(value)) = (elements.next(), elements.next()) {
                field.with_text(|field| {
                    value.with_text(|value| tree.push(*hash, &hash_value::pack(field, value)));
                });
            }
        }
        tree.finish()
    }
}

/// O(n^2): for a few, or for those whose hashes are equal, which nobody can choose.
fn are_distinct_pairwise<'a>(elements: impl Iterator<Item = Element<'a>> + Clone) -> bool {
    let mut rest = elements;
    while let Some(element) = rest.next() {
        if rest.clone().any(|other| other == element) {
            return false;
        }
    }
    true
}

/// A hash; the list has fields and values in turns.
pub fn hash(parts: &Parts<'_>, limits: HashLimits, hasher: &KeyHasher) -> Option<Entry> {
    let fits = parts.count / 2 <= limits.entries
        && parts.longest <= limits.value_bytes
        && parts.list.len() <= INLINE_BYTES_MAX;
    if fits {
        let entry = || Entry::packed(parts.key, Kind::HashPacked, parts.list, parts.clock);
        return parts.are_distinct(2, hasher).then(entry);
    }
    let fields = parts.fields(&parts.by_hash(2, hasher)?);
    Some(parts.shell().with_big(Big::Hash(fields)))
}

/// A hash some of whose fields have deadlines; the list has fields, values and deadlines in turns: integers, 0 for none.
pub fn timed_hash(parts: &Parts<'_>, limits: HashLimits, hasher: &KeyHasher) -> Option<Entry> {
    let mut head = Vec::new();
    timed_hash::packed_deadline(None).encode(&mut head);
    let fits = parts.count / 3 <= limits.entries
        && parts.longest <= limits.value_bytes
        && head.len() + parts.list.len() <= INLINE_BYTES_MAX;
    if fits {
        if !parts.are_distinct(3, hasher) {
            return None;
        }
        head.extend_from_slice(parts.list);
        let kind = Kind::HashPackedTimed;
        return Some(Entry::packed(parts.key, kind, &head, parts.clock));
    }
    let hashed = parts.by_hash(3, hasher)?;
    let mut timed: Vec<Item<'_>> = Vec::new();
    for (_, at) in &hashed {
        let mut elements = packed::iter(&parts.list[*at..]);
        let (field, deadline) = (elements.next(), elements.nth(1));
        if let (Some(field), Some(Element::Int(at_ms @ 1..))) = (field, deadline) {
            timed.push((field, at_ms as f64));
        }
    }
    timed.sort_unstable_by(|a, b| zset::order_items(*a, *b));
    let deadlines = ZSet::from_sorted(timed.into_iter(), hasher);
    let hash = TimedHash::of(parts.fields(&hashed), deadlines);
    Some(parts.shell().with_big(Big::HashTimed(Box::new(hash))))
}

/// A set of members in a form that they fit: not [`Kind::SetInts`], for which there is [`ints`].
pub fn set(parts: &Parts<'_>, form: Kind, hasher: &KeyHasher) -> Option<Entry> {
    if form == Kind::SetPacked && parts.list.len() <= INLINE_BYTES_MAX {
        let entry = || Entry::packed(parts.key, form, parts.list, parts.clock);
        return parts.are_distinct(1, hasher).then(entry);
    }
    let mut tree = Builder::new();
    for (hash, at) in parts.by_hash(1, hasher)? {
        if let Some((member, _)) = packed::element_at(parts.list, at) {
            member.with_text(|text| tree.push(hash, text));
        }
    }
    Some(parts.shell().with_big(Big::Set(tree.finish())))
}

/// A set of these integers, which ascend: sorted integers as long as they may be, else the big form.
pub fn ints(
    key: &[u8],
    numbers: &[i64],
    limits: &set::Limits,
    hasher: &KeyHasher,
    clock: u32,
) -> Entry {
    let fits = numbers.len() <= limits.ints && intset::bytes_max(numbers.len()) <= INLINE_BYTES_MAX;
    if fits {
        return Entry::packed(key, Kind::SetInts, &intset::of_sorted(numbers), clock);
    }
    let members: Vec<Element<'_>> = numbers.iter().map(|n| Element::Int(*n)).collect();
    set::build(key, &members, Kind::Set, hasher, clock)
}

/// A list; `may_pack` if its elements would be in one piece in Redis, too.
pub fn list(parts: &Parts<'_>, may_pack: bool, fill: Fill) -> Entry {
    if may_pack && !list::is_too_much_at_once(parts.text_bytes, parts.count, fill) {
        let mut bytes = Vec::with_capacity(parts.list.len() + 2);
        bytes.extend_from_slice(parts.list);
        bytes.extend_from_slice(&list::count_bytes(parts.count));
        return Entry::packed(parts.key, Kind::ListPacked, &bytes, parts.clock);
    }
    let mut tree = Builder::new();
    packed::iter(parts.list).for_each(|element| element.with_text(|text| tree.push((), text)));
    parts.shell().with_big(Big::List(tree.finish()))
}

/// A sorted set of these items, which are in order.
pub fn zset(key: &[u8], items: &[Item<'_>], rules: &edit::Rules<'_>, clock: u32) -> Option<Entry> {
    let members = || items.iter().map(|(member, _)| *member);
    if let Some(bytes) = edit::packed_from_sorted(items.iter().copied(), rules) {
        let are_distinct = if items.len() <= COMPARED_MAX {
            are_distinct_pairwise(members())
        } else {
            let hash = |member: Element<'_>| member.with_text(|text| rules.hasher.hash(text));
            let mut hashed: Vec<_> = members().map(|member| (hash(member), member)).collect();
            hashed.sort_unstable_by_key(|(hash, _)| *hash);
            let mut same = hashed.chunk_by(|a, b| a.0 == b.0);
            same.all(|same| are_distinct_pairwise(same.iter().map(|(_, member)| *member)))
        };
        return are_distinct.then(|| Entry::packed(key, Kind::ZSetPacked, &bytes, clock));
    }
    let zset = ZSet::try_from_sorted(items.iter().copied(), rules.hasher)?;
    let shell = Entry::packed(key, Kind::ZSetPacked, &[], clock);
    Some(shell.with_big(Big::ZSet(zset)))
}
