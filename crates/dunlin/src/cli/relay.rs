//! TLS for a program that wants a plain descriptor: a thread that stands between a connection and one end of a pair of sockets.
//!
//! Invariant: bytes wait here only until the side that they go to takes them, at most one record of either direction; then that direction is
//! read no more.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;

use dunlin_tls::ClientSession;
use rustix::event::{PollFd, PollFlags, poll};

/// Plain bytes taken at once: what one record holds.
const CHUNK_BYTES: usize = 16 * 1024;

/// Ends the handshake, then passes bytes on until one side is gone.
pub(crate) fn start(mut session: ClientSession, mut tcp: TcpStream) -> io::Result<UnixStream> {
    while session.is_handshaking() {
        session.complete_io(&mut tcp)?;
    }
    let (inside, outside) = UnixStream::pair()?;
    tcp.set_nonblocking(true)?;
    inside.set_nonblocking(true)?;
    let mut relay = Relay {
        session,
        tcp,
        plain: inside,
        decoded: Vec::new(),
        plain_ended: false,
        tcp_ended: false,
    };
    thread::Builder::new().name("tls".into()).spawn(move || {
        // Whatever it was: the other end sees that the connection is gone.
        let _ = relay.run();
    })?;
    Ok(outside)
}

struct Relay {
    session: ClientSession,
    tcp: TcpStream,
    plain: UnixStream,
    /// On their way to `plain`.
    decoded: Vec<u8>,
    plain_ended: bool,
    tcp_ended: bool,
}

impl Relay {
    fn run(&mut self) -> io::Result<()> {
        loop {
            self.send_coded()?;
            self.send_plain()?;
            if self.tcp_ended && self.decoded.is_empty() {
                return Ok(());
            }
            self.wait()?;
        }
    }

    /// Sleeps until something can be done. A side that nothing is wanted of is not looked at: its end would be told over and over.
    fn wait(&mut self) -> io::Result<()> {
        let sends = self.session.wants_write();
        let fills = !self.decoded.is_empty();
        let flags = |reads: bool, writes: bool| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, reads);
            flags.set(PollFlags::OUT, writes);
            flags
        };
        let tcp = flags(!self.tcp_ended && !fills, sends);
        let plain = flags(!self.plain_ended && !sends, fills);
        let mut descriptors = Vec::with_capacity(2);
        let mut sides = Vec::with_capacity(2);
        if !tcp.is_empty() {
            descriptors.push(PollFd::new(&self.tcp, tcp));
            sides.push((true, tcp));
        }
        if !plain.is_empty() {
            descriptors.push(PollFd::new(&self.plain, plain));
            sides.push((false, plain));
        }
        match poll(&mut descriptors, None) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            outcome => outcome?,
        };
        let ready: Vec<bool> = descriptors
            .iter()
            .map(|descriptor| !descriptor.revents().is_empty())
            .collect();
        for ((is_tcp, wanted), ready) in sides.into_iter().zip(ready) {
            // Reading tells what is the matter with a side that has failed.
            match (is_tcp, ready && wanted.contains(PollFlags::IN)) {
                (true, true) => self.receive_coded()?,
                (false, true) => self.receive_plain()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn receive_coded(&mut self) -> io::Result<()> {
        match unless_blocked(self.session.read_tls(&mut self.tcp))? {
            None => return Ok(()),
            Some(0) => self.tcp_ended = true,
            Some(_) => {}
        }
        let state = self.session.process_new_packets().map_err(io::Error::other);
        if state.is_err() {
            // The peer is told why.
            let _ = self.send_coded();
        }
        let state = state?;
        self.tcp_ended |= state.peer_has_closed();
        let waiting = state.plaintext_bytes_to_read();
        self.decoded.resize(waiting, 0);
        self.session.reader().read_exact(&mut self.decoded)
    }

    fn receive_plain(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK_BYTES];
        match unless_blocked(self.plain.read(&mut chunk))? {
            None => {}
            Some(0) => {
                self.plain_ended = true;
                self.session.send_close_notify();
            }
            Some(n) => self.session.writer().write_all(&chunk[..n])?,
        }
        Ok(())
    }

    fn send_coded(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            if unless_blocked(self.session.write_tls(&mut self.tcp))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn send_plain(&mut self) -> io::Result<()> {
        while !self.decoded.is_empty() {
            match unless_blocked(self.plain.write(&self.decoded))? {
                None => break,
                Some(n) => drop(self.decoded.drain(..n)),
            }
        }
        Ok(())
    }
}

fn unless_blocked(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(n) => Ok(Some(n)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
