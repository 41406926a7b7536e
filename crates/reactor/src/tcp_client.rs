//! A connection that comes back: made, and made again after a loss, from inside a handler.
//!
//! Invariant: it does no I/O of its own and reads no clock: all it does is to call [`Io`], from the methods that its owner, a
//! [`crate::Handler`], passes its own calls on to. At any time it has at most one connection, standing or in the making, or one
//! timer, never both. Between two attempts lies a wait, see [`Backoff`].
//!
//! It keeps no requests: what was sent into a connection that was lost may or may not have arrived, and only the protocol knows
//! what may be sent again.

use crate::backend::socket::ConnectAddress;
use crate::backoff::{Backoff, RetryLimits};
use crate::conn::ConnId;
use crate::io::Io;
use crate::timers::TimerId;

/// What a [`TcpClient`] is doing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Phase {
    Stopped,
    Connecting(ConnId),
    Connected { conn: ConnId, since_ms: u64 },
    Waiting { timer: TimerId, until_ms: u64 },
}

/// Keeps a connection to one address, over TCP or a Unix socket.
///
/// Its owner calls [`TcpClient::start`] once, and passes on `connected`, `closed` and `timer`:
///
/// ```
/// use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Peer, TcpClient};
///
/// struct Feed {
///     upstream: TcpClient,
/// }
///
/// impl Handler for Feed {
///     fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
///         if self.upstream.connected(io, conn) {
///             // Greet the server: nothing of an earlier connection is known to it.
///         }
///     }
///     fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
///         if self.upstream.closed(io, conn) {
///             eprintln!("{why:?}; next try at {:?} ms", self.upstream.retry_at_ms());
///         }
///     }
///     fn timer(&mut self, io: &mut Io<'_>, token: u64) {
///         self.upstream.timer(io, token);
///     }
///     fn stopping(&mut self, io: &mut Io<'_>) {
///         self.upstream.stop(io);
///     }
///     fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}
///     fn inputs(&mut self, _: &mut Io<'_>, _: &mut [Input]) {}
/// }
/// ```
#[derive(Debug)]
pub struct TcpClient {
    address: ConnectAddress,
    timer_token: u64,
    phase: Phase,
    backoff: Backoff,
    /// Given up by a stop, not yet told closed.
    leaving: Vec<ConnId>,
}

impl TcpClient {
    /// A client that does nothing until [`TcpClient::start`]. It sets timers with `timer_token`, which the handler must use for
    /// nothing else; `seed` spreads its waits.
    #[must_use]
    pub fn new(address: ConnectAddress, timer_token: u64, seed: u64) -> TcpClient {
        TcpClient::with_limits(address, timer_token, seed, RetryLimits::default())
    }

    /// A client with limits of its own.
    #[must_use]
    pub fn with_limits(
        address: ConnectAddress,
        timer_token: u64,
        seed: u64,
        limits: RetryLimits,
    ) -> TcpClient {
        TcpClient {
            address,
            timer_token,
            phase: Phase::Stopped,
            backoff: Backoff::new(limits, seed),
            leaving: Vec::new(),
        }
    }

    /// Whom it connects to.
    #[must_use]
    pub fn address(&self) -> &ConnectAddress {
        &self.address
    }

    /// Connects to another address from the next attempt on, such as another one that a name stands for.
    pub fn set_address(&mut self, address: ConnectAddress) {
        self.address = address;
    }

    /// Its connection, while that stands.
    #[must_use]
    pub fn connection(&self) -> Option<ConnId> {
        match self.phase {
            Phase::Connected { conn, .. } => Some(conn),
            _ => None,
        }
    }

    /// When it tries again, ms of the loop's clock, if it waits for that.
    #[must_use]
    pub fn retry_at_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Waiting { until_ms, .. } => Some(until_ms),
            _ => None,
        }
    }

    /// Attempts and connections that failed since the last one that stood for [`RetryLimits::steady_ms`].
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// True between [`TcpClient::start`] and [`TcpClient::stop`].
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.phase != Phase::Stopped
    }

    /// Begins to connect, at once, and does not give up until it is stopped. Does nothing if it was started.
    pub fn start(&mut self, io: &mut Io<'_>) {
        if self.phase == Phase::Stopped {
            self.backoff.succeed();
            self.connect(io);
        }
    }

    /// Gives up: cancels an attempt or a wait, writes the output of a connection and closes it. [`TcpClient::closed`] still has
    /// to be told of that. Does nothing if it is not started.
    pub fn stop(&mut self, io: &mut Io<'_>) {
        match std::mem::replace(&mut self.phase, Phase::Stopped) {
            Phase::Stopped => {}
            Phase::Waiting { timer, .. } => io.cancel_timer(timer),
            Phase::Connecting(conn) => {
                self.leaving.push(conn);
                io.close(conn);
            }
            Phase::Connected { conn, .. } => {
                self.leaving.push(conn);
                io.close_after_flush(conn);
            }
        }
    }

    /// To be called from [`crate::Handler::connected`]. True if the connection is this client's.
    pub fn connected(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        let ours = self.phase == Phase::Connecting(conn);
        if ours {
            let since_ms = io.now_ms();
            self.phase = Phase::Connected { conn, since_ms };
        }
        ours
    }

    /// To be called from [`crate::Handler::closed`]. True if the connection was this client's; unless it was stopped, or the loop
    /// is stopping, it will make another one.
    pub fn closed(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        match self.phase {
            Phase::Connecting(ours) if ours == conn => {}
            Phase::Connected {
                conn: ours,
                since_ms,
            } if ours == conn => {
                if io.now_ms() - since_ms >= self.backoff.limits().steady_ms {
                    self.backoff.succeed();
                }
            }
            _ => {
                let left = self.leaving.iter().position(|id| *id == conn);
                return left.map(|at| self.leaving.swap_remove(at)).is_some();
            }
        }
        if io.is_stopping() {
            self.phase = Phase::Stopped;
        } else {
            let until_ms = io.now_ms() + self.backoff.fail();
            let timer = io.set_timer(until_ms, self.timer_token);
            self.phase = Phase::Waiting { timer, until_ms };
        }
        true
    }

    /// To be called from [`crate::Handler::timer`]. True if the timer is this client's.
    pub fn timer(&mut self, io: &mut Io<'_>, token: u64) -> bool {
        if token != self.timer_token {
            return false;
        }
        if let Phase::Waiting { .. } = self.phase {
            if io.is_stopping() {
                self.phase = Phase::Stopped;
            } else {
                self.connect(io);
            }
        }
        true
    }

    fn connect(&mut self, io: &mut Io<'_>) {
        let deadline_ms = io.now_ms() + self.backoff.limits().connect_ms;
        let conn = io.connect(&self.address, Some(deadline_ms));
        self.phase = Phase::Connecting(conn);
    }
}

#[cfg(test)]
#[path = "tcp_client_test.rs"]
mod tests;
