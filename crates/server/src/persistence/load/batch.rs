//! Keys copied out of a dump, and what becomes of them: entries, and their places in the store.

use std::path::PathBuf;

use dunlin_persist::rdb::{RawKey, Rules, decode};
use dunlin_store::{Entry, Store, Txn};

use super::LoadError;
use crate::persistence::loading::Loading;

/// Keys that are decoded and filed together: enough that those of one stripe share a turn at it.
pub(super) const BATCH_KEYS: usize = 8_192;
/// So many keys without a value are told of in the log.
const EMPTY_KEYS_TOLD: u64 = 10;
/// A key is told of in the log with at most so many bytes.
const TOLD_KEY_BYTES: usize = 128;

/// One key of a [`Batch`].
#[derive(Debug)]
struct Raw {
    db: u32,
    kind: u8,
    frequency: Option<u8>,
    idle_s: Option<u64>,
    deadline_ms: Option<u64>,
    /// Where its name begins among the batch's bytes; its value comes behind it.
    start: usize,
    key_len: usize,
    value_len: usize,
    /// Where the value stands in the file.
    offset: u64,
}

/// Keys of a database that are to come.
#[derive(Copy, Clone, Debug)]
pub(super) struct Room {
    pub(super) db: u32,
    /// In each stripe.
    pub(super) each: usize,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// What room is to be made for before more is filed.
    pub(super) room: Option<Room>,
    bytes: Vec<u8>,
    keys: Vec<Raw>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.keys.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it is time to hand it over, which it is at the latest at so many bytes.
    pub(super) fn is_full(&self, bytes_max: usize) -> bool {
        self.keys.len() >= BATCH_KEYS || self.bytes.len() >= bytes_max
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn push(&mut self, raw: &RawKey<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&raw.key);
        self.bytes.extend_from_slice(raw.value);
        self.keys.push(Raw {
            db: raw.db,
            kind: raw.kind,
            frequency: raw.frequency,
            idle_s: raw.idle_s,
            deadline_ms: raw.deadline_ms,
            start,
            key_len: raw.key.len(),
            value_len: raw.value.len(),
            offset: raw.offset,
        });
    }

    fn key(&self, raw: &Raw) -> &[u8] {
        &self.bytes[raw.start..][..raw.key_len]
    }

    fn value(&self, raw: &Raw) -> &[u8] {
        &self.bytes[raw.start + raw.key_len..][..raw.value_len]
    }
}

/// How the keys of one file are read.
pub(super) struct Decoding<'a> {
    pub(super) path: PathBuf,
    pub(super) store: &'a Store,
    pub(super) rules: Rules<'a>,
    /// Time of the load, for access clocks.
    pub(super) now_ms: u64,
    /// Keys whose deadline is before this are left out.
    pub(super) expired_before_ms: u64,
    /// A key that is there already is replaced.
    pub(super) replace: bool,
}

impl Decoding<'_> {
    pub(super) fn damaged(&self, source: dunlin_persist::Error) -> LoadError {
        LoadError::Damaged {
            path: self.path.clone(),
            source,
        }
    }

    pub(super) fn misfit(&self, what: String) -> LoadError {
        LoadError::Misfit {
            path: self.path.clone(),
            what,
        }
    }
}

/// A key on its way into the store.
#[derive(Debug)]
pub(super) struct Decoded {
    stripe: u16,
    pub(super) db: u32,
    pub(super) hash: u64,
    deadline_ms: Option<u64>,
    offset: u64,
    entry: Entry,
}

impl Decoded {
    /// Files it; its stripe is held.
    pub(super) fn place(
        self,
        keys: &mut Txn<'_>,
        decoding: &Decoding<'_>,
    ) -> Result<(), LoadError> {
        let loaded = keys.load(
            self.db,
            self.hash,
            self.entry,
            self.deadline_ms,
            decoding.replace,
        );
        loaded.map_err(|entry| {
            decoding.misfit(format!(
                "the key '{}' in database {}, whose value stands at offset {}, is there already",
                told(entry.key()),
                self.db,
                self.offset
            ))
        })
    }
}

/// The keys of a batch, those of each stripe together and otherwise in the order of the file.
#[derive(Debug, Default)]
pub(super) struct ByStripe {
    /// Where the keys of each stripe end in `order`.
    ends: Vec<u32>,
    /// Places in the batch.
    order: Vec<u32>,
}

