//! The pool: limits, order, deadlines, health, and what a connection must not carry from one borrower to the next.
//!
//! Invariant: whatever borrowers do, no more objects exist than allowed, and none that is dead is lent twice.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::{Fake, Genuine, wait_for};
use dunlin_client::{
    Command, Connection, Error, Manage, Pipeline, Pool, PoolOptions, Protocol, Result,
};

/// Makes numbers, and counts how many exist.
#[derive(Clone, Default)]
struct Numbers {
    made: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    sick: Arc<AtomicBool>,
    failing: Arc<AtomicBool>,
    resets: Arc<AtomicUsize>,
}

struct Number(usize, Arc<AtomicUsize>);

impl Drop for Number {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Manage for Numbers {
    type Object = Number;
    fn create(&self) -> Result<Number> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(Error::ConnectionReset);
        }
        let alive = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(alive, Ordering::SeqCst);
        Ok(Number(
            self.made.fetch_add(1, Ordering::SeqCst),
            self.alive.clone(),
        ))
    }
    fn check(&self, _: &mut Number) -> bool {
        !self.sick.load(Ordering::SeqCst)
    }
    fn reset(&self, _: &mut Number) -> bool {
        self.resets.fetch_add(1, Ordering::SeqCst);
        true
    }
}

fn pool(options: PoolOptions) -> (Numbers, Pool<Numbers>) {
    let numbers = Numbers::default();
    let pool = Pool::new(numbers.clone(), options).unwrap();
    (numbers, pool)
}

#[test]
fn max_idle_is_kept_and_the_rest_dropped() {
    let (numbers, pool) = pool(PoolOptions {
        idle_max: 2,
        ..PoolOptions::default()
    });
    let lent: Vec<_> = (0..5).map(|_| pool.get().unwrap()).collect();
    assert_eq!(pool.stats().active, 5);
    drop(lent);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.active, stats.dropped), (2, 0, 3));
    assert_eq!(numbers.alive.load(Ordering::SeqCst), 2);
    assert_eq!(numbers.resets.load(Ordering::SeqCst), 5);
}

#[test]
fn min_idle_is_kept_ready() {
    let (numbers, pool) = pool(PoolOptions {
        idle_min: 3,
        idle_max: 3,
        ..PoolOptions::default()
    });
    wait_for("three idle ones", || pool.stats().idle == 3);
    let one = pool.get().unwrap();
    wait_for("another one", || pool.stats().idle == 3);
    one.discard();
    assert_eq!(numbers.alive.load(Ordering::SeqCst), 3);
}

