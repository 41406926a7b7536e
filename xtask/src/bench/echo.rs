//! Our event loop beside other runtimes, with nothing on top: CPU per message of an echo server on each.
//!
//! The peers are in bench/echo-peers, outside the workspace, and built here alone; a quick run leaves them out. The load is our own, since
//! redis-benchmark needs a server that answers: connections on one thread, each with so many messages in flight.
//!
//! Invariant: every byte that comes back is compared with what was sent.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Plan;
use super::report::{Bar, Better, Report, Row, Sides, median};
use crate::build;
use crate::server::{Launch, Server};

const NAME: &str = "echo";
const TITLE: &str = "Echo servers on our event loop and on others";

const CONNECTIONS: usize = 50;
const MESSAGE_BYTES: usize = 64;
/// Messages in flight for each connection: where system calls are the cost, and where they are shared.
const IN_FLIGHT: [usize; 2] = [1, 16];
const IN_FLIGHT_MAX: usize = 16;
/// CPU per message of ours beside a peer's.
const CPU_BAR: f64 = 1.0;
/// How long nothing may come back before the server counts as hanging.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// Which way round the servers stand in [`measure`].
const OURS: [(usize, &str); 2] = [(0, "io_uring"), (1, "epoll")];
const PEERS: [(usize, &str); 2] = [(2, "tokio"), (3, "monoio")];
const SERVERS: usize = 4;

/// The heads of the columns: neither side is a store here.
pub(super) fn sides() -> Sides {
    Sides {
        ours: "dunlin-reactor".to_owned(),
        peer: "the peer".to_owned(),
    }
}

/// Measures all servers with each number of messages in flight.
pub(super) fn measure(plan: &Plan) -> Result<Report> {
    if plan.quick {
        return Ok(Report {
            name: NAME,
            title: TITLE,
            how: "Left out of a quick run, which does not build the peers (bench/echo-peers)."
                .to_owned(),
            rows: Vec::new(),
        });
    }
    let ours = build::echo()?;
    let [tokio, monoio] = build::echo_peers()?;
    let servers = [
        start(plan, Launch::new("io_uring", &ours), Some("io_uring"))?,
        start(plan, Launch::new("epoll", &ours), Some("epoll"))?,
        start(plan, Launch::new("tokio", &tokio), None)?,
        start(plan, Launch::new("monoio", &monoio), None)?,
    ];
    let mut rows = Vec::new();
    for in_flight in IN_FLIGHT {
        let cpu_us = compare(plan, &servers, in_flight)?;
        for (peer, peer_name) in PEERS {
            for (backend, backend_name) in OURS {
                rows.push(Row {
                    what: format!(
                        "{in_flight} in flight, server CPU, {backend_name} beside {peer_name}"
                    ),
                    unit: "us/message",
                    ours: cpu_us[backend],
                    peer: cpu_us[peer],
                    better: Better::Less,
                    bar: Bar::RatioAtMost(CPU_BAR),
                    floor: None,
                    charted: true,
                });
            }
        }
    }
    Ok(Report {
        name: NAME,
        title: TITLE,
        how: format!(
            "{CONNECTIONS} connections on another core than the server, which has one thread on one core; messages of {MESSAGE_BYTES} bytes, all \
             echoes compared; medians of {} rounds, the servers taking turns. Ours is crates/reactor/examples/echo_bytes.rs; the peers are \
             bench/echo-peers: tokio (epoll) and monoio (io_uring), a task for each connection that reads and writes back.",
            plan.rounds
        ),
        rows,
    })
}

fn start(plan: &Plan, launch: Launch, backend: Option<&str>) -> Result<Server> {
    let name = launch.name.clone();
    let launch = launch.on(&plan.cores.one);
    let launch = match backend {
        Some(backend) => launch.with(&["--backend", backend]),
        None => launch,
    };
    launch
        .start()
        .with_context(|| format!("the echo server on {name}"))
}

/// CPU per message of each server in microseconds: the medians of rounds in which they take turns.
fn compare(plan: &Plan, servers: &[Server; SERVERS], in_flight: usize) -> Result<[f64; SERVERS]> {
    let mut cpu_us = [const { Vec::new() }; SERVERS];
    let mut messages = [plan.calibration_requests; SERVERS];
    for round in 0..=plan.rounds {
        for (side, server) in servers.iter().enumerate() {
            let mut load = Load::connect(server.port)?;
            let cpu_before_ns = server.cpu_ns()?;
            let took = load.run(messages[side], in_flight)?;
            let cpu_ns = server.cpu_ns()? - cpu_before_ns;
            if round == 0 {
                // The first tells how much fits into a round, and warms up.
                let messages_per_s = messages[side] as f64 / took.as_secs_f64();
                messages[side] =
                    ((messages_per_s * plan.round_s) as usize).max(plan.calibration_requests);
            } else {
                cpu_us[side].push(cpu_ns as f64 / 1000.0 / messages[side] as f64);
            }
        }
    }
    Ok(cpu_us.map(|rounds| median(&rounds)))
}

