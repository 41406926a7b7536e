//! The lines of a start and a stop that people, scripts and Redis's test suite wait for.
//!
//! Invariant: each text stands here once; the words that others look for (` PID: `, `Ready to accept connections`) are
//! Redis's.

use tracing::info;

use crate::config::Config;

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

/// The server stands, and has read what there was to read.
pub fn initialized() {
    info!("Server initialized");
}

/// Connections are accepted on a listener of this kind: `tcp`, `tls` or `unix`.
pub fn ready(kind: &str) {
    info!("Ready to accept connections {kind}");
}
