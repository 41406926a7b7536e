//! Starts the server, waits until it is told to stop, and ends it.
//!
//! Threads: a worker for each event loop, the auxiliary, the one that frees big values, and one for signals.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use dunlin_engine::Engine;
use dunlin_reactor::{
    Clock, Epoll, EventLoop, EventLoopPool, Limits, ListenAddress, Listener, Poll, Remote,
    SystemBackend, SystemClock, TcpServer, Uring,
};
use dunlin_store::Settings;

use crate::access;
use crate::admin::{self, AdminPort};
use crate::auxiliary::{self, Auxiliary, Exchange};
use crate::config::{Config, Loaded};
use crate::frames;
use crate::host::ServerHost;
use crate::housekeeping;
use crate::io_backend::{self, Chosen};
use crate::listeners::{self, Listening};
use crate::logging::{self, startup};
use crate::persistence;
use crate::persistence::load::Loader;
use crate::process::{self, Supervisor, oom_score};
use crate::random::random_bytes;
use crate::shared::{Allocator, Shared};
use crate::tls;
use crate::worker::{OUTPUT_SOFT_BYTES, Worker};

/// Serves with this configuration until told to stop. `allocator` is the process's.
pub fn run(loaded: Loaded, allocator: Allocator) -> ExitCode {
    startup::banner(&loaded.config, &loaded.warnings);
    // A score that can't be set was logged; it is no reason not to serve.
    let _ = oom_score::apply(&loaded.config);
    let served = io_backend::choose(&loaded.config).and_then(|chosen| match chosen {
        Chosen::Epoll => serve::<Epoll>(loaded.config, allocator, chosen),
        Chosen::Uring => serve::<Uring>(loaded.config, allocator, chosen),
        Chosen::Poll => serve::<Poll>(loaded.config, allocator, chosen),
    });
    match served {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve<B: SystemBackend>(
    config: Config,
    allocator: Allocator,
    chosen: Chosen,
) -> anyhow::Result<ExitCode> {
    let workers = config.workers().max(1);
    let listen_options = listeners::options(&config);
    let mut tcp = TcpServer::with_options(listen_options.clone());
    let tls = tls::make(&config).map_err(|reason| anyhow!("Failed to configure TLS: {reason}"))?;
    let (tcp_listeners, kinds) = listen(&mut tcp, &config)?;
    startup::listening(&config);
    let frames = frames::listen(&config)?;
    let admin = admin::listen(&config)?;
    raise_descriptor_limit(&config);
    let limits = Limits {
        output_soft_bytes: OUTPUT_SOFT_BYTES,
        stop_stall_ms: STOP_STALL_MS,
        accepts_per_s: config.accept_rate(),
        connections_per_address: config.maxclients_per_address(),
        request_pace_ms: 1_000 * u64::from(config.request_timeout_s()),
        ..Limits::default()
    };
    let mut loops = tcp.into_loops::<B>(workers, &limits)?;
    let mut listening = Listening::new(loops[0].listeners(), listen_options);
    for listener in tcp_listeners {
        listening.add(&mut loops[0], listener)?;
    }
    let remotes = loops[0].remotes();
    let shared = make_shared(config, workers, allocator)?;
    shared.tls.replace(tls);
    access::load_at_start(&shared).map_err(|error| anyhow!(error))?;
    // Nobody else has set it.
    let _ = shared.io_backend.set(chosen.name());
    let engine = Arc::clone(&shared.engine);

    let exchange = Arc::new(Exchange::new(workers));
    exchange.set_wakers(remotes.iter().map(|r| r.waker().clone()).collect());
    let owners = remotes.clone();
    engine
        .store
        .on_wake_owner(Box::new(move |worker| owners[worker].waker().wake()));
    let frames = frames::Frames::start::<B>(frames, &shared.config(), &loops, seed(workers))?;
    let stopping = frames.workers_after(remotes.clone());
    let supervisor = Arc::new(Supervisor::find(&shared.config()));
    let told = Arc::clone(&supervisor);
    shared.on_stop(Box::new(move |timeout_ms| {
        told.stopping();
        let deadline = SystemClock.monotonic_us() / 1_000 + timeout_ms.max(1);
        stopping.stop(deadline);
    }));

    let woken = remotes.clone();
    shared.on_wake(Box::new(move |worker| woken[worker].waker().wake()));

    engine.store.usage.publish_start();
    logging::set_facts(crash_facts(&shared));
    let listening = Mutex::new(listening);
    shared.on_move(Box::new(move |config| {
        // A panic aborts, so a poisoned lock is never seen.
        let mut listening = listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.follow(config)
    }));

    let ended = Arc::new(AtomicBool::new(false));
    let reaper = housekeeping::start(&shared, &ended)?;
    let auxiliary = start_auxiliary(&shared, &exchange, workers)?;
    let saver = persistence::start_saver(&shared, &exchange)?;
    let journal = persistence::start_journal(&shared)?;
    watch_signals(Arc::clone(&shared), remotes)?;
    logging::set_role(logging::Role::Master);
    process::title::follow(&shared.config());
    startup::summary(
        &shared.config(),
        chosen.name(),
        shared.knobs.clients_max.load(Ordering::Relaxed) as u64,
    );
    startup::initialized();
    // Nobody is served before it is known what there is to load.
    engine.is_loading.store(true, Ordering::SeqCst);
    let admin = AdminPort::start::<B>(admin, &shared, &loops)?;
    let gate = Arc::new(Gate::default());
    let make = {
        let (shared, exchange) = (Arc::clone(&shared), Arc::clone(&exchange));
        let gate = Arc::clone(&gate);
        move |event_loop: &mut EventLoop<B>| {
            let worker = event_loop.index();
            process::keep_to_workers(&shared.config());
            process::answer_promptly();
            gate.wait(QUICK_LOAD);
            let mut host = ServerHost::new(Arc::clone(&shared), event_loop.clock(), worker);
            host.may_sleep = workers == 1;
            Worker::new(
                host,
                event_loop.remote(),
                Arc::clone(&exchange),
                seed(worker),
            )
        }
    };
    let pool = EventLoopPool::start(loops, "worker", make)?;
    let loaded = load(&shared, workers);
    gate.open();
    match loaded {
        Ok(()) => {
            shared.loaded();
            shared.aof.started();
            kinds.iter().for_each(|kind| startup::ready(kind));
            supervisor.ready();
        }
        Err(error) if shared.is_stopping() => tracing::info!("{error}"),
        Err(error) => return Err(error),
    }

    let report = pool.join()?;
    frames.end();
    exchange.end();
    shared.saving.quit();
    saver.join().map_err(|_| anyhow!("saving failed"))?;
    shared.journal.order(persistence::journal::Order::Quit);
    journal.join().map_err(|_| anyhow!("the journal failed"))?;
    ended.store(true, Ordering::Release);
    reaper.thread().unpark();
    auxiliary
        .join()
        .map_err(|_| anyhow!("the auxiliary thread failed"))?;
    reaper
        .join()
        .map_err(|_| anyhow!("the freeing thread failed"))?;
    admin.end()?;
    if report.cut > 0 {
        tracing::warn!(
            "{} connections were cut: their clients did not take their replies in time",
            report.cut
        );
    }
    tracing::info!("Dunlin is now ready to exit, bye bye...");
    let code = shared.exit_code.load(Ordering::SeqCst).clamp(0, 255) as u8;
    Ok(ExitCode::from(code))
}

/// Clients that come while so little is loaded that it takes no longer than this find no server that is loading: they wait, as they
/// would for redis-server, which then does not look at them either.
const QUICK_LOAD: Duration = Duration::from_millis(200);

/// Opened once; who waits for it waits no longer than he says.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        // A panic aborts, so a poisoned lock is never seen.
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    fn wait(&self, at_most: Duration) {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .opened
            .wait_timeout_while(is_open, at_most, |is_open| !*is_open);
        drop(waited);
    }
}

/// Loads what there is, on this thread and some more, and begins to log.
fn load(shared: &Arc<Shared>, threads: usize) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let disk = Arc::clone(shared.saving.disk());
    let loader = Loader {
        shared,
        disk: &*disk,
        clock: &clock,
        threads,
    };
    let appends = shared.config().yes("appendonly");
    if appends {
        let files = persistence::aof::open(shared)?;
        loader.log_at_start(&files.place())?;
        shared
            .aof
            .start(shared, files, |path| shared.saving.save_base(shared, path))?;
    } else {
        loader.dump_at_start()?;
    }
    shared.saving.note_loaded(shared);
    // This thread has allocated some of it.
    shared.engine.store.usage.publish_start();
    Ok(())
}

