//! Strings.

use dunlin_store::{Entry, NewString};

use super::super::cursor::{Cursor, Take};
use super::{Decoded, Value, elements};

pub(super) fn read(value: &Value<'_>, cursor: &mut Cursor<'_>) -> Take<Decoded> {
    let mut room = Vec::new();
    let (text, _) = elements::blob(cursor, &mut room, "a string")?;
    Ok(Decoded::Entry(Entry::string(
        value.key,
        NewString::new(text),
        value.rules.clock,
    )))
}
