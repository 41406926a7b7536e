//! Configuration: one table of keys, files and command lines that give them values, CONFIG GET and SET.
//!
//! Invariant: every key stands once, in [`table`]; parser, help, documentation and CONFIG read it from there.
//! A [`Config`] is plain data: reading or setting it acts on nothing. The server copies what its hot paths need.

mod error;
mod key;
mod load;
mod markdown;
mod number;
mod pattern;
mod rename;
mod rewrite;
mod set;
mod source;
mod special;
pub mod table;
mod value;
mod words;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, SetError, Source};
pub use key::{Change, Key, Kind, Line, Status};
pub use load::{INCLUDE_DEPTH_MAX, LINE_LENGTH_MAX_BYTES, Loaded};
pub use markdown::markdown;
pub(crate) use markdown::type_text;
pub(crate) use rewrite::replace_file;
pub use rewrite::{Appended, RewriteError};
pub use set::Origin;
pub use source::FILE_LENGTH_MAX_BYTES;
pub(crate) use special::errno_text;
pub use special::{BindAddress, BindHost, ClientClass, OutputLimit, OutputLimits, SavePoint};
pub use table::{SECTIONS, Section};
pub use value::Value;

use crate::logging::{Format, Level};
use table::TABLE;
use value::Reading;

/// The values of all keys, and the instructions that a file may hold beside them.
#[derive(Clone, Debug)]
pub struct Config {
    /// In the order of the table.
    values: Vec<Value>,
    /// The file of the command line, absolute: what CONFIG REWRITE will write.
    file: Option<PathBuf>,
    renamed_commands: Vec<(Vec<u8>, Vec<u8>)>,
    /// `user` lines: name and rules.
    users: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// True once a `save` line was read: from then on they add up.
    save_given: bool,
}

/// Who may use a command or key that can do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Clients on loopback or a Unix socket.
    Local,
}

/// Whether and how to change the score by which the kernel picks whom to end when memory runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomScoreAdjust {
    /// Leave it.
    No,
    /// Add the configured value to what it was.
    Relative,
    /// Set the configured value.
    Absolute,
}

/// Clients for whom there is room when all others are turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminLane {
    /// Nobody.
    No,
    /// Those of the Unix socket.
    Unix,
    /// Those of this machine.
    Loopback,
}

/// Which system interface the event loops use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoBackend {
    /// The best that works here.
    Auto,
    /// epoll.
    Epoll,
    /// io_uring.
    Uring,
    /// poll.
    Poll,
}

impl IoBackend {
    /// By the name that the configuration has for it.
    pub fn named(name: &str) -> Option<IoBackend> {
        Some(match name {
            "auto" => IoBackend::Auto,
            "epoll" => IoBackend::Epoll,
            "io_uring" => IoBackend::Uring,
            "poll" => IoBackend::Poll,
            _ => return None,
        })
    }
}

impl Default for Config {
    /// Redis 7.2's defaults, but for those that docs/configuration.md says differ. `dir` is the current directory.
    fn default() -> Self {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let here = Value::Text(here.into_os_string().as_bytes().to_vec());
        let values = TABLE.iter().map(|key| default_value(key, &here)).collect();
        Self {
            values,
            file: None,
            renamed_commands: Vec::new(),
            users: Vec::new(),
            save_given: false,
        }
    }
}

fn default_value(key: &Key, here: &Value) -> Value {
    if matches!(key.kind, Kind::Directory) {
        return here.clone();
    }
    let words: Vec<&[u8]> = if key.takes_list() {
        key.default
            .split_ascii_whitespace()
            .map(str::as_bytes)
            .collect()
    } else {
        vec![key.default.as_bytes()]
    };
    if matches!(key.kind, Kind::ReplicaOf) {
        return Value::ReplicaOf(None);
    }
    let reading = Reading {
        current: &Value::Nothing,
        adds_up: false,
    };
    match Value::read(key, &words, &reading) {
        Ok(value) => value,
        Err(reason) => panic!("the default of '{}' is not valid: {reason}", key.name),
    }
}

