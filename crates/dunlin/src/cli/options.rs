//! The command line of `dunlin cli`: redis-cli's options, read in its way.
//!
//! Invariant: the first word that is neither an option nor an option's value begins the command, and everything behind it belongs to
//! the command. What clap would call by its own names is named as redis-cli names it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::endpoint::Endpoint;
use super::format::{Format, Output};
use super::tls::TlsArguments;

/// Behind which interval a repeated command is sent, at most.
const INTERVAL_SECONDS_MAX: f64 = 86_400.0 * 365.0;

/// The command line, for completions and the manual.
pub(super) fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

#[derive(Debug, Parser)]
#[command(
    name = "dunlin cli",
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true,
    about = "A client for Dunlin, Redis and Valkey servers; the options of redis-cli and some more",
    after_help = "Without a command it reads commands from the terminal, or from standard input, line by line.\n\
        Environment: REDISCLI_AUTH (a password), REDISCLI_HISTFILE (instead of ~/.dunlincli_history)."
)]
struct Arguments {
    /// Print this help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long = "version")]
    version: bool,
    /// Host name or address of the server [default: 127.0.0.1]
    #[arg(short = 'h', value_name = "HOST", num_args = 0..=1, default_missing_value = "")]
    host: Option<String>,
    /// Port of the server [default: 6379]
    #[arg(short = 'p', value_name = "PORT", allow_hyphen_values = true)]
    port: Option<i64>,
    /// Unix socket of the server, instead of host and port
    #[arg(short = 's', value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// Password; REDISCLI_AUTH keeps it out of the list of processes
    #[arg(short = 'a', long = "pass", value_name = "PASSWORD")]
    password: Option<String>,
    /// User whose password it is
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Ask for the password on the terminal
    #[arg(long)]
    askpass: bool,
    /// redis://user:password@host:port/database
    #[arg(short = 'u', value_name = "URI")]
    uri: Option<String>,
    #[command(flatten)]
    tls: TlsArguments,
    /// Database
    #[arg(short = 'n', value_name = "DB", allow_hyphen_values = true)]
    database: Option<i64>,
    /// Speak RESP2
    #[arg(short = '2')]
    resp2: bool,
    /// Speak RESP3
    #[arg(short = '3')]
    resp3: bool,
    /// Send the command N times; -1: for ever
    #[arg(
        short = 'r',
        value_name = "N",
        allow_hyphen_values = true,
        default_value = "1",
        hide_default_value = true
    )]
    repeat: i64,
    /// Seconds between repetitions, and between the cycles of --scan, --stat, --bigkeys and the like
    #[arg(
        short = 'i',
        value_name = "SECONDS",
        allow_hyphen_values = true,
        default_value = "0",
        hide_default_value = true
    )]
    interval: f64,
    /// Read the last argument from standard input
    #[arg(short = 'x')]
    stdin_last: bool,
    /// Read the argument that reads TAG from standard input
    #[arg(short = 'X', value_name = "TAG")]
    stdin_tag: Option<OsString>,
    /// What stands between the elements of a raw reply [default: a line end]
    #[arg(short = 'd', value_name = "TEXT", allow_hyphen_values = true)]
    element_delimiter: Option<OsString>,
    /// What stands behind a raw reply [default: a line end]
    #[arg(short = 'D', value_name = "TEXT", allow_hyphen_values = true)]
    reply_delimiter: Option<OsString>,
    /// Follow MOVED and ASK to other nodes of a cluster
    #[arg(short = 'c')]
    cluster_mode: bool,
    /// An error reply makes the exit code 1
    #[arg(short = 'e')]
    errors_fail: bool,
    /// Replies as bytes; so it is where the output is no terminal
    #[arg(long, overrides_with_all = ["no_raw", "csv", "json", "quoted_json"])]
    raw: bool,
    /// Replies for people, wherever the output goes
    #[arg(long, overrides_with_all = ["raw", "csv", "json", "quoted_json"])]
    no_raw: bool,
    /// Replies as lines with commas
    #[arg(long, overrides_with_all = ["raw", "no_raw", "json", "quoted_json"])]
    csv: bool,
    /// Replies as JSON; speaks RESP3 unless -2 is given
    #[arg(long, overrides_with_all = ["raw", "no_raw", "csv", "quoted_json"])]
    json: bool,
    /// Replies as JSON of ASCII
    #[arg(long, overrides_with_all = ["raw", "no_raw", "csv", "json"])]
    quoted_json: bool,
    /// Hashes and scores as tables [default: at the prompt of `dunlin cli`]
    #[arg(long, overrides_with = "no_table")]
    table: bool,
    /// No tables
    #[arg(long, overrides_with = "table")]
    no_table: bool,
    /// Arguments are quoted strings
    #[arg(long)]
    quoted_input: bool,
    /// Show messages that come out of band, y or n
    #[arg(long, value_name = "YN")]
    show_pushes: Option<String>,
    /// Don't warn of a password on the command line
    #[arg(long)]
    no_auth_warning: bool,
    /// For redis-cli's manager of clusters alone: taken, and without a meaning here
    #[arg(long, hide = true)]
    verbose: bool,
    /// Send what comes from standard input as it is, and count the replies
    #[arg(long, help_heading = "Modes")]
    pipe: bool,
    /// Seconds to wait for the last replies; 0: for ever
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "30",
        help_heading = "Modes"
    )]
    pipe_timeout: u64,
    /// The biggest key of each type, by its elements
    #[arg(long, help_heading = "Modes")]
    bigkeys: bool,
    /// The biggest key of each type, by its memory
    #[arg(long, help_heading = "Modes")]
    memkeys: bool,
    /// --memkeys with so many elements of each key looked at
    #[arg(long, value_name = "N", help_heading = "Modes")]
    memkeys_samples: Option<u64>,
    /// The keys that are used most; needs a maxmemory-policy with lfu
    #[arg(long, help_heading = "Modes")]
    hotkeys: bool,
    /// Round trips of PING: smallest, greatest and average, in ms
    #[arg(long, help_heading = "Modes")]
    latency: bool,
    /// --latency with a line every 15 seconds (-i)
    #[arg(long, help_heading = "Modes")]
    latency_history: bool,
    /// Round trips of PING as a spectrum, one line a second (-i)
    #[arg(long, help_heading = "Modes")]
    latency_dist: bool,
    /// The spectrum without colours
    #[arg(long, help_heading = "Modes")]
    mono: bool,
    /// The server's figures, one line a second (-i)
    #[arg(long, help_heading = "Modes")]
    stat: bool,
    /// All keys by SCAN
    #[arg(long, help_heading = "Modes")]
    scan: bool,
    /// Keys that match, for --scan, --bigkeys and the like
    #[arg(long, value_name = "GLOB", help_heading = "Modes")]
    pattern: Option<OsString>,
    /// --pattern as a quoted string
    #[arg(long, value_name = "GLOB", help_heading = "Modes")]
    quoted_pattern: Option<OsString>,
    /// Keys looked at in one step
    #[arg(long, value_name = "N", help_heading = "Modes")]
    count: Option<u64>,
    /// Keys of this type, for --scan
    #[arg(long = "type", value_name = "TYPE", help_heading = "Modes")]
    kind: Option<String>,
    /// The longest time that this machine keeps a busy process waiting, measured for so many seconds
    #[arg(long, value_name = "SECONDS", help_heading = "Modes")]
    intrinsic_latency: Option<u64>,
    /// Get a dump of the data
    #[arg(long, value_name = "FILE", help_heading = "Modes")]
    rdb: Option<PathBuf>,
    /// Run the script in FILE; what follows are its keys, a comma alone, and its arguments
    #[arg(long, value_name = "FILE", help_heading = "Modes")]
    eval: Option<PathBuf>,
    #[arg(long, hide = true)]
    functions_rdb: Option<PathBuf>,
    #[arg(long, hide = true)]
    replica: bool,
    #[arg(long, hide = true)]
    slave: bool,
    #[arg(long, hide = true)]
    lru_test: Option<u64>,
    #[arg(long, hide = true)]
    ldb: bool,
    #[arg(long, hide = true)]
    ldb_sync_mode: bool,
    #[arg(long, hide = true)]
    cluster: Option<String>,
    /// The command
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// RESP3 or not, and how much that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// RESP2.
    Resp2,
    /// RESP3, or an error.
    Resp3,
    /// RESP3 if the server has it.
    PreferResp3,
}

