//! Hashes some of whose fields have deadlines of their own.
//!
//! ```text
//! packed   a packed list: deadline of the key, then field, value, deadline, field, value, deadline, ...; 0 for none
//! big      a tree of fields as of any hash, and a sorted set of those with deadlines: see [`TimedHash`]
//! ```
//!
//! In the big form, beside the tree of fields, stand the fields with deadlines, in their order: a sorted set. So the next one
//! that is due is found at once, and an image costs a few references.
//!
//! **Invariant.** Every field with a deadline is a field. The key's own deadline is kept here, because the entry's timer says when the first
//! of all these deadlines may come: see [`crate::Entry::due`].

use dunlin_structures::packed::{self, Element};
use dunlin_structures::tree::{self, Tree};
use smallvec::SmallVec;

use crate::big::{MemberHash, shed};
use crate::entry::DEADLINE_MS_MAX;
use crate::hash::KeyHasher;
use crate::hash_value;
use crate::members::member_hash;
use crate::zset::{ByHash, HashedMember, ScoreBound, ScoreRange, ZSet, ZSetRef};

/// While one field is taken out of the trees, so many are passed over when they are built anew.
const PASSED_PER_REMOVED: usize = 16;

/// Elements of a field in the packed form.
pub(crate) const STRIDE: usize = 3;

/// The element of a deadline in the packed form.
pub(crate) fn packed_deadline(deadline_ms: Option<u64>) -> Element<'static> {
    let at = deadline_ms.map_or(0, |at| at.min(DEADLINE_MS_MAX));
    Element::Int(at as i64)
}

fn unpacked_deadline(element: Element<'_>) -> Option<u64> {
    match element {
        Element::Int(at) if at > 0 => Some(at as u64),
        _ => None,
    }
}

/// Bytes of the first element of the packed form.
pub(crate) fn head_bytes(bytes: &[u8]) -> usize {
    let (_, at) = packed::element_at(bytes, 0).expect("the key's deadline comes first");
    at
}

