//! The store: all stripes, what other threads may see of them without a lock, and the housekeeping of deadlines.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;
use dunlin_structures::dict::{Root, Sighting};
use dunlin_structures::epoch::Epochs;
use dunlin_structures::wheel::LOOK_AHEAD_NODES;

use crate::blocked::BlockedTable;
use crate::event::Notify;
use crate::eviction::{Eviction, Usage};
use crate::hash::KeyHasher;
use crate::local::{Counters, Local};
use crate::log::Log;
use crate::outbox::Listener;
use crate::reaper::{Heap, Reaper};
use crate::shard::{Expired, Shard};
use crate::shards::Shards;
use crate::snapshot::Snapshots;
use crate::stamps::Stamps;
use crate::stripes::{Held, LockSet, Stripes};
use crate::txn::Txn;
use crate::watch::{WatchFlag, WatchTable};

/// Most fields of a hash that are removed by one step of a pass over the wheel.
const FIELDS_PER_STEP: usize = 64;

/// A small entry spans at most this many cache lines.
const ENTRY_LINES: usize = 2;
/// No deadline.
const NEVER: u64 = u64::MAX;

/// What a store is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Number of stripes, a power of two, at most 256.
    pub stripes: usize,
    /// Number of databases.
    pub databases: usize,
    /// Number of workers: each owns the deadlines of its share of the stripes and a lane of the log. The auxiliary
    /// thread counts as one more lane, without stripes.
    pub workers: usize,
    /// Spins on a busy stripe before a session parks.
    pub spin: u32,
    /// Key of the hash, drawn by the caller.
    pub hash_key: [u64; 2],
    /// Bytes that the calling thread has allocated less those it has freed; 0 where the allocator does not tell.
    pub thread_bytes: fn() -> i64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            stripes: 256,
            databases: 16,
            workers: 1,
            spin: crate::stripes::SPINS_DEFAULT,
            hash_key: [1, 2],
            thread_bytes: || 0,
        }
    }
}

/// What is behind one stripe's lock.
#[repr(C)]
pub(crate) struct StripeData {
    /// First, for database 0: see [`Shards`].
    pub(crate) shards: Shards,
    pub(crate) index: usize,
    pub(crate) watched: WatchTable,
    pub(crate) blocked: BlockedTable,
    /// When its keys were last changed, while replies wait for that.
    pub(crate) stamps: Stamps,
    /// Latest time seen here, in milliseconds: a stripe's time never runs backwards.
    pub(crate) now_ms: u64,
}

impl StripeData {
    /// The keys of a database.
    pub(crate) fn shard_or_new(&mut self, db: u32) -> &mut Shard {
        let now_ms = self.now_ms;
        self.shards.get_or_new(db, now_ms)
    }
}

/// What is visible of one shard without its stripe's lock.
#[derive(Default)]
pub(crate) struct Head {
    pub(crate) root: Root,
    pub(crate) len: AtomicU32,
    pub(crate) expires: AtomicU32,
    pub(crate) key_bytes: AtomicU64,
}

/// Wakes a worker whose sleep would outlast a new deadline.
pub type WakeOwner = Box<dyn Fn(usize) + Send + Sync>;

/// One worker's view of the deadlines that it owns.
#[derive(Default)]
struct Owner {
    /// No deadline of its stripes lies before this.
    due_ms: AtomicU64,
    /// The worker sleeps until this time; 0 while awake.
    sleeps_until_ms: AtomicU64,
}

/// What a call of [`Store::expire_some`] left behind.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum ExpireProgress {
    /// Nothing of this worker's is due before this time (milliseconds), or ever.
    Until(Option<u64>),
    /// More is due: call again next turn.
    More,
}