fn make_shared(
    config: Config,
    workers: usize,
    allocator: Allocator,
) -> anyhow::Result<Arc<Shared>> {
    let settings = Settings {
        databases: config.databases() as usize,
        workers,
        hash_key: [random_u64()?, random_u64()?],
        thread_bytes: allocator.thread_bytes,
        ..Settings::default()
    };
    let engine = Arc::new(Engine::renamed(
        &settings,
        crate::commands::FAMILIES,
        config.renamed_commands(),
    ));
    let run_id = format!(
        "{:016x}{:016x}{:08x}",
        random_u64()?,
        random_u64()?,
        random_u64()? as u32
    );
    let now_ms = SystemClock.wall_us() / 1_000;
    Ok(Arc::new(Shared::new(
        engine, config, now_ms, run_id, allocator,
    )))
}

/// What the crash report says of the server.
fn crash_facts(shared: &Arc<Shared>) -> logging::Facts {
    let shared = Arc::clone(shared);
    Box::new(move |out| {
        let uptime_s = (SystemClock.wall_us() / 1_000).saturating_sub(shared.started_ms) / 1_000;
        writeln!(out, "redis_version:{}", startup::REDIS_VERSION)?;
        writeln!(out, "dunlin_version:{}", startup::VERSION)?;
        writeln!(
            out,
            "arch:{} {}",
            std::env::consts::OS,
            std::env::consts::ARCH
        )?;
        writeln!(out, "run_id:{}", shared.run_id)?;
        writeln!(out, "tcp_port:{}", shared.port.load(Ordering::Relaxed))?;
        writeln!(out, "uptime_in_seconds:{uptime_s}")?;
        writeln!(out, "connected_clients:{}", shared.open_clients())?;
        let received = shared.total(|worker| &worker.accepted);
        writeln!(out, "total_connections_received:{received}")?;
        let commands = shared.total(|worker| &worker.commands);
        writeln!(out, "total_commands_processed:{commands}")?;
        writeln!(
            out,
            "used_memory_peak:{}",
            shared.peak_bytes.load(Ordering::Relaxed)
        )?;
        writeln!(
            out,
            "\n------ RUNNING AND RECENT COMMANDS, WITHOUT ARGUMENTS ------"
        )?;
        let name = |id| shared.engine.table.at(id).full_name;
        for (number, worker) in shared.workers.iter().enumerate() {
            let running = worker.recent.running().map_or("none", name);
            // The set behind those of the workers is the auxiliary thread's.
            let auxiliary = number + 1 == shared.workers.len();
            let who = if auxiliary { "auxiliary" } else { "worker" };
            write!(out, "{who} {number}: running {running}; newest first:")?;
            for id in worker.recent.newest_first() {
                write!(out, " {}", name(id))?;
            }
            writeln!(out)?;
        }
        Ok(())
    })
}

