//! The step that drives the release binary with clients that people use: redis-py, ioredis, node-redis, and Debian's Prometheus
//! exporter. redis-rs is a test of its own, crates/dunlin/tests/redis_rs.rs.
//!
//! The scripts and the versions are in tests/clients. What can't be had here is left out by name, and the rest is run.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::fetch::{counted, fetch, fetched, folder, node, python};
use super::{Step, Verdict};
use crate::build;
use crate::process::{kill_group, output};
use crate::server::{Launch, Server, free_port};
use crate::workspace::{self, program, scratch};

/// The folder of their scripts, and that below the target directory.
const GROUP: &str = "clients";
/// How long the exporter may take until it serves its page.
const EXPORTER_LIMIT: Duration = Duration::from_secs(10);
const EXPORTER_PACKAGE: &str = "prometheus-redis-exporter";
/// Lines that a scrape without an error shows.
const EXPORTER_LINES: [&str; 14] = [
    "redis_up 1",
    "redis_exporter_last_scrape_error{err=\"\"} 0",
    "redis_instance_info{",
    "redis_uptime_in_seconds ",
    "redis_connected_clients ",
    "redis_blocked_clients ",
    "redis_memory_used_bytes ",
    "redis_memory_max_bytes ",
    "redis_commands_processed_total ",
    "redis_keyspace_hits_total ",
    "redis_expired_keys_total ",
    "redis_evicted_keys_total ",
    "redis_db_keys{db=\"db0\"} ",
    "redis_commands_total{cmd=\"ping\"} ",
];
/// What clients leave when the machine keeps their sources from us; anything else is a failure.
const LEFT_OUT: &str = "  left out: ";

/// A client's own part of the step: how it is had, and how it is run.
struct Part {
    name: &'static str,
    fetch: fn() -> Result<PathBuf>,
    run: fn(&Step, &Server, &Path) -> Result<(usize, usize)>,
}

const PARTS: [Part; 4] = [
    Part {
        name: "redis-py",
        fetch: || python(GROUP),
        run: |step, server, python| {
            let script = folder(GROUP).join("redis_py.py");
            script_of(step, server, Command::new(python).arg(script))
        },
    },
    Part {
        name: "ioredis",
        fetch: || node(GROUP),
        run: |step, server, modules| {
            script_of(
                step,
                server,
                Command::new("node").arg(modules.join("ioredis.cjs")),
            )
        },
    },
    Part {
        name: "node-redis",
        fetch: || node(GROUP),
        run: |step, server, modules| {
            script_of(
                step,
                server,
                Command::new("node").arg(modules.join("node_redis.cjs")),
            )
        },
    },
    Part {
        name: "prometheus-redis-exporter",
        fetch: exporter,
        run: |_, server, program| scrape(server, program),
    },
];

/// Runs every client that can be had here.
pub(super) fn real(step: &Step) -> Result<Verdict> {
    let socket = workspace::empty_scratch("clients/socket")?.join("dunlin");
    let socket = socket.to_str().context("the target directory is no text")?;
    let server = Launch::new("clients", &build::release()?)
        .with(&["--unixsocket", socket, "--unixsocketperm", "700"])
        .start()?;
    let (mut passed, mut failed) = (0, 0);
    let mut left_out = Vec::new();
    for part in &PARTS {
        let place = match (part.fetch)() {
            Ok(place) => place,
            Err(why) => {
                println!("{LEFT_OUT}{}: {why:#}", part.name);
                left_out.push(part.name);
                continue;
            }
        };
        println!("{}:", part.name);
        let (good, bad) = (part.run)(step, &server, &place)?;
        passed += good;
        failed += bad;
    }
    if left_out.len() == PARTS.len() {
        return Ok(Verdict::LeftOut("no client can be had here".to_owned()));
    }
    Ok(Verdict::Counted(passed, failed))
}

/// Runs a script, which is told where the server listens.
fn script_of(step: &Step, server: &Server, command: &mut Command) -> Result<(usize, usize)> {
    let socket = workspace::target().join("clients/socket/dunlin");
    command
        .env("DUNLIN_PORT", server.port.to_string())
        .env("DUNLIN_SOCKET", socket);
    counted(step, command)
}

/// The exporter's program, out of Debian's package.
fn exporter() -> Result<PathBuf> {
    let apt = program("apt-get").is_some() && program("dpkg").is_some();
    ensure!(apt, "no apt-get and dpkg here");
    let version = output(Command::new("apt-cache").args(["policy", EXPORTER_PACKAGE]))?;
    ensure!(
        version.contains("Candidate"),
        "this Debian does not have it"
    );
    let dir = fetched(GROUP, "exporter", version.as_bytes(), |dir| {
        fetch(
            Command::new("apt-get")
                .args(["download", "-q", EXPORTER_PACKAGE])
                .current_dir(dir),
            GROUP,
            "apt-get",
        )?;
        let packages = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
        let mut debs = packages.filter(|path| path.extension().is_some_and(|end| end == "deb"));
        let deb = debs.next().context("apt-get left no package")?;
        fetch(
            Command::new("dpkg").arg("-x").arg(deb).arg(dir),
            GROUP,
            "dpkg",
        )
    })?;
    Ok(dir.join("usr/bin").join(EXPORTER_PACKAGE))
}

/// A running exporter, stopped when this is dropped.
struct Exporter(Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        kill_group(&self.0);
        let _ = self.0.wait();
    }
}

/// Lets the exporter scrape the server, twice, and looks at its page and at what it complains of.
fn scrape(server: &Server, program: &Path) -> Result<(usize, usize)> {
    use std::os::unix::process::CommandExt;
    let port = free_port()?;
    let log_path = scratch("clients")?.join("exporter.log");
    let log = fs::File::create(&log_path)?;
    let exporter = Command::new(program)
        .args([
            "--redis.addr",
            &format!("redis://127.0.0.1:{}", server.port),
        ])
        .args(["--web.listen-address", &format!("127.0.0.1:{port}")])
        .args(["--include-system-metrics", "--is-tile38=false"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("cannot start the exporter")?;
    let _exporter = Exporter(exporter);
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        ensure!(
            started.elapsed() < EXPORTER_LIMIT,
            "the exporter does not listen"
        );
        thread::sleep(Duration::from_millis(20));
    }
    page(port)?;
    let page = page(port)?;
    let mut failed = 0;
    for wanted in EXPORTER_LINES {
        if !page.lines().any(|line| line.starts_with(wanted)) {
            failed += 1;
            println!("FAILED no line {wanted}");
        }
    }
    let metrics = page
        .lines()
        .filter(|line| line.starts_with("redis_"))
        .count();
    println!("{metrics} metrics of the server");
    for complaint in fs::read_to_string(&log_path)?
        .lines()
        .filter(|line| line.contains("level=error"))
    {
        println!("  it says: {complaint}");
    }
    Ok((EXPORTER_LINES.len() - failed, failed))
}

/// The exporter's page.
fn page(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(EXPORTER_LIMIT))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