/// What to do instead of sending a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Commands,
    Pipe { timeout: Option<Duration> },
    BigKeys,
    MemKeys { samples: Option<u64> },
    HotKeys,
    Latency { history: bool },
    LatencyDistribution { mono: bool },
    Stat,
    Scan { kind: Option<String> },
    IntrinsicLatency { seconds: u64 },
    Rdb(PathBuf),
    Eval(PathBuf),
}

/// The command line, read and found free of contradictions.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) endpoint: Endpoint,
    pub(crate) askpass: bool,
    pub(crate) auth_warning: bool,
    pub(crate) protocol: Protocol,
    pub(crate) repeat: i64,
    pub(crate) interval: Duration,
    pub(crate) stdin_last: bool,
    pub(crate) stdin_tag: Option<Vec<u8>>,
    pub(crate) cluster_mode: bool,
    pub(crate) errors_fail: bool,
    pub(crate) format: Format,
    /// `None`: where it is sensible.
    pub(crate) table: Option<bool>,
    pub(crate) quoted_input: bool,
    pub(crate) show_pushes: bool,
    pub(crate) mode: Mode,
    pub(crate) pattern: Option<Vec<u8>>,
    pub(crate) count: Option<u64>,
    pub(crate) command: Vec<Vec<u8>>,
}

