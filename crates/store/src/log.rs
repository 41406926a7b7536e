//! The one ordered log of effects: what commands did, as commands that do it again.
//!
//! An effect is a database and the arguments of a Redis command, encoded as a RESP array. All effects of one command,
//! transaction or script make one [`Record`] with one sequence number, taken and published while its stripes are still
//! held: for every key the log's order is the execution's. With no reader attached nothing is encoded and no shared
//! counter is touched.
//!
//! Not here: SELECT and MULTI framing and byte offsets, which belong to the one reader.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;

/// One argument of an effect.
#[derive(Copy, Clone, Debug)]
pub enum Arg<'a> {
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An integer, written in decimal.
    Int(i64),
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Arg::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Arg::Bytes(text.as_bytes())
    }
}

impl From<i64> for Arg<'_> {
    fn from(n: i64) -> Self {
        Arg::Int(n)
    }
}

impl From<u64> for Arg<'_> {
    fn from(n: u64) -> Self {
        Arg::Int(i64::try_from(n).expect("deadlines take 48 bits"))
    }
}

/// Effects of one command, transaction or script.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Position in the log, from 1, without gaps.
    pub sequence: u64,
    /// Database and start in `bytes` of each effect.
    pub effects: Vec<(u32, usize)>,
    /// The effects, each a RESP array of bulk strings.
    pub bytes: Vec<u8>,
}

impl Record {
    /// Appends one effect.
    pub fn push(&mut self, db: u32, args: &[Arg<'_>]) {
        self.begin(db, args.len());
        for arg in args {
            match arg {
                Arg::Bytes(b) => self.bulk(b),
                Arg::Int(n) => self.bulk(itoa::Buffer::new().format(*n).as_bytes()),
            }
        }
    }

    /// Starts an effect of `count` arguments, each to be appended by [`Record::bulk`].
    pub fn begin(&mut self, db: u32, count: usize) {
        self.effects.push((db, self.bytes.len()));
        self.header(b'*', count);
    }

    /// Appends one argument.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn header(&mut self, kind: u8, n: usize) {
        self.bytes.push(kind);
        self.bytes
            .extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Takes back every effect but the first `count`.
    pub(crate) fn truncate(&mut self, count: usize) {
        if let Some(&(_, start)) = self.effects.get(count) {
            self.effects.truncate(count);
            self.bytes.truncate(start);
        }
    }

    /// The effects in order: database and encoded command.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.effects.iter().enumerate().map(|(i, &(db, start))| {
            let end = self
                .effects
                .get(i + 1)
                .map_or(self.bytes.len(), |next| next.1);
            (db, &self.bytes[start..end])
        })
    }
}

/// The log: a lane per worker, merged by sequence number by the one reader.
#[derive(Debug)]
pub struct Log {
    active: AtomicBool,
    sequence: AtomicU64,
    lanes: Box<[CachePadded<Mutex<Vec<Record>>>]>,
}

impl Log {
    /// A log without reader for this many publishing threads.
    pub fn new(lanes: usize) -> Log {
        Log {
            active: AtomicBool::new(false),
            sequence: AtomicU64::new(0),
            lanes: (0..lanes).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Whether a reader is attached. Relaxed: who asks holds stripes, and attaching holds all of them.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Starts recording. The caller holds every stripe (or nobody else uses the store yet).
    pub fn attach(&self) -> Reader<'_> {
        assert!(
            !self.active.swap(true, Ordering::Relaxed),
            "the log has one reader"
        );
        Reader {
            log: self,
            pending: BTreeMap::new(),
            next: self.sequence.load(Ordering::Relaxed) + 1,
        }
    }

    /// Publishes a record; the caller still holds the stripes that it touched.
    pub(crate) fn publish(&self, lane: usize, mut record: Record) -> u64 {
        record.sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let sequence = record.sequence;
        lock(&self.lanes[lane]).push(record);
        sequence
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one reader of a [`Log`]; dropping it stops the recording.
#[derive(Debug)]
pub struct Reader<'a> {
    log: &'a Log,
    pending: BTreeMap<u64, Record>,
    next: u64,
}

impl Reader<'_> {
    /// Appends to `out` every record up to the first one that is taken but not yet published.
    pub fn drain(&mut self, out: &mut Vec<Record>) {
        for lane in &self.log.lanes {
            let records = std::mem::take(&mut *lock(lane));
            self.pending
                .extend(records.into_iter().map(|r| (r.sequence, r)));
        }
        while let Some(record) = self.pending.remove(&self.next) {
            out.push(record);
            self.next += 1;
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.log.active.store(false, Ordering::Relaxed);
    }
}
