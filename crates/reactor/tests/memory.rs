//! What only the in-memory network can show: same seed, same run; long runs; injected failures; several loops on one thread.

mod common;

use std::net::SocketAddr;

use common::{ADDRESS, Script, in_memory, reply};
use dunlin_reactor::backend::memory::{Client, Memory, Network, Signal};
use dunlin_reactor::{
    CloseReason, ConnId, EventLoop, Handler, Input, Io, LISTENER_CHANGES_MAX, Limits,
    ListenersError, Peer,
};
use rustix::io::Errno;

/// A run of 20 chattering clients against an echo server on two loops, as text.
fn trace(seed: u64) -> String {
    let network = Network::new(seed);
    let address: SocketAddr = ADDRESS.parse().unwrap();
    let backends = vec![network.backend(), network.backend()];
    let mut loops = EventLoop::pool(backends, &Limits::default());
    loops[0]
        .add_listener(network.listen(address).unwrap())
        .unwrap();
    let mut scripts = [Script::echo(), Script::echo()];
    let mut clients: Vec<(Client, Vec<u8>)> = (0..20)
        .map(|_| (network.connect(address).unwrap(), Vec::new()))
        .collect();
    for round in 0..50usize {
        for (i, (client, _)) in clients.iter_mut().enumerate() {
            client.write(&vec![i as u8; round * i % 300]).unwrap();
        }
        for (event_loop, script) in loops.iter_mut().zip(&mut scripts) {
            event_loop.run_once(script).unwrap();
        }
        network.advance_ms(1);
    }
    for _ in 0..10_000 {
        for (event_loop, script) in loops.iter_mut().zip(&mut scripts) {
            if event_loop.is_runnable() {
                event_loop.run_once(script).unwrap();
            }
        }
        for (client, got) in &mut clients {
            client.read(got, usize::MAX).unwrap();
        }
        if !loops.iter_mut().any(EventLoop::is_runnable) {
            break;
        }
    }
    for (i, (_, got)) in clients.iter().enumerate() {
        let expected: usize = (0..50).map(|round| round * i % 300).sum();
        assert_eq!(got, &vec![i as u8; expected]);
    }
    scripts.map(|s| s.log.join("\n")).join("\n--\n")
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert!(trace(7) == trace(7));
    assert!(trace(7) != trace(8));
}

#[test]
fn accepted_connections_go_to_the_least_loaded_loop() {
    let network = Network::new(1);
    let address: SocketAddr = ADDRESS.parse().unwrap();
    let backends = (0..3).map(|_| network.backend()).collect();
    let mut loops = EventLoop::pool(backends, &Limits::default());
    loops[0]
        .add_listener(network.listen(address).unwrap())
        .unwrap();
    let mut scripts = [Script::echo(), Script::echo(), Script::echo()];
    let mut run = |loops: &mut [EventLoop<Memory>]| {
        for _ in 0..20 {
            for (event_loop, script) in loops.iter_mut().zip(&mut scripts) {
                event_loop.run_once(script).unwrap();
            }
        }
    };
    let mut clients: Vec<Client> = (0..30).map(|_| network.connect(address).unwrap()).collect();
    run(&mut loops);
    let counts = |loops: &[EventLoop<Memory>]| -> Vec<usize> {
        loops.iter().map(EventLoop::connections).collect()
    };
    assert_eq!(counts(&loops), [10, 10, 10]);
    clients.truncate(15);
    run(&mut loops);
    clients.extend((0..15).map(|_| network.connect(address).unwrap()));
    run(&mut loops);
    assert_eq!(counts(&loops), [10, 10, 10]);
    for event_loop in &mut loops {
        assert_eq!(event_loop.remote().load(), 10);
        event_loop.remote().stop(0);
    }
    run(&mut loops);
    assert!(loops.iter().all(EventLoop::has_ended));
    drop((clients, loops));
    assert_eq!(network.links(), 0);
}

#[test]
fn a_firehose_does_not_starve_a_trickle() {
    let limits = Limits {
        input_turn_bytes: 500,
        ..Limits::default()
    };
    let (mut world, network) = in_memory(3, limits);
    network.set_splitting(false);
    network.set_capacity_bytes(4_000);
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            if input.conn().index() == 0 {
                reply(io, input.conn(), b"ok");
            }
            input.consume(input.bytes().len());
        }
    });
    let (mut trickle, _) = world.connect_opened(&mut script);
    let mut hoses: Vec<Client> = (0..4)
        .map(|_| world.connect_opened(&mut script).0)
        .collect();
    let water = [b'w'; 4_000];
    let mut got = Vec::new();
    let mut waiting_since = None;
    let mut answers = 0;
    for turn in 0..100_000u64 {
        for hose in &mut hoses {
            hose.write(&water).unwrap();
        }
        match waiting_since {
            None => {
                trickle.write(b"?").unwrap();
                waiting_since = Some(turn);
            }
            Some(since) if trickle.read(&mut got, 2).unwrap() == Some(2) => {
                assert!(turn - since <= 2, "waited for {} turns", turn - since);
                waiting_since = None;
                answers += 1;
            }
            Some(since) => assert!(turn - since <= 2, "still waiting"),
        }
        world.event_loop.run_once(&mut script).unwrap();
        script.log.clear();
    }
    assert!(answers > 30_000, "{answers}");
    let stats = world.event_loop.stats();
    let most = stats.turns as usize * 4 * 500;
    assert!(
        stats.bytes_in as usize <= most + answers + 1,
        "the budget was exceeded"
    );
    assert!(
        stats.bytes_in as usize >= most / 2,
        "the hoses were starved"
    );
}

