//! A line-based echo server: every line is sent back, and what stands before the end of the stream without a newline too.
//!
//! `cargo run --release -p dunlin-reactor --example echo -- --port 7777 --threads 4`
//!
//! HUP, QUIT, TERM and INT stop it: it accepts no more, finishes what it has received, and exits after 10 s at the latest,
//! saying how many connections it had to cut. A second signal ends it at once.
//!
//! Invariant: a line is at most [`LINE_BYTES_MAX`] long; a peer that sends a longer one is told so and closed. A peer that
//! does not read its echoes is not read either.

use std::error::Error;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use dunlin_reactor::{
    Clock, CloseReason, ConnId, Handler, Input, Io, Limits, ListenAddress, Peer, Remote, Rope,
    SystemClock, TcpServer,
};

/// The longest line, newline included.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// What a peer with a longer line is told.
pub const TOO_LONG: &[u8] = b"error: line too long\n";

/// The token under which the signals' pipe is watched.
const SIGNALS: u64 = 1;

/// Echoes the lines of one loop's connections.
#[derive(Default)]
pub struct Echo {
    signals: Option<Signals>,
}

/// The pipe that signals are written to, and whom to stop.
struct Signals {
    pipe: UnixStream,
    loops: Vec<Remote>,
    stop_ms: u64,
    seen: usize,
}

impl Handler for Echo {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        if io.is_stopping() {
            io.close(conn);
        }
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let bytes = input.bytes();
            let lines = match bytes.iter().rposition(|b| *b == b'\n') {
                _ if input.is_eof() => bytes.len(),
                Some(newline) => newline + 1,
                None => 0,
            };
            let too_long = bytes
                .split_inclusive(|b| *b == b'\n')
                .any(|line| line.len() > LINE_BYTES_MAX);
            if lines == 0 && !too_long {
                continue;
            }
            let mut reply = Rope::with_buffer(io.buffer());
            reply
                .tail()
                .extend_from_slice(if too_long { TOO_LONG } else { &bytes[..lines] });
            io.send(input.conn(), &mut reply);
            if too_long {
                io.close_after_flush(input.conn());
            }
            input.consume(lines);
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}

    fn accept_paused(&mut self, _: &mut Io<'_>, _: usize, error: &std::io::Error) {
        eprintln!("accepting pauses: {error}");
    }

    fn fd_ready(&mut self, io: &mut Io<'_>, _: u64) {
        let Some(signals) = &mut self.signals else {
            return;
        };
        let mut bytes = [0; 64];
        let read = match signals.pipe.read(&mut bytes) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => {
                eprintln!("signals cannot be read: {error}");
                0
            }
        };
        if read == 0 {
            return;
        }
        let first = signals.seen == 0;
        signals.seen += read;
        let deadline_ms = if signals.seen == 1 {
            io.now_ms() + signals.stop_ms
        } else {
            0
        };
        if first {
            eprintln!("stopping");
        }
        for event_loop in &signals.loops {
            event_loop.stop(deadline_ms);
        }
    }
}

struct Arguments {
    port: u16,
    threads: usize,
    stop_ms: u64,
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments {
        port: 7777,
        threads: 4,
        stop_ms: Limits::default().stop_ms,
    };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or(format!("{name} wants a value"))?;
        let bad = |_| format!("{name}: {value} is not a number that fits");
        match name.as_str() {
            "--port" => found.port = value.parse().map_err(bad)?,
            "--threads" => found.threads = value.parse().map_err(bad)?,
            "--stop-ms" => found.stop_ms = value.parse().map_err(bad)?,
            _ => {
                return Err(format!(
                    "unknown flag {name}; there are --port, --threads, --stop-ms"
                ));
            }
        }
    }
    Ok(found)
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    let Arguments {
        port,
        threads,
        stop_ms,
    } = arguments()?;
    let (read_end, write_end) = UnixStream::pair()?;
    read_end.set_nonblocking(true)?;
    for signal in [SIGHUP, SIGQUIT, SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, write_end.try_clone()?)?;
    }
    let mut server = TcpServer::new();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = server.listen(&ListenAddress::Tcp(address))?;
    let read_end = Arc::new(read_end);
    let pool = server.start(threads, "echo", &Limits::default(), move |event_loop| {
        let mut echo = Echo::default();
        if event_loop.index() == 0 {
            // A server that cannot be stopped orderly should not start.
            let pipe = read_end
                .try_clone()
                .expect("a second descriptor of the signals' pipe");
            let watched = read_end
                .try_clone()
                .expect("a third descriptor of the signals' pipe");
            event_loop
                .watch_fd(watched.into(), SIGNALS)
                .expect("the signals' pipe can be watched");
            echo.signals = Some(Signals {
                pipe,
                loops: event_loop.remotes(),
                stop_ms,
                seen: 0,
            });
        }
        echo
    })?;
    println!("listening on {bound}");
    let started_ms = SystemClock.monotonic_us() / 1_000;
    let report = pool.join()?;
    let ran_ms = SystemClock.monotonic_us() / 1_000 - started_ms;
    println!(
        "stopped after {ran_ms} ms, {} connections were cut",
        report.cut
    );
    Ok(())
}
