//! What a value is, as text to be compared.

use std::collections::BTreeSet;

use dunlin_engine::digest::Digest;
use dunlin_store::stream::{self, Id};
use dunlin_store::{Entry, KeyHasher};

/// Which times of a stream's consumers are told.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Times {
    /// When they were seen, and when they got something.
    All,
    /// None: commands do not say them.
    None,
}

/// All that can be told of a value.
pub(crate) fn facts(entry: &Entry, hasher: &KeyHasher, times: Times) -> String {
    let mut text = Digest::of_value(entry).to_string();
    if let Some(deadlines) = entry.timed() {
        let mut all = BTreeSet::new();
        deadlines.for_each(|field, at| {
            assert_eq!(deadlines.of_field(hasher, field), Some(at));
            all.insert((field.escape_ascii().to_string(), at));
        });
        // One that may have deadlines and has none is read as one that may not.
        if !all.is_empty() {
            text += &format!("{all:?}");
        }
    }
    if let Some(stream) = stream::of(entry) {
        stream.assert_consistent();
        let (last, deleted) = (stream.last_id(), stream.max_deleted_id());
        text += &format!("{last:?} {deleted:?} {}", stream.entries_added());
        for group in stream.groups() {
            let name = group.name().escape_ascii();
            text += &format!(" [{name} {:?} {:?}", group.last_id, group.entries_read);
            for pending in group.pending_from(Id::MIN) {
                let consumer = group.consumer(pending.consumer).name();
                text += &format!(
                    " {:?} {} {} {}",
                    pending.id,
                    pending.delivered_ms,
                    pending.deliveries,
                    consumer.escape_ascii()
                );
            }
            for consumer in group.consumers() {
                let name = consumer.name().escape_ascii();
                text += &format!(" {name}");
                if times == Times::All {
                    text += &format!(" {} {:?}", consumer.seen_ms, consumer.active_ms);
                }
            }
            text += "]";
        }
    }
    text
}
