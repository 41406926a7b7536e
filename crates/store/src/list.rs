//! Lists: the packed form inside the entry and the big form, behind one interface.
//!
//! ```text
//! ListPacked   elements (see dunlin_structures::packed) | number of elements, 2 bytes |
//! List         a tree whose payloads are the elements' texts
//! ```
//!
//! The number stands at the end, so that pushing there writes over it and positions count from 0. [`Fill`] says when the packed form is
//! left; it is taken up again when deletions have brought a list to half of that, as in Redis 7.2.
//!
//! **Invariant.** A filed list is not empty: who takes the last element removes the key.

use std::ops::Range;

use dunlin_structures::packed::{self, Element};
use dunlin_structures::tree::{self, Tree};
use smallvec::SmallVec;

use crate::big::Big;
use crate::entry::{Entry, INLINE_BYTES_MAX, Kind};

/// Bytes of the number of elements behind a packed form.
const COUNT_BYTES: usize = 2;
/// What Redis adds to the elements of its packed form, so that both count alike.
const REDIS_FRAME_BYTES: usize = 7;
/// Most bytes of a packed form that is limited by its number of elements.
const SAFETY_BYTES_MAX: usize = 8 * 1024;
/// What the sizes -1 to -5 mean.
const SIZE_BYTES_MAX: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// Bytes that an element takes beside its text, in the big form's estimate of its packed size.
const FRAME_BYTES: usize = 2;

/// Room for what is pushed, on the stack where it is short.
type Scratch = SmallVec<[u8; 128]>;

/// An end of a list.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// Where LPUSH pushes.
    Left,
    /// Where RPUSH pushes.
    Right,
}

/// How much a packed form may hold: the setting `list-max-listpack-size`.
#[derive(Copy, Clone, Debug)]
pub struct Fill {
    bytes_max: usize,
    elements_max: usize,
    /// Limited by the number of elements.
    counts: bool,
}

impl Fill {
    /// What a value of the setting means: elements, or from -1 to -5 the bytes 4, 8, 16, 32, 64 KiB.
    #[inline]
    pub fn new(setting: i64) -> Fill {
        match usize::try_from(setting) {
            Ok(elements) => Fill {
                bytes_max: SAFETY_BYTES_MAX,
                elements_max: elements.max(1),
                counts: true,
            },
            Err(_) => {
                let level = usize::try_from(setting.unsigned_abs()).unwrap_or(usize::MAX);
                Fill {
                    bytes_max: SIZE_BYTES_MAX[level.min(SIZE_BYTES_MAX.len()) - 1],
                    elements_max: usize::MAX,
                    counts: false,
                }
            }
        }
    }

    fn is_exceeded(self, bytes: usize, elements: usize) -> bool {
        bytes > self.bytes_max || elements > self.elements_max
    }

    /// Whether a big list is small enough to be packed again.
    fn takes_back(self, tree: &Tree<()>) -> bool {
        let elements_max = if self.counts {
            self.elements_max / 2
        } else {
            self.bytes_max / 2 / FRAME_BYTES
        };
        if tree.len() > elements_max {
            return false;
        }
        let bytes_max = if self.counts {
            self.bytes_max
        } else {
            self.bytes_max / 2
        };
        tree.payload_bytes() + tree.len() * FRAME_BYTES <= bytes_max
    }
}

