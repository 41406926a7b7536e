//! A forwarder: each connection that comes is connected to a server behind it, and bytes go through in both directions.
//!
//! `cargo run --release -p dunlin-reactor --example proxy -- --port 7777 --to 127.0.0.1:6379 --threads 2`
//!
//! It shows connections that the loop makes itself, and backpressure both ways: a side that does not read makes the other one
//! wait, so a transfer of any size goes through in little memory. A side that has said its last word still hears the other's.
//!
//! Invariant: at most [`HELD_BYTES_MAX`] and one turn's input wait for a side that does not read. All bytes that were taken from one
//! side reach the other, in order, and its end behind them, unless that side fails.

mod support;

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use dunlin_reactor::{CloseReason, ConnId, ConnectAddress, Handler, Input, Io, Limits, Peer};
use support::{Flags, serve, text};

/// Above this, the other side is not read. It lies well below [`Limits::output_soft_bytes`], above which a side would not be read
/// for its own unsent output: that a peer does not read is no reason not to hear it, as long as the other side does.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// Below this, it is read again.
const HELD_BYTES_LOW: usize = HELD_BYTES_MAX / 4;

/// One end of a pair.
struct Side {
    other: ConnId,
    /// It has sent its last byte, and that was passed on.
    ended: bool,
}

struct Proxy {
    to: ConnectAddress,
    sides: HashMap<ConnId, Side>,
}

impl Proxy {
    /// One side's bytes, and its end, become the other side's output.
    fn pass_on(&mut self, io: &mut Io<'_>, input: &mut Input) {
        let conn = input.conn();
        let Some(side) = self.sides.get_mut(&conn) else {
            return;
        };
        let other = side.other;
        if !input.bytes().is_empty() {
            let mut rope = dunlin_reactor::Rope::with_buffer(io.buffer());
            rope.tail().extend_from_slice(input.bytes());
            input.consume(input.bytes().len());
            io.send(other, &mut rope);
        }
        if input.is_eof() && !side.ended {
            side.ended = true;
            // Otherwise the loop would close it, as a server does that has answered everything.
            io.pause_input(conn);
            io.shutdown_write(other);
            if self.sides.get(&other).is_some_and(|side| side.ended) {
                io.close_after_flush(conn);
                io.close_after_flush(other);
            }
        }
    }
}

impl Handler for Proxy {
    fn opened(&mut self, io: &mut Io<'_>, client: ConnId, _: &Peer) {
        let server = io.connect(&self.to, None);
        let side = |other| Side {
            other,
            ended: false,
        };
        self.sides.insert(client, side(server));
        self.sides.insert(server, side(client));
        // What it says is left with its system until there is somebody to hear it.
        io.pause_input(client);
    }

    fn connected(&mut self, io: &mut Io<'_>, server: ConnId, _: &Peer) {
        if let Some(side) = self.sides.get(&server) {
            io.resume_input(side.other);
        }
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            self.pass_on(io, input);
        }
    }

    fn backlog(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let Some(other) = self.sides.get(&conn).map(|side| side.other) else {
            return;
        };
        let held = io.output_len(conn);
        // One that has ended stays paused: there is nothing more to read.
        let more_to_come = self.sides.get(&other).is_some_and(|side| !side.ended);
        if held > HELD_BYTES_MAX {
            io.pause_input(other);
        } else if held <= HELD_BYTES_LOW && more_to_come {
            io.resume_input(other);
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        let Some(side) = self.sides.remove(&conn) else {
            return;
        };
        match why {
            CloseReason::Connect(error) => {
                eprintln!("{:?}: {error}", self.to);
                let sorry = format!("error: the server cannot be reached: {error}\n");
                io.send(side.other, &mut text(sorry));
                io.close_after_flush(side.other);
            }
            // What one side lost, the other should not take for a proper end.
            CloseReason::Reset(_) => io.close(side.other),
            _ => io.close_after_flush(side.other),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&["--port", "--backend", "--to", "--threads"])?;
    let to = flags.value("--to", SocketAddr::from((Ipv4Addr::LOCALHOST, 6379)))?;
    let threads = flags.value("--threads", 2)?;
    let make = move |_| Proxy {
        to: ConnectAddress::Tcp(to),
        sides: HashMap::new(),
    };
    serve(&flags, "proxy", threads, &Limits::default(), make)
}
