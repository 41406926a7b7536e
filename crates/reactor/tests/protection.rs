//! What keeps a loop usable in a storm, on every backend: the rate of accepting, places per address, the pace of requests, the ceiling
//! over buffers, the lane.

#[macro_use]
mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use common::{Script, Wire, World, in_memory, on_system, reply};
use dunlin_reactor::backend::Backend;
use dunlin_reactor::{Limits, ListenAddress, ListenOptions, Listener, Rope, SystemBackend};

macro_rules! everywhere {
    ($name:ident, $limits:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn memory() {
                for seed in 0..5 {
                    super::$name(in_memory(seed, $limits).0);
                }
            }

            for_each_system_backend!(on_one($name, $limits));
        }
    };
}

macro_rules! on_one {
    (($name:ident, $limits:expr) $id:ident $backend:ty) => {
        #[test]
        fn $id() {
            if let Some(world) = on_system::<$backend>($limits) {
                super::$name(world);
            }
        }
    };
}

fn few_per_address() -> Limits {
    Limits {
        connections_per_address: 3,
        ..Limits::default()
    }
}

everywhere!(an_address_has_so_many_places, few_per_address());
fn an_address_has_so_many_places<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::echo();
    let mut clients: Vec<C> = (0..3)
        .map(|_| world.connect_opened(&mut script).0)
        .collect();
    let mut extra = world.connect();
    let (got, _) = world.read_to_end(&mut script, &mut extra);
    assert!(got.is_empty());
    assert_eq!(world.event_loop.stats().address_refusals, 1);
    assert_eq!(script.open.len(), 3);
    // The others did not notice, and a place comes free when one goes.
    clients[1].write(b"hello").unwrap();
    assert_eq!(world.read_exact(&mut script, &mut clients[1], 5), b"hello");
    clients.pop();
    world.until(&mut script, |s| s.open.len() == 2);
    // On a real network the socket is gone a turn after its connection.
    world.steps(&mut script, 5);
    let (mut late, _) = world.connect_opened(&mut script);
    late.write(b"me too").unwrap();
    assert_eq!(world.read_exact(&mut script, &mut late, 6), b"me too");
}

fn slow_accepts() -> Limits {
    Limits {
        accepts_per_s: 5,
        ..Limits::default()
    }
}

everywhere!(the_rate_of_accepting_is_kept, slow_accepts());
fn the_rate_of_accepting_is_kept<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::echo();
    let before_ms = world.event_loop.io().now_ms();
    let _clients: Vec<C> = (0..8).map(|_| world.connect()).collect();
    world.until(&mut script, |s| s.open.len() >= 5);
    let passed_ms = world.event_loop.io().now_ms() - before_ms;
    assert!(
        script.open.len() as u64 <= 5 + passed_ms / 200,
        "{} in {passed_ms} ms",
        script.open.len()
    );
    assert!(world.event_loop.stats().accept_throttles <= 4);
    for _ in 0..40 {
        world.pass_ms(50);
        world.steps(&mut script, 20);
    }
    assert_eq!(script.open.len(), 8, "the others come in time");
    assert!(world.event_loop.stats().accept_throttles >= 1);
}

fn paced() -> Limits {
    Limits {
        request_pace_ms: 1_000,
        request_pace_bytes: 10,
        ..Limits::default()
    }
}

/// Understands lines.
fn lines() -> Script {
    Script::new(|_, io, batch| {
        for input in batch {
            while let Some(at) = input.bytes().iter().position(|b| *b == b'\n') {
                reply(io, input.conn(), &input.bytes()[..=at]);
                input.consume(at + 1);
            }
        }
    })
}