/// The deadlines of a hash and of its fields, whichever form it has.
#[derive(Clone, Copy, Debug)]
pub enum Deadlines<'a> {
    /// Of the packed form.
    Packed(&'a [u8]),
    /// Of the big form.
    Big(&'a TimedHash),
}

impl<'a> Deadlines<'a> {
    /// The deadline of the whole key, in milliseconds since 1970.
    pub fn of_key(self) -> Option<u64> {
        match self {
            Deadlines::Packed(bytes) => {
                packed::element_at(bytes, 0).and_then(|(at, _)| unpacked_deadline(at))
            }
            Deadlines::Big(hash) => hash.key_deadline_ms,
        }
    }

    /// The deadline of a field. O(fields) in the packed form, else O(log fields).
    pub fn of_field(self, hasher: &KeyHasher, field: &[u8]) -> Option<u64> {
        match self {
            Deadlines::Packed(bytes) => {
                let list = &bytes[head_bytes(bytes)..];
                let (_, at) = packed::find(list, field, STRIDE)?;
                packed::iter(&list[at..])
                    .nth(STRIDE - 1)
                    .and_then(unpacked_deadline)
            }
            Deadlines::Big(hash) => hash.deadline_of(hasher, field),
        }
    }

    /// The fields of the packed form and their deadlines.
    fn packed_fields(bytes: &'a [u8]) -> impl Iterator<Item = (Element<'a>, Option<u64>)> {
        let mut elements = packed::iter(&bytes[head_bytes(bytes)..]);
        std::iter::from_fn(move || {
            let field = elements.next()?;
            let at = elements
                .nth(STRIDE - 2)
                .expect("a field has a deadline or none");
            Some((field, unpacked_deadline(at)))
        })
    }

    /// Hands the fields that have deadlines over; in the big form the first that is due comes first.
    pub fn for_each(self, mut f: impl FnMut(&[u8], u64)) {
        match self {
            Deadlines::Packed(bytes) => {
                for (field, at) in Deadlines::packed_fields(bytes) {
                    if let Some(at) = at {
                        field.with_text(|field| f(field, at));
                    }
                }
            }
            Deadlines::Big(hash) => hash.deadlines().for_each(|(field, at)| f(field, at)),
        }
    }

    /// All fields with their values, and their deadlines where they have one, in the order in which they lie.
    pub fn fields(self) -> Fields<'a> {
        match self {
            Deadlines::Packed(bytes) => Fields::Packed(packed::iter(&bytes[head_bytes(bytes)..])),
            Deadlines::Big(hash) => Fields::Big {
                fields: hash.fields.iter(),
                deadlines: Box::new(hash.deadlines.by_hash()),
                same: SmallVec::new(),
                next: None,
            },
        }
    }

    /// Number of fields, with deadlines and without. O(fields) in the packed form.
    pub fn len(self) -> usize {
        match self {
            Deadlines::Packed(bytes) => packed::count(&bytes[head_bytes(bytes)..]) / STRIDE,
            Deadlines::Big(hash) => hash.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The first deadline of a field. O(fields) in the packed form.
    pub fn first_of_fields(self) -> Option<u64> {
        match self {
            Deadlines::Packed(bytes) => Deadlines::packed_fields(bytes)
                .filter_map(|(_, at)| at)
                .min(),
            Deadlines::Big(hash) => hash.deadlines().next().map(|(_, at)| at),
        }
    }

    /// When the first of all deadlines comes, the key's own among them.
    pub(crate) fn first(self) -> Option<u64> {
        let of_fields = self.first_of_fields();
        of_fields.into_iter().chain(self.of_key()).min()
    }

    /// Whether the key is past its deadline, or every field past its own.
    pub(crate) fn all_past(self, now_ms: u64) -> bool {
        if self.of_key().is_some_and(|at| at <= now_ms) {
            return true;
        }
        match self {
            Deadlines::Packed(bytes) => {
                Deadlines::packed_fields(bytes).all(|(_, at)| at.is_some_and(|at| at <= now_ms))
            }
            Deadlines::Big(hash) => hash.all_fields_past(now_ms),
        }
    }
}

/// See [`Deadlines::fields`].
#[derive(Clone, Debug)]
pub enum Fields<'a> {
    /// Elements of the packed form.
    Packed(packed::Iter<'a>),
    /// Both trees, which are in the order of the fields' hashes.
    Big {
        /// Those of fields and values.
        fields: tree::Iter<'a, MemberHash>,
        /// Those that have deadlines.
        deadlines: Box<ByHash<'a>>,
        /// The hash of the fields that are at hand, and those of them that have deadlines.
        same: SmallVec<[HashedMember<'a>; 2]>,
        /// The first one of a later hash.
        next: Option<HashedMember<'a>>,
    },
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>, Option<u64>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Fields::Packed(elements) => {
                let (field, value) = (elements.next()?, elements.next()?);
                let at = elements.next().and_then(unpacked_deadline);
                Some((field, value, at))
            }
            Fields::Big {
                fields,
                deadlines,
                same,
                next,
            } => {
                let (hash, payload) = fields.next()?;
                if same.first().is_none_or(|(other, ..)| *other != hash) {
                    same.clear();
                    // None is below: every field with a deadline is a field.
                    while let Some(first) = next.take().or_else(|| deadlines.next()) {
                        if first.0 != hash {
                            *next = Some(first);
                            break;
                        }
                        same.push(first);
                    }
                }
                let (field, value) = hash_value::unpack(payload);
                let found = same.iter().find(|(_, name, _)| *name == field);
                let at = found.map(|(_, _, at)| *at as u64);
                Some((Element::Bytes(field), Element::Bytes(value), at))
            }
        }
    }
}

/// The big form: see the module's text.
#[derive(Clone, Debug)]
pub struct TimedHash {
    pub(crate) fields: Tree<MemberHash>,
    /// Members are fields, scores their deadlines, which doubles hold exactly.
    deadlines: ZSet,
    key_deadline_ms: Option<u64>,
}

impl TimedHash {
    /// No field has a deadline yet.
    pub(crate) fn new(fields: Tree<MemberHash>, key_deadline_ms: Option<u64>) -> TimedHash {
        TimedHash {
            fields,
            deadlines: ZSet::new(),
            key_deadline_ms,
        }
    }

    /// Of these fields, of which `deadlines` are members, with their deadlines as scores.
    pub(crate) fn of(fields: Tree<MemberHash>, deadlines: ZSet) -> TimedHash {
        TimedHash {
            fields,
            deadlines,
            key_deadline_ms: None,
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn set_key_deadline(&mut self, deadline_ms: Option<u64>) {
        self.key_deadline_ms = deadline_ms.map(|at| at.min(DEADLINE_MS_MAX));
    }

    fn deadline_of(&self, hasher: &KeyHasher, field: &[u8]) -> Option<u64> {
        let score = self.deadlines.score(member_hash(hasher, field), field);
        score.map(|at| at as u64)
    }

    /// Sets or takes away the deadline of a field that is there. O(log n).
    pub(crate) fn set_deadline(
        &mut self,
        hasher: &KeyHasher,
        field: &[u8],
        deadline_ms: Option<u64>,
    ) {
        let hash = member_hash(hasher, field);
        match deadline_ms {
            Some(at) => {
                let at = at.min(DEADLINE_MS_MAX) as f64;
                self.deadlines.upsert(hash, field, |_| Some(at));
            }
            None => {
                self.deadlines.remove(hash, field);
            }
        }
    }

    /// The fields that have deadlines, the first that is due first.
    fn deadlines(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let sorted = self.deadlines.sorted().iter();
        sorted.map(|(at, field)| (field, at.0 as u64))
    }

    fn all_fields_past(&self, now_ms: u64) -> bool {
        let last = self.deadlines.sorted().iter().next_back();
        self.deadlines.len() == self.len() && last.is_some_and(|(at, _)| at.0 as u64 <= now_ms)
    }

    /// Takes out fields that are due, at most so many; their names.
    pub(crate) fn take_due(
        &mut self,
        hasher: &KeyHasher,
        now_ms: u64,
        max: usize,
    ) -> Vec<Box<[u8]>> {
        let due = ZSetRef::Big(&self.deadlines).score_ranks(&ScoreRange {
            min: ScoreBound {
                score: 0.0,
                exclusive: false,
            },
            max: ScoreBound {
                score: now_ms as f64,
                exclusive: false,
            },
        });
        if due.len() <= max && due.len() * PASSED_PER_REMOVED > self.len() {
            return self.keep_the_rest(hasher, now_ms);
        }
        let due = self.deadlines().take_while(|(_, at)| *at <= now_ms);
        let due: Vec<Box<[u8]>> = due.take(max).map(|(field, _)| field.into()).collect();
        self.deadlines.remove_ranks(0..due.len(), hasher);
        for field in &due {
            hash_value::remove_big(&mut self.fields, hasher, field);
        }
        due
    }

    /// Takes out all fields that are due by building the trees anew. O(n).
    fn keep_the_rest(&mut self, hasher: &KeyHasher, now_ms: u64) -> Vec<Box<[u8]>> {
        // In the order of their hashes, in which the fields stand, too.
        let mut due: Vec<(MemberHash, Box<[u8]>)> = Vec::new();
        self.deadlines.scan(0, usize::MAX, |field, at| {
            if at as u64 <= now_ms {
                due.push((member_hash(hasher, field), field.into()));
            }
        });
        let (mut rest, mut next) = (Tree::new(), 0);
        for (hash, payload) in self.fields.iter() {
            while due.get(next).is_some_and(|(other, _)| *other < hash) {
                next += 1;
            }
            let mut same = due[next..].iter().take_while(|(other, _)| *other == hash);
            let field = hash_value::field_of(payload);
            if !same.any(|(_, gone)| **gone == *field) {
                rest.push(hash, payload);
            }
        }
        self.fields = rest;
        let later = self.deadlines.sorted().iter();
        let later = later.filter(|(at, _)| at.0 as u64 > now_ms);
        let later = later.map(|(at, field)| (Element::Bytes(field), at.0));
        self.deadlines = ZSet::from_sorted(later, hasher);
        due.into_iter().map(|(_, field)| field).collect()
    }

    pub(crate) fn leaf_count(&self) -> usize {
        self.fields.leaf_count() + self.deadlines.leaf_count()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.fields.memory_bytes() + self.deadlines.memory_bytes()
    }

    /// See `Big::shed`. What is left is no hash any more.
    pub(crate) fn shed(&mut self, leaves: usize) -> bool {
        shed(&mut self.fields, leaves) || self.deadlines.shed(leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;
    use crate::hash_value::{HashLimits, HashRef};

    const NOW_MS: u64 = 1000;

    /// A hash of so many fields, of which the first are due, and the next ones later.
    fn hash(hasher: &KeyHasher, fields: usize, due: usize, later: usize, limit: usize) -> Entry {
        let limits = HashLimits {
            entries: limit,
            value_bytes: 64,
        };
        let mut entry = hash_value::new(b"key", 0);
        for n in 0..fields {
            let field = n.to_string();
            (entry, _) = hash_value::set(entry, hasher, limits, field.as_bytes(), b"value");
            let deadline = match n {
                _ if n < due => Some(NOW_MS - n as u64 % 3),
                _ if n < due + later => Some(NOW_MS + 1 + n as u64 % 3),
                _ => None,
            };
            entry = hash_value::set_deadline(entry, hasher, field.as_bytes(), deadline);
        }
        entry
    }

    #[test]
    fn what_is_due_goes_in_any_form_and_number() {
        let hasher = KeyHasher::new([1, 2]);
        for (fields, due, later) in [
            (10, 3, 3),
            (300, 0, 7),
            (300, 5, 200),
            (300, 290, 4),
            (2000, 1999, 0),
        ] {
            for limit in [0, 300] {
                for max in [usize::MAX, 64] {
                    let entry = hash(&hasher, fields, due, later, limit);
                    let case = format!("{fields} {due} {later} {limit} {max}");
                    let deadlines = entry.timed().expect("it has deadlines");
                    assert_eq!(deadlines.all_past(NOW_MS), due == fields, "{case}");
                    let (entry, gone) = hash_value::take_due(entry, &hasher, NOW_MS, max);
                    assert_eq!(gone.len(), due.min(max), "{case}");
                    let left = HashRef::of(&entry).expect("a hash");
                    assert_eq!(left.len(), fields - gone.len(), "{case}");
                    assert!(
                        gone.iter().all(|field| left.get(&hasher, field).is_none()),
                        "{case}"
                    );
                    let deadlines = entry.timed().expect("it had deadlines");
                    let mut timed = 0;
                    deadlines.for_each(|field, at| {
                        timed += 1;
                        assert!(left.get(&hasher, field).is_some(), "{case}");
                        assert!(at > NOW_MS || due > max, "{case}");
                        assert_eq!(deadlines.of_field(&hasher, field), Some(at), "{case}");
                    });
                    assert_eq!(timed, due + later - gone.len(), "{case}");
                    let mut seen = 0;
                    for (field, value, at) in deadlines.fields() {
                        seen += 1;
                        field.with_text(|field| {
                            assert_eq!(left.get(&hasher, field), Some(value), "{case}");
                            assert_eq!(deadlines.of_field(&hasher, field), at, "{case}");
                        });
                    }
                    assert_eq!((seen, deadlines.len()), (left.len(), left.len()), "{case}");
                }
            }
        }
    }
}
