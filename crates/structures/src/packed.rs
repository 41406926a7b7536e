//! Packed list: short strings and integers one after the other in one piece of memory, read from either end.
//!
//! ```text
//! element  | head | content | length of head and content, for reading backwards |
//! head     0..=127: a string of so many bytes
//!          128..=191: the integers from 0 on             192..=223: the integers from 64 on, with one more byte
//!          224..=227: an integer of 1, 2, 4, 8 bytes     228: length of 2 bytes, string    229: length of 4 bytes, string
//! back     1 byte up to 254; else 4 bytes and 255
//! ```
//!
//! A string that is the canonical decimal form of a 64-bit integer is kept as the integer. All numbers are little-endian. The functions
//! work on plain bytes, so that a list can lie inside something else; they trust that those were made here.
//!
//! **Invariant.** The bytes are a sequence of whole elements, so positions are the starts of elements or the end.
//!
//! The idea is Redis's listpack; the format is not.

use std::fmt;

use smallvec::SmallVec;

const STRING_MAX: u8 = 127;
/// Integers that are a head.
const TINY: u8 = 128;
const TINY_MAX: u8 = 191;
const TINY_END: i64 = 1 + (TINY_MAX - TINY) as i64;
/// Integers of a head and a byte.
const SMALL: u8 = 192;
const SMALL_MAX: u8 = 223;
const SMALL_END: i64 = TINY_END + 256 * (1 + (SMALL_MAX - SMALL) as i64);
const INT8: u8 = 224;
const INT16: u8 = 225;
const INT32: u8 = 226;
const INT64: u8 = 227;
const STRING16: u8 = 228;
const STRING32: u8 = 229;
/// Ends a back length of four bytes.
const LONG_BACK: u8 = 255;

/// What encodings are appended to.
pub trait Sink {
    /// Bytes so far.
    fn len(&self) -> usize;
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
    /// Whether there are none yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Appends a byte.
    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// For short elements on the stack: a small vector spills where these are long.
impl<const N: usize> Sink for SmallVec<[u8; N]> {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// An element.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element<'a> {
    /// A string that is no integer in canonical form.
    Bytes(&'a [u8]),
    /// An integer; its text is the canonical form.
    Int(i64),
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Element::Int(n) => write!(f, "{n}"),
        }
    }
}

impl<'a> Element<'a> {
    /// What a text becomes.
    #[inline]
    pub fn of(text: &'a [u8]) -> Self {
        match canonical_int(text) {
            Some(n) => Element::Int(n),
            None => Element::Bytes(text),
        }
    }

    /// Hands the text over.
    #[inline]
    pub fn with_text<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Element::Bytes(bytes) => f(bytes),
            Element::Int(n) => f(itoa::Buffer::new().format(n).as_bytes()),
        }
    }

    /// The text.
    pub fn to_vec(self) -> Vec<u8> {
        self.with_text(<[u8]>::to_vec)
    }

    /// Length of the text in bytes.
    pub fn len(self) -> usize {
        self.with_text(<[u8]>::len)
    }

    /// Whether the text is empty.
    pub fn is_empty(self) -> bool {
        matches!(self, Element::Bytes(b""))
    }

    /// Appends the element's encoding.
    #[inline]
    pub fn encode(self, out: &mut impl Sink) {
        let start = out.len();
        self.encode_forward(out);
        let len = out.len() - start;
        if len < usize::from(LONG_BACK) {
            out.put_byte(len as u8);
        } else {
            let len = u32::try_from(len).expect("a string is below 4 GiB");
            out.put(&len.to_le_bytes());
            out.put_byte(LONG_BACK);
        }
    }

    /// Appends head and content only: a list of such elements is read from the front, by [`forward_at`].
    #[inline]
    pub fn encode_forward(self, out: &mut impl Sink) {
        match self {
            Element::Int(n) => {
                if (0..TINY_END).contains(&n) {
                    out.put_byte(TINY + n as u8);
                } else if (TINY_END..SMALL_END).contains(&n) {
                    let [low, high] = ((n - TINY_END) as u16).to_le_bytes();
                    out.put(&[SMALL + high, low]);
                } else if let Ok(n) = i8::try_from(n) {
                    out.put_byte(INT8);
                    out.put(&n.to_le_bytes());
                } else if let Ok(n) = i16::try_from(n) {
                    out.put_byte(INT16);
                    out.put(&n.to_le_bytes());
                } else if let Ok(n) = i32::try_from(n) {
                    out.put_byte(INT32);
                    out.put(&n.to_le_bytes());
                } else {
                    out.put_byte(INT64);
                    out.put(&n.to_le_bytes());
                }
            }
            Element::Bytes(bytes) => {
                if bytes.len() <= usize::from(STRING_MAX) {
                    out.put_byte(bytes.len() as u8);
                } else if let Ok(len) = u16::try_from(bytes.len()) {
                    out.put_byte(STRING16);
                    out.put(&len.to_le_bytes());
                } else {
                    let len = u32::try_from(bytes.len()).expect("a string is below 4 GiB");
                    out.put_byte(STRING32);
                    out.put(&len.to_le_bytes());
                }
                out.put(bytes);
            }
        }
    }
}

