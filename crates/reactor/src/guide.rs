//! The guide: what a reactor is, which of the ways to do I/O to use, and what to know of this one.
//!
//! # Four ways to wait
//!
//! A program that talks to others mostly waits for them. Where it does so is what tells the models apart:
//!
//! | model | who waits, and where | one thread serves | here |
//! |-|-|-|-|
//! | blocking | the thread, in the very call that reads or writes | one connection | [`BlockingStream`] |
//! | non-blocking | nobody: a call that would wait fails with `EAGAIN`, and is made again later | many, by asking all of them over and over | every descriptor in this crate is so; [`ReceiveFlags::dont_wait`] |
//! | multiplexed | the thread, in one call that waits for all descriptors at once and says which are *ready* | many | [`Poller`], and the loop over it |
//! | asynchronous | nobody: operations are handed to the system, which says when they are *done* | many | [`Uring`] |
//!
//! Blocking code is the easiest to read, and right for a tool, a test, or a thread that has nothing else to do. It costs a thread
//! for each connection, and a peer that does nothing holds one for ever unless each call has a deadline. Non-blocking calls alone
//! are of no use, since asking over and over burns a processor; they are what the other two models are made of.
//!
//! # Reactor
//!
//! A reactor is the multiplexed model given a shape. Its parts have had names since Schmidt's paper of 1995:
//!
//! - a *handle*: something that can become ready. Here a descriptor.
//! - the *demultiplexer*: waits for all handles at once. Here a [`Poller`]: [`EpollPoller`], [`PollPoller`] or [`SelectPoller`].
//! - *event handlers*, one for each handle: told that it is ready, they read or write it.
//! - *dispatch*: the loop between the two. Handles are registered, modified and removed while it runs.
//!
//! With a poller alone, a reactor is a page of code:
//!
//! ```
//! use dunlin_reactor::{EpollPoller, Interest, Poller, Step};
//! use std::collections::HashMap;
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::os::fd::AsRawFd;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! listener.set_nonblocking(true)?;
//! let mut poller = EpollPoller::open()?;
//! const LISTENER: u64 = 0;
//! poller.add(listener.as_raw_fd(), LISTENER, Interest::READABLE)?;
//! let mut streams: HashMap<u64, TcpStream> = HashMap::new();
//!
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! client.write_all(b"hello")?;
//!
//! let mut echoed = 0;
//! let mut ready = Vec::new();
//! while echoed < 5 {
//!     ready.clear();
//!     poller.wait(16, None, &mut ready)?;
//!     for event in &ready {
//!         if event.key == LISTENER {
//!             let (stream, _) = listener.accept()?;
//!             stream.set_nonblocking(true)?;
//!             let key = stream.as_raw_fd() as u64;
//!             poller.add(stream.as_raw_fd(), key, Interest::READABLE)?;
//!             streams.insert(key, stream);
//!         } else if event.steps().any(|step| step == Step::Read) {
//!             // Level-triggered: what one read leaves is reported again.
//!             let stream = streams.get_mut(&event.key).expect("it was added above");
//!             let mut chunk = [0; 1024];
//!             let n = stream.read(&mut chunk)?;
//!             // A real one would keep what a full socket does not take, and wait until it is writable.
//!             stream.write_all(&chunk[..n])?;
//!             echoed += n;
//!         }
//!     }
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What is missing there is what this crate is about: output that the socket does not take, a peer that sends faster than it is
//! served, one that sends nothing or half a request, the end of a stream behind unread bytes, descriptors that run out, timers,
//! work from other threads, and a stop that loses nothing.
//!
//! # Proactor
//!
//! A proactor is the asynchronous model given a shape. Instead of being told that it *may* read, the program says beforehand
//! *what* is to be read, and is told when that was done:
//!
//! - an *asynchronous operation*: receive into this buffer, send that one, accept, connect.
//! - the *completion queue*: what has been done, and what came of it.
//! - a *completion handler*: what is to happen next.
//!
//! A [`Handler`] is a completion handler, whatever lies below. It never reads or writes: [`Handler::inputs`] is given bytes that
//! have been received, for all connections at once, and [`Io::send`] takes bytes that are to be sent. On [`Uring`] the kernel does
//! both by itself, and the completions come in one queue. On the others the loop is a reactor inside, which makes the calls when
//! the descriptors are ready and hands over what they brought. A handler cannot tell one from the other, and neither can its
//! tests.
//!
//! # A turn
//!
//! The loop goes round in turns; each is over everything that is ready:
//!
//! 1. Wait, unless there is work left: until something happens, a timer is due, or another thread wakes the loop.
//! 2. Run tasks that other threads posted ([`Remote::post`]); tell of descriptors that became readable ([`Handler::fd_ready`]), of
//!    connections made from here ([`Handler::connected`]), of new ones ([`Handler::opened`]), of timers ([`Handler::timer`]).
//! 3. Receive from each ready connection up to its budget, and show all inputs at once ([`Handler::inputs`]). What the handler
//!    does not consume is kept and shown again with the next bytes, so half a request needs no code.
//! 4. Write each connection's output with one call; tell who is closed ([`Handler::closed`]).
//!
//! Every step has a budget. A connection that has more goes to the back of the queue, so one that sends without end takes its share
//! and no more.
//!
//! # Which backend
//!
//! All of them pass the same tests; they differ in cost, and in where they run.
//!
//! | backend | how it learns what is ready | take it |
//! |-|-|-|
//! | [`Epoll`] | epoll, edge-triggered: a change is reported once, and a drained socket costs nothing at the next wait | by default |
//! | [`Uring`] | io_uring, completions: operations of a whole turn are handed over with one system call | where it is there and measures faster; many containers forbid it |
//! | [`EpollLevel`] | epoll, level-triggered: what is ready is looked at by each wait | to compare, or to rule edges out as the cause of something |
//! | [`Poll`] | poll(2): every wait passes and looks at all descriptors | for a few connections, or where there is no epoll |
//! | [`Select`] | select(2): like poll, and no descriptor from [`SelectPoller::DESCRIPTORS_MAX`] on | where nothing else is left |
//! | [`memory`](crate::backend::memory) | a network in the process, on virtual time | in tests: the same seed gives the same run |
//!
//! *Level* and *edge* say when readiness is reported: as long as it lasts, or when it begins. Level is forgiving: what one call
//! leaves is reported again. Edge is cheaper with many connections that are ready at once, but whoever is told must go on until
//! `EAGAIN`, or remember that there is more; the loop does.
//!
//! The choice can be made when the program runs:
//!
//! ```
//! use dunlin_reactor::{
//!     CloseReason, ConnId, Epoll, Error, EventLoopPool, Handler, Input, Io, Limits, ListenAddress, Peer, Poll, SystemBackend,
//!     TcpServer, Uring,
//! };
//!
//! struct Discard;
//!
//! impl Handler for Discard {
//!     fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}
//!     fn inputs(&mut self, _: &mut Io<'_>, batch: &mut [Input]) {
//!         for input in batch {
//!             input.consume(input.bytes().len());
//!         }
//!     }
//!     fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
//! }
//!
//! fn start<B: SystemBackend>(server: TcpServer) -> Result<EventLoopPool, Error> {
//!     let loops = server.into_loops::<B>(2, &Limits::default())?;
//!     EventLoopPool::start(loops, "discard", |_| Discard)
//! }
//!
//! fn start_on(backend: &str, server: TcpServer) -> Result<EventLoopPool, Error> {
//!     match backend {
//!         "poll" => start::<Poll>(server),
//!         // Many containers forbid it, which shows here.
//!         "io_uring" if Uring::open().is_ok() => start::<Uring>(server),
//!         _ => start::<Epoll>(server),
//!     }
//! }
//!
//! for backend in ["epoll", "poll", "io_uring"] {
//!     let mut server = TcpServer::new();
//!     server.listen(&ListenAddress::Tcp("127.0.0.1:0".parse()?))?;
//!     let pool = start_on(backend, server)?;
//!     pool.stop(0);
//!     pool.join()?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Several loops
//!
//! A [`TcpServer`] runs any number of loops, one thread each. One of them accepts, and gives each connection to the loop that has the
//! fewest; so no thread is woken for a connection that another one takes (the thundering herd), and a port that is in use is an
//! error, as it should be. A connection stays with its loop, so a handler's state about it needs no lock. Threads talk to a loop
//! through its [`Remote`]: a bounded queue of tasks, and a wake-up that costs nothing while the loop is awake.
//!
//! # Clients, datagrams, and work that takes long
//!
//! - [`Io::connect`] makes a connection from inside a loop, with a deadline; [`TcpClient`] keeps one up, with growing waits.
//! - [`Adopter`] gives a loop a socket that nobody accepted, such as one end of [`Socket::pair`](crate::Socket::pair).
//! - [`BlockingStream`] is for threads that may wait. Its deadlines are points in time, and its errors say how much went through.
//! - [`UdpSocket`] is watched by the loop like a pipe; what the system does not take at once waits in a bounded queue.
//! - [`ThreadPool`] takes what would hold the loop up; the result is posted back through a [`Remote`].
//!
//! # What the limits mean
//!
//! No queue and no buffer grows without a bound; [`Limits`] has them all, each with its unit in its name. They come in four groups.
//!
//! *Budgets of a turn* share the loop out: [`Limits::input_turn_bytes`], [`Limits::output_turn_bytes`], [`Limits::inputs_per_turn`],
//! [`Limits::accepts_per_turn`], [`Limits::timer_work_per_turn`]. Nothing is lost when one is used up; the rest has its turn later.
//! Smaller ones make the longest turn shorter, larger ones make fewer system calls.
//!
//! *Backpressure* makes others wait rather than let their bytes pile up. A connection with [`Limits::input_bytes_max`] unconsumed
//! bytes is not read until its handler consumes some: that is the longest request, so a protocol should refuse one well before.
//! One with [`Limits::output_soft_bytes`] of unsent output is not read until half of it has gone ([`Handler::drained`]): a peer that
//! does not read its answers asks nothing more. A handler whose output comes from elsewhere pauses that source itself, see
//! `examples/proxy.rs`.
//!
//! *Hard limits* end what backpressure cannot hold: above [`Limits::output_hard_bytes`] a connection is closed
//! ([`CloseReason::OutputLimit`]), which is for those who are sent what they did not ask for, such as the members of a chat. A full
//! queue of tasks ([`Limits::tasks_max`]) or of handed-over sockets ([`Limits::handover_max`]) is an error for whoever wants to
//! put something in; more than [`Limits::connecting_max`] attempts to connect fail at once.
//!
//! *Times* bound what waits for others: [`Limits::connect_ms`], [`Limits::linger_ms`] (a closed connection, until its peer has read
//! the last bytes), [`Limits::accept_pause_ms`] (when descriptors have run out), [`Limits::stop_ms`] and [`Limits::stop_stall_ms`]
//! (a stop, until who takes nothing is cut). What one peer may take is the protocol's to say: see [`Io::set_read_deadline`] and
//! [`Io::set_write_deadline`].
//!
//! # How a connection ends
//!
//! | what happened | what the handler sees |
//! |-|-|
//! | the peer closed or shut its side | [`Input::is_eof`] behind its last bytes; then, once the output is written, [`CloseReason::Eof`] |
//! | the same, while input is paused | [`Handler::peer_closed`]; the rest after [`Io::resume_input`] |
//! | the peer reset the connection, or the network lost it | [`CloseReason::Reset`] with the system's error |
//! | its [`Layer`] could make nothing of what came, or was not established in time | [`CloseReason::Layer`] |
//! | the handler closed it | [`CloseReason::Local`]; [`Io::close`] drops unsent output, [`Io::close_after_flush`] writes it first |
//! | it was never made | [`CloseReason::Connect`] with the system's error, or [`std::io::ErrorKind::TimedOut`] |
//! | it was still busy at the deadline of a stop | [`CloseReason::Deadline`] |
//!
//! A call with the [`ConnId`] of a connection that is gone does nothing, so no handler has to ask first. Errors while a server is set
//! up are of type [`Error`] and name what failed.
//!
//! # Tests
//!
//! Write a handler, run it on [`memory`](crate::backend::memory), and step it: time stands still until the test moves it, bytes arrive in
//! pieces, buffers are full when it hurts, and a seed that failed fails again.
//!
//! # Examples
//!
//! In the folder `examples`, each tested as a process of its own: `echo` (and `echo_client`), `lines` (requests, pipelines, long work), `chat`
//! (shared output, hard limits), `timer` (reminders, idle timeouts), `proxy` (connecting, backpressure both ways).
//! The last four take `--backend`.
//!
//! Invariant of this module: it has no code, and all code in it compiles.

#[allow(unused_imports, reason = "the links above")]
use crate::*;
