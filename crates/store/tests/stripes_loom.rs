//! The stripes under loom: every interleaving (up to a number of preemptions) of a few threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p dunlin-store --release --test stripes_loom`
//!
//! A lost wake-up shows as a deadlock that loom reports; missing exclusion or ordering as two accesses to a stripe's value
//! that are not ordered. The last two tests plant a bug of each kind of race and must panic. Not here: load and fairness over
//! long runs; see `stripes_stress` and `stripes_schedule`.
#![cfg(loom)]

use std::sync::Arc;

use dunlin_store::stripes::{Held, LockSet, ReadyList, Stripes, Waiter};
use loom::{model::Builder, sync::Notify, thread};

/// A thread that plays a worker with one session.
struct Session {
    ready: Arc<ReadyList>,
    alarm: Arc<Notify>,
    waiter: Arc<Waiter>,
    tokens: Vec<u64>,
}

impl Session {
    fn new(token: u64) -> Self {
        let alarm = Arc::new(Notify::new());
        let ring = Arc::clone(&alarm);
        Self::on(ReadyList::new(move || ring.notify()), alarm, token)
    }

    fn on(ready: Arc<ReadyList>, alarm: Arc<Notify>, token: u64) -> Self {
        let waiter = Waiter::new(Arc::clone(&ready), token);
        Self {
            ready,
            alarm,
            waiter,
            tokens: Vec::new(),
        }
    }

    /// Sleeps as a worker does until the session may go on.
    fn wait(&mut self) {
        loop {
            self.tokens.clear();
            if self.ready.drain(&mut self.tokens) > 0 {
                assert_eq!(self.tokens, [self.waiter.token()]);
                return;
            }
            if self.ready.prepare_sleep() {
                self.alarm.wait();
            }
        }
    }

    /// Goes on after parking.
    fn finish<T>(&mut self, stripes: &Stripes<T>, set: &LockSet) -> Held {
        loop {
            self.wait();
            if let Ok(held) = stripes.resume(set, &self.waiter) {
                return held;
            }
        }
    }

    fn take<T>(&mut self, stripes: &Stripes<T>, set: &LockSet) -> Held {
        match stripes.lock(set, &self.waiter) {
            Ok(held) => held,
            Err(_) => self.finish(stripes, set),
        }
    }

    /// Takes the set, adds one to each value, releases.
    fn add(&mut self, stripes: &Stripes<u32>, set: &LockSet) {
        let mut held = self.take(stripes, set);
        for stripe in 0..stripes.count() {
            if held.covers(stripe) {
                *stripes.with(&mut held, stripe) += 1;
            }
        }
        stripes.release(held);
    }
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 5_000;
    builder.check(model);
}

/// Runs one thread per set, each adding one to the stripes of its set, and compares the sums.
fn check_sets(preemptions: usize, count: usize, sets: Vec<LockSet>) {
    check(preemptions, move || {
        let stripes = Arc::new(Stripes::new(count, 0, |_| 0_u32));
        let threads: Vec<_> = sets
            .iter()
            .skip(1)
            .cloned()
            .enumerate()
            .map(|(token, set)| {
                let stripes = Arc::clone(&stripes);
                thread::spawn(move || Session::new(token as u64).add(&stripes, &set))
            })
            .collect();
        Session::new(99).add(&stripes, &sets[0]);
        for thread in threads {
            thread.join().unwrap();
        }
        for stripe in 0..count {
            let expected = sets.iter().filter(|set| set.covers(stripe as u16)).count();
            assert_sum(&stripes, stripe, expected as u32);
        }
    });
}

/// The stripe is free, the gate is down, and the value is as expected.
fn assert_sum(stripes: &Stripes<u32>, stripe: usize, expected: u32) {
    let held = stripes
        .try_lock_one(stripe)
        .expect("everything was released");
    assert_eq!(*stripes.read(&held, stripe), expected);
    stripes.release(held);
}

#[test]
fn two_sessions_exclude_each_other_and_wake_up() {
    check_sets(4, 1, vec![LockSet::One(0), LockSet::One(0)]);
}

