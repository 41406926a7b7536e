//! `FIELDS numfields field [field ...]`: how the commands on deadlines of fields name fields, and what they record.

use dunlin_store::log::Arg;
use dunlin_store::{Event, Key};

use crate::command::{ArgKind, Argument};
use crate::number::parse_i64;
use crate::{Ctx, ReplyError};

/// `FIELDS numfields field [field ...]`.
pub(super) const FIELDS: Argument = Argument::block(
    "fields",
    &[
        Argument::new("numfields", ArgKind::Integer),
        Argument::new("field", ArgKind::String).multiple(),
    ],
)
.with_token("FIELDS");

/// What is answered for a field that does not exist.
pub(super) const NO_FIELD: i64 = -2;

/// The first field's place, where the word `FIELDS` must stand at `index`. `count_error` is what is said of a count that is none.
pub(super) fn first_field(
    cx: &Ctx<'_>,
    index: usize,
    count_error: &'static str,
) -> Result<usize, ReplyError> {
    if !cx.args.is(index, "fields") {
        return Err(ReplyError::err(
            "Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = cx.args.get(index + 1).and_then(parse_i64);
    let Some(count) = count.filter(|count| *count > 0) else {
        return Err(ReplyError::err(count_error));
    };
    if usize::try_from(count).ok() != cx.args.len().checked_sub(index + 2) {
        return Err(ReplyError::err(
            "The `numfields` parameter must match the number of arguments",
        ));
    }
    Ok(index + 2)
}

/// Records a change of fields whose effect is `head`, and behind it `FIELDS` and the fields.
pub(super) fn record_fields(
    cx: &mut Ctx<'_>,
    key: &Key<'_>,
    event: &'static str,
    head: &[Arg<'_>],
    fields: &[&[u8]],
) {
    let mut effect = head.to_vec();
    effect.extend([Arg::from("FIELDS"), (fields.len() as u64).into()]);
    effect.extend(fields.iter().map(|field| Arg::from(*field)));
    let db = cx.db();
    cx.keys.record(db, key.bytes, Event::hash(event), &effect);
    cx.keys.count_changes(fields.len() as u64 - 1);
}
