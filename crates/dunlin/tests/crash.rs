//! The crash report of the binary: its marks, what it tells, and that the process ends by the signal that struck it.

mod common;

use std::os::unix::process::ExitStatusExt;

use common::Server;

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// Ends a server by this command, and checks signal and report.
fn check(lines: &str, command: &str, signal: i32, parts: &[&str]) -> String {
    let mut server = Server::start(&format!("enable-debug-command yes\n{lines}"));
    let mut client = server.client();
    assert_eq!(client.ask("SET k secret-value"), "OK");
    let words: Vec<&str> = command.split(' ').collect();
    client.try_ask(&words).unwrap_err();
    assert_eq!(server.wait().signal(), Some(signal), "{command}");
    let log = server.log();
    for part in parts {
        assert!(log.contains(part), "{command}: no {part:?} in {log}");
    }
    assert!(!log.contains("secret-value"), "{log}");
    log
}

#[test]
fn a_signal_is_reported() {
    let log = check(
        "",
        "DEBUG SEGFAULT",
        SIGSEGV,
        &[
            "=== REDIS BUG REPORT START: Cut & paste starting from here ===",
            "crashed by signal: 11, si_code: ",
            "Thread: worker-",
            "------ REGISTERS ------",
            "------ STACK TRACE ------",
            "/server/src/commands/debug/crash.rs:",
            "total_commands_processed:",
            "running debug; newest first: debug set",
            "=== REDIS BUG REPORT END. Make sure to include from START to END. ===",
        ],
    );
    assert_eq!(log.matches("BUG REPORT START").count(), 1, "{log}");
    if cfg!(target_arch = "x86_64") {
        assert!(log.contains("RIP:") && log.contains(") -> "), "{log}");
    }
}

#[test]
fn panics_and_assertions_are_reported_once() {
    for command in ["DEBUG PANIC", "DEBUG ASSERT"] {
        let log = check(
            "",
            command,
            SIGABRT,
            &[
                "crashed on thread 'worker-",
                &format!("{command} was called"),
                "------ STACK TRACE ------",
                "=== REDIS BUG REPORT END",
            ],
        );
        assert_eq!(log.matches("BUG REPORT START").count(), 1, "{log}");
    }
}

#[test]
fn a_signal_from_outside_strikes_any_thread() {
    let mut server = Server::start("");
    let pid = server.child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-ABRT", &pid])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(server.wait().signal(), Some(SIGABRT));
    let log = server.log();
    assert!(log.contains("crashed by signal: 6"), "{log}");
    assert!(log.contains("Killed by PID: "), "{log}");
    assert!(log.contains("=== REDIS BUG REPORT END"), "{log}");
}

#[test]
fn reports_can_be_turned_off() {
    let log = check("crash-log-enabled no", "DEBUG SEGFAULT", SIGSEGV, &[]);
    assert!(
        !log.contains("crashed") && !log.contains("BUG REPORT"),
        "{log}"
    );
}
