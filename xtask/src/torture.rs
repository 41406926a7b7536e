//! `cargo xtask torture`: what a server must survive. Connections by the hundred thousand that leave nothing behind, and an end under load
//! that cuts no reply.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::build;
use crate::client::{Client, encode};
use crate::server::{Launch, Server};

/// Connects and disconnects.
const CONNECTS: usize = 100_000;
/// Those before the first look, so that what is allocated once is there.
const WARM_UP: usize = 2_000;
/// Loopback addresses to come from, so that no port range runs dry.
const ADDRESSES: usize = 8;
/// Growth of resident memory that is no leak: 100,000 connections that each left 32 bytes would pass it.
const GROWTH_BYTES_MAX: u64 = 3 << 20;
/// How long an end under load may take.
const STOP_LIMIT_S: u64 = 10;
/// Connections that load the server when it is told to stop.
const LOADERS: usize = 8;
/// Requests in each write of these, and bytes in each reply's value.
const LOADER_BATCH: usize = 32;
const LOADER_VALUE_BYTES: usize = 10_000;

/// What to do.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How many connects and disconnects.
    #[arg(long, default_value_t = CONNECTS)]
    connects: usize,
    /// How many ends under load.
    #[arg(long, default_value_t = 10)]
    stops: usize,
    /// Run this program instead of building Dunlin.
    #[arg(long)]
    server: Option<PathBuf>,
}

impl Arguments {
    /// The small run of `cargo xtask ci`.
    pub(crate) fn smoke() -> Arguments {
        Arguments {
            connects: CONNECTS / 10,
            stops: 3,
            server: None,
        }
    }
}

/// Runs both; an error says what was found.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = match &arguments.server {
        Some(path) => std::path::absolute(path)?,
        None => build::release()?,
    };
    // Connections come from 127.0.0.2 and up, which redis-server takes for strangers.
    let launch = Launch::new("tortured", &program).with(&["--protected-mode", "no"]);
    connects(&launch.start()?, arguments.connects)?;
    for _ in 0..arguments.stops {
        stop_under_load(launch.start()?)?;
    }
    Ok(())
}

/// Connects and disconnects by reset, half of them after a request, and looks for what is left.
fn connects(server: &Server, count: usize) -> Result<()> {
    for index in 0..WARM_UP {
        visit(server.port, index)?;
    }
    let descriptors = settled_descriptors(server)?;
    let memory = server.rss_bytes()?;
    let began = Instant::now();
    for index in 0..count {
        visit(server.port, index)?;
    }
    let took = began.elapsed();
    let descriptors_after = settled_descriptors(server)?;
    let growth = server.rss_bytes()?.saturating_sub(memory);
    println!(
        "{count} connects in {:.1} s: descriptors {descriptors} -> {descriptors_after}, memory +{} KiB",
        took.as_secs_f64(),
        growth / 1024
    );
    ensure!(descriptors_after <= descriptors, "descriptors leak");
    ensure!(
        growth <= GROWTH_BYTES_MAX,
        "memory leaks: {growth} bytes after {count} connects"
    );
    Ok(())
}

/// The number of open descriptors once it no longer falls.
fn settled_descriptors(server: &Server) -> Result<usize> {
    let mut last = server.descriptors()?;
    loop {
        thread::sleep(Duration::from_millis(300));
        let now = server.descriptors()?;
        if now >= last {
            return Ok(last);
        }
        last = now;
    }
}

/// One connection from one of several addresses, ended by a reset; every other one has asked something.
fn visit(port: u16, index: usize) -> Result<()> {
    let from = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + index % ADDRESSES)?);
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    bind(&socket, &SocketAddr::V4(SocketAddrV4::new(from, 0)))?;
    connect(
        &socket,
        &SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)),
    )
    .with_context(|| format!("connect {index}"))?;
    if index.is_multiple_of(2) {
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"PING\r\n")?;
        let mut reply = [0; 7];
        stream.read_exact(&mut reply)?;
        ensure!(&reply == b"+PONG\r\n", "connect {index}: no PONG");
    }
    Ok(())
}

/// Tells a loaded server to stop: it must end by itself in time, with code 0, and every byte that it sent must make whole replies.
fn stop_under_load(mut server: Server) -> Result<()> {
    let value = vec![b'v'; LOADER_VALUE_BYTES];
    server.client()?.call(&[b"SET", b"big", &value])?;
    let replies = AtomicUsize::new(0);
    let port = server.port;
    thread::scope(|scope| -> Result<()> {
        let loaders: Vec<_> = (0..LOADERS)
            .map(|_| {
                let replies = &replies;
                scope.spawn(move || load_until_the_end(port, replies))
            })
            .collect();
        thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        server.signal_term()?;
        let status = server.wait(Duration::from_secs(STOP_LIMIT_S))?;
        let took = began.elapsed();
        let Some(status) = status else {
            drop(server);
            bail!("the server did not stop within {STOP_LIMIT_S} s");
        };
        for loader in loaders {
            loader.join().expect("a loader does not panic")?;
        }
        println!(
            "TERM under load: {status} after {} ms, {} whole replies, none cut",
            took.as_millis(),
            replies.load(Ordering::Relaxed)
        );
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    })
}

/// Pipelines GETs of a big value until the connection ends; an error when it ends inside a reply.
fn load_until_the_end(port: u16, replies: &AtomicUsize) -> Result<()> {
    let reply_bytes = format!("${LOADER_VALUE_BYTES}\r\n").len() + LOADER_VALUE_BYTES + 2;
    let mut batch = Vec::new();
    for _ in 0..LOADER_BATCH {
        encode(&mut batch, &[b"GET", b"big"]);
    }
    let client = Client::connect(port)?;
    let mut stream = client.socket().try_clone()?;
    let mut buffer = vec![0; 1 << 16];
    let (mut received, mut sent) = (0, 0);
    loop {
        if received >= sent * reply_bytes {
            // The server may have closed already; what it sent before is still to be read.
            let _ = stream.write_all(&batch);
            sent += LOADER_BATCH;
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => received += bytes,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error).context("a loader's connection"),
        }
    }
    let cut = received % reply_bytes;
    ensure!(
        cut == 0,
        "a reply was cut: {cut} of {reply_bytes} bytes came"
    );
    replies.fetch_add(received / reply_bytes, Ordering::Relaxed);
    Ok(())
}