/// Listens on everything that is configured; the TCP listeners, and the kinds of listeners for the log.
fn listen(
    tcp: &mut TcpServer,
    config: &Config,
) -> anyhow::Result<(Vec<Listener>, Vec<&'static str>)> {
    let mut kinds = Vec::new();
    let listeners = match listeners::open_tcp(config) {
        Ok(listeners) => listeners,
        Err(error) => {
            tracing::warn!("Warning: {error}");
            // The words that Redis's tools look for; the caller logs them.
            bail!(
                "Failed listening on port {} ({}), aborting.",
                error.port,
                error.kind
            );
        }
    };
    for (kind, tag) in [("tcp", listeners::PLAIN), ("tls", tls::TAG)] {
        if listeners.iter().any(|listener| listener.tag() == tag) {
            kinds.push(kind);
        }
    }
    if let Some(path) = config.unixsocket() {
        let address = ListenAddress::Unix {
            path: path.to_owned(),
            mode: config.unixsocketperm(),
        };
        tcp.listen_lane(&address)
            .context("Failed opening Unix socket")?;
        kinds.push("unix");
    }
    if kinds.is_empty() {
        bail!(
            "Configured to not listen anywhere, exiting: configure a port and an address to bind, or a Unix socket"
        );
    }
    Ok((listeners, kinds))
}

