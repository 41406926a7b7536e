//! Sends a workload and measures: one event loop for each thread, each with its share of the connections.
//!
//! Without a rate each connection has a whole pipeline in flight or none, and latencies count from the moment when it was sent. With one,
//! requests go to whichever connection has room when they fall due, and latencies count from then.
//!
//! Invariant: with a number of requests, exactly so many are sent, counted and measured, whatever the threads and the pipeline; the server
//! is sent nothing before all connections stand.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use dunlin_reactor::{
    CloseReason, ConnId, ConnectAddress, Epoll, EventLoop, Handler, Input, Io, Limits, Peer, Rope,
    SystemBackend, Uring,
};
use dunlin_resp::reply;
use hdrhistogram::Histogram;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
};

use super::keys::Keys;
use super::options::{Backend, Options};
use super::progress::{Live, Progress};
use super::rate::Schedule;
use super::scan::Scanner;
use super::workload::Workload;
use crate::cli::tls::Layers;

/// Latencies beyond this are counted as this, microseconds.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Significant digits of latencies.
const DIGITS: u8 = 3;
/// Between two looks at what came so far.
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// How long a connection may take to stand.
const CONNECT_MS: u64 = 10_000;
/// Tells the timer of live figures from others.
const LIVE_TOKEN: u64 = 1;

/// What a run came to.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) latencies: Histogram<u64>,
    pub(super) seconds: f64,
    /// CPU that this process used meanwhile, warm-up included.
    pub(super) cpu: Duration,
    /// All requests, those of the warm-up included.
    pub(super) sent: u64,
}

/// A histogram of microseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS)
        .expect("the bounds are constants that fit")
}

/// What all threads share.
struct Shared {
    /// Requests that were handed out to threads.
    issued: AtomicU64,
    /// How many there are to be; `u64::MAX` for a run of a duration.
    quota: u64,
    begin: Barrier,
    begun: AtomicBool,
    live: Live,
}

impl Shared {
    /// Grants up to `wanted` requests.
    #[inline]
    fn grant(&self, wanted: u64) -> u64 {
        if self.issued.load(Ordering::Relaxed) >= self.quota {
            return 0;
        }
        let before = self.issued.fetch_add(wanted, Ordering::Relaxed);
        self.quota.saturating_sub(before).min(wanted)
    }
}

/// What one thread found.
struct Part {
    latencies: Histogram<u64>,
    begun: Instant,
    ended: Instant,
    sent: u64,
}

/// Runs the workload to its end.
///
/// # Errors
/// A connection that can't be made or is lost, or a reply that is an error.
pub(super) fn run(options: &Options, workload: &Workload) -> Result<Measured> {
    let threads = options.threads.unwrap_or(1).min(options.clients);
    let shared = Arc::new(Shared {
        issued: AtomicU64::new(0),
        quota: if options.duration.is_some() {
            u64::MAX
        } else {
            options.requests
        },
        begin: Barrier::new(threads),
        begun: AtomicBool::new(false),
        live: Live::default(),
    });
    let address = options
        .endpoint
        .addresses()?
        .into_iter()
        .next()
        .context("no address for this host")?;
    let endpoint = &options.endpoint;
    let layers = endpoint.tls.as_ref().map(|tls| tls.layers(&endpoint.host));
    let layers = layers.transpose()?;
    let mut progress = Progress::new(options, &workload.title);
    let cpu_before = cpu();
    let (sender, receiver) = mpsc::channel();
    for index in 0..threads {
        let (sender, shared) = (sender.clone(), Arc::clone(&shared));
        let (options, workload, address) = (options.clone(), workload.clone(), address.clone());
        let layers = layers.clone();
        let live = progress.is_shown();
        thread::Builder::new()
            .name(format!("load-{index}"))
            .spawn(move || {
                let target = (address, layers);
                let load = Load::new(options, workload, shared, target, (index, threads), live);
                report(&sender, load);
            })?;
    }
    let mut parts = Vec::new();
    while parts.len() < threads {
        match receiver.recv_timeout(LOOK) {
            Ok(part) => parts.push(part?),
            Err(RecvTimeoutError::Timeout) => progress.show(&shared.live),
            Err(RecvTimeoutError::Disconnected) => bail!("a thread that sends has ended"),
        }
    }
    progress.clear();
    let mut latencies = histogram();
    for part in &parts {
        latencies
            .add(&part.latencies)
            .context("histograms of one shape")?;
    }
    latencies
        .add(shared.live.total())
        .context("histograms of one shape")?;
    let begun = parts.iter().map(|part| part.begun).min();
    let ended = parts.iter().map(|part| part.ended).max();
    let took = ended.zip(begun).map_or(Duration::ZERO, |(ended, begun)| {
        ended.saturating_duration_since(begun)
    });
    Ok(Measured {
        latencies,
        seconds: took.as_secs_f64().max(1e-6),
        cpu: cpu().saturating_sub(cpu_before),
        sent: parts.iter().map(|part| part.sent).sum(),
    })
}