#[test]
fn three_sessions_exclude_each_other_and_wake_up() {
    check_sets(
        3,
        1,
        vec![LockSet::One(0), LockSet::One(0), LockSet::One(0)],
    );
}

#[test]
fn who_is_summoned_comes_next_and_wakes_up() {
    check(3, || {
        let stripes = Arc::new(Stripes::new(1, 0, |_| 0_u32));
        let mut called = Session::new(1);
        let (one, waiter) = (LockSet::One(0), Arc::clone(&called.waiter));
        // Takes the stripe for itself and calls the one that waits for nothing.
        let caller = {
            let stripes = Arc::clone(&stripes);
            thread::spawn(move || {
                let mut held = Session::new(2).take(&stripes, &LockSet::One(0));
                *stripes.with(&mut held, 0) = 1;
                assert!(stripes.summon(&mut held, 0, &waiter));
                stripes.release(held);
            })
        };
        // Wants it too, at the same time.
        let other = {
            let stripes = Arc::clone(&stripes);
            thread::spawn(move || {
                let mut held = Session::new(3).take(&stripes, &LockSet::One(0));
                let value = stripes.with(&mut held, 0);
                let seen = *value;
                assert_ne!(seen, 1, "it came between the caller and who was called");
                stripes.release(held);
            })
        };
        let mut held = called.finish(&stripes, &one);
        let value = stripes.with(&mut held, 0);
        assert_eq!(*value, 1);
        *value = 2;
        stripes.release(held);
        caller.join().unwrap();
        other.join().unwrap();
        assert_sum(&stripes, 0, 2);
    });
}

#[test]
fn who_dies_while_summoned_leaves_the_stripe_free() {
    check(3, || {
        let stripes = Arc::new(Stripes::new(1, 0, |_| 0_u32));
        let called = Session::new(1);
        let waiter = Arc::clone(&called.waiter);
        let caller = {
            let stripes = Arc::clone(&stripes);
            thread::spawn(move || {
                let mut held = Session::new(2).take(&stripes, &LockSet::One(0));
                // False when it has died before.
                let _ = stripes.summon(&mut held, 0, &waiter);
                stripes.release(held);
            })
        };
        stripes.abandon(&called.waiter);
        caller.join().unwrap();
        assert_sum(&stripes, 0, 0);
    });
}

#[test]
fn a_session_takes_the_stripe_again_and_again() {
    check(3, || {
        let stripes = Arc::new(Stripes::new(1, 0, |_| 0_u32));
        let other = Arc::clone(&stripes);
        let thread = thread::spawn(move || {
            let mut session = Session::new(1);
            session.add(&other, &LockSet::One(0));
            session.add(&other, &LockSet::One(0));
        });
        let mut session = Session::new(2);
        session.add(&stripes, &LockSet::One(0));
        session.add(&stripes, &LockSet::One(0));
        thread.join().unwrap();
        assert_sum(&stripes, 0, 4);
    });
}

#[test]
fn crossing_sets_make_progress() {
    check_sets(4, 2, vec![LockSet::of([0, 1]), LockSet::of([1, 0])]);
    check_sets(
        3,
        2,
        vec![LockSet::of([0, 1]), LockSet::One(0), LockSet::One(1)],
    );
}

/// `waiters` sessions park one after the other and wait on threads of their own; the stripe is released while a newcomer
/// may come. The order in which they write their numbers is the order in which they came, the newcomer being last.
fn check_order(preemptions: usize, waiters: u64, with_newcomer: bool) {
    check(preemptions, move || {
        let stripes = Arc::new(Stripes::new(1, 0, |_| Vec::new()));
        let set = LockSet::One(0);
        let holder = Session::new(0);
        let held = stripes.lock(&set, &holder.waiter).unwrap();
        let mut threads = Vec::new();
        for token in 1..=waiters {
            let mut session = Session::new(token);
            let _ = stripes.lock(&set, &session.waiter).unwrap_err();
            let (stripes, set) = (Arc::clone(&stripes), set.clone());
            threads.push(thread::spawn(move || {
                let mut held = session.finish(&stripes, &set);
                stripes.with(&mut held, 0).push(token);
                stripes.release(held);
            }));
        }
        let last = waiters + u64::from(with_newcomer);
        if with_newcomer {
            let stripes = Arc::clone(&stripes);
            threads.push(thread::spawn(move || {
                let mut held = Session::new(last).take(&stripes, &LockSet::One(0));
                stripes.with(&mut held, 0).push(last);
                stripes.release(held);
            }));
        }
        stripes.release(held);
        for thread in threads {
            thread.join().unwrap();
        }
        let held = stripes.try_lock_one(0).unwrap();
        let expected: Vec<u64> = (1..=last).collect();
        assert_eq!(*stripes.read(&held, 0), expected);
        stripes.release(held);
    });
}

