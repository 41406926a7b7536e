//! What a value consists of, whatever its encoding was: the one form from which all values are built.
//!
//! **Invariant.** The list is a packed list as [`dunlin_structures::packed`] writes it, so that reading it cannot fail.

use dunlin_structures::packed::{self, Element};

use super::super::cursor::{Cursor, Take, Text};
use super::super::lzf;

/// Elements one after the other.
#[derive(Debug, Default)]
pub(super) struct Elements {
    /// The packed list.
    pub(super) list: Vec<u8>,
    /// How many they are.
    pub(super) count: usize,
    /// Bytes of all texts together.
    pub(super) text_bytes: usize,
    /// Bytes of the longest text.
    pub(super) longest: usize,
}

impl Elements {
    /// Room for what takes about so many bytes, all of which are there.
    pub(super) fn with_room(bytes: usize) -> Self {
        Elements {
            list: Vec::with_capacity(bytes),
            ..Elements::default()
        }
    }

    #[inline]
    pub(super) fn push(&mut self, element: Element<'_>) {
        let len = element.len();
        self.count += 1;
        self.text_bytes += len;
        self.longest = self.longest.max(len);
        element.encode(&mut self.list);
    }

    #[inline]
    pub(super) fn push_text(&mut self, text: &[u8]) {
        self.push(Element::of(text));
    }

    /// Takes the next text of a cursor.
    #[inline]
    pub(super) fn push_next(&mut self, cursor: &mut Cursor<'_>, what: &'static str) -> Take<()> {
        match cursor.text(what)? {
            Text::Plain(text) => self.push_text(text),
            Text::Int(n) => self.push(Element::Int(n)),
            Text::Lzf { packed, len, at } => {
                let mut text = Vec::new();
                lzf::decompress(packed, len, at, &mut text)?;
                self.push_text(&text);
            }
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> packed::Iter<'_> {
        packed::iter(&self.list)
    }
}

/// The bytes of the next text, in `room` if it was compressed or a number; and where they begin, as well as that can be told.
pub(super) fn blob<'r, 'a: 'r>(
    cursor: &mut Cursor<'a>,
    room: &'r mut Vec<u8>,
    what: &'static str,
) -> Take<(&'r [u8], usize)> {
    let before = cursor.at();
    Ok(match cursor.text(what)? {
        Text::Plain(text) => (text, cursor.at() - text.len()),
        Text::Int(n) => {
            room.clear();
            room.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
            (&room[..], before)
        }
        Text::Lzf { packed, len, at } => {
            room.clear();
            lzf::decompress(packed, len, at, room)?;
            (&room[..], at)
        }
    })
}
