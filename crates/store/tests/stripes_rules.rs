//! The rules of the stripes, one by one, on one thread: who waits where, who is next, what is held meanwhile, and what is a bug.
//!
//! Not here: races (`stripes_loom`), load (`stripes_stress`).
#![cfg(not(loom))]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dunlin_store::stripes::{Held, LockSet, Parked, Place, ROUNDS_MAX, ReadyList, Stripes, Waiter};

struct World {
    stripes: Stripes<u32>,
    ready: Arc<ReadyList>,
    wakes: Arc<AtomicUsize>,
    tokens: Vec<u64>,
}

impl World {
    fn new(count: usize) -> Self {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        Self {
            stripes: Stripes::new(count, 0, |_| 0),
            ready: ReadyList::new(move || {
                counter.fetch_add(1, Ordering::Relaxed);
            }),
            wakes,
            tokens: Vec::new(),
        }
    }

    fn session(&self, token: u64) -> Arc<Waiter> {
        Waiter::new(Arc::clone(&self.ready), token)
    }

    fn lock(&self, set: &LockSet, waiter: &Arc<Waiter>) -> Held {
        self.stripes
            .lock(set, waiter)
            .expect("nothing is in the way")
    }

    fn park(&self, set: &LockSet, waiter: &Arc<Waiter>) -> Place {
        let Parked { at } = self
            .stripes
            .lock(set, waiter)
            .expect_err("something is in the way");
        at
    }

    fn resume(&self, set: &LockSet, waiter: &Arc<Waiter>) -> Held {
        self.stripes
            .resume(set, waiter)
            .expect("nothing is in the way")
    }

    fn park_again(&self, set: &LockSet, waiter: &Arc<Waiter>) -> Place {
        self.stripes
            .resume(set, waiter)
            .expect_err("something is in the way")
            .at
    }

    fn drain(&mut self) -> &[u64] {
        self.tokens.clear();
        let count = self.ready.drain(&mut self.tokens);
        assert_eq!(count, self.tokens.len());
        &self.tokens
    }

    fn is_free(&self, stripe: usize) -> bool {
        let held = self.stripes.try_lock_one(stripe);
        let free = held.is_some();
        if let Some(held) = held {
            self.stripes.release(held);
        }
        free
    }

