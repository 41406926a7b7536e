//! Every limit of an event loop, in one place.
//!
//! Invariant: each limit is finite and carries its unit in its name. Nothing here is read from a file: the caller decides.

/// The limits of one event loop.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes read from one connection in one turn; what is left waits behind the other connections.
    pub input_turn_bytes: usize,
    /// Unconsumed bytes of one connection at which its reading stops until the handler consumes some.
    pub input_bytes_max: usize,
    /// Connections whose input is given to the handler in one turn; the others keep their place in the queue.
    pub inputs_per_turn: usize,
    /// Bytes written to one connection in one turn, so that a huge reply does not stall the others.
    pub output_turn_bytes: usize,
    /// Unsent bytes of one connection above which its input is not read.
    pub output_soft_bytes: usize,
    /// Unsent bytes of one connection above which it is closed with [`crate::CloseReason::OutputLimit`].
    pub output_hard_bytes: usize,
    /// Connections accepted from one listener in one turn.
    pub accepts_per_turn: usize,
    /// Connections that may be in the making at once; one more fails at once.
    pub connecting_max: usize,
    /// How long the making of a connection may take when the caller names no deadline.
    pub connect_ms: u64,
    /// How long accepting pauses when the process is out of descriptors or memory, unless a connection closes earlier.
    pub accept_pause_ms: u64,
    /// Connections accepted in a second, those through the lane not counted; 0: as many as come. What a second allows may come at once.
    pub accepts_per_s: u32,
    /// Connections that one address may have with all loops of a pool; more are closed as they are accepted.
    pub connections_per_address: usize,
    /// A connection that began a request has to send at least `request_pace_bytes` in each such span until it is complete; 0: it may take
    /// its time.
    pub request_pace_ms: u64,
    /// See `request_pace_ms`.
    pub request_pace_bytes: usize,
    /// How long a connection with a [`crate::Layer`] has until that is established.
    pub handshake_ms: u64,
    /// Connections whose layer is not established yet that are read in one turn: each may cost a signature.
    pub handshakes_per_turn: usize,
    /// Memory of the input and output buffers of a loop's connections above which the connection with the biggest ones is cut.
    pub buffer_memory_bytes_max: usize,
    /// Tasks that may wait in a loop's queue; posting one more fails.
    pub tasks_max: usize,
    /// Accepted sockets that may wait to be taken over by a loop.
    pub handover_max: usize,
    /// Timers fired or moved in one turn.
    pub timer_work_per_turn: usize,
    /// How long a closed connection may linger until the peer has read what was sent to it.
    pub linger_ms: u64,
    /// How long a graceful stop may take when the caller names no deadline.
    pub stop_ms: u64,
    /// How long a graceful stop waits for peers that take nothing, when they are all it waits for.
    pub stop_stall_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            input_turn_bytes: 64 * 1024,
            input_bytes_max: (1 << 30) + (64 << 10),
            inputs_per_turn: 256,
            output_turn_bytes: 256 * 1024,
            output_soft_bytes: 1 << 20,
            output_hard_bytes: usize::MAX,
            accepts_per_turn: 64,
            connecting_max: 1024,
            connect_ms: 2_000,
            accept_pause_ms: 100,
            accepts_per_s: 0,
            connections_per_address: usize::MAX,
            request_pace_ms: 0,
            request_pace_bytes: 1_024,
            handshake_ms: 10_000,
            handshakes_per_turn: 4,
            buffer_memory_bytes_max: usize::MAX,
            tasks_max: 64 * 1024,
            handover_max: 1024,
            timer_work_per_turn: 1_000,
            linger_ms: 1_000,
            stop_ms: 10_000,
            stop_stall_ms: 10_000,
        }
    }
}
