//! Sets: integers or members packed inside the entry, and the big form, behind one interface.
//!
//! Which form a set takes is Redis's choice: integers while all members are and there are not too many; else a packed list while members
//! are few and short; else the big form, which is not left again.
//!
//! **Invariant.** Members are distinct. As [`Element`]s they are in their canonical form: what is a 64-bit integer is `Int`, from whatever
//! form of set it came, so that equal members are equal elements.

use dunlin_structures::packed::{self, Element};
use dunlin_structures::tree::{self, Builder, Path, Tree};
use smallvec::SmallVec;

use crate::big::{Big, MemberHash};
use crate::entry::{Entry, INLINE_BYTES_MAX, Kind};
use crate::hash::KeyHasher;
use crate::intset::{self, Ints};
use crate::members::{self, member_hash};

/// How big the forms inside the entry may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most integers.
    pub ints: usize,
    /// Most members of a packed list.
    pub packed: usize,
    /// Longest member of a packed list in bytes.
    pub value_bytes: usize,
}

/// Where a member is or belongs: for editing the very set that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(At);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The number among integers, or where its element begins in a packed list; of a member that is not there, the number of members.
    Number(usize),
    /// In a tree.
    Path(Path),
}

impl Place {
    fn of_number(number: usize) -> Place {
        Place(At::Number(number))
    }

    fn of_path(path: Path) -> Place {
        Place(At::Path(path))
    }

    fn number(self) -> usize {
        match self.0 {
            At::Number(number) => number,
            At::Path(_) => panic!("a place in a tree has no number"),
        }
    }

    fn path(self) -> Path {
        match self.0 {
            At::Path(path) => path,
            At::Number(_) => panic!("a place outside a tree has no path"),
        }
    }
}

