//! The crash report: what a panic or a fatal signal leaves in the log before the process ends.
//!
//! Its first and last line are those of redis-server's, which people and test suites look for.
//!
//! Invariant: it writes and lets the process end; it waits for no lock, and a second failure inside it cannot make it start
//! again. For a signal, all but the backtrace is written without allocating: the heap may be what is broken.

use std::backtrace::Backtrace;
use std::fmt::{self, Write};
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use dunlin_reactor::fatal::{self, Fault, Output};

use super::format::push_head;
use super::startup::{REDIS_VERSION, VERSION};
use super::{Level, SINK, role};

const START: &str = "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===";
const END: &str = "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n";
const WHERE_TO: &str = concat!(
    "\n       Please report it, with all of the above, at ",
    env!("CARGO_PKG_REPOSITORY"),
    "/issues\n"
);

/// Tells what the server was doing: without allocating and without a lock.
pub type Facts = Box<dyn Fn(&mut dyn Write) -> fmt::Result + Send + Sync>;

static ENABLED: AtomicBool = AtomicBool::new(true);
static CRASHING: AtomicBool = AtomicBool::new(false);
static FACTS: OnceLock<Facts> = OnceLock::new();

/// Makes every panic, on any thread, leave a report with version and backtrace, and end the process by SIGABRT.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        if CRASHING.swap(true, Ordering::SeqCst) {
            // Another thread writes its report and aborts, or this one failed in the middle of its own.
            std::process::abort();
        }
        write_report(&panic_report(panic, ENABLED.load(Ordering::Relaxed)));
        std::process::abort();
    }));
}

/// Makes signals of a fault leave a report, with registers and the top of the stack, and end the process as they do by default.
///
/// # Errors
/// As sigaction(2) has it.
pub fn report_signals() -> std::io::Result<()> {
    fatal::report_fatal_signals(|fault, out| {
        let quiet = !ENABLED.load(Ordering::Relaxed);
        // A panic has written its report when it aborts.
        if quiet || CRASHING.swap(true, Ordering::SeqCst) {
            return;
        }
        // Nobody is left to be told that the log takes no more.
        let _ = signal_report(fault, out);
    })
}

/// Turns reports on or off: `crash-log-enabled`. The message of a panic is always written.
pub fn set_report_enabled(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}

/// Installs what tells about the server. The first call counts.
pub fn set_facts(facts: Facts) {
    let _ = FACTS.set(facts);
}

fn signal_report(fault: &Fault, out: &mut Output) -> fmt::Result {
    let pid = std::process::id();
    writeln!(out, "{START}")?;
    writeln!(
        out,
        "{pid}:M # Dunlin {VERSION} (compatible with Redis {REDIS_VERSION}) crashed by signal: {}, si_code: {}",
        fault.signal, fault.code
    )?;
    match fault.sender {
        Some((sender, user)) => writeln!(out, "{pid}:M # Killed by PID: {sender}, UID: {user}")?,
        None => writeln!(out, "{pid}:M # Accessing address: {:#x}", fault.address)?,
    }
    if let Some(instruction) = fault.instruction {
        writeln!(
            out,
            "{pid}:M # Crashed running the instruction at: {instruction:#x}"
        )?;
    }
    let thread = std::thread::current();
    writeln!(out, "{pid}:M # Thread: {}", thread.name().unwrap_or("?"))?;
    writeln!(out, "\n------ REGISTERS ------")?;
    for line in fault.registers().chunks(4) {
        for (name, value) in line {
            write!(out, "{name}:{value:016x} ")?;
        }
        writeln!(out)?;
    }
    write_facts(out)?;
    writeln!(out, "\n------ STACK TRACE ------")?;
    writeln!(out, "{}", Backtrace::force_capture())?;
    writeln!(out, "\n------ STACK ------")?;
    fault.write_stack(out);
    write!(out, "{END}{WHERE_TO}")
}

fn write_facts(out: &mut dyn Write) -> fmt::Result {
    let Some(facts) = FACTS.get() else {
        return Ok(());
    };
    writeln!(out, "\n------ INFO OUTPUT ------")?;
    facts(out)
}

fn panic_report(panic: &PanicHookInfo<'_>, full: bool) -> String {
    let mut text = String::new();
    if full {
        let _ = writeln!(text, "{START}");
    }
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    push_head(&mut text, Level::Warning, role());
    let _ = writeln!(text, "Dunlin {VERSION} crashed on thread '{name}': {panic}");
    if full {
        let _ = write_facts(&mut text);
        let trace = Backtrace::force_capture();
        let _ = write!(
            text,
            "\n------ STACK TRACE ------\nBacktrace:\n{trace}\n{END}{WHERE_TO}"
        );
    }
    text
}

/// The log gets the report; standard error gets it, too, unless the log is what the terminal shows already.
fn write_report(text: &str) {
    let logged = SINK
        .get()
        .is_some_and(|sink| sink.write_in_crash(text.as_bytes()));
    let visible = logged && SINK.get().is_some_and(super::sink::Sink::is_stdout);
    if !visible {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
