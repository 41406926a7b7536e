//! `dunlin cli` at a terminal: a pseudo-terminal that types and reads the screen.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use common::{PROGRAM, Server, scratch, wait_for};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Somebody at a terminal.
struct Terminal {
    child: Child,
    keys: File,
    screen: Arc<Mutex<Vec<u8>>>,
    /// What was looked at already.
    seen: usize,
    home: PathBuf,
}

impl Terminal {
    /// Starts the client with these words on a terminal that it controls, in a home of its own.
    fn start(words: &[&str]) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 40,
            ws_col: 160,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let side = || -> OwnedFd {
            rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap()
        };
        let home = scratch("home");
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(PROGRAM)
            .args(words)
            .env("HOME", &home)
            .env("TERM", "xterm")
            .env_remove("REDISCLI_HISTFILE")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        let keys = File::from(master);
        let mut reader = keys.try_clone().unwrap();
        let screen = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // Ends with EIO when the other side is gone.
            while let Ok(n) = reader.read(&mut chunk) {
                shown.lock().unwrap().extend_from_slice(&chunk[..n]);
            }
        });
        Terminal {
            child,
            keys,
            screen,
            seen: 0,
            home,
        }
    }

    fn at(server: &Server, words: &[&str]) -> Terminal {
        let port = server.port.to_string();
        let mut all = vec!["cli", "-p", &port];
        all.extend(words);
        Terminal::start(&all)
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for `text` behind what was seen already; returns all up to its end.
    fn expect(&mut self, text: &str) -> String {
        let mut found = None;
        let screen = Arc::clone(&self.screen);
        let seen = self.seen;
        let so_far = || String::from_utf8_lossy(&screen.lock().unwrap()[seen..]).into_owned();
        let begun = std::time::Instant::now();
        while found.is_none() {
            let now = so_far();
            found = now.find(text).map(|at| now[..at + text.len()].to_owned());
            assert!(
                begun.elapsed() < common::PATIENCE,
                "waited in vain for {text:?} in {now:?}"
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let found = found.unwrap();
        self.seen += found.len();
        found
    }

    /// Types a line and returns what came up to the next prompt.
    fn run(&mut self, line: &str, prompt: &str) -> String {
        self.press(&format!("{line}\r"));
        self.expect("\n");
        self.expect(prompt)
    }

    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the client's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[test]
fn prompts_follow_the_session_and_passwords_stay_out_of_the_history() {
    let server = Server::start("");
    let mut terminal = Terminal::at(&server, &[]);
    let prompt = format!("127.0.0.1:{}", server.port);
    let plain = format!("{prompt}> ");
    terminal.expect(&plain);
    assert!(terminal.run("set key value", &plain).contains("OK\r\n"));
    assert!(
        terminal
            .run("select 1", &format!("{prompt}[1]> "))
            .contains("OK")
    );
    assert!(
        terminal
            .run("multi", &format!("{prompt}[1](TX)> "))
            .contains("OK")
    );
    terminal.run("get key", &format!("{prompt}[1](TX)> "));
    assert!(
        terminal
            .run("exec", &format!("{prompt}[1]> "))
            .contains("1) (nil)")
    );
    assert!(
        terminal
            .run("config set requirepass a-secret", &format!("{prompt}[1]> "))
            .contains("OK")
    );
    assert!(
        terminal
            .run("auth a-secret", &format!("{prompt}[1]> "))
            .contains("OK")
    );
    terminal.run("select 0", &plain);
    // The line before comes back with the up key.
    terminal.press("\x1b[A");
    terminal.expect("select 0");
    terminal.press("\x15");
    assert!(terminal.run("help getrange", &plain).contains("GETRANGE"));
    terminal.press("quit\r");
    assert!(terminal.end().success());
    let history = std::fs::read_to_string(terminal.home.join(".dunlincli_history")).unwrap();
    assert!(
        history.contains("set key value") && history.contains("exec"),
        "{history}"
    );
    assert!(!history.contains("secret"), "{history}");
}

#[test]
fn hints_and_completion_come_from_the_command_table() {
    let server = Server::start("");
    let mut terminal = Terminal::at(&server, &[]);
    let plain = format!("127.0.0.1:{}> ", server.port);
    terminal.expect(&plain);
    terminal.press("getr");
    terminal.press("\t");
    terminal.expect("getrange");
    terminal.expect("key start end");
    terminal.press("\x15");
    terminal.run(":set nohints", &plain);
    terminal.press("lpush\x15");
    let shown = terminal.run("ping", &plain);
    assert!(!shown.contains("element"), "{shown}");
}

#[test]
fn hashes_and_scores_are_tables_unless_told_otherwise() {
    let server = Server::start("");
    let mut client = server.client();
    client.ask("hset h name Ada city London");
    client.ask("zadd z 1 one 22.5 two");
    let plain = format!("127.0.0.1:{}> ", server.port);
    let mut terminal = Terminal::at(&server, &[]);
    terminal.expect(&plain);
    let table = terminal.run("hgetall h", &plain);
    assert!(
        table.contains(" field │ value\r\n") && table.contains("(2 rows)"),
        "{table}"
    );
    let scores = terminal.run("zrange z 0 -1 withscores", &plain);
    assert!(scores.contains(" two    │  22.5\r\n"), "{scores}");
    terminal.run(":set table off", &plain);
    assert!(
        terminal
            .run("hgetall h", &plain)
            .contains("1) \"name\"\r\n2) \"Ada\"")
    );
    let mut terminal = Terminal::at(&server, &["--no-raw"]);
    terminal.expect(&plain);
    assert!(
        terminal
            .run("hgetall h", &plain)
            .contains("1) \"name\"\r\n2) \"Ada\"")
    );
}

#[test]
fn control_c_ends_a_wait_and_then_the_program() {
    let server = Server::start("");
    let plain = format!("127.0.0.1:{}> ", server.port);
    let mut terminal = Terminal::at(&server, &[]);
    terminal.expect(&plain);
    terminal.press("blpop nosuch 0\r");
    terminal.expect("\n");
    let mut client = server.client();
    wait_for("the command to wait", || {
        client.ask("info clients").contains("blocked_clients:1")
    });
    terminal.press("\x03");
    terminal.expect("\n");
    terminal.expect(&plain);
    assert!(terminal.run("ping", &plain).contains("PONG"));
    terminal.press("monitor\r");
    terminal.expect("\n");
    terminal.expect("OK");
    client.ask("echo seen");
    terminal.expect("\"echo\" \"seen\"");
    terminal.press("\x03");
    terminal.expect("\n");
    terminal.expect(&plain);
    // A line with something in it is dropped, an empty one ends.
    terminal.press("get something\x03");
    terminal.expect("\n");
    terminal.expect(&plain);
    terminal.press("\x03");
    assert!(terminal.end().success());
}

#[test]
fn messages_are_shown_while_nothing_is_typed() {
    let server = Server::start("");
    let prompt = format!("127.0.0.1:{}", server.port);
    let mut terminal = Terminal::at(&server, &[]);
    terminal.expect(&format!("{prompt}> "));
    terminal.press("subscribe news\r");
    terminal.expect("Reading messages...");
    server.client().ask("publish news hello");
    terminal.expect("3) \"hello\"");
    terminal.expect("Reading messages...");
    terminal.press(" ");
    terminal.expect(&format!("{prompt}(subscribed mode)> "));
    terminal.press("\x15unsubscribe news\r");
    terminal.expect("1) \"unsubscribe\"");
    terminal.expect("Reading messages...");
    terminal.press("\x03");
    terminal.expect(&format!("{prompt}> "));
}

#[test]
fn a_lost_connection_is_made_again() {
    let mut server = Server::start("");
    let plain = format!("127.0.0.1:{}> ", server.port);
    let mut terminal = Terminal::at(&server, &[]);
    terminal.expect(&plain);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    terminal.run("ping", "not connected> ");
    assert!(
        terminal
            .run("ping", "not connected> ")
            .contains("Connection refused")
    );
    server.child = Command::new(PROGRAM).arg(&server.config).spawn().unwrap();
    wait_for("the server's return", || {
        std::net::TcpStream::connect(("127.0.0.1", server.port)).is_ok()
    });
    assert!(terminal.run("ping", &plain).contains("PONG"));
}
