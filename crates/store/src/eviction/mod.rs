//! Eviction: how much memory the keyspace may take, which keys go when it takes more, and who counts.
//!
//! What is bounded is what the threads have allocated and not freed, less what their clients' buffers hold, so that a slow client never
//! costs a key. Each thread publishes its part when its batch ends; inside a batch a worker adds what its own commands allocate. So the
//! sum lags behind by what the other workers do in one batch, and no counter is shared between them.
//!
//! Victims are taken one at a time, before a command takes its own stripes: the best of a pool of candidates that samples of random
//! stripes fill, as Redis does it. <https://redis.io/docs/reference/eviction/>
//!
//! Invariant: with no limit set a command reads one atomic and nothing else.

mod frequency;
mod policy;
mod pool;

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

use frequency::Frequency;
pub use policy::Policy;
pub(crate) use pool::Pool;

use crate::entry::Entry;
use crate::hash::Key;
use crate::local::Local;
use crate::store::Store;
use crate::txn::Txn;

/// While what FLUSHALL and the like dropped is being freed, the limit is this part of itself higher: it was met before, and freeing is
/// faster than writing.
const FLUSHING_HEADROOM_SHARE: u64 = 8;
/// Values that take more steps to free than this are not asked for their size: they are taken to free so many bytes a step.
const SIZED_STEPS_MAX: usize = 2_048;
const FREED_PER_STEP_BYTES: usize = 4_096;

/// Bytes that freeing an entry's value in so many steps will free, or about as many.
pub(crate) fn freed_bytes(entry: &Entry, steps: usize) -> i64 {
    let bytes = if steps <= SIZED_STEPS_MAX || entry.big().is_none() {
        entry.outside_bytes()
    } else {
        steps * FREED_PER_STEP_BYTES
    };
    bytes as i64
}

/// Candidates that one search for a victim gives up because they are gone, in use again, or in a busy stripe.
const TRIES_MAX: usize = 64;
/// Of so many keys of a stripe one is sampled.
const KEYS_PER_SAMPLE: usize = 4;

/// What became of a request for room.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Room {
    /// The keyspace is within its limit.
    Enough,
    /// Victims went, but not enough yet: the rest follows.
    More,
    /// What could go is behind stripes that others hold at the moment.
    Busy,
    /// Nothing is evicted for now (CLIENT PAUSE).
    Paused,
    /// The policy finds nothing to evict.
    Full,
}

/// How the search for a victim ended.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Search {
    Evicted,
    /// There may be some behind stripes that others hold.
    Busy,
    Nothing,
}

/// The limit and how it is kept.
#[derive(Debug, Default)]
pub struct Eviction {
    /// `maxmemory`; 0 for none.
    limit_bytes: AtomicU64,
    /// A [`Policy`].
    policy: AtomicU8,
    /// `maxmemory-samples`.
    pub samples: AtomicUsize,
    /// Victims that one command waits for, from `maxmemory-eviction-tenacity`.
    pub victims_max: AtomicUsize,
    /// `lfu-log-factor`.
    pub log_factor: AtomicU32,
    /// `lfu-decay-time` in minutes.
    pub decay_minutes: AtomicU32,
}