#[test]
fn more_connections_than_fit_into_a_turn_take_turns() {
    let limits = Limits {
        inputs_per_turn: 3,
        ..Limits::default()
    };
    let (mut world, network) = in_memory(5, limits);
    network.set_splitting(false);
    let mut script = Script::echo();
    let mut clients: Vec<Client> = (0..10)
        .map(|_| world.connect_opened(&mut script).0)
        .collect();
    for client in &mut clients {
        client.write(b"x").unwrap();
    }
    script.log.clear();
    world.steps(&mut script, 4);
    let mut seen = script.log.clone();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 10, "{:?}", script.log);
}

#[test]
fn exhausted_descriptors_pause_accepting() {
    let (mut world, network) = in_memory(9, Limits::default());
    let mut script = Script::echo();
    let address: SocketAddr = ADDRESS.parse().unwrap();
    let (first, _) = world.connect_opened(&mut script);
    network.fail_accepts(address, Errno::MFILE, 2);
    let second = world.connect();
    let third = world.connect();
    world.steps(&mut script, 50);
    assert_eq!(world.event_loop.stats().accept_failures, 1, "it spun");
    assert_eq!(script.open.len(), 1);
    // After the pause: fails once more, without another word.
    network.advance_ms(100);
    world.steps(&mut script, 50);
    assert_eq!(world.event_loop.stats().accept_failures, 2);
    assert_eq!(
        script.log.iter().filter(|l| *l == "accept_paused").count(),
        1
    );
    // A connection closes: accepting goes on at once.
    drop(first);
    world.until(&mut script, |s| s.open.len() == 2);
    // The next episode is told again.
    network.fail_accepts(address, Errno::NFILE, 1);
    let fourth = world.connect();
    world.steps(&mut script, 10);
    assert_eq!(
        script.log.iter().filter(|l| *l == "accept_paused").count(),
        2
    );
    network.advance_ms(100);
    world.until(&mut script, |s| s.open.len() == 3);
    drop((second, third, fourth));
}

#[test]
fn connections_that_died_in_the_backlog_are_skipped() {
    let (mut world, network) = in_memory(9, Limits::default());
    let mut script = Script::echo();
    let address: SocketAddr = ADDRESS.parse().unwrap();
    for errno in [
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::PROTO,
        Errno::HOSTUNREACH,
    ] {
        network.fail_accepts(address, errno, 3);
    }
    let client = world.connect();
    world.until(&mut script, |s| s.open.len() == 1);
    assert_eq!(world.event_loop.stats().accept_failures, 0);
    assert_eq!(script.log, ["opened"]);
    drop(client);
}

#[test]
fn a_reset_is_told_even_while_input_is_paused() {
    for seed in 0..20 {
        let (mut world, network) = in_memory(seed, Limits::default());
        let mut script = Script::new(|_, io, batch| {
            for input in batch {
                io.pause_input(input.conn());
            }
        });
        let (mut client, _) = world.connect_opened(&mut script);
        client.write(b"blocking").unwrap();
        world.until(&mut script, |s| {
            s.log.iter().any(|l| l.starts_with("input"))
        });
        client.reset();
        world.until(&mut script, |s| s.open.is_empty());
        assert_eq!(script.closed[0].1, "Reset");
        assert_eq!(network.links(), 0);
    }
}

#[test]
fn bytes_before_a_reset_are_shown_before_it() {
    for seed in 0..50 {
        let (mut world, _) = in_memory(seed, Limits::default());
        let mut script = Script::sink();
        let (mut client, conn) = world.connect_opened(&mut script);
        client.write(b"last words").unwrap();
        client.reset();
        world.until(&mut script, |s| s.open.is_empty());
        assert_eq!(script.received[&conn], b"last words");
    }
}

#[test]
fn a_pause_amid_the_last_bytes_hears_of_the_end() {
    // More than a turn's budget, and the end right behind: its event comes while the connection is still being read.
    let (mut world, network) = in_memory(2, Limits::default());
    network.set_splitting(false);
    network.set_capacity_bytes(1 << 20);
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            io.pause_input(input.conn());
        }
    });
    let mut client = world.connect();
    client.write(&vec![b'x'; 500_000]).unwrap();
    drop(client);
    world.until(&mut script, |s| s.log.contains(&"peer_closed".to_string()));
    assert_eq!(script.open.len(), 1);
}

