//! DEBUG DIGEST: a digest of a dataset that does not depend on the order of keys, equal to Redis's bit for bit.

use std::collections::HashSet;

use dunlin_resp::push_shortest;
use dunlin_store::hash_value::HashRef;
use dunlin_store::list::ListRef;
use dunlin_store::set::SetRef;
use dunlin_store::stream::{self, Id, Stream};
use dunlin_store::zset::ZSetRef;
use dunlin_store::{Entry, Txn};
use sha1::{Digest as _, Sha1};

/// A 160-bit digest.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Digest(pub [u8; 20]);

impl Digest {
    /// Adds data whose order does not matter.
    fn xor(&mut self, data: &[u8]) {
        let hash = Sha1::digest(data);
        self.0.iter_mut().zip(hash).for_each(|(a, b)| *a ^= b);
    }

    /// Adds data whose order matters.
    fn mix(&mut self, data: &[u8]) {
        self.xor(data);
        self.0 = Sha1::digest(self.0).into();
    }

    /// The digest of one value with its deadline, as DEBUG DIGEST-VALUE reports it.
    pub fn of_value(entry: &Entry) -> Digest {
        let mut digest = Digest::default();
        digest.add_value(entry);
        digest
    }

    fn add_value(&mut self, entry: &Entry) {
        let kind = entry.kind().value_type() as u32;
        self.mix(&kind.to_be_bytes());
        if let Some(text) = entry.as_string() {
            self.mix(&text.to_vec());
        } else if let Some(list) = ListRef::of(entry) {
            list.iter()
                .for_each(|element| element.with_text(|text| self.mix(text)));
        } else if let Some(set) = SetRef::of(entry) {
            set.for_each_text(|text| self.xor(text));
        } else if let Some(hash) = HashRef::of(entry) {
            let mut timed: HashSet<Vec<u8>> = HashSet::new();
            if let Some(deadlines) = entry.timed() {
                deadlines.for_each(|field, _| {
                    timed.insert(field.to_vec());
                });
            }
            for (field, value) in hash.iter() {
                let mut pair = Digest::default();
                field.with_text(|field| pair.mix(field));
                value.with_text(|value| pair.mix(value));
                // As in 7.4, which brought deadlines of fields.
                if !timed.is_empty() && field.with_text(|field| timed.contains(field)) {
                    pair.xor(b"!!hexpire!!");
                }
                self.xor(&pair.0);
            }
        } else if let Some(zset) = ZSetRef::of(entry) {
            self.add_zset(zset);
        } else if let Some(stream) = stream::of(entry) {
            self.add_stream(stream);
        }
        if entry.deadline().is_some() {
            self.xor(b"!!expire!!");
        }
    }

    /// Members with their scores, the scores as Redis 7.2 prints them here: `1e+8`.
    fn add_zset(&mut self, zset: ZSetRef<'_>) {
        let mut score_text = Vec::new();
        for (member, score) in zset.iter() {
            let mut item = Digest::default();
            member.with_text(|text| item.mix(text));
            score_text.clear();
            push_shortest(&mut score_text, score);
            item.mix(&score_text);
            self.xor(&item.0);
        }
    }

    /// Entries, ids with a dot; groups are left out, as in Redis.
    fn add_stream(&mut self, stream: &Stream) {
        for entry in stream.range(Id::MIN, Id::MAX) {
            self.mix(entry.id.dotted().as_bytes());
            for (name, value) in entry.pairs() {
                name.with_text(|text| self.mix(text));
                value.with_text(|text| self.mix(text));
            }
        }
    }

    /// The digest of all databases; every stripe is held. O(bytes).
    pub fn of_dataset(keys: &mut Txn<'_>) -> Digest {
        let mut total = Digest::default();
        for db in 0..keys.store().databases() as u32 {
            let mut first = true;
            keys.for_each(db, |entry| {
                if std::mem::take(&mut first) {
                    total.mix(&db.to_be_bytes());
                }
                let mut digest = Digest::default();
                digest.mix(entry.key());
                digest.add_value(entry);
                total.xor(&digest.0);
            });
        }
        total
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}