impl Eviction {
    /// Sets limit and policy.
    pub fn set(&self, limit_bytes: u64, policy: Policy) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
        self.policy.store(policy as u8, Ordering::Relaxed);
    }

    /// Whether there is a limit.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.limit_bytes.load(Ordering::Relaxed) != 0
    }

    /// The limit.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// The policy.
    pub fn policy(&self) -> Policy {
        Policy::from_bits(self.policy.load(Ordering::Relaxed))
    }

    /// The clock of a new entry at this time, which is also what reads set it to where accesses are not counted.
    pub fn clock(&self, now_ms: u64) -> u32 {
        if self.policy().is_lfu() {
            frequency::new_clock(now_ms)
        } else {
            (now_ms / 1_000) as u32
        }
    }

    /// The clock of an entry that is told how long it was idle, and how often it was used: whichever the policy goes by. That of a new one
    /// where that is not told.
    pub fn clock_of(&self, idle_s: Option<u64>, frequency: Option<u8>, now_ms: u64) -> u32 {
        match (self.policy().is_lfu(), idle_s, frequency) {
            (true, _, Some(count)) => frequency::clock_of(count, now_ms),
            (false, Some(idle_s), _) => ((now_ms / 1_000) as u32).wrapping_sub(idle_s as u32),
            _ => self.clock(now_ms),
        }
    }

    /// How often an entry is used, as the policies that count that see it.
    pub fn frequency(&self, clock: u32, now_ms: u64) -> u8 {
        let decay = self.decay_minutes.load(Ordering::Relaxed);
        Frequency::of(clock).count(frequency::minutes(now_ms), decay)
    }

    pub(crate) fn touched(&self, clock: u32, now_ms: u64, random: u64) -> u32 {
        let decay = self.decay_minutes.load(Ordering::Relaxed);
        let factor = self.log_factor.load(Ordering::Relaxed);
        Frequency::of(clock)
            .touched(frequency::minutes(now_ms), decay, factor, random)
            .clock()
    }

    /// How much the policy wants an entry gone: more is sooner.
    fn merit(&self, policy: Policy, entry: &Entry, clock: u32, now_ms: u64) -> u64 {
        let frequency = || self.frequency(entry.clock(), now_ms);
        policy.merit(entry, clock, frequency)
    }
}

/// Bytes in use, a part for each thread.
#[derive(Debug)]
pub struct Usage {
    /// What the calling thread has allocated less what it has freed.
    thread_bytes: fn() -> i64,
    /// Workers, then the auxiliary thread, the freeing one, the saving one, then all that was there before them.
    parts: Box<[CachePadded<AtomicI64>]>,
    /// Replies on their way from the auxiliary thread to a worker: a client's, but in no worker's buffers yet.
    in_transit: AtomicI64,
    /// What threads that have ended left allocated.
    inherited: AtomicI64,
    /// Values that wait for the freeing thread: no longer the keyspace's, still allocated.
    doomed: AtomicI64,
    /// Whole shards that wait for it.
    doomed_shards: AtomicUsize,
}

impl Usage {
    pub(crate) fn new(workers: usize, thread_bytes: fn() -> i64) -> Usage {
        Usage {
            thread_bytes,
            parts: (0..workers + 4).map(|_| CachePadded::default()).collect(),
            in_transit: AtomicI64::new(0),
            inherited: AtomicI64::new(0),
            doomed: AtomicI64::new(0),
            doomed_shards: AtomicUsize::new(0),
        }
    }

    /// What the calling thread has allocated and not freed, in bytes.
    #[inline]
    pub fn of_this_thread(&self) -> i64 {
        (self.thread_bytes)()
    }

    /// Publishes the part of the calling thread, worker or auxiliary, of which its buffers are `buffer_bytes`.
    #[inline]
    pub fn publish(&self, worker: usize, buffer_bytes: usize) {
        self.put(worker, buffer_bytes as i64);
    }

    /// Publishes the freeing thread's part.
    pub fn publish_reaper(&self) {
        self.put(self.parts.len() - 3, 0);
    }

    /// Publishes the saving thread's part, of which its own buffers are `buffer_bytes`.
    pub fn publish_saver(&self, buffer_bytes: usize) {
        self.put(self.parts.len() - 2, buffer_bytes as i64);
    }

    /// Publishes what was allocated before the other threads began.
    pub fn publish_start(&self) {
        self.put(self.parts.len() - 1, 0);
    }

    /// A thread that has no part of its own has allocated so many bytes (or, negative, freed them) which others own from now on.
    pub fn inherit(&self, bytes: i64) {
        self.inherited.fetch_add(bytes, Ordering::Relaxed);
    }