impl ByStripe {
    /// Of so many stripes. O(keys + stripes).
    pub(super) fn sort(&mut self, keys: &[Option<Decoded>], stripes: usize) {
        self.ends.clear();
        self.ends.resize(stripes + 1, 0);
        let places = || {
            let stripe = |key: &Option<Decoded>| key.as_ref().map(|key| usize::from(key.stripe));
            let placed = move |(place, key)| Some((place as u32, stripe(key)?));
            keys.iter().enumerate().filter_map(placed)
        };
        for (_, stripe) in places() {
            self.ends[stripe + 1] += 1;
        }
        for stripe in 0..stripes {
            self.ends[stripe + 1] += self.ends[stripe];
        }
        // Where each begins, for now.
        self.order.clear();
        self.order.resize(keys.len(), 0);
        for (place, stripe) in places() {
            let next = &mut self.ends[stripe];
            self.order[*next as usize] = place;
            *next += 1;
        }
    }

    /// The stripes that have keys, with the places of these.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u16, &[u32])> {
        let stripes = self.ends.len().saturating_sub(1);
        let start = |stripe: usize| stripe.checked_sub(1).map_or(0, |before| self.ends[before]);
        let run =
            move |stripe: usize| &self.order[start(stripe) as usize..self.ends[stripe] as usize];
        (0..stripes)
            .map(move |stripe| (stripe as u16, run(stripe)))
            .filter(|(_, run)| !run.is_empty())
    }
}

/// Decodes batches, and counts.
pub(super) struct Builder<'a> {
    decoding: &'a Decoding<'a>,
    /// What is taken out is filed.
    pub(super) decoded: Vec<Option<Decoded>>,
    loaded: u64,
    expired: u64,
    empty: u64,
}

impl<'a> Builder<'a> {
    pub(super) fn new(decoding: &'a Decoding<'a>) -> Builder<'a> {
        Builder {
            decoding,
            decoded: Vec::new(),
            loaded: 0,
            expired: 0,
            empty: 0,
        }
    }

    /// Decodes a batch; what it holds is in `decoded` then.
    pub(super) fn build(&mut self, batch: &Batch) -> Result<(), LoadError> {
        let decoding = self.decoding;
        let (store, eviction) = (decoding.store, &decoding.store.eviction);
        for raw in &batch.keys {
            if raw
                .deadline_ms
                .is_some_and(|at| at < decoding.expired_before_ms)
            {
                self.expired += 1;
                continue;
            }
            let key = batch.key(raw);
            let entry = decode(raw.kind, batch.value(raw), key, raw.offset, &decoding.rules)
                .map_err(|source| decoding.damaged(source))?;
            let Some(entry) = entry else {
                self.leave_out(raw.kind, key);
                continue;
            };
            if raw.idle_s.is_some() || raw.frequency.is_some() {
                let clock = eviction.clock_of(raw.idle_s, raw.frequency, decoding.now_ms);
                entry.set_clock(clock);
            }
            let hash = store.hasher().hash(key);
            self.loaded += 1;
            self.decoded.push(Some(Decoded {
                stripe: store.stripe_of(hash) as u16,
                db: raw.db,
                hash,
                deadline_ms: raw.deadline_ms,
                offset: raw.offset,
                entry,
            }));
        }
        Ok(())
    }

    /// A value of which nothing is left: all its fields have expired, or it was empty from the start, as a bug of old servers made them.
    fn leave_out(&mut self, kind: u8, key: &[u8]) {
        use dunlin_persist::rdb::types::kind;
        let has_deadlines = matches!(
            kind,
            kind::HASH_METADATA | kind::HASH_LISTPACK_EX | kind::HASH_VALKEY
        );
        if has_deadlines {
            self.expired += 1;
            return;
        }
        self.empty += 1;
        if self.empty <= EMPTY_KEYS_TOLD {
            tracing::info!("Loading: skipping empty key: {}", told(key));
        }
    }

    /// Adds what it counted to the sums; returns the keys that were empty.
    pub(super) fn finish(self, loading: &Loading) -> u64 {
        loading.count(self.loaded, self.expired);
        self.empty
    }
}

/// A key as the log shows it.
fn told(key: &[u8]) -> String {
    let shown = &key[..key.len().min(TOLD_KEY_BYTES)];
    shown.escape_ascii().to_string()
}
