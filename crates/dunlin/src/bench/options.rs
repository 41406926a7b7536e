//! The command line of `dunlin bench`: redis-benchmark's options and ours.
//!
//! Invariant: the first word that is neither an option nor an option's value begins the command to be measured.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::keys::Distribution;
use crate::cli::endpoint::Endpoint;
use crate::cli::tls::TlsArguments;

/// Keys if a distribution is named and -r is not.
const KEY_SPACE: u64 = 1_000_000;
/// Threads, at most.
const THREADS_MAX: usize = 500;
/// Connections, at most.
const CLIENTS_MAX: usize = 1_000_000;
/// Payload, at most.
const DATA_BYTES_MAX: usize = 1 << 30;
/// Requests in flight on one connection, at most.
const PIPELINE_MAX: usize = 1_000_000;

/// The command line, for completions and the manual.
pub(super) fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

#[derive(Debug, Parser)]
#[command(
    name = "dunlin bench",
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true,
    about = "Puts load on a Dunlin, Redis or Valkey server and reports; the options of redis-benchmark and some more",
    after_help = "A command after the options is measured instead of the tests: __rand_int__ in it becomes a number below -r, and __data__ the payload."
)]
struct Arguments {
    /// Print this help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long = "version")]
    version: bool,
    /// Host name or address of the server [default: 127.0.0.1]
    #[arg(short = 'h', value_name = "HOST")]
    host: Option<String>,
    /// Port of the server [default: 6379]
    #[arg(short = 'p', value_name = "PORT")]
    port: Option<u16>,
    /// Unix socket of the server
    #[arg(short = 's', value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// Password
    #[arg(short = 'a', value_name = "PASSWORD")]
    password: Option<String>,
    /// User whose password it is
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// redis://user:password@host:port/database
    #[arg(short = 'u', value_name = "URI")]
    uri: Option<String>,
    /// Connections
    #[arg(short = 'c', value_name = "N", default_value = "50")]
    clients: usize,
    /// Requests of each test
    #[arg(short = 'n', value_name = "N", default_value = "100000")]
    requests: u64,
    /// Go on for so long instead (10s, 500ms, 2m)
    #[arg(long, value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// Measure only what is sent after so long
    #[arg(long, value_name = "TIME", value_parser = time)]
    warmup: Option<Duration>,
    /// Payload in bytes
    #[arg(short = 'd', value_name = "BYTES", default_value = "3")]
    data_bytes: usize,
    /// Database
    #[arg(long, value_name = "DB")]
    dbnum: Option<i64>,
    /// Speak RESP3
    #[arg(short = '3')]
    resp3: bool,
    /// Threads that send [default: 1]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// 0: a new connection for each request or pipeline
    #[arg(short = 'k', value_name = "0|1", default_value = "1")]
    keep_alive: u8,
    /// Numbers below N for __rand_int__, in the tests' keys too
    #[arg(short = 'r', value_name = "N", allow_hyphen_values = true)]
    key_space: Option<i64>,
    /// How these are chosen: uniform, zipf, zipf:THETA or sequential [default: uniform]
    #[arg(long, value_name = "HOW")]
    keys: Option<String>,
    /// Requests in flight on each connection
    #[arg(short = 'P', value_name = "N", default_value = "1")]
    pipeline: usize,
    /// So many requests a second in all; latencies count from when each was to be sent
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// GET and SET in this ratio (9:1) instead of the tests
    #[arg(long, value_name = "GETS:SETS")]
    ratio: Option<String>,
    /// One line for each test
    #[arg(short = 'q')]
    quiet: bool,
    /// Digits of milliseconds
    #[arg(long, value_name = "N", default_value = "3")]
    precision: usize,
    /// CSV
    #[arg(long)]
    csv: bool,
    /// JSON on standard output instead of the report, or beside it in FILE (--json=FILE)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Over and over
    #[arg(short = 'l')]
    forever: bool,
    /// Only these tests, separated by commas
    #[arg(short = 't', value_name = "TESTS")]
    tests: Option<String>,
    /// Open the connections and do nothing
    #[arg(short = 'I')]
    idle: bool,
    /// Read the last argument of the command from standard input
    #[arg(short = 'x')]
    stdin_last: bool,
    /// Seed of random numbers [default: the time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Send CLIENT TRACKING ON first
    #[arg(long)]
    enable_tracking: bool,
    /// epoll or io_uring
    #[arg(long, value_name = "NAME", default_value = "epoll")]
    io_backend: String,
    /// Without a meaning, as with redis-benchmark: an error ends the run
    #[arg(short = 'e', hide = true)]
    errors: bool,
    #[arg(long, hide = true)]
    cluster: bool,
    #[command(flatten)]
    tls: TlsArguments,
    /// The command
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// How many GETs come on how many SETs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) gets: u32,
    pub(super) sets: u32,
}

