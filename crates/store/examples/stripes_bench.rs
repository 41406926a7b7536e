//! What a lock costs: nanoseconds per lock and release, without and with company.
//!
//! `cargo run --release -p dunlin-store --example stripes_bench`
//!
//! The goal for one free stripe is under 15 ns. Medians of several rounds; not here: how the server behaves.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use dunlin_store::stripes::{LockSet, ReadyList, SPINS_DEFAULT, STRIPES_DEFAULT, Stripes, Waiter};

const ROUNDS: usize = 9;

/// Runs `work` `count` times in each round and prints the median of the time of one.
fn measure(what: &str, count: u64, mut work: impl FnMut(u64)) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for turn in 0..count {
                work(turn);
            }
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{what:<48} {:8.1} ns", rounds[ROUNDS / 2]);
}

fn main() {
    let stripes = Arc::new(Stripes::new(STRIPES_DEFAULT, SPINS_DEFAULT, |_| 0_u64));
    let ready = ReadyList::new(|| {});
    let waiter = Waiter::new(Arc::clone(&ready), 1);
    let take = |set: &LockSet| match stripes.lock(black_box(set), &waiter) {
        Ok(held) => stripes.release(held),
        Err(parked) => panic!("nobody else is here, but {parked:?}"),
    };

    let word = AtomicBool::new(false);
    measure("for comparison: two compare-exchanges", 10_000_000, |_| {
        let word = black_box(&word);
        let _ = black_box(word.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed));
        let _ = black_box(word.compare_exchange(true, false, Ordering::Release, Ordering::Relaxed));
    });
    measure("one free stripe, always the same", 10_000_000, |_| {
        take(&LockSet::One(7))
    });
    measure("one free stripe, one after the other", 10_000_000, |turn| {
        take(&LockSet::One((turn * 37 % STRIPES_DEFAULT as u64) as u16));
    });
    measure(
        "one free stripe, with a write to its value",
        10_000_000,
        |turn| {
            let stripe = (turn * 37 % STRIPES_DEFAULT as u64) as u16;
            if let Ok(mut held) = stripes.lock(&LockSet::One(stripe), &waiter) {
                *stripes.with(&mut held, usize::from(stripe)) += 1;
                stripes.release(held);
            }
        },
    );
    measure("housekeeping: try_lock_one", 10_000_000, |turn| {
        if let Some(held) = stripes.try_lock_one((turn % STRIPES_DEFAULT as u64) as usize) {
            stripes.release(held);
        }
    });
    let three = LockSet::of([3, 77, 200]);
    measure("three free stripes", 3_000_000, |_| take(&three));
    let twenty = LockSet::of((0..20).map(|stripe| stripe * 12));
    measure("twenty free stripes", 300_000, |_| take(&twenty));
    measure("all 256 free stripes", 20_000, |_| take(&LockSet::All));
    hand_over(&stripes, &ready);
    with_company(&stripes, &ready, &waiter);
}

/// Two sessions of one worker that always find the stripe taken: park, hand over, drain, resume.
fn hand_over(stripes: &Stripes<u64>, ready: &Arc<ReadyList>) {
    let stripes_without_spinning = Stripes::new(stripes.count(), 0, |_| 0_u64);
    let stripes = &stripes_without_spinning;
    let set = LockSet::One(5);
    let waiters = [2, 3].map(|token| Waiter::new(Arc::clone(ready), token));
    let mut held = stripes.lock(&set, &waiters[0]).ok();
    let mut tokens = Vec::new();
    measure("park, hand over, drain, resume", 3_000_000, |turn| {
        let next = &waiters[(turn as usize + 1) % 2];
        assert!(stripes.lock(&set, next).is_err());
        if let Some(held) = held.take() {
            stripes.release(held);
        }
        tokens.clear();
        ready.drain(&mut tokens);
        held = stripes.resume(&set, next).ok();
    });
    if let Some(held) = held {
        stripes.release(held);
    }
}

/// Another thread takes random stripes all the time.
fn with_company(stripes: &Arc<Stripes<u64>>, ready: &ReadyList, waiter: &Arc<Waiter>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (others, stopped) = (Arc::clone(stripes), Arc::clone(&stop));
    let company = thread::spawn(move || {
        let mut state = 1_u32;
        while !stopped.load(Ordering::Relaxed) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if let Some(held) = others.try_lock_one((state >> 24) as usize) {
                others.release(held);
            }
        }
    });
    let (mut state, mut parked, mut waiting) = (7_u32, 0_u64, None);
    let mut tokens = Vec::new();
    measure(
        "one random stripe, a second thread at the same",
        1_000_000,
        |_| {
            if let Some(set) = waiting.take() {
                while ready.drain(&mut tokens) == 0 {
                    thread::yield_now();
                }
                tokens.clear();
                match stripes.resume(&set, waiter) {
                    Ok(held) => stripes.release(held),
                    Err(_) => waiting = Some(set),
                }
                return;
            }
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let set = LockSet::One((state >> 24) as u16);
            match stripes.lock(&set, waiter) {
                Ok(held) => stripes.release(held),
                Err(_) => {
                    parked += 1;
                    waiting = Some(set);
                }
            }
        },
    );
    stop.store(true, Ordering::Relaxed);
    company.join().expect("the company does not panic");
    println!("  parked in all: {parked}");
}