/// Bytes that a text of `len` bytes takes at most.
pub fn encoded_len_max(len: usize) -> usize {
    len + 10
}

/// Parses a decimal integer in exactly the form that formatting it would give (no sign `+`, no leading zeros).
pub fn canonical_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude = 0u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

fn bytes_of<const N: usize>(list: &[u8], at: usize) -> [u8; N] {
    list[at..at + N].try_into().expect("N bytes")
}

/// The element at a position, and the position behind it. `None` at the end. O(1).
#[inline]
pub fn element_at(list: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let (element, end) = forward_at(list, at)?;
    let back = if end - at < usize::from(LONG_BACK) {
        1
    } else {
        5
    };
    Some((element, end + back))
}

/// The element that [`Element::encode_forward`] wrote at a position, and the position behind it. `None` at the end. O(1).
#[inline]
pub fn forward_at(list: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let head = *list.get(at)?;
    let body = at + 1;
    let string = |body: usize, len: usize| (Element::Bytes(&list[body..body + len]), body + len);
    Some(match head {
        ..=STRING_MAX => string(body, head.into()),
        TINY..=TINY_MAX => (Element::Int((head - TINY).into()), body),
        SMALL..=SMALL_MAX => {
            let above = u16::from_le_bytes([list[body], head - SMALL]);
            (Element::Int(TINY_END + i64::from(above)), body + 1)
        }
        INT8 => (
            Element::Int(i8::from_le_bytes(bytes_of(list, body)).into()),
            body + 1,
        ),
        INT16 => (
            Element::Int(i16::from_le_bytes(bytes_of(list, body)).into()),
            body + 2,
        ),
        INT32 => (
            Element::Int(i32::from_le_bytes(bytes_of(list, body)).into()),
            body + 4,
        ),
        INT64 => (
            Element::Int(i64::from_le_bytes(bytes_of(list, body))),
            body + 8,
        ),
        STRING16 => string(body + 2, u16::from_le_bytes(bytes_of(list, body)).into()),
        STRING32 => string(body + 4, u32::from_le_bytes(bytes_of(list, body)) as usize),
        _ => unreachable!("a damaged packed list"),
    })
}

/// The element that ends at a position, and where it begins. `None` at the start. O(1).
#[inline]
pub fn element_before(list: &[u8], end: usize) -> Option<(Element<'_>, usize)> {
    let last = end.checked_sub(1)?;
    let start = match list[last] {
        LONG_BACK => last - 4 - u32::from_le_bytes(bytes_of(list, last - 4)) as usize,
        len => last - usize::from(len),
    };
    element_at(list, start).map(|(element, _)| (element, start))
}

