//! A connection's TLS: rustls between the reactor and its handler.
//!
//! Invariant: rustls holds no plain bytes and no records to be sent between two calls, but for the beginning of a record that has not
//! come as a whole (at most 18 KiB; 64 KiB during the handshake). What is received is decoded at once, what is sent is coded
//! only when the reactor is about to send it.

use std::io::{self, BufRead, ErrorKind, IoSlice, Write};
use std::ops::DerefMut;

use dunlin_reactor::{Buffer, Layer, LayerState, Rope};
use rustls::{ClientConnection, ConnectionCommon, ServerConnection};

/// Pieces of output that become one record.
const SLICES_MAX: usize = 16;

/// The first byte of every handshake.
const HANDSHAKE_RECORD: u8 = 22;

/// A session of either side.
pub(crate) trait Session: DerefMut<Target = ConnectionCommon<Self::Side>> + Send {
    type Side;
    /// Whether it begins the handshake.
    const BEGINS: bool;
}

impl Session for ServerConnection {
    type Side = rustls::server::ServerConnectionData;
    const BEGINS: bool = false;
}

impl Session for ClientConnection {
    type Side = rustls::client::ClientConnectionData;
    const BEGINS: bool = true;
}

pub(crate) struct SessionLayer<S> {
    session: S,
    /// Something was received.
    began: bool,
}

impl<S: Session> SessionLayer<S> {
    pub(crate) fn new(session: S) -> SessionLayer<S> {
        SessionLayer {
            session,
            began: false,
        }
    }

    fn take_plain(&mut self, plain: &mut Buffer) {
        let mut reader = self.session.reader();
        // An error says that there is no more, for now or for ever.
        while let Ok(chunk) = reader.fill_buf() {
            let n = chunk.len();
            if n == 0 {
                return;
            }
            plain.append(chunk);
            reader.consume(n);
        }
    }
}

impl<S: Session> Layer for SessionLayer<S> {
    fn speaks_first(&self) -> bool {
        S::BEGINS
    }

    fn receive(&mut self, mut wire: &[u8], plain: &mut Buffer) -> io::Result<LayerState> {
        if !std::mem::replace(&mut self.began, true) && wire.first() != Some(&HANDSHAKE_RECORD) {
            let peer = if S::BEGINS { "server" } else { "client" };
            return Err(invalid(format!("the {peer} does not speak TLS")));
        }
        let mut ended = false;
        while !wire.is_empty() && !ended {
            self.session.read_tls(&mut wire)?;
            let state = self.session.process_new_packets().map_err(invalid)?;
            if state.plaintext_bytes_to_read() > 0 {
                self.take_plain(plain);
            }
            ended = state.peer_has_closed();
        }
        Ok(LayerState {
            established: !self.session.is_handshaking(),
            ended,
            speaks: self.session.wants_write(),
        })
    }

    fn send(
        &mut self,
        plain: &mut Rope,
        bytes_max: usize,
        wire: &mut Vec<u8>,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) {
        if bytes_max > 0 && !plain.is_empty() {
            let mut slices: [IoSlice<'_>; SLICES_MAX] = std::array::from_fn(|_| IoSlice::new(&[]));
            let filled = plain.slices_within(bytes_max, &mut slices);
            // It takes all of it: nothing of earlier calls waits inside.
            let taken = self.session.writer().write_vectored(&slices[..filled]);
            plain.advance_recycling(taken.unwrap_or(0), recycle);
        }
        while self.session.wants_write() {
            // A vector takes everything.
            if self.session.write_tls(wire).is_err() {
                return;
            }
        }
    }

    fn close(&mut self) {
        self.session.send_close_notify();
    }
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}
