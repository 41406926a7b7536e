//! Snapshots without a fork: every key as it was at one moment, the *cut*, gathered while commands go on.
//!
//! At the cut, with all stripes held, the mark of every shard is turned over, so that no entry has it: all are *owed*. From then on whoever
//! is about to change, remove or replace an owed entry hands it over first (`Snapshots::take`) and gives it the mark, and new entries
//! are born with it. [`Snapshot::step`] goes over the shards under short locks, takes what is owed and marks it. A shard that FLUSHDB
//! empties is handed over whole; one that SWAPDB moves takes its walk along.
//!
//! Small values are encoded on the spot, by an [`Encode`] that knows the format; of big ones an image is kept, one reference, to be encoded
//! with no stripe held.
//!
//! Invariants: at the end of a snapshot, a failed or abandoned one too, every mark is its shard's again. What is handed over is in a lane
//! before the stripes are released, so once the walk has passed a stripe, nothing of it is missing. While no snapshot runs, a change
//! costs one load.
//!
//! Not here: formats, files, when a snapshot is taken.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;

use crate::entry::{Entry, Image};
use crate::reaper::Garbage;
use crate::shard::Shard;
use crate::store::Store;
use crate::stripes::{Held, LockSet};

/// A value of more bytes than this is not encoded under a stripe's lock; an image of it is kept.
const ENCODED_IN_PLACE_BYTES_MAX: usize = 1 << 10;
/// Entries after which the lock is given back, about.
const ENTRIES_PER_SLICE: usize = 64;
/// Bytes after which it is.
const BYTES_PER_SLICE: usize = 8 << 10;
/// Entries that one call of the dict reports at least.
const ENTRIES_PER_SCAN: usize = 16;
/// Calls of the dict in a slice: one that finds few entries costs some time, too.
const SCANS_PER_SLICE: usize = 8;
/// A piece of a lane is closed when it has so many bytes: growing a longer one would copy too much at a time.
const PIECE_BYTES: usize = 64 << 10;
/// What an image is counted as beside the bytes that it copied.
const IMAGE_BYTES: usize = 128;

/// Who knows the format.
pub trait Encode: Send + Sync {
    /// Appends the record of a key of database `db`. `before` is the database of what stands before in `out`, if anything does;
    /// `by` says whose time it takes. A failure is the encoder's to keep: it is asked for it in the end.
    fn append(&self, out: &mut Vec<u8>, before: Option<u32>, db: u32, entry: &Entry, by: By);
}

/// Who has an entry encoded.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum By {
    /// The snapshot's own thread.
    Walk,
    /// A command that is about to change it, and should be quick.
    Command,
}

/// A value that is yet to be encoded.
#[derive(Debug)]
pub struct Owed {
    /// Database of the key.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
    /// Its value and deadline.
    pub image: Image,
}

/// Some records of a snapshot.
#[derive(Debug, Default)]
pub struct Piece {
    /// Encoded records.
    pub bytes: Vec<u8>,
    /// Database of the last one.
    pub db: Option<u32>,
    /// Values that are yet to be encoded.
    pub values: Vec<Owed>,
    /// Bytes that it holds: the records and what images have copied.
    pub held_bytes: usize,
    /// Keys in it.
    pub keys: u64,
}

impl Piece {
    fn add(&mut self, db: u32, entry: &Entry, encoder: &dyn Encode, by: By) {
        self.keys += 1;
        if entry.is_short(ENCODED_IN_PLACE_BYTES_MAX) {
            let before = self.bytes.len();
            encoder.append(&mut self.bytes, self.db, db, entry, by);
            self.db = Some(db);
            self.held_bytes += self.bytes.len() - before;
            return;
        }
        let owed = Owed {
            db,
            key: entry.key().into(),
            image: entry.image(),
        };
        self.held_bytes += IMAGE_BYTES + owed.key.len() + owed.image.copied_bytes();
        self.values.push(owed);
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// Empties it and keeps its room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
        (self.db, self.held_bytes, self.keys) = (None, 0, 0);
    }
}