/// Values by name. A name or type that the table does not have is a bug, and asserts.
impl Config {
    /// The value of a key, by its canonical name.
    pub fn value(&self, name: &str) -> &Value {
        &self.values[table::index_of(name)]
    }

    /// A `yes` or `no` key.
    pub fn yes(&self, name: &str) -> bool {
        match self.value(name) {
            Value::YesNo(yes) => *yes,
            other => panic!("'{name}' is not yes or no but {other:?}"),
        }
    }

    /// An integer key.
    pub fn integer(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Integer(value) => *value,
            other => panic!("'{name}' is not an integer but {other:?}"),
        }
    }

    /// A memory key, in bytes.
    pub fn bytes(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Bytes(value) => *value,
            other => panic!("'{name}' is not a number of bytes but {other:?}"),
        }
    }

    /// A text key.
    pub fn text(&self, name: &str) -> &[u8] {
        match self.value(name) {
            Value::Text(text) => text,
            other => panic!("'{name}' is not a text but {other:?}"),
        }
    }

    /// The word that a choice key holds.
    pub fn choice(&self, name: &str) -> &'static str {
        match (self.value(name), TABLE[table::index_of(name)].kind) {
            (Value::Choice(position), Kind::Choice(words)) => words[*position],
            (other, _) => panic!("'{name}' is not a choice but {other:?}"),
        }
    }

    /// A `no`, `yes` or `local` key.
    pub fn permission(&self, name: &str) -> Permission {
        match self.choice(name) {
            "no" => Permission::No,
            "yes" => Permission::Yes,
            "local" => Permission::Local,
            other => panic!("'{name}' is not a permission but {other}"),
        }
    }

    /// A key of percentages, each with its text.
    pub fn percentiles(&self, name: &str) -> Vec<(f64, String)> {
        match self.value(name) {
            Value::Percentiles(list) => list
                .iter()
                .map(|percent| (*percent, special::show_percentiles(&[*percent])))
                .collect(),
            other => panic!("'{name}' is not a list of percentages but {other:?}"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        let text = self.text(name);
        (!text.is_empty()).then(|| Path::new(OsStr::from_bytes(text)))
    }

    /// An integer whose range in the table lies within that of `T`.
    fn narrow<T: TryFrom<i64>>(&self, name: &str) -> T {
        let value = self.integer(name);
        T::try_from(value)
            .unwrap_or_else(|_| panic!("'{name}' {value} is outside the range of its accessor"))
    }
}

/// The keys that this server acts on.
impl Config {
    /// The configuration file of the command line, absolute.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The addresses to listen on; none means no TCP.
    pub fn bind(&self) -> Vec<BindAddress> {
        self.addresses("bind")
    }

    fn addresses(&self, name: &str) -> Vec<BindAddress> {
        match self.value(name) {
            Value::Words(words) => words.iter().map(|word| BindAddress::parse(word)).collect(),
            other => panic!("'{name}' is not a list of addresses but {other:?}"),
        }
    }

    /// The TCP port; 0 means no TCP.
    pub fn port(&self) -> u16 {
        self.narrow("port")
    }

    /// The port for TLS; 0 means none.
    pub fn tls_port(&self) -> u16 {
        self.narrow("tls-port")
    }

    /// The port by which the server is known: that for TLS if there is no other.
    pub fn main_port(&self) -> u16 {
        match self.port() {
            0 => self.tls_port(),
            port => port,
        }
    }

    /// The path of the Unix socket.
    pub fn unixsocket(&self) -> Option<&Path> {
        self.path("unixsocket")
    }

    /// The mode of the Unix socket; none means what the umask gives.
    pub fn unixsocketperm(&self) -> Option<u32> {
        match self.value("unixsocketperm") {
            Value::Octal(mode) => (*mode != 0).then_some(*mode),
            other => panic!("unixsocketperm is not octal but {other:?}"),
        }
    }

    /// Connections that the kernel may hold before they are accepted.
    pub fn tcp_backlog(&self) -> u32 {
        self.narrow("tcp-backlog")
    }

    /// Whether clients from elsewhere are refused while there is no password.
    pub fn protected_mode(&self) -> bool {
        self.yes("protected-mode")
    }

    /// The file of ACL users.
    pub fn aclfile(&self) -> Option<&Path> {
        self.path("aclfile")
    }

    /// The users that the configuration names itself, with their rules.
    pub fn users(&self) -> &[(Vec<u8>, Vec<Vec<u8>>)] {
        &self.users
    }

    /// The password of the default user.
    pub fn requirepass(&self) -> Option<&[u8]> {
        let password = self.text("requirepass");
        (!password.is_empty()).then_some(password)
    }

    /// Clients served at once.
    pub fn maxclients(&self) -> u32 {
        self.narrow("maxclients")
    }

    /// Seconds after which an idle client is closed; 0 is never.
    pub fn timeout_s(&self) -> u32 {
        self.narrow("timeout")
    }

    /// Seconds between TCP keep-alive probes; 0 is none.
    pub fn tcp_keepalive_s(&self) -> u32 {
        self.narrow("tcp-keepalive")
    }

    /// Worker threads, at least 1.
    pub fn workers(&self) -> usize {
        self.narrow("workers")
    }

    /// Databases, at least 1.
    pub fn databases(&self) -> u32 {
        self.narrow("databases")
    }

    /// The log file; none means standard output.
    pub fn logfile(&self) -> Option<&Path> {
        self.path("logfile")
    }

    /// How messages are written to the log.
    pub fn log_format(&self) -> Format {
        match self.choice("log-format") {
            "logfmt" => Format::Logfmt,
            "json" => Format::Json,
            _ => Format::Legacy,
        }
    }

    /// The least urgent messages that are logged.
    pub fn loglevel(&self) -> Level {
        match self.choice("loglevel") {
            "debug" => Level::Debug,
            "verbose" => Level::Verbose,
            "notice" => Level::Notice,
            "warning" => Level::Warning,
            _ => Level::Nothing,
        }
    }

    /// Whether to go into the background.
    pub fn daemonize(&self) -> bool {
        self.yes("daemonize")
    }

    /// The file that holds the process id while the server runs.
    pub fn pidfile(&self) -> Option<&Path> {
        self.path("pidfile")
    }

    /// The working directory, absolute.
    pub fn dir(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.text("dir")))
    }

    /// `save`.
    pub fn save_points(&self) -> &[SavePoint] {
        match self.value("save") {
            Value::Save(points) => points,
            other => panic!("'save' is no list of save points but {other:?}"),
        }
    }

    /// The value of a key that names a file or directory inside `dir`.
    pub fn file_name(&self, name: &str) -> &Path {
        Path::new(OsStr::from_bytes(self.text(name)))
    }

    /// Longest argument of a request, bytes.
    pub fn proto_max_bulk_bytes(&self) -> u64 {
        self.bytes("proto-max-bulk-len")
    }

    /// An integer setting that counts members of collections, or bytes of one.
    pub fn collection_limit(&self, name: &str) -> usize {
        usize::try_from(self.integer(name)).unwrap_or(0)
    }

    /// A setting in bytes about members of collections.
    pub fn collection_bytes(&self, name: &str) -> usize {
        usize::try_from(self.bytes(name)).unwrap_or(usize::MAX)
    }

    /// `list-max-listpack-size`: elements, or a negative number for bytes.
    pub fn list_max_listpack_size(&self) -> i64 {
        self.integer("list-max-listpack-size")
    }

    /// Unexecuted input of one client, bytes.
    pub fn client_query_buffer_bytes(&self) -> u64 {
        self.bytes("client-query-buffer-limit")
    }

    /// Memory of all clients together above which the greediest are cut, bytes; 0 for no limit.
    pub fn client_memory_bytes(&self) -> u64 {
        match self.value("maxmemory-clients") {
            Value::Bytes(bytes) => *bytes,
            // A percentage of no limit is no limit.
            Value::Percent(percent) => {
                let whole =
                    u128::from(self.bytes("maxmemory")) * u128::from(percent.unsigned_abs()) / 100;
                u64::try_from(whole).unwrap_or(u64::MAX)
            }
            other => panic!("maxmemory-clients is not memory but {other:?}"),
        }
    }

    /// When a client of this class that does not read is cut.
    pub fn output_limit(&self, class: ClientClass) -> OutputLimit {
        match self.value("client-output-buffer-limit") {
            Value::OutputLimits(limits) => limits.by_class[class as usize],
            other => panic!("client-output-buffer-limit is not a list of limits but {other:?}"),
        }
    }

    /// Whether a word is among those of a key.
    pub fn has_flag(&self, name: &str, flag: &str) -> bool {
        let key = table::TABLE[table::index_of(name)];
        let (Kind::Flags(names), Value::Flags(bits)) = (&key.kind, self.value(name)) else {
            panic!("'{name}' is no list of words");
        };
        let at = names.iter().position(|known| *known == flag);
        at.is_some_and(|at| bits & 1 << at != 0)
    }

    /// Letters of a key, as bits.
    pub fn letters(&self, name: &str) -> u32 {
        match self.value(name) {
            Value::Flags(bits) => *bits,
            other => panic!("{name} is not letters but {other:?}"),
        }
    }

    /// Who may use DEBUG.
    pub fn debug_command(&self) -> Permission {
        self.permission("enable-debug-command")
    }

    /// Whether a crash is reported with a backtrace.
    pub fn crash_log_enabled(&self) -> bool {
        self.yes("crash-log-enabled")
    }

    /// `oom-score-adj`.
    pub fn oom_score_adjust(&self) -> OomScoreAdjust {
        match self.choice("oom-score-adj") {
            "no" => OomScoreAdjust::No,
            "absolute" => OomScoreAdjust::Absolute,
            _ => OomScoreAdjust::Relative,
        }
    }

    /// `oom-score-adj-values`: for a master, a replica, a background process.
    pub fn oom_scores(&self) -> [i64; 3] {
        match self.value("oom-score-adj-values") {
            Value::OomScores(scores) => *scores,
            other => panic!("oom-score-adj-values are not scores but {other:?}"),
        }
    }

    /// The event loops' system interface.
    pub fn io_backend(&self) -> IoBackend {
        // The table allows only names that are known.
        IoBackend::named(self.choice("io-backend")).unwrap_or(IoBackend::Auto)
    }

    /// The port of the admin pages; 0 is none.
    pub fn admin_port(&self) -> u16 {
        self.narrow("admin-port")
    }

    /// The addresses of that port.
    pub fn admin_bind(&self) -> Vec<BindAddress> {
        self.addresses("admin-bind")
    }

    /// What requests to that port have to show.
    pub fn admin_token(&self) -> Option<&[u8]> {
        let token = self.text("admin-token");
        (!token.is_empty()).then_some(token)
    }

    /// The port of devices; 0 is none.
    pub fn frame_port(&self) -> u16 {
        self.narrow("frame-port")
    }

    /// Connections accepted in a second; 0: as many as come.
    pub fn accept_rate(&self) -> u32 {
        self.narrow("accept-rate")
    }

    /// Connections that one address may have.
    pub fn maxclients_per_address(&self) -> usize {
        match self.integer("maxclients-per-address") {
            0 => usize::MAX,
            max => max as usize,
        }
    }

    /// Seconds in which an unfinished request has to go on; 0: it may take its time.
    pub fn request_timeout_s(&self) -> u32 {
        self.narrow("request-timeout")
    }

    /// Whom there is room for beyond `maxclients`.
    pub fn admin_lane(&self) -> AdminLane {
        match self.choice("admin-lane") {
            "no" => AdminLane::No,
            "loopback" => AdminLane::Loopback,
            _ => AdminLane::Unix,
        }
    }

    /// Seconds that a graceful stop may take.
    pub fn shutdown_timeout_s(&self) -> u32 {
        self.narrow("shutdown-timeout")
    }

    /// The master that was asked for.
    pub fn replica_of(&self) -> Option<(&[u8], u16)> {
        match self.value("replicaof") {
            Value::ReplicaOf(master) => {
                master.as_ref().map(|(host, port)| (host.as_slice(), *port))
            }
            other => panic!("replicaof is not a master but {other:?}"),
        }
    }

    /// Commands to rename, in the order of the file: old name, new name (empty: remove it).
    pub fn renamed_commands(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.renamed_commands
    }
}
