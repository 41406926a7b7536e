//! A gateway as a process, and devices on plain sockets.
//!
//! Invariant: a gateway that was started is ended when its handle is dropped.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use dunlin_frame::{AckResult, Codec, Decoded, Id, Packet};

use super::{PATIENCE, PROGRAM, Server, free_port, read, scratch, wait_for};

/// A running `dunlin gateway`.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) port: u16,
    directory: PathBuf,
}

impl Gateway {
    /// Starts one on a free port for the store at this port.
    pub(crate) fn start(store: u16, options: &[&str]) -> Gateway {
        Gateway::start_on(free_port(), store, options)
    }

    pub(crate) fn start_on(port: u16, store: u16, options: &[&str]) -> Gateway {
        wait_until_free(port);
        let directory = scratch("gateway");
        let child = Command::new(PROGRAM)
            .args(["gateway", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--store", &format!("127.0.0.1:{store}")])
            .arg("--logfile")
            .arg(directory.join("log"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut gateway = Gateway {
            child,
            port,
            directory,
        };
        wait_for("the gateway to listen", || {
            let ended = gateway.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", gateway.log());
            gateway.log().contains("Gateway listening")
        });
        gateway
    }

    pub(crate) fn log(&self) -> String {
        read(&self.directory.join("log"))
    }

    /// Without a word.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        signal(self.child.id(), "TERM");
        let mut status = None;
        wait_for("the gateway's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// What was killed with io_uring holds its ports for some milliseconds more.
pub(crate) fn wait_until_free(port: u16) {
    wait_for("the port to be free", || {
        TcpListener::bind(("127.0.0.1", port)).is_ok()
    });
}

/// Starts a server anew that has ended or was killed.
pub(crate) fn restart(server: &mut Server, frame_port: Option<u16>) {
    let ports = frame_port.into_iter().chain([server.port]);
    ports.for_each(wait_until_free);
    server.child = Command::new(PROGRAM)
        .arg(&server.config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the server to be back", || {
        TcpStream::connect(("127.0.0.1", server.port)).is_ok()
    });
}

pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

pub(crate) fn id(number: u32) -> Id {
    Id::new(number).unwrap()
}

/// What a device has heard.
pub(crate) type Ack = (&'static str, u32, bool);

/// A device.
pub(crate) struct Device {
    pub(crate) stream: TcpStream,
    codec: Codec,
    input: Vec<u8>,
}

impl Device {
    pub(crate) fn connect(port: u16) -> Device {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Device {
            stream,
            codec: Codec::default(),
            input: Vec::new(),
        }
    }

    /// Connects and introduces itself.
    pub(crate) fn with_token(port: u16, token: &str) -> Device {
        let mut device = Device::connect(port);
        device.send(&Packet::Conn {
            id: id(0),
            payload: token.as_bytes(),
        });
        assert_eq!(device.ack(), Some(("ConnAck", 0, true)));
        device
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    pub(crate) fn send(&mut self, packet: &Packet<'_>) {
        let mut out = Vec::new();
        Codec::default().encode(packet, &mut out).unwrap();
        self.stream.write_all(&out).unwrap();
    }

    pub(crate) fn submit(&mut self, number: u32, payload: &str) {
        let payload = payload.as_bytes();
        let id = id(number);
        self.send(&Packet::Submit { id, payload });
    }

    /// The next ack: its kind, its number, whether all is well; `None` at the end.
    pub(crate) fn ack(&mut self) -> Option<Ack> {
        loop {
            match self.codec.decode(&self.input).unwrap() {
                Decoded::Packet { packet, end } => {
                    let ok = match packet {
                        Packet::ConnAck { result, .. } | Packet::SubmitAck { result, .. } => {
                            result == AckResult::Ok
                        }
                        other => panic!("{other:?} from a gateway"),
                    };
                    let ack = (packet.name(), packet.id().number(), ok);
                    self.input.drain(..end);
                    return Some(ack);
                }
                Decoded::NeedMore { .. } => {
                    if !self.read_some() {
                        assert!(self.input.is_empty(), "it ended within an ack");
                        return None;
                    }
                }
            }
        }
    }

    /// Submits and waits for the ack; whether it was kept.
    pub(crate) fn ask(&mut self, number: u32, payload: &str) -> bool {
        self.submit(number, payload);
        let Some(("SubmitAck", of, ok)) = self.ack() else {
            panic!("no ack for {number}")
        };
        assert_eq!(of, number);
        ok
    }

    /// Everything until the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read_some() {}
        std::mem::take(&mut self.input)
    }

    fn read_some(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                self.input.extend_from_slice(&chunk[..n]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }
}
