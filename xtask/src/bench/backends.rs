//! The kernel interfaces of the event loop beside each other and the peer: CPU per request without pipelining, throughput with it.

use anyhow::{Context as _, Result};

use super::Plan;
use super::load::{self, Load};
use super::report::{Bar, Better, Report, Row};
use super::rounds::{self, Requests};
use crate::server::Server;

/// So few connections that each waits for its reply before any sends again: a pause of the loop holds all of them up.
const FEW: usize = 4;

/// Pipeline depth and connections: where system calls are the cost, and where they are not.
const LOADS: [(usize, usize); 6] = [(1, FEW), (1, 50), (1, 500), (16, FEW), (16, 50), (64, 50)];

/// CPU per request of io_uring beside the peer, without pipelining.
const CPU_BAR: f64 = 0.85;
/// Throughput of io_uring beside epoll, with pipelining.
const SPEED_BAR: f64 = 1.0;

/// Measures GETs.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let start = |backend: &str| -> Result<Server> {
        let ours = plan.ours.clone().on(&plan.cores.one);
        let ours = ours.with(&plan.workers(1)).with(&["--io-backend", backend]);
        ours.start()
            .with_context(|| format!("with --io-backend {backend}"))
    };
    let (uring, epoll) = (start("io_uring")?, start("epoll")?);
    let floors = [
        rounds::floor(plan, "io_uring", None)?,
        rounds::floor(plan, "epoll", None)?,
    ];
    let peer = plan.peer.clone().on(&plan.cores.one).start()?;
    for server in [&uring, &epoll, &peer] {
        load::preload(server, plan.keys)?;
    }
    let mut rows = Vec::new();
    for (pipeline, connections) in LOADS {
        let load = Load {
            command: "GET",
            keys: plan.keys,
            requests: 0,
            pipeline,
            connections,
        };
        let servers = [&uring, &epoll, &peer];
        let requests = Requests::of(plan);
        let measured = rounds::run(plan, &servers, &floors, load, requests, rounds::as_it_is)?;
        let [uring, epoll, peer, uring_floor, epoll_floor] = measured[..] else {
            unreachable!("as many as there are servers");
        };
        let case = format!("GET, pipeline {pipeline}, {connections} connections");
        let (cpu_bar, speed_bar) = match (pipeline, connections) {
            (_, FEW) => (Bar::None, Bar::None),
            (1, _) => (Bar::RatioAtMost(CPU_BAR), Bar::None),
            _ => (Bar::None, Bar::RatioAtLeast(SPEED_BAR)),
        };
        let cpu = |name: &str, ours: f64, bar| Row {
            what: format!("{case}, server CPU, {name}"),
            unit: "us/request",
            ours,
            peer: peer.cpu_us,
            better: Better::Less,
            bar,
            floor: None,
            charted: true,
        };
        rows.push(cpu("io_uring", uring.cpu_us, cpu_bar));
        rows.push(cpu("epoll", epoll.cpu_us, Bar::None));
        let nothing = [("io_uring", uring_floor), ("epoll", epoll_floor)];
        for (name, floor) in nothing {
            let name = format!("{name}, a server that does nothing");
            rows.push(Row {
                floor: None,
                charted: false,
                ..cpu(&name, floor.cpu_us, Bar::None)
            });
        }
        let speed = |name: &str, left: f64, right: f64, bar| Row {
            what: format!("{case}, {name}"),
            unit: "requests/s",
            ours: left,
            peer: right,
            better: Better::More,
            bar,
            floor: None,
            charted: false,
        };
        let (ours, epolls, peers) = (
            uring.requests_per_s,
            epoll.requests_per_s,
            peer.requests_per_s,
        );
        rows.push(speed("io_uring", ours, peers, Bar::None));
        rows.push(speed("epoll", epolls, peers, Bar::None));
        let name = "io_uring (left) beside epoll (right)";
        rows.push(speed(name, ours, epolls, speed_bar));
    }
    Ok(Report {
        name: "backends",
        title: "io_uring, epoll and the peer",
        how: format!(
            "redis-benchmark on another core than the server, which has one worker on one core; {} keys of {} bytes, values of {} bytes, random keys, \
             every GET hits; medians of {} rounds, the servers taking turns. The server that does nothing (crates/reactor/examples/floor.rs) shows what the \
             kernel and the load tool cost.",
            plan.keys,
            load::KEY_BYTES,
            load::VALUE_BYTES,
            plan.rounds
        ),
        rows,
    })
}
