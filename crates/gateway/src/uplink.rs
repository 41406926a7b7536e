//! The connection to the store, made and made again: over the network, or within the process.
//!
//! Invariant: at any time there is at most one, standing or in the making, or one timer. Between two attempts lies a wait.

use dunlin_reactor::{Adopter, Backoff, ConnId, Io, RetryLimits, Socket, TcpClient, TimerId};

use crate::settings::{Dial, Store};

/// A connection that cannot be made is tried again after this time at most: devices are waiting.
const WAIT_MS_MAX: u64 = 1_000;

/// See the module's text.
pub(crate) enum Uplink {
    Far(TcpClient),
    Near(Near),
}

/// A connection within the process.
pub(crate) struct Near {
    dial: Dial,
    /// Of our own loop.
    adopter: Adopter<Socket>,
    timer_token: u64,
    backoff: Backoff,
    phase: Phase,
    /// Given up by a stop, not yet closed.
    leaving: Option<ConnId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Stopped,
    /// On its way to our loop.
    Opening,
    Open {
        conn: ConnId,
        since_ms: u64,
    },
    Waiting(TimerId),
}

impl Uplink {
    pub(crate) fn new(
        store: &Store,
        adopter: Adopter<Socket>,
        timer_token: u64,
        seed: u64,
    ) -> Self {
        let limits = RetryLimits {
            wait_max_ms: WAIT_MS_MAX,
            ..RetryLimits::default()
        };
        match store {
            Store::At(address) => Uplink::Far(TcpClient::with_limits(
                address.clone(),
                timer_token,
                seed,
                limits,
            )),
            Store::Within(dial) => Uplink::Near(Near {
                dial: dial.clone(),
                adopter,
                timer_token,
                backoff: Backoff::new(limits, seed),
                phase: Phase::Stopped,
                leaving: None,
            }),
        }
    }

    /// Begins to connect, and does not give up until it is stopped.
    pub(crate) fn start(&mut self, io: &mut Io<'_>) {
        match self {
            Uplink::Far(client) => client.start(io),
            Uplink::Near(near) => near.connect(io),
        }
    }

    /// Writes what there is to write, closes, and does not connect again.
    pub(crate) fn stop(&mut self, io: &mut Io<'_>) {
        match self {
            Uplink::Far(client) => client.stop(io),
            Uplink::Near(near) => match std::mem::replace(&mut near.phase, Phase::Stopped) {
                Phase::Open { conn, .. } => {
                    near.leaving = Some(conn);
                    io.close_after_flush(conn);
                }
                Phase::Waiting(timer) => io.cancel_timer(timer),
                Phase::Stopped | Phase::Opening => {}
            },
        }
    }

    /// The connection, while it stands.
    #[inline]
    pub(crate) fn connection(&self) -> Option<ConnId> {
        match self {
            Uplink::Far(client) => client.connection(),
            Uplink::Near(near) => match near.phase {
                Phase::Open { conn, .. } => Some(conn),
                _ => None,
            },
        }
    }

    /// Attempts and connections that failed in a row.
    pub(crate) fn failures(&self) -> u32 {
        match self {
            Uplink::Far(client) => client.failures(),
            Uplink::Near(near) => near.backoff.failures(),
        }
    }

    /// A connection that was begun here stands. True if it is the one to the store.
    pub(crate) fn connected(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        match self {
            Uplink::Far(client) => client.connected(io, conn),
            Uplink::Near(_) => false,
        }
    }

    /// Our loop was given a connection. True if it is the one to the store.
    pub(crate) fn opened(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        match self {
            Uplink::Near(near) if near.phase == Phase::Opening => {
                let since_ms = io.now_ms();
                near.phase = Phase::Open { conn, since_ms };
                true
            }
            _ => false,
        }
    }

    /// A connection is gone. True if it was the one to the store.
    pub(crate) fn closed(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        match self {
            Uplink::Far(client) => client.closed(io, conn),
            Uplink::Near(near) => near.closed(io, conn),
        }
    }

    pub(crate) fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        match self {
            Uplink::Far(client) => {
                client.timer(io, token);
            }
            Uplink::Near(near) => {
                if token == near.timer_token && matches!(near.phase, Phase::Waiting(_)) {
                    near.connect(io);
                }
            }
        }
    }
}

impl Near {
    fn connect(&mut self, io: &mut Io<'_>) {
        self.phase = Phase::Opening;
        let adopted = (self.dial)().is_ok_and(|socket| self.adopter.adopt(socket).is_ok());
        if !adopted {
            self.wait(io);
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId) -> bool {
        match self.phase {
            Phase::Open {
                conn: ours,
                since_ms,
            } if ours == conn => {
                if io.now_ms() - since_ms >= self.backoff.limits().steady_ms {
                    self.backoff.succeed();
                }
                self.wait(io);
                true
            }
            _ => self.leaving.take_if(|leaving| *leaving == conn).is_some(),
        }
    }

    fn wait(&mut self, io: &mut Io<'_>) {
        if io.is_stopping() {
            self.phase = Phase::Stopped;
            return;
        }
        let at_ms = io.now_ms() + self.backoff.fail();
        self.phase = Phase::Waiting(io.set_timer(at_ms, self.timer_token));
    }
}
