//! Each policy of `maxmemory-policy` on keys whose use and deadlines are known: who goes, who stays, and when nothing can go.

use std::cell::Cell;

use dunlin_store::eviction::{Policy, Room};
use dunlin_store::stripes::{ReadyList, Waiter, Wake};
use dunlin_store::{Local, NewString, Settings, Store, Ttl, Txn};

const KEYS: u64 = 1_000;
const NOW_MS: u64 = 1_000_000_000;
const LIMIT_BYTES: u64 = 1_000;
/// What every evicted key is taken to free.
const KEY_BYTES: i64 = 100;

struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

/// A store with a limit, and one worker's state.
struct World {
    store: Store,
    local: Local,
}

impl World {
    fn new(policy: Policy) -> World {
        let store = Store::new(&Settings::default());
        store.eviction.set(LIMIT_BYTES, policy);
        store
            .eviction
            .samples
            .store(10, std::sync::atomic::Ordering::Relaxed);
        let local = store.local(0, 42);
        World { store, local }
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Txn<'_>) -> R) -> R {
        let waiter = Waiter::new(ReadyList::new(NoOne), 0);
        let mut held = self
            .store
            .lock_stripes(&dunlin_store::stripes::LockSet::All, &waiter)
            .expect("nobody else is here");
        let mut txn = Txn::new(&self.store, Some(&mut held), &mut self.local, NOW_MS);
        let result = act(&mut txn);
        txn.commit(None);
        self.store.release_stripes(held);
        result
    }

    /// Files `key:n`, last used `n` seconds after the first, the even ones with a deadline that is the later the greater `n` is.
    fn fill(&mut self) {
        for n in 0..KEYS {
            self.local.clock = n as u32;
            self.with(|txn| {
                let name = name(n);
                let key = txn.key(name.as_bytes());
                let ttl = match n % 2 {
                    0 => Ttl::At(NOW_MS + 1_000 + n),
                    _ => Ttl::Clear,
                };
                txn.put_string(0, &key, NewString::Raw(b"v"), ttl);
                txn.record(0, name.as_bytes(), dunlin_store::Event::string("set"), &[]);
            });
        }
        self.local.clock = KEYS as u32;
    }

    /// Evicts this many keys.
    fn evict(&mut self, count: usize) -> Room {
        self.local.used_bytes = u64::MAX;
        self.local.batch_bytes = 0;
        self.store.make_room(&mut self.local, NOW_MS, count)
    }

    /// The numbers of the keys that are gone.
    fn gone(&mut self) -> Vec<u64> {
        (0..KEYS)
            .filter(|&n| {
                self.with(|txn| {
                    let name = name(n);
                    let key = txn.key(name.as_bytes());
                    txn.find(0, &key).is_none()
                })
            })
            .collect()
    }
}

fn name(n: u64) -> String {
    format!("key:{n}")
}

fn mean(numbers: &[u64]) -> f64 {
    numbers.iter().sum::<u64>() as f64 / numbers.len() as f64
}

#[test]
fn the_oldest_go_first() {
    for (policy, volatile) in [(Policy::AllkeysLru, false), (Policy::VolatileLru, true)] {
        let mut world = World::new(policy);
        world.fill();
        assert_eq!(world.evict(100), Room::More);
        let gone = world.gone();
        assert_eq!(gone.len(), 100, "{policy:?}");
        // Exactly the oldest would be 50 and 100 on average; any keys, 500.
        assert!(mean(&gone) < 200.0, "{policy:?}: {}", mean(&gone));
        assert!(!volatile || gone.iter().all(|n| n % 2 == 0), "{policy:?}");
    }
}

#[test]
fn the_next_to_expire_go_first() {
    let mut world = World::new(Policy::VolatileTtl);
    world.fill();
    assert_eq!(world.evict(100), Room::More);
    let gone = world.gone();
    assert!(gone.len() == 100 && gone.iter().all(|n| n % 2 == 0));
    assert!(mean(&gone) < 200.0, "{}", mean(&gone));
}

#[test]
fn the_least_used_go_first() {
    let mut world = World::new(Policy::AllkeysLfu);
    world.local.counts_accesses = true;
    world.fill();
    world.local.clock = world.store.eviction.clock(NOW_MS);
    world.with(|txn| {
        for n in 0..KEYS {
            let name = name(n);
            let key = txn.key(name.as_bytes());
            for _ in 0..n / 10 {
                assert!(txn.read(0, &key).is_some());
            }
        }
    });
    assert_eq!(world.evict(100), Room::More);
    let gone = world.gone();
    assert!(mean(&gone) < 350.0, "{}", mean(&gone));
}