/// A set, borrowed from its entry.
#[derive(Clone, Copy, Debug)]
pub enum SetRef<'a> {
    /// Integers.
    Ints(Ints<'a>),
    /// A packed list.
    Packed(&'a [u8]),
    /// The big form.
    Big(&'a Tree<MemberHash>),
}

impl<'a> SetRef<'a> {
    /// The set in an entry; `None` for another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        match entry.kind() {
            Kind::SetInts => entry.packed_bytes().map(|b| SetRef::Ints(Ints::of(b))),
            Kind::SetPacked => entry.packed_bytes().map(SetRef::Packed),
            Kind::Set => match entry.big() {
                Some(Big::Set(tree)) => Some(SetRef::Big(tree)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Number of members. O(members) for a packed list.
    pub fn len(self) -> usize {
        match self {
            SetRef::Ints(ints) => ints.len(),
            SetRef::Packed(list) => packed::count(list),
            SetRef::Big(tree) => tree.len(),
        }
    }

    /// Whether there is no member; that of an entry in the keyspace has some.
    pub fn is_empty(self) -> bool {
        match self {
            SetRef::Ints(ints) => ints.is_empty(),
            SetRef::Packed(list) => list.is_empty(),
            SetRef::Big(tree) => tree.is_empty(),
        }
    }

    /// Where a member is, or where it belongs. O(log n); O(members) for a packed list.
    #[inline]
    pub fn find(self, hasher: &KeyHasher, member: Element<'_>) -> Result<Place, Place> {
        match self {
            SetRef::Ints(ints) => match member {
                Element::Int(n) => ints.find(n).map(Place::of_number).map_err(Place::of_number),
                Element::Bytes(_) => Err(Place::of_number(ints.len())),
            },
            SetRef::Packed(list) => {
                let mut elements = packed::iter(list);
                let mut count = 0;
                loop {
                    let at = elements.position();
                    match elements.next() {
                        Some(element) if element == member => return Ok(Place::of_number(at)),
                        Some(_) => count += 1,
                        None => return Err(Place::of_number(count)),
                    }
                }
            }
            SetRef::Big(tree) => member.with_text(|text| {
                members::find(tree, member_hash(hasher, text), |other| other == text)
                    .map(|(path, _)| Place::of_path(path))
                    .map_err(Place::of_path)
            }),
        }
    }

    /// Whether it has a member. Costs as [`SetRef::find`].
    #[inline]
    pub fn contains(self, hasher: &KeyHasher, member: Element<'_>) -> bool {
        self.find(hasher, member).is_ok()
    }

    /// The member of an index below the length: any order that stays while the set does. O(index) for a packed list.
    pub fn get(self, index: usize) -> Option<Element<'a>> {
        match self {
            SetRef::Ints(ints) => (index < ints.len()).then(|| Element::Int(ints.get(index))),
            SetRef::Packed(list) => packed::iter(list).nth(index),
            SetRef::Big(tree) => tree.get(index).map(|(_, text)| Element::of(text)),
        }
    }

    /// All members, in the order of [`SetRef::get`].
    pub fn iter(self) -> Iter<'a> {
        match self {
            SetRef::Ints(ints) => Iter::Ints { ints, next: 0 },
            SetRef::Packed(list) => Iter::Packed(packed::iter(list)),
            SetRef::Big(tree) => Iter::Big(tree.iter()),
        }
    }

    /// Hands over the texts of all members.
    pub fn for_each_text(self, mut f: impl FnMut(&[u8])) {
        match self {
            SetRef::Big(tree) => tree.iter().for_each(|(_, text)| f(text)),
            _ => self.iter().for_each(|member| member.with_text(&mut f)),
        }
    }

    /// The members of ascending indexes. O(log n) each in the big form, O(members) altogether in the others.
    pub fn pick(self, indexes: impl Iterator<Item = usize>, mut f: impl FnMut(Element<'a>)) {
        match self {
            SetRef::Packed(list) => {
                let (mut elements, mut next) = (packed::iter(list), 0);
                for index in indexes {
                    elements.nth(index - next).into_iter().for_each(&mut f);
                    next = index + 1;
                }
            }
            _ => indexes.filter_map(|index| self.get(index)).for_each(f),
        }
    }

    /// The big form of the same set.
    fn to_tree(self, hasher: &KeyHasher) -> Tree<MemberHash> {
        tree_of(self.iter(), hasher)
    }
}

/// See [`SetRef::iter`].
#[derive(Clone, Debug)]
pub enum Iter<'a> {
    /// Of integers.
    Ints {
        /// The set.
        ints: Ints<'a>,
        /// Rank of the next one.
        next: usize,
    },
    /// Of a packed list.
    Packed(packed::Iter<'a>),
    /// Of the big form.
    Big(tree::Iter<'a, MemberHash>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Iter::Ints { ints, next } => {
                let rank = *next;
                (rank < ints.len()).then(|| {
                    *next += 1;
                    Element::Int(ints.get(rank))
                })
            }
            Iter::Packed(elements) => elements.next(),
            Iter::Big(items) => items.next().map(|(_, text)| Element::of(text)),
        }
    }
}

/// A set as it was at one moment: O(1) to take of the big form, a copy of the bytes else.
#[derive(Clone, Debug)]
pub enum Snapshot {
    /// Integers.
    Ints(SmallVec<[u8; 120]>),
    /// A packed list.
    Packed(SmallVec<[u8; 120]>),
    /// The big form.
    Big(Tree<MemberHash>),
}

impl Snapshot {
    /// The set in an entry; `None` for another type.
    pub fn of(entry: &Entry) -> Option<Self> {
        let bytes = || entry.packed_bytes().map(SmallVec::from_slice);
        match entry.kind() {
            Kind::SetInts => bytes().map(Snapshot::Ints),
            Kind::SetPacked => bytes().map(Snapshot::Packed),
            _ => match entry.big() {
                Some(Big::Set(tree)) => Some(Snapshot::Big(tree.clone())),
                _ => None,
            },
        }
    }

    /// The set for reading.
    pub fn as_ref(&self) -> SetRef<'_> {
        match self {
            Snapshot::Ints(bytes) => SetRef::Ints(Ints::of(bytes)),
            Snapshot::Packed(list) => SetRef::Packed(list),
            Snapshot::Big(tree) => SetRef::Big(tree),
        }
    }
}

/// An empty set of integers, to be filled before it is filed.
pub fn empty_ints(key: &[u8], clock: u32) -> Entry {
    Entry::packed(key, Kind::SetInts, intset::EMPTY, clock)
}

/// An empty packed set, to be filled before it is filed.
pub fn empty_packed(key: &[u8], clock: u32) -> Entry {
    Entry::packed(key, Kind::SetPacked, &[], clock)
}

/// An empty set in the form that suits `count` members of which this is the first.
pub fn empty_for(
    key: &[u8],
    first: Element<'_>,
    count: usize,
    limits: &Limits,
    clock: u32,
) -> Entry {
    if matches!(first, Element::Int(_)) && count <= limits.ints {
        empty_ints(key, clock)
    } else if count <= limits.packed {
        empty_packed(key, clock)
    } else {
        empty_packed(key, clock).with_big(Big::Set(Tree::new()))
    }
}

