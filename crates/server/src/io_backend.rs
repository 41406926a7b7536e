//! Which kernel interface the event loops use: what `io-backend` names, or the best that works here.
//!
//! Where the configuration says `auto`, the environment variable `DUNLIN_IO_BACKEND` decides, if it is set: whole test suites run on
//! one backend or another without knowing of it.
//!
//! Invariant: the choice is made once, at the start, by trying; why the best was not taken is said once.

use anyhow::{Context as _, bail};
use dunlin_reactor::Uring;

use crate::config::{Config, IoBackend};

/// The environment variable.
const VARIABLE: &str = "DUNLIN_IO_BACKEND";

/// A backend that works here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    Epoll,
    Uring,
    Poll,
}

impl Chosen {
    /// As INFO's `multiplexing_api` and the log have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Chosen::Epoll => "epoll",
            Chosen::Uring => "io_uring",
            Chosen::Poll => "poll",
        }
    }
}

/// # Errors
/// When the configuration insists on what cannot be had.
pub(crate) fn choose(config: &Config) -> anyhow::Result<Chosen> {
    let wanted = match (config.io_backend(), std::env::var(VARIABLE)) {
        (IoBackend::Auto, Ok(name)) => IoBackend::named(&name)
            .with_context(|| format!("{VARIABLE} names no io-backend: {name}"))?,
        (configured, _) => configured,
    };
    let chosen = match wanted {
        IoBackend::Epoll => Chosen::Epoll,
        IoBackend::Poll => Chosen::Poll,
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
