//! The reconnecting client on networks that lose its connections, on virtual time: whatever happens, it comes back, and it never
//! hurries.

mod common;

use std::net::SocketAddr;

use common::{Script, reply};
use dunlin_reactor::backend::memory::{Faults, Memory, Network};
use dunlin_reactor::{
    Clock, CloseReason, ConnId, ConnectAddress, EventLoop, Handler, Input, Io, Limits, Peer,
    RetryLimits, Rope, Sleep, TcpClient,
};

const SEEDS: u64 = 60;

const RETRY: u64 = 1;
const PING: u64 = 2;

/// A ping so often, and an answer within the other, or the connection is given up.
const PING_EVERY_MS: u64 = 1_000;
const ANSWER_WITHIN_MS: u64 = 4_000;

/// Sends a byte now and then, and hangs up on a server that does not send it back.
struct Pinger {
    client: TcpClient,
    pongs: usize,
    connections: usize,
    /// When the last connection or attempt ended.
    ended_ms: Option<u64>,
    /// The shortest time from there to the next attempt.
    shortest_wait_ms: u64,
}

impl Pinger {
    fn note_wait(&mut self, io: &Io<'_>) {
        if let Some(ended_ms) = self.ended_ms.take() {
            let waited_ms = io.now_ms() - ended_ms;
            self.shortest_wait_ms = self.shortest_wait_ms.min(waited_ms);
        }
    }
}

impl Handler for Pinger {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        assert!(self.client.connected(io, conn));
        self.connections += 1;
        io.set_timer(io.now_ms(), PING);
        let deadline_ms = io.now_ms() + ANSWER_WITHIN_MS;
        io.set_read_deadline(conn, Some(deadline_ms));
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            assert_eq!(Some(input.conn()), self.client.connection());
            self.pongs += input.bytes().len();
            input.consume(input.bytes().len());
            let deadline_ms = io.now_ms() + ANSWER_WITHIN_MS;
            io.set_read_deadline(input.conn(), Some(deadline_ms));
        }
    }

    fn read_deadline(&mut self, io: &mut Io<'_>, conn: ConnId, _: usize) {
        // A connection that was cut: nobody else will say so.
        io.close(conn);
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        if token == RETRY {
            self.note_wait(io);
        }
        if self.client.timer(io, token) {
            return;
        }
        if let Some(conn) = self.client.connection() {
            let mut rope = Rope::with_buffer(io.buffer());
            rope.tail().push(b'.');
            io.send(conn, &mut rope);
            io.set_timer(io.now_ms() + PING_EVERY_MS, PING);
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, _: CloseReason) {
        assert!(self.client.closed(io, conn), "there was another one");
        self.ended_ms = Some(io.now_ms());
        assert_eq!(io.connections(), 0, "one at a time");
    }
}

struct World {
    network: Network,
    server: EventLoop<Memory>,
    /// The server's handler.
    echo: Script,
    client: EventLoop<Memory>,
    pinger: Pinger,
}

impl World {
    fn new(seed: u64) -> World {
        let network = Network::with_faults(seed, Faults::random(seed));
        let mut client = EventLoop::new(network.backend(), Limits::default());
        let address = ConnectAddress::Tcp(address());
        let mut upstream = TcpClient::new(address, RETRY, seed);
        upstream.start(&mut client.io());
        World {
            server: EventLoop::new(network.backend(), Limits::default()),
            network,
            echo: fickle_echo(),
            client,
            pinger: Pinger {
                client: upstream,
                pongs: 0,
                connections: 0,
                ended_ms: None,
                shortest_wait_ms: u64::MAX,
            },
        }
    }

    fn run_ms(&mut self, ms: u64) {
        let clock = self.network.clock();
        let until_us = clock.monotonic_us() + ms * 1_000;
        while clock.monotonic_us() < until_us {
            if self.client.is_runnable() {
                self.client.run_once(&mut self.pinger).unwrap();
                continue;
            }
            if self.server.is_runnable() {
                self.server.run_once(&mut self.echo).unwrap();
                self.echo.log.clear();
                self.echo.closed.clear();
                continue;
            }
            let sleeps = [self.client.sleep(), self.server.sleep()].map(|sleep| match sleep {
                Sleep::Until(at_ms) => at_ms * 1_000,
                Sleep::None | Sleep::Forever => u64::MAX,
            });
            let next_us = self.network.next_us().unwrap_or(u64::MAX);
            let next_us = next_us.min(sleeps[0]).min(sleeps[1]).min(until_us);
            let now_us = clock.monotonic_us();
            clock.advance_us(next_us.saturating_sub(now_us).max(1));
        }
    }
}

/// Echoes, and hangs up on every twentieth ping: each new connection is a new chance for the network.
fn fickle_echo() -> Script {
    let mut pings = 0;
    Script::new(move |_, io, batch| {
        for input in batch {
            pings += 1;
            reply(io, input.conn(), input.bytes());
            input.consume(input.bytes().len());
            if pings % 20 == 0 {
                io.close(input.conn());
            }
        }
    })
}

fn address() -> SocketAddr {
    "10.0.0.1:7000".parse().unwrap()
}

#[test]
fn it_comes_back_over_every_network() {
    let mut lost = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        // Nobody listens yet; then ten minutes of whatever this seed's network does.
        world.run_ms(20_000);
        assert_eq!(world.pinger.connections, 0, "seed {seed}");
        let listener = world.network.listen(address()).unwrap();
        world.server.add_listener(listener).unwrap();
        world.run_ms(600_000);
        lost += world.pinger.connections.saturating_sub(1);
        // The network calms down; what it has struck is found out, and the longest wait passes.
        world.network.set_faults(Faults::calm());
        world.run_ms(2 * RetryLimits::default().wait_max_ms + 2 * ANSWER_WITHIN_MS + 20_000);
        let pongs = world.pinger.pongs;
        world.run_ms(100 * PING_EVERY_MS);
        // The server's hanging up costs a ping and a short wait each time.
        assert!(world.pinger.pongs >= pongs + 80, "seed {seed}");
        let least_ms = RetryLimits::default().quick_wait_ms / 2;
        let shortest_ms = world.pinger.shortest_wait_ms;
        assert!(
            shortest_ms >= least_ms,
            "seed {seed}: it waited {shortest_ms} ms only"
        );
    }
    assert!(
        lost > 1_000,
        "only {lost} connections were lost: the networks are too good"
    );
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let life = |seed| {
        let mut world = World::new(seed);
        let listener = world.network.listen(address()).unwrap();
        world.server.add_listener(listener).unwrap();
        world.run_ms(300_000);
        let p = &world.pinger;
        (
            p.pongs,
            p.connections,
            p.shortest_wait_ms,
            *world.client.stats(),
        )
    };
    assert_eq!(life(7), life(7));
    assert_ne!(life(7), life(8));
}