/// CPU time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn report(sender: &Sender<Result<Part>>, load: Load) {
    let part = match load.options.backend {
        Backend::Epoll => load.run::<Epoll>(),
        Backend::Uring => load.run::<Uring>(),
    };
    // Nobody listens any more if another thread has failed.
    let _ = sender.send(part);
}

/// One connection.
#[derive(Debug, Default)]
struct Client {
    conn: Option<ConnId>,
    scanner: Scanner,
    /// Replies to what logs in, before those that count.
    greetings: u64,
    in_flight: u64,
    /// When the pipeline was sent, microseconds of the loop's clock.
    sent_us: u64,
    /// The pipeline is measured; otherwise it belongs to the warm-up.
    counted: bool,
    /// With a rate: when each request in flight was due.
    due_us: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Ready,
    Running,
    Done,
}

/// One thread's part of the load.
struct Load {
    options: Options,
    workload: Workload,
    /// Sum of the weights of its parts.
    weights: u32,
    shared: Arc<Shared>,
    address: ConnectAddress,
    /// TLS, if it is spoken.
    layers: Option<Layers>,
    share: (usize, usize),
    clients: Vec<Client>,
    /// The client of each connection, by its index.
    by_conn: Vec<usize>,
    greeting: Vec<u8>,
    greetings: u64,
    keys: Keys,
    phase: Phase,
    standing: usize,
    /// Sent in this turn.
    armed: Vec<usize>,
    in_flight: u64,
    /// Clients that may send more, with a rate.
    free: VecDeque<usize>,
    schedule: Option<Schedule>,
    timer: Option<OwnedFd>,
    measured_from_us: u64,
    deadline_us: u64,
    exhausted: bool,
    latencies: Histogram<u64>,
    sent: u64,
    live: bool,
    begun: Instant,
    ended: Instant,
    failure: Option<anyhow::Error>,
}

impl Load {
    fn new(
        options: Options,
        workload: Workload,
        shared: Arc<Shared>,
        (address, layers): (ConnectAddress, Option<Layers>),
        share: (usize, usize),
        live: bool,
    ) -> Load {
        let (index, threads) = share;
        let count = options.clients / threads + usize::from(index < options.clients % threads);
        let (greeting, greetings) = greeting(&options);
        let now = Instant::now();
        Load {
            weights: workload.parts.iter().map(|(_, weight)| weight).sum(),
            clients: (0..count).map(|_| Client::default()).collect(),
            by_conn: Vec::new(),
            greeting,
            greetings,
            keys: Keys::new(
                options.distribution,
                options.key_space.unwrap_or(1),
                options.seed,
                index,
                threads,
            ),
            phase: Phase::Connecting,
            standing: 0,
            armed: Vec::new(),
            in_flight: 0,
            free: VecDeque::new(),
            schedule: None,
            timer: None,
            measured_from_us: 0,
            deadline_us: u64::MAX,
            exhausted: false,
            latencies: histogram(),
            sent: 0,
            live,
            begun: now,
            ended: now,
            failure: None,
            options,
            workload,
            shared,
            address,
            layers,
            share,
        }
    }