#[test]
fn two_waiters_are_served_first_come_first_served() {
    check_order(3, 2, false);
}

#[test]
fn a_newcomer_does_not_pass_a_waiter() {
    check_order(3, 1, true);
}

#[test]
fn a_newcomer_does_not_pass_two_waiters() {
    check_order(1, 2, true);
}

#[test]
fn a_taker_of_all_and_ordinary_takers_get_through() {
    check_sets(4, 2, vec![LockSet::All, LockSet::One(1)]);
    check_sets(3, 2, vec![LockSet::One(0), LockSet::All, LockSet::One(1)]);
    check_sets(4, 2, vec![LockSet::All, LockSet::of([0, 1])]);
}

#[test]
fn takers_of_all_follow_each_other() {
    check_sets(3, 2, vec![LockSet::All, LockSet::All]);
    check_sets(2, 1, vec![LockSet::All, LockSet::All, LockSet::One(0)]);
}

#[test]
fn housekeeping_does_not_pass_a_raised_gate() {
    check(4, || {
        let stripes = Arc::new(Stripes::new(2, 0, |_| 0_u32));
        let other = Arc::clone(&stripes);
        let thread = thread::spawn(move || Session::new(1).add(&other, &LockSet::All));
        if let Some(mut held) = stripes.try_lock_one(1) {
            *stripes.with(&mut held, 1) += 10;
            stripes.release(held);
        }
        thread.join().unwrap();
        let held = stripes.try_lock_one(1).expect("everything was released");
        assert!(matches!(*stripes.read(&held, 1), 1 | 11));
        stripes.release(held);
    });
}

/// A session dies while the stripe is on its way to it, with another session behind it.
#[test]
fn a_stripe_granted_to_a_dead_session_goes_on() {
    check(4, || {
        let stripes = Arc::new(Stripes::new(1, 0, |_| 0_u32));
        let set = LockSet::One(0);
        let holder = Session::new(0);
        let held = stripes.lock(&set, &holder.waiter).unwrap();
        let mut dying = Session::new(1);
        let _ = stripes.lock(&set, &dying.waiter).unwrap_err();
        let mut behind = Session::new(2);
        let _ = stripes.lock(&set, &behind.waiter).unwrap_err();

        let others = Arc::clone(&stripes);
        let killer = thread::spawn(move || {
            // At any point of its way: queued, granted, or delivered.
            let _ = dying.ready.drain(&mut dying.tokens);
            others.abandon(&dying.waiter);
            others.abandon(&dying.waiter);
            let _ = dying.ready.drain(&mut dying.tokens);
        });
        let others = Arc::clone(&stripes);
        let waiting = thread::spawn(move || {
            let mut held = behind.finish(&others, &LockSet::One(0));
            *others.with(&mut held, 0) += 1;
            others.release(held);
        });
        stripes.release(held);
        killer.join().unwrap();
        waiting.join().unwrap();
        assert_sum(&stripes, 0, 1);
    });
}

