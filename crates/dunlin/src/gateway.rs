//! `dunlin gateway`: what its command line means, and its life until a signal.
//!
//! Invariant: TERM, INT and QUIT stop it in order, a second one at once; HUP reopens the log. It holds no logic of the gateway; that
//! is `dunlin-gateway`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;

use anyhow::{Context as _, anyhow, bail};
use clap::Parser;
use dunlin_frame::{AckBase, Codec, FRAME_BYTES_MAX_DEFAULT, FRAME_BYTES_MIN};
use dunlin_gateway::{Limits, Login, Service, Settings, Stopper, Store, Window};
use dunlin_reactor::{
    Clock, ConnectAddress, Epoll, Error, ListenAddress, ListenOptions, Listener, Poll,
    SystemBackend, SystemClock, Uring,
};
use dunlin_server::logging::{self, Level};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Where the password of the store may stand, so that it is in no list of processes.
const PASSWORD_VARIABLE: &str = "DUNLIN_STORE_PASSWORD";
/// Chooses the backend where the command line does not, as it does for the server.
const BACKEND_VARIABLE: &str = "DUNLIN_IO_BACKEND";
/// How long a stop waits for what is under way.
const STOP_MS: u64 = 10_000;
/// Descriptors needed beside those of devices.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Take messages of devices over the Frame protocol, and keep them in a stream.
///
/// Each message that a device submits becomes an entry of the stream, with the fields `id`, `token` (if the device has one) and
/// `payload`. It is acknowledged with result 0 once the store has acknowledged it: durably, where the store runs with
/// `appendfsync always`. Result 1 means that it is not known to be kept; the device may submit it again.
///
/// A device that names a token in its Conn has each message kept exactly once, however often it submits it, by whichever connection and
/// gateway: the IDs of its last messages are kept beside the stream, and written in one transaction with it. Without a token a message
/// is kept at least once.
#[derive(Debug, Parser)]
#[command(name = "dunlin gateway", version)]
struct Options {
    /// Address to listen on: `HOST:PORT`, `:PORT` for every address of this machine, or the path of a Unix socket. May be given more
    /// than once.
    #[arg(long, value_name = "ADDRESS", default_value = ":8888")]
    listen: Vec<String>,

    /// The store, Dunlin or Redis: `HOST:PORT`, or the path of a Unix socket. A name is looked up once, at the start.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6379")]
    store: String,

    /// The stream that messages are appended to. In a cluster, `--store` has to be the node that has it.
    #[arg(long, value_name = "KEY", default_value = "submissions")]
    stream: OsString,

    /// User to authenticate as at the store. The password stands in the environment, as DUNLIN_STORE_PASSWORD.
    #[arg(long, value_name = "NAME")]
    user: Option<OsString>,

    /// Database of the store.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    db: u32,

    /// How many of a token's last messages are known, so that a repeat is not kept again.
    #[arg(long, value_name = "MESSAGES", default_value_t = Window::default().entries,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(Window::ENTRIES_MAX)))]
    token_window: u32,

    /// How long they are known after the last one, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Window::default().idle_s,
          value_parser = clap::value_parser!(u32).range(60..))]
    token_idle: u32,

    /// Threads, each with a connection of its own to the store.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=128))]
    threads: u16,

    /// Devices that may be connected at once.
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections_max)]
    max_connections: usize,

    /// The longest frame, bytes.
    #[arg(long, value_name = "BYTES", default_value_t = FRAME_BYTES_MAX_DEFAULT,
          value_parser = clap::value_parser!(u32).range(i64::from(FRAME_BYTES_MIN) + 8..=256 << 20))]
    max_frame: u32,

    /// Messages of one device that may wait for their acks; it is not read while there are so many.
    #[arg(long, value_name = "MESSAGES", default_value_t = Limits::default().pending_per_connection_max,
          value_parser = at_least_one)]
    max_pending: usize,

    /// Messages that go to the store together, at most.
    #[arg(long, value_name = "MESSAGES", default_value_t = Limits::default().batch_submits_max, value_parser = at_least_one)]
    max_batch: usize,

    /// Milliseconds after which a message that the store has not acknowledged is answered with an error.
    #[arg(long, value_name = "MS", default_value_t = Limits::default().patience_ms,
          value_parser = clap::value_parser!(u64).range(100..))]
    patience: u64,

    /// Code of ConnAck, 0x81 or 0x80; SubmitAck's is one more.
    #[arg(long, value_name = "CODE", default_value = "0x81", value_parser = ack_base)]
    ack_base: AckBase,

    /// Kernel interface: `auto`, `io_uring`, `epoll` or `poll`.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    io_backend: String,

    /// How much is logged: `debug`, `verbose`, `notice`, `warning` or `nothing`.
    #[arg(long, value_name = "LEVEL", default_value = "notice", value_parser = level)]
    loglevel: Level,

    /// File to log to; standard output without it.
    #[arg(long, value_name = "FILE")]
    logfile: Option<PathBuf>,
}

