//! Rounds of one load over several servers, which take turns; medians count. Beside the two that are compared there is a server that does
//! nothing: what it does not reach, none can on this machine and with this load tool.

use std::io::{Read as _, Write as _};

use anyhow::{Result, bail, ensure};

use super::Plan;
use super::load::{self, Load, Measured};
use super::report::{Bar, Better, Row, median};
use crate::build;
use crate::client::{Client, encode};
use crate::server::{Launch, Server};
use crate::workspace;

/// Kernel interfaces that the server that does nothing is tried on; the better one counts.
const FLOOR_BACKENDS: [&str; 2] = ["epoll", "io_uring"];
/// Longest reply that is taken as a sample.
const SAMPLE_BYTES_MAX: usize = 1 << 20;

/// Turns of each server in a counted round, where nothing has to be prepared: what else the machine does for some seconds then meets all alike.
const TURNS: usize = 4;

/// Requests of the uncounted round, and of a counted one at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requests {
    pub(super) first: usize,
    pub(super) max: usize,
    /// Turns into which a counted round is divided.
    pub(super) turns: usize,
}

impl Requests {
    /// As many as the plan says.
    pub(super) fn of(plan: &Plan) -> Requests {
        Requests {
            first: plan.calibration_requests,
            max: usize::MAX,
            turns: if plan.quick { 1 } else { TURNS },
        }
    }
}

/// Makes a server ready for so many requests.
pub(super) type Prepare = fn(&mut Client, usize) -> Result<()>;

/// Prepares nothing.
pub(super) fn as_it_is(_: &mut Client, _: usize) -> Result<()> {
    Ok(())
}

/// Runs a load against servers in turns; the medians, in the order of the servers. Those of `floors` count nothing and need no preparation,
/// and stand at the end.
pub(super) fn run(
    plan: &Plan,
    servers: &[&Server],
    floors: &[Server],
    load: Load<'_>,
    requests: Requests,
    prepare: Prepare,
) -> Result<Vec<Measured>> {
    let sides: Vec<(&Server, bool)> = servers
        .iter()
        .map(|server| (*server, false))
        .chain(floors.iter().map(|floor| (floor, true)))
        .collect();
    let mut results = vec![Vec::new(); sides.len()];
    // What each gets to do in a turn, so that each takes about as long whatever the speed.
    let mut amounts = vec![requests.first; sides.len()];
    for round in 0..=plan.rounds {
        let turns = if round == 0 { 1 } else { requests.turns };
        let mut measured = vec![Vec::new(); sides.len()];
        for _ in 0..turns {
            for (side, (server, is_floor)) in sides.iter().enumerate() {
                let load = Load {
                    requests: amounts[side],
                    ..load
                };
                measured[side].push(if *is_floor {
                    load::run_uncounted(server, &load)?
                } else {
                    prepare(&mut server.client()?, load.requests)?;
                    load::run(server, &load)?
                });
            }
        }
        for (side, measured) in measured.iter().enumerate() {
            let measured = mean(measured);
            if round == 0 {
                // The first tells how much fits into a round, and warms up.
                let fit = (measured.requests_per_s * plan.round_s) as usize;
                amounts[side] = fit
                    .clamp(requests.first, requests.max)
                    .div_ceil(requests.turns);
            } else {
                results[side].push(measured);
            }
        }
    }
    let middle = |results: &[Measured], of: fn(&Measured) -> f64| {
        median(&results.iter().map(of).collect::<Vec<_>>())
    };
    Ok(results
        .iter()
        .map(|results| Measured {
            requests_per_s: middle(results, |m| m.requests_per_s),
            cpu_us: middle(results, |m| m.cpu_us),
        })
        .collect())
}

/// Of turns of the same number of requests each.
fn mean(turns: &[Measured]) -> Measured {
    let of =
        |figure: fn(&Measured) -> f64| turns.iter().map(figure).sum::<f64>() / turns.len() as f64;
    Measured {
        // The requests over the sum of the times.
        requests_per_s: 1.0 / of(|m| 1.0 / m.requests_per_s),
        cpu_us: of(|m| m.cpu_us),
    }
}