#[test]
fn a_watched_descriptor_is_told_until_it_is_read() {
    let (mut world, _) = in_memory(4, Limits::default());
    let mut script = Script::echo();
    let signal = Signal::default();
    world.event_loop.watch_fd(signal.clone(), 77).unwrap();
    world.steps(&mut script, 3);
    assert!(script.log.is_empty());
    assert!(!world.event_loop.is_runnable());
    signal.raise();
    assert!(world.event_loop.is_runnable());
    world.steps(&mut script, 2);
    assert_eq!(script.log, ["fd_ready 77", "fd_ready 77"]);
    signal.clear();
    world.steps(&mut script, 2);
    assert_eq!(script.log.len(), 2);
}

#[test]
fn a_stop_ends_a_connection_that_floods() {
    let (mut world, network) = in_memory(6, Limits::default());
    network.set_splitting(false);
    network.set_capacity_bytes(1 << 20);
    let mut script = Script::sink();
    let (mut hose, _) = world.connect_opened(&mut script);
    world.event_loop.remote().stop(u64::MAX);
    for _ in 0..100 {
        let _ = hose.write(&[b'w'; 100_000]);
        world.step(&mut script);
    }
    assert!(script.open.is_empty(), "it would never end");
    drop(hose);
    // What it had sent is still being read and forgotten.
    world.steps(&mut script, 200);
    assert!(world.event_loop.has_ended());
}

#[test]
fn a_huge_buffer_is_not_kept_for_a_few_bytes() {
    let (mut world, network) = in_memory(8, Limits::default());
    network.set_splitting(false);
    // Understands messages of 3,000,000 bytes.
    let mut script = Script::new(|_, _, batch| {
        for input in batch {
            if input.bytes().len() >= 3_000_000 {
                input.consume(3_000_000);
            }
        }
    });
    let (mut client, conn) = world.connect_opened(&mut script);
    world.write_all(&mut script, &mut client, &vec![b'x'; 3_000_010]);
    world.steps(&mut script, 100);
    let mut io = world.event_loop.io();
    assert_eq!(io.input_len(conn), 10);
    assert!(
        io.buffer_bytes(conn) <= 16 * 1024,
        "{}",
        io.buffer_bytes(conn)
    );
}

/// Writes down the order of calls.
#[derive(Default)]
struct Order {
    calls: Vec<&'static str>,
}

impl Handler for Order {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {
        self.calls.push("opened");
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        self.calls.push("inputs");
        io.close(batch[0].conn());
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {
        self.calls.push("closed");
    }

    fn turn_end(&mut self, _: &mut Io<'_>) -> Option<u64> {
        self.calls.push("turn_end");
        None
    }
}

#[test]
fn the_last_call_before_a_sleep_is_turn_end() {
    let (mut world, _) = in_memory(8, Limits::default());
    let mut client = world.connect();
    client.write(b"x").unwrap();
    let mut order = Order::default();
    while world.event_loop.is_runnable() {
        world.event_loop.run_once(&mut order).unwrap();
    }
    let closed = order.calls.iter().position(|c| *c == "closed");
    assert!(
        closed.is_some_and(|at| at + 1 < order.calls.len()),
        "{:?}",
        order.calls
    );
    assert_eq!(order.calls.last(), Some(&"turn_end"));
}

#[test]
fn listeners_come_and_go_while_the_loop_runs() {
    let (mut event_loop, network) = {
        let network = Network::new(5);
        let backend = network.backend();
        (EventLoop::new(backend, Limits::default()), network)
    };
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let first = network.listen(address(1)).unwrap();
    assert_eq!(event_loop.add_listener(first).unwrap(), 0);
    let listeners = event_loop.listeners();
    let mut script = Script::echo();
    let mut run = |event_loop: &mut EventLoop<Memory>| {
        for _ in 0..5 {
            event_loop.run_once(&mut script).unwrap();
        }
    };
    let old = network.connect(address(1)).unwrap();
    run(&mut event_loop);
    assert_eq!(event_loop.connections(), 1);
    // One comes, one goes, and numbers are not used again.
    let second = network.listen(address(2)).unwrap();
    assert_eq!(listeners.change(vec![second], &[0]).unwrap(), [1]);
    run(&mut event_loop);
    assert!(network.connect(address(1)).is_err());
    let new = network.connect(address(2)).unwrap();
    run(&mut event_loop);
    assert_eq!(event_loop.connections(), 2);
    let third = network.listen(address(3)).unwrap();
    assert_eq!(listeners.change(vec![third], &[0, 1, 7]).unwrap(), [2]);
    run(&mut event_loop);
    assert!(network.connect(address(2)).is_err());
    assert_eq!(event_loop.connections(), 2);
    // More than may wait: nothing of it is taken.
    let too_many = vec![2; LISTENER_CHANGES_MAX + 1];
    assert_eq!(
        listeners.change(Vec::new(), &too_many),
        Err(ListenersError::Full)
    );
    run(&mut event_loop);
    assert!(network.connect(address(3)).is_ok());
    event_loop.remote().stop(0);
    run(&mut event_loop);
    let fourth = network.listen(address(4)).unwrap();
    assert_eq!(
        listeners.change(vec![fourth], &[]),
        Err(ListenersError::Stopping)
    );
    drop((old, new));
}
