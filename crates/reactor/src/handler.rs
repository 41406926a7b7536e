//! What a user of the reactor writes: a [`Handler`], which is given all input of a turn at once.
//!
//! Invariant: a handler never reads, writes or waits; it gets bytes and hands bytes over. All its methods run on its loop's
//! thread. A connection that closed meanwhile makes later calls with its id do nothing.

use std::io;

use crate::buffer::Buffer;
use crate::conn::{CloseReason, ConnId, Peer};
use crate::io::Io;

/// The unconsumed input of one connection, owned by the loop for the turn.
#[derive(Debug)]
pub struct Input {
    pub(crate) conn: ConnId,
    pub(crate) buffer: Buffer,
    pub(crate) eof: bool,
    pub(crate) expected: u32,
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
}

impl Input {
    /// Whose input this is.
    #[must_use]
    #[inline]
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// All unconsumed bytes: those kept from earlier turns, then the new ones.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Drops the first `n` bytes: they were understood. O(1).
    ///
    /// # Panics
    /// If there are fewer.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.buffer.consume(n);
    }

    /// When the bytes came that end at `offset`, on the loop's clock, microseconds: exactly, if the loop was waiting for them, else as near as can be
    /// known, see `crate::arrival`. To be asked before anything is consumed.
    #[must_use]
    #[inline]
    pub fn arrived_us(&self, offset: usize) -> u64 {
        if self.first_us == self.last_us {
            return self.last_us;
        }
        let span = u128::from(self.last_us.saturating_sub(self.first_us));
        let len = self.bytes().len().max(1) as u128;
        self.first_us + (span * offset as u128 / len) as u64
    }

    /// Memory that these bytes take, if any are left.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        if self.buffer.is_empty() {
            0
        } else {
            self.buffer.capacity()
        }
    }

    /// Says how many bytes the request lacks whose beginning is left: the buffer then grows no further than they need. It still
    /// grows with what arrives only, whatever the peer announces.
    #[inline]
    pub fn expect(&mut self, n: usize) {
        self.expected = u32::try_from(n).unwrap_or(0);
    }

    /// True when the peer will send nothing more. Unless the handler pauses the connection now, or asks for the rest to be shown again, it
    /// is closed once its output is flushed; if it pauses, the same holds when the input is shown again after [`Io::resume_input`].
    #[must_use]
    #[inline]
    pub fn is_eof(&self) -> bool {
        self.eof
    }
}

/// The user's side of an event loop. A turn calls, as far as there is reason: posted tasks, `woken`, `fd_ready`, `stopping`,
/// `connected`, `opened`, `timer`, `inputs`, `turn_end`; then output is written, `drained` and `closed` tell what came of it, and `background` has
/// what is left of the turn.
pub trait Handler {
    /// A connection was accepted. Its input may be shown in the next turn.
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer);

    /// Once a turn: the inputs of all connections that have new bytes, reached their end, or were resumed. What is not
    /// consumed stays the reactor's and is shown again with the next bytes or after [`Io::resume_input`].
    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]);

    /// A connection begun with [`Io::connect`] stands. Its input may be shown in this turn.
    fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer) {
        let _ = (io, conn, peer);
    }

    /// The connection is gone, or never stood ([`CloseReason::Connect`]); its id is dead. Called exactly once for each `opened`
    /// and each [`Io::connect`].
    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason);

    /// The peer closed its sending side while input was paused, or stood still at its deadline; bytes that it sent before may still be unread. Called at most
    /// once. A handler that would wait for long (a blocking command) gives up here; others need not care.
    fn peer_closed(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let _ = (io, conn);
    }

    /// Output rose above the soft limit earlier and has fallen to half of it now; input is read again.
    fn drained(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let _ = (io, conn);
    }

    /// The system did not take all output of `conn`: [`Io::output_len`] tells what is left. Called after each write that leaves
    /// something, and once when nothing is left any more.
    fn backlog(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let _ = (io, conn);
    }

    /// The deadline of [`Io::set_read_deadline`] has passed; `bytes` were received since it was set, those that were not consumed
    /// included. Nothing more is read until it is set anew.
    fn read_deadline(&mut self, io: &mut Io<'_>, conn: ConnId, bytes: usize) {
        let _ = (io, conn, bytes);
    }

    /// The deadline of [`Io::set_write_deadline`] has passed, and there is output that was not written in time: `bytes` were since it was set,
    /// [`Io::output_len`] are left. Nothing more is written until it is set anew; a handler that gives up closes.
    fn write_deadline(&mut self, io: &mut Io<'_>, conn: ConnId, bytes: usize) {
        let _ = (io, conn, bytes);
    }

    /// A timer set with [`Io::set_timer`] came due.
    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        let _ = (io, token);
    }

    /// The loop's waker was used since the last turn, once or often. Posted tasks ran before.
    fn woken(&mut self, io: &mut Io<'_>) {
        let _ = io;
    }

    /// A descriptor registered with [`crate::EventLoop::watch_fd`] is readable. Called every turn until it was read empty.
    fn fd_ready(&mut self, io: &mut Io<'_>, token: u64) {
        let _ = (io, token);
    }

    /// Accepting pauses since the process is out of descriptors or memory. Called once until a connection is accepted again.
    fn accept_paused(&mut self, io: &mut Io<'_>, listener: usize, error: &io::Error) {
        let _ = (io, listener, error);
    }

    /// A graceful stop began: no more connections come, and those without work are being closed. A handler that holds
    /// connections paused must bring them to an end now, or they are cut at the deadline.
    fn stopping(&mut self, io: &mut Io<'_>) {
        let _ = io;
    }

    /// End of every turn, before output is written. Returns until when the loop may sleep, in ms of the loop's clock; `None`
    /// means for ever. When `drained` or `closed` are called after it, another turn follows before the loop sleeps: the last
    /// call before a sleep is always this one.
    fn turn_end(&mut self, io: &mut Io<'_>) -> Option<u64> {
        let _ = io;
        None
    }

    /// The turn's output was handed to the system, as far as that took it, at `now_us` (the loop's clock, microseconds). Called every turn; for those
    /// who measure: nothing may be sent from here.
    fn settled(&mut self, io: &mut Io<'_>, now_us: u64) {
        let _ = (io, now_us);
    }

    /// Whether there is long work, see [`Handler::background`].
    fn has_background(&mut self, io: &mut Io<'_>) -> bool {
        let _ = io;
        false
    }

    /// Called if [`Handler::has_background`]: a slice of long work, with the turn's output on its way so that nobody's reply waits for it. Output of its own is written
    /// in the next turn, which the loop takes before it sleeps.
    fn background(&mut self, io: &mut Io<'_>) {
        let _ = io;
    }
}
