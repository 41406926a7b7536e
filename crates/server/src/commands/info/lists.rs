//! The lines of INFO whose number depends on what happened: listeners, commands that were called, databases that have keys.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::facts::Facts;
use crate::config::BindHost;
use crate::observe::Distribution;
use crate::shared::CommandTotals;

/// A line for each kind of socket that is listened on.
pub(super) fn listeners(facts: &Facts, text: &mut String) {
    let config = facts.shared.config();
    let mut number = 0;
    for (name, port) in [("tcp", config.port()), ("tls", config.tls_port())] {
        if port == 0 {
            continue;
        }
        let _ = write!(text, "listener{number}:name={name}");
        for address in config.bind() {
            let host = match address.host {
                BindHost::AnyV4 => "*".to_owned(),
                BindHost::AnyV6 => "::*".to_owned(),
                BindHost::Name(name) => name,
            };
            let dash = if address.optional { "-" } else { "" };
            let _ = write!(text, ",bind={dash}{host}");
        }
        let _ = write!(text, ",port={port}\r\n");
        number += 1;
    }
    if let Some(path) = config.unixsocket() {
        let _ = write!(
            text,
            "listener{number}:name=unix,bind={}\r\n",
            path.display()
        );
    }
}

/// A line for each command that was called or refused.
pub(super) fn commands(facts: &Facts, text: &mut String) {
    let totals = facts.totals();
    // Commands of the same full name are told as one.
    let mut rows: Vec<(&str, CommandTotals)> = Vec::new();
    for (id, command) in facts.shared.engine.table.iter_all() {
        let count = totals.by_command[id];
        match rows.last_mut() {
            Some((name, sum)) if *name == command.full_name => sum.add(count),
            _ => rows.push((command.full_name, count)),
        }
    }
    for (name, count) in rows {
        if count.calls == 0 && count.rejected == 0 && count.failed == 0 {
            continue;
        }
        let us = count.nanoseconds / 1_000;
        let us_per_call = if count.calls == 0 {
            0.0
        } else {
            us as f64 / count.calls as f64
        };
        let _ = write!(
            text,
            "cmdstat_{name}:calls={},usec={us},usec_per_call={us_per_call:.2},rejected_calls={},failed_calls={}\r\n",
            count.calls, count.rejected, count.failed
        );
    }
}

/// A line for each code of error replies.
pub(super) fn errors(facts: &Facts, text: &mut String) {
    let codes = facts.shared.engine.error_codes();
    if codes.overflowed {
        text.push_str("errorstat_ERRORSTATS_DISABLED:count=1\r\n");
        return;
    }
    for (code, count) in codes.counts {
        let _ = write!(text, "errorstat_{code}:count={count}\r\n");
    }
}

/// A line for each command that was called since latencies are tracked.
pub(super) fn latencies(facts: &Facts, text: &mut String) {
    let shared = &facts.shared;
    let config = shared.config();
    if !config.yes("latency-tracking") {
        return;
    }
    let percentiles = config.percentiles("latency-tracking-info-percentiles");
    let mut rows: BTreeMap<&str, (usize, Distribution)> = BTreeMap::new();
    for (id, command) in shared.engine.table.iter_all() {
        if let Some(distribution) = shared.observer.distribution(id) {
            rows.entry(command.full_name)
                .and_modify(|(_, sum)| sum.merge(&distribution))
                .or_insert((id, distribution));
        }
    }
    for (name, (_, distribution)) in rows {
        let _ = write!(text, "latency_percentiles_usec_{name}:");
        for (i, (percent, shown)) in percentiles.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let us = distribution.percentile_ns(*percent) as f64 / 1_000.0;
            let _ = write!(text, "{comma}p{shown}={us:.3}");
        }
        text.push_str("\r\n");
    }
}

/// A line for each database that has keys.
pub(super) fn databases(facts: &Facts, text: &mut String) {
    let store = &facts.shared.engine.store;
    for db in 0..store.databases() as u32 {
        let (keys, expires) = (store.len(db), store.expires(db));
        if keys > 0 {
            let average_ms = store.average_ttl_ms(db, facts.now_ms);
            let _ = write!(
                text,
                "db{db}:keys={keys},expires={expires},avg_ttl={average_ms}\r\n"
            );
        }
    }
}
