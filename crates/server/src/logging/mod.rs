//! The server's log: one line per message, in the format that tools for Redis read, on standard output or in a file.
//!
//! Invariant: logging never fails the caller. A line that can't be written is dropped and counted; a file is opened
//! anew on request ([`reopen`]), so that logrotate can move it.
//! The levels of `tracing` stand for Redis's: error and warn are `#`, info is `*` (notice), debug is `-` (verbose),
//! trace is `.` (debug). It does not decide what is worth saying.

mod crash;
mod once;
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
pub use once::Once;
pub use sink::LogError;

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

static LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);
static ROLE: AtomicU8 = AtomicU8::new(b'C');
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
    let letter = match role {
        Role::Master => b'M',
        Role::Replica => b'S',
        Role::Starting => b'C',
    };
    ROLE.store(letter, Ordering::Relaxed);
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
            static LINE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let Some(sink) = SINK.get() else { return };
        // A message whose Display logs a message finds the buffer taken, and gets one of its own.
        LINE.with(|line| match line.try_borrow_mut() {
            Ok(mut line) => {
                line.clear();
                log_event(sink, &mut line, event);
            }
            Err(_) => log_event(sink, &mut String::new(), event),
        });
    }
}

fn log_event(sink: &Sink, line: &mut String, event: &tracing::Event<'_>) {
    let level = Level::of(event.metadata().level());
    push_head(line, level);
    let head = line.len();
    event.record(&mut Fields { line });
    end_line(line);
    sink.write_line(line.as_bytes());
    if let Some(syslog) = SYSLOG.get() {
        // The head has no control characters, so its length is what it was.
        syslog.send(level, line[head..].trim_end_matches('\n'));
    }
}

/// Writes `<pid>:<role> <date and time> <sign> `.
fn push_head(line: &mut String, level: Level) {
    let role = char::from(ROLE.load(Ordering::Relaxed));
    let now = jiff::Zoned::now();
    let time = now.strftime("%d %b %Y %H:%M:%S.%3f");
    // Writing to a String fails only if the arguments do; a time that can't be shown is left out.
    let _ = write!(
        line,
        "{}:{role} {time} {} ",
        std::process::id(),
        level.sign()
    );
}

/// Makes sure that one message is one line, whatever a client put into it, and ends it.
fn end_line(line: &mut String) {
    if line.contains(|letter: char| letter.is_control()) {
        let clean: String = line
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        *line = clean;
    }
    line.push('\n');
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
    fn the_head_is_what_tools_read() {
        let mut line = String::new();
        push_head(&mut line, Level::Notice);
        let (pid, rest) = line.split_once(':').unwrap();
        assert_eq!(pid, std::process::id().to_string());
        // "C 21 Nov 2026 03:43:33.123 * "
        let parts: Vec<&str> = rest.split(' ').collect();
        let [role, day, month, year, time, sign, ""] = parts[..] else {
            panic!("{line:?}");
        };
        assert!(["C", "M", "S"].contains(&role), "{line:?}");
        assert_eq!(day.len(), 2);
        assert_eq!(month.len(), 3);
        assert_eq!(year.len(), 4);
        assert_eq!(time.len(), "03:43:33.123".len(), "{line:?}");
        assert_eq!(&time[8..9], ".");
        assert_eq!(sign, "*");
    }

    #[test]
    fn a_message_is_one_line() {
        let mut line = String::from("a\nb\r\nc\x1b[31m");
        end_line(&mut line);
        assert_eq!(line, "a b  c [31m\n");
    }

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