/// A list, for reading.
#[derive(Copy, Clone, Debug)]
pub enum ListRef<'a> {
    /// The elements of a packed form, and their number.
    Packed(&'a [u8], usize),
    /// A big list.
    Big(&'a Tree<()>),
}

/// The elements of a packed form, and their number.
fn parts(bytes: &[u8]) -> (&[u8], usize) {
    let (elements, count) = bytes.split_at(bytes.len() - COUNT_BYTES);
    let count = count.try_into().expect("two bytes");
    (elements, usize::from(u16::from_le_bytes(count)))
}

pub(crate) fn count_bytes(count: usize) -> [u8; COUNT_BYTES] {
    u16::try_from(count)
        .expect("64 KiB hold fewer elements")
        .to_le_bytes()
}

impl<'a> ListRef<'a> {
    /// The list of an entry; `None` for another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<ListRef<'a>> {
        match entry.kind() {
            Kind::ListPacked => {
                let (elements, count) = parts(entry.packed_bytes()?);
                Some(ListRef::Packed(elements, count))
            }
            Kind::List => match entry.big()? {
                Big::List(tree) => Some(ListRef::Big(tree)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Number of elements.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "no list is empty")]
    pub fn len(&self) -> usize {
        match self {
            ListRef::Packed(_, count) => *count,
            ListRef::Big(tree) => tree.len(),
        }
    }

    /// The element of this index. O(log n); O(n) in a packed form.
    pub fn get(&self, index: usize) -> Option<Element<'a>> {
        match self {
            ListRef::Packed(elements, count) if index < *count => {
                let at = packed::position_of(elements, index, Some(*count));
                packed::element_at(elements, at).map(|(element, _)| element)
            }
            ListRef::Packed(..) => None,
            ListRef::Big(tree) => tree.get(index).map(|((), text)| Element::Bytes(text)),
        }
    }

    /// The elements of a range of indices, from either end.
    ///
    /// # Panics
    /// If the range ends past the end.
    pub fn range(&self, range: Range<usize>) -> Iter<'a> {
        match self {
            ListRef::Packed(elements, count) => {
                assert!(range.end <= *count, "{range:?} of {count}");
                let from = packed::position_of(elements, range.start, Some(*count));
                let to = packed::position_of(elements, range.end.max(range.start), Some(*count));
                Iter::Packed(packed::iter(&elements[from..to]))
            }
            ListRef::Big(tree) => Iter::Big(tree.range(range)),
        }
    }

    /// All elements.
    pub fn iter(&self) -> Iter<'a> {
        self.range(0..self.len())
    }

    /// Visits the indices of elements that equal `text`, from one end on, until `visit` returns false; looks at `most` elements at most.
    pub fn matches(&self, text: &[u8], from: End, most: usize, visit: impl FnMut(usize) -> bool) {
        let (wanted, len) = (Element::of(text), self.len());
        let most = most.min(len);
        let is_it = |element: &Element<'_>| match element {
            // A packed form keeps integers as such and a big one never, so one comparison is enough.
            Element::Int(_) => *element == wanted,
            Element::Bytes(bytes) => *bytes == text,
        };
        let mut visit = visit;
        match from {
            End::Left => {
                let mut elements = self.range(0..most).enumerate();
                elements.all(|(index, element)| !is_it(&element) || visit(index));
            }
            End::Right => {
                let mut elements = self.range(len - most..len).rev().enumerate();
                elements.all(|(index, element)| !is_it(&element) || visit(len - 1 - index));
            }
        }
    }
}

/// Elements of a list, from either end.
#[derive(Clone, Debug)]
pub enum Iter<'a> {
    /// Of a packed form.
    Packed(packed::Iter<'a>),
    /// Of a big list.
    Big(tree::Iter<'a, ()>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Iter::Packed(elements) => elements.next(),
            Iter::Big(entries) => entries.next().map(|((), text)| Element::Bytes(text)),
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Packed(elements) => elements.next_back(),
            Iter::Big(entries) => entries.next_back().map(|((), text)| Element::Bytes(text)),
        }
    }
}

/// Texts to be pushed one after the other.
pub trait Texts<'t>: DoubleEndedIterator<Item = &'t [u8]> + ExactSizeIterator + Clone {}

impl<'t, T: DoubleEndedIterator<Item = &'t [u8]> + ExactSizeIterator + Clone> Texts<'t> for T {}

/// Encodes texts in the order in which they stand when all are pushed at an end.
fn encode<'t>(texts: impl Texts<'t>, end: End, out: &mut Scratch) {
    match end {
        End::Left => texts.rev().for_each(|text| Element::of(text).encode(out)),
        End::Right => texts.for_each(|text| Element::of(text).encode(out)),
    }
}