/// A code of `--ack-base`.
pub(crate) fn ack_base(text: &str) -> Result<AckBase, String> {
    match text {
        "0x81" | "0X81" | "129" => Ok(AckBase::X81),
        "0x80" | "0X80" | "128" => Ok(AckBase::X80),
        _ => Err("0x81 or 0x80".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

fn level(text: &str) -> Result<Level, String> {
    Ok(match text {
        "debug" => Level::Debug,
        "verbose" => Level::Verbose,
        "notice" => Level::Notice,
        "warning" => Level::Warning,
        "nothing" => Level::Nothing,
        _ => return Err("debug, verbose, notice, warning or nothing".to_owned()),
    })
}

/// Its command line, for completions and the manual.
pub(crate) fn command() -> clap::Command {
    <Options as clap::CommandFactory>::command()
}

/// `gateway`.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let program = OsString::from("dunlin gateway");
    let options = match Options::try_parse_from(std::iter::once(&program).chain(arguments)) {
        Ok(options) => options,
        Err(error) => return told(&error),
    };
    logging::init(options.logfile.as_deref(), options.loglevel)?;
    logging::set_role(logging::Role::Master);
    logging::install_panic_hook();
    let settings = settings(&options)?;
    let wanted = match (options.io_backend.as_str(), std::env::var(BACKEND_VARIABLE)) {
        ("auto", Ok(name)) => name,
        (name, _) => name.to_owned(),
    };
    match wanted.as_str() {
        "epoll" => serve::<Epoll>(&options, settings),
        "poll" => serve::<Poll>(&options, settings),
        "io_uring" => serve::<Uring>(&options, settings),
        "auto" if Uring::probe().is_ok() => serve::<Uring>(&options, settings),
        "auto" => serve::<Epoll>(&options, settings),
        other => bail!("there is no io-backend '{other}': auto, io_uring, epoll or poll"),
    }
}

/// Says what is wrong with a command line, or the help that it asked for.
pub(crate) fn told(error: &clap::Error) -> anyhow::Result<ExitCode> {
    error.print()?;
    Ok(if error.use_stderr() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn settings(options: &Options) -> anyhow::Result<Settings> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let mut settings = Settings::new(Store::At(store(&options.store)?), options.stream.as_bytes())?;
    settings.codec = Codec {
        frame_bytes_max: options.max_frame,
        ack_base: options.ack_base,
    };
    settings.login = Login {
        user: options.user.as_ref().map(|user| user.as_bytes().to_vec()),
        password: std::env::var_os(PASSWORD_VARIABLE).map(OsString::into_vec),
        database: options.db,
    };
    if settings.login.user.is_some() && settings.login.password.is_none() {
        bail!("--user needs the password in the environment, as {PASSWORD_VARIABLE}");
    }
    settings.window = Window {
        entries: options.token_window,
        idle_s: options.token_idle,
    };
    settings.limits = Limits {
        connections_max: options.max_connections,
        pending_per_connection_max: options.max_pending,
        batch_submits_max: options.max_batch,
        patience_ms: options.patience,
        ..Limits::default()
    };
    Ok(settings)
}

/// An address to connect to.
pub(crate) fn store(text: &str) -> anyhow::Result<ConnectAddress> {
    if text.starts_with('/') {
        return Ok(ConnectAddress::Unix(text.into()));
    }
    let found = text
        .to_socket_addrs()
        .with_context(|| format!("no address: '{text}'"))?;
    let all: Vec<SocketAddr> = found.collect();
    // A server that listens on one family only mostly listens on this one.
    let best = all.iter().find(|address| address.is_ipv4());
    let best = best.or(all.first());
    best.map(|address| ConnectAddress::Tcp(*address))
        .ok_or_else(|| anyhow!("'{text}' has no address"))
}

/// The addresses that one `--listen` means.
fn listen(text: &str) -> anyhow::Result<Vec<ListenAddress>> {
    if text.starts_with('/') {
        return Ok(vec![ListenAddress::Unix {
            path: text.into(),
            mode: None,
        }]);
    }
    if let Some(port) = text.strip_prefix(':') {
        let port = u16::from_str(port).with_context(|| format!("no port: '{text}'"))?;
        let address = |ip: IpAddr| ListenAddress::Tcp(SocketAddr::new(ip, port));
        let mut both = vec![address(Ipv4Addr::UNSPECIFIED.into())];
        // The system would choose two different ports. And there are machines without this family.
        if port > 0 && std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() {
            both.push(address(Ipv6Addr::UNSPECIFIED.into()));
        }
        return Ok(both);
    }
    let found = text
        .to_socket_addrs()
        .with_context(|| format!("no address to listen on: '{text}'"))?;
    Ok(found.map(ListenAddress::Tcp).collect())
}

fn serve<B: SystemBackend>(options: &Options, settings: Settings) -> anyhow::Result<ExitCode> {
    raise_descriptor_limit(options.max_connections as u64 + RESERVED_DESCRIPTORS);
    let mut listeners = Vec::new();
    for text in &options.listen {
        for address in listen(text)? {
            let listener = Listener::bind(&address, &ListenOptions::default());
            listeners.push(listener.map_err(|source| Error::Listen {
                address: address.to_string(),
                source,
            })?);
        }
    }
    let stream = options.stream.to_string_lossy().into_owned();
    let threads = usize::from(options.threads);
    let seed = u64::from(std::process::id());
    let service = Service::start::<B>(listeners, threads, "gateway", settings, seed)?;
    let counters = std::sync::Arc::clone(service.counters());
    watch_signals(service.stopper())?;
    for address in service.addresses() {
        tracing::info!(
            "Gateway listening on {address}, stream '{stream}' at {}",
            options.store
        );
    }
    let report = service.join()?;
    tracing::info!(
        "{} messages kept in {} batches, {} repeats, {} failed; {} connections, {} of them closed for what they sent, {} refused",
        counters.kept(),
        counters.batches(),
        counters.repeats(),
        counters.failed(),
        counters.connections(),
        counters.malformed(),
        counters.refused()
    );
    if report.cut > 0 {
        tracing::warn!("{} connections were cut", report.cut);
    }
    tracing::info!("The gateway has ended");
    Ok(ExitCode::SUCCESS)
}

/// TERM, INT and QUIT stop, in order at first, at once the second time; HUP reopens the log.
fn watch_signals(stopper: Stopper) -> anyhow::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let mut is_stopping = false;
            for signal in signals.forever() {
                if signal == SIGHUP {
                    match logging::reopen() {
                        Ok(()) => tracing::info!("Received SIGHUP: the log was reopened"),
                        Err(error) => {
                            tracing::warn!(
                                "Received SIGHUP, but the log can't be reopened: {error}"
                            );
                        }
                    }
                } else if std::mem::replace(&mut is_stopping, true) {
                    tracing::warn!("Received a second signal: ending at once");
                    stopper.cut();
                } else {
                    tracing::info!("Received a signal to stop: answering what was submitted");
                    stopper.drain(SystemClock.monotonic_us() / 1_000 + STOP_MS);
                }
            }
        })?;
    Ok(())
}

