//! Stalls: the paced probe while another client has the server go through, sort, or drop something large.

use anyhow::Result;

use super::Plan;
use super::load;
use super::probe::{ADDED_MS_MAX, Disturbance, Latency, middle, probe_disturbed, probe_process};
use super::report::{Bar, Better, Report, Row};
use crate::server::Launch;

const DISTURBANCES: [Disturbance; 4] = [
    Disturbance::Smembers,
    Disturbance::Sort,
    Disturbance::Del,
    Disturbance::Flushall,
];

/// Latencies of one server: idle, then under each disturbance.
type Case = Vec<Vec<Latency>>;

/// Measures the peer, and ours with one and two workers.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours =
        |workers: usize, cores: &str| plan.ours.clone().on(cores).with(&plan.workers(workers));
    let cases = [
        ("", plan.peer.clone().on(&plan.cores.one)),
        ("1 worker", ours(1, &plan.cores.one)),
        ("2 workers", ours(2, &plan.cores.two)),
    ];
    let mut latencies: Vec<Case> = vec![vec![Vec::new(); 1 + DISTURBANCES.len()]; cases.len()];
    let rounds = plan.probe_rounds;
    for _ in 0..rounds {
        for (case, (_, launch)) in latencies.iter_mut().zip(&cases) {
            round(plan, launch, case)?;
        }
    }
    let p999 = |case: usize, state: usize| middle(&latencies[case][state], |latency| latency.p999);
    let mut rows = Vec::new();
    for (case, (name, _)) in cases.iter().enumerate().skip(1) {
        for state in 0..=DISTURBANCES.len() {
            let bar = match state {
                0 => Bar::None,
                _ => Bar::AtMost(p999(case, 0) + ADDED_MS_MAX),
            };
            let title = state
                .checked_sub(1)
                .map_or("idle", |at| DISTURBANCES[at].title());
            rows.push(Row {
                what: format!("{name}, {title}, p99.9"),
                unit: "ms",
                ours: p999(case, state),
                peer: p999(0, state),
                better: Better::Less,
                bar,
                floor: None,
                charted: true,
            });
        }
    }
    Ok(Report {
        name: "stalls",
        title: "Latency of a paced GET while another client works on something large",
        how: format!(
            "The probe of the tail experiment for {} s, {} keys, beside what is named; the median of {rounds} rounds, idle of four times as many.",
            plan.probe_s, plan.keys
        ),
        rows,
    })
}

/// One round on a fresh server. FLUSHALL comes last, since nothing is left then. What idle is like is looked at before each of the others:
/// a machine has quiet minutes and others.
fn round(plan: &Plan, launch: &Launch, case: &mut Case) -> Result<()> {
    let server = launch.start()?;
    load::preload(&server, plan.keys)?;
    let (idle, disturbed) = case.split_first_mut().expect("idle is the first");
    for (disturbance, latencies) in DISTURBANCES.into_iter().zip(disturbed) {
        idle.push(probe_process(plan, &server, 0, false)?);
        disturbance.prepare(&mut server.client()?, plan.quick)?;
        latencies.push(probe_disturbed(plan, &server, 0, disturbance)?);
    }
    Ok(())
}