    fn run<B: SystemBackend>(mut self) -> Result<Part> {
        let limits = Limits {
            connecting_max: self.clients.len(),
            connect_ms: CONNECT_MS,
            // A server that reads nothing is its own business; what waits here is bounded by the pipeline.
            output_soft_bytes: usize::MAX,
            ..Limits::default()
        };
        let mut event_loop = EventLoop::new(B::open().context("the event loop")?, limits);
        if self.options.rate.is_some() {
            let timer = rustix::time::timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
            )?;
            event_loop.watch_fd(timer.try_clone()?, 0)?;
            self.timer = Some(timer);
        }
        let mut io = event_loop.io();
        for client in 0..self.clients.len() {
            self.connect(&mut io, client);
        }
        while self.phase == Phase::Connecting && self.failure.is_none() {
            event_loop.run_once(&mut self)?;
        }
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.shared.begin.wait();
        self.shared.begun.store(true, Ordering::Relaxed);
        event_loop.remote().waker().wake();
        while self.phase != Phase::Done && self.failure.is_none() {
            event_loop.run_once(&mut self)?;
        }
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(Part {
                latencies: self.latencies,
                begun: self.begun,
                ended: self.ended,
                sent: self.sent,
            }),
        }
    }

    fn connect(&mut self, io: &mut Io<'_>, client: usize) {
        let conn = io.connect(&self.address, None);
        if self.by_conn.len() <= conn.index() {
            self.by_conn.resize(conn.index() + 1, usize::MAX);
        }
        self.by_conn[conn.index()] = client;
        let state = &mut self.clients[client];
        state.conn = Some(conn);
        state.scanner = Scanner::default();
        state.greetings = self.greetings;
        if self.layers.is_none() {
            self.greet(io, conn);
        }
    }

    fn greet(&self, io: &mut Io<'_>, conn: ConnId) {
        if self.greetings > 0 {
            let mut rope = Rope::with_buffer(io.buffer());
            rope.tail().extend_from_slice(&self.greeting);
            io.send(conn, &mut rope);
        }
    }

    /// A connection stands and has said what it must.
    fn stands(&mut self) {
        self.standing += 1;
        if self.phase == Phase::Connecting && self.standing == self.clients.len() {
            self.phase = Phase::Ready;
        }
    }

    fn begin(&mut self, io: &mut Io<'_>) {
        self.phase = Phase::Running;
        io.refresh_now();
        let now = io.now_us();
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.measured_from_us = now.saturating_add(us(self.options.warmup));
        if let Some(duration) = self.options.duration {
            self.deadline_us = self.measured_from_us.saturating_add(us(duration));
        }
        self.begun = Instant::now() + self.options.warmup;
        self.ended = self.begun;
        if self.live {
            io.set_timer(io.now_ms() + LOOK.as_millis() as u64, LIVE_TOKEN);
        }
        if let Some(rate) = self.options.rate {
            // Threads take turns, rather than all sending at once.
            let (index, threads) = self.share;
            let offset_us = (index as f64 * 1e6 / rate) as u64;
            self.schedule = Some(Schedule::new(rate / threads as f64, now + offset_us));
            self.free.extend(0..self.clients.len());
        } else {
            for client in 0..self.clients.len() {
                self.send_pipeline(io, client);
            }
        }
    }

    /// How many of `wanted` requests may be sent that are due at this time. Those of the warm-up count nowhere.
    fn grant(&mut self, due_us: u64, wanted: u64) -> u64 {
        if due_us >= self.deadline_us {
            self.exhausted = true;
            return 0;
        }
        if due_us < self.measured_from_us {
            return wanted;
        }
        let granted = self.shared.grant(wanted);
        self.exhausted |= granted == 0;
        granted
    }

    /// Fills an empty connection.
    fn send_pipeline(&mut self, io: &mut Io<'_>, client: usize) {
        let granted = self.grant(io.now_us(), self.options.pipeline as u64);
        if granted == 0 {
            return self.end_if_done();
        }
        self.clients[client].counted = io.now_us() >= self.measured_from_us;
        self.send(io, client, granted);
        self.armed.push(client);
    }

    fn send(&mut self, io: &mut Io<'_>, client: usize, n: u64) {
        let Some(conn) = self.clients[client].conn else {
            return;
        };
        let mut rope = Rope::with_buffer(io.buffer());
        let out = rope.tail();
        match self.workload.parts.as_slice() {
            [(template, _)] => {
                out.reserve(template.len() * n as usize);
                template.write(out, n as usize, &mut self.keys);
            }
            parts => {
                for _ in 0..n {
                    let mut dice = self.keys.dice(u64::from(self.weights)) as u32;
                    let chosen = parts.iter().find(|(_, weight)| {
                        let hit = dice < *weight;
                        dice = dice.saturating_sub(*weight);
                        hit
                    });
                    let (template, _) = chosen.expect("the dice are below the sum of the weights");
                    template.write(out, 1, &mut self.keys);
                }
            }
        }
        io.send(conn, &mut rope);
        self.clients[client].in_flight += n;
        self.in_flight += n;
        self.sent += n;
    }

    /// Sends what has fallen due over connections that have room.
    fn send_due(&mut self, io: &mut Io<'_>) {
        let now = io.now_us();
        let Some(mut schedule) = self.schedule.take() else {
            return;
        };
        schedule.release(now, |due_us| self.grant(due_us, 1) > 0);
        while schedule.has_due()
            && let Some(client) = self.free.pop_front()
        {
            if let Some(due) = schedule.take() {
                self.clients[client].due_us.push_back(due);
            }
            self.send(io, client, 1);
            if self.clients[client].in_flight < self.options.pipeline as u64 {
                self.free.push_back(client);
            }
        }
        if !self.exhausted
            && let Some(timer) = &self.timer
        {
            // At least a little: 0 would disarm it.
            let wait = Duration::from_micros(schedule.next_us().saturating_sub(now))
                .max(Duration::from_micros(1));
            let value = Timespec::try_from(wait).unwrap_or(Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            });
            let once = Itimerspec {
                it_interval: Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
                it_value: value,
            };
            if let Err(errno) =
                rustix::time::timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)
            {
                self.failure = Some(anyhow!("the timer: {errno}"));
            }
        }
        let waits = schedule.has_due();
        self.schedule = Some(schedule);
        if !waits {
            self.end_if_done();
        }
    }

    fn end_if_done(&mut self) {
        if self.exhausted && self.in_flight == 0 && self.phase == Phase::Running {
            self.ended = Instant::now().max(self.begun);
            self.phase = Phase::Done;
        }
    }

    /// Takes note of `n` replies.
    fn answered(&mut self, io: &mut Io<'_>, client: usize, n: u64) {
        let state = &mut self.clients[client];
        if n > state.in_flight {
            self.failure = Some(anyhow!("the server sent replies that nobody asked for"));
            return;
        }
        state.in_flight -= n;
        self.in_flight -= n;
        let now = io.now_us();
        if self.schedule.is_some() {
            let was_full = state.in_flight + n >= self.options.pipeline as u64;
            for due in state.due_us.drain(..n as usize) {
                if due >= self.measured_from_us {
                    self.latencies
                        .saturating_record(now.saturating_sub(due).max(1));
                }
            }
            if was_full {
                self.free.push_back(client);
            }
            return;
        }
        if state.counted {
            self.latencies
                .saturating_record_n(now.saturating_sub(state.sent_us).max(1), n);
        }
        if state.in_flight == 0 {
            if self.options.keep_alive {
                self.send_pipeline(io, client);
            } else {
                self.reconnect(io, client);
            }
        }
    }

    fn reconnect(&mut self, io: &mut Io<'_>, client: usize) {
        if let Some(conn) = self.clients[client].conn.take() {
            self.by_conn[conn.index()] = usize::MAX;
            io.close(conn);
        }
        self.connect(io, client);
        // With TLS nothing can be sent before it stands.
        if self.layers.is_none() {
            self.send_pipeline(io, client);
        }
    }

    fn publish(&mut self) {
        self.shared.live.add(&self.latencies);
        self.latencies.reset();
    }
}

