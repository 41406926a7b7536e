//! The saving thread: carries orders out one by one, and begins a save when one is due.
//!
//! Invariant: a snapshot that was begun is walked to its end, whatever becomes of its file.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_engine::{Reply, ReplyError};
use dunlin_reactor::Clock;
use dunlin_store::snapshot::{Piece, Snapshot, Step};
use dunlin_store::stripes::{Held, LockSet};
use dunlin_structures::Rope;

use super::dump::{BUFFER_BYTES, Dump, Head, SaveError};
use super::encoder::Encoder;
use super::{Control, Entry, Job, Order, RETRY_S, Saving, Traveller, Waits, lock, pace};
use crate::auxiliary::{Exchange, Finished};
use crate::persistence::stripe_lock::StripeLock;
use crate::shared::Shared;

/// How often it is looked whether a save is due: while keys change, and while none does. Each look costs a wake-up, which an idle server is to do
/// without.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
const QUIET_LOOK_PERIOD: Duration = Duration::from_secs(1);
/// What the walk has encoded is written once it has so many bytes.
const WRITTEN_BYTES_MIN: usize = 64 << 10;
/// What commands have handed over is taken once it has so many bytes, and at the end.
const HANDED_BYTES_MIN: usize = 32 << 10;
/// After so many busy stripes in a row the walk sleeps instead of trying the next.
const BUSY_MAX: usize = 32;
const BUSY_SLEEP: Duration = Duration::from_micros(50);
/// A delay that `rdb-key-save-delay` asks for is cut into pieces of this length, so that giving up does not wait for its end.
pub(super) const DELAY_PIECE_US: u64 = 5_000;
/// What a stopping server gives its clients to take replies that are written already: no command runs any more.
const STOP_AFTER_SAVE_MS: u64 = 100;

/// The thread's own state.
pub struct Saver {
    shared: Arc<Shared>,
    exchange: Arc<Exchange>,
    clock: Arc<dyn Clock>,
}

impl Saver {
    /// For this server; sessions that waited go back through `exchange`.
    pub fn new(shared: Arc<Shared>, exchange: Arc<Exchange>, clock: Arc<dyn Clock>) -> Saver {
        Saver {
            shared,
            exchange,
            clock,
        }
    }

    /// Works until [`Saving::quit`]. To be called on the thread itself.
    pub fn run(self) {
        let mut stripes = StripeLock::of_this_thread();
        let (mut changes_seen, mut is_quiet) = (0, false);
        loop {
            let period = if is_quiet {
                QUIET_LOOK_PERIOD
            } else {
                LOOK_PERIOD
            };
            match self.shared.saving.next(period) {
                None => {
                    self.begin_if_due(&mut stripes);
                    let store = &self.shared.engine.store;
                    let changes = store.total(|counters| &counters.changes);
                    is_quiet = std::mem::replace(&mut changes_seen, changes) == changes;
                }
                Some(Entry {
                    order: Order::Quit, ..
                }) => return,
                Some(entry) => {
                    self.do_entry(&mut stripes, entry);
                    is_quiet = false;
                }
            }
        }
    }

    /// Does all that is ordered or due: for a scheduler that steps everything on one thread.
    pub fn step(&self, stripes: &mut StripeLock) {
        while let Some(entry) = self.shared.saving.next(Duration::ZERO) {
            self.do_entry(stripes, entry);
        }
        self.begin_if_due(stripes);
    }

    fn do_entry(&self, stripes: &mut StripeLock, Entry { order, waits }: Entry) {
        let reply = self.carry_out(stripes, order);
        if let Some(traveller) = waits {
            self.send_back(traveller, reply);
        }
        self.shared.engine.store.usage.publish_saver(0);
    }

    /// Carries an order out; what who waits for it is told. OK is never told of a shutdown.
    pub(crate) fn carry_out(
        &self,
        stripes: &mut StripeLock,
        order: Order,
    ) -> Result<(), ReplyError> {
        let (is_fine, error) = match order {
            Order::Write(job) => (self.write(*job), "ERR"),
            Order::SaveFlushed => {
                self.begin_and_write(stripes, Waits::Client);
                (true, "")
            }
            Order::ShutDown { force } => (
                self.shut_down(stripes, force),
                "ERR Errors trying to SHUTDOWN. Check logs.",
            ),
            Order::Quit => (true, ""),
        };
        if is_fine {
            return Ok(());
        }
        Err(ReplyError::Text(error.into()))
    }

