//! A client of the echo server: some connections at once, each of which sends lines and looks whether they come back.
//!
//! `cargo run --release -p dunlin-reactor --example echo_client -- --port 7777 --threads 4 --lines 1000`
//!
//! It shows the other way to do I/O: one thread per connection that waits, with deadlines. See `echo.rs` for the server.
//!
//! Invariant: it never waits longer than [`ANSWER_TIMEOUT`] for a line, and ends with an error if one does not come back as it was.

mod support;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use dunlin_reactor::{BlockingStream, CONNECT_TIMEOUT, ConnectAddress, ThreadPool};
use support::Flags;

/// How long a line may take to come back.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends `lines` lines, one after the other.
fn converse(address: &ConnectAddress, lines: usize) -> Result<(), String> {
    let mut writer =
        BlockingStream::connect(address, CONNECT_TIMEOUT).map_err(|e| e.to_string())?;
    let mut reader = BufReader::new(writer.try_clone().map_err(|e| e.to_string())?);
    for n in 0..lines {
        let deadline = Some(Instant::now() + ANSWER_TIMEOUT);
        writer.set_write_deadline(deadline);
        reader.get_mut().set_read_deadline(deadline);
        let sent = format!("line {n}\n");
        writer
            .write_full(sent.as_bytes())
            .map_err(|e| e.to_string())?;
        let mut got = String::new();
        reader.read_line(&mut got).map_err(|e| e.to_string())?;
        if got != sent {
            return Err(format!("{sent:?} came back as {got:?}"));
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&["--port", "--threads", "--lines"])?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, flags.value("--port", 7777)?));
    let threads = flags.value("--threads", 4)?;
    let lines = flags.value("--lines", 1_000)?;
    let pool = ThreadPool::start(threads, "echo-client", threads)?;
    let begun = Instant::now();
    let conversations: Result<Vec<_>, _> = (0..threads)
        .map(|_| pool.enqueue(move || converse(&ConnectAddress::Tcp(address), lines)))
        .collect();
    for conversation in conversations? {
        conversation.join()??;
    }
    let ms = begun.elapsed().as_millis();
    println!("{threads} connections, {lines} lines each, all echoed in {ms} ms");
    Ok(())
}
