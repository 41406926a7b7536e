//! The log of a whole process: format, levels that change at run time, reopening, and what a crash leaves behind.
//!
//! The log belongs to the process, so each case runs in one of its own: this test binary again, told by a variable.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dunlin_server::logging::{self, Level};

const CASE: &str = "DUNLIN_LOGGING_CASE";

/// Runs one case in a process of its own. Answers what it printed and what stands in its log file.
fn run(case: &str, logfile: Option<&Path>) -> (Output, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CASE, case);
    if let Some(path) = logfile {
        command.env("DUNLIN_LOGGING_FILE", path);
    }
    let output = command.output().unwrap();
    let text = logfile.map(|path| std::fs::read_to_string(path).unwrap_or_default());
    (output, text.unwrap_or_default())
}

fn scratch_file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dunlin-{name}-{}.log", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// Not a test of its own: what the processes do.
#[test]
fn child() {
    let Ok(case) = std::env::var(CASE) else {
        return;
    };
    let path = std::env::var_os("DUNLIN_LOGGING_FILE").map(PathBuf::from);
    logging::init(path.as_deref(), Level::Notice).unwrap();
    match case.as_str() {
        "levels" => {
            let say = || {
                tracing::trace!("debug");
                tracing::debug!("verbose");
                tracing::info!(clients = 5, "notice");
                tracing::warn!("warning {}\nof two lines", 1);
            };
            for level in [
                Level::Notice,
                Level::Debug,
                Level::Nothing,
                Level::Warning,
                Level::Verbose,
            ] {
                logging::set_level(level);
                assert_eq!(logging::level(), level);
                say();
            }
        }
        "reopen" => {
            let path = path.unwrap();
            tracing::info!("before");
            std::fs::rename(&path, path.with_extension("1")).unwrap();
            logging::reopen().unwrap();
            logging::set_role(logging::Role::Master);
            tracing::info!("after");
        }
        "threads" => {
            logging::set_level(Level::Verbose);
            std::thread::scope(|scope| {
                for thread in 0..8 {
                    scope.spawn(move || {
                        for number in 0..200 {
                            // Not at a level whose repeats are counted instead.
                            tracing::debug!("{thread} {number} {}", "x".repeat(200));
                        }
                    });
                }
            });
        }
        "crash" => {
            logging::install_panic_hook();
            let thread = std::thread::Builder::new().name("worker-7".to_owned());
            let _ = thread
                .spawn(|| panic!("stripe 3 is held twice"))
                .unwrap()
                .join();
            unreachable!("a panic on any thread ends the process");
        }
        "crash without report" => {
            logging::set_report_enabled(false);
            logging::install_panic_hook();
            panic!("short");
        }
        other => panic!("no case {other}"),
    }
}

/// The part of each line after the time.
fn messages(log: &str) -> Vec<&str> {
    log.lines()
        .map(|line| {
            line.splitn(6, ' ')
                .nth(5)
                .unwrap_or_else(|| panic!("{line:?}"))
        })
        .collect()
}

#[test]
fn levels_change_while_the_process_runs() {
    let path = scratch_file("levels");
    let (output, log) = run("levels", Some(&path));
    assert!(output.status.success(), "{output:?}");
    let notice = ["* notice clients=5", "# warning 1 of two lines"];
    let verbose = [
        "- verbose",
        "* notice clients=5",
        "# warning 1 of two lines",
    ];
    let debug = [
        ". debug",
        "- verbose",
        "* notice clients=5",
        "# warning 1 of two lines",
    ];
    let expected = [&notice[..], &debug, &notice[1..], &verbose].concat();
    assert_eq!(messages(&log), expected);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_moved_file_is_opened_anew() {
    let path = scratch_file("reopen");
    let (output, log) = run("reopen", Some(&path));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(messages(&log), ["* after"]);
    assert!(log.contains(":M "), "{log}");
    let moved = path.with_extension("1");
    assert_eq!(
        messages(&std::fs::read_to_string(&moved).unwrap()),
        ["* before"]
    );
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(moved).unwrap();
}

#[test]
fn lines_of_threads_do_not_mix() {
    let path = scratch_file("threads");
    let (output, log) = run("threads", Some(&path));
    assert!(output.status.success(), "{output:?}");
    let lines = messages(&log);
    assert_eq!(lines.len(), 1600);
    assert!(
        lines
            .iter()
            .all(|line| line.ends_with('x') && line.starts_with("- ")),
        "{log}"
    );
    std::fs::remove_file(path).unwrap();
}

#[cfg(unix)]
fn was_aborted(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGABRT: i32 = 6;
    output.status.signal() == Some(SIGABRT)
}

#[test]
fn a_crash_leaves_version_thread_message_and_backtrace() {
    let path = scratch_file("crash");
    let (output, log) = run("crash", Some(&path));
    assert!(was_aborted(&output), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    for text in [log, printed] {
        let version = format!(
            "Dunlin {} crashed on thread 'worker-7'",
            env!("CARGO_PKG_VERSION")
        );
        assert!(text.contains(&version), "{text}");
        assert!(text.contains("stripe 3 is held twice"), "{text}");
        assert!(text.contains("config_logging.rs"), "{text}");
        assert!(
            text.contains("config_logging::child"),
            "no backtrace: {text}"
        );
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_crash_on_the_terminal_is_reported_once() {
    let (output, _) = run("crash without report", None);
    assert!(was_aborted(&output), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout.matches("crashed on thread").count(), 1, "{stdout}");
    assert!(!stdout.contains("Backtrace"), "{stdout}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("crashed"));
}