    fn send_back(&self, traveller: Traveller, result: Result<(), ReplyError>) {
        let mut out = Rope::new();
        let mut reply = Reply::new(&mut out, traveller.session.version);
        match result {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(&error),
        }
        let usage = &self.shared.engine.store.usage;
        usage.in_transit(out.owned_bytes() as i64);
        self.exchange.send_back(
            traveller.worker,
            Finished {
                token: traveller.token,
                awaits: 0,
                // Saving is no command of a queue: it waits for the disk.
                done: None,
                again: None,
                session: traveller.session,
                out,
                turn: traveller.turn,
            },
        );
    }

    fn now_ms(&self) -> u64 {
        self.clock.wall_us() / 1_000
    }

    fn hold_everything(&self, stripes: &mut StripeLock) -> Held {
        stripes.lock(&self.shared.engine.store, &LockSet::All)
    }

    /// Saves if BGSAVE waits for it, or a save point is reached.
    fn begin_if_due(&self, stripes: &mut StripeLock) {
        let saving = &self.shared.saving;
        if self.shared.aof.is_due(&self.shared, self.now_ms() / 1_000)
            && let Some(job) = self.shared.aof.begin(&self.shared, stripes)
        {
            self.write(job);
            return;
        }
        if !saving.is_due(&self.shared, self.now_ms() / 1_000) {
            return;
        }
        self.begin_and_write(stripes, Waits::Nobody);
    }

    /// Saves the dump file, from the cut on.
    fn begin_and_write(&self, stripes: &mut StripeLock, waits: Waits) {
        let (saving, store) = (&self.shared.saving, &self.shared.engine.store);
        let mut held = self.hold_everything(stripes);
        let job = saving.begin_dump(&self.shared, waits, self.now_ms(), |encoder| {
            store.begin_snapshot(&mut held, encoder)
        });
        store.release_stripes(held);
        if let Some(job) = job {
            self.write(job);
        }
    }

    /// Writes a snapshot; whether all went well.
    fn write(&self, job: Job) -> bool {
        let (saving, store) = (&self.shared.saving, &self.shared.engine.store);
        let Job {
            mut snapshot,
            encoder,
            control,
            options,
            temp,
            then,
        } = job;
        let libraries = self.shared.engine.scripts.libraries();
        let head = Head {
            now_s: control.started_s,
            used_bytes: store.usage.bytes(),
            databases: snapshot.databases(),
            libraries: &libraries,
        };
        let disk = saving.disk();
        let dump = Dump::create(&**disk, &temp, &options, encoder.meta, &head);
        let dump = self.walk(&mut snapshot, dump, &encoder, &control);
        let took_s = (self.now_ms() / 1_000).saturating_sub(control.started_s);
        saving.note_end(&self.shared, control.purpose, took_s);
        snapshot.finish(store);
        let written = dump.and_then(Dump::finish);
        let is_fine = then(&self.shared, written);
        if !is_fine {
            // Whatever is left of it is of no use.
            let _ = disk.remove(&temp);
        }
        // Only now: who sees that none runs sees what came of it.
        *lock(&saving.current) = None;
        is_fine
    }

    /// Walks a snapshot to its end, into the dump as long as that can be written.
    fn walk(
        &self,
        snapshot: &mut Snapshot,
        mut dump: Result<Dump, SaveError>,
        encoder: &Encoder,
        control: &Control,
    ) -> Result<Dump, SaveError> {
        let (saving, store) = (&self.shared.saving, &self.shared.engine.store);
        if dump.is_err() {
            snapshot.abandon(store);
        }
        let (mut piece, mut busy) = (Piece::default(), 0);
        loop {
            let before = piece.keys;
            let step = snapshot.step(store, None, &mut piece);
            let keys = piece.keys - before;
            if let Ok(open) = &mut dump {
                let mut result = self.put(open, snapshot, &mut piece, step == Step::Done);
                if let Some(error) = encoder.take_failure() {
                    result = Err(SaveError::Value(error));
                } else if saving.is_given_up(control) {
                    result = Err(SaveError::Abandoned);
                }
                if let Err(error) = result {
                    dump = Err(error);
                    snapshot.abandon(store);
                    piece.clear();
                }
            }
            match step {
                Step::Done => return dump,
                Step::More => busy = 0,
                Step::Busy => busy += 1,
            }
            if busy > 0 && busy % BUSY_MAX == 0 {
                std::thread::sleep(BUSY_SLEEP);
            } else {
                pace::breathe();
            }
            if dump.is_ok() {
                self.delay(keys, || saving.is_given_up(control));
            }
        }
    }

