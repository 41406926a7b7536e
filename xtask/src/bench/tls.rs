//! The same loads over TLS, beside the peer's own.

use anyhow::Result;

use super::Plan;
use super::collections::{launch_ours, launch_peer};
use super::load;
use super::report::Report;
use super::throughput::{self, Depth};

/// At least equal, in throughput and in CPU.
const DEPTHS: [Depth; 2] = [(16, Some(1.0), Some(1.0)), (1, Some(1.0), Some(1.0))];

/// Measures all depths and commands.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours = launch_ours(plan).over_tls().start()?;
    let peer = launch_peer(plan).over_tls().start()?;
    load::preload(&ours, plan.keys)?;
    load::preload(&peer, plan.keys)?;
    let rows = throughput::rows(plan, [&ours, &peer], &[], &DEPTHS)?;
    Ok(Report {
        name: "tls",
        title: "Throughput and CPU per request over TLS",
        how: throughput::how(plan, "redis-benchmark --tls"),
        rows,
    })
}
