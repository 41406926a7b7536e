//! Section `server`: what runs, where, since when.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;

use dunlin_engine::command::Flags;

use super::{Field, Value, field, none, text};
use crate::commands::debug::CLOCK_MASK;
use crate::logging::startup::{REDIS_VERSION, VERSION};

pub(super) const FIELDS: &[Field] = &[
    field("redis_version", |_| text(REDIS_VERSION)),
    field("dunlin_version", |_| text(VERSION)),
    // What Redis shows of a build outside its repository.
    field("redis_git_sha1", |_| text("00000000")),
    none("redis_git_dirty"),
    field("redis_build_id", |_| Value::Text(build_id())),
    field("redis_mode", |_| text("standalone")),
    field("os", |_| Value::Text(system())),
    field("arch_bits", |_| Value::Number(u64::from(usize::BITS))),
    field("monotonic_clock", |_| text("POSIX clock_gettime")),
    field("multiplexing_api", |f| {
        text(f.shared.io_backend.get().copied().unwrap_or("memory"))
    }),
    // What Redis shows where another compiler built it.
    field("gcc_version", |_| text("0.0.0")),
    field("process_id", |_| {
        Value::Number(u64::from(std::process::id()))
    }),
    field("process_supervised", |f| {
        let config = f.shared.config();
        match config.choice("supervised") {
            "auto" if std::env::var_os("NOTIFY_SOCKET").is_some() => text("systemd"),
            "auto" => text("no"),
            chosen => text(chosen),
        }
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
    field("configured_hz", |f| {
        Value::Number(f.shared.config().integer("hz").unsigned_abs())
    }),
    field("lru_clock", |f| {
        Value::Number((f.now_ms / 1_000) & u64::from(CLOCK_MASK))
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
    none("io_threads_active"),
    // The last set of counters is the auxiliary thread's.
    field("dunlin_workers", |f| {
        Value::Number(f.shared.workers.len() as u64 - 1)
    }),
];

/// Sixteen hexadecimal digits that differ between builds of different versions for different machines.
fn build_id() -> String {
    let mut hasher = DefaultHasher::new();
    (VERSION, REDIS_VERSION, Flags::NAMES.len()).hash(&mut hasher);
    (std::env::consts::OS, std::env::consts::ARCH).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn system() -> String {
    let uname = rustix::system::uname();
    let parts = [uname.sysname(), uname.release(), uname.machine()];
    parts
        .map(|part| part.to_string_lossy().into_owned())
        .join(" ")
}
