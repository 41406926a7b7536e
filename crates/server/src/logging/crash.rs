//! The crash report: what a panic leaves in the log before the process ends.
//!
//! Invariant: it writes and aborts; it waits for no lock, and a second panic inside it cannot make it start again.

use std::backtrace::Backtrace;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Level, SINK, push_head};

static ENABLED: AtomicBool = AtomicBool::new(true);
static CRASHING: AtomicBool = AtomicBool::new(false);

/// Makes every panic, on any thread, leave a report with version and backtrace, and end the process by SIGABRT.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        if CRASHING.swap(true, Ordering::SeqCst) {
            // Another thread writes its report and aborts, or this one failed in the middle of its own.
            std::process::abort();
        }
        write_report(&report(panic, ENABLED.load(Ordering::Relaxed)));
        std::process::abort();
    }));
}

/// Turns the backtrace on or off: `crash-log-enabled`. The message itself is always written.
pub fn set_report_enabled(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}

fn report(panic: &PanicHookInfo<'_>, full: bool) -> String {
    let mut text = String::new();
    let version = env!("CARGO_PKG_VERSION");
    if full {
        push_head(&mut text, Level::Warning);
        let _ = writeln!(
            text,
            "=== DUNLIN BUG REPORT START: please send all of it ==="
        );
    }
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    push_head(&mut text, Level::Warning);
    let _ = writeln!(text, "Dunlin {version} crashed on thread '{name}': {panic}");
    if full {
        let _ = writeln!(text, "Backtrace:\n{}", Backtrace::force_capture());
        push_head(&mut text, Level::Warning);
        let _ = writeln!(text, "=== DUNLIN BUG REPORT END ===");
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
