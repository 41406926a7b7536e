//! The hot path allocates nothing, and an idle connection costs next to nothing: counted by an allocator of its own.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::{Script, Wire, on_epoll};
use counting::{Counting, Echo, calls, live_bytes};
use dunlin_reactor::Limits;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
        let mut allocations = 0;
        while got.len() < clients.len() * 22 {
            world.event_loop.remote().waker().wake();
            let before = calls();
            world.event_loop.run_once(&mut Echo::default()).unwrap();
            allocations += calls() - before;
            for client in &mut clients {
                client.read(&mut got).unwrap();
            }
        }
        assert!(
            !counted || allocations == 0,
            "{allocations} allocations in a turn"
        );
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
    let before = live_bytes();
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut client = world.connect();
        client.write(b"PING").unwrap();
        clients.push(client);
        world.event_loop.remote().waker().wake();
        world.event_loop.run_once(&mut Echo::default()).unwrap();
    }
    let mut got = Vec::new();
    for client in &mut clients {
        got.clear();
        while client.read(&mut got).unwrap().is_none() {
            world.event_loop.remote().waker().wake();
            world.event_loop.run_once(&mut Echo::default()).unwrap();
        }
    }
    assert_eq!(world.event_loop.connections(), CONNECTIONS);
    let own = (CONNECTIONS * size_of::<std::net::TcpStream>() + got.capacity()) as isize;
    let each = (live_bytes() - before - own) / CONNECTIONS as isize;
    assert!(each < 1_024, "{each} bytes each");
}
