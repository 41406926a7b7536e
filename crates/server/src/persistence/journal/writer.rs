//! What the journal's thread does, a step at a time.
//!
//! Invariant: a record is told to be safe only after a flush of the file that has it, or of a base that does. After a flush that failed
//! nothing more is written to that file: what a later flush says of it means nothing.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use dunlin_persist::aof::{BATCH_BYTES_MAX, Framer, FramerOptions, PADDING_BYTES_MIN, padding};
use dunlin_store::log::{Log, Reader};

use super::{Fsync, Health, Journal, Order};
use crate::persistence::disk::DiskFile;
use crate::process::Patience;

/// A buffer that has grown beyond this is not kept.
const BUFFER_BYTES_KEPT_MAX: usize = 8 << 20;
/// `appendfsync everysec`.
const FLUSH_PERIOD_MS: u64 = 1_000;
/// How long after a failed write it is tried again.
const RETRY_MS: u64 = 1_000;
/// Unless replies wait, what comes is gathered for so long, which spares system calls. What a crash of the process alone can lose.
const GATHER: Duration = Duration::from_millis(1);

/// When there is something to do again.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Now.
    Again,
    /// When somebody signals, at the latest at this time.
    At(u64),
    /// When somebody signals.
    Signalled,
    /// Never: it was stopped.
    Never,
}

/// Under `always` a file is filled ahead by so much at first, and by twice as much each time until it is [`PADDING_MAX`]: flushes that change no
/// length take two thirds of the time and of the processor (ext4), and each byte of padding is written in vain.
const PADDING_FIRST: usize = 4 << 10;
const PADDING_MAX: usize = 1 << 20;
/// Larger batches are written behind the end: what they take is not the file system's transaction.
const PADDED_BATCH_MAX: usize = 128 << 10;

/// What has been flushed is taken out of the system's cache by so much at a time.
const RELEASED_BYTES_MIN: u64 = 1 << 20;

struct Rotation {
    after: u64,
    file: Box<dyn DiskFile>,
}

/// See the module's text.
pub struct Writer<'a> {
    journal: &'a Journal,
    log: &'a Log,
    /// Wakes a worker.
    wake: Box<dyn Fn(usize) + Send + 'a>,
    reader: Option<Reader<'a>>,
    framer: Framer,
    file: Option<Box<dyn DiskFile>>,
    rotation: Option<Rotation>,
    /// Framed and not yet written.
    buffer: Vec<u8>,
    /// The last record in it or before it.
    framed: u64,
    /// The last record that is written.
    written: u64,
    /// The last record that is durable in the file.
    flushed: u64,
    /// Length of the file, whole batches.
    file_bytes: u64,
    /// The part of them that is durable.
    flushed_bytes: u64,
    /// The part of those that need not be in memory any more.
    released_bytes: u64,
    /// Where the padding behind them ends; no more than `file_bytes` where there is none.
    padded_to: u64,
    /// Padding that is made next, bytes.
    padding: usize,
    /// For timestamps: seconds since 1970.
    unix_s: u64,
    flush_due_ms: u64,
    retry_at_ms: u64,
    /// The base before the file is not durable yet: nothing in it is safe.
    rebasing: bool,
    stopping: bool,
    quitting: bool,
}

