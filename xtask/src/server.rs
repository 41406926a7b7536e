//! Starts servers, ours or the peer's, each on a free port with a folder of its own, and looks at them through /proc.
//!
//! Invariant: a server that is started here is gone when its value is dropped.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::{Client, Reply};
use crate::process::{kill_group, output, terminate, wait_limited};
use crate::workspace;

/// How long a server may take until it answers PING.
const START_LIMIT_S: u64 = 20;
/// How long a server may take to stop before it is killed.
const STOP_LIMIT_S: u64 = 15;
/// Memory pages are this big on all machines that we measure on.
const PAGE_BYTES: u64 = 4096;

/// How to start a server.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// A name for people: `dunlin`, `redis-server`.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// `--key value` pairs beside those that make it quiet and local.
    pub(crate) arguments: Vec<String>,
    /// Cores in taskset's notation.
    pub(crate) cores: Option<String>,
    /// With a second port that speaks TLS.
    pub(crate) tls: bool,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    /// The port for the load, if that is to speak TLS.
    pub(crate) tls_port: Option<u16>,
    child: Child,
    log: PathBuf,
    /// Where its files are.
    dir: PathBuf,
}

impl Launch {
    /// A server with no more than its program.
    pub(crate) fn new(name: &str, program: &Path) -> Launch {
        Launch {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            cores: None,
            tls: false,
        }
    }

    /// The same with more `--key value` pairs.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Launch {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// The same on these cores.
    pub(crate) fn on(mut self, cores: &str) -> Launch {
        self.cores = Some(cores.to_owned());
        self
    }

    /// The same with a second port, which speaks TLS and which the load takes.
    pub(crate) fn over_tls(mut self) -> Launch {
        self.tls = true;
        self
    }

    /// Starts it without persistence, unless its arguments say otherwise, and waits until it answers.
    pub(crate) fn start(&self) -> Result<Server> {
        let port = free_port()?;
        let dir = workspace::empty_scratch(&format!("servers/{}-{port}", self.name))?;
        self.start_in(port, dir)
    }

    /// Starts it with the files of a server that has ended.
    pub(crate) fn start_again(&self, ended: &Server) -> Result<Server> {
        self.start_in(ended.port, ended.dir.clone())
    }

    fn start_in(&self, port: u16, dir: PathBuf) -> Result<Server> {
        let log = dir.join("log");
        let mut command = match &self.cores {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cores]).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        let file = fs::File::create(&log)?;
        let tls_port = self.tls.then(free_port).transpose()?;
        if let Some(tls_port) = tls_port {
            command.args(["--tls-port", &tls_port.to_string()]);
            command.args(tls_arguments()?);
        }
        command
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args(["--appendonly", "no", "--dir"])
            .arg(&dir)
            .args(&self.arguments)
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut server = Server {
            port,
            tls_port,
            child,
            log,
            dir,
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }
}

impl Server {
    fn wait_until_it_answers(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at once ({status}): {}", self.log_text());
            }
            let answer = Client::connect(self.port).and_then(|mut client| client.call(&[b"PING"]));
            match answer {
                Ok(Reply::Simple(text)) if text == "PONG" => return Ok(()),
                // An echo server sends the request back.
                Ok(Reply::Array(request)) if request == [Reply::Bulk(b"PING".to_vec())] => {
                    return Ok(());
                }
                _ => {}
            }
            if started.elapsed() > Duration::from_secs(START_LIMIT_S) {
                bail!("no PONG after {START_LIMIT_S} s: {}", self.log_text());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged.
    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A new connection to it.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.port)
    }

    /// CPU time of all its threads, in nanoseconds, from `/proc/<pid>/task/<tid>/schedstat`.
    pub(crate) fn cpu_ns(&self) -> Result<u64> {
        let mut sum = 0;
        for task in fs::read_dir(self.proc("task"))?.flatten() {
            // A thread may end between the listing and here; what it used is lost, which is little.
            if let Ok(text) = fs::read_to_string(task.path().join("schedstat")) {
                sum += text
                    .split_whitespace()
                    .next()
                    .unwrap_or("0")
                    .parse::<u64>()?;
            }
        }
        Ok(sum)
    }

    /// Resident memory in bytes.
    pub(crate) fn rss_bytes(&self) -> Result<u64> {
        let text = fs::read_to_string(self.proc("statm"))?;
        let pages = text
            .split_whitespace()
            .nth(1)
            .context("statm has no second field")?;
        Ok(pages.parse::<u64>()? * PAGE_BYTES)
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(self.proc("fd"))?.count())
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Sends SIGTERM and waits; None when it did not end within `limit`.
    pub(crate) fn terminate(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        terminate(&self.child)?;
        wait_limited(&mut self.child, limit)
    }

    /// Sends SIGTERM and does not wait.
    pub(crate) fn signal_term(&self) -> Result<()> {
        terminate(&self.child)
    }

    /// Waits for its end; None when it did not end within `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        wait_limited(&mut self.child, limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)))
            || matches!(
                self.terminate(Duration::from_secs(STOP_LIMIT_S)),
                Ok(Some(_))
            );
        if !ended {
            kill_group(&self.child);
            let _ = self.child.wait();
        }
    }
}

/// What a server needs for TLS: a certificate of its own, made once, which clients are not asked to trust.
fn tls_arguments() -> Result<[String; 8]> {
    let folder = workspace::scratch("servers")?;
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (key, certificate) = (file("tls.key"), file("tls.crt"));
    if !Path::new(&certificate).exists() {
        let make = format!(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout {key} -out {certificate}"
        );
        output(Command::new("openssl").args(make.split(' ')))?;
    }
    Ok([
        "--tls-key-file".to_owned(),
        key,
        "--tls-cert-file".to_owned(),
        certificate.clone(),
        "--tls-ca-cert-file".to_owned(),
        certificate,
        "--tls-auth-clients".to_owned(),
        "no".to_owned(),
    ])
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
