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

#[test]
fn the_tools_of_files() {
    let directory = std::env::temp_dir().join(format!("dunlin-start-tools-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let log = directory.join("a.aof");
    std::fs::write(&log, "*1\r\n$8\r\nFLUSHALL\r\n*1\r\n$8\r\nFLU").unwrap();
    let path = log.to_str().unwrap();
    let link = directory.join("redis-check-aof");
    std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
    let check = |program: &Path, arguments: &[&str], stdin: &str, code: i32, part: &str| {
        let output = run(program, arguments, stdin);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {text}");
        assert!(text.contains(part), "{arguments:?} {text}");
        // Redis's tests take anything there for a failure.
        assert_eq!(output.stderr.is_empty(), !text.is_empty(), "{arguments:?}");
    };
    let program = Path::new(PROGRAM);
    check(program, &["check-aof", path], "", 1, "is not valid");
    check(&link, &[path], "", 1, "ok_up_to=18,");
    check(
        &link,
        &["--fix", path],
        "y\n",
        0,
        "Successfully truncated AOF",
    );
    check(program, &["check-aof", path], "", 0, "is valid");
    check(program, &["check-rdb", path], "", 1, "RDB ERROR DETECTED");
    check(&link, &["--version"], "", 0, "redis-check-aof 7.2.");
    check(program, &["check-rdb"], "", 1, "");
    check(program, &["check-aof", "--fix"], "", 1, "");
    std::fs::remove_dir_all(&directory).unwrap();
}
