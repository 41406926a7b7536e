//! The step that drives the release binary with clients that people use: redis-py, ioredis, node-redis, and Debian's Prometheus
//! exporter. redis-rs is a test of its own, crates/dunlin/tests/redis_rs.rs.
//!
//! The scripts and the versions are in tests/clients. What is fetched goes below the target directory, once for each list of versions;
//! nothing is installed on the machine. What can't be had here is left out by name, and the rest is run.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Step, Verdict, failure};
use crate::build;
use crate::process::{kill_group, output, run_limited};
use crate::server::{Launch, Server, free_port};
use crate::workspace::{self, program, root, scratch};

/// How long fetching one client may take.
const FETCH_LIMIT: Duration = Duration::from_secs(60);
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
        fetch: python,
        run: |step, server, python| {
            let script = folder().join("redis_py.py");
            script_of(step, server, Command::new(python).arg(script))
        },
    },
    Part {
        name: "ioredis",
        fetch: node,
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
        fetch: node,
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

fn folder() -> PathBuf {
    root().join("tests/clients")
}

/// A folder below the target directory, filled by `fill` once for each content of `list`.
pub(super) fn fetched(
    name: &str,
    list: &[u8],
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let dir = scratch(&format!("clients/{name}"))?;
    let stamp = dir.join("fetched");
    if fs::read(&stamp).is_ok_and(|text| text == list) {
        return Ok(dir);
    }
    let dir = workspace::empty_scratch(&format!("clients/{name}"))?;
    fill(&dir)?;
    fs::write(stamp, list)?;
    Ok(dir)
}

/// Runs a program that fetches; its failure says what it printed.
pub(super) fn fetch(command: &mut Command, name: &str) -> Result<()> {
    let log = scratch("clients")?.join(format!("{name}.log"));
    let file = fs::File::create(&log)?;
    command.stdout(file.try_clone()?).stderr(file);
    let outcome = run_limited(command, FETCH_LIMIT)?;
    if outcome.success() {
        return Ok(());
    }
    let text = fs::read_to_string(&log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    bail!("{name} did not get it: {}", last.unwrap_or("nothing said"))
}

/// The Python of a virtual environment that has redis-py.
fn python() -> Result<PathBuf> {
    let list = folder().join("requirements.txt");
    ensure!(program("python3").is_some(), "no python3 here");
    let dir = fetched("python", &fs::read(&list)?, |dir| {
        fetch(
            Command::new("python3").args(["-m", "venv"]).arg(dir),
            "venv",
        )?;
        let mut pip = Command::new(dir.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        fetch(pip.arg(&list), "pip")
    })?;
    Ok(dir.join("bin/python"))
}

/// A folder with the Node scripts and the packages that they use.
fn node() -> Result<PathBuf> {
    ensure!(
        program("node").is_some() && program("npm").is_some(),
        "no node and npm here"
    );
    let lock = fs::read(folder().join("package-lock.json"))?;
    let dir = fetched("node", &lock, |dir| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(folder().join(name), dir.join(name))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        fetch(npm.current_dir(dir), "npm")
    })?;
    // Beside their packages, where Node looks for these.
    for script in fs::read_dir(folder())?.flatten() {
        if script.path().extension().is_some_and(|end| end == "cjs") {
            fs::copy(script.path(), dir.join(script.file_name()))?;
        }
    }
    Ok(dir)
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
    let dir = fetched("exporter", version.as_bytes(), |dir| {
        fetch(
            Command::new("apt-get")
                .args(["download", "-q", EXPORTER_PACKAGE])
                .current_dir(dir),
            "apt-get",
        )?;
        let packages = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
        let mut debs = packages.filter(|path| path.extension().is_some_and(|end| end == "deb"));
        let deb = debs.next().context("apt-get left no package")?;
        fetch(Command::new("dpkg").arg("-x").arg(deb).arg(dir), "dpkg")
    })?;
    Ok(dir.join("usr/bin").join(EXPORTER_PACKAGE))
}

/// Runs a script that talks to this server.
fn script_of(step: &Step, server: &Server, command: &mut Command) -> Result<(usize, usize)> {
    let socket = workspace::target().join("clients/socket/dunlin");
    command
        .env("DUNLIN_PORT", server.port.to_string())
        .env("DUNLIN_SOCKET", socket);
    counted(step, command)
}

/// Runs a script, which counts its checks in its last line.
pub(super) fn counted(step: &Step, command: &mut Command) -> Result<(usize, usize)> {
    let teed = step.tee(command)?;
    let last = teed
        .text
        .lines()
        .rev()
        .find(|line| line.contains(" passed, "));
    let counts = last.and_then(counts);
    let Some((passed, failed)) = counts else {
        bail!("{}", failure(command, &teed));
    };
    ensure!(
        teed.outcome.success() == (failed == 0),
        "{}",
        failure(command, &teed)
    );
    Ok((passed, failed))
}

/// The numbers of `N passed, M failed`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let (passed, rest) = line.split_once(" passed, ")?;
    let failed = rest.strip_suffix(" failed")?;
    Some((passed.trim().parse().ok()?, failed.parse().ok()?))
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

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn a_script_s_last_line_is_read() {
        assert_eq!(counts("12 passed, 3 failed"), Some((12, 3)));
        assert_eq!(counts("ok strings"), None);
        assert_eq!(counts("x passed, 3 failed"), None);
    }
}