/// What one worker hands over.
#[derive(Default)]
struct Lane {
    /// `None`: nothing is wanted, because no snapshot runs or it was abandoned.
    encoder: Option<Arc<dyn Encode>>,
    full: Vec<Piece>,
    piece: Piece,
}

/// What the store keeps for snapshots.
pub struct Snapshots {
    /// Relaxed: who asks holds stripes, and beginning holds all of them.
    running: AtomicBool,
    lanes: Box<[CachePadded<Mutex<Lane>>]>,
    /// Shards that left the keyspace while they were owed.
    #[expect(
        clippy::vec_box,
        reason = "they come and go as boxes, and are not copied on the way"
    )]
    flushed: Mutex<Vec<Box<Shard>>>,
    /// Bytes handed over and not yet given back by [`Snapshots::written`].
    backlog_bytes: AtomicUsize,
    /// Keys of the snapshot that runs, or ran last; and of them, those that were taken.
    keys: AtomicU64,
    taken: AtomicU64,
    /// Of them, those that commands handed over.
    handed: AtomicU64,
    /// Bytes that they handed over.
    handed_bytes: AtomicU64,
}

/// How far a snapshot is.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct SnapshotFigures {
    /// Keys at the cut.
    pub keys: u64,
    /// Of them, those that were taken so far.
    pub taken: u64,
    /// Of these, those that were about to be changed.
    pub handed: u64,
    /// Bytes that were copied of those.
    pub handed_bytes: u64,
}

impl Snapshots {
    pub(crate) fn new(lanes: usize) -> Snapshots {
        Snapshots {
            running: AtomicBool::new(false),
            lanes: (0..lanes).map(|_| CachePadded::default()).collect(),
            flushed: Mutex::default(),
            backlog_bytes: AtomicUsize::new(0),
            keys: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            handed: AtomicU64::new(0),
            handed_bytes: AtomicU64::new(0),
        }
    }

    /// Whether one runs. Exact for who holds a stripe.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// Bytes that commands have handed over and that are not yet written.
    #[inline]
    pub fn backlog_bytes(&self) -> usize {
        self.backlog_bytes.load(Ordering::Relaxed)
    }

    /// The figures of the one that runs, or of the last one.
    pub fn figures(&self) -> SnapshotFigures {
        SnapshotFigures {
            keys: self.keys.load(Ordering::Relaxed),
            taken: self.taken.load(Ordering::Relaxed),
            handed: self.handed.load(Ordering::Relaxed),
            handed_bytes: self.handed_bytes.load(Ordering::Relaxed),
        }
    }

    /// Takes an entry that is about to change. The stripe of the entry is held.
    #[cold]
    pub(crate) fn take(&self, store: &Store, lane: usize, db: u32, entry: &Entry) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let mut lane = lock(&self.lanes[lane]);
        let lane = &mut *lane;
        let Some(encoder) = &lane.encoder else { return };
        if lane.piece.bytes.len() >= PIECE_BYTES {
            lane.full.push(std::mem::take(&mut lane.piece));
        }
        let before = lane.piece.held_bytes;
        lane.piece.add(db, entry, &**encoder, By::Command);
        let bytes = lane.piece.held_bytes - before;
        self.backlog_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.handed.fetch_add(1, Ordering::Relaxed);
        self.handed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        // Not the keyspace's, which the limit of memory is about.
        store.usage.in_transit(bytes as i64);
    }

    /// Takes a shard that leaves the keyspace, all stripes being held. Gives it back if no snapshot waits for anything in it.
    pub(crate) fn take_shard(&self, shard: Box<Shard>) -> Option<Box<Shard>> {
        if shard.walk().is_none() {
            return Some(shard);
        }
        lock(&self.flushed).push(shard);
        None
    }

    /// A piece that commands handed over is written, and its memory about to be freed.
    pub fn written(&self, store: &Store, piece: &Piece) {
        self.backlog_bytes
            .fetch_sub(piece.held_bytes, Ordering::Relaxed);
        store.usage.in_transit(-(piece.held_bytes as i64));
    }
}

