//! The lines of INFO whose number depends on what happened: commands that were called, databases that have keys.

use std::fmt::Write;

use super::facts::Facts;

/// A line for each command that was called or refused.
pub(super) fn commands(facts: &Facts, text: &mut String) {
    let totals = facts.totals();
    for (id, command) in facts.shared.engine.table.iter_all() {
        let count = totals.by_command[id];
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
            "cmdstat_{}:calls={},usec={us},usec_per_call={us_per_call:.2},rejected_calls={},failed_calls={}\r\n",
            command.full_name, count.calls, count.rejected, count.failed
        );
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