impl<'a> Writer<'a> {
    /// One that waits for its orders.
    pub fn new(
        journal: &'a Journal,
        log: &'a Log,
        wake: Box<dyn Fn(usize) + Send + 'a>,
    ) -> Writer<'a> {
        Writer {
            journal,
            log,
            wake,
            reader: None,
            framer: Framer::new(FramerOptions::default()),
            file: None,
            rotation: None,
            buffer: Vec::new(),
            framed: 0,
            written: 0,
            flushed: 0,
            file_bytes: 0,
            flushed_bytes: 0,
            released_bytes: 0,
            padded_to: 0,
            padding: PADDING_FIRST,
            unix_s: 0,
            flush_due_ms: 0,
            retry_at_ms: 0,
            rebasing: false,
            stopping: false,
            quitting: false,
        }
    }

    /// Does what there is to do until it is stopped. `now_ms` is a clock that only goes forward.
    /// `unix_s` is what timestamps in the file show.
    pub fn run(mut self, now_ms: impl Fn() -> u64, unix_s: impl Fn() -> u64) {
        // Set once: a journal has one thread.
        let _ = self.journal.thread.set(thread::current());
        let mut patience = Patience::default();
        loop {
            self.unix_s = unix_s();
            let next = self.step(now_ms());
            let until = match next {
                Next::Again => continue,
                Next::Never => return,
                Next::At(at) => Some(at),
                Next::Signalled => None,
            };
            let nobody_waits = self.journal.policy() != Fsync::Always;
            patience.set(nobody_waits);
            if nobody_waits {
                thread::sleep(GATHER);
            }
            self.journal.sleeps.store(true, Ordering::SeqCst);
            // Who published before that may not have seen that we sleep.
            if self.has_work() {
                self.journal.sleeps.store(false, Ordering::SeqCst);
                continue;
            }
            match until {
                None => thread::park(),
                Some(at) => {
                    thread::park_timeout(Duration::from_millis(at.saturating_sub(now_ms())))
                }
            }
            self.journal.sleeps.store(false, Ordering::SeqCst);
        }
    }

    fn has_work(&self) -> bool {
        let can_write = self.journal.health() == Health::Fine && self.reader.is_some();
        (can_write && self.is_behind()) || !super::lock(&self.journal.orders).is_empty()
    }

    /// Whether there are records that are not read. Those in lanes that were taken count, too.
    fn is_behind(&self) -> bool {
        let next = self.reader.as_ref().map(Reader::next);
        next.is_some_and(|next| next <= self.log.position())
    }

    /// Does one piece of work: carries out an order, writes one batch, flushes.
    pub fn step(&mut self, now_ms: u64) -> Next {
        // Before the orders: one that concerns a record was given before that record got its number.
        let limit = self.log.position();
        while let Some(order) = self.journal.take_order() {
            self.obey(order);
        }
        if self.file.is_none() {
            return self.stopped();
        }
        if self.journal.health() == Health::Untrusted {
            return if self.stopping {
                self.end()
            } else {
                Next::Signalled
            };
        }
        if self.buffer.is_empty() {
            self.gather(limit);
        } else if now_ms < self.retry_at_ms && !self.stopping {
            return Next::At(self.retry_at_ms);
        }
        if !self.buffer.is_empty()
            && let Err(error) = self.write(now_ms)
        {
            self.write_failed(&error, now_ms);
            return if self.stopping {
                self.end()
            } else {
                Next::At(self.retry_at_ms)
            };
        }
        let rotates = self
            .rotation
            .as_ref()
            .is_some_and(|rotation| self.written >= rotation.after);
        let dirty = self.written > self.flushed;
        let flushes = match self.journal.policy() {
            Fsync::Always => dirty,
            Fsync::EverySecond => dirty && now_ms >= self.flush_due_ms,
            Fsync::No => false,
        };
        let idle = !self.is_behind();
        if (flushes || (dirty && (rotates || (self.stopping && idle))))
            && let Err(error) = self.flush(now_ms)
        {
            self.flush_failed(&error);
            return Next::Again;
        }
        if rotates && let Some(rotation) = self.rotation.take() {
            self.remove_padding();
            self.begin_file(rotation.file, 0);
            return Next::Again;
        }
        if !idle {
            return Next::Again;
        }
        if self.stopping {
            return self.end();
        }
        if dirty && !flushes && self.journal.policy() == Fsync::EverySecond {
            return Next::At(self.flush_due_ms);
        }
        Next::Signalled
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Start {
                next,
                file,
                len,
                based,
            } => {
                self.reader = Some(self.log.reader(next));
                self.begin_file(file, len);
                self.rotation = None;
                self.buffer.clear();
                (self.framed, self.written, self.flushed) = (next - 1, next - 1, next - 1);
                self.journal.written.store(next - 1, Ordering::Release);
                self.rebasing = !based;
                self.retry_at_ms = 0;
                self.journal.set_health(Health::Fine, String::new());
                self.log.set_safe(next - 1);
                if based {
                    self.journal.turn_on(self.log);
                }
            }
            Order::Rotate { after, file } => {
                if self.journal.health() == Health::Untrusted {
                    // The old file is given up, and one that was to come behind it: what they lack will be in the new base.
                    self.rotation = None;
                    self.skip_to(after);
                    self.begin_file(file, 0);
                    self.rebasing = true;
                    let failure = self.journal.failure();
                    self.journal.set_health(Health::Rebasing, failure);
                } else {
                    self.rotation = Some(Rotation { after, file });
                }
            }
            Order::Rebased { upto } => {
                if std::mem::take(&mut self.rebasing) {
                    self.journal.set_health(Health::Fine, String::new());
                    self.journal.turn_on(self.log);
                }
                self.safe(self.flushed.max(upto));
            }
            Order::Stop => self.stopping = true,
            Order::Quit => (self.stopping, self.quitting) = (true, true),
        }
    }

    fn begin_file(&mut self, file: Box<dyn DiskFile>, len: u64) {
        self.file = Some(file);
        self.framer = Framer::new(FramerOptions::default());
        self.set_file_bytes(len);
        (self.flushed_bytes, self.released_bytes) = (len, len);
        (self.padded_to, self.padding) = (0, PADDING_FIRST);
    }

    /// Leaves out the records up to `after`.
    fn skip_to(&mut self, after: u64) {
        self.buffer.clear();
        if let Some(reader) = &mut self.reader {
            while reader.next() <= after {
                let before = reader.next();
                reader.read(|record| record.sequence < after);
                if reader.next() == before {
                    // All stripes were held when `after` was taken, so all before it was published.
                    break;
                }
            }
        }
        (self.framed, self.written) = (after, after);
    }

    /// Frames what was published, up to a batch, and not beyond `limit` or the end of the file.
    fn gather(&mut self, limit: u64) {
        let last = self.rotation.as_ref().map_or(limit, |r| limit.min(r.after));
        let Some(reader) = &mut self.reader else {
            return;
        };
        if reader.next() > last {
            return;
        }
        let options = FramerOptions {
            timestamps: self.journal.timestamps.load(Ordering::Relaxed),
            checksums: self.journal.checksums.load(Ordering::Relaxed),
        };
        let (framer, buffer) = (&mut self.framer, &mut self.buffer);
        framer.set_options(options);
        if self.journal.policy() != Fsync::Always {
            framer.set_safe(self.flushed_bytes);
        }
        framer.begin(buffer, self.unix_s);
        reader.read(|record| {
            framer.record(record, buffer);
            record.sequence < last && buffer.len() < BATCH_BYTES_MAX
        });
        framer.end(buffer);
        if !buffer.is_empty() {
            self.framed = reader.next() - 1;
        }
    }

    fn write(&mut self, now_ms: u64) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let sleep_us = self.journal.flush_sleep_us.load(Ordering::Relaxed);
        if sleep_us > 0 {
            thread::sleep(Duration::from_micros(sleep_us));
        }
        self.journal.busy_since_ms.store(now_ms, Ordering::Relaxed);
        let result = file.write_all_at(self.file_bytes, &self.buffer);
        self.journal.busy_since_ms.store(0, Ordering::Relaxed);
        result?;
        if self.written == self.flushed {
            self.flush_due_ms = self.flush_due_ms.max(now_ms);
        }
        self.written = self.framed;
        self.journal.written.store(self.written, Ordering::Release);
        self.set_file_bytes(self.file_bytes + self.buffer.len() as u64);
        self.pad();
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT_MAX);
        if std::mem::take(&mut self.retry_at_ms) > 0 {
            tracing::warn!("AOF write error looks solved. The server can write again.");
            let health = if self.rebasing {
                Health::Rebasing
            } else {
                Health::Fine
            };
            self.journal.set_health(health, String::new());
        }
        Ok(())
    }

    /// Fills the file ahead, after a batch that its padding had no room for. The batches' checksums are what tells the rest of a batch that was
    /// being written from padding.
    fn pad(&mut self) {
        let wanted = self.journal.policy() == Fsync::Always
            && self.journal.checksums.load(Ordering::Relaxed)
            && self.journal.flush_sleep_us.load(Ordering::Relaxed) == 0;
        let has_room = self.file_bytes + PADDING_BYTES_MIN as u64 <= self.padded_to;
        if wanted && has_room {
            return;
        }
        if !wanted || self.buffer.len() > PADDED_BATCH_MAX {
            return self.remove_padding();
        }
        let Some(file) = &mut self.file else {
            return;
        };
        self.padded_to = self.file_bytes + self.padding as u64;
        let padded = file.write_all_at(self.file_bytes, &padding(self.padding));
        self.padding = (self.padding * 2).min(PADDING_MAX);
        if padded.is_err() {
            // It is a favour only; a disk that is full says so at the next batch.
            self.remove_padding();
        }
    }

    /// Cuts the padding off. What can't be cut is passed over by who reads it.
    fn remove_padding(&mut self) {
        if self.padded_to > self.file_bytes
            && let Some(file) = &mut self.file
            && let Err(error) = file.truncate(self.file_bytes)
        {
            tracing::warn!("The padding at the end of the AOF file can't be removed: {error}");
        }
        self.padded_to = 0;
    }

    fn write_failed(&mut self, error: &io::Error, now_ms: u64) {
        if self.retry_at_ms == 0 {
            tracing::warn!("Error writing to the AOF file: {error}");
        }
        self.retry_at_ms = now_ms + RETRY_MS;
        // A part may have been written; it must not stand before what follows.
        self.padded_to = 0;
        let cut = match &mut self.file {
            Some(file) => file.truncate(self.file_bytes),
            None => Ok(()),
        };
        match cut {
            Ok(()) => self
                .journal
                .set_health(Health::WriteFailed, error.to_string()),
            Err(cut) => {
                tracing::warn!(
                    "The AOF file can't be cut back to what was written whole, either: {cut}. A new one is needed."
                );
                self.journal
                    .set_health(Health::Untrusted, error.to_string());
            }
        }
        self.journal.wake_waiters(&self.wake);
    }

    fn flush(&mut self, now_ms: u64) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        self.journal.busy_since_ms.store(now_ms, Ordering::Relaxed);
        let result = file.sync();
        self.journal.busy_since_ms.store(0, Ordering::Relaxed);
        result?;
        self.flush_due_ms = now_ms + FLUSH_PERIOD_MS;
        self.flushed = self.written;
        self.flushed_bytes = self.file_bytes;
        // Those that wait first: a release takes some 60 us.
        self.safe(self.flushed);
        let unneeded = self.flushed_bytes - self.released_bytes;
        if unneeded >= RELEASED_BYTES_MIN
            && let Some(file) = &mut self.file
        {
            file.start_writeback(self.released_bytes, unneeded);
            self.released_bytes = self.flushed_bytes;
        }
        Ok(())
    }

    fn flush_failed(&mut self, error: &io::Error) {
        tracing::warn!(
            "Fail to fsync the AOF file: {error}. It can't be trusted any more: writes are refused until a new one is durable."
        );
        self.journal
            .set_health(Health::Untrusted, error.to_string());
        self.journal.wake_waiters(&self.wake);
    }

    fn safe(&mut self, sequence: u64) {
        if !self.rebasing {
            self.log.set_safe(sequence);
            self.journal.wake_waiters(&self.wake);
        }
    }

    fn set_file_bytes(&mut self, bytes: u64) {
        self.file_bytes = bytes;
        self.journal.file_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Writes no more; who still waits is told that it failed.
    fn end(&mut self) -> Next {
        self.remove_padding();
        self.file = None;
        self.reader = None;
        self.rotation = None;
        self.journal.on.store(false, Ordering::Relaxed);
        self.log.set_replies_wait(false);
        self.journal.wake_waiters(&self.wake);
        self.stopped()
    }

    fn stopped(&mut self) -> Next {
        self.stopping = false;
        if self.quitting {
            Next::Never
        } else {
            Next::Signalled
        }
    }
}