/// The connections of the load.
struct Load {
    connections: Vec<Connection>,
    /// Messages in a row, and one more, so that a piece of the stream is found in it wherever the piece begins.
    sent: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Bytes that came back.
    received: usize,
}

impl Load {
    fn connect(port: u16) -> Result<Load> {
        let connections = (0..CONNECTIONS)
            .map(|_| {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Ok(Connection {
                    stream,
                    received: 0,
                })
            })
            .collect::<Result<_>>()?;
        let message = (0..MESSAGE_BYTES).map(|index| b' ' + index as u8);
        let sent = message.cycle().take((IN_FLIGHT_MAX + 1) * MESSAGE_BYTES);
        Ok(Load {
            connections,
            sent: sent.collect(),
        })
    }

    /// Sends `messages` in all, `in_flight` at once for each connection, and waits until all are back. Returns how long it took.
    fn run(&mut self, messages: usize, in_flight: usize) -> Result<Duration> {
        let started = Instant::now();
        let mut unsent = messages;
        let mut missing = messages;
        for connection in &mut self.connections {
            let first = in_flight.min(unsent);
            unsent -= first;
            connection.send(&self.sent[..first * MESSAGE_BYTES])?;
        }
        while missing > 0 {
            for index in ready(&self.connections)? {
                let connection = &mut self.connections[index];
                let back = connection.receive(&self.sent)?;
                missing -= back;
                let next = back.min(unsent);
                unsent -= next;
                connection.send(&self.sent[..next * MESSAGE_BYTES])?;
            }
        }
        Ok(started.elapsed())
    }
}

impl Connection {
    /// Sends whole messages. What is in flight is far below what a socket takes, so that an error here is one.
    fn send(&mut self, messages: &[u8]) -> Result<()> {
        if !messages.is_empty() {
            self.stream.write_all(messages)?;
        }
        Ok(())
    }

    /// Takes what has come back, and says how many messages that completes.
    fn receive(&mut self, sent: &[u8]) -> Result<usize> {
        let mut bytes = [0; IN_FLIGHT_MAX * MESSAGE_BYTES];
        let read = self.stream.read(&mut bytes)?;
        ensure!(read > 0, "the echo server closed a connection");
        let from = self.received % MESSAGE_BYTES;
        ensure!(
            bytes[..read] == sent[from..from + read],
            "the echo is not what was sent"
        );
        let whole_before = self.received / MESSAGE_BYTES;
        self.received += read;
        Ok(self.received / MESSAGE_BYTES - whole_before)
    }
}

/// The connections that something has come back on; waits for the first.
fn ready(connections: &[Connection]) -> Result<Vec<usize>> {
    let mut polled: Vec<PollFd<'_>> = connections
        .iter()
        .map(|connection| PollFd::new(&connection.stream, PollFlags::IN))
        .collect();
    let limit = Timespec::try_from(SILENCE_LIMIT)?;
    let count = poll(&mut polled, Some(&limit))?;
    ensure!(count > 0, "no echo for {} s", SILENCE_LIMIT.as_secs());
    let ready = polled
        .iter()
        .enumerate()
        .filter(|(_, fd)| !fd.revents().is_empty());
    Ok(ready.map(|(index, _)| index).collect())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers what `reply` makes of each piece, until the load has gone.
    fn server(reply: fn(&mut [u8])) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for stream in listener.incoming().take(CONNECTIONS) {
                let mut stream = stream.expect("it connects");
                thread::spawn(move || {
                    let mut bytes = [0; 100];
                    while let Ok(read @ 1..) = stream.read(&mut bytes) {
                        reply(&mut bytes[..read]);
                        if stream.write_all(&bytes[..read]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        port
    }

    #[test]
    fn echoes_in_odd_pieces_are_counted() {
        let mut load = Load::connect(server(|_| ())).expect("it connects");
        load.run(10_001, IN_FLIGHT_MAX).expect("all come back");
        let bytes: usize = load.connections.iter().map(|c| c.received).sum();
        assert_eq!(bytes, 10_001 * MESSAGE_BYTES);
    }

    #[test]
    fn a_wrong_byte_is_seen() {
        let port = server(|bytes| bytes[0] ^= 1);
        let mut load = Load::connect(port).expect("it connects");
        assert!(load.run(100, 1).is_err());
    }
}