/// How many keys a database had at the cut.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct DatabaseKeys {
    /// Its number.
    pub db: u32,
    /// Its keys.
    pub keys: u64,
    /// Of them, those with a deadline.
    pub expires: u64,
}

/// What a step did.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// It went on.
    More,
    /// The stripe that was next is busy: another one is tried next time.
    Busy,
    /// Everything is taken; only what was handed over may be left.
    Done,
}

/// A snapshot that runs. It must be stepped to its end and finished, abandoned or not.
pub struct Snapshot {
    /// Databases and stripes that are left.
    places: VecDeque<(u32, u16)>,
    flushed: Option<Box<Shard>>,
    encoder: Option<Arc<dyn Encode>>,
    databases: Vec<DatabaseKeys>,
    ended: bool,
}

impl Store {
    /// Makes the cut; `held` is all stripes. `None`: a snapshot is running. O(stripes).
    pub fn begin_snapshot(&self, held: &mut Held, encoder: Arc<dyn Encode>) -> Option<Snapshot> {
        assert!(*held.set() == LockSet::All, "a cut takes all stripes");
        if self.snapshots.running.load(Ordering::Acquire) {
            return None;
        }
        let mut databases: Vec<DatabaseKeys> = (0..self.databases() as u32)
            .map(|db| DatabaseKeys {
                db,
                keys: 0,
                expires: 0,
            })
            .collect();
        for stripe in 0..self.stripe_count() {
            let shards = &mut self.stripes.with(held, stripe).shards;
            for (db, shard) in shards.iter_mut() {
                let count = &mut databases[db as usize];
                shard.begin_walk(db);
                count.keys += shard.len() as u64;
                count.expires += shard.expires() as u64;
            }
        }
        databases.retain(|count| count.keys > 0);
        let snapshots = &self.snapshots;
        for lane in &snapshots.lanes {
            lock(lane).encoder = Some(Arc::clone(&encoder));
        }
        let keys = databases.iter().map(|count| count.keys).sum();
        snapshots.keys.store(keys, Ordering::Relaxed);
        for count in [&snapshots.taken, &snapshots.handed, &snapshots.handed_bytes] {
            count.store(0, Ordering::Relaxed);
        }
        snapshots.running.store(true, Ordering::Relaxed);
        let stripes = 0..self.stripe_count() as u16;
        Some(Snapshot {
            places: databases
                .iter()
                .flat_map(|count| stripes.clone().map(|stripe| (count.db, stripe)))
                .collect(),
            flushed: None,
            encoder: Some(encoder),
            databases,
            ended: false,
        })
    }
}

impl Store {
    /// Visits every entry of a database, expired ones too; `held` is all stripes. O(n).
    pub fn each_entry(&self, held: &mut Held, db: u32, mut visit: impl FnMut(&Entry)) {
        for stripe in 0..self.stripe_count() {
            let shards = &self.stripes.with(held, stripe).shards;
            if let Some(shard) = shards.get(db) {
                shard.dict().iter().for_each(|entry| visit(&entry));
            }
        }
    }
}

impl Snapshot {
    /// The databases that had keys at the cut, in order.
    pub fn databases(&self) -> &[DatabaseKeys] {
        &self.databases
    }

    /// From here on nothing is taken any more; the steps that are left only restore the marks, and are fast.
    pub fn abandon(&mut self, store: &Store) {
        self.encoder = None;
        for lane in &store.snapshots.lanes {
            lock(lane).encoder = None;
        }
        while let Some(piece) = self.next_handed(store) {
            store.snapshots.written(store, &piece);
        }
    }