#[test]
fn any_key_goes_and_with_volatile_only_those_that_expire() {
    for (policy, volatile) in [
        (Policy::AllkeysRandom, false),
        (Policy::VolatileRandom, true),
    ] {
        let mut world = World::new(policy);
        world.fill();
        world.evict(200);
        let gone = world.gone();
        assert_eq!(gone.len(), 200);
        assert!((350.0..650.0).contains(&mean(&gone)), "{}", mean(&gone));
        assert_eq!(volatile, gone.iter().all(|n| n % 2 == 0));
    }
}

#[test]
fn when_nothing_can_go() {
    let mut world = World::new(Policy::NoEviction);
    world.fill();
    assert_eq!(world.evict(10), Room::Full);
    let mut world = World::new(Policy::VolatileTtl);
    world.fill();
    assert_eq!(world.evict(usize::MAX), Room::Full);
    assert_eq!(world.gone().len() as u64, KEYS / 2);
    assert_eq!(world.store.expires(0), 0);
}

#[test]
fn it_stops_at_the_limit() {
    thread_local! {
        static ALLOCATED: Cell<i64> = const { Cell::new(0) };
    }
    // Each look at the allocator finds a key's worth freed; there are two for each victim.
    let settings = Settings {
        thread_bytes: || {
            ALLOCATED.set(ALLOCATED.get() - KEY_BYTES / 2);
            ALLOCATED.get()
        },
        ..Settings::default()
    };
    let mut world = World::new(Policy::AllkeysRandom);
    world.store = Store::new(&settings);
    world.store.eviction.set(LIMIT_BYTES, Policy::AllkeysRandom);
    world.local = world.store.local(0, 1);
    world.fill();
    world.local.used_bytes = LIMIT_BYTES;
    assert_eq!(
        world.store.make_room(&mut world.local, NOW_MS, 100),
        Room::Enough
    );
    assert_eq!(world.gone(), []);
    world.local.used_bytes = LIMIT_BYTES + 10 * KEY_BYTES as u64 / 2;
    assert_eq!(
        world.store.make_room(&mut world.local, NOW_MS, 100),
        Room::Enough
    );
    assert_eq!(world.gone().len(), 10);
}

#[test]
fn a_busy_stripe_is_no_reason_to_refuse() {
    let mut world = World::new(Policy::AllkeysLru);
    world.fill();
    let waiter = Waiter::new(ReadyList::new(NoOne), 0);
    let held = world
        .store
        .lock_stripes(&dunlin_store::stripes::LockSet::All, &waiter)
        .expect("nobody else is here");
    assert_eq!(world.evict(10), Room::Busy);
    world.store.release_stripes(held);
    assert_eq!(world.evict(10), Room::More);
    assert_eq!(world.gone().len(), 10);
}

#[test]
fn a_big_value_counts_as_gone_before_it_is_freed() {
    const BYTES: usize = 2 << 20;
    for flush in [false, true] {
        let mut world = World::new(Policy::AllkeysLru);
        world.with(|txn| {
            let key = txn.key(b"big");
            txn.put_string(0, &key, NewString::Raw(&vec![b'v'; BYTES]), Ttl::Clear);
            txn.record(0, b"big", dunlin_store::Event::string("set"), &[]);
        });
        world.with(|txn| {
            if flush {
                txn.flush(0);
                txn.record_global(0, &[]);
            } else {
                let key = txn.key(b"big");
                let entry = txn.remove(0, &key).expect("put just now");
                txn.record(0, b"big", dunlin_store::Event::generic("del"), &[]);
                txn.discard(entry);
            }
        });
        let mut reaper = world.store.reaper();
        let mut most = world.store.usage.doomed_bytes();
        while reaper.step(&world.store) {
            most = most.max(world.store.usage.doomed_bytes());
        }
        // What is flushed has the headroom of whole shards instead, unless it takes long to free.
        assert!(flush || most >= BYTES as u64, "{most}");
        assert_eq!(world.store.usage.doomed_bytes(), 0);
    }
}