/// The same set in its big form where `count` more members at once would not fit another, as Redis guesses it.
#[must_use]
pub fn grown_for(entry: Entry, count: usize, limits: &Limits, hasher: &KeyHasher) -> Entry {
    let max = match entry.kind() {
        Kind::SetInts => limits.ints,
        Kind::SetPacked => limits.packed,
        _ => usize::MAX,
    };
    if count > max {
        let tree = view(&entry).to_tree(hasher);
        entry.with_big(Big::Set(tree))
    } else {
        entry
    }
}

fn view(entry: &Entry) -> SetRef<'_> {
    SetRef::of(entry).expect("a set's entry")
}

/// Adds a member where [`SetRef::find`] of this set said that it belongs.
///
/// # Panics
/// If the entry is no set.
#[must_use]
pub fn insert(
    mut entry: Entry,
    place: Place,
    member: Element<'_>,
    limits: &Limits,
    hasher: &KeyHasher,
) -> Entry {
    let tree = match (view(&entry), member) {
        (SetRef::Ints(ints), Element::Int(n)) => {
            let len = ints.len() + 1;
            if len <= limits.ints && intset::bytes_max(len) <= INLINE_BYTES_MAX {
                return intset::insert(entry, place.number(), n);
            }
            with_member(ints_to_tree(ints, hasher), member, hasher)
        }
        (SetRef::Ints(ints), Element::Bytes(text)) => match ints_to_packed(ints, text, limits) {
            Some(list) => return entry.with_packed(Kind::SetPacked, &list),
            None => with_member(ints_to_tree(ints, hasher), member, hasher),
        },
        (SetRef::Packed(list), _) => {
            let (end, len) = (list.len(), member.len());
            if place.number() < limits.packed
                && len <= limits.value_bytes
                && end + packed::encoded_len_max(len) <= INLINE_BYTES_MAX
            {
                return with_encoded(member, |new| entry.splice(end, 0, new));
            }
            with_member(SetRef::Packed(list).to_tree(hasher), member, hasher)
        }
        (SetRef::Big(_), _) => {
            let Some(Big::Set(tree)) = entry.big_mut() else {
                unreachable!("seen above")
            };
            member.with_text(|text| tree.insert_at(place.path(), member_hash(hasher, text), text));
            return entry;
        }
    };
    entry.with_big(Big::Set(tree))
}

/// Adds a member unless it is there; whether it was not.
pub fn add(
    entry: Entry,
    member: Element<'_>,
    limits: &Limits,
    hasher: &KeyHasher,
) -> (Entry, bool) {
    match view(&entry).find(hasher, member) {
        Ok(_) => (entry, false),
        Err(place) => (insert(entry, place, member, limits, hasher), true),
    }
}

/// Takes out the member at a place where [`SetRef::find`] of this set found it.
///
/// # Panics
/// If the entry is no set.
#[must_use]
pub fn remove(mut entry: Entry, place: Place) -> Entry {
    match view(&entry) {
        SetRef::Ints(_) => intset::remove(entry, place.number()),
        SetRef::Packed(list) => {
            let end = packed::element_at(list, place.number()).map_or(list.len(), |(_, end)| end);
            entry.splice(place.number(), end - place.number(), &[])
        }
        SetRef::Big(_) => {
            if let Some(Big::Set(tree)) = entry.big_mut() {
                tree.remove_at(place.path());
            }
            entry
        }
    }
}

/// Takes out the members of ascending indexes. O(members) for the forms inside the entry, else O(log n) each.
///
/// # Panics
/// If the entry is no set, or past the end.
#[must_use]
pub fn remove_indexes(mut entry: Entry, indexes: &[usize]) -> Entry {
    // Whether the member of an index stays; asked of all in order.
    let mut gone = indexes.iter().peekable();
    let mut stays = |index: usize| gone.next_if(|at| **at == index).is_none();
    match view(&entry) {
        SetRef::Ints(ints) => {
            let numbers = ints.iter().enumerate();
            let left: Vec<i64> = numbers.filter(|(i, _)| stays(*i)).map(|(_, n)| n).collect();
            entry.with_packed(Kind::SetInts, &intset::of_sorted(&left))
        }
        SetRef::Packed(list) => {
            if let [index] = indexes {
                let at = packed::position_of(list, *index, None);
                return remove(entry, Place::of_number(at));
            }
            let mut left = Vec::with_capacity(list.len());
            for (index, element) in packed::iter(list).enumerate() {
                if stays(index) {
                    element.encode(&mut left);
                }
            }
            entry.with_packed(Kind::SetPacked, &left)
        }
        SetRef::Big(_) => {
            if let Some(Big::Set(tree)) = entry.big_mut() {
                let mut end = indexes.len();
                // Neighbours go together.
                while end > 0 {
                    let mut start = end - 1;
                    while start > 0 && indexes[start - 1] + 1 == indexes[start] {
                        start -= 1;
                    }
                    tree.remove_range(indexes[start]..indexes[end - 1] + 1);
                    end = start;
                }
            }
            entry
        }
    }
}