/// What every connection says first, and how many replies it brings.
fn greeting(options: &Options) -> (Vec<u8>, u64) {
    let mut requests: Vec<Vec<Vec<u8>>> = options.endpoint.auth().into_iter().collect();
    let mut say =
        |words: &[&str]| requests.push(words.iter().map(|word| word.as_bytes().to_vec()).collect());
    if options.endpoint.database != 0 {
        say(&["SELECT", &options.endpoint.database.to_string()]);
    }
    if options.resp3 {
        say(&["HELLO", "3"]);
    }
    if options.tracking {
        say(&["CLIENT", "TRACKING", "on"]);
    }
    if options.endpoint.tls.is_some() {
        // The connection stands when the handshake is through, which is when something is answered.
        say(&["PING"]);
    }
    let mut bytes = Vec::new();
    for request in &requests {
        reply::request(&mut bytes, request);
    }
    (bytes, requests.len() as u64)
}

impl Handler for Load {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn connected(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        if let Some(layers) = &self.layers {
            match layers.layer() {
                Ok(layer) => io.add_layer(conn, layer),
                Err(error) => {
                    self.failure = Some(error.into());
                    return;
                }
            }
            self.greet(io, conn);
            let client = self.by_conn[conn.index()];
            if self.phase == Phase::Running && client != usize::MAX {
                self.send_pipeline(io, client);
            }
        }
        if self.greetings == 0 && self.phase == Phase::Connecting {
            self.stands();
        }
    }

