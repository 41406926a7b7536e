//! Servers for the tests: a scripted one on the loopback, which does what no sound server does, and a genuine redis-server.
//!
//! Invariant: what was started ends with its handle.
#![allow(
    dead_code,
    reason = "each test is a crate of its own and uses a part of this"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dunlin_client::{Options, RetryLimits};

/// Long enough for a loaded machine: nothing takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A number from the environment.
pub(crate) fn setting(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// Asks until the answer is true.
pub(crate) fn wait_for(what: &str, mut check: impl FnMut() -> bool) {
    let since = Instant::now();
    while !check() {
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One connection of the scripted server.
pub(crate) struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
    /// 0 for the first connection.
    pub(crate) number: usize,
    log: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// The next request as words, or `None` when the client is gone. Greetings are answered, and not shown.
    pub(crate) fn request(&mut self) -> Option<String> {
        loop {
            let words = self.words()?;
            self.log.lock().unwrap().push(words.join(" "));
            match words[0].as_str() {
                "HELLO" => self.send("%1\r\n$5\r\nproto\r\n:3\r\n"),
                "SELECT" | "AUTH" | "READONLY" => self.send("+OK\r\n"),
                "CLIENT" if words.get(1).is_some_and(|w| w == "SETNAME") => self.send("+OK\r\n"),
                _ => return Some(words.join(" ")),
            }
        }
    }

    /// The next request, whatever it is.
    pub(crate) fn words(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some((words, len)) = parse(&self.input) {
                self.input.drain(..len);
                return Some(words);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
            }
        }
    }

    /// Reads at least so many bytes, whatever they are.
    pub(crate) fn take(&mut self, bytes: usize) {
        // Behind the greeting.
        self.words();
        self.send("%1\r\n$5\r\nproto\r\n:3\r\n");
        let mut taken = self.input.len();
        let mut chunk = [0; 4096];
        while taken < bytes {
            match self.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(n) => taken += n,
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        let _ = self.stream.write_all(bytes.as_bytes());
    }

    /// Answers each request with its last word, until the client is gone.
    pub(crate) fn echo(&mut self) {
        while let Some(request) = self.request() {
            self.answer(&request);
        }
    }

    pub(crate) fn answer(&mut self, request: &str) {
        let last = request.rsplit(' ').next().unwrap_or_default();
        self.send(&format!("${}\r\n{last}\r\n", last.len()));
    }

    /// Closes with a reset, as a process that is killed does.
    pub(crate) fn reset(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn parse(input: &[u8]) -> Option<(Vec<String>, usize)> {
    let line = |at: usize| -> Option<(usize, usize)> {
        let end = at + input[at..].windows(2).position(|pair| pair == b"\r\n")?;
        let number = std::str::from_utf8(&input[at + 1..end]).ok()?;
        Some((number.parse().ok()?, end + 2))
    };
    if input.is_empty() {
        return None;
    }
    let (count, mut at) = line(0)?;
    let mut words = Vec::new();
    for _ in 0..count {
        if at >= input.len() {
            return None;
        }
        let (len, start) = line(at)?;
        let word = input.get(start..start + len)?;
        input.get(start + len + 1)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        at = start + len + 2;
    }
    Some((words, at))
}

/// A server that does what the script says.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    /// All requests so far, greetings included.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    pub(crate) fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Fake::on(listener, script)
    }

    pub(crate) fn on(
        listener: TcpListener,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Fake {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let log = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (count, lines, stopped) = (connections.clone(), log.clone(), stop.clone());
        let script = Arc::new(script);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut peer = Peer {
                    stream,
                    input: Vec::new(),
                    number: count.fetch_add(1, Ordering::SeqCst),
                    log: lines.clone(),
                };
                let script = script.clone();
                thread::spawn(move || script(&mut peer));
            }
        });
        Fake {
            address,
            connections,
            log,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn options(&self) -> Options {
        quick(format!("redis://{}", self.address).parse().unwrap())
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Comes back at once.
pub(crate) fn quick(options: Options) -> Options {
    options.retry(RetryLimits {
        quick_wait_ms: 2,
        wait_ms: 20,
        wait_max_ms: 40,
        ..RetryLimits::default()
    })
}

/// A port that nobody has, from below those that the system hands out to clients, and from another place in each process.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::SeqCst);
        let port = 10_000 + (std::process::id() as usize * 32 + next) % 20_000;
        if TcpListener::bind(("127.0.0.1", port as u16)).is_ok() {
            return port as u16;
        }
    }
}

/// A genuine redis-server: Debian's redis-tools brings it under the name redis-check-rdb; `DUNLIN_GENUINE` names another.
pub(crate) struct Genuine {
    child: Child,
    pub(crate) port: u16,
    arguments: Vec<String>,
}

impl Genuine {
    /// `None`, with the reason printed, where there is no such program and none is required (`DUNLIN_REQUIRE_PEERS`).
    pub(crate) fn start(arguments: &[&str]) -> Option<Genuine> {
        let port = free_port();
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        match spawn(port, &arguments) {
            Ok(child) => {
                let genuine = Genuine {
                    child,
                    port,
                    arguments,
                };
                genuine.wait();
                Some(genuine)
            }
            Err(why) => {
                let required = std::env::var_os("DUNLIN_REQUIRE_PEERS").is_some();
                assert!(!required, "no genuine redis-server ({why})");
                eprintln!("skipped: no genuine redis-server here ({why})");
                None
            }
        }
    }

    fn wait(&self) {
        wait_for("the genuine server", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// Kills it as kill -9 does, and starts another one on the same port.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.arguments).unwrap();
        self.wait();
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn options(&self) -> Options {
        quick(format!("redis://127.0.0.1:{}", self.port).parse().unwrap())
    }
}

fn spawn(port: u16, arguments: &[String]) -> std::io::Result<Child> {
    let program = std::env::var("DUNLIN_GENUINE").unwrap_or("redis-check-rdb".into());
    Command::new(program)
        .arg0("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

impl Drop for Genuine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a future on this thread, with nothing but the standard library.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}
