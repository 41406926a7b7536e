//! The faults of the in-memory network, one by one and all together: what a loop and a client see of each.

mod common;

use std::net::SocketAddr;

use common::{ADDRESS, MemoryWorld, Script, in_memory, reply};
use dunlin_reactor::backend::memory::{Client, Faults, Network};
use dunlin_reactor::backend::{Backend, Event, Token};
use dunlin_reactor::{Clock, ConnectAddress, EventLoop, Limits};
use dunlin_structures::Rope;

/// A world whose connections behave as this says, with nothing left to chance but what it says.
fn with_faults(seed: u64, faults: Faults) -> (MemoryWorld, Network) {
    let (world, network) = in_memory(seed, Limits::default());
    network.set_faults(faults);
    (world, network)
}

/// Runs the loop while there is something to do at the present time.
fn settle(world: &mut MemoryWorld, script: &mut Script) {
    while world.event_loop.is_runnable() {
        world.event_loop.run_once(script).unwrap();
    }
}

/// Moves time on to whatever comes next on the network.
fn advance(network: &Network) -> bool {
    let Some(at_us) = network.next_us() else {
        return false;
    };
    let clock = network.clock();
    clock.advance_us(at_us - clock.monotonic_us());
    true
}

#[test]
fn bytes_take_their_time_in_each_direction() {
    let faults = Faults {
        latency_up_us: 3_000..=3_000,
        latency_down_us: 5_000..=5_000,
        ..Faults::calm()
    };
    let (mut world, network) = with_faults(1, faults);
    let mut script = Script::echo();
    let mut client = world.connect();
    client.write(b"hello").unwrap();
    let mut got = Vec::new();
    for (ms, opened, echoed) in [(2, 0, false), (1, 1, false), (4, 1, false), (1, 1, true)] {
        network.advance_ms(ms);
        settle(&mut world, &mut script);
        assert_eq!(script.open.len(), opened);
        assert_eq!(client.read(&mut got, 99).unwrap().is_some(), echoed);
    }
    assert_eq!(got, b"hello");
}

#[test]
fn a_connection_is_reset_at_any_byte_of_a_reply() {
    let mut lengths = Vec::new();
    for seed in 0..300 {
        let faults = Faults {
            reset_one_in: 1,
            strike_bytes_max: 11,
            strike_after_us_max: u64::MAX / 2,
            jitter_us_max: 50,
            ..Faults::calm()
        };
        let (mut world, network) = with_faults(seed, faults);
        let mut script = Script::new(|_, io, batch| {
            for input in batch {
                reply(io, input.conn(), b"0123456789");
                input.consume(input.bytes().len());
            }
        });
        let mut client = world.connect();
        client.write(b"?").unwrap();
        let mut got = Vec::new();
        let end = (0..1_000).find_map(|_| {
            settle(&mut world, &mut script);
            let end = client.read(&mut got, 99).err();
            network.clock().advance_us(1);
            end
        });
        assert!(b"0123456789".starts_with(&got[..]));
        if client.is_struck() {
            assert!(end.is_some(), "seed {seed}: the client was not told");
            network.advance_ms(1);
            settle(&mut world, &mut script);
            assert!(script.open.is_empty(), "seed {seed}: {:?}", script.log);
            assert_eq!(script.closed.len(), 1);
            lengths.push(got.len());
        }
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 8, "of a reply came {lengths:?} bytes");
}

#[test]
fn who_writes_to_a_peer_that_vanished_is_told_in_the_end() {
    let faults = Faults {
        give_up_us: 7_000_000..=7_000_000,
        ..Faults::calm()
    };
    let (mut world, network) = with_faults(1, faults);
    let mut script = Script::sink();
    let (client, conn) = world.connect_opened(&mut script);
    client.vanish();
    network.advance_ms(3_600_000);
    settle(&mut world, &mut script);
    assert_eq!(script.open, [conn], "nobody told it");
    reply(&mut world.event_loop.io(), conn, b"are you there");
    settle(&mut world, &mut script);
    network.advance_ms(6_999);
    settle(&mut world, &mut script);
    assert_eq!(script.open, [conn]);
    network.advance_ms(1);
    settle(&mut world, &mut script);
    assert_eq!(script.closed.len(), 1);
    assert_eq!(script.closed[0].1, "Reset");
    assert_eq!(network.links(), 0);
}

#[test]
fn a_silent_peer_that_vanished_is_found_by_probes() {
    let (mut world, network) = with_faults(1, Faults::calm());
    let mut script = Script::sink();
    let (client, conn) = world.connect_opened(&mut script);
    let idle = std::time::Duration::from_secs(300);
    world.event_loop.io().set_keepalive(conn, Some(idle));
    world.steps(&mut script, 1);
    let (alive, _) = world.connect_opened(&mut script);
    client.vanish();
    network.advance_ms(599_999);
    settle(&mut world, &mut script);
    assert_eq!(script.open.len(), 2);
    network.advance_ms(1);
    settle(&mut world, &mut script);
    assert_eq!(script.open.len(), 1, "one answers, one does not");
    assert_eq!(script.closed[0].0, conn);
    drop(alive);
}

