//! The fields of INFO: name, section, and where the value comes from. To add one, add a row.

use std::sync::atomic::Ordering;

use super::facts::Facts;
use super::lists;
use crate::logging::startup::{REDIS_VERSION, VERSION};

/// What a field shows.
pub(super) enum Value {
    /// As it stands.
    Text(String),
    /// An integer.
    Number(u64),
    /// With two decimals.
    Ratio(f64),
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

const fn field(name: &'static str, value: fn(&Facts) -> Value) -> Field {
    Field { name, value }
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
    section("server", "Server", SERVER),
    section("clients", "Clients", CLIENTS),
    section("memory", "Memory", MEMORY),
    section("stats", "Stats", STATS),
    section("cpu", "CPU", CPU),
    Section {
        default: false,
        lines: Some(lists::commands),
        ..section("commandstats", "Commandstats", &[])
    },
    Section {
        lines: Some(lists::databases),
        ..section("keyspace", "Keyspace", &[])
    },
];

const SERVER: &[Field] = &[
    field("redis_version", |_| text(REDIS_VERSION)),
    field("dunlin_version", |_| text(VERSION)),
    field("redis_mode", |_| text("standalone")),
    field("os", |_| Value::Text(system())),
    field("arch_bits", |_| Value::Number(u64::from(usize::BITS))),
    field("multiplexing_api", |_| text("epoll")),
    field("process_id", |_| {
        Value::Number(u64::from(std::process::id()))
    }),
    field("run_id", |f| text(&f.shared.run_id)),
    field("tcp_port", |f| {
        Value::Number(u64::from(f.shared.port.load(Ordering::Relaxed)))
    }),
    field("server_time_usec", |f| Value::Number(f.now_us)),
    field("uptime_in_seconds", |f| Value::Number(f.seconds_up())),
    field("uptime_in_days", |f| Value::Number(f.seconds_up() / 86_400)),
    // Nothing happens this often here; clients of Redis know how long its housekeeping may take from it.
    field("hz", |f| {
        Value::Number(f.shared.config().integer("hz").unsigned_abs())
    }),
    field("executable", |_| match std::env::current_exe() {
        Ok(path) => Value::Text(path.display().to_string()),
        Err(_) => Value::Unknown,
    }),
    field("config_file", |f| {
        Value::Text(
            f.shared
                .config()
                .file()
                .map_or_else(String::new, |path| path.display().to_string()),
        )
    }),
    // The last set of counters is the auxiliary thread's.
    field("dunlin_workers", |f| {
        Value::Number(f.shared.workers.len() as u64 - 1)
    }),
];

const CLIENTS: &[Field] = &[
    field("connected_clients", |f| {
        Value::Number(f.shared.open_clients() as u64)
    }),
    field("maxclients", |f| {
        Value::Number(u64::from(f.shared.config().maxclients()))
    }),
];

const MEMORY: &[Field] = &[
    field("used_memory", |f| bytes(f.memory().allocated)),
    field("used_memory_human", |f| human(f.memory().allocated)),
    field("used_memory_rss", |f| {
        f.resident().map_or(Value::Unknown, Value::Number)
    }),
    field("used_memory_rss_human", |f| {
        f.resident().map_or(Value::Unknown, Value::Human)
    }),
    field("used_memory_peak", |f| bytes(peak(f))),
    field("used_memory_peak_human", |f| human(peak(f))),
    field("allocator_allocated", |f| bytes(f.memory().allocated)),
    field("allocator_active", |f| bytes(f.memory().active)),
    field("allocator_resident", |f| bytes(f.memory().resident)),
    field("total_system_memory", |_| Value::Number(system_memory())),
    field("total_system_memory_human", |_| {
        Value::Human(system_memory())
    }),
    field("maxmemory", |f| {
        Value::Number(f.shared.config().bytes("maxmemory"))
    }),
    field("maxmemory_human", |f| {
        Value::Human(f.shared.config().bytes("maxmemory"))
    }),
    field("maxmemory_policy", |f| {
        text(f.shared.config().choice("maxmemory-policy"))
    }),
    field("allocator_frag_ratio", |f| {
        ratio(f.memory().active, f.memory().allocated)
    }),
    field("allocator_rss_ratio", |f| {
        ratio(f.memory().resident, f.memory().active)
    }),
    field("mem_fragmentation_ratio", |f| {
        ratio(f.resident().unwrap_or(0), f.memory().allocated)
    }),
    // The figures above are jemalloc's, so without them there is another allocator below.
    field("mem_allocator", |f| {
        if f.memory().allocated > 0 {
            text("jemalloc")
        } else {
            Value::Unknown
        }
    }),
];

const STATS: &[Field] = &[
    field("total_connections_received", |f| {
        Value::Number(f.totals().accepted)
    }),
    field("total_commands_processed", |f| {
        Value::Number(f.totals().commands)
    }),
    field("total_net_input_bytes", |f| {
        Value::Number(f.totals().input_bytes)
    }),
    field("total_net_output_bytes", |f| {
        Value::Number(f.totals().output_bytes)
    }),
    field("rejected_connections", |f| {
        Value::Number(f.totals().rejected)
    }),
    field("expired_keys", |f| Value::Number(f.totals().expired)),
    field("evicted_keys", |f| Value::Number(f.totals().evicted)),
    field("keyspace_hits", |f| Value::Number(f.totals().hits)),
    field("keyspace_misses", |f| Value::Number(f.totals().misses)),
    field("total_error_replies", |f| Value::Number(f.totals().errors)),
    field("acl_access_denied_auth", |f| {
        Value::Number(f.totals().auth_failures)
    }),
    field("dunlin_batches", |f| Value::Number(f.totals().batches)),
    field("dunlin_parked_sessions", |f| {
        Value::Number(f.totals().parked)
    }),
    field("dunlin_protocol_errors", |f| {
        Value::Number(f.totals().protocol_errors)
    }),
];

const CPU: &[Field] = &[
    field("used_cpu_sys", |f| {
        f.cpu()
            .map_or(Value::Unknown, |cpu| Value::Microseconds(cpu.system_us))
    }),
    field("used_cpu_user", |f| {
        f.cpu()
            .map_or(Value::Unknown, |cpu| Value::Microseconds(cpu.user_us))
    }),
];

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Zero is what an allocator says that keeps no figures.
fn bytes(n: u64) -> Value {
    if n == 0 {
        Value::Unknown
    } else {
        Value::Number(n)
    }
}

fn human(n: u64) -> Value {
    if n == 0 {
        Value::Unknown
    } else {
        Value::Human(n)
    }
}

fn ratio(a: u64, b: u64) -> Value {
    if a == 0 || b == 0 {
        Value::Unknown
    } else {
        Value::Ratio(a as f64 / b as f64)
    }
}

/// The most that any INFO so far has seen.
fn peak(facts: &Facts) -> u64 {
    facts.memory();
    facts.shared.peak_bytes.load(Ordering::Relaxed)
}

fn system() -> String {
    let uname = rustix::system::uname();
    let parts = [uname.sysname(), uname.release(), uname.machine()];
    parts
        .map(|part| part.to_string_lossy().into_owned())
        .join(" ")
}

fn system_memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit))
}
