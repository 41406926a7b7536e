//! A running server for the tests that drive the binary, and a client of a few lines.
//!
//! Invariant: a server that was started is ended when its handle is dropped, and its directory removed.
#![allow(
    dead_code,
    reason = "each test is a crate of its own and uses a part of this"
)]

pub(crate) mod devices;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_dunlin");
/// Long enough for a loaded machine: nothing takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

/// A new directory, named for the test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory =
        std::env::temp_dir().join(format!("dunlin-{name}-{}-{next}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Asks until the answer is true.
pub(crate) fn wait_for(what: &str, mut check: impl FnMut() -> bool) {
    let since = Instant::now();
    while !check() {
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(10));
    }
}

pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
    pub(crate) directory: PathBuf,
    pub(crate) config: PathBuf,
}

impl Server {
    /// Starts a server on a free port with these lines in its file; it logs to `log` in its directory.
    pub(crate) fn start(lines: &str) -> Server {
        Server::start_in(lines, &[], &[])
    }

    pub(crate) fn start_in(
        lines: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Server {
        let directory = scratch("server");
        let port = free_port();
        let config = directory.join("redis.conf");
        let text = format!(
            "port {port}\ndir {}\nlogfile {}\nsave \"\"\nworkers 2\n{lines}\n",
            directory.display(),
            directory.join("log").display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new(PROGRAM)
            .arg(&config)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Server {
            child,
            port,
            directory,
            config,
        };
        wait_for("the server's first connection", || {
            assert!(
                server.child.try_wait().unwrap().is_none(),
                "{}",
                server.log()
            );
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        read(&self.directory.join("log"))
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the server's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A client that sends words and shows replies as text: errors with their `-`, lists in brackets.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream: BufReader::new(stream),
        })
    }

    /// Sends a line's words, each a bulk string; a word may be written as `''` to be empty.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        self.ask_words(&words)
    }

    pub(crate) fn ask_words(&mut self, words: &[&str]) -> String {
        self.try_ask(words).unwrap()
    }

    pub(crate) fn try_ask(&mut self, words: &[&str]) -> std::io::Result<String> {
        self.send(words)?;
        self.reply()
    }

    /// Sends a request whose reply is read later.
    pub(crate) fn send(&mut self, words: &[&str]) -> std::io::Result<()> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            let word = if *word == "''" { "" } else { word };
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())
    }

    pub(crate) fn reply(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at(1);
        Ok(match kind {
            "$" | "*" if rest == "-1" => "nil".to_owned(),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                String::from_utf8_lossy(&bytes).into_owned()
            }
            "*" => {
                let mut items = Vec::new();
                for _ in 0..rest.parse::<usize>().unwrap() {
                    items.push(self.reply()?);
                }
                format!("[{}]", items.join(" "))
            }
            "-" => line.to_owned(),
            _ => rest.to_owned(),
        })
    }
}
