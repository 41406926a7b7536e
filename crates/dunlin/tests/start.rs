//! The binary from outside: what it prints, and how it ends when it can't start.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dunlin");

fn run(program: impl AsRef<Path>, arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(program.as_ref())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// The one line that a failed start leaves.
fn complaint(arguments: &[&str], stdin: &str) -> String {
    let output = run(PROGRAM, arguments, stdin);
    assert_eq!(output.status.code(), Some(1), "{arguments:?} {output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{arguments:?} {text}");
    assert!(text.starts_with("dunlin: "), "{text}");
    text
}

#[test]
fn version_and_help() {
    for arguments in [&["--version"][..], &["-v"], &["server", "--version"]] {
        let output = run(PROGRAM, arguments, "");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.starts_with(&format!(
                "Dunlin server v={} redis=7.2.",
                env!("CARGO_PKG_VERSION")
            )),
            "{text}"
        );
    }
    let output = run(PROGRAM, &["--help"], "");
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with("Usage: dunlin")
    );
}

#[test]
fn what_can_not_start_says_why_in_one_line() {
    for (arguments, stdin, part) in [
        (
            &["/nonexistent.conf"][..],
            "",
            "can't open config file '/nonexistent.conf': No such file or directory",
        ),
        (&["server", "/nonexistent.conf"], "", "'/nonexistent.conf'"),
        (&["--prot", "1"], "", "did you mean 'port'?"),
        (
            &["--port", "70000"],
            "",
            "argument must be between 0 and 65535 inclusive",
        ),
        (
            &["-"],
            "hz 10\nport x",
            "in standard input, line 2: 'port x'",
        ),
        (&["--dir", "/nonexistent"], "", "No such file or directory"),
        (
            &["--logfile", "/nonexistent/log"],
            "",
            "Can't open the log file '/nonexistent/log'",
        ),
        (
            &["--test-memory", "5"],
            "",
            "'--test-memory' is an option of redis-server that dunlin does not have",
        ),
        (
            &["-", "--daemonize", "yes"],
            "",
            "daemonize can't be combined",
        ),
    ] {
        let text = complaint(arguments, stdin);
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}

#[test]
fn a_link_named_redis_server_takes_server_for_a_file() {
    let directory: PathBuf =
        std::env::temp_dir().join(format!("dunlin-link-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let link = directory.join("redis-server");
    std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
    let output = run(&link, &["server"], "");
    std::fs::remove_dir_all(directory).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("can't open config file") && text.contains("/server'"),
        "{text}"
    );
}
