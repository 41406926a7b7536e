//! Load: a pipelined writer of our own that fills a server with known keys, and redis-benchmark as the load tool.
//!
//! The keys are `key:000000000000` and up, which is what redis-benchmark draws from, so that every GET hits. Whether it did is read from
//! the server, not assumed.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::client::Client;
use crate::process::run_to_file;
use crate::server::Server;
use crate::workspace;

/// Bytes of a key: `key:` and twelve digits.
pub(crate) const KEY_BYTES: usize = 16;
/// Bytes of a value.
pub(crate) const VALUE_BYTES: usize = 64;
/// Commands per write when filling.
const FILL_BATCH: usize = 500;
/// redis-benchmark runs for ever when it is refused, so it gets a limit.
const LOAD_LIMIT_S: u64 = 180;
/// Processes of redis-benchmark at most.
const LOAD_PROCESSES_MAX: usize = 8;
/// What a SET answers.
const OK_BYTES: usize = b"+OK\r\n".len();

/// Writes the keys 0..count. `ttl_ms` gives each its time to live, or none. Returns when each was sent.
pub(crate) fn fill(
    client: &mut Client,
    count: usize,
    mut ttl_ms: impl FnMut(usize) -> Option<u64>,
) -> Result<Vec<Instant>> {
    let value = [b'x'; VALUE_BYTES];
    let mut sent = Vec::with_capacity(count.div_ceil(FILL_BATCH));
    let mut next = 0;
    while next < count {
        let batch = FILL_BATCH.min(count - next);
        for index in next..next + batch {
            let key = format!("key:{index:012}");
            match ttl_ms(index) {
                None => client.queue(&[b"SET", key.as_bytes(), &value]),
                Some(ms) => client.queue(&[
                    b"SET",
                    key.as_bytes(),
                    &value,
                    b"PX",
                    ms.to_string().as_bytes(),
                ]),
            }
        }
        sent.push(Instant::now());
        client.flush()?;
        client.skip(batch * OK_BYTES)?;
        next += batch;
    }
    Ok(sent)
}

/// Fills a server and asserts that it holds exactly that.
pub(crate) fn preload(server: &Server, count: usize) -> Result<()> {
    let mut client = server.client()?;
    fill(&mut client, count, |_| None)?;
    assert_size(&mut client, count)
}

/// Fails unless DBSIZE is `count`.
pub(crate) fn assert_size(client: &mut Client, count: usize) -> Result<()> {
    let size = client.integer("DBSIZE")?;
    ensure!(
        size == i64::try_from(count)?,
        "DBSIZE is {size}, not {count}"
    );
    Ok(())
}

/// The index of the batch of [`fill`] that key `index` was in.
pub(crate) fn batch_of(index: usize) -> usize {
    index / FILL_BATCH
}

/// What redis-benchmark is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    /// A test of redis-benchmark, such as `GET`, or a command with arguments.
    pub(crate) command: &'a str,
    pub(crate) keys: usize,
    pub(crate) requests: usize,
    pub(crate) pipeline: usize,
    pub(crate) connections: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) requests_per_s: f64,
    /// CPU time of the server for each request.
    pub(crate) cpu_us: f64,
}

/// How many of the load tool run at a time: one for each core that this process may use, within a limit. (Its own threads wait for each
/// other at shared counters from some 3 million requests a second on.)
fn processes() -> usize {
    workspace::cores().min(LOAD_PROCESSES_MAX)
}

/// Where the load runs, for the head of a table.
pub(crate) fn place() -> String {
    match processes() {
        1 => "on another core than the server".to_owned(),
        processes => format!("in {processes} processes on other cores than the server"),
    }
}

/// Runs redis-benchmark once. With GET, a miss is an error.
pub(crate) fn run(server: &Server, load: &Load<'_>) -> Result<Measured> {
    let mut client = server.client()?;
    let misses_before = client.info("stats", "keyspace_misses")?;
    let measured = run_uncounted(server, load)?;
    let misses_after = client.info("stats", "keyspace_misses")?;
    ensure!(
        load.command != "GET" || misses_before == misses_after,
        "GETs missed: {misses_before} before, {misses_after} after"
    );
    Ok(measured)
}

/// Runs redis-benchmark once, against a server that may not count anything.
pub(crate) fn run_uncounted(server: &Server, load: &Load<'_>) -> Result<Measured> {
    let cpu_before = server.cpu_ns()?;
    let processes = processes().min(load.connections);
    let rates = thread::scope(|scope| {
        let running: Vec<_> = (0..processes)
            .map(|process| {
                let share = Load {
                    requests: share(load.requests, process, processes),
                    connections: share(load.connections, process, processes),
                    ..*load
                };
                scope.spawn(move || run_process(server, &share, process))
            })
            .collect();
        let joined = running.into_iter().map(|run| run.join());
        joined
            .map(|rate| rate.map_err(|_| anyhow!("a load thread panicked"))?)
            .collect::<Result<Vec<f64>>>()
    })?;
    let cpu_ns = server.cpu_ns()? - cpu_before;
    Ok(Measured {
        requests_per_s: rates.iter().sum(),
        cpu_us: cpu_ns as f64 / 1000.0 / load.requests as f64,
    })
}

/// What part `part` of `parts` of a whole gets.
fn share(whole: usize, part: usize, parts: usize) -> usize {
    whole / parts + usize::from(part < whole % parts)
}

/// One process of the load tool, to its end: its requests a second.
fn run_process(server: &Server, load: &Load<'_>, process: usize) -> Result<f64> {
    let mut command = Command::new("redis-benchmark");
    let port = match server.tls_port {
        Some(port) => {
            command.args(["--tls", "--insecure"]);
            port
        }
        None => server.port,
    };
    command
        .args(["-p", &port.to_string(), "--csv"])
        .args(["-n", &load.requests.to_string()])
        .args(["-P", &load.pipeline.to_string()])
        .args(["-c", &load.connections.to_string()])
        .args(["-d", &VALUE_BYTES.to_string()])
        .args(["-r", &load.keys.to_string()]);
    if load.command.contains(' ') {
        command.args(load.command.split(' '));
    } else {
        command.args(["-t", &load.command.to_lowercase()]);
    }
    let log = workspace::scratch("bench")?.join(format!("load-{port}-{process}.log"));
    let outcome = run_to_file(&mut command, &log, Duration::from_secs(LOAD_LIMIT_S))?;
    let text = std::fs::read_to_string(&log)?;
    ensure!(outcome.success(), "redis-benchmark failed: {text}");
    requests_per_s(&text, load.command)
}

/// The second field of the line that begins with the command's name.
fn requests_per_s(csv: &str, command: &str) -> Result<f64> {
    let name = format!("\"{command}");
    csv.lines()
        .filter_map(|line| line.strip_prefix(&name)?.split_once("\",\""))
        // Some tests say more about themselves: `MSET (10 keys)`.
        .find(|(more, _)| more.is_empty() || more.starts_with(" ("))
        .and_then(|(_, rest)| rest.split('"').next())
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("redis-benchmark's output has no {command}: {csv}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_of_redis_benchmark() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"10.00\",\"1\"\n\"GET\",\"305810.41\",\"0.081\"\n";
        assert_eq!(requests_per_s(csv, "GET").ok(), Some(305_810.41));
        assert!(requests_per_s(csv, "INCR").is_err());
    }
}