    fn assert_all_free(&self) {
        for stripe in 0..self.stripes.count() {
            assert!(self.is_free(stripe), "stripe {stripe}");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A list with waiters keeps itself: see `ReadyList`.
        self.ready.drain(&mut self.tokens);
    }
}

#[test]
fn a_free_set_is_taken_at_once_and_nobody_is_woken() {
    let mut world = World::new(8);
    let session = world.session(1);
    for set in [LockSet::One(3), LockSet::of([7, 0, 3]), LockSet::All] {
        let mut held = world.lock(&set, &session);
        for stripe in 0..8 {
            assert_eq!(held.covers(stripe), set.covers(stripe as u16));
            assert!(!held.covers(stripe) || !world.is_free(stripe));
            if held.covers(stripe) {
                *world.stripes.with(&mut held, stripe) += 1;
            }
        }
        world.stripes.release(held);
    }
    assert!(!session.is_waiting());
    assert!(world.drain().is_empty());
    world.assert_all_free();
    let values: Vec<u32> = world.stripes.iter_mut().map(|value| *value).collect();
    assert_eq!(values, [2, 1, 1, 3, 1, 1, 1, 2]);
}

#[test]
fn a_stripe_is_handed_over_in_the_order_of_coming() {
    let mut world = World::new(1);
    let set = LockSet::One(0);
    let sessions: Vec<_> = (0..5).map(|token| world.session(token)).collect();
    let mut held = Some(world.lock(&set, &sessions[0]));
    for session in &sessions[1..] {
        assert_eq!(world.park(&set, session), Place::Stripe(0));
        assert!(session.is_waiting());
    }
    for (next, session) in sessions.iter().enumerate().skip(1) {
        assert!(world.drain().is_empty(), "the stripe is still held");
        world.stripes.release(held.take().unwrap());
        assert!(
            !world.is_free(0),
            "between hand-over and resume it belongs to the waiter"
        );
        assert_eq!(world.drain(), [next as u64]);
        held = Some(world.resume(&set, session));
    }
    world.stripes.release(held.unwrap());
    world.assert_all_free();
}

#[test]
fn while_it_waits_a_session_holds_nothing() {
    let mut world = World::new(4);
    let (holder, session) = (world.session(0), world.session(1));
    let busy = world.lock(&LockSet::One(2), &holder);
    let set = LockSet::of([0, 1, 2, 3]);
    assert_eq!(world.park(&set, &session), Place::Stripe(2));
    assert!(world.is_free(0) && world.is_free(1) && world.is_free(3));
    world.stripes.release(busy);
    // Granted stripe 2; now 3 is busy, so 2 is given back and so are the others.
    let busy = world.lock(&LockSet::One(3), &holder);
    assert_eq!(world.drain(), [1]);
    assert_eq!(world.park_again(&set, &session), Place::Stripe(3));
    assert!(world.is_free(0) && world.is_free(1) && world.is_free(2));
    world.stripes.release(busy);
    assert_eq!(world.drain(), [1]);
    let held = world.resume(&set, &session);
    world.stripes.release(held);
    world.assert_all_free();
}

/// Brings a session that wants stripes 0 and 1 to where it keeps 0 and waits for 1. The answer is what holds 1.
fn in_order(world: &mut World, session: &Arc<Waiter>, holder: &Arc<Waiter>) -> Held {
    let set = LockSet::of([0, 1]);
    let mut busy = world.lock(&LockSet::One(0), holder);
    assert_eq!(world.park(&set, session), Place::Stripe(0));
    for round in 1..ROUNDS_MAX {
        // The session gets what it waits for, and finds the other one taken.
        let other = (round % 2) as u16;
        world.stripes.release(busy);
        busy = world.lock(&LockSet::One(other), holder);
        assert_eq!(world.drain(), [session.token()]);
        assert!(!world.is_free(0) && !world.is_free(1));
        assert_eq!(world.park_again(&set, session), Place::Stripe(other));
        assert_eq!(
            world.is_free(0),
            round + 1 < ROUNDS_MAX && other == 1,
            "round {round}"
        );
    }
    busy
}

#[test]
fn after_many_failures_the_lower_stripes_are_kept() {
    let mut world = World::new(2);
    let (holder, session) = (world.session(0), world.session(1));
    let busy = in_order(&mut world, &session, &holder);
    assert_eq!(*busy.set(), LockSet::One(1));
    // Now nobody can get stripe 0 before it, so it will make it.
    let late = world.session(2);
    assert_eq!(world.park(&LockSet::One(0), &late), Place::Stripe(0));
    world.stripes.release(busy);
    assert_eq!(world.drain(), [1]);
    let held = world.resume(&LockSet::of([0, 1]), &session);
    world.stripes.release(held);
    assert_eq!(world.drain(), [2]);
    let held = world.resume(&LockSet::One(0), &late);
    world.stripes.release(held);
    // The next acquisition starts with a clean slate.
    let busy = world.lock(&LockSet::One(1), &holder);
    assert_eq!(world.park(&LockSet::of([0, 1]), &session), Place::Stripe(1));
    assert!(world.is_free(0));
    world.stripes.release(busy);
    assert_eq!(world.drain(), [1]);
    let held = world.resume(&LockSet::of([0, 1]), &session);
    world.stripes.release(held);
    world.assert_all_free();
}

#[test]
fn kept_stripes_of_a_dead_session_are_released() {
    for granted in [false, true] {
        let mut world = World::new(2);
        let (holder, session) = (world.session(0), world.session(1));
        let busy = in_order(&mut world, &session, &holder);
        let behind = world.session(2);
        assert_eq!(world.park(&LockSet::One(0), &behind), Place::Stripe(0));
        if granted {
            world.stripes.release(busy);
            world.stripes.abandon(&session);
        } else {
            world.stripes.abandon(&session);
            world.stripes.release(busy);
        }
        assert_eq!(world.drain(), [2]);
        assert!(world.is_free(1));
        let held = world.resume(&LockSet::One(0), &behind);
        world.stripes.release(held);
        world.assert_all_free();
    }
}

#[test]
fn the_gate_lets_through_up_to_the_next_taker_of_all() {
    let mut world = World::new(4);
    let sessions: Vec<_> = (0..6).map(|token| world.session(token)).collect();
    let held = world.lock(&LockSet::All, &sessions[0]);
    let sets = [
        LockSet::One(1),
        LockSet::of([0, 3]),
        LockSet::All,
        LockSet::One(2),
        LockSet::All,
    ];
    for (set, session) in sets.iter().zip(&sessions[1..]) {
        assert_eq!(world.park(set, session), Place::Gate);
    }
    world.stripes.release(held);
    assert_eq!(world.drain(), [1, 2, 3]);
    assert!(
        !world.is_free(2),
        "the gate is up for the next taker of all"
    );
    let first = world.resume(&sets[0], &sessions[1]);
    // The taker of all now meets one that came before it.
    assert_eq!(world.park_again(&sets[2], &sessions[3]), Place::Stripe(1));
    let second = world.resume(&sets[1], &sessions[2]);
    world.stripes.release(first);
    assert_eq!(world.drain(), [3]);
    assert_eq!(world.park_again(&sets[2], &sessions[3]), Place::Stripe(0));
    world.stripes.release(second);
    assert_eq!(world.drain(), [3]);
    let held = world.resume(&sets[2], &sessions[3]);
    world.stripes.release(held);
    assert_eq!(world.drain(), [4, 5]);
    let held = world.resume(&sets[3], &sessions[4]);
    world.stripes.release(held);
    let held = world.resume(&sets[4], &sessions[5]);
    world.stripes.release(held);
    assert!(world.drain().is_empty());
    world.assert_all_free();
}

#[test]
fn who_queued_before_the_gate_rose_ignores_it() {
    let mut world = World::new(2);
    let [holder, before, all, after] = [0, 1, 2, 3].map(|token| world.session(token));
    let busy = world.lock(&LockSet::One(0), &holder);
    assert_eq!(world.park(&LockSet::of([0, 1]), &before), Place::Stripe(0));
    assert_eq!(world.park(&LockSet::All, &all), Place::Stripe(0));
    assert_eq!(world.park(&LockSet::One(1), &after), Place::Gate);
    world.stripes.release(busy);
    assert_eq!(world.drain(), [1]);
    let held = world.resume(&LockSet::of([0, 1]), &before);
    world.stripes.release(held);
    assert_eq!(world.drain(), [2]);
    let held = world.resume(&LockSet::All, &all);
    world.stripes.release(held);
    assert_eq!(world.drain(), [3]);
    let held = world.resume(&LockSet::One(1), &after);
    world.stripes.release(held);
    world.assert_all_free();
}

#[test]
fn a_dead_session_gives_back_what_it_was_granted() {
    for drained in [false, true] {
        let mut world = World::new(1);
        let set = LockSet::One(0);
        let [holder, dead, next] = [0, 1, 2].map(|token| world.session(token));
        let held = world.lock(&set, &holder);
        world.park(&set, &dead);
        world.park(&set, &next);
        world.stripes.release(held);
        if drained {
            assert_eq!(world.drain(), [1]);
        }
        world.stripes.abandon(&dead);
        world.stripes.abandon(&dead);
        assert_eq!(world.drain(), [2], "the dead one is left out");
        let held = world.resume(&set, &next);
        world.stripes.release(held);
        world.assert_all_free();
        assert_eq!(
            Arc::strong_count(&dead),
            1,
            "nothing refers to a dead session"
        );
    }
}

#[test]
fn dead_sessions_in_a_queue_are_passed_over() {
    let mut world = World::new(1);
    let set = LockSet::One(0);
    let sessions: Vec<_> = (0..6).map(|token| world.session(token)).collect();
    let held = world.lock(&set, &sessions[0]);
    for session in &sessions[1..] {
        world.park(&set, session);
    }
    for dead in [1, 2, 4, 5] {
        world.stripes.abandon(&sessions[dead]);
    }
    world.stripes.release(held);
    assert_eq!(world.drain(), [3]);
    let held = world.resume(&set, &sessions[3]);
    world.stripes.release(held);
    assert!(world.drain().is_empty());
    world.assert_all_free();
    assert!(
        sessions
            .iter()
            .all(|session| Arc::strong_count(session) == 1)
    );
}

#[test]
fn the_gate_of_a_dead_taker_of_all_passes_on() {
    // It died: waiting for a stripe; granted the stripe; waiting at the gate; granted the gate; delivered from the gate.
    for death in 0..5 {
        let mut world = World::new(2);
        let [holder, first, second, third] = [0, 1, 2, 3].map(|token| world.session(token));
        let busy = world.lock(&LockSet::One(0), &holder);
        assert_eq!(world.park(&LockSet::All, &first), Place::Stripe(0));
        assert_eq!(world.park(&LockSet::All, &second), Place::Gate);
        assert_eq!(world.park(&LockSet::One(1), &third), Place::Gate);
        match death {
            0 => {
                world.stripes.abandon(&first);
                world.stripes.release(busy);
            }
            1 => {
                world.stripes.release(busy);
                world.stripes.abandon(&first);
            }
            _ => {
                if death == 2 {
                    world.stripes.abandon(&second);
                }
                world.stripes.release(busy);
                assert_eq!(world.drain(), [1]);
                let held = world.resume(&LockSet::All, &first);
                world.stripes.release(held);
                if death == 4 {
                    assert_eq!(world.drain(), [2]);
                }
                world.stripes.abandon(&second);
            }
        }
        if death < 2 {
            assert_eq!(world.drain(), [2]);
            let held = world.resume(&LockSet::All, &second);
            world.stripes.release(held);
        }
        assert_eq!(world.drain(), [3], "death {death}");
        let held = world.resume(&LockSet::One(1), &third);
        world.stripes.release(held);
        world.assert_all_free();
    }
}

#[test]
fn housekeeping_takes_only_what_nobody_wants() {
    let mut world = World::new(2);
    let set = LockSet::One(0);
    let [one, other, all] = [1, 2, 3].map(|token| world.session(token));
    let mut held = world.stripes.try_lock_one(0).unwrap();
    *world.stripes.with(&mut held, 0) += 1;
    assert!(world.stripes.try_lock_one(0).is_none());
    assert_eq!(world.park(&set, &one), Place::Stripe(0));
    world.park(&set, &other);
    world.stripes.release(held);
    assert!(world.stripes.try_lock_one(0).is_none());
    assert_eq!(world.drain(), [1]);
    let held = world.resume(&set, &one);
    assert_eq!(world.park(&LockSet::All, &all), Place::Stripe(0));
    assert!(world.stripes.try_lock_one(1).is_none(), "the gate is up");
    world.stripes.release(held);
    assert_eq!(world.drain(), [2]);
    let held = world.resume(&set, &other);
    world.stripes.release(held);
    assert_eq!(world.drain(), [3]);
    let held = world.resume(&LockSet::All, &all);
    world.stripes.release(held);
    world.assert_all_free();
}

#[test]
fn a_worker_is_woken_once_and_only_when_it_may_sleep() {
    let mut world = World::new(4);
    let holder = world.session(9);
    let sessions: Vec<_> = (0..4).map(|token| world.session(token)).collect();
    let held = world.lock(&LockSet::of(0..4), &holder);
    for (stripe, session) in sessions.iter().enumerate() {
        world.park(&LockSet::One(stripe as u16), session);
    }
    assert!(world.ready.prepare_sleep());
    assert!(world.ready.prepare_sleep(), "twice is fine");
    assert!(world.ready.is_empty());
    world.stripes.release(held);
    assert_eq!(
        world.wakes.load(Ordering::Relaxed),
        1,
        "one wake-up for all four"
    );
    assert!(!world.ready.prepare_sleep(), "there is something to do");
    assert!(!world.ready.is_empty());
    assert_eq!(world.drain(), [0, 1, 2, 3]);
    // The worker is awake now: nobody wakes it.
    world.park(&LockSet::One(0), &holder);
    let held = world.resume(&LockSet::One(0), &sessions[0]);
    world.stripes.release(held);
    assert_eq!(world.wakes.load(Ordering::Relaxed), 1);
    assert_eq!(world.drain(), [9]);
    let held = world.resume(&LockSet::One(0), &holder);
    world.stripes.release(held);
    for (stripe, session) in sessions.iter().enumerate().skip(1) {
        let held = world.resume(&LockSet::One(stripe as u16), session);
        world.stripes.release(held);
    }
    world.assert_all_free();
}

#[test]
fn held_stripes_move_to_another_thread() {
    let world = World::new(4);
    let session = world.session(1);
    let mut held = world.lock(&LockSet::of([1, 2]), &session);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = world.stripes.with_two(&mut held, 2, 1);
            *one += 5;
            *other += 7;
            world.stripes.release(held);
        });
    });
    let held = world.lock(&LockSet::of([1, 2]), &session);
    let both = [1, 2].map(|stripe| world.stripes.read(&held, stripe));
    assert_eq!(both, [&7, &5]);
    world.stripes.release(held);
}

