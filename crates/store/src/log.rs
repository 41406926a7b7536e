//! The one ordered log of effects: what commands did, as commands that do it again.
//!
//! An effect is a database and the arguments of a Redis command, encoded as a RESP array. All effects of one command,
//! transaction or script make one [`Record`] with one sequence number, taken and published while its stripes are still
//! held: for every key the log's order is the execution's. With no reader attached nothing is encoded and no shared
//! counter is touched.
//!
//! Each worker has a *lane*: a buffer to which it appends its records, and which the reader takes whole. The reader merges the lanes by
//! sequence number. It tells how far records are *safe* ([`Log::set_safe`]); while replies wait for that ([`Log::replies_wait`]), every
//! command notes the latest record that it depends on ([`crate::Local::awaits`]).
//!
//! Not here: SELECT and MULTI framing and byte offsets, which belong to the one reader.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;
use dunlin_structures::prefetch::{self, LINE_BYTES};

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

/// Memory of a record that is kept for the next one.
const RECORD_BYTES_KEPT_MAX: usize = 64 << 10;

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
        // Nearly all are short, and written with one check for room.
        let digit = |n: usize| b'0' + n as u8;
        match n {
            0..10 => {
                return self
                    .bytes
                    .extend_from_slice(&[kind, digit(n), b'\r', b'\n']);
            }
            10..100 => {
                let line = [kind, digit(n / 10), digit(n % 10), b'\r', b'\n'];
                return self.bytes.extend_from_slice(&line);
            }
            _ => {}
        }
        self.bytes.push(kind);
        self.bytes
            .extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Empties it; its memory stays.
    fn clear(&mut self) {
        self.effects.clear();
        self.bytes.clear();
        self.bytes.shrink_to(RECORD_BYTES_KEPT_MAX);
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
        self.as_ref().iter()
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> RecordRef<'_> {
        RecordRef {
            sequence: self.sequence,
            effects: &self.effects,
            bytes: &self.bytes,
            base: 0,
        }
    }
}

/// A record where it lies in a lane.
#[derive(Copy, Clone, Debug)]
pub struct RecordRef<'a> {
    /// Position in the log, from 1, without gaps.
    pub sequence: u64,
    effects: &'a [(u32, usize)],
    bytes: &'a [u8],
    /// Where `bytes` starts in what the effects count from.
    base: usize,
}

impl<'a> RecordRef<'a> {
    /// The effects in order: database and encoded command.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (u32, &'a [u8])> {
        self.effects
            .iter()
            .enumerate()
            .map(move |(i, &(db, start))| {
                let end = self
                    .effects
                    .get(i + 1)
                    .map_or(self.bytes.len(), |next| next.1 - self.base);
                (db, &self.bytes[start - self.base..end])
            })
    }

    /// Number of effects.
    pub fn len(self) -> usize {
        self.effects.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.effects.is_empty()
    }
}

/// A buffer that has grown beyond this is not kept for the next records.
const LANE_BYTES_KEPT_MAX: usize = 4 << 20;

/// Records of one worker, one behind the other.
#[derive(Debug, Default)]
struct Records {
    /// Of each record its sequence number and the number of effects and bytes up to its end.
    ends: Vec<(u64, usize, usize)>,
    /// Database and start in `bytes` of each effect.
    effects: Vec<(u32, usize)>,
    bytes: Vec<u8>,
}

impl Records {
    fn push(&mut self, record: &Record) {
        let before = (self.ends.len(), self.effects.len(), self.bytes.len());
        let base = before.2;
        self.bytes.extend_from_slice(&record.bytes);
        self.effects
            .extend(record.effects.iter().map(|&(db, start)| (db, base + start)));
        self.ends
            .push((record.sequence, self.effects.len(), self.bytes.len()));
        fetch_ahead(&self.ends, before.0);
        fetch_ahead(&self.effects, before.1);
        fetch_ahead(&self.bytes, before.2);
    }

    fn get(&self, index: usize) -> Option<RecordRef<'_>> {
        let &(sequence, effects_end, end) = self.ends.get(index)?;
        let (effects_start, start) = match index.checked_sub(1) {
            Some(before) => (self.ends[before].1, self.ends[before].2),
            None => (0, 0),
        };
        Some(RecordRef {
            sequence,
            effects: &self.effects[effects_start..effects_end],
            bytes: &self.bytes[start..end],
            base: start,
        })
    }

    fn clear(&mut self) {
        if self.bytes.capacity() > LANE_BYTES_KEPT_MAX {
            *self = Records::default();
        }
        self.ends.clear();
        self.effects.clear();
        self.bytes.clear();
    }
}