/// The keyspace.
pub struct Store {
    pub(crate) stripes: Stripes<StripeData>,
    heads: Box<[Head]>,
    hasher: KeyHasher,
    stripe_bits: u32,
    databases: usize,
    workers: usize,
    owners: Box<[CachePadded<Owner>]>,
    stripe_due_ms: Box<[AtomicU64]>,
    wake_owner: OnceLock<WakeOwner>,
    active_expire: AtomicBool,
    /// Keys that are watched and keys that somebody waits for.
    observed_keys: AtomicUsize,
    /// Of them, those that are watched.
    watched_keys: AtomicUsize,
    trackers: AtomicUsize,
    /// Which keyspace events subscribers are told of.
    pub notify: Notify,
    listener: OnceLock<Arc<dyn Listener>>,
    heap: Heap,
    counters: Box<[CachePadded<Counters>]>,
    /// Grace periods for memory that the look-ahead of other workers may be reading.
    pub epochs: Epochs,
    /// The log of effects.
    pub log: Log,
    /// How much memory the keys may take.
    pub eviction: Eviction,
    /// How much is taken.
    pub usage: Usage,
    /// What is kept for snapshots.
    pub snapshots: Snapshots,
}

impl Store {
    /// An empty store.
    pub fn new(settings: &Settings) -> Store {
        Store::with_hasher(settings, KeyHasher::new(settings.hash_key))
    }

