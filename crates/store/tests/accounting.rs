//! The account of memory that `maxmemory` is kept by, beside a global allocator that counts every byte.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use common::{Rng, operations};
use dunlin_store::list::{self, End, Fill};
use dunlin_store::stripes::{LockSet, ReadyList, Waiter, Wake};
use dunlin_store::{Event, Local, NewString, Settings, Store, Ttl, Txn};

/// What the test harness's own threads may take meanwhile, and the channels between ours.
const OTHERS_BYTES: i64 = 64 << 10;
/// What is freed in one step, at most: 64 chunks of a string, and what is around them.
const SLICE_BYTES: i64 = 65 * (64 << 10);
const KEYS: usize = 200;

struct Counting;

thread_local! {
    static OF_THREAD: Cell<i64> = const { Cell::new(0) };
}
static OF_ALL: AtomicI64 = AtomicI64::new(0);

fn count(bytes: i64) {
    OF_THREAD.set(OF_THREAD.get() + bytes);
    OF_ALL.fetch_add(bytes, Ordering::Relaxed);
}

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's obligations are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller's obligations are the same.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The sums of the process are looked at by one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

/// One worker's view, and the freeing thread, which takes a step when it is told to.
struct World<'a> {
    store: &'a Store,
    local: Local,
    step: Sender<()>,
    stepped: Receiver<bool>,
    /// What other threads held before: nothing of the account.
    others_bytes: i64,
}

impl World<'_> {
    fn with(&mut self, act: impl FnOnce(&mut Txn<'_>)) {
        let waiter = Waiter::new(ReadyList::new(NoOne), 0);
        let mut held = self
            .store
            .lock_stripes(&LockSet::All, &waiter)
            .expect("nobody else is here");
        let mut txn = Txn::new(self.store, Some(&mut held), &mut self.local, 0);
        act(&mut txn);
        txn.commit(None);
        self.store.release_stripes(held);
        self.local.batch_boundary(&self.store.epochs);
        self.store.usage.publish(0, 0);
    }

    fn put_string(&mut self, name: &[u8], bytes: usize) {
        self.with(|txn| {
            let key = txn.key(name);
            let value = vec![b'v'; bytes];
            txn.put_string(0, &key, NewString::Raw(&value), Ttl::Clear);
            txn.record(0, name, Event::string("set"), &[]);
        });
    }

    fn put_list(&mut self, name: &[u8], elements: usize, element: &[u8]) {
        self.delete(name);
        self.with(|txn| {
            let texts = std::iter::repeat_n(element, elements);
            let entry = list::create(name, texts, End::Right, Fill::new(-2), 0);
            let key = txn.key(name);
            txn.put_entry(0, &key, entry, None);
            txn.record(0, name, Event::generic("rpush"), &[]);
        });
    }

    fn delete(&mut self, name: &[u8]) {
        self.with(|txn| {
            let key = txn.key(name);
            if let Some(entry) = txn.remove(0, &key) {
                txn.record(0, name, Event::generic("del"), &[]);
                txn.discard(entry);
            }
        });
    }

    /// Lets the freeing thread take a step; whether it had something to do.
    fn step(&mut self) -> bool {
        self.step.send(()).expect("the freeing thread listens");
        let did = self.stepped.recv().expect("the freeing thread answers");
        self.local.batch_boundary(&self.store.epochs);
        self.store.usage.publish(0, 0);
        did
    }

    /// Frees all that waits for it.
    fn settle(&mut self) {
        while self.step() {}
        assert_eq!(self.store.usage.doomed_bytes(), 0);
    }

    fn account(&self) -> i64 {
        i64::try_from(self.store.usage.bytes()).expect("it fits")
    }

    /// What the allocator says, less what others held before.
    fn truth(&self) -> i64 {
        OF_ALL.load(Ordering::Relaxed) - self.others_bytes
    }

    #[track_caller]
    fn assert_exact(&self) {
        let (account, truth) = (self.account(), self.truth());
        assert!(
            (account - truth).abs() <= OTHERS_BYTES,
            "{account} where the allocator has {truth}"
        );
    }
}

fn with_world(test: impl FnOnce(&mut World<'_>)) {
    let _only = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let others_bytes = OF_ALL.load(Ordering::Relaxed) - OF_THREAD.get();
    let store = Store::new(&Settings {
        thread_bytes: || OF_THREAD.get(),
        ..Settings::default()
    });
    let (step, steps) = channel();
    let (answer, stepped) = channel();
    thread::scope(|scope| {
        let shared = &store;
        scope.spawn(move || {
            let mut reaper = shared.reaper();
            while steps.recv().is_ok() {
                if answer.send(reaper.step(shared)).is_err() {
                    break;
                }
            }
        });
        let mut world = World {
            store: &store,
            local: store.local(0, 7),
            step,
            stepped,
            others_bytes,
        };
        test(&mut world);
    });
}

#[test]
fn a_random_workload_is_accounted_for_to_the_byte() {
    with_world(|world| {
        let mut rng = Rng::new(41);
        let mut most = 0;
        for step in 0..operations(4_000) {
            let name = format!("key:{}", rng.below(KEYS)).into_bytes();
            match rng.below(20) {
                0..8 => world.put_string(&name, rng.below(500)),
                8..10 => world.put_string(&name, rng.below(400_000)),
                10 => world.put_string(&name, rng.below(10 << 20)),
                11..14 => world.put_list(&name, rng.below(300) + 1, b"element"),
                14 => world.put_list(&name, rng.below(60_000) + 1, b"an element of some bytes"),
                15..19 => world.delete(&name),
                _ if rng.below(40) == 0 => world.with(|txn| {
                    txn.flush(0);
                    txn.record_global(0, &[]);
                }),
                _ => {}
            }
            most = most.max(world.truth());
            // Before they are freed, and half-way, the sums agree only with what is doomed put back.
            if step % 64 == 0 {
                world.settle();
                world.assert_exact();
            }
        }
        assert!(most > 50 << 20, "it took {most} bytes at most");
        world.with(|txn| {
            txn.flush(0);
            txn.record_global(0, &[]);
        });
        world.settle();
        world.assert_exact();
        assert!(world.account() < 4 << 20, "{} are left", world.account());
    });
}

#[test]
fn while_a_big_value_is_freed_the_account_stands_still() {
    with_world(|world| {
        world.put_string(b"string", 32 << 20);
        world.put_list(b"list", 60_000, &[b'e'; 100]);
        for name in [&b"string"[..], b"list"] {
            let before = world.account();
            world.delete(name);
            let gone = world.account();
            assert!(before - gone > 5 << 20, "{before}, then {gone}");
            let mut steps = 0;
            while world.step() {
                steps += 1;
                let account = world.account();
                assert!(
                    (account - gone).abs() <= SLICE_BYTES,
                    "{gone} at first, {account} after {steps} slices"
                );
            }
            assert!(steps >= 4, "{steps} slices");
            assert_eq!(world.store.usage.doomed_bytes(), 0);
            assert!((world.account() - gone).abs() <= OTHERS_BYTES);
        }
    });
}