    /// Writes what the walk has taken and commands have handed over, if that is much by now or all there is.
    fn put(
        &self,
        dump: &mut Dump,
        snapshot: &mut Snapshot,
        piece: &mut Piece,
        is_done: bool,
    ) -> Result<(), SaveError> {
        let store = &self.shared.engine.store;
        if is_done || piece.held_bytes >= WRITTEN_BYTES_MIN || !piece.values.is_empty() {
            let result = dump.put(piece);
            piece.clear();
            store.usage.publish_saver(BUFFER_BYTES);
            result?;
        }
        while is_done || store.snapshots.backlog_bytes() >= HANDED_BYTES_MIN {
            let Some(handed) = snapshot.next_handed(store) else {
                break;
            };
            let result = dump.put(&handed);
            store.snapshots.written(store, &handed);
            result?;
        }
        Ok(())
    }

    /// `rdb-key-save-delay`, for so many keys, unless it is given up.
    fn delay(&self, keys: u64, is_given_up: impl Fn() -> bool) {
        let mut left_us = self.shared.saving.delay_us(keys);
        while left_us > 0 && !is_given_up() {
            let piece_us = left_us.min(DELAY_PIECE_US);
            std::thread::sleep(Duration::from_micros(piece_us));
            left_us -= piece_us;
        }
    }

    /// Saves everything and ends the server; false if it goes on.
    fn shut_down(&self, stripes: &mut StripeLock, force: bool) -> bool {
        let (saving, store) = (&self.shared.saving, &self.shared.engine.store);
        tracing::info!("Saving the final RDB snapshot before exiting.");
        let mut held = self.hold_everything(stripes);
        let is_saved = saving.save_held(&self.shared, |db, visit| {
            store.each_entry(&mut held, db, visit);
        });
        let ends = is_saved || force;
        if !is_saved && force {
            tracing::warn!("Error trying to save the DB, exit anyway.");
        }
        if ends {
            // Held to the end: what would be answered from now on would not be saved.
            self.shared.request_stop_within(0, STOP_AFTER_SAVE_MS);
            saving.wait_for_the_end();
        } else {
            tracing::warn!("Error trying to save the DB, can't exit.");
            tracing::warn!(
                "Errors trying to shut down the server. Check the logs for more information."
            );
            self.shared.stop_failed();
        }
        store.release_stripes(held);
        ends
    }
}

impl Saving {
    /// The next order; `None` after `patience` without one.
    fn next(&self, patience: Duration) -> Option<Entry> {
        let mut queue = lock(&self.queue);
        if queue.is_empty() {
            let waited = self.arrived.wait_timeout(queue, patience);
            queue = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        queue.pop_front()
    }

    fn is_due(&self, shared: &Shared, now_s: u64) -> bool {
        if shared.is_stopping() || shared.is_loading() || lock(&self.current).is_some() {
            return false;
        }
        let last = lock(&self.figures).last.clone();
        if !last.is_fine && now_s.saturating_sub(last.tried_s) <= RETRY_S {
            return false;
        }
        if self.scheduled.load(Ordering::Relaxed) {
            return true;
        }
        let points = lock(&self.knobs.points);
        if points.is_empty() {
            return false;
        }
        let changes = self.unsaved_changes(shared);
        let due = points.iter().find(|point| {
            changes >= point.changes && now_s.saturating_sub(last.saved_s) > point.seconds
        });
        if let Some(point) = due {
            tracing::info!(
                "{} changes in {} seconds. Saving...",
                point.changes,
                point.seconds
            );
        }
        due.is_some()
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// `rdb-key-save-delay` for so many keys, in microseconds.
    pub(super) fn delay_us(&self, keys: u64) -> u64 {
        match self.knobs.delay_us.load(Ordering::Relaxed) {
            delay_us @ 1.. => delay_us as u64 * keys,
            // Below zero: one microsecond for every so many keys.
            delay_us @ ..0 => keys / delay_us.unsigned_abs(),
            0 => 0,
        }
    }

    fn wait_for_the_end(&self) {
        let mut ended = lock(&self.loops_ended.0);
        while !*ended {
            let waited = self.loops_ended.1.wait(ended);
            ended = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}
