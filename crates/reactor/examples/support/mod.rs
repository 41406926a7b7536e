//! What the examples share: their flags, the choice of a backend, and their end at a signal.

#![allow(dead_code)]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::thread;

use dunlin_reactor::{
    Clock, Epoll, EpollLevel, EventLoopPool, Handler, Limits, ListenAddress, Poll, Remote, Rope,
    Select, SystemBackend, SystemClock, TcpServer, Uring,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Flags that each take a value: `--port 7777`.
pub(crate) struct Flags {
    given: Vec<(String, String)>,
}

impl Flags {
    /// Reads the command line; only `known` flags may stand there.
    pub(crate) fn read(known: &[&str]) -> Result<Flags, String> {
        let mut given = Vec::new();
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            if !known.contains(&name.as_str()) {
                return Err(format!(
                    "unknown flag {name}; there are {}",
                    known.join(", ")
                ));
            }
            let value = words.next().ok_or(format!("{name} wants a value"))?;
            given.push((name, value));
        }
        Ok(Flags { given })
    }

    /// The flag's value, or what it is without one.
    pub(crate) fn value<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        match self.given.iter().rfind(|(given, _)| given == name) {
            None => Ok(default),
            Some((_, value)) => value
                .parse()
                .map_err(|_| format!("{name}: {value} is not a value that fits")),
        }
    }
}

/// Serves on `--port` of this machine, on `--backend`, until a signal ends it in order (a second one at once). Says where it listens,
/// and how it ended. `make` makes the handler of each loop.
#[allow(clippy::print_stdout)]
pub(crate) fn serve<H: Handler>(
    flags: &Flags,
    name: &str,
    threads: usize,
    limits: &Limits,
    make: impl Fn(Remote) -> H + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let mut server = TcpServer::new();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, flags.value("--port", 7777)?));
    let bound = server.listen(&ListenAddress::Tcp(address))?;
    let backend: String = flags.value("--backend", "epoll".into())?;
    let pool = match backend.as_str() {
        "epoll" => start::<Epoll, H>(server, name, threads, limits, make)?,
        "epoll-level" => start::<EpollLevel, H>(server, name, threads, limits, make)?,
        "io_uring" => start::<Uring, H>(server, name, threads, limits, make)?,
        "poll" => start::<Poll, H>(server, name, threads, limits, make)?,
        "select" => start::<Select, H>(server, name, threads, limits, make)?,
        _ => return Err("--backend: epoll, epoll-level, io_uring, poll or select".into()),
    };
    stop_on_signals(pool.remotes().to_vec())?;
    println!("listening on {bound}");
    let report = pool.join()?;
    println!("stopped, {} connections were cut", report.cut);
    Ok(())
}

fn start<B: SystemBackend, H: Handler>(
    server: TcpServer,
    name: &str,
    threads: usize,
    limits: &Limits,
    make: impl Fn(Remote) -> H + Send + Sync + 'static,
) -> Result<EventLoopPool, dunlin_reactor::Error> {
    let loops = server.into_loops::<B>(threads, limits)?;
    EventLoopPool::start(loops, name, move |event_loop| make(event_loop.remote()))
}

fn stop_on_signals(loops: Vec<Remote>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGQUIT, SIGTERM, SIGINT])?;
    thread::spawn(move || {
        for (nth, _) in signals.forever().enumerate() {
            let now_ms = SystemClock.monotonic_us() / 1_000;
            let deadline_ms = match nth {
                0 => now_ms + Limits::default().stop_ms,
                _ => 0,
            };
            loops.iter().for_each(|remote| remote.stop(deadline_ms));
        }
    });
    Ok(())
}

/// Output that is one text.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Rope {
    let mut rope = Rope::with_buffer(Vec::new());
    rope.tail().extend_from_slice(bytes.as_ref());
    rope
}

/// The whole lines at the front of `bytes`, without their ends, and how long they are together. At the end of a stream the rest
/// counts as a line.
pub(crate) fn lines(bytes: &[u8], at_end: bool) -> (Vec<&[u8]>, usize) {
    let whole = match bytes.iter().rposition(|b| *b == b'\n') {
        _ if at_end => bytes.len(),
        Some(newline) => newline + 1,
        None => 0,
    };
    let lines = bytes[..whole].split_inclusive(|b| *b == b'\n');
    let trimmed = lines.map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    });
    (trimmed.collect(), whole)
}