/// Who does not take its replies holds a stop up for so long at most; redis-server does not wait for it at all.
const STOP_STALL_MS: u64 = 500;

/// Descriptors needed beside those of clients: listeners, pollers, files.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Raises the soft limit of open files to what `maxclients` needs, or says that it can't.
fn raise_descriptor_limit(config: &Config) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let kinds = if config.frame_port() > 0 { 2 } else { 1 };
    let admin = match config.admin_port() {
        0 => 0,
        _ => admin::DESCRIPTORS_MAX,
    };
    let wanted = kinds * u64::from(config.maxclients()) + admin + RESERVED_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let reachable = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(reachable),
            maximum: limit.maximum,
        },
    );
    if raised.is_err() || reachable < wanted {
        tracing::warn!(
            "maxclients {} needs {wanted} open files, but the limit is {reachable}: raise it with ulimit -n.",
            config.maxclients()
        );
    }
}

fn start_auxiliary(
    shared: &Arc<Shared>,
    exchange: &Arc<Exchange>,
    workers: usize,
) -> anyhow::Result<thread::JoinHandle<()>> {
    let mut host = ServerHost::new(Arc::clone(shared), Arc::new(SystemClock), workers);
    host.may_sleep = true;
    let auxiliary = Auxiliary::new(
        Arc::clone(&shared.engine),
        Arc::clone(exchange),
        host,
        seed(workers),
    );
    let own = Arc::clone(shared);
    Ok(thread::Builder::new()
        .name("auxiliary".into())
        .spawn(move || {
            dunlin_reactor::fatal::prepare_thread();
            process::lower_priority(auxiliary::NICENESS);
            process::keep_to_background(&own.config());
            auxiliary.run();
        })?)
}

/// TERM, INT and QUIT stop, gracefully at first, at once the second time; HUP reopens the log.
fn watch_signals(shared: Arc<Shared>, remotes: Vec<Remote>) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    match logging::reopen() {
                        Ok(()) => tracing::info!("Received SIGHUP: the log was reopened"),
                        Err(error) => tracing::warn!(
                            "Received SIGHUP, but the log can't be reopened: {error}"
                        ),
                    }
                    continue;
                }
                let name = match signal {
                    SIGINT => "SIGINT",
                    SIGQUIT => "SIGQUIT",
                    _ => "SIGTERM",
                };
                if shared.stop_signals.fetch_add(1, Ordering::Relaxed) == 0 {
                    if shared.is_loading() {
                        tracing::warn!(
                            "Received shutdown signal {name} during loading, scheduling shutdown."
                        );
                    } else {
                        tracing::warn!("Received {name} scheduling shutdown...");
                    }
                    if shared.hold_stop() {
                        shared.stop_failed();
                        continue;
                    }
                    shared.stop_on_signal(signal);
                } else {
                    tracing::warn!("Received {name} again: ending at once");
                    remotes.iter().for_each(|r| r.stop(0));
                }
            }
        })?;
    Ok(())
}

fn random_u64() -> anyhow::Result<u64> {
    let bytes = random_bytes(size_of::<u64>()).context("no random numbers")?;
    Ok(bytes
        .iter()
        .fold(0, |word, &byte| word << 8 | u64::from(byte)))
}

/// Seed of a worker's generator for RANDOMKEY and the like; predictable numbers if the system has no better ones.
fn seed(worker: usize) -> u64 {
    random_u64().unwrap_or(0x9e37_79b9_7f4a_7c15 ^ worker as u64)
}
