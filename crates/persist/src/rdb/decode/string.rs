//! Strings.

use std::cell::RefCell;

use dunlin_store::{Entry, NewString};

use super::super::cursor::{Cursor, Take};
use super::{Decoded, Value, elements};

/// Room that a thread keeps from one value to the next.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// For texts that are compressed.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn read(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Decoded> {
    ROOM.with_borrow_mut(|room| {
        let (text, _) = elements::blob(cursor, room, "a string")?;
        let entry = Entry::string(value.key, NewString::new(text), value.rules.clock);
        if room.capacity() > KEPT_BYTES_MAX {
            *room = Vec::new();
        }
        Ok(Decoded::Entry(entry))
    })
}