/// Lets every connection that is open be probed, as a handler would when it opens.
fn probe(world: &mut MemoryWorld, script: &Script) {
    for conn in &script.open {
        let idle = std::time::Duration::from_secs(10);
        world.event_loop.io().set_keepalive(*conn, Some(idle));
    }
}

/// Echoes what clients send over a network of this seed's faults until all of it is over; what happened, as text.
fn storm(seed: u64) -> (String, usize) {
    let (mut world, network) = with_faults(seed, Faults::random(seed));
    let mut script = Script::echo();
    let message: Vec<u8> = (0..2_000u32).map(|i| (i % 251) as u8).collect();
    let mut clients: Vec<(Client, usize, Vec<u8>, bool)> = (0..12)
        .map(|_| (world.connect(), 0, Vec::new(), false))
        .collect();
    for _ in 0..20_000 {
        for (client, sent, got, over) in clients.iter_mut().filter(|c| !c.3) {
            if *sent < message.len() {
                *sent += client.write(&message[*sent..]).unwrap_or(0);
            }
            match client.read(got, 500) {
                Ok(Some(0)) | Err(_) => *over = true,
                Ok(_) => *over = got.len() == message.len(),
            }
            assert!(message.starts_with(got), "seed {seed}: other bytes came");
        }
        settle(&mut world, &mut script);
        probe(&mut world, &script);
        if clients.iter().all(|c| c.3) || !advance(&network) {
            network.advance_ms(100);
        }
        if clients.iter().all(|c| c.3) {
            break;
        }
    }
    for (client, sent, got, _) in &clients {
        let whole = got.len() == message.len() && *sent == message.len();
        assert!(
            whole || client.is_struck(),
            "seed {seed}: {} of {sent} bytes came back",
            got.len()
        );
    }
    let struck = clients.iter().filter(|c| c.0.is_struck()).count();
    drop(clients);
    for _ in 0..50 {
        network.advance_ms(1_000);
        settle(&mut world, &mut script);
        probe(&mut world, &script);
    }
    assert!(script.open.is_empty(), "seed {seed}: one is left");
    assert_eq!(network.links(), 0, "seed {seed}");
    (script.log.join("\n"), struck)
}

#[test]
fn what_is_not_struck_comes_back_whole_and_nothing_is_left() {
    let struck: usize = (0..300).map(|seed| storm(seed).1).sum();
    assert!(
        (300..2_500).contains(&struck),
        "{struck} of 3600 were struck"
    );
}

#[test]
fn the_same_seed_gives_the_same_storm() {
    for seed in 0..20 {
        assert!(storm(seed) == storm(seed), "seed {seed}");
    }
}

/// The events that a backend reports now.
fn events(backend: &mut impl Backend) -> Vec<Event> {
    let mut events = Vec::new();
    backend.wait(Some(0), &mut events).unwrap();
    events
}

#[test]
fn a_loop_connects_to_another() {
    let (mut world, network) = with_faults(3, Faults::calm());
    let mut script = Script::echo();
    let mut backend = network.backend();
    let token = Token(7);
    let address: SocketAddr = ADDRESS.parse().unwrap();
    let (mut socket, peer) = backend.connect(&ConnectAddress::Tcp(address)).unwrap();
    assert_eq!(peer.remote, Some(address));
    backend.attach(&mut socket, token).unwrap();
    let told = events(&mut backend);
    assert!(told.len() == 1 && told[0].writable && !told[0].failed);
    assert!(events(&mut backend).is_empty(), "it is told once");
    let mut rope = Rope::with_buffer(Vec::new());
    rope.tail().extend_from_slice(b"there and back");
    let sent = backend.send(&mut socket, &mut rope, 99, &mut drop).unwrap();
    assert_eq!((sent.bytes, sent.blocked), (14, false));
    settle(&mut world, &mut script);
    assert!(events(&mut backend)[0].readable);
    let mut buffer = dunlin_reactor::Buffer::from_vec(Vec::with_capacity(100));
    assert_eq!(
        backend.receive(&mut socket, &mut buffer, 99).unwrap().bytes,
        14
    );
    assert_eq!(buffer.as_slice(), b"there and back");
    drop(socket);
    settle(&mut world, &mut script);
    assert!(script.open.is_empty());
    assert_eq!(network.links(), 0);
}

#[test]
fn a_loop_that_connects_to_nobody_is_told() {
    let network = Network::with_faults(
        1,
        Faults {
            latency_up_us: 10..=10,
            latency_down_us: 20..=20,
            ..Faults::calm()
        },
    );
    let mut event_loop = EventLoop::new(network.backend(), Limits::default());
    let backend = event_loop.backend();
    let address: SocketAddr = ADDRESS.parse().unwrap();
    let (mut socket, _) = backend.connect(&ConnectAddress::Tcp(address)).unwrap();
    backend.attach(&mut socket, Token(7)).unwrap();
    assert!(events(backend).is_empty());
    network.clock().advance_us(30);
    let told = events(backend);
    assert!(told.len() == 1 && told[0].failed && !told[0].writable);
    let error = backend.take_error(&mut socket).unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    drop(socket);
    assert_eq!(network.links(), 0);
}