/// Whoever takes the stripe after the death sees what the former holder wrote, whether the stripe went by the dead session or past
/// it.
#[test]
fn after_a_death_the_next_holder_sees_what_was_written() {
    check(4, || {
        let stripes = Arc::new(Stripes::new(1, 0, |_| 0_u32));
        let set = LockSet::One(0);
        let mut held = stripes.lock(&set, &Session::new(0).waiter).unwrap();
        let dying = Session::new(1);
        let _ = stripes.lock(&set, &dying.waiter).unwrap_err();
        let others = Arc::clone(&stripes);
        let thread = thread::spawn(move || {
            others.abandon(&dying.waiter);
            if let Some(held) = others.try_lock_one(0) {
                assert_eq!(*others.read(&held, 0), 1);
                others.release(held);
            }
            let _ = dying.ready.drain(&mut Vec::new());
        });
        *stripes.with(&mut held, 0) += 1;
        stripes.release(held);
        thread.join().unwrap();
        assert_sum(&stripes, 0, 1);
    });
}

/// A session that has the gate up dies while it waits for a stripe.
#[test]
fn the_gate_of_a_dead_session_falls() {
    check(3, || {
        let stripes = Arc::new(Stripes::new(2, 0, |_| 0_u32));
        let holder = Session::new(0);
        let held = stripes.lock(&LockSet::One(1), &holder.waiter).unwrap();
        let dying = Session::new(1);
        let _ = stripes.lock(&LockSet::All, &dying.waiter).unwrap_err();

        let others = Arc::clone(&stripes);
        let killer = thread::spawn(move || others.abandon(&dying.waiter));
        let others = Arc::clone(&stripes);
        let waiting = thread::spawn(move || Session::new(2).add(&others, &LockSet::One(0)));
        stripes.release(held);
        killer.join().unwrap();
        waiting.join().unwrap();
        assert_sum(&stripes, 0, 1);
        assert_sum(&stripes, 1, 0);
    });
}

/// Two pushes from two threads to one worker that goes to sleep between.
#[test]
fn a_worker_with_two_sessions_sleeps_and_hears_of_both() {
    check(3, || {
        let stripes = Arc::new(Stripes::new(2, 0, |_| 0_u32));
        let holders = [Session::new(10), Session::new(11)];
        let mut worker = Session::new(0);
        let waiters = [0_u16, 1].map(|stripe| {
            let waiter = Waiter::new(Arc::clone(&worker.ready), u64::from(stripe));
            let held = stripes
                .lock(&LockSet::One(stripe), &holders[usize::from(stripe)].waiter)
                .unwrap();
            let _ = stripes.lock(&LockSet::One(stripe), &waiter).unwrap_err();
            let stripes = Arc::clone(&stripes);
            (waiter, thread::spawn(move || stripes.release(held)))
        });
        let mut resumed = 0;
        while resumed < 2 {
            worker.tokens.clear();
            for index in 0..worker.ready.drain(&mut worker.tokens) {
                let stripe = worker.tokens[index] as usize;
                let set = LockSet::One(stripe as u16);
                let held = stripes.resume(&set, &waiters[stripe].0).unwrap();
                stripes.release(held);
                resumed += 1;
            }
            if resumed < 2 && worker.ready.prepare_sleep() {
                worker.alarm.wait();
            }
        }
        for (_, thread) in waiters {
            thread.join().unwrap();
        }
    });
}

/// The canary: a parker that sets the mark of waiters without looking again loses its wake-up.
#[test]
#[should_panic(expected = "deadlock")]
fn planted_late_mark_is_caught() {
    check(3, || {
        let stripes = Arc::new(Stripes::planted(1, |_| 0_u32));
        let other = Arc::clone(&stripes);
        let thread = thread::spawn(move || Session::new(1).add(&other, &LockSet::One(0)));
        Session::new(2).add(&stripes, &LockSet::One(0));
        thread.join().unwrap();
    });
}

/// The canary of the ready list: a worker that goes to sleep without looking again.
#[test]
#[should_panic(expected = "deadlock")]
fn planted_sleep_without_looking_is_caught() {
    check(3, || {
        let stripes = Arc::new(Stripes::new(1, 0, |_| 0_u32));
        let other = Arc::clone(&stripes);
        let thread = thread::spawn(move || {
            let alarm = Arc::new(Notify::new());
            let ring = Arc::clone(&alarm);
            let list = ReadyList::planted(move || ring.notify());
            Session::on(list, alarm, 1).add(&other, &LockSet::One(0));
        });
        Session::new(2).add(&stripes, &LockSet::One(0));
        thread.join().unwrap();
    });
}