/// A lane's memory comes back from the reader, whose core has its lines. Those so many bytes further on are asked for.
const AHEAD_BYTES: usize = 512;
/// No more of them at a time: what is written in one go after that is fast anyway.
const AHEAD_LINES_MAX: usize = 8;

/// Asks for as many lines as were begun since `written` had `before` items.
#[inline]
fn fetch_ahead<T>(written: &[T], before: usize) {
    let address = |items| written.as_ptr().wrapping_add(items).cast::<u8>();
    let (start, end) = (address(before), address(written.len()));
    let begun = end.addr() / LINE_BYTES - start.addr() / LINE_BYTES;
    for line in 1..=begun.min(AHEAD_LINES_MAX) {
        prefetch::line_to_write(start.wrapping_add(AHEAD_BYTES + line * LINE_BYTES));
    }
}

/// What one worker has published and the reader has not taken.
#[derive(Debug, Default)]
struct Lane {
    records: Mutex<Records>,
    /// Bytes in it.
    waiting_bytes: AtomicUsize,
}

/// The log: a lane per worker, merged by sequence number by the one reader.
#[derive(Debug)]
pub struct Log {
    active: AtomicBool,
    waits: AtomicBool,
    sequence: CachePadded<AtomicU64>,
    safe: CachePadded<AtomicU64>,
    lanes: Box<[CachePadded<Lane>]>,
}

