//! The server's log: one line per message, in the format that tools for Redis read, on standard output or in a file.
//!
//! Invariant: logging never fails the caller. A line that can't be written is dropped and counted; a file is opened
//! anew on request ([`reopen`]), so that logrotate can move it.
//! The levels of `tracing` stand for Redis's: error and warn are `#`, info is `*` (notice), debug is `-` (verbose),
//! trace is `.` (debug). It does not decide what is worth saying.

mod crash;
mod format;
mod once;
mod repeats;
mod sink;
pub mod startup;
mod syslog;

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

pub use crash::{Facts, install_panic_hook, report_signals, set_facts, set_report_enabled};
pub use format::Format;
pub use once::Once;
pub use sink::LogError;

use repeats::Repeats;
use sink::Sink;
use syslog::Syslog;

/// How urgent a message must be to be logged: Redis's `loglevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Everything.
    Debug = 0,
    /// Also what is rarely useful.
    Verbose = 1,
    /// What an operator wants to see.
    Notice = 2,
    /// Only what is wrong.
    Warning = 3,
    /// No messages at all.
    Nothing = 4,
}

impl Level {
    fn of(level: &tracing::Level) -> Self {
        match *level {
            tracing::Level::TRACE => Level::Debug,
            tracing::Level::DEBUG => Level::Verbose,
            tracing::Level::INFO => Level::Notice,
            _ => Level::Warning,
        }
    }

    /// As `loglevel` has it.
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Verbose => "verbose",
            Level::Notice => "notice",
            Level::Warning | Level::Nothing => "warning",
        }
    }

    fn sign(self) -> char {
        match self {
            Level::Debug => '.',
            Level::Verbose => '-',
            Level::Notice => '*',
            Level::Warning | Level::Nothing => '#',
        }
    }

    fn filter(self) -> tracing::level_filters::LevelFilter {
        use tracing::level_filters::LevelFilter;
        match self {
            Level::Debug => LevelFilter::TRACE,
            Level::Verbose => LevelFilter::DEBUG,
            Level::Notice => LevelFilter::INFO,
            Level::Warning => LevelFilter::WARN,
            Level::Nothing => LevelFilter::OFF,
        }
    }
}

/// Who writes, as the second field of a line: Redis's letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A server that takes writes.
    Master,
    /// A replica.
    Replica,
    /// Before the server stands.
    Starting,
}

impl Role {
    fn letter(self) -> char {
        match self {
            Role::Master => 'M',
            Role::Replica => 'S',
            Role::Starting => 'C',
        }
    }

    fn of(letter: u8) -> Role {
        match letter {
            b'M' => Role::Master,
            b'S' => Role::Replica,
            _ => Role::Starting,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Role::Master => "primary",
            Role::Replica => "replica",
            Role::Starting => "starting",
        }
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);
static ROLE: AtomicU8 = AtomicU8::new(b'C');
static FORMAT: AtomicU8 = AtomicU8::new(Format::Legacy as u8);
static REPEATS: Repeats = Repeats::new();
static SINK: OnceLock<Sink> = OnceLock::new();
static SYSLOG: OnceLock<Syslog> = OnceLock::new();

/// Opens the log and makes it the destination of all `tracing` events of the process. None is standard output.
///
/// Called once, before threads start; a second call only sets level and destination.
pub fn init(file: Option<&Path>, level: Level) -> Result<(), LogError> {
    set_level(level);
    let sink = Sink::open(file)?;
    if let Err(sink) = SINK.set(sink) {
        // A test that starts several servers in one process.
        if let Some(current) = SINK.get() {
            current.replace(sink);
        }
        return Ok(());
    }
    let subscriber = tracing_subscriber::registry().with(Lines);
    // Another subscriber stands only if a test put it there; it sees the events then.
    let _ = tracing::subscriber::set_global_default(subscriber);
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Sends messages to the system's log as well, from now on. Only the first call counts.
///
/// # Errors
/// When the process is out of descriptors.
pub fn init_syslog(ident: &[u8], facility: &str) -> std::io::Result<()> {
    let syslog = Syslog::open(Path::new(syslog::SOCKET), ident, facility)?;
    let _ = SYSLOG.set(syslog);
    Ok(())
}

/// Changes what is logged from now on, on all threads.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
    // Whether a call site is of interest is remembered, so that a silent one costs one load.
    tracing::callsite::rebuild_interest_cache();
}

/// The level in force.
pub fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        0 => Level::Debug,
        1 => Level::Verbose,
        2 => Level::Notice,
        3 => Level::Warning,
        _ => Level::Nothing,
    }
}