/// What a command line comes to.
#[derive(Debug)]
pub(crate) enum Read {
    Run(Box<Options>),
    /// Print this; it was asked for.
    Show(String),
}

/// Reads the arguments behind the program's name. `terminal`: whether replies are to be for people if nothing else is said.
///
/// # Errors
/// One line that says what is wrong.
pub(crate) fn read(arguments: &[OsString], terminal: bool) -> Result<Read, String> {
    let program = OsString::from("dunlin cli");
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
    if parsed.host.as_deref() == Some("") {
        // `-h` as the last argument asks for help.
        let help = <Arguments as clap::CommandFactory>::command().render_help();
        return Ok(Read::Show(help.to_string()));
    }
    parsed
        .options(terminal)
        .map(|options| Read::Run(Box::new(options)))
}

/// redis-cli's words for an option that is none or lacks its value, clap's for the rest.
fn complaint(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ErrorKind};
    let named = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    match (error.kind(), named) {
        (
            ErrorKind::UnknownArgument | ErrorKind::InvalidValue | ErrorKind::TooFewValues,
            Some(named),
        ) => {
            let option = named.split(' ').next().unwrap_or_default();
            format!("Unrecognized option or bad number of args for: '{option}'")
        }
        _ => {
            let text = error.to_string();
            text.lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned()
        }
    }
}

