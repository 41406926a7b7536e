//! What a gateway is told: the stream, the store, and every limit.
//!
//! Invariant: each limit is finite and carries its unit in its name. Nothing here is read from a file or from the environment: the
//! caller decides.

use std::fmt;
use std::io;
use std::sync::Arc;

use dunlin_frame::Codec;
use dunlin_reactor::{ConnectAddress, Socket};

use crate::names::{NameError, Names};

/// Makes a connection to a store in the same process: its other end is the store's already.
pub type Dial = Arc<dyn Fn() -> io::Result<Socket> + Send + Sync>;

/// Where the store is.
#[derive(Clone)]
pub enum Store {
    /// At an address.
    At(ConnectAddress),
    /// In this process.
    Within(Dial),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Store::At(address) => f.debug_tuple("At").field(address).finish(),
            Store::Within(_) => f.write_str("Within"),
        }
    }
}

/// How a lane introduces itself to the store.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user; `None` is the default user, who has a password only.
    pub user: Option<Vec<u8>>,
    /// The password; `None` sends no AUTH.
    pub password: Option<Vec<u8>>,
    /// The database; 0 sends no SELECT.
    pub database: u32,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the password.
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// How far back repeats of a token's messages are known.
///
/// The IDs of a token's last messages are kept in the store, in a sorted set of their own that is written in the same transaction as the
/// messages. A message whose ID is among them was kept already. IDs wrap at 100 millions, so a window must be far smaller than that
/// ([`Window::ENTRIES_MAX`]): when an ID comes round again its last use has long left the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// IDs kept for each token, at least.
    pub entries: u32,
    /// The IDs of a token are forgotten this long after its last message, seconds.
    pub idle_s: u32,
}

impl Window {
    /// The widest window.
    pub const ENTRIES_MAX: u32 = 1_000_000;
}

impl Default for Window {
    fn default() -> Window {
        Window {
            entries: 10_000,
            idle_s: 7 * 24 * 3_600,
        }
    }
}

/// What devices may take. Those of a loop hold for each of a gateway's threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of devices, all loops together; one more is closed as it is accepted.
    pub connections_max: usize,
    /// Bytes of a token.
    pub token_bytes_max: usize,
    /// Messages of one connection that are not acknowledged yet; at so many it is not read until some are.
    pub pending_per_connection_max: usize,
    /// Messages of a loop that are not acknowledged yet; at so many nobody is read.
    pub pending_max: usize,
    /// Bytes of those messages, likewise.
    pub pending_bytes_max: usize,
    /// Messages taken to the store together.
    pub batch_submits_max: usize,
    /// Bytes of those, unless one alone is longer.
    pub batch_bytes_max: usize,
    /// A message that the store has not acknowledged after this time is answered with an error: its device may give up then, or submit
    /// it again. Devices wait for 5 s.
    pub patience_ms: u64,
    /// A device has to send at least 1 KiB of a frame that it began in each such span.
    pub frame_pace_ms: u64,
    /// How often a transaction is tried again that somebody else was in the way of.
    pub conflicts_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 10_000,
            token_bytes_max: 256,
            pending_per_connection_max: 1_024,
            pending_max: 32 * 1_024,
            pending_bytes_max: 64 << 20,
            batch_submits_max: 1_024,
            batch_bytes_max: 4 << 20,
            patience_ms: 4_000,
            frame_pace_ms: 30_000,
            conflicts_max: 64,
        }
    }
}

/// Everything that a gateway is told. Made by [`Settings::new`], which checks the stream's name; the rest may be changed then.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The codes and the longest frame.
    pub codec: Codec,
    /// Where the store is.
    pub store: Store,
    /// How to introduce oneself there.
    pub login: Login,
    /// How far back repeats are known.
    pub window: Window,
    /// What devices may take.
    pub limits: Limits,
    pub(crate) names: Names,
}

impl Settings {
    /// Appends to `stream` at `store`, with the defaults for everything else.
    ///
    /// # Errors
    /// When the stream's name is empty, or such that no other key can be made to lie beside it in a cluster.
    pub fn new(store: Store, stream: &[u8]) -> Result<Settings, NameError> {
        Ok(Settings {
            codec: Codec::default(),
            store,
            login: Login::default(),
            window: Window::default(),
            limits: Limits::default(),
            names: Names::of(stream)?,
        })
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream(&self) -> &[u8] {
        &self.names.stream
    }

    /// The limits of the event loops that serve this gateway.
    #[must_use]
    pub fn loop_limits(&self) -> dunlin_reactor::Limits {
        /// What a device may send ahead of the frame that is being looked at.
        const AHEAD_BYTES: usize = 64 * 1024;
        dunlin_reactor::Limits {
            input_bytes_max: self.codec.frame_bytes_max as usize + AHEAD_BYTES,
            request_pace_ms: self.limits.frame_pace_ms,
            ..dunlin_reactor::Limits::default()
        }
    }
}