/// A new list: texts pushed one after the other at an end of nothing. O(bytes).
pub fn create<'t>(key: &[u8], texts: impl Texts<'t>, end: End, fill: Fill, clock: u32) -> Entry {
    let (bytes, count) = (texts.clone().map(<[u8]>::len).sum(), texts.len());
    if is_too_much_at_once(bytes, count, fill) {
        let mut tree = Tree::new();
        push_texts(&mut tree, texts, end);
        return Entry::packed(key, Kind::ListPacked, &[], clock).with_big(Big::List(tree));
    }
    let mut new = Scratch::new();
    encode(texts, end, &mut new);
    new.extend_from_slice(&count_bytes(count));
    Entry::packed(key, Kind::ListPacked, &new, clock)
}

fn push_texts<'t>(tree: &mut Tree<()>, texts: impl Texts<'t>, end: End) {
    match end {
        End::Left => texts.for_each(|text| tree.insert(0, (), text)),
        End::Right => texts.for_each(|text| tree.push((), text)),
    }
}

/// Whether a list of `count` elements of `text_bytes` together is too much for a packed form.
pub(crate) fn is_too_much_at_once(text_bytes: usize, count: usize, fill: Fill) -> bool {
    is_too_much(COUNT_BYTES, 0, text_bytes, count, fill)
}

/// Whether `added` elements of `text_bytes` are too much for a packed form of so many bytes and elements.
fn is_too_much(bytes: usize, count: usize, text_bytes: usize, added: usize, fill: Fill) -> bool {
    let redis_bytes = bytes - COUNT_BYTES + REDIS_FRAME_BYTES;
    let frames = packed::encoded_len_max(0).saturating_mul(added);
    let bytes_max = bytes.saturating_add(text_bytes).saturating_add(frames);
    fill.is_exceeded(redis_bytes.saturating_add(text_bytes), count + added)
        || bytes_max > INLINE_BYTES_MAX
}

/// The list in a form that has room for `added` elements of `text_bytes`.
fn with_room(entry: Entry, text_bytes: usize, added: usize, fill: Fill) -> Entry {
    let Some(bytes) = entry.packed_bytes() else {
        return entry;
    };
    let (elements, count) = parts(bytes);
    if !is_too_much(bytes.len(), count, text_bytes, added, fill) {
        return entry;
    }
    let mut tree = Tree::new();
    packed::iter(elements).for_each(|element| element.with_text(|text| tree.push((), text)));
    entry.with_big(Big::List(tree))
}

/// The list in its packed form if it has become small enough.
fn shrunk(entry: Entry, fill: Fill) -> Entry {
    let Some(Big::List(tree)) = entry.big() else {
        return entry;
    };
    if !fill.takes_back(tree) {
        return entry;
    }
    let mut bytes = Vec::with_capacity(tree.payload_bytes() + tree.len() * 4);
    tree.iter()
        .for_each(|((), text)| Element::of(text).encode(&mut bytes));
    bytes.extend_from_slice(&count_bytes(tree.len()));
    entry.with_packed(Kind::ListPacked, &bytes)
}

/// What the entry's list is, for changing it.
enum Form<'e> {
    Packed { count: usize },
    Big(&'e mut Tree<()>),
}

fn form(entry: &mut Entry) -> Form<'_> {
    if let Some(bytes) = entry.packed_bytes() {
        let (_, count) = parts(bytes);
        return Form::Packed { count };
    }
    match entry.big_mut() {
        Some(Big::List(tree)) => Form::Big(tree),
        _ => unreachable!("the caller has looked that it is a list"),
    }
}

/// The elements of a packed form.
fn elements(entry: &Entry) -> &[u8] {
    parts(entry.packed_bytes().expect("it is packed")).0
}