/// Elements from the first to the last, from either end.
pub fn iter(list: &[u8]) -> Iter<'_> {
    Iter {
        list,
        at: 0,
        end: list.len(),
    }
}

/// Number of elements. O(elements).
pub fn count(list: &[u8]) -> usize {
    iter(list).count()
}

/// Position of the element of this index. O(index), counted from the nearer end if `len`, the number of elements, is known.
pub fn position_of(list: &[u8], index: usize, len: Option<usize>) -> usize {
    match len {
        Some(len) if index > len / 2 => {
            let mut elements = iter(list);
            (index..len).for_each(|_| {
                elements.next_back();
            });
            elements.end
        }
        _ => {
            let mut elements = iter(list);
            (0..index).for_each(|_| {
                elements.next();
            });
            elements.at
        }
    }
}

/// The first element that equals `text`, looking at every `stride`-th one: its index among those and its position. O(elements).
pub fn find(list: &[u8], text: &[u8], stride: usize) -> Option<(usize, usize)> {
    let wanted = Element::of(text);
    let mut elements = iter(list);
    let mut index = 0;
    loop {
        let at = elements.at;
        if elements.next()? == wanted {
            return Some((index, at));
        }
        (1..stride).for_each(|_| {
            elements.next();
        });
        index += 1;
    }
}

/// See [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    list: &'a [u8],
    at: usize,
    end: usize,
}

impl Iter<'_> {
    /// Position of the next element.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Position behind the last element that is left.
    pub fn end_position(&self) -> usize {
        self.end
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.at >= self.end {
            return None;
        }
        let (element, next) = element_at(self.list, self.at)?;
        self.at = next;
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let (element, start) = element_before(self.list, self.end)?;
        self.end = start;
        Some(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let text = prop_oneof![
            any::<i64>().prop_map(|n| n.to_string().into_bytes()),
            (-200i64..200).prop_map(|n| n.to_string().into_bytes()),
            (8_000i64..8_500).prop_map(|n| n.to_string().into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..300),
            (65_530usize..65_540).prop_map(|n| vec![b'x'; n]),
            Just(b"-0".to_vec()),
            Just(b"01".to_vec()),
            Just(b"9223372036854775808".to_vec()),
        ];
        proptest::collection::vec(text, 0..20)
    }

    proptest! {
        #[test]
        fn reads_what_was_written_from_both_ends(texts in texts()) {
            let mut list = Vec::new();
            for text in &texts {
                let before = list.len();
                Element::of(text).encode(&mut list);
                prop_assert!(list.len() - before <= encoded_len_max(text.len()));
            }
            let forward: Vec<Vec<u8>> = iter(&list).map(Element::to_vec).collect();
            prop_assert_eq!(&forward, &texts);
            let mut backward: Vec<Vec<u8>> = iter(&list).rev().map(Element::to_vec).collect();
            backward.reverse();
            prop_assert_eq!(&backward, &texts);
            prop_assert_eq!(count(&list), texts.len());
            for (index, text) in texts.iter().enumerate() {
                let at = position_of(&list, index, Some(texts.len()));
                prop_assert_eq!(at, position_of(&list, index, None));
                prop_assert_eq!(element_at(&list, at).map(|(e, _)| e.to_vec()), Some(text.clone()));
                let first = texts.iter().position(|other| other == text);
                prop_assert_eq!(find(&list, text, 1).map(|(index, _)| index), first);
            }
        }
    }

    #[test]
    fn small_things_are_small() {
        let size = |text: &[u8]| {
            let mut list = Vec::new();
            Element::of(text).encode(&mut list);
            list.len()
        };
        assert_eq!((size(b"7"), size(b"63"), size(b"64")), (2, 2, 3));
        assert_eq!((size(b"-100"), size(b"8255"), size(b"8256")), (3, 3, 4));
        assert_eq!((size(b"abc"), size(b"9223372036854775807")), (5, 10));
    }
}