#[test]
fn max_active_is_never_exceeded() {
    let (numbers, pool) = pool(PoolOptions {
        active_max: 4,
        idle_max: 1,
        ..PoolOptions::default()
    });
    let threads: Vec<_> = (0..16)
        .map(|id| {
            let pool = pool.clone();
            thread::spawn(move || {
                for n in 0..200 {
                    let held = pool.get().unwrap();
                    thread::yield_now();
                    if (id + n) % 7 == 0 {
                        held.discard();
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(numbers.most.load(Ordering::SeqCst) <= 4);
    let stats = pool.stats();
    assert_eq!((stats.active, stats.waiting), (0, 0));
    assert_eq!(stats.lent, 16 * 200);
}

#[test]
fn waiters_are_served_in_the_order_of_coming() {
    let (_, pool) = pool(PoolOptions {
        active_max: 1,
        ..PoolOptions::default()
    });
    let held = pool.get().unwrap();
    let (served, order) = mpsc::channel();
    let threads: Vec<_> = (0..8)
        .map(|id| {
            wait_for("the one before", || pool.stats().waiting == id);
            let (pool, served) = (pool.clone(), served.clone());
            thread::spawn(move || {
                let held = pool.get().unwrap();
                served.send(id).unwrap();
                // Some give theirs back, others lose it: both pass it on.
                if id % 2 == 0 {
                    drop(held)
                } else {
                    held.discard()
                }
            })
        })
        .collect();
    wait_for("all of them", || pool.stats().waiting == 8);
    drop(held);
    threads.into_iter().for_each(|t| t.join().unwrap());
    drop(served);
    assert!(order.iter().eq(0..8));
    let stats = pool.stats();
    assert!(stats.waited == 8 && stats.waited_us > 0, "{stats:?}");
}

#[test]
fn who_waits_too_long_is_told() {
    let (_, pool) = pool(PoolOptions {
        active_max: 1,
        wait: Duration::from_millis(30),
        ..PoolOptions::default()
    });
    let held = pool.get().unwrap();
    let since = Instant::now();
    assert!(matches!(pool.get(), Err(Error::PoolTimeOut)));
    assert!(since.elapsed() >= Duration::from_millis(30));
    assert!(matches!(
        pool.get_within(Duration::ZERO),
        Err(Error::PoolTimeOut)
    ));
    assert_eq!(pool.stats().time_outs, 2);
    drop(held);
    assert!(pool.get().is_ok());
}

#[test]
fn one_that_fails_its_check_is_replaced() {
    let (numbers, pool) = pool(PoolOptions {
        check_after: Duration::ZERO,
        ..PoolOptions::default()
    });
    let lent: Vec<_> = (0..3).map(|_| pool.get().unwrap()).collect();
    drop(lent);
    numbers.sick.store(true, Ordering::SeqCst);
    let new = pool.get().unwrap();
    assert_eq!(new.0, 3);
    let stats = pool.stats();
    assert_eq!((stats.unhealthy, stats.idle, stats.active), (3, 0, 1));
    assert_eq!(numbers.alive.load(Ordering::SeqCst), 1);
}

#[test]
fn the_old_and_the_long_idle_are_dropped() {
    let (numbers, lifetimes) = pool(PoolOptions {
        lifetime: Some(Duration::from_millis(40)),
        ..PoolOptions::default()
    });
    drop(lifetimes.get().unwrap());
    wait_for("its end", || numbers.alive.load(Ordering::SeqCst) == 0);
    let held = lifetimes.get().unwrap();
    thread::sleep(Duration::from_millis(50));
    drop(held);
    assert_eq!(numbers.alive.load(Ordering::SeqCst), 0);

    let (numbers, idles) = pool(PoolOptions {
        idle_time: Some(Duration::from_millis(30)),
        lifetime: None,
        ..PoolOptions::default()
    });
    let lent: Vec<_> = (0..3).map(|_| idles.get().unwrap()).collect();
    drop(lent);
    wait_for("their end", || numbers.alive.load(Ordering::SeqCst) == 0);
}

#[test]
fn one_that_cannot_be_made_leaves_its_place_to_the_next() {
    let (numbers, pool) = pool(PoolOptions {
        active_max: 1,
        ..PoolOptions::default()
    });
    numbers.failing.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(matches!(pool.get(), Err(Error::ConnectionReset)));
    }
    numbers.failing.store(false, Ordering::SeqCst);
    assert!(pool.get().is_ok());
}

#[test]
fn a_closed_pool_lends_nothing_and_lets_waiters_go() {
    let (numbers, pool) = pool(PoolOptions {
        active_max: 1,
        ..PoolOptions::default()
    });
    let held = pool.get().unwrap();
    let waiting = pool.clone();
    let waiting = thread::spawn(move || waiting.get().map(drop));
    wait_for("the waiter", || pool.stats().waiting == 1);
    pool.close();
    assert!(matches!(waiting.join().unwrap(), Err(Error::Closed)));
    assert!(matches!(pool.get(), Err(Error::Closed)));
    drop(held);
    assert_eq!(numbers.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn one_whose_borrower_panicked_is_dropped() {
    let (numbers, pool) = pool(PoolOptions::default());
    let held = pool.get().unwrap();
    let panicked = thread::spawn(move || {
        let _held = held;
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(panicked.join().is_err());
    assert_eq!(numbers.alive.load(Ordering::SeqCst), 0);
    assert_eq!(pool.stats().active, 0);
}

#[test]
fn a_dead_connection_is_not_pooled_for_ever() {
    let Some(mut genuine) = Genuine::start(&[]) else {
        return;
    };
    let options = PoolOptions {
        check_after: Duration::ZERO,
        ..PoolOptions::default()
    };
    let pool = Pool::connections(genuine.options(), options).unwrap();
    let lent: Vec<_> = (0..3).map(|_| pool.get().unwrap()).collect();
    drop(lent);
    genuine.restart();
    for _ in 0..5 {
        pool.get().unwrap().ping().unwrap();
    }
    assert_eq!(pool.stats().unhealthy, 3);

    // Without a check, the borrower sees it once: what broke in use is not taken back.
    let options = PoolOptions {
        check_after: Duration::from_secs(3600),
        ..PoolOptions::default()
    };
    let pool = Pool::connections(genuine.options(), options).unwrap();
    let lent: Vec<_> = (0..3).map(|_| pool.get().unwrap()).collect();
    drop(lent);
    genuine.restart();
    let failures = (0..10).filter(|_| pool.get().unwrap().ping().is_err());
    assert_eq!(failures.count(), 3);
}

#[test]
fn nothing_leaks_from_one_borrower_to_the_next() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let base = genuine.options().protocol(protocol).db(2).name("pooled");
        let options = PoolOptions {
            active_max: 1,
            ..PoolOptions::default()
        };
        let pool = Pool::connections(base, options).unwrap();
        let other = dunlin_client::Client::connect(genuine.options()).unwrap();
        type Leave = fn(&mut Connection);
        let leaves: [Leave; 9] = [
            |c| c.command("SELECT").arg(7).call().unwrap(),
            |c| c.command("MULTI").call().unwrap(),
            |c| c.watch("k").unwrap(),
            |c| c.command("SUBSCRIBE").arg(["a", "b"]).call().unwrap(),
            |c| c.command("PSUBSCRIBE").arg("*").call().unwrap(),
            |c| c.command("CLIENT").arg(("SETNAME", "mine")).call().unwrap(),
            |c| c.command("CLIENT").arg(("NO-EVICT", "ON")).call().unwrap(),
            |c| {
                let slow = c.command("BLPOP").arg(("nothing", 0));
                let error = slow.deadline(Duration::from_millis(20)).call::<()>();
                assert!(matches!(error, Err(Error::TimeOut)));
                assert!(c.is_broken());
            },
            |c| {
                let _ = c.command("MONITOR").call::<()>();
            },
        ];
        for (n, leave) in leaves.into_iter().enumerate() {
            leave(&mut pool.get().unwrap());
            let () = other.command("PUBLISH").arg(("a", "m")).call().unwrap();
            let () = other.command("SET").arg(("k", n)).call().unwrap();
            let mut next = pool.get().unwrap();
            let info: String = next.command("CLIENT").arg("INFO").call().unwrap();
            for expected in [
                " db=2 ",
                " name=pooled ",
                " sub=0 ",
                " psub=0 ",
                " multi=-1 ",
            ] {
                assert!(info.contains(expected), "{n}: {info}");
            }
            let unit = Pipeline::transaction().with(Command::new("GET").arg("x"));
            assert_eq!(next.run::<(Option<String>,)>(&unit).unwrap(), (None,));
            assert!(
                next.next_message(Duration::from_millis(1))
                    .unwrap()
                    .is_none()
            );
        }
    }
}

#[test]
fn watch_and_exec_cost_no_reset() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let pool = Pool::connections(genuine.options(), PoolOptions::default()).unwrap();
    let id = |c: &mut Connection| c.command("GET").arg("n").call::<Option<i64>>().unwrap();
    for n in 0..10 {
        let mut connection = pool.get().unwrap();
        connection.watch("n").unwrap();
        let seen = id(&mut connection).unwrap_or(0);
        assert_eq!(seen, n);
        let unit = Pipeline::transaction().with(Command::new("SET").arg(("n", n + 1)));
        let () = connection.run(&unit).unwrap();
    }
    let mut connection = pool.get().unwrap();
    connection.watch("n").unwrap();
    let () = pool.get().unwrap().command("INCR").arg("n").call().unwrap();
    let unit = Pipeline::transaction().with(Command::new("SET").arg(("n", 0)));
    assert!(matches!(connection.run::<()>(&unit), Err(Error::Aborted)));
    drop(connection);
    let stats: String = pool
        .get()
        .unwrap()
        .command("INFO")
        .arg("commandstats")
        .call()
        .unwrap();
    assert!(!stats.contains("cmdstat_reset"), "{stats}");
}

#[test]
fn messages_reach_a_connection_of_ones_own() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let mut own = Connection::connect(genuine.options().protocol(protocol)).unwrap();
        let () = own.command("SUBSCRIBE").arg(["a", "b"]).call().unwrap();
        let mut other = Connection::connect(genuine.options()).unwrap();
        for channel in ["b", "a"] {
            let () = other.command("PUBLISH").arg((channel, "m")).call().unwrap();
            let message = own.next_message(common::PATIENCE).unwrap().unwrap();
            assert_eq!(message.channel, channel.as_bytes());
        }
        assert!(
            own.next_message(Duration::from_millis(10))
                .unwrap()
                .is_none()
        );
        own.ping().unwrap();
    }
}

#[test]
fn blocking_commands_block_their_own_connection_only() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let pool = Pool::connections(genuine.options(), PoolOptions::default()).unwrap();
    let mut waits = pool.get().unwrap();
    let pushed = Arc::new(Mutex::new(false));
    let seen = pushed.clone();
    let waiter = thread::spawn(move || {
        let pop = waits.command("BLPOP").arg(("queue", 20));
        let popped: (String, String) = pop.deadline(Duration::from_secs(25)).call().unwrap();
        assert!(*seen.lock().unwrap());
        popped
    });
    thread::sleep(Duration::from_millis(20));
    *pushed.lock().unwrap() = true;
    let () = pool
        .get()
        .unwrap()
        .command("RPUSH")
        .arg(("queue", "x"))
        .call()
        .unwrap();
    assert_eq!(waiter.join().unwrap(), ("queue".into(), "x".into()));
}

#[test]
fn a_connection_that_lost_its_place_in_the_stream_is_broken() {
    let fake = Fake::start(|peer| {
        while let Some(request) = peer.request() {
            match request.as_str() {
                "ECHO slow" => thread::sleep(Duration::from_millis(80)),
                "ECHO bad" => peer.send("?"),
                "ECHO gone" => return peer.reset(),
                _ => {}
            }
            peer.answer(&request);
        }
    });
    for (word, is_expected) in [
        (
            "slow",
            (|e| matches!(e, Error::TimeOut)) as fn(&Error) -> bool,
        ),
        ("bad", |e| matches!(e, Error::Protocol(_))),
        ("gone", |e| matches!(e, Error::ConnectionReset)),
    ] {
        let options = fake.options().deadline(Duration::from_millis(30));
        let mut connection = Connection::connect(options).unwrap();
        let echo: String = connection.command("ECHO").arg("ok").call().unwrap();
        assert_eq!(echo, "ok");
        let error = connection
            .command("ECHO")
            .arg(word)
            .call::<String>()
            .unwrap_err();
        assert!(is_expected(&error), "{word}: {error}");
        assert!(connection.is_broken());
        assert!(connection.reset().is_err());
    }
}
