//! The hot path allocates nothing, and an idle connection costs next to nothing: counted by an allocator of its own.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{Script, Wire, on_epoll};
use dunlin_reactor::{Handler, Input, Io, Limits, Rope};

struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        LIVE_BYTES.set(LIVE_BYTES.get() + layout.size() as isize);
        // SAFETY: the caller's obligations are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get() - layout.size() as isize);
        // SAFETY: the caller's obligations are the same.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Echoes without touching the heap itself.
struct Echo;

impl Handler for Echo {
    fn opened(&mut self, _: &mut Io<'_>, _: dunlin_reactor::ConnId, _: &dunlin_reactor::Peer) {}

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let mut rope = Rope::with_buffer(io.buffer());
            rope.tail().extend_from_slice(input.bytes());
            input.consume(input.bytes().len());
            io.send(input.conn(), &mut rope);
        }
    }

    fn closed(
        &mut self,
        _: &mut Io<'_>,
        _: dunlin_reactor::ConnId,
        _: dunlin_reactor::CloseReason,
    ) {
    }
}

#[test]
fn a_turn_in_steady_state_allocates_nothing() {
    let mut world = on_epoll(Limits::default());
    let mut script = Script::echo();
    let mut clients: Vec<_> = (0..50)
        .map(|_| world.connect_opened(&mut script).0)
        .collect();
    let mut got = Vec::with_capacity(1 << 20);
    let mut round = |counted: bool| {
        for client in &mut clients {
            client.write(b"GET key:000000000001\r\n").unwrap();
        }
        got.clear();
        let mut calls = 0;
        while got.len() < clients.len() * 22 {
            world.event_loop.remote().waker().wake();
            let before = CALLS.get();
            world.event_loop.run_once(&mut Echo).unwrap();
            calls += CALLS.get() - before;
            for client in &mut clients {
                client.read(&mut got).unwrap();
            }
        }
        assert!(!counted || calls == 0, "{calls} allocations in a turn");
    };
    for _ in 0..100 {
        round(false);
    }
    for _ in 0..1_000 {
        round(true);
    }
    let stats = *world.event_loop.stats();
    assert_eq!(
        stats.reads, stats.writes,
        "one receive and one send call per request"
    );
    assert_eq!(stats.bytes_in, 1_100 * 50 * 22);
}

#[test]
fn an_idle_connection_owns_less_than_a_kilobyte() {
    const CONNECTIONS: usize = 2_000;
    let mut world = on_epoll(Limits::default());
    let mut script = Script::echo();
    drop(world.connect_opened(&mut script));
    world.until(&mut script, |s| s.open.is_empty());
    let before = LIVE_BYTES.get();
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut client = world.connect();
        client.write(b"PING").unwrap();
        clients.push(client);
        world.event_loop.remote().waker().wake();
        world.event_loop.run_once(&mut Echo).unwrap();
    }
    let mut got = Vec::new();
    for client in &mut clients {
        got.clear();
        while client.read(&mut got).unwrap().is_none() {
            world.event_loop.remote().waker().wake();
            world.event_loop.run_once(&mut Echo).unwrap();
        }
    }
    assert_eq!(world.event_loop.connections(), CONNECTIONS);
    let own = (CONNECTIONS * size_of::<std::net::TcpStream>() + got.capacity()) as isize;
    let each = (LIVE_BYTES.get() - before - own) / CONNECTIONS as isize;
    assert!(each < 1_024, "{each} bytes each");
}