/// What the report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Full,
    Quiet,
    Csv,
    /// JSON on standard output, nothing else.
    Json,
}

/// The kernel interface of the loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Epoll,
    Uring,
}

/// The command line, read and found free of contradictions.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) endpoint: Endpoint,
    pub(super) clients: usize,
    pub(super) requests: u64,
    pub(super) duration: Option<Duration>,
    pub(super) warmup: Duration,
    pub(super) data_bytes: usize,
    pub(super) resp3: bool,
    pub(super) tracking: bool,
    /// `None`: not asked for, which is one thread, too.
    pub(super) threads: Option<usize>,
    pub(super) keep_alive: bool,
    pub(super) key_space: Option<u64>,
    pub(super) distribution: Distribution,
    pub(super) pipeline: usize,
    pub(super) rate: Option<f64>,
    pub(super) ratio: Option<Ratio>,
    pub(super) style: Style,
    pub(super) precision: usize,
    pub(super) json_file: Option<PathBuf>,
    pub(super) forever: bool,
    pub(super) tests: Vec<String>,
    pub(super) idle: bool,
    pub(super) seed: u64,
    pub(super) backend: Backend,
    pub(super) command: Vec<Vec<u8>>,
}

/// What a command line comes to.
#[derive(Debug)]
pub(super) enum Read {
    Run(Box<Options>),
    /// Print this; it was asked for.
    Show(String),
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn read(arguments: &[OsString]) -> Result<Read, String> {
    let program = OsString::from("dunlin bench");
    let all = std::iter::once(program).chain(arguments.iter().cloned());
    let parsed = match Arguments::try_parse_from(all) {
        Ok(parsed) => parsed,
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {
            return Ok(Read::Show(error.to_string()));
        }
        Err(error) => return Err(complaint(&error)),
    };
    if parsed.version {
        return Ok(Read::Show(super::version()));
    }
    parsed.options().map(|options| Read::Run(Box::new(options)))
}

fn complaint(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ErrorKind};
    let named = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    match (error.kind(), named) {
        (ErrorKind::UnknownArgument | ErrorKind::TooFewValues, Some(named)) => {
            let option = named.split(' ').next().unwrap_or_default();
            format!("Invalid option \"{option}\" or option argument missing; --help shows all")
        }
        _ => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    }
}

impl Arguments {
    fn options(self) -> Result<Options, String> {
        if self.cluster {
            return Err(
                "--cluster is an option of redis-benchmark that dunlin bench does not have"
                    .to_owned(),
            );
        }
        if self.tls.has_half_an_identity() {
            return Err("--cert and --key go together.".to_owned());
        }
        let within = |option: &str, n: usize, max: usize| match (1..=max).contains(&n) {
            true => Ok(n),
            false => Err(format!("{option}: between 1 and {max}, not {n}")),
        };
        let distribution = match &self.keys {
            None => Some(Distribution::Uniform),
            Some(text) => Distribution::parse(text),
        };
        let mut options = Options {
            endpoint: self.endpoint()?,
            clients: within("-c", self.clients, CLIENTS_MAX)?,
            requests: self.requests,
            duration: self.duration,
            warmup: self.warmup.unwrap_or_default(),
            data_bytes: self.data_bytes.clamp(1, DATA_BYTES_MAX),
            resp3: self.resp3,
            tracking: self.enable_tracking,
            threads: self.threads.filter(|n| *n > 0).map(|n| n.min(THREADS_MAX)),
            keep_alive: self.keep_alive != 0,
            key_space: self
                .key_space
                .map(|n| u64::try_from(n).unwrap_or(0))
                .or(self.keys.as_ref().map(|_| KEY_SPACE)),
            distribution: distribution
                .ok_or("--keys: uniform, zipf, zipf:THETA (between 0 and 1) or sequential")?,
            pipeline: within("-P", self.pipeline.max(1), PIPELINE_MAX)?,
            rate: self.rate,
            ratio: self.ratio.as_deref().map(ratio).transpose()?,
            style: match self.json.as_deref() {
                Some(file) if file.as_os_str() == "-" => Style::Json,
                _ if self.csv => Style::Csv,
                _ if self.quiet => Style::Quiet,
                _ => Style::Full,
            },
            precision: self.precision.min(4),
            json_file: self.json.clone().filter(|file| file.as_os_str() != "-"),
            forever: self.forever,
            tests: self
                .tests
                .as_deref()
                .map(|tests| tests.to_lowercase().split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            idle: self.idle,
            seed: self.seed.unwrap_or_else(seed),
            backend: match self.io_backend.as_str() {
                "epoll" => Backend::Epoll,
                "io_uring" => Backend::Uring,
                other => return Err(format!("--io-backend: epoll or io_uring, not {other}")),
            },
            command: self
                .command
                .into_iter()
                .map(OsStringExt::into_vec)
                .collect(),
        };
        if options
            .rate
            .is_some_and(|rate| !(rate > 0.0 && rate.is_finite()))
        {
            return Err("--rate: a number of requests a second".to_owned());
        }
        if options.rate.is_some() && !options.keep_alive {
            return Err("--rate needs connections that stay: -k 0 does not go with it".to_owned());
        }
        if self.stdin_last {
            let mut last = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut last)
                .map_err(|error| format!("-x: {error}"))?;
            options.command.push(last);
        }
        Ok(options)
    }