    /// An empty store with a hash that exists already.
    pub(crate) fn with_hasher(settings: &Settings, hasher: KeyHasher) -> Store {
        let stripes = settings.stripes;
        assert!(
            stripes.is_power_of_two() && stripes <= 256,
            "stripes: a power of two up to 256"
        );
        assert!(settings.databases > 0 && settings.workers > 0);
        let owner = || {
            CachePadded::new(Owner {
                due_ms: AtomicU64::new(NEVER),
                ..Owner::default()
            })
        };
        Store {
            stripes: Stripes::new(stripes, settings.spin, |index| StripeData {
                index,
                shards: Shards::new(settings.databases),
                watched: WatchTable::default(),
                blocked: BlockedTable::default(),
                stamps: Stamps::default(),
                now_ms: 0,
            }),
            heads: (0..stripes * settings.databases)
                .map(|_| Head::default())
                .collect(),
            hasher,
            stripe_bits: stripes.trailing_zeros(),
            databases: settings.databases,
            workers: settings.workers,
            owners: (0..settings.workers).map(|_| owner()).collect(),
            stripe_due_ms: (0..stripes).map(|_| AtomicU64::new(NEVER)).collect(),
            wake_owner: OnceLock::new(),
            active_expire: AtomicBool::new(true),
            observed_keys: AtomicUsize::new(0),
            watched_keys: AtomicUsize::new(0),
            trackers: AtomicUsize::new(0),
            notify: Notify::default(),
            listener: OnceLock::new(),
            heap: Heap::default(),
            counters: (0..=settings.workers)
                .map(|_| CachePadded::default())
                .collect(),
            // One for each worker and one for the auxiliary thread.
            epochs: Epochs::new(settings.workers + 1),
            log: Log::new(settings.workers + 1),
            eviction: Eviction::default(),
            usage: Usage::new(settings.workers, settings.thread_bytes),
            snapshots: Snapshots::new(settings.workers + 1),
        }
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// Number of workers. The auxiliary thread's number is this.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Number of stripes.
    pub fn stripe_count(&self) -> usize {
        1 << self.stripe_bits
    }

    /// The hash of user keys.
    #[inline]
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// The locks.
    #[inline]
    pub fn lock_stripes(
        &self,
        set: &LockSet,
        waiter: &Arc<crate::stripes::Waiter>,
    ) -> Result<Held, crate::stripes::Parked> {
        self.stripes.lock(set, waiter)
    }

    /// The lock of one stripe, if it is free.
    #[inline]
    pub fn try_lock_stripe(
        &self,
        stripe: u16,
        waiter: &Arc<crate::stripes::Waiter>,
    ) -> Option<Held> {
        self.stripes.try_lock(stripe, waiter)
    }

    /// Takes the rest of `set` after the waiter was granted a stripe.
    pub fn resume_stripes(
        &self,
        set: &LockSet,
        waiter: &Arc<crate::stripes::Waiter>,
    ) -> Result<Held, crate::stripes::Parked> {
        self.stripes.resume(set, waiter)
    }

    /// Gives up what a dead session waits for or was granted.
    pub fn abandon_stripes(&self, waiter: &Arc<crate::stripes::Waiter>) {
        self.stripes.abandon(waiter);
    }

    /// Gives the stripes back; waiters are handed theirs.
    #[inline]
    pub fn release_stripes(&self, held: Held) {
        self.stripes.release(held);
    }

    /// Stripe of a hash: its top bits. The one place where this is decided.
    #[inline]
    pub fn stripe_of(&self, hash: u64) -> usize {
        // In two steps, because a shift by 64 is none.
        (hash >> 1 >> (63 - self.stripe_bits)) as usize
    }

    /// State for worker `worker` (the auxiliary thread is number `workers`).
    pub fn local(&self, worker: usize, seed: u64) -> Local {
        assert!(worker <= self.workers);
        Local::new(worker, seed)
    }

    /// Counters of one worker.
    #[inline]
    pub fn counters(&self, worker: usize) -> &Counters {
        &self.counters[worker]
    }

    /// Sum of one counter over all workers.
    pub fn total(&self, counter: impl Fn(&Counters) -> &crate::Counter) -> u64 {
        self.counters.iter().map(|c| counter(c).value()).sum()
    }

    /// The freeing task.
    pub fn reaper(&self) -> Reaper {
        Reaper::new()
    }

    /// Installs the function that wakes the freeing task. Called once, before the workers start.
    pub fn on_garbage(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.heap.on_push(wake);
    }

    /// Entries handed to the reaper that wait to be freed, and those that it has freed since the start.
    pub fn freeing(&self) -> (u64, u64) {
        self.heap().counts()
    }

    /// Whether the freeing task has work.
    pub fn has_garbage(&self) -> bool {
        !self.heap.is_empty()
    }

    pub(crate) fn heap(&self) -> &Heap {
        &self.heap
    }

    #[inline]
    pub(crate) fn head(&self, db: u32, stripe: usize) -> &Head {
        &self.heads[((db as usize) << self.stripe_bits) + stripe]
    }

    /// Look-ahead, first pass: brings the bucket of a key into the cache.
    ///
    /// The calling thread must be online in [`Store::epochs`] since its last batch boundary, and make use of the answer before
    /// the next one; or else be the only one that changes the keys of this stripe, and make use of it before the next change.
    #[inline]
    #[allow(unsafe_code)]
    pub fn sight(&self, db: u32, hash: u64) -> Sighting {
        // SAFETY: directories and segments are freed through the epochs, in which this worker is online.
        unsafe { self.head(db, self.stripe_of(hash)).root.sight(hash) }
    }

    /// Look-ahead, second pass: brings the entry that looks like the key's into the cache. True when the key may lie
    /// outside its home bucket, so that a third pass by [`Store::prefetch_away`] pays.
    #[inline]
    #[allow(unsafe_code)]
    pub fn prefetch_entry(&self, sighting: Sighting) -> bool {
        // SAFETY: as above.
        unsafe { sighting.prefetch_entry(ENTRY_LINES) }
    }

    /// Look-ahead, third pass: the same for the other bucket where the key may be.
    #[inline]
    #[allow(unsafe_code)]
    pub fn prefetch_away(&self, sighting: Sighting) {
        // SAFETY: as above.
        unsafe { sighting.prefetch_away(ENTRY_LINES) }
    }

    /// Shortly before a command: brings the lock of its key, and what is beside it, into the cache.
    #[inline]
    pub fn prefetch_stripe(&self, hash: u64) {
        self.stripes.prefetch(self.stripe_of(hash));
    }

    /// Number of keys of a database, as of about now.
    pub fn len(&self, db: u32) -> u64 {
        (0..self.stripe_count())
            .map(|s| u64::from(self.head(db, s).len.load(Ordering::Relaxed)))
            .sum()
    }

    /// Whether a database has no keys, as of about now.
    pub fn is_empty(&self, db: u32) -> bool {
        self.len(db) == 0
    }

    /// Number of keys of a database in one stripe, as of about now.
    pub fn stripe_len(&self, db: u32, stripe: usize) -> u64 {
        u64::from(self.head(db, stripe).len.load(Ordering::Relaxed))
    }

    /// Number of keys with a deadline, as of about now.
    pub fn expires(&self, db: u32) -> u64 {
        (0..self.stripe_count())
            .map(|s| u64::from(self.head(db, s).expires.load(Ordering::Relaxed)))
            .sum()
    }

    /// Bytes of the names of a database's keys, as of about now.
    pub fn key_bytes(&self, db: u32) -> u64 {
        (0..self.stripe_count())
            .map(|s| self.head(db, s).key_bytes.load(Ordering::Relaxed))
            .sum()
    }

    /// Average time that the keys of a database with a deadline have left, in milliseconds; 0 when there are none. Stripes
    /// that are busy at the moment are not asked. O(stripes).
    pub fn average_ttl_ms(&self, db: u32, now_ms: u64) -> u64 {
        let (mut sum_ms, mut count) = (0u128, 0u128);
        for stripe in 0..self.stripe_count() {
            if self.head(db, stripe).expires.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let Some(mut held) = self.stripes.try_lock_one(stripe) else {
                continue;
            };
            if let Some(shard) = self.stripes.with(&mut held, stripe).shards.get(db) {
                sum_ms += shard.deadline_sum();
                count += shard.expires() as u128;
            }
            self.stripes.release(held);
        }
        let average_ms = sum_ms
            .checked_div(count)
            .map_or(0, |average| average as u64);
        average_ms.saturating_sub(now_ms)
    }

    /// Turns the removal of expired keys by time on or off (DEBUG SET-ACTIVE-EXPIRE); access removes them always.
    pub fn set_active_expire(&self, on: bool) {
        self.active_expire.store(on, Ordering::Relaxed);
        if on {
            for owner in 0..self.workers {
                self.owners[owner].due_ms.store(0, Ordering::SeqCst);
                self.wake(owner);
            }
        }
    }

    /// Installs the function that wakes a sleeping worker. Called once, before the workers start.
    pub fn on_wake_owner(&self, wake: WakeOwner) {
        assert!(self.wake_owner.set(wake).is_ok(), "installed once");
    }

    fn wake(&self, owner: usize) {
        if let Some(wake) = self.wake_owner.get() {
            wake(owner);
        }
    }

    fn owner_of(&self, stripe: usize) -> usize {
        stripe % self.workers
    }

    /// A deadline was set in `stripe`, which the caller holds.
    pub(crate) fn note_deadline(&self, stripe: usize, deadline_ms: u64, me: usize) {
        let due = &self.stripe_due_ms[stripe];
        if deadline_ms >= due.load(Ordering::Relaxed) {
            return;
        }
        due.store(deadline_ms, Ordering::Relaxed);
        let number = self.owner_of(stripe);
        let owner = &self.owners[number];
        if deadline_ms >= owner.due_ms.load(Ordering::Relaxed) {
            return;
        }
        // SeqCst here and in `sleep_until`: either the owner sees the new deadline or we see that it sleeps.
        owner.due_ms.fetch_min(deadline_ms, Ordering::SeqCst);
        if number != me && owner.sleeps_until_ms.load(Ordering::SeqCst) > deadline_ms {
            self.wake(number);
        }
    }

    /// Earliest time at which `worker` has deadlines to look after, if any. O(1).
    #[inline]
    pub fn next_due(&self, worker: usize) -> Option<u64> {
        let due = self.owners[worker].due_ms.load(Ordering::Relaxed);
        (due != NEVER && self.active_expire.load(Ordering::Relaxed)).then_some(due)
    }

    /// Tells that `worker` is about to sleep until `until_ms`, having seen deadlines from `seen_ms` on (both `u64::MAX`
    /// for never); false when an earlier deadline came meanwhile and it must not.
    pub fn sleep_until(&self, worker: usize, until_ms: u64, seen_ms: u64) -> bool {
        let owner = &self.owners[worker];
        owner.sleeps_until_ms.store(until_ms, Ordering::SeqCst);
        !self.active_expire.load(Ordering::Relaxed)
            || owner.due_ms.load(Ordering::SeqCst) >= until_ms.min(seen_ms)
    }

    /// Tells that `worker` is awake: setting a deadline need not wake it.
    pub fn awake(&self, worker: usize) {
        self.owners[worker]
            .sleeps_until_ms
            .store(0, Ordering::Relaxed);
    }

    /// Removes expired keys from the stripes that `local`'s worker owns, at most `work` wheel nodes' worth.
    /// A stripe that is busy is left for the next call.
    pub fn expire_some(&self, local: &mut Local, now_ms: u64, mut work: usize) -> ExpireProgress {
        if !self.active_expire.load(Ordering::Relaxed) {
            return ExpireProgress::Until(None);
        }
        let owner = &self.owners[local.worker];
        if owner.due_ms.load(Ordering::Relaxed) > now_ms {
            let due = owner.due_ms.load(Ordering::Relaxed);
            return ExpireProgress::Until((due != NEVER).then_some(due));
        }
        // Raised first: a deadline set during the pass lowers it again.
        owner.due_ms.store(NEVER, Ordering::SeqCst);
        let mut earliest = NEVER;
        let mut more = false;
        for stripe in (local.worker..self.stripe_count()).step_by(self.workers) {
            if self.stripe_due_ms[stripe].load(Ordering::Relaxed) <= now_ms {
                if work == 0 {
                    more = true;
                    break;
                }
                match self.stripes.try_lock_one(stripe) {
                    Some(mut held) => {
                        more |= self.expire_stripe(local, &mut held, stripe, now_ms, &mut work);
                        self.stripes.release(held);
                    }
                    // Its holder may be at it for long: no point in asking again at once.
                    None => {
                        earliest = earliest.min(now_ms + 1);
                        continue;
                    }
                }
            }
            earliest = earliest.min(self.stripe_due_ms[stripe].load(Ordering::Relaxed));
        }
        if more {
            owner.due_ms.store(0, Ordering::SeqCst);
            return ExpireProgress::More;
        }
        let due = owner
            .due_ms
            .fetch_min(earliest, Ordering::SeqCst)
            .min(earliest);
        ExpireProgress::Until((due != NEVER).then_some(due))
    }

    /// Removes what is due in one held stripe; true when the work ran out first.
    fn expire_stripe(
        &self,
        local: &mut Local,
        held: &mut Held,
        stripe: usize,
        now_ms: u64,
        work: &mut usize,
    ) -> bool {
        let mut txn = Txn::new(self, Some(held), local, now_ms);
        let mut next = NEVER;
        let mut out_of_work = false;
        for db in 0..self.databases as u32 {
            if txn.next_deadline(db, stripe).is_none() {
                continue;
            }
            for popped in 0.. {
                if popped % LOOK_AHEAD_NODES == 0 {
                    txn.look_ahead_expired(db, stripe);
                }
                match txn.pop_expired(db, stripe, work) {
                    Expired::Entry(entry) => {
                        txn.record_expired(db, &entry);
                        txn.discard(entry);
                    }
                    Expired::Fields(slot) => {
                        let removed = txn.expire_popped(db, stripe, slot, FIELDS_PER_STEP);
                        *work = work.saturating_sub(removed);
                    }
                    Expired::Idle => break,
                    Expired::OutOfWork => {
                        out_of_work = true;
                        break;
                    }
                }
            }
            if let Some(deadline) = txn.next_deadline(db, stripe) {
                next = next.min(deadline);
            }
        }
        txn.commit(None);
        self.stripe_due_ms[stripe].store(if out_of_work { 0 } else { next }, Ordering::Relaxed);
        out_of_work
    }

    /// Installs who passes events and messages on. Called once, before the workers start.
    pub fn on_told(&self, listener: Arc<dyn Listener>) {
        assert!(self.listener.set(listener).is_ok(), "installed once");
    }

    pub(crate) fn listener(&self) -> Option<&dyn Listener> {
        self.listener.get().map(|listener| &**listener)
    }

    /// Whether anybody cares what happens to keys: some are watched or waited for, or there are subscribers to be told of events.
    #[inline]
    pub(crate) fn has_listeners(&self) -> bool {
        self.any_observed() | (self.notify.bits() != 0)
    }

    /// Whether any key of any stripe is watched or waited for. A command that changes a key while another session's WATCH is on its
    /// way holds the key's stripe, as WATCH does, so the count it reads is the one that matters.
    #[inline]
    pub(crate) fn any_observed(&self) -> bool {
        self.observed_keys.load(Ordering::Relaxed) != 0
    }

    /// Whether clients track keys, see [`Store::track`].
    #[inline]
    pub fn is_tracked(&self) -> bool {
        self.trackers.load(Ordering::Relaxed) != 0
    }

    /// One client more, or one less, wants to be told of changed keys ([`crate::Told::Changed`]).
    pub fn track(&self, on: bool) {
        // Counted as observed, so that a change asks only once whether anybody is to be told.
        for count in [&self.trackers, &self.observed_keys] {
            if on {
                count.fetch_add(1, Ordering::Relaxed);
            } else {
                count.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Keys that somebody watches, as of about now.
    pub fn watched_keys(&self) -> usize {
        self.watched_keys.load(Ordering::Relaxed)
    }

    /// Changes a stripe's watchers and keeps the count of watched keys.
    pub(crate) fn count_watched(
        &self,
        table: &mut WatchTable,
        change: impl FnOnce(&mut WatchTable),
    ) {
        let before = table.len();
        change(table);
        let added = table.len().wrapping_sub(before);
        self.observed_keys.fetch_add(added, Ordering::Relaxed);
        self.watched_keys.fetch_add(added, Ordering::Relaxed);
    }

    /// Changes who waits for a stripe's keys and keeps the count of such keys.
    pub(crate) fn count_blocked(
        &self,
        table: &mut BlockedTable,
        change: impl FnOnce(&mut BlockedTable),
    ) {
        let before = table.len();
        change(table);
        let after = table.len();
        self.observed_keys
            .fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    /// Unwatches a key for a session that is gone; false when the stripe is busy.
    pub fn unwatch_now(&self, db: u32, key: &[u8], hash: u64, flag: &Arc<WatchFlag>) -> bool {
        let stripe = self.stripe_of(hash);
        let Some(mut held) = self.stripes.try_lock_one(stripe) else {
            return false;
        };
        let table = &mut self.stripes.with(&mut held, stripe).watched;
        self.count_watched(table, |table| table.unwatch(db, key, flag));
        self.stripes.release(held);
        true
    }

    pub(crate) fn clear_head(&self, db: u32, stripe: usize) {
        let head = self.head(db, stripe);
        head.root.clear();
        head.len.store(0, Ordering::Relaxed);
        head.expires.store(0, Ordering::Relaxed);
        head.key_bytes.store(0, Ordering::Relaxed);
    }

    /// Makes a held shard's dict and counts visible to the others.
    pub(crate) fn publish(&self, db: u32, stripe: usize, shard: &Shard) {
        let head = self.head(db, stripe);
        head.root.publish(shard.dict());
        head.len.store(shard.len() as u32, Ordering::Relaxed);
        head.expires
            .store(shard.expires() as u32, Ordering::Relaxed);
        head.key_bytes.store(shard.key_bytes(), Ordering::Relaxed);
    }
}
