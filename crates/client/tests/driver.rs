//! A client whose connection is run by whoever made it.
//!
//! Invariant: a turn never waits, and between two of them the descriptor, the waker or the time says that there is something to do.

mod common;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{Fake, block_on};
use dunlin_client::{Client, Clients, Driver, Error, Next};

/// Parks the thread that runs the driver until it is woken.
struct Runner {
    thread: thread::Thread,
    woken: AtomicBool,
    times: AtomicUsize,
}

impl Wake for Runner {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.times.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// Runs a driver by what it says alone. Returns how often its waker was woken.
fn run(mut driver: Driver) -> usize {
    let runner = Arc::new(Runner {
        thread: thread::current(),
        woken: AtomicBool::new(false),
        times: AtomicUsize::new(0),
    });
    let waker = Waker::from(Arc::clone(&runner));
    loop {
        let look = is_readable(&driver);
        match driver.turn(look, &waker) {
            Next::Ended => return runner.times.load(Ordering::SeqCst),
            Next::Soon => {}
            Next::Wait(at) => {
                let until = at.unwrap_or_else(|| Instant::now() + Duration::from_secs(10));
                while !runner.woken.swap(false, Ordering::SeqCst)
                    && !is_readable(&driver)
                    && Instant::now() < until
                {
                    thread::park_timeout(Duration::from_micros(200));
                }
            }
        }
    }
}

fn is_readable(driver: &Driver) -> bool {
    let fd = driver.as_fd();
    let mut fds = [rustix::event::PollFd::from_borrowed_fd(
        fd,
        rustix::event::PollFlags::IN,
    )];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    rustix::event::poll(&mut fds, Some(&now)).unwrap() > 0
}

fn echo() -> Fake {
    Fake::start(|peer| {
        while let Some(request) = peer.request() {
            peer.answer(&request);
        }
    })
}

#[test]
fn replies_come_to_tasks_and_threads_and_closing_ends_it() {
    let fake = echo();
    replies_come(&fake, Duration::ZERO);
    replies_come(&fake, Duration::from_micros(50));
}

fn replies_come(fake: &Fake, watch: Duration) {
    let (client, driver) = Client::driven(fake.options()).unwrap();
    let runner = thread::spawn(move || run(driver.watching(watch)));
    let clients = Clients::of(vec![client.clone()]);
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let clients = clients.clone();
            thread::spawn(move || {
                for n in 0..200_usize {
                    let word = worker * 1_000 + n;
                    let request = clients.pick().command("ECHO").arg(word);
                    let reply = match n % 2 {
                        0 => request.call::<usize>(),
                        _ => block_on(request.send::<usize>()),
                    };
                    assert_eq!(reply.unwrap(), word);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    client.close();
    assert!(runner.join().unwrap() > 0, "its waker was never used");
    let late = client.command("ECHO").arg(1).call::<usize>();
    assert!(matches!(late, Err(Error::Closed)), "{late:?}");
}

#[test]
fn deadlines_are_kept_without_anything_to_read() {
    let fake = Fake::start(|peer| while peer.request().is_some() {});
    let options = fake.options().deadline(Duration::from_millis(50));
    let (client, driver) = Client::driven(options).unwrap();
    let runner = thread::spawn(move || run(driver));
    let since = Instant::now();
    let reply = block_on(client.command("ECHO").arg(1).send::<usize>());
    assert!(matches!(reply, Err(Error::TimeOut)), "{reply:?}");
    assert!(since.elapsed() >= Duration::from_millis(50));
    client.close();
    runner.join().unwrap();
}

#[test]
fn a_driver_that_is_dropped_leaves_nobody_waiting() {
    let fake = echo();
    let (client, mut driver) = Client::driven(fake.options()).unwrap();
    let reply = client.command("ECHO").arg(1).send::<usize>();
    driver.turn(true, Waker::noop());
    drop(driver);
    let reply = reply.wait();
    assert!(
        matches!(reply, Err(Error::Closed | Error::ConnectionReset)),
        "{reply:?}"
    );
}
