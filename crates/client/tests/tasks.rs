//! Futures whose tasks never run again, and connections that are shared by load.
//!
//! Invariant: nobody depends on another task for long: who is answered is woken, whatever becomes of the others.

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{Fake, block_on, wait_for};
use dunlin_client::{Client, Clients, Error, Reply, SPILL};

/// Requests that are answered at once.
const TOGETHER: usize = 8;

/// A task that is woken and does nothing.
#[derive(Default)]
struct Idler(AtomicUsize);

impl Wake for Idler {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls a future once for a task that only counts.
fn poll_once(reply: &mut Reply<String>) -> (Poll<Result<String, Error>>, Arc<Idler>) {
    let idler = Arc::new(Idler::default());
    let waker = Waker::from(Arc::clone(&idler));
    let poll = Pin::new(reply).poll(&mut Context::from_waker(&waker));
    (poll, idler)
}

/// So many requests, each awaited by a task that then does nothing.
fn idlers(client: &Client) -> (Vec<Reply<String>>, Vec<Arc<Idler>>) {
    let await_one = |n: usize| {
        let mut reply = client.command("ECHO").arg(n).send::<String>();
        let (poll, idler) = poll_once(&mut reply);
        assert!(poll.is_pending());
        (reply, idler)
    };
    (0..TOGETHER).map(await_one).unzip()
}

#[test]
fn all_are_woken_though_none_of_them_runs() {
    let fake = Fake::start(|peer| {
        let mut requests = Vec::new();
        while let Some(request) = peer.request() {
            requests.push(request);
            if requests.len() == TOGETHER {
                let word = |request: &String| request.split(' ').next_back().map(str::to_owned);
                let words = requests.drain(..).filter_map(|request| word(&request));
                let replies: String = words.map(|word| format!("+{word}\r\n")).collect();
                peer.send(&replies);
            }
        }
    });
    let client = Client::connect(fake.options()).unwrap();
    for _ in 0..3 {
        let (replies, idlers) = idlers(&client);
        wait_for("everybody's wake-up", || {
            idlers
                .iter()
                .all(|idler| idler.0.load(Ordering::SeqCst) == 1)
        });
        for (n, reply) in replies.into_iter().enumerate() {
            assert_eq!(block_on(reply).unwrap(), n.to_string());
        }
    }
}

#[test]
fn who_times_out_is_woken_though_the_others_are_gone() {
    let fake = Fake::start(|peer| while peer.request().is_some() {});
    let options = fake.options().deadline(Duration::from_millis(50));
    let client = Client::connect(options).unwrap();
    let (mut replies, idlers) = idlers(&client);
    let last = replies.pop().unwrap();
    drop(replies);
    wait_for("everybody's wake-up", || {
        idlers
            .iter()
            .all(|idler| idler.0.load(Ordering::SeqCst) == 1)
    });
    assert!(matches!(block_on(last), Err(Error::TimeOut)));
}

#[test]
fn a_second_connection_is_made_when_the_first_is_busy_and_left_when_it_is_not() {
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let fake = Fake::start(move |peer| {
        while let Some(request) = peer.request() {
            while !gate.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            peer.answer(&request);
        }
    });
    let clients = Clients::connect(fake.options(), 2).unwrap();
    let send = |n: usize| clients.pick().command("ECHO").arg(n).send::<usize>();
    let first: Vec<_> = (0..SPILL).map(send).collect();
    assert_eq!(clients.iter().count(), 1);
    let second: Vec<_> = (0..SPILL).map(send).collect();
    assert_eq!(clients.iter().count(), 2);
    let loads = || clients.iter().map(Client::in_flight).collect::<Vec<_>>();
    assert_eq!(loads(), [SPILL, SPILL]);
    // Both are busy: the least busy is taken, and no third one is made.
    let third: Vec<_> = (0..2).map(send).collect();
    assert_eq!(loads(), [SPILL + 1, SPILL + 1]);
    open.store(true, Ordering::SeqCst);
    for replies in [first, second, third] {
        for (n, reply) in replies.into_iter().enumerate() {
            assert_eq!(reply.wait().unwrap(), n);
        }
    }
    wait_for("both to be idle", || loads() == [0, 0]);
    assert!(std::ptr::eq(clients.pick(), clients.iter().next().unwrap()));
    clients.close();
    assert!(matches!(send(0).wait(), Err(Error::Closed)));
}
