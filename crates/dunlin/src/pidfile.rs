//! `pidfile`: a file with the process id, for scripts and init systems.
//!
//! Invariant: it is there while the server runs, and only then. A file that can't be written is no reason not to serve.

use std::fs;
use std::path::{Path, PathBuf};

use dunlin_server::config::Config;

/// Where redis-server leaves it when it goes into the background and nothing else was said.
const DEFAULT_IN_BACKGROUND: &str = "/var/run/redis.pid";

/// The file, removed on drop.
pub(crate) struct Pidfile {
    path: PathBuf,
}

impl Pidfile {
    /// Writes the file if the configuration asks for one.
    pub(crate) fn write(config: &Config, background: bool) -> Option<Self> {
        let default = background.then(|| Path::new(DEFAULT_IN_BACKGROUND));
        let path = config.pidfile().or(default)?;
        match fs::write(path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self {
                path: path.to_owned(),
            }),
            Err(error) => {
                tracing::warn!("Can't write the pid file '{}': {error}", path.display());
                None
            }
        }
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        // Someone may have removed it already; there is nothing left to tell about it.
        let _ = fs::remove_file(&self.path);
    }
}
