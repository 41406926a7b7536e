//! When a handler is told that bytes came: those that waited while the loop was busy have waited. On virtual time, so that every time is exact.

mod common;

use std::net::SocketAddr;

use common::ADDRESS;
use dunlin_reactor::backend::memory::{Client, Faults, Memory, Network};
use dunlin_reactor::{
    Clock, CloseReason, ConnId, EventLoop, Handler, Input, Io, Limits, Peer, Rope,
};

/// Answers with what it was sent. What takes long ("slow") lets others write meanwhile.
struct Busy {
    network: Network,
    others: Vec<Client>,
    /// How often one of them writes, 20 ms after the one before.
    writes: usize,
    /// What was shown, and when it came.
    seen: Vec<(Vec<u8>, Vec<u64>)>,
    settled_us: u64,
}

impl Busy {
    fn now_us(&self) -> u64 {
        self.network.clock().monotonic_us()
    }
}

impl Handler for Busy {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let bytes = input.bytes().to_vec();
            let times = (1..=bytes.len()).map(|n| input.arrived_us(n)).collect();
            if bytes == b"slow" {
                let others = self.others.len();
                for write in 0..self.writes {
                    self.network.advance_ms(20);
                    self.others[write % others].write(b"x").unwrap();
                }
                self.network.advance_ms(40);
            }
            self.seen.push((bytes, times));
            let mut reply = Rope::with_buffer(io.buffer());
            reply.tail().extend_from_slice(input.bytes());
            input.consume(input.bytes().len());
            io.send(input.conn(), &mut reply);
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}

    fn settled(&mut self, _: &mut Io<'_>, now_us: u64) {
        self.settled_us = now_us;
    }
}

fn set_up(others: usize, writes: usize) -> (EventLoop<Memory>, Busy, Client) {
    let network = Network::with_faults(1, Faults::calm());
    let address: SocketAddr = ADDRESS.parse().unwrap();
    let mut server = EventLoop::new(network.backend(), Limits::default());
    server
        .add_listener(network.listen(address).unwrap())
        .unwrap();
    let slow = network.connect(address).unwrap();
    let others = (0..others)
        .map(|_| network.connect(address).unwrap())
        .collect();
    let mut busy = Busy {
        network,
        others,
        writes,
        seen: Vec::new(),
        settled_us: 0,
    };
    run(&mut server, &mut busy);
    (server, busy, slow)
}

fn run(server: &mut EventLoop<Memory>, busy: &mut Busy) {
    while server.is_runnable() {
        server.run_once(busy).unwrap();
    }
}

#[test]
fn what_waited_for_a_busy_loop_has_waited() {
    let (mut server, mut busy, mut slow) = set_up(2, 2);
    let began_us = busy.now_us();
    slow.write(b"slow").unwrap();
    run(&mut server, &mut busy);
    let times: Vec<_> = busy.seen.iter().map(|(_, times)| times[0]).collect();
    assert_eq!(times, [began_us, began_us + 20_000, began_us + 40_000]);
    assert_eq!(server.stats().busy_us, 80_000);
    assert_eq!(busy.settled_us, began_us + 80_000);
}

#[test]
fn a_loop_that_waits_finds_bytes_as_they_come() {
    let (mut server, mut busy, mut slow) = set_up(1, 1);
    slow.write(b"slow").unwrap();
    run(&mut server, &mut busy);
    busy.seen.clear();
    busy.network.advance_ms(300);
    let now_us = busy.now_us();
    busy.others[0].write(b"abc").unwrap();
    run(&mut server, &mut busy);
    assert_eq!(busy.seen, [(b"abc".to_vec(), vec![now_us; 3])]);
}

#[test]
fn who_was_answered_is_taken_to_have_waited_for_it() {
    let (mut server, mut busy, mut slow) = set_up(1, 1);
    slow.write(b"slow").unwrap();
    // Both are answered by the long turn; what they send next can only have been sent after it.
    busy.others[0].write(b"x").unwrap();
    while busy.seen.len() < 2 {
        server.run_once(&mut busy).unwrap();
    }
    busy.seen.clear();
    let now_us = busy.now_us();
    slow.write(b"y").unwrap();
    run(&mut server, &mut busy);
    assert!(
        busy.seen.contains(&(b"y".to_vec(), vec![now_us])),
        "{:?}",
        busy.seen
    );
    // But what the other sent amid the long turn was not sent after it.
    let amid_us = now_us - 40_000;
    assert!(
        busy.seen.contains(&(b"x".to_vec(), vec![amid_us])),
        "{:?}",
        busy.seen
    );
}

#[test]
fn requests_of_one_read_are_spread_over_the_time() {
    let (mut server, mut busy, mut slow) = set_up(1, 3);
    let began_us = busy.now_us();
    slow.write(b"slow").unwrap();
    run(&mut server, &mut busy);
    let came = [20_000, 40_000, 60_000].map(|us| began_us + us);
    assert_eq!(busy.seen[1], (b"xxx".to_vec(), came.to_vec()));
}
