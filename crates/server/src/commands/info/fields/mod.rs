//! The fields of INFO: name, section, and where the value comes from. To add one, add a row in its section's file.
//!
//! What this build does not do has done nothing, so that its counters are truly zero: [`none`]. Who builds it replaces the row.

mod clients;
mod cpu;
mod memory;
mod persistence;
mod replication;
mod server;
mod stats;

use super::facts::Facts;
use super::lists;

/// What a field shows.
pub(super) enum Value {
    /// As it stands.
    Text(String),
    /// An integer.
    Number(u64),
    /// An integer that may be negative.
    Signed(i64),
    /// With two decimals.
    Ratio(f64),
    /// With two decimals and a percent sign.
    Percent(f64),
    /// Bytes with a unit.
    Human(u64),
    /// Shown as seconds with six decimals.
    Microseconds(u64),
    /// The system does not tell: the field is left out.
    Unknown,
}

/// One field.
pub(super) struct Field {
    /// Redis's name, or ours with `dunlin_` before it.
    pub(super) name: &'static str,
    /// Where the value comes from.
    pub(super) value: fn(&Facts) -> Value,
}

/// One section.
pub(super) struct Section {
    /// The argument that asks for it.
    pub(super) name: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// Whether it is shown without being asked for.
    pub(super) default: bool,
    /// Its fields in order.
    pub(super) fields: &'static [Field],
    /// Its lines whose number is not fixed.
    pub(super) lines: Option<fn(&Facts, &mut String)>,
}

const fn section(name: &'static str, title: &'static str, fields: &'static [Field]) -> Section {
    Section {
        name,
        title,
        default: true,
        fields,
        lines: None,
    }
}

/// All sections in Redis's order.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        lines: Some(lists::listeners),
        ..section("server", "Server", server::FIELDS)
    },
    section("clients", "Clients", clients::FIELDS),
    section("memory", "Memory", memory::FIELDS),
    section("persistence", "Persistence", persistence::FIELDS),
    section("stats", "Stats", stats::FIELDS),
    section("replication", "Replication", replication::FIELDS),
    section("cpu", "CPU", cpu::FIELDS),
    section("modules", "Modules", &[]),
    Section {
        default: false,
        lines: Some(lists::commands),
        ..section("commandstats", "Commandstats", &[])
    },
    Section {
        lines: Some(lists::errors),
        ..section("errorstats", "Errorstats", &[])
    },
    Section {
        default: false,
        lines: Some(lists::latencies),
        ..section("latencystats", "Latencystats", &[])
    },
    section("cluster", "Cluster", &[none("cluster_enabled")]),
    Section {
        lines: Some(lists::databases),
        ..section("keyspace", "Keyspace", &[])
    },
];

const fn field(name: &'static str, value: fn(&Facts) -> Value) -> Field {
    Field { name, value }
}

/// A count of what this build does not do.
const fn none(name: &'static str) -> Field {
    field(name, |_| Value::Number(0))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn count(n: usize) -> Value {
    Value::Number(n as u64)
}