/// Raises the soft limit of open files to what so many descriptors need, or says that it can't.
pub(crate) fn raise_descriptor_limit(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let reachable = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = Rlimit {
        current: Some(reachable),
        maximum: limit.maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_err() || reachable < wanted {
        tracing::warn!(
            "{wanted} open files are needed, but the limit is {reachable}: raise it with ulimit -n"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }

    #[test]
    fn addresses() {
        let tcp = |text: &str| ListenAddress::Tcp(text.parse().unwrap());
        assert_eq!(listen(":0").unwrap(), [tcp("0.0.0.0:0")]);
        assert!(listen(":8888").unwrap().contains(&tcp("0.0.0.0:8888")));
        assert_eq!(listen("127.0.0.1:1").unwrap(), [tcp("127.0.0.1:1")]);
        assert!(matches!(
            &listen("/a/b").unwrap()[..],
            [ListenAddress::Unix { .. }]
        ));
        for text in [":", ":65536", "8888", "127.0.0.1", ""] {
            assert!(listen(text).is_err(), "{text}");
            assert!(store(text).is_err(), "{text}");
        }
        let at = store("127.0.0.1:6379").unwrap();
        assert_eq!(at, ConnectAddress::Tcp("127.0.0.1:6379".parse().unwrap()));
    }
}
