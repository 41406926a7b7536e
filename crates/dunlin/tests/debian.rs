//! Debian's redis.conf and its systemd unit, unchanged, with this binary in the place of redis-server.
//!
//! The files are those of the package as apt has it, unpacked into a scratch directory: nothing is installed, and nothing of
//! the package is in this repository. The system's directories that they name are stood in for in a mount namespace, and the
//! unit's filter of system calls by one of the same kind. Where apt cannot download or namespaces are forbidden there is
//! nothing to test, which is said.

mod common;

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Client, PATIENCE, PROGRAM, free_port, read, scratch, wait_for};

/// A package and the directories that its files name.
struct Stage {
    root: PathBuf,
    config: String,
    unit: String,
}

impl Stage {
    /// `None` where there is nothing to test with.
    fn set() -> Option<Stage> {
        let root = scratch("debian");
        let downloaded = Command::new("apt-get")
            .args(["download", "-qq", "redis-server"])
            .current_dir(&root)
            .stderr(Stdio::null())
            .status();
        if !downloaded.is_ok_and(|status| status.success()) {
            eprintln!("left out: apt-get cannot download redis-server here");
            return None;
        }
        let packages = std::fs::read_dir(&root).unwrap().map(|e| e.unwrap().path());
        let package = packages.into_iter().next().expect("what was downloaded");
        let unpacked = root.join("package");
        let mut unpack = Command::new("dpkg");
        unpack.arg("-x").args([&package, &unpacked]);
        assert!(unpack.status().unwrap().success());
        std::os::unix::fs::symlink(PROGRAM, root.join("redis-server")).unwrap();
        for name in ["var-lib", "var-log", "run"] {
            std::fs::create_dir_all(root.join(name).join("redis")).unwrap();
        }
        let stage = Stage {
            config: path_text(&unpacked.join("etc/redis/redis.conf")),
            unit: read(&unpacked.join("lib/systemd/system/redis-server.service")),
            root,
        };
        let trial = stage.command(&[]).arg("true").status();
        if !trial.is_ok_and(|status| status.success()) {
            eprintln!("left out: no mount namespaces here");
            return None;
        }
        Some(stage)
    }

    /// Runs what follows with the stage's directories in the place of the system's.
    fn command(&self, wrapper: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = "set -e; mount --bind \"$0/var-lib\" /var/lib; mount --bind \"$0/var-log\" /var/log; \
                      mount --bind \"$0/run\" /run; exec \"$@\"";
        command
            .args(["--mount", "sh", "-c", script])
            .arg(&self.root);
        command.args(wrapper).stdin(Stdio::null());
        command
    }

    fn log(&self) -> String {
        read(&self.root.join("var-log/redis/redis-server.log"))
    }

    fn pid_file(&self) -> PathBuf {
        self.root.join("run/redis/redis-server.pid")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Works with the server and ends it.
fn use_and_stop(port: u16) {
    let mut client = Client::connect(([127, 0, 0, 1], port).into()).unwrap();
    assert_eq!(client.ask("SET k v"), "OK");
    // Freed by a thread of its own.
    for element in 0..3_000 {
        client.ask(&format!("SADD big element-{element}"));
    }
    assert_eq!(client.ask("DEL big"), "1");
    assert_eq!(client.ask("CONFIG GET dir"), "[dir /var/lib/redis]");
    client.try_ask(&["SHUTDOWN", "NOSAVE"]).unwrap_err();
}

fn is_up(port: u16) -> bool {
    Client::connect(([127, 0, 0, 1], port).into()).is_ok()
}

#[test]
fn the_configuration_starts_in_the_background() {
    let Some(stage) = Stage::set() else { return };
    let port = free_port();
    let started = stage
        .command(&[])
        .arg(stage.root.join("redis-server"))
        .args([&stage.config, "--port", &port.to_string()])
        .output()
        .unwrap();
    assert!(started.status.success(), "{started:?}");
    wait_for("the server", || is_up(port));
    wait_for("the pid file", || read(&stage.pid_file()).ends_with('\n'));
    let pid = read(&stage.pid_file()).trim().to_owned();
    assert_eq!(read(format!("/proc/{pid}/comm").as_ref()), "redis-server\n");
    use_and_stop(port);
    wait_for("the end", || !stage.pid_file().exists());
    let log = stage.log();
    assert!(log.contains("ready to exit, bye bye"), "{log}");
}

/// Kills the process at a system call of systemd's sets @resources and @privileged, as the unit's SystemCallFilter does.
/// The numbers are those of x86-64.
const FILTER: &str = "
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
forbidden = [141, 251, 237, 256, 279, 203, 314, 142, 144, 238, 160, 92, 93, 94, 260, 161, 163, 321, 126, 105, 106, 116,
             117, 119, 113, 114, 122, 123, 164, 159, 227, 305, 300, 301, 304, 155, 179, 167, 169, 175, 172, 173, 153, 170, 171]
rules = struct.pack('HBBI', 0x20, 0, 0, 0)
for number in forbidden:
    rules += struct.pack('HBBI', 0x15, 0, 1, number) + struct.pack('HBBI', 0x06, 0, 0, 0x80000000)
rules += struct.pack('HBBI', 0x06, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(rules, len(rules))
program = struct.pack('HxxxxxxP', len(rules) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(program, len(program)), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn the_unit_starts_it_supervised() {
    let Some(stage) = Stage::set() else { return };
    let directive = |name: &str| {
        let line = stage.unit.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {}", stage.unit))
    };
    assert_eq!(directive("Type="), "notify");
    let mut words = directive("ExecStart=").split(' ');
    assert_eq!(words.next(), Some("/usr/bin/redis-server"));
    let port = free_port().to_string();
    let mut arguments: Vec<&str> = words.collect();
    assert_eq!(arguments[0], "/etc/redis/redis.conf");
    arguments[0] = &stage.config;
    arguments.extend(["--port", &port]);

    let python = Command::new("python3").arg("--version").output().is_ok();
    let wrapper: &[&str] = if cfg!(target_arch = "x86_64") && python {
        &["python3", "-c", FILTER]
    } else {
        eprintln!("without a filter of system calls: no python3, or another machine");
        &[]
    };
    let socket_path = stage.root.join("notify");
    let socket = UnixDatagram::bind(&socket_path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut child: Child = stage
        .command(wrapper)
        .arg(stage.root.join("redis-server"))
        .args(&arguments)
        .env("NOTIFY_SOCKET", &socket_path)
        // As systemd sets it.
        .env("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
        .spawn()
        .unwrap();
    let mut heard = [0; 200];
    let ready = socket
        .recv(&mut heard)
        .map(|length| heard[..length].to_vec());
    let ready = ready.unwrap_or_else(|error| panic!("{error}: {}", stage.log()));
    assert!(ready.windows(8).any(|part| part == b"READY=1\n"));
    // Type=notify: the process that was started is the server.
    assert_eq!(read(&stage.pid_file()), format!("{}\n", child.id()));
    use_and_stop(port.parse().unwrap());
    let status = child.wait().unwrap();
    assert!(status.success(), "{status:?} {}", stage.log());
}