    fn endpoint(&self) -> Result<Endpoint, String> {
        let mut endpoint = Endpoint::default();
        if let Some(uri) = &self.uri {
            endpoint.apply_uri(uri).map_err(|error| error.to_string())?;
        }
        if let Some(host) = &self.host {
            host.clone_into(&mut endpoint.host);
        }
        endpoint.port = self.port.unwrap_or(endpoint.port);
        endpoint.socket.clone_from(&self.socket);
        endpoint.user = self.user.clone().or(endpoint.user);
        endpoint.password = self.password.clone().or(endpoint.password);
        endpoint.database = self.dbnum.unwrap_or(endpoint.database);
        self.tls.apply(&mut endpoint.tls);
        Ok(endpoint)
    }
}

/// `10s`, `500ms`, `2m`; a number alone is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        other => return Err(format!("no unit of time: {other}")),
    };
    let number: f64 = digits.parse().map_err(|_| format!("no number: {digits}"))?;
    Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())
}

fn ratio(text: &str) -> Result<Ratio, String> {
    let parsed = text.split_once(':').and_then(|(gets, sets)| {
        let ratio = Ratio {
            gets: gets.parse().ok()?,
            sets: sets.parse().ok()?,
        };
        (ratio.gets.checked_add(ratio.sets)? > 0).then_some(ratio)
    });
    parsed.ok_or_else(|| format!("--ratio: two numbers as in 9:1, not {text}"))
}

/// Another one each time.
fn seed() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match read(&arguments)? {
            Read::Run(options) => Ok(*options),
            Read::Show(text) => Err(text),
        }
    }

    #[test]
    fn options_of_redis_benchmark_and_ours() {
        let all = options("-h x -p 1 -c 5 -n 10 -d 9 --dbnum 2 -P 16 -r 50 -t SET,get -q")
            .expect("it parses");
        assert_eq!(
            (
                all.endpoint.host.as_str(),
                all.endpoint.port,
                all.endpoint.database
            ),
            ("x", 1, 2)
        );
        assert_eq!(
            (all.clients, all.requests, all.data_bytes, all.pipeline),
            (5, 10, 9, 16)
        );
        assert_eq!((all.key_space, all.style), (Some(50), Style::Quiet));
        assert_eq!(all.tests, ["set", "get"]);
        let ours =
            options("--keys zipf:0.9 --rate 1000 --ratio 9:1 --duration 500ms --warmup 1s --json")
                .expect("it parses");
        assert_eq!(ours.distribution, Distribution::Zipf(0.9));
        assert_eq!((ours.key_space, ours.rate), (Some(KEY_SPACE), Some(1000.0)));
        assert_eq!(ours.ratio, Some(Ratio { gets: 9, sets: 1 }));
        assert_eq!(
            (ours.duration, ours.warmup),
            (Some(Duration::from_millis(500)), Duration::from_secs(1))
        );
        assert_eq!(ours.style, Style::Json);
        let command = options("--json=out -n 5 eval -n x").expect("it parses");
        assert_eq!(command.command, [&b"eval"[..], b"-n", b"x"]);
        assert_eq!(command.json_file, Some(PathBuf::from("out")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            (
                "--nonsense",
                "Invalid option \"--nonsense\" or option argument missing",
            ),
            ("-c 0", "-c: between 1"),
            ("--keys normal", "--keys: uniform"),
            ("--ratio 0:0", "--ratio"),
            ("--rate 0", "--rate"),
            ("--duration 5h", "no unit of time"),
        ] {
            let error = options(line).expect_err(line);
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