impl Arguments {
    fn options(self, terminal: bool) -> Result<Options, String> {
        self.check()?;
        let output = self.output(terminal);
        let quoted_pattern = match &self.quoted_pattern {
            Some(text) => Some(
                super::unquoted(text.as_encoded_bytes())
                    .ok_or("Invalid quoted string specified for --quoted-pattern.")?,
            ),
            None => None,
        };
        let line_end = || OsString::from("\n");
        let options = Options {
            endpoint: self.endpoint()?,
            askpass: self.askpass,
            auth_warning: !self.no_auth_warning
                && (self.password.is_some() || self.uri_has_password()),
            protocol: match (self.resp3, self.resp2, output) {
                (true, ..) => Protocol::Resp3,
                (_, false, Output::Json | Output::QuotedJson) => Protocol::PreferResp3,
                _ => Protocol::Resp2,
            },
            repeat: self.repeat,
            interval: interval(self.interval)?,
            stdin_last: self.stdin_last,
            stdin_tag: self.stdin_tag.clone().map(OsStringExt::into_vec),
            cluster_mode: self.cluster_mode,
            errors_fail: self.errors_fail,
            format: Format {
                output,
                element_delimiter: self
                    .element_delimiter
                    .clone()
                    .unwrap_or_else(line_end)
                    .into_vec(),
                reply_delimiter: self
                    .reply_delimiter
                    .clone()
                    .unwrap_or_else(line_end)
                    .into_vec(),
            },
            table: match (self.table, self.no_table || self.output_was_named()) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            quoted_input: self.quoted_input,
            show_pushes: self.show_pushes(terminal)?,
            mode: self.mode(),
            pattern: quoted_pattern.or(self.pattern.clone().map(OsStringExt::into_vec)),
            count: self.count,
            command: self
                .command
                .into_iter()
                .map(OsStringExt::into_vec)
                .collect(),
        };
        Ok(options)
    }

