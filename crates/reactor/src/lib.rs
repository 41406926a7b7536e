//! Event loops, TCP server and client, UDP, buffers, timers and threads, shaped for completion. Knows no protocol.
//!
//! A [`Handler`] is given the inputs of all ready connections once a turn and hands output over as [`Rope`]s; it never reads
//! or writes. The [`EventLoop`] does that through a [`backend::Backend`]: [`Epoll`] or another for the system's sockets,
//! [`backend::memory`] for a deterministic network in the process, with which the same server runs in tests on virtual time.
//!
//! The [`guide`] says what a reactor and a proactor are, which backend to take, what the limits mean and how connections end.
//!
//! ```no_run
//! use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Limits, ListenAddress, Peer, Rope, TcpServer};
//!
//! /// Sends back what it is sent.
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}
//!     fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
//!         for input in batch {
//!             let mut reply = Rope::with_buffer(io.buffer());
//!             reply.tail().extend_from_slice(input.bytes());
//!             input.consume(input.bytes().len());
//!             io.send(input.conn(), &mut reply);
//!         }
//!     }
//!     fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
//! }
//!
//! let mut server = TcpServer::new();
//! server.listen(&ListenAddress::Tcp("127.0.0.1:7777".parse()?))?;
//! let pool = server.start(4, "echo", &Limits::default(), |_| Echo)?;
//! pool.join()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: nothing here depends on what the bytes mean, and no memory or time is spent without a limit in [`Limits`].

mod acceptor;
mod adopt;
mod arrival;
pub mod backend;
mod backoff;
mod blocking;
mod buffer;
mod clock;
mod conn;
mod deadlines;
mod error;
mod event_loop;
pub mod fatal;
pub mod guide;
mod handler;
mod io;
mod layer;
mod limits;
mod listeners;
mod pool;
pub mod process_title;
mod protect;
mod remote;
pub mod scheduling;
mod state;
mod tcp_client;
mod tcp_server;
mod thread_pool;
mod timers;
mod udp;
mod waker;

pub use adopt::{AdoptError, Adopter};
pub use backend::SystemBackend;
pub use backend::epoll::Epoll;
pub use backend::level::{EpollLevel, Level, Poll, Select};
pub use backend::poller::{
    EpollPoller, Interest, PollPoller, Poller, Readiness, SelectPoller, Step,
};
pub use backend::socket::{
    ConnectAddress, ListenAddress, ListenOptions, Listener, ListenerSwitch, Socket,
};
pub use backend::uring::Uring;
pub use backoff::{Backoff, RetryLimits};
pub use blocking::{BlockingStream, CONNECT_TIMEOUT, ReceiveFlags, TransferError};
pub use buffer::{BUFFER_BYTES, Buffer};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use conn::{CloseReason, ConnId, ConnState, Peer};
pub use dunlin_structures::{Rope, Shared};
pub use error::Error;
pub use event_loop::{EventLoop, Sleep, StopReport};
pub use handler::{Handler, Input};
pub use io::Io;
pub use layer::{Layer, LayerState};
pub use limits::Limits;
pub use listeners::{LISTENER_CHANGES_MAX, Listeners, ListenersError};
pub use pool::EventLoopPool;
pub use remote::{PostError, Remote, Task};
pub use state::Stats;
pub use tcp_client::TcpClient;
pub use tcp_server::TcpServer;
pub use thread_pool::{EnqueueError, THREAD_POOL_QUEUE_MAX, TaskHandle, TaskPanic, ThreadPool};
pub use timers::TimerId;
pub use udp::{Datagram, Delivery, UdpLimits, UdpSocket};
pub use waker::{Wake, Waker};