/// Starts the server that does nothing on one kernel interface. It gives all requests this reply, or else what GET and SET want.
pub(super) fn floor(plan: &Plan, backend: &str, reply: Option<&[u8]>) -> Result<Server> {
    let mut floor = launch_floor(plan, backend)?;
    if let Some(reply) = reply {
        let path = workspace::scratch("bench")?.join("floor-reply");
        std::fs::write(&path, reply)?;
        floor = floor.with(&["--reply-file", &path.to_string_lossy()]);
    }
    floor.start()
}

fn launch_floor(plan: &Plan, backend: &str) -> Result<Launch> {
    Ok(Launch::new("floor", &build::floor()?)
        .on(&plan.cores.one)
        .with(&["--io-backend", backend]))
}

/// The same on each kernel interface that there is.
pub(super) fn floors(plan: &Plan, reply: Option<&[u8]>) -> Result<Vec<Server>> {
    on_each(|backend| floor(plan, backend, reply))
}

/// Those that do nothing but write each request to a file and flush that before they answer.
pub(super) fn logging_floors(plan: &Plan) -> Result<Vec<Server>> {
    on_each(|backend| launch_floor(plan, backend)?.with(&["--log", "yes"]).start())
}

fn on_each(start: impl Fn(&str) -> Result<Server>) -> Result<Vec<Server>> {
    let mut floors = vec![start(FLOOR_BACKENDS[0])?];
    // io_uring may be forbidden or too old: then epoll's has to do.
    floors.extend(start(FLOOR_BACKENDS[1]).ok());
    Ok(floors)
}

/// The best of those figures, which the servers that do nothing got.
fn best(floors: &[Measured], better: Better, figure: fn(&Measured) -> f64) -> Option<f64> {
    let figures = floors.iter().map(figure);
    match better {
        Better::More => figures.reduce(f64::max),
        Better::Less => figures.reduce(f64::min),
    }
}

/// The rows of throughput and CPU of one load: ours, the peer's, and those that do nothing, in the order in which [`run`] gives them.
pub(super) fn rows(what: &str, ours: Measured, peer: Measured, floors: &[Measured]) -> [Row; 2] {
    [
        Row {
            what: what.to_owned(),
            unit: "requests/s",
            ours: ours.requests_per_s,
            peer: peer.requests_per_s,
            better: Better::More,
            bar: Bar::None,
            floor: best(floors, Better::More, |m| m.requests_per_s),
            charted: true,
        },
        Row {
            what: format!("{what}, server CPU"),
            unit: "us/request",
            ours: ours.cpu_us,
            peer: peer.cpu_us,
            better: Better::Less,
            bar: Bar::None,
            floor: best(floors, Better::Less, |m| m.cpu_us),
            charted: true,
        },
    ]
}

/// The bytes with which a server answers a command given as words.
pub(super) fn sample(server: &Server, words: &str) -> Result<Vec<u8>> {
    const LAST: &[u8] = b"+PONG\r\n";
    let words: Vec<&[u8]> = words.split_whitespace().map(str::as_bytes).collect();
    let client = server.client()?;
    let mut socket = client.socket();
    let mut request = Vec::new();
    encode(&mut request, &words);
    encode(&mut request, &[b"PING"]);
    socket.write_all(&request)?;
    let mut reply = Vec::new();
    let mut piece = [0; 4096];
    while !reply.ends_with(LAST) {
        match socket.read(&mut piece)? {
            0 => bail!("the connection ended inside a reply"),
            read => reply.extend_from_slice(&piece[..read]),
        }
        ensure!(reply.len() <= SAMPLE_BYTES_MAX, "too long a reply");
    }
    reply.truncate(reply.len() - LAST.len());
    ensure!(
        !reply.starts_with(b"-"),
        "{}",
        String::from_utf8_lossy(&reply)
    );
    Ok(reply)
}
