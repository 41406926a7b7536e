//! Which kernel interface the event loops use: what `io-backend` names, or the best that works here.
//!
//! Invariant: the choice is made once, at the start, by trying; why the best was not taken is said once.

use anyhow::bail;
use dunlin_reactor::Uring;

use crate::config::{Config, IoBackend};

/// A backend that works here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    Epoll,
    Uring,
}

impl Chosen {
    /// As INFO's `multiplexing_api` and the log have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Chosen::Epoll => "epoll",
            Chosen::Uring => "io_uring",
        }
    }
}

/// # Errors
/// When the configuration insists on what cannot be had.
pub(crate) fn choose(config: &Config) -> anyhow::Result<Chosen> {
    let chosen = match config.io_backend() {
        IoBackend::Epoll => Chosen::Epoll,
        IoBackend::Uring => match Uring::probe() {
            Ok(()) => Chosen::Uring,
            Err(why) => bail!(
                "io-backend io_uring cannot be had: {why}. `io-backend auto` or `epoll` works everywhere"
            ),
        },
        IoBackend::Auto => match Uring::probe() {
            Ok(()) => Chosen::Uring,
            Err(why) => {
                tracing::info!("io-backend: epoll, since {why}");
                return Ok(Chosen::Epoll);
            }
        },
    };
    tracing::info!("io-backend: {}", chosen.name());
    Ok(chosen)
}