impl Log {
    /// A log without reader for this many publishing threads.
    pub fn new(lanes: usize) -> Log {
        Log {
            active: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            sequence: CachePadded::default(),
            safe: CachePadded::default(),
            lanes: (0..lanes).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Whether effects are recorded. Relaxed: who asks holds stripes, and starting holds all of them.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Whether replies wait until what they show is safe.
    #[inline]
    pub fn replies_wait(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// Has replies wait, or not. Commands notice with their next batch.
    pub fn set_replies_wait(&self, wait: bool) {
        self.waits.store(wait, Ordering::Relaxed);
    }

    /// Starts recording; the sequence number of the first record that comes. The caller holds every stripe (or nobody else uses the
    /// store yet).
    ///
    /// # Panics
    /// If it is recording already.
    pub fn start(&self) -> u64 {
        assert!(
            !self.active.swap(true, Ordering::Relaxed),
            "the log has one reader"
        );
        // What a former reader left behind.
        for lane in &self.lanes {
            lock(&lane.records).clear();
            lane.waiting_bytes.store(0, Ordering::Relaxed);
        }
        self.position() + 1
    }

    /// Stops recording.
    pub fn stop(&self) {
        self.active.store(false, Ordering::Relaxed);
    }

    /// Sequence number of the last record that was published, or is just being.
    #[inline]
    pub fn position(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// Up to where records are safe: nothing that can happen to this process or its machine takes them back.
    #[inline]
    pub fn safe(&self) -> u64 {
        self.safe.load(Ordering::Acquire)
    }

    /// Tells up to where records are safe.
    pub fn set_safe(&self, sequence: u64) {
        self.safe.store(sequence, Ordering::Release);
    }

    /// Bytes that a lane has and the reader has not taken.
    #[inline]
    pub fn waiting_bytes(&self, lane: usize) -> usize {
        self.lanes[lane].waiting_bytes.load(Ordering::Relaxed)
    }

    /// Starts recording, and reads from there: [`Log::start`] and [`Log::reader`].
    pub fn attach(&self) -> Reader<'_> {
        self.reader(self.start())
    }

    /// A reader from this sequence number on.
    pub fn reader(&self, next: u64) -> Reader<'_> {
        Reader {
            log: self,
            taken: self.lanes.iter().map(|_| Taken::default()).collect(),
            next,
        }
    }

    /// Publishes a record and empties it; its sequence number. The caller still holds the stripes that it touched.
    pub(crate) fn publish(&self, lane: usize, record: &mut Record) -> u64 {
        let lane = &self.lanes[lane];
        // Taken inside the lock, so that a lane is ordered whoever uses it.
        let mut records = lock(&lane.records);
        // Release: whoever sees the number sees what was done before the stripes were taken.
        record.sequence = self.sequence.fetch_add(1, Ordering::Release) + 1;
        records.push(record);
        lane.waiting_bytes
            .store(records.bytes.len(), Ordering::Relaxed);
        drop(records);
        record.clear();
        record.sequence
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records that the reader has taken from a lane.
#[derive(Debug, Default)]
struct Taken {
    records: Records,
    /// Those before are read.
    at: usize,
}

impl Taken {
    fn head(&self) -> Option<u64> {
        self.records.ends.get(self.at).map(|end| end.0)
    }
}

/// The one reader of a [`Log`]; dropping it stops the recording.
#[derive(Debug)]
pub struct Reader<'a> {
    log: &'a Log,
    taken: Box<[Taken]>,
    next: u64,
}

impl Reader<'_> {
    /// Sequence number of the next record.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Reads records in order, up to the first one that is taken but not yet published, or until `read` has had enough and says so by
    /// false.
    pub fn read(&mut self, mut read: impl FnMut(RecordRef<'_>) -> bool) {
        loop {
            let Some(lane) = self.lane_of_next() else {
                return;
            };
            let taken = &mut self.taken[lane];
            while let Some(record) = taken.records.get(taken.at)
                && record.sequence == self.next
            {
                taken.at += 1;
                self.next += 1;
                if !read(record) {
                    return;
                }
            }
        }
    }

    /// The lane that has the next record, if it is published.
    fn lane_of_next(&mut self) -> Option<usize> {
        let here = |taken: &[Taken], next| taken.iter().position(|t| t.head() == Some(next));
        if let Some(lane) = here(&self.taken, self.next) {
            return Some(lane);
        }
        for (taken, lane) in self.taken.iter_mut().zip(&self.log.lanes) {
            if taken.head().is_none() && lane.waiting_bytes.load(Ordering::Relaxed) > 0 {
                taken.records.clear();
                taken.at = 0;
                let mut records = lock(&lane.records);
                mem::swap(&mut *records, &mut taken.records);
                lane.waiting_bytes.store(0, Ordering::Relaxed);
            }
        }
        here(&self.taken, self.next)
    }

    /// Appends to `out` every record up to the first one that is taken but not yet published.
    pub fn drain(&mut self, out: &mut Vec<Record>) {
        self.read(|record| {
            let mut copy = Record {
                sequence: record.sequence,
                ..Record::default()
            };
            for (db, effect) in record.iter() {
                copy.effects.push((db, copy.bytes.len()));
                copy.bytes.extend_from_slice(effect);
            }
            out.push(copy);
            true
        });
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.log.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, Record};

    fn publish(log: &Log, lane: usize, effects: &[(u32, &str)]) -> u64 {
        let mut record = Record::default();
        for (db, text) in effects {
            record.push(*db, &["SET".into(), (*text).into()]);
        }
        log.publish(lane, &mut record)
    }

    fn texts(records: &[Record]) -> Vec<(u64, u32, String)> {
        records
            .iter()
            .flat_map(|r| {
                r.iter()
                    .map(|(db, b)| (r.sequence, db, String::from_utf8_lossy(b).into_owned()))
            })
            .collect()
    }

    #[test]
    fn lanes_are_merged_in_the_order_of_their_numbers() {
        let log = Log::new(3);
        assert!(!log.is_active());
        let mut reader = log.attach();
        let mut read = Vec::new();
        for turn in 0..100u32 {
            let lane = (turn as usize * 7) % 3;
            let effects: Vec<(u32, &str)> = (0..turn % 3 + 1).map(|db| (db, "k")).collect();
            assert_eq!(publish(&log, lane, &effects), u64::from(turn) + 1);
            if turn % 5 == 0 {
                reader.drain(&mut read);
            }
        }
        reader.drain(&mut read);
        let order: Vec<u64> = read.iter().map(|r| r.sequence).collect();
        assert_eq!(order, (1..=100).collect::<Vec<_>>());
        assert_eq!(texts(&read)[0].2, "*2\r\n$3\r\nSET\r\n$1\r\nk\r\n");
        assert_eq!(read[2].iter().count(), 3);
        assert_eq!((0..3).map(|lane| log.waiting_bytes(lane)).sum::<usize>(), 0);
    }

    #[test]
    fn a_reader_that_has_enough_goes_on_where_it_stopped() {
        let log = Log::new(2);
        let mut reader = log.attach();
        for n in 0..10 {
            publish(&log, n % 2, &[(0, "k")]);
        }
        let mut seen = Vec::new();
        reader.read(|record| {
            seen.push(record.sequence);
            seen.len() < 3
        });
        assert_eq!(seen, [1, 2, 3]);
        reader.read(|record| {
            seen.push(record.sequence);
            true
        });
        assert_eq!(seen, (1..=10).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_former_reader_left_is_not_read() {
        let log = Log::new(1);
        drop(log.attach());
        publish(&log, 0, &[(0, "left")]);
        let mut reader = log.attach();
        publish(&log, 0, &[(0, "new")]);
        let mut read = Vec::new();
        reader.drain(&mut read);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].sequence, 2);
    }
}