/// A packed form with `old` bytes of elements at `at` replaced, of `count` elements then.
fn spliced(entry: Entry, at: usize, old: usize, new: &[u8], count: usize) -> Entry {
    let entry = entry.splice(at, old, new);
    let end = elements(&entry).len();
    entry.splice(end, COUNT_BYTES, &count_bytes(count))
}

/// Pushes texts one after the other. O(bytes), and O(bytes of a packed form) at the left.
#[must_use]
pub fn push<'t>(entry: Entry, texts: impl Texts<'t>, end: End, fill: Fill) -> Entry {
    let (bytes, added) = (texts.clone().map(<[u8]>::len).sum(), texts.len());
    let mut entry = with_room(entry, bytes, added, fill);
    let count = match form(&mut entry) {
        Form::Packed { count } => count + added,
        Form::Big(tree) => {
            push_texts(tree, texts, end);
            return entry;
        }
    };
    let mut new = Scratch::new();
    encode(texts, end, &mut new);
    match end {
        End::Left => spliced(entry, 0, 0, &new, count),
        End::Right => {
            let at = elements(&entry).len();
            new.extend_from_slice(&count_bytes(count));
            entry.splice(at, COUNT_BYTES, &new)
        }
    }
}

/// Adds an element before the one of this index, or at the end.
#[must_use]
pub fn insert(entry: Entry, index: usize, text: &[u8], fill: Fill) -> Entry {
    let mut entry = with_room(entry, text.len(), 1, fill);
    match form(&mut entry) {
        Form::Packed { count } => {
            let at = packed::position_of(elements(&entry), index, Some(count));
            let mut new = Scratch::new();
            Element::of(text).encode(&mut new);
            spliced(entry, at, 0, &new, count + 1)
        }
        Form::Big(tree) => {
            tree.insert(index, (), text);
            entry
        }
    }
}

/// Gives the element of this index another text.
///
/// # Panics
/// If there is no such element.
#[must_use]
pub fn set(entry: Entry, index: usize, text: &[u8], fill: Fill) -> Entry {
    let mut entry = with_room(entry, text.len(), 1, fill);
    match form(&mut entry) {
        Form::Packed { count } => {
            let elements = elements(&entry);
            let at = packed::position_of(elements, index, Some(count));
            let (_, end) = packed::element_at(elements, at).expect("an index of an element");
            let mut new = Scratch::new();
            Element::of(text).encode(&mut new);
            spliced(entry, at, end - at, &new, count)
        }
        Form::Big(tree) => {
            tree.replace(index, (), text);
            shrunk(entry, fill)
        }
    }
}

/// Takes a range of elements away, but not all.
///
/// # Panics
/// If the range ends past the end.
#[must_use]
pub fn remove(mut entry: Entry, range: Range<usize>, fill: Fill) -> Entry {
    match form(&mut entry) {
        Form::Packed { count } => {
            let elements = elements(&entry);
            let from = packed::position_of(elements, range.start, Some(count));
            let to = match range.len() {
                1 => packed::element_at(elements, from).map_or(from, |(_, end)| end),
                _ => packed::position_of(elements, range.end, Some(count)),
            };
            spliced(entry, from, to - from, &[], count - range.len())
        }
        Form::Big(tree) => {
            tree.remove_range(range);
            shrunk(entry, fill)
        }
    }
}