    /// Takes the next entries into `piece`, under a lock of some 20 us, or with `held`, which is all stripes. [`Step::Done`] again and
    /// again at the end.
    pub fn step(&mut self, store: &Store, held: Option<&mut Held>, piece: &mut Piece) -> Step {
        if self.flushed.is_none() {
            self.flushed = lock(&store.snapshots.flushed).pop();
        }
        if let Some(mut shard) = self.flushed.take() {
            if self.slice(store, &mut shard, piece) {
                self.flushed = Some(shard);
            } else {
                store.heap().push([Garbage::Shard(shard)]);
            }
            return Step::More;
        }
        let Some(&(db, stripe)) = self.places.front() else {
            return Step::Done;
        };
        let (is_left, one) = match held {
            Some(all) => (self.visit(store, all, db, stripe, piece), None),
            None => match store.stripes.try_lock_one(usize::from(stripe)) {
                Some(mut one) => (self.visit(store, &mut one, db, stripe, piece), Some(one)),
                None => {
                    self.places.rotate_left(1);
                    return Step::Busy;
                }
            },
        };
        if let Some(one) = one {
            store.release_stripes(one);
        }
        if !is_left {
            self.places.pop_front();
        }
        Step::More
    }

    /// Goes on with what was database `db` at the cut in a held stripe; whether something is left there.
    fn visit(
        &self,
        store: &Store,
        held: &mut Held,
        db: u32,
        stripe: u16,
        piece: &mut Piece,
    ) -> bool {
        let shards = &mut store.stripes.with(held, usize::from(stripe)).shards;
        // It is elsewhere if databases were exchanged since, and nowhere if it was flushed.
        let is_it = |shard: &Shard| shard.walk().is_some_and(|walk| walk.db == db);
        let at = match shards.get(db) {
            Some(shard) if is_it(shard) => Some(db),
            _ => shards
                .iter_mut()
                .find_map(|(db, shard)| is_it(shard).then_some(db)),
        };
        let shard = at.and_then(|at| shards.get_mut(at));
        shard.is_some_and(|shard| self.slice(store, shard, piece))
    }

    /// Takes some entries of a shard; whether some are left.
    fn slice(&self, store: &Store, shard: &mut Shard, piece: &mut Piece) -> bool {
        let (keys, bytes) = (piece.keys, piece.held_bytes);
        let mut settled = 0;
        let mut is_left = true;
        for _ in 0..SCANS_PER_SLICE {
            is_left = shard.walk_on(ENTRIES_PER_SCAN, store.hasher(), |db, entry| {
                settled += 1;
                if let Some(encoder) = &self.encoder {
                    piece.add(db, entry, &**encoder, By::Walk);
                }
            });
            let is_enough = piece.keys - keys >= ENTRIES_PER_SLICE as u64
                || piece.held_bytes - bytes >= BYTES_PER_SLICE;
            if !is_left || is_enough {
                break;
            }
        }
        store.snapshots.taken.fetch_add(settled, Ordering::Relaxed);
        is_left
    }

    /// Ends it, after [`Step::Done`] and with nothing handed over left: another one may begin.
    pub fn finish(mut self, store: &Store) {
        assert!(self.places.is_empty() && self.flushed.is_none());
        self.ended = true;
        for lane in &store.snapshots.lanes {
            let mut lane = lock(lane);
            debug_assert!(lane.piece.is_empty() && lane.full.is_empty());
            lane.encoder = None;
        }
        // Release, and acquired by the next cut: its encoders come after these are gone.
        store.snapshots.running.store(false, Ordering::Release);
    }

    /// Something that commands have handed over, if there is anything. To be given back by [`Snapshots::written`]. After
    /// [`Step::Done`], `None` means that the snapshot is complete: [`Snapshot::finish`].
    pub fn next_handed(&mut self, store: &Store) -> Option<Piece> {
        if store.snapshots.backlog_bytes() == 0 {
            return None;
        }
        store.snapshots.lanes.iter().find_map(|lane| {
            let mut lane = lock(lane);
            let full = lane.full.pop();
            full.or_else(|| (!lane.piece.is_empty()).then(|| std::mem::take(&mut lane.piece)))
        })
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        debug_assert!(
            self.ended || std::thread::panicking(),
            "a snapshot is stepped to its end"
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