#[test]
fn waiters_left_in_a_queue_are_freed_with_the_stripes() {
    let world = World::new(1);
    let [holder, waiting] = [0, 1].map(|token| world.session(token));
    let held = world.lock(&LockSet::One(0), &holder);
    world.park(&LockSet::One(0), &waiting);
    assert_eq!(Arc::strong_count(&waiting), 2);
    drop(world);
    assert_eq!(Arc::strong_count(&waiting), 1);
    // There is nothing left to release it to; only an unwinding thread may drop it.
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = held;
        panic!("cut off");
    }));
    assert!(dropped.is_err());
}

#[test]
#[should_panic(expected = "stripe 2 is not held")]
fn a_stripe_that_is_not_held_is_out_of_reach() {
    let world = World::new(4);
    let mut held = world.lock(&LockSet::of([1, 3]), &world.session(1));
    *world.stripes.with(&mut held, 2) += 1;
}

#[test]
#[should_panic(expected = "of another set of stripes")]
fn held_stripes_are_of_one_owner() {
    let (world, other) = (World::new(4), World::new(4));
    let mut held = world.lock(&LockSet::One(1), &world.session(1));
    *other.stripes.with(&mut held, 1) += 1;
}

#[test]
#[should_panic(expected = "stripe 1 twice")]
fn one_stripe_is_not_two() {
    let world = World::new(4);
    let mut held = world.lock(&LockSet::of([1, 3]), &world.session(1));
    let _ = world.stripes.with_two(&mut held, 1, 1);
}