    fn put(&self, part: usize, less: i64) {
        self.parts[part].store(self.of_this_thread() - less, Ordering::Release);
    }

    /// A reply of so many bytes leaves the auxiliary thread (or, negative, has arrived).
    pub fn in_transit(&self, bytes: i64) {
        self.in_transit.fetch_add(bytes, Ordering::AcqRel);
    }

    /// A value of so many bytes goes to the freeing thread (or, negative, is freed).
    pub(crate) fn doom(&self, bytes: i64) {
        self.doomed.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(crate) fn doom_shard(&self) {
        self.doomed_shards.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn shard_is_freed(&self) {
        self.doomed_shards.fetch_sub(1, Ordering::Relaxed);
    }

    /// Bytes that the keyspace and the server take, without the buffers of clients, as of about now. O(workers).
    ///
    /// What goes from one thread to another is in the deductions before it is in a part, and leaves them after it left that: where it moves
    /// just now it may be deducted twice, which costs nothing, but never not at all, which would cost keys.
    pub fn bytes(&self) -> u64 {
        let deductions = || {
            (
                self.in_transit.load(Ordering::Acquire),
                self.doomed.load(Ordering::Acquire),
            )
        };
        let before = deductions();
        let parts: i64 = self.parts.iter().map(|p| p.load(Ordering::Acquire)).sum();
        let parts = parts + self.inherited.load(Ordering::Relaxed);
        let after = deductions();
        let less = before.0.max(after.0) + before.1.max(after.1);
        u64::try_from(parts - less).unwrap_or(0)
    }

    /// Bytes of big values that wait to be freed.
    pub fn doomed_bytes(&self) -> u64 {
        u64::try_from(self.doomed.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn is_flushing(&self) -> bool {
        self.doomed_shards.load(Ordering::Relaxed) > 0
    }
}

impl Store {
    /// Bytes above the limit, as this worker sees it in the middle of a batch; 0 when it is met.
    fn excess(&self, local: &Local) -> u64 {
        let limit = self.eviction.limit_bytes();
        let headroom = if self.usage.is_flushing() {
            limit / FLUSHING_HEADROOM_SHARE
        } else {
            0
        };
        let used = local.used_bytes.saturating_add_signed(local.batch_bytes);
        used.saturating_sub(limit.saturating_add(headroom))
    }

    /// Evicts until the keyspace is within its limit, at most `victims_max` keys. No stripe may be held.
    pub fn make_room(&self, local: &mut Local, now_ms: u64, victims_max: usize) -> Room {
        if self.excess(local) == 0 {
            return Room::Enough;
        }
        let policy = self.eviction.policy();
        if policy == Policy::NoEviction {
            return Room::Full;
        }
        if local.is_paused {
            return Room::Paused;
        }
        for _ in 0..victims_max {
            let before = self.usage.of_this_thread();
            let doomed = self.usage.doomed.load(Ordering::Relaxed);
            match self.evict_one(local, now_ms, policy) {
                Search::Evicted => {}
                Search::Busy => return Room::Busy,
                Search::Nothing => return Room::Full,
            }
            let handed_over = self.usage.doomed.load(Ordering::Relaxed) - doomed;
            local.batch_bytes += self.usage.of_this_thread() - before - handed_over.max(0);
            if self.excess(local) == 0 {
                return Room::Enough;
            }
        }
        Room::More
    }

    /// Evicts one key.
    fn evict_one(&self, local: &mut Local, now_ms: u64, policy: Policy) -> Search {
        let mut pool = std::mem::take(&mut local.pool);
        pool.begin(policy);
        // A candidate may have gone since it was seen, and its stripe may be busy.
        let mut search = Search::Busy;
        let mut is_busy = false;
        for _ in 0..TRIES_MAX {
            is_busy |= self.sample(local, &mut pool, now_ms, policy);
            let Some(candidate) = pool.take_best() else {
                if !is_busy {
                    search = Search::Nothing;
                }
                break;
            };
            let key = Key {
                bytes: &candidate.key,
                hash: candidate.hash,
            };
            let Some(mut held) = self.stripes.try_lock_one(self.stripe_of(key.hash)) else {
                is_busy = true;
                continue;
            };
            let clock = local.clock;
            let mut txn = Txn::new(self, Some(&mut held), local, now_ms);
            if let Some((found, entry)) = txn.victim(candidate.db, &key)
                && !(policy.is_volatile() && entry.deadline().is_none())
            {
                let merit = self.eviction.merit(policy, &entry, clock, now_ms);
                if merit < candidate.merit {
                    // It was used since it was seen.
                    pool.offer(merit, candidate.db, &candidate.key, |_| candidate.hash);
                } else {
                    txn.evict(found);
                    search = Search::Evicted;
                }
            }
            txn.commit(None);
            self.stripes.release(held);
            if search == Search::Evicted {
                break;
            }
        }
        local.pool = pool;
        search
    }

    /// Shows the pool `maxmemory-samples` keys of each database: keys of one random stripe if it has many, since the hash has mixed
    /// them well, else of several. Whether there were some that it could not look at.
    fn sample(&self, local: &mut Local, pool: &mut Pool, now_ms: u64, policy: Policy) -> bool {
        let mut is_busy = false;
        let samples = self.eviction.samples.load(Ordering::Relaxed).max(1);
        let start = local.random() as usize;
        let databases = pool.databases(|| {
            let all = 0..self.databases() as u32;
            all.filter(|&db| !self.is_empty(db)).collect()
        });
        for db in databases {
            let mut left = samples;
            for at in 0..self.stripe_count() {
                let stripe = (start + at) % self.stripe_count();
                let head = self.head(db, stripe);
                let count = if policy.is_volatile() {
                    head.expires.load(Ordering::Relaxed)
                } else {
                    head.len.load(Ordering::Relaxed)
                };
                if count == 0 {
                    continue;
                }
                let Some(mut held) = self.stripes.try_lock_one(stripe) else {
                    is_busy = true;
                    continue;
                };
                let here = left.min((count as usize / KEYS_PER_SAMPLE).max(1));
                for _ in 0..here {
                    let clock = local.clock;
                    let mut txn = Txn::new(self, Some(&mut held), local, now_ms);
                    if let Some(entry) = txn.random_victim(db, stripe, policy.is_volatile()) {
                        let merit = self.eviction.merit(policy, &entry, clock, now_ms);
                        pool.offer(merit, db, entry.key(), |key| self.hasher().hash(key));
                    } else {
                        is_busy = true;
                    }
                }
                self.stripes.release(held);
                left -= here;
                if left == 0 {
                    break;
                }
            }
        }
        is_busy
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    thread_local! {
        static BYTES: Cell<i64> = const { Cell::new(0) };
    }

    fn allocate(bytes: i64) {
        BYTES.set(BYTES.get() + bytes);
    }

    #[test]
    fn what_goes_from_thread_to_thread_is_never_taken_for_data() {
        const ROUNDS: usize = 100_000;
        const MESSAGE: i64 = 10 << 20;
        let usage = &Usage::new(2, || BYTES.get());
        let done = &AtomicBool::new(false);
        thread::scope(|scope| {
            let (send, receive) = mpsc::sync_channel(1);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    allocate(MESSAGE);
                    usage.in_transit(MESSAGE);
                    usage.publish(0, 0);
                    send.send(()).expect("the other one waits for it");
                }
            });
            scope.spawn(move || {
                for () in receive {
                    allocate(-MESSAGE);
                    usage.publish(1, 0);
                    usage.in_transit(-MESSAGE);
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                assert_eq!(usage.bytes(), 0);
            }
        });
        assert_eq!(usage.bytes(), 0);
    }
}
