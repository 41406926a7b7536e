//! The lines of a start and a stop that people, scripts and Redis's test suite wait for.
//!
//! Invariant: each text stands here once; the words that others look for (` PID: `, `Ready to accept connections`) are
//! Redis's.

use tracing::{info, warn};

use crate::config::{BindHost, Config};

/// The release of Redis whose behaviour is followed: INFO, HELLO and the log report it.
pub const REDIS_VERSION: &str = "7.2.4";
/// Our own release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first lines: version, process id, mode, where the configuration came from, and its warnings. From then on the
/// log's lines are those of a master.
pub fn banner(config: &Config, warnings: &[String]) {
    let pid = std::process::id();
    info!("Dunlin {VERSION} (compatible with Redis {REDIS_VERSION}) starts, pid={pid}");
    match config.file() {
        Some(path) => info!("Configuration loaded from {}", path.display()),
        None => info!("No configuration file: defaults, and what the command line says"),
    }
    super::set_role(super::Role::Master);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// It is listened on every address; clients that connect wait. Scripts that start a server wait for these words.
pub fn listening(config: &Config) {
    info!(
        "Running mode=standalone, port={}, PID: {}",
        config.main_port(),
        std::process::id()
    );
}

/// What matters of the settings in force, and what is wrong with them that whoever reads it can mend.
pub fn summary(config: &Config, io_backend: &str, clients_max: u64) {
    let workers = config.workers().max(1);
    info!(
        "{workers} worker{} on {io_backend}, {clients_max} clients at most",
        if workers == 1 { "" } else { "s" },
    );
    let memory = rustix::system::sysinfo();
    let machine_bytes = memory.totalram.saturating_mul(u64::from(memory.mem_unit));
    let limit = config.bytes("maxmemory");
    if limit == 0 {
        info!(
            "Memory: no limit (maxmemory 0), this machine has {}",
            human(machine_bytes)
        );
    } else {
        info!(
            "Memory: {} at most, then {}",
            human(limit),
            config.choice("maxmemory-policy")
        );
    }
    info!("Persistence: {}", persistence(config));
    for warning in warnings(config, machine_bytes) {
        warn!("{warning}");
    }
}

fn persistence(config: &Config) -> String {
    let dir = config.dir().display();
    let points = config.save_points();
    let snapshots = (!points.is_empty()).then(|| {
        let points: Vec<String> = points
            .iter()
            .map(|point| format!("{} s and {} changes", point.seconds, point.changes))
            .collect();
        let name = config.file_name("dbfilename").display();
        format!("a dump after {}, in {dir}/{name}", points.join(", or "))
    });
    let log = config.yes("appendonly").then(|| {
        let name = config.file_name("appenddirname").display();
        let fsync = config.choice("appendfsync");
        format!("a log in {dir}/{name}, appendfsync {fsync}")
    });
    let kinds: Vec<String> = snapshots.into_iter().chain(log).collect();
    if kinds.is_empty() {
        return "none, nothing is kept when the server stops (save \"\", appendonly no)".to_owned();
    }
    kinds.join("; ")
}

fn warnings(config: &Config, machine_bytes: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    let is_open = config.requirepass().is_none()
        && config.users().is_empty()
        && config.aclfile().is_none()
        && !config.protected_mode();
    let is_public = |host: &BindHost| match host {
        BindHost::Name(name) => match name.parse::<std::net::IpAddr>() {
            Ok(ip) => !ip.is_loopback(),
            Err(_) => name != "localhost",
        },
        BindHost::AnyV4 | BindHost::AnyV6 => true,
    };
    if is_open && config.bind().iter().any(|address| is_public(&address.host)) {
        warnings.push(
            "Whoever reaches this machine can read and change everything: there is no password, and protected-mode is off. \
             Set requirepass, or bind 127.0.0.1"
                .to_owned(),
        );
    }
    let limit = config.bytes("maxmemory");
    if limit > machine_bytes && machine_bytes > 0 {
        warnings.push(format!(
            "maxmemory is {}, but this machine has only {}: set it lower, or the kernel may end the server",
            human(limit),
            human(machine_bytes)
        ));
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if config.workers() > processors {
        warnings.push(format!(
            "{} workers share {processors} processors: more than one worker for each makes every reply slower, set workers {processors}",
            config.workers()
        ));
    }
    let backlog = config.tcp_backlog();
    if let Some(somaxconn) = somaxconn().filter(|somaxconn| *somaxconn < backlog) {
        warnings.push(format!(
            "The TCP backlog setting of {backlog} cannot be enforced because /proc/sys/net/core/somaxconn is set to the lower value of {somaxconn}: \
             sysctl -w net.core.somaxconn={backlog}"
        ));
    }
    warnings
}

fn somaxconn() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    text.trim().parse().ok()
}

/// Bytes as people say them: `1.50 GiB`.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64, "B");
    for next in UNITS {
        if size < 1_024.0 {
            break;
        }
        (size, unit) = (size / 1_024.0, next);
    }
    if unit == "B" {
        return format!("{bytes} B");
    }
    format!("{size:.2} {unit}")
}

/// The server stands, and has read what there was to read.
pub fn initialized() {
    info!("Server initialized");
}

/// Connections are accepted on a listener of this kind: `tcp`, `tls` or `unix`.
pub fn ready(kind: &str) {
    info!("Ready to accept connections {kind}");
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{human, persistence, warnings};
    use crate::config::Config;

    fn config(arguments: &str) -> Config {
        let arguments: Vec<OsString> = arguments.split(' ').map(OsString::from).collect();
        Config::load(&arguments).expect("valid").config
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(human(1_023), "1023 B");
        assert_eq!(human(1_536), "1.50 KiB");
        assert_eq!(human(24 << 30), "24.00 GiB");
        assert_eq!(human(3 << 50), "3072.00 TiB");
    }

    #[test]
    fn what_is_kept() {
        let text = persistence(&Config::default());
        assert!(
            text.starts_with("a dump after 3600 s and 1 changes, or "),
            "{text}"
        );
        assert!(text.ends_with("/dump.rdb"), "{text}");
    }

    #[test]
    fn what_a_newcomer_can_mend() {
        let told = |more: &str, machine_bytes| {
            let config = config(&format!("--workers 1 --tcp-backlog 1{more}"));
            warnings(&config, machine_bytes)
        };
        assert!(told("", 1 << 40).is_empty());
        let open = told(" --protected-mode no --bind *", 1 << 40);
        assert!(
            open.len() == 1 && open[0].contains("Set requirepass"),
            "{open:?}"
        );
        let safe = told(" --protected-mode no --bind * --requirepass x", 1 << 40);
        assert!(safe.is_empty(), "{safe:?}");
        let here = told(" --protected-mode no --bind 127.0.0.1 ::1", 1 << 40);
        assert!(here.is_empty(), "{here:?}");
        let large = told(" --maxmemory 2gb", 1 << 30);
        assert!(
            large.len() == 1 && large[0].contains("2.00 GiB"),
            "{large:?}"
        );
        let many = warnings(&config("--workers 128 --tcp-backlog 1"), 1 << 40);
        assert!(
            many.len() == 1 && many[0].contains("128 workers share"),
            "{many:?}"
        );
    }
}