#[test]
#[should_panic(expected = "dropped instead of released")]
fn losing_held_stripes_is_a_bug() {
    let world = World::new(4);
    drop(world.lock(&LockSet::One(1), &world.session(1)));
}

#[test]
#[should_panic(expected = "asks for a lock")]
fn a_session_that_waits_asks_for_nothing() {
    let world = World::new(2);
    let [holder, session] = [0, 1].map(|token| world.session(token));
    let held = world.lock(&LockSet::One(0), &holder);
    world.park(&LockSet::One(0), &session);
    let _ = world.stripes.lock(&LockSet::One(0), &session);
    world.stripes.release(held);
}

#[test]
#[should_panic(expected = "only a session from the ready list resumes")]
fn a_session_that_was_not_delivered_does_not_resume() {
    let world = World::new(2);
    let [holder, session] = [0, 1].map(|token| world.session(token));
    let held = world.lock(&LockSet::One(0), &holder);
    world.park(&LockSet::One(0), &session);
    world.stripes.release(held);
    // Granted, but its link still belongs to the ready list.
    let _ = world.stripes.resume(&LockSet::One(0), &session);
}

#[test]
#[should_panic(expected = "resumed with another set")]
fn a_session_resumes_with_its_set() {
    let mut world = World::new(2);
    let [holder, session] = [0, 1].map(|token| world.session(token));
    let held = world.lock(&LockSet::One(0), &holder);
    world.park(&LockSet::One(0), &session);
    world.stripes.release(held);
    assert_eq!(world.drain(), [1]);
    let _ = world.stripes.resume(&LockSet::One(1), &session);
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "lock order")]
fn a_session_that_holds_asks_for_nothing() {
    let world = World::new(2);
    let session = world.session(1);
    let held = world.lock(&LockSet::One(1), &session);
    let _ = world.stripes.lock(&LockSet::One(0), &session);
    world.stripes.release(held);
}