    fn woken(&mut self, io: &mut Io<'_>) {
        if self.phase == Phase::Ready && self.shared.begun.load(Ordering::Relaxed) {
            self.begin(io);
        }
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let client = self.by_conn.get(input.conn().index()).copied();
            let Some(state) = client.and_then(|client| self.clients.get_mut(client)) else {
                input.consume(input.bytes().len());
                continue;
            };
            let client = client.unwrap_or_default();
            let counted = state.scanner.feed(input.bytes());
            input.consume(input.bytes().len());
            let Ok(counted) = counted else {
                self.failure = Some(anyhow!("Error: what the server sent is no reply"));
                return;
            };
            if counted.errors > 0 {
                self.failure = Some(anyhow!("Error from server: {}", state.scanner.error()));
                return;
            }
            let greeted = counted.replies.min(state.greetings);
            state.greetings -= greeted;
            if greeted > 0 && state.greetings == 0 {
                self.stands();
            }
            if counted.replies > greeted {
                self.answered(io, client, counted.replies - greeted);
            }
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        // One that we have let go is nobody's any more.
        let ours = self
            .by_conn
            .get(conn.index())
            .is_some_and(|client| *client != usize::MAX);
        if ours && self.phase != Phase::Done && self.failure.is_none() {
            self.failure = Some(match why {
                CloseReason::Connect(error) => {
                    let why = crate::cli::connection::system_text(&error);
                    anyhow!(
                        "Could not connect to Redis at {}: {why}",
                        self.options.endpoint
                    )
                }
                CloseReason::Local => return,
                _ => anyhow!("Error: Server closed the connection"),
            });
        }
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        if token == LIVE_TOKEN && self.phase == Phase::Running {
            self.publish();
            io.set_timer(io.now_ms() + LOOK.as_millis() as u64, LIVE_TOKEN);
        }
    }

    fn fd_ready(&mut self, _: &mut Io<'_>, _: u64) {
        if let Some(timer) = &self.timer {
            // That it has rung is all there is to know: the schedule is looked at in every turn.
            let _ = rustix::io::read(timer, &mut [0_u8; 8]);
        }
    }

    fn turn_end(&mut self, io: &mut Io<'_>) -> Option<u64> {
        if self.phase == Phase::Running && self.schedule.is_some() {
            io.refresh_now();
            self.send_due(io);
        }
        if !self.armed.is_empty() {
            io.refresh_now();
            let now = io.now_us();
            for client in self.armed.drain(..) {
                self.clients[client].sent_us = now;
            }
        }
        None
    }
}
