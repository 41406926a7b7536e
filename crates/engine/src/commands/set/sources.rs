//! The sets that the set algebra works on, and what its results are stored as.

use std::ops::Range;

use dunlin_store::set::{self, SetRef, Snapshot};
use dunlin_store::{Event, Kind};
use dunlin_structures::packed::{Element, encoded_len_max};
use smallvec::SmallVec;

use super::limits;
use crate::encodings::PACKED_BYTES_MAX;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// Sets as they are now; `None` for keys that don't exist.
pub(super) type Sources = SmallVec<[Option<Snapshot>; 4]>;

/// Takes the sets of these arguments; `None` when going through them is too long for a worker. `work` estimates the elements that will be
/// touched from the sets' lengths.
pub(super) fn gather(
    cx: &mut Ctx<'_>,
    keys: Range<usize>,
    work: impl FnOnce(&[usize]) -> usize,
) -> Result<Option<Sources>, ReplyError> {
    let db = cx.db();
    let clock = cx.keys.local().clock;
    let mut sources = Sources::new();
    let mut indexes = SmallVec::<[usize; 8]>::new();
    let mut lens = SmallVec::<[usize; 8]>::new();
    let mut of_type = Ok(());
    for index in keys {
        indexes.push(index);
        let key = cx.key(index);
        let source = match cx.keys.peek(db, &key) {
            None => None,
            Some(entry) => {
                entry.set_clock(clock);
                let snapshot = Snapshot::of(&entry);
                if snapshot.is_none() {
                    of_type = Err(ReplyError::WrongType);
                    break;
                }
                snapshot
            }
        };
        lens.push(source.as_ref().map_or(0, |s| s.as_ref().len()));
        sources.push(source);
    }
    if of_type.is_ok() && cx.is_heavy(work(&lens)) {
        return Ok(None);
    }
    for (source, index) in sources.iter().zip(indexes) {
        cx.keys.count_lookup(source.is_some());
        if source.is_none() {
            cx.keys.missed(db, cx.args.at(index));
        }
    }
    of_type.map(|()| Some(sources))
}

/// Answers with members.
pub(super) fn reply_members(cx: &mut Ctx<'_>, members: &[Element<'_>]) -> Outcome {
    cx.reply.set(members.len());
    for member in members {
        member.with_text(|text| cx.reply.bulk(text));
    }
    Ok(Flow::Done)
}

/// Stores distinct members under the first key, in place of what was there, and answers with their number. `form` is at least what they
/// need; no members leave no key.
pub(super) fn store_members(
    cx: &mut Ctx<'_>,
    members: &[Element<'_>],
    form: Kind,
    event: &'static str,
) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    cx.reply.count(members.len());
    if members.is_empty() {
        if let Some(entry) = cx.keys.remove(db, &key) {
            cx.keys.discard(entry);
            cx.record_verbatim(key.bytes, Event::generic("del"));
        }
        return Ok(Flow::Done);
    }
    let hasher = cx.engine.store.hasher();
    let clock = cx.keys.local().clock;
    let entry = set::build(key.bytes, members, form, hasher, clock);
    cx.keys.put_entry(db, &key, entry, None);
    cx.record_verbatim(key.bytes, Event::set(event));
    Ok(Flow::Done)
}

/// The form that Redis's SUNIONSTORE and SDIFFSTORE end with, which add members one by one to an empty set of integers: one that
/// passed a limit on the way is in its big form, whatever came after.
pub(super) fn form_as_added(cx: &Ctx<'_>, members: &[Element<'_>]) -> Kind {
    let limits = limits(cx.engine);
    let (mut ints, mut longest) = (true, 0);
    for (before, member) in members.iter().enumerate() {
        ints &= matches!(member, Element::Int(_));
        longest = longest.max(member.len());
        let fits = if ints {
            before < limits.ints
        } else {
            before < limits.packed && longest <= limits.value_bytes
        };
        if !fits {
            return Kind::Set;
        }
    }
    set::form_of(members.iter().copied(), &limits)
}

/// The form that Redis's SINTERSTORE ends with: integers are in a set of integers if they fit; what came of a bigger form may be packed.
pub(super) fn form_of_common(cx: &Ctx<'_>, members: &[Element<'_>], smallest: SetRef<'_>) -> Kind {
    let limits = limits(cx.engine);
    let form = set::form_of(members.iter().copied(), &limits);
    if form != Kind::Set || matches!(smallest, SetRef::Ints(_)) {
        return form;
    }
    let fits = |member: &Element<'_>| member.len() <= limits.value_bytes;
    let bytes = members.iter().map(|member| encoded_len_max(member.len()));
    if members.len() <= limits.packed
        && members.iter().all(fits)
        && bytes.sum::<usize>() <= PACKED_BYTES_MAX
    {
        Kind::SetPacked
    } else {
        Kind::Set
    }
}

/// The sets that exist, for reading.
pub(super) fn existing(sources: &[Option<Snapshot>]) -> impl Iterator<Item = SetRef<'_>> {
    sources.iter().flatten().map(Snapshot::as_ref)
}