/// Takes the elements of these indices, which ascend, away, but not all. O(n) in a packed form, else O(log n) for each run of
/// neighbours.
#[must_use]
pub fn remove_all(mut entry: Entry, indices: &[usize], fill: Fill) -> Entry {
    match form(&mut entry) {
        Form::Packed { count } => {
            let elements = elements(&entry);
            let mut bytes = Vec::with_capacity(elements.len() + COUNT_BYTES);
            let (mut at, mut gone) = (0, indices.iter().peekable());
            for index in 0..count {
                let (_, end) = packed::element_at(elements, at).expect("so many elements");
                if gone.next_if(|gone| **gone == index).is_none() {
                    bytes.extend_from_slice(&elements[at..end]);
                }
                at = end;
            }
            bytes.extend_from_slice(&count_bytes(count - indices.len()));
            entry.with_packed(Kind::ListPacked, &bytes)
        }
        Form::Big(tree) => {
            let mut rest = indices;
            while let Some(&last) = rest.last() {
                let run = (1..rest.len())
                    .take_while(|back| rest[rest.len() - 1 - back] + back == last)
                    .count();
                tree.remove_range(last - run..last + 1);
                rest = &rest[..rest.len() - 1 - run];
            }
            shrunk(entry, fill)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str], fill: i64) -> Entry {
        let texts: Vec<&[u8]> = texts.iter().map(|t| t.as_bytes()).collect();
        create(b"k", texts.iter().copied(), End::Right, Fill::new(fill), 0)
    }

    fn one(text: &[u8]) -> impl Texts<'_> {
        std::iter::once(text)
    }

    fn show(entry: &Entry) -> String {
        let texts = ListRef::of(entry).expect("a list").iter();
        let texts: Vec<_> = texts
            .map(|e| String::from_utf8(e.to_vec()).expect("plain text"))
            .collect();
        format!("{:?} {}", entry.kind(), texts.join(" "))
    }

    #[test]
    fn settings_mean_what_they_mean_in_redis() {
        let limits = |setting| {
            let fill = Fill::new(setting);
            (fill.bytes_max, fill.elements_max)
        };
        assert_eq!(limits(-1), (4096, usize::MAX));
        assert_eq!(limits(-5), (65536, usize::MAX));
        assert_eq!(limits(-6), (65536, usize::MAX));
        assert_eq!(limits(i64::MIN), (65536, usize::MAX));
        assert_eq!(limits(0), (8192, 1));
        assert_eq!(limits(3), (8192, 3));
    }

    #[test]
    fn both_forms_change_alike() {
        for fill in [-2, 1] {
            let fill_of = Fill::new(fill);
            let mut entry = list(&["a", "1", "b", "1", "1"], fill);
            entry = insert(entry, 2, b"x", fill_of);
            entry = set(entry, 0, b"first", fill_of);
            entry = push(entry, one(b"left"), End::Left, fill_of);
            entry = push(
                entry,
                [b"y".as_slice(), b"z"].into_iter(),
                End::Left,
                fill_of,
            );
            entry = push(entry, one(b""), End::Right, fill_of);
            entry = remove_all(entry, &[4, 7, 8], fill_of);
            assert!(
                show(&entry).ends_with(" z y left first x b "),
                "{}",
                show(&entry)
            );
            entry = remove(entry, 1..3, fill_of);
            assert!(show(&entry).ends_with(" z first x b "), "{}", show(&entry));
        }
    }

    #[test]
    fn half_a_limit_packs_again() {
        let mut entry = list(&["a", "b", "c", "d"], 3);
        assert_eq!(show(&entry), "List a b c d");
        entry = remove(entry, 0..2, Fill::new(3));
        assert_eq!(show(&entry), "List c d");
        entry = remove(entry, 0..1, Fill::new(3));
        assert_eq!(show(&entry), "ListPacked d");
        let long = "x".repeat(4096);
        entry = list(&["a", &long], -1);
        assert_eq!(entry.kind(), Kind::List);
        entry = set(entry, 1, b"b", Fill::new(-1));
        assert_eq!(show(&entry), "ListPacked a b");
    }

    #[test]
    fn a_packed_form_never_outgrows_its_entry() {
        let fill = Fill::new(-5);
        let mut entry = list(&[""], -5);
        for _ in 0..40_000 {
            entry = push(entry, one(b""), End::Left, fill);
            assert!(
                entry
                    .packed_bytes()
                    .is_none_or(|b| b.len() <= INLINE_BYTES_MAX)
            );
        }
        assert_eq!(entry.kind(), Kind::List);
        let many = vec![b"".as_slice(); 70_000];
        entry = push(list(&["a"], 100_000), many.into_iter(), End::Right, fill);
        assert_eq!(ListRef::of(&entry).map(|l| l.len()), Some(70_001));
    }
}