/// Sets the letter after the process id of each line.
pub fn set_role(role: Role) {
    ROLE.store(role.letter() as u8, Ordering::Relaxed);
}

/// Sets how messages are written from now on.
pub fn set_format(format: Format) {
    FORMAT.store(format as u8, Ordering::Relaxed);
}

fn role() -> Role {
    Role::of(ROLE.load(Ordering::Relaxed))
}

/// Opens the log file anew under its name: after SIGHUP. On failure the old one stays in use.
pub fn reopen() -> Result<(), LogError> {
    SINK.get().map_or(Ok(()), Sink::reopen)
}

/// Lines that could not be written since the start.
pub fn lines_lost() -> u64 {
    SINK.get().map_or(0, Sink::lines_lost) + SYSLOG.get().map_or(0, Syslog::lost)
}

/// The layer that turns events into lines.
struct Lines;

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn register_callsite(
        &self,
        metadata: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        if Level::of(metadata.level()) < level() {
            tracing::subscriber::Interest::never()
        } else {
            tracing::subscriber::Interest::always()
        }
    }

    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        Level::of(metadata.level()) >= level()
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(level().filter())
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        thread_local! {
            static TEXTS: RefCell<(String, String)> = const { RefCell::new((String::new(), String::new())) };
        }
        let Some(sink) = SINK.get() else { return };
        // A message whose Display logs a message finds the buffers taken, and gets some of its own.
        TEXTS.with(|texts| match texts.try_borrow_mut() {
            Ok(mut texts) => {
                let (message, line) = &mut *texts;
                message.clear();
                log_event(sink, message, line, event);
            }
            Err(_) => log_event(sink, &mut String::new(), &mut String::new(), event),
        });
    }
}

fn log_event(sink: &Sink, message: &mut String, line: &mut String, event: &tracing::Event<'_>) {
    let level = Level::of(event.metadata().level());
    event.record(&mut Fields { line: message });
    // Who asks for the details gets all of them.
    if level >= Level::Notice {
        let second = jiff::Timestamp::now().as_second().unsigned_abs();
        while let Some(left_out) = REPEATS.left_out(second) {
            write(sink, line, Level::Notice, &left_out);
        }
        if !REPEATS.admits(&event.metadata().callsite(), second, message) {
            return;
        }
    }
    write(sink, line, level, message);
}

fn write(sink: &Sink, line: &mut String, level: Level, message: &str) {
    line.clear();
    Format::of(FORMAT.load(Ordering::Relaxed)).push(line, level, role(), message);
    sink.write_line(line.as_bytes());
    if let Some(syslog) = SYSLOG.get() {
        let mut plain = String::new();
        format::push_plain(&mut plain, message);
        syslog.send(level, &plain);
    }
}

/// Appends the message, then each other field as ` name=value`.
struct Fields<'a> {
    line: &'a mut String,
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.line, "{value:?}"),
            name => write!(self.line, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => write!(self.line, "{value}"),
            name => write!(self.line, " {name}={value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_redis() {
        assert_eq!(Level::of(&tracing::Level::ERROR).sign(), '#');
        assert_eq!(Level::of(&tracing::Level::WARN).sign(), '#');
        assert_eq!(Level::of(&tracing::Level::INFO).sign(), '*');
        assert_eq!(Level::of(&tracing::Level::DEBUG).sign(), '-');
        assert_eq!(Level::of(&tracing::Level::TRACE).sign(), '.');
        assert!(Level::Debug < Level::Nothing);
    }
}