    /// Refuses contradictions, and what there is no such thing of.
    fn check(&self) -> Result<(), String> {
        // Nothing here has more to say.
        let _ = self.verbose;
        let missing = |option: &str, why: &str| {
            Err(format!(
                "'{option}' is an option of redis-cli that dunlin cli does not have: {why}"
            ))
        };
        let exclusive =
            |a: &str, b: &str| Err(format!("Options {a} and {b} are mutually exclusive."));
        match self {
            _ if self.cluster.is_some() => {
                missing("--cluster", "clusters are managed by redis-cli")
            }
            _ if self.tls.has_half_an_identity() => Err("--cert and --key go together.".to_owned()),
            _ if self.replica || self.slave => missing("--replica", "it would be a replica"),
            _ if self.functions_rdb.is_some() => missing("--functions-rdb", "use FUNCTION DUMP"),
            _ if self.lru_test.is_some() => {
                missing("--lru-test", "dunlin bench --keys zipf does that")
            }
            _ if self.ldb || self.ldb_sync_mode => {
                missing("--ldb", "there is no debugger of scripts")
            }
            _ if self.socket.is_some() && self.cluster_mode => exclusive("-c", "-s"),
            _ if self.resp2 && self.resp3 => exclusive("-2", "-3"),
            _ if self.stdin_last && self.stdin_tag.is_some() => exclusive("-x", "-X"),
            _ => Ok(()),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, String> {
        let mut endpoint = Endpoint::default();
        if let Some(uri) = &self.uri {
            endpoint.apply_uri(uri).map_err(|error| error.to_string())?;
        }
        if let Some(host) = &self.host {
            host.clone_into(&mut endpoint.host);
        }
        if let Some(port) = self.port {
            endpoint.port = u16::try_from(port).map_err(|_| "Invalid server port.".to_owned())?;
        }
        endpoint.socket.clone_from(&self.socket);
        endpoint.user = self.user.clone().or(endpoint.user);
        endpoint.password = self.password.clone().or(endpoint.password);
        endpoint.database = self.database.unwrap_or(endpoint.database);
        self.tls.apply(&mut endpoint.tls);
        Ok(endpoint)
    }

    fn uri_has_password(&self) -> bool {
        self.uri.as_ref().is_some_and(|uri| uri.contains('@'))
    }

    fn output_was_named(&self) -> bool {
        self.raw || self.no_raw || self.csv || self.json || self.quoted_json
    }

    fn output(&self, terminal: bool) -> Output {
        match self {
            _ if self.raw => Output::Raw,
            _ if self.no_raw => Output::Standard,
            _ if self.csv => Output::Csv,
            _ if self.json => Output::Json,
            _ if self.quoted_json => Output::QuotedJson,
            _ if terminal => Output::Standard,
            _ => Output::Raw,
        }
    }

    fn show_pushes(&self, terminal: bool) -> Result<bool, String> {
        match self
            .show_pushes
            .as_deref()
            .map(|value| value.chars().next())
        {
            None => Ok(terminal),
            Some(Some('y' | 'Y')) => Ok(true),
            Some(Some('n' | 'N')) => Ok(false),
            Some(_) => Err("--show-pushes is [y]es or [n]o".to_owned()),
        }
    }

    fn mode(&self) -> Mode {
        match self {
            _ if self.latency || self.latency_history => Mode::Latency {
                history: self.latency_history,
            },
            _ if self.latency_dist => Mode::LatencyDistribution { mono: self.mono },
            _ if self.rdb.is_some() => Mode::Rdb(self.rdb.clone().unwrap_or_default()),
            _ if self.pipe => Mode::Pipe {
                timeout: Some(Duration::from_secs(self.pipe_timeout)).filter(|t| !t.is_zero()),
            },
            _ if self.bigkeys => Mode::BigKeys,
            _ if self.memkeys || self.memkeys_samples.is_some() => Mode::MemKeys {
                samples: self.memkeys_samples,
            },
            _ if self.hotkeys => Mode::HotKeys,
            _ if self.stat => Mode::Stat,
            _ if self.scan => Mode::Scan {
                kind: self.kind.clone(),
            },
            _ if self.eval.is_some() => Mode::Eval(self.eval.clone().unwrap_or_default()),
            Arguments {
                intrinsic_latency: Some(seconds),
                ..
            } => Mode::IntrinsicLatency { seconds: *seconds },
            _ => Mode::Commands,
        }
    }
}

fn interval(seconds: f64) -> Result<Duration, String> {
    if (0.0..=INTERVAL_SECONDS_MAX).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("-i: not a number of seconds".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match read(&arguments, false)? {
            Read::Run(options) => Ok(*options),
            Read::Show(text) => Err(text),
        }
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let all =
            options("-h example -p 7 -n 3 -r -1 -i 0.5 -3 SET -p --raw -x").expect("it parses");
        assert_eq!(
            (all.endpoint.host.as_str(), all.endpoint.port),
            ("example", 7)
        );
        assert_eq!((all.endpoint.database, all.repeat), (3, -1));
        assert_eq!(all.interval, Duration::from_millis(500));
        assert_eq!(all.protocol, Protocol::Resp3);
        assert_eq!(all.command, [&b"SET"[..], b"-p", b"--raw", b"-x"]);
        assert!(!all.stdin_last);
    }

    #[test]
    fn the_last_format_counts_and_json_prefers_resp3() {
        assert_eq!(
            options("--csv --raw x").expect("it parses").format.output,
            Output::Raw
        );
        let json = options("--raw --json x").expect("it parses");
        assert_eq!(
            (json.format.output, json.protocol),
            (Output::Json, Protocol::PreferResp3)
        );
        assert_eq!(
            options("-2 --json x").expect("it parses").protocol,
            Protocol::Resp2
        );
        assert_eq!(options("x").expect("it parses").format.output, Output::Raw);
    }

    #[test]
    fn what_is_wrong_is_said_in_redis_clis_words() {
        for (line, words) in [
            ("-X", "Unrecognized option or bad number of args for: '-X'"),
            (
                "--nonsense",
                "Unrecognized option or bad number of args for: '--nonsense'",
            ),
            ("-x -X tag", "-x and -X are mutually exclusive"),
            ("-2 -3", "-2 and -3 are mutually exclusive"),
            ("-p 70000", "Invalid server port."),
            ("--cluster info", "does not have"),
            ("-h", "Usage: dunlin cli"),
        ] {
            let error = options(line).expect_err(line);
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