/// A set in its big form in the smallest one that members have which are added to an empty packed list one by one.
#[must_use]
pub fn shrunk(entry: Entry, limits: &Limits) -> Entry {
    let SetRef::Big(tree) = view(&entry) else {
        return entry;
    };
    let mut list = Vec::new();
    if tree.len() > limits.packed {
        return entry;
    }
    for (_, text) in tree.iter() {
        Element::of(text).encode(&mut list);
        if text.len() > limits.value_bytes || list.len() > INLINE_BYTES_MAX {
            return entry;
        }
    }
    entry.with_packed(Kind::SetPacked, &list)
}

fn ints_to_tree(ints: Ints<'_>, hasher: &KeyHasher) -> Tree<MemberHash> {
    SetRef::Ints(ints).to_tree(hasher)
}

/// The packed list of integers and one text that is none, if it may be so big.
fn ints_to_packed(ints: Ints<'_>, text: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let len = ints.len();
    let longest = [0, len.wrapping_sub(1)].map(|rank| match rank < len {
        true => Element::Int(ints.get(rank)).len(),
        false => 0,
    });
    let longest = longest[0].max(longest[1]).max(text.len());
    if len >= limits.packed || longest > limits.value_bytes {
        return None;
    }
    let mut list = Vec::new();
    ints.iter().for_each(|n| Element::Int(n).encode(&mut list));
    Element::Bytes(text).encode(&mut list);
    (list.len() <= INLINE_BYTES_MAX).then_some(list)
}

fn with_member(
    mut tree: Tree<MemberHash>,
    member: Element<'_>,
    hasher: &KeyHasher,
) -> Tree<MemberHash> {
    if let Err(place) = SetRef::Big(&tree).find(hasher, member) {
        member.with_text(|text| tree.insert_at(place.path(), member_hash(hasher, text), text));
    }
    tree
}

/// Encodes members up to 64 bytes on the stack.
fn with_encoded<R>(member: Element<'_>, f: impl FnOnce(&[u8]) -> R) -> R {
    let mut encoded = SmallVec::<[u8; 80]>::new();
    member.encode(&mut encoded);
    f(&encoded)
}

/// The form that members get which come all at once.
pub fn form_of<'a>(members: impl Iterator<Item = Element<'a>>, limits: &Limits) -> Kind {
    let (mut count, mut ints, mut longest, mut bytes) = (0usize, true, 0, 0);
    for member in members {
        let len = member.len();
        count += 1;
        ints &= matches!(member, Element::Int(_));
        longest = longest.max(len);
        bytes += packed::encoded_len_max(len);
    }
    if ints && count <= limits.ints && intset::bytes_max(count) <= INLINE_BYTES_MAX {
        Kind::SetInts
    } else if !ints
        && count <= limits.packed
        && longest <= limits.value_bytes
        && bytes <= INLINE_BYTES_MAX
    {
        Kind::SetPacked
    } else {
        Kind::Set
    }
}

/// A new entry with these distinct members in a form that [`form_of`] gave them, or more. O(n log n).
pub fn build(
    key: &[u8],
    members: &[Element<'_>],
    form: Kind,
    hasher: &KeyHasher,
    clock: u32,
) -> Entry {
    match form {
        Kind::SetInts => {
            let number = |member: &Element<'_>| match member {
                Element::Int(n) => Some(*n),
                Element::Bytes(_) => None,
            };
            let mut numbers: Vec<i64> = members.iter().filter_map(number).collect();
            numbers.sort_unstable();
            Entry::packed(key, form, &intset::of_sorted(&numbers), clock)
        }
        Kind::SetPacked => {
            let mut list = Vec::new();
            members.iter().for_each(|member| member.encode(&mut list));
            Entry::packed(key, form, &list, clock)
        }
        _ => {
            let tree = tree_of(members.iter().copied(), hasher);
            empty_packed(key, clock).with_big(Big::Set(tree))
        }
    }
}

fn tree_of<'a>(members: impl Iterator<Item = Element<'a>>, hasher: &KeyHasher) -> Tree<MemberHash> {
    let hashed = |member: Element<'a>| {
        let hash = member.with_text(|text| member_hash(hasher, text));
        (hash, member)
    };
    let mut sorted: Vec<_> = members.map(hashed).collect();
    sorted.sort_unstable_by_key(|(hash, _)| *hash);
    let mut tree = Builder::new();
    for (hash, member) in sorted {
        member.with_text(|text| tree.push(hash, text));
    }
    tree.finish()
}