everywhere!(who_never_finishes_a_request_is_cut, paced());
fn who_never_finishes_a_request_is_cut<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = lines();
    let (mut idle, _) = world.connect_opened(&mut script);
    let (mut loris, slow) = world.connect_opened(&mut script);
    let (mut large, fast) = world.connect_opened(&mut script);
    // One byte now and then, and what is long but goes on.
    for _ in 0..40 {
        loris.write(b"x").unwrap();
        large.write(b"twelve bytes").unwrap();
        world.steps(&mut script, 10);
        world.pass_ms(100);
        world.steps(&mut script, 10);
        if !script.closed.is_empty() {
            break;
        }
    }
    assert_eq!(script.closed, [(slow, "SlowRequest".into())]);
    world.write_all(&mut script, &mut large, b"\n");
    world.until(&mut script, |_| true);
    assert!(script.open.contains(&fast));
    // Who is between two requests may take his time.
    world.pass_ms(2_500);
    world.steps(&mut script, 10);
    idle.write(b"hello\n").unwrap();
    assert_eq!(world.read_exact(&mut script, &mut idle, 6), b"hello\n");
}

fn little_memory() -> Limits {
    Limits {
        buffer_memory_bytes_max: 2_000_000,
        output_soft_bytes: usize::MAX,
        ..Limits::default()
    }
}

everywhere!(the_greediest_is_cut_at_the_ceiling, little_memory());
fn the_greediest_is_cut_at_the_ceiling<B: Backend, C: Wire>(mut world: World<B, C>) {
    // Each byte asks for 100,000; nobody reads.
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            for _ in 0..input.bytes().len() {
                let mut rope = Rope::new();
                rope.push_owned(vec![b'z'; 100_000]);
                io.send(input.conn(), &mut rope);
            }
            let n = input.bytes().len();
            input.consume(n);
        }
    });
    let (mut modest, small) = world.connect_opened(&mut script);
    let (mut greedy, big) = world.connect_opened(&mut script);
    modest.write(b"m").unwrap();
    // Some megabytes go to the system's own buffers first.
    for _ in 0..200 {
        if greedy.write(b"gggggggggg").is_err() || !script.closed.is_empty() {
            break;
        }
        world.steps(&mut script, 3);
        let used = world.event_loop.io().buffer_memory_bytes();
        assert!(used < 4_000_000, "{used}");
    }
    world.until(&mut script, |s| !s.closed.is_empty());
    assert_eq!(script.closed, [(big, "BufferCeiling".into())]);
    assert!(script.open.contains(&small));
    assert_eq!(
        world.read_exact(&mut script, &mut modest, 100_000).len(),
        100_000
    );
}

macro_rules! lane_on {
    (() $id:ident $backend:ty) => {
        #[test]
        fn $id() {
            let limits = Limits {
                accepts_per_s: 1,
                connections_per_address: 2,
                ..Limits::default()
            };
            if let Some(world) = on_system::<$backend>(limits) {
                super::the_lane_is_open_in_a_storm(world, stringify!($id));
            }
        }
    };
}

mod lane {
    use super::*;
    for_each_system_backend!(lane_on());
}

fn the_lane_is_open_in_a_storm<B: SystemBackend>(mut world: World<B, TcpStream>, name: &str) {
    let mut script = Script::echo();
    let path = std::env::temp_dir().join(format!("dunlin-lane-{name}-{}", std::process::id()));
    let address = ListenAddress::Unix {
        path: path.clone(),
        mode: None,
    };
    let listener = Listener::bind(&address, &ListenOptions::default()).unwrap();
    world.event_loop.add_lane(listener).unwrap();
    // The storm: far more than the rate and the address allow.
    let _storm: Vec<TcpStream> = (0..50).map(|_| world.connect()).collect();
    world.steps(&mut script, 20);
    let stuck = script.open.len();
    assert!(stuck <= 2, "{stuck}");
    let mut admins: Vec<UnixStream> = Vec::new();
    for _ in 0..5 {
        let mut admin = UnixStream::connect(&path).unwrap();
        admin.set_nonblocking(true).unwrap();
        admin.write_all(b"still there?").unwrap();
        let mut got = Vec::new();
        while got.len() < 12 {
            world.step(&mut script);
            let mut bytes = [0; 12];
            if let Ok(n) = admin.read(&mut bytes) {
                got.extend_from_slice(&bytes[..n]);
            }
        }
        assert_eq!(got, b"still there?");
        admins.push(admin);
    }
    drop(admins);
}
