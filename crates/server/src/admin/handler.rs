//! The handler of the admin thread's loop: bytes to requests, requests to routes, responses to bytes.
//!
//! Invariant: the requests of a connection are answered in their order, one in each turn, so a long pipeline of one keeps nobody else
//! waiting and its answers pile up no higher than [`OUTPUT_SOFT_BYTES`] and one more. Whoever is refused is told why, and closed.

use std::sync::Arc;

use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Limits, Peer, Rope};

use super::call::Call;
use super::connection::{BODY_MS, Connection, HEAD_MS, IDLE_MS, Link, Pending, Phase, WRITE_MS};
use super::guard::{Guard, Keeper};
use super::http::{
    BODY_BYTES_MAX, Decoded, HEAD_BYTES_MAX, Method, Refusal, Request, Response, Sent, Waiting,
    decode,
};
use super::lane::{Dialer, Lane};
use super::routes::{self, Context, Serve};
use crate::shared::Shared;

/// Connections served at once; those beyond are told to come back.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// Answers that a client has not taken, bytes, at which its next requests wait.
const OUTPUT_SOFT_BYTES: usize = 256 << 10;
/// What may be received ahead of the request that is being read.
const INPUT_SLACK_BYTES: usize = 64 << 10;

/// The limits of the admin thread's loop.
pub(super) fn limits() -> Limits {
    Limits {
        input_bytes_max: HEAD_BYTES_MAX + BODY_BYTES_MAX + INPUT_SLACK_BYTES,
        output_soft_bytes: OUTPUT_SOFT_BYTES,
        ..Limits::default()
    }
}

/// See the module's text.
pub(super) struct Admin {
    shared: Arc<Shared>,
    keeper: Keeper,
    pub(super) dialer: Dialer,
    connections: Vec<Option<Side>>,
    /// HTTP connections.
    open: usize,
}

/// A connection of the loop.
pub(super) enum Side {
    Http(Box<Connection>),
    Lane(Box<Lane>),
}

/// What a request leads to.
enum Answer {
    Now(Response),
    Call(Call),
}

impl Admin {
    pub(super) fn new(shared: Arc<Shared>, keeper: Keeper, dialer: Dialer) -> Admin {
        Admin {
            shared,
            keeper,
            dialer,
            connections: Vec::new(),
            open: 0,
        }
    }

    pub(super) fn connection(&mut self, conn: ConnId) -> Option<&mut Connection> {
        match self.connections.get_mut(conn.index()) {
            Some(Some(Side::Http(connection))) if connection.id == conn => Some(connection),
            _ => None,
        }
    }

    pub(super) fn lane(&mut self, conn: ConnId) -> Option<&mut Lane> {
        match self.connections.get_mut(conn.index()) {
            Some(Some(Side::Lane(lane))) if lane.id == conn => Some(lane),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, conn: ConnId, side: Side) {
        if self.connections.len() <= conn.index() {
            self.connections.resize_with(conn.index() + 1, || None);
        }
        self.connections[conn.index()] = Some(side);
    }

    /// Serves the first request of an input, if it is whole.
    fn read(&mut self, io: &mut Io<'_>, input: &mut Input) {
        let conn = input.conn();
        let all = input.bytes().len();
        let phase = self.connection(conn).map(|c| c.phase);
        if phase == Some(Phase::Calling) {
            // It is paused, and shown again behind the reply.
            return;
        }
        let is_closing = phase.is_none_or(|phase| phase == Phase::Closing);
        if is_closing {
            return input.consume(all);
        }
        let taken = match decode(input.bytes()) {
            Ok(Decoded::Whole(request, taken)) => {
                self.serve(io, conn, &request);
                taken
            }
            Ok(Decoded::Partial(_)) if all == 0 => 0,
            Ok(Decoded::Partial(_)) if input.is_eof() => {
                self.refuse(io, conn, 400, "the connection ended within a request");
                all
            }
            Ok(Decoded::Partial(waiting)) => {
                self.wait(io, conn, waiting);
                if let Waiting::Body { missing, .. } = waiting {
                    input.expect(missing);
                }
                0
            }
            Err(Refusal { status, reason }) => {
                self.refuse(io, conn, status, reason);
                all
            }
        };
        input.consume(taken);
        if taken > 0 && taken < all {
            self.go_on(io, conn);
        }
    }

    /// More of a pipeline is there: it is shown in the next turn, or when the client has taken its answers.
    fn go_on(&mut self, io: &mut Io<'_>, conn: ConnId) {
        if self
            .connection(conn)
            .is_none_or(|c| c.phase == Phase::Calling)
        {
            // The reply to the command comes first.
        } else if io.output_len(conn) > OUTPUT_SOFT_BYTES {
            // `drained` shows the rest.
            io.pause_input(conn);
        } else {
            io.resume_input(conn);
        }
    }

    /// A request is there in part.
    fn wait(&mut self, io: &mut Io<'_>, conn: ConnId, waiting: Waiting) {
        let now_ms = io.now_ms();
        let Some(connection) = self.connection(conn) else {
            return;
        };
        let (phase, deadline_ms) = match waiting {
            Waiting::Head => (Phase::Head, HEAD_MS),
            Waiting::Body { .. } => (Phase::Body, BODY_MS),
        };
        if connection.phase != phase {
            connection.phase = phase;
            io.set_read_deadline(conn, Some(now_ms + deadline_ms));
        }
        if let Waiting::Body {
            wants_continue: true,
            ..
        } = waiting
            && !std::mem::replace(&mut connection.continued, true)
        {
            let mut out = Rope::with_buffer(io.buffer());
            out.tail()
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            io.send(conn, &mut out);
        }
    }

    fn serve(&mut self, io: &mut Io<'_>, conn: ConnId, request: &Request<'_>) {
        let keep_alive = request.keep_alive;
        match self.answer(io, request) {
            Ok(Answer::Now(response)) => {
                self.send(io, conn, &response, request.method, keep_alive);
            }
            Ok(Answer::Call(call)) => self.call(io, conn, Pending { call, keep_alive }),
            Err(refusal) => self.send(io, conn, &refusal, request.method, false),
        }
    }

    /// The answer to a request; an error is one behind which the connection is closed.
    fn answer(&mut self, io: &mut Io<'_>, request: &Request<'_>) -> Result<Answer, Response> {
        let needs_login = self.shared.engine.users.password_required();
        let route = routes::find(request.path);
        // Who may not ask for anything is not told either what there is not.
        let guard = route.map_or(Guard::Figures, |route| route.guard);
        self.keeper.check(guard, request, needs_login)?;
        let Some(route) = route else {
            let text = "there is nothing here: docs/admin.md lists what there is";
            return Ok(Answer::Now(Response::error(404, text)));
        };
        let context = Context {
            shared: &self.shared,
            wall_us: io.clock().wall_us(),
            now_ms: io.now_ms(),
        };
        Ok(match (route.serve, request.method) {
            (Serve::Get(page), Method::Get | Method::Head) => Answer::Now(page(&context, request)),
            (Serve::Post(read), Method::Post) | (Serve::Ask(read), Method::Get) => {
                match read(&context, request) {
                    Ok(call) => Answer::Call(call),
                    Err(refusal) => Answer::Now(refusal),
                }
            }
            (serve, _) => {
                let text = format!("this is for {}", serve.methods());
                Answer::Now(Response::error(405, text).with("Allow", serve.methods()))
            }
        })
    }

    /// The HTTP connections that wait for the reply to a command.
    pub(super) fn callers(&self) -> Vec<ConnId> {
        let sides = self.connections.iter().flatten();
        let caller = |side: &Side| match side {
            Side::Http(connection) if connection.pending.is_some() => Some(connection.id),
            _ => None,
        };
        sides.filter_map(caller).collect()
    }

    /// Answers what is no request, and closes.
    pub(super) fn refuse(&mut self, io: &mut Io<'_>, conn: ConnId, status: u16, reason: &str) {
        tracing::debug!("admin: refused with {status}: {reason}");
        self.send(
            io,
            conn,
            &Response::error(status, reason),
            Method::Other,
            false,
        );
    }

    pub(super) fn send(
        &mut self,
        io: &mut Io<'_>,
        conn: ConnId,
        response: &Response,
        method: Method,
        keep_alive: bool,
    ) {
        let keep_alive = keep_alive && !io.is_stopping();
        let now_ms = io.now_ms();
        let sent = Sent {
            head_only: method == Method::Head,
            closes: !keep_alive,
            now_s: io.clock().wall_us() / 1_000_000,
        };
        let mut out = Rope::with_buffer(io.buffer());
        response.write(out.tail(), sent);
        io.send(conn, &mut out);
        io.set_write_deadline(conn, Some(now_ms + WRITE_MS));
        let Some(connection) = self.connection(conn) else {
            return;
        };
        connection.continued = false;
        if keep_alive {
            connection.phase = Phase::Idle;
            io.set_read_deadline(conn, Some(now_ms + IDLE_MS));
        } else {
            connection.phase = Phase::Closing;
            io.close_after_flush(conn);
        }
    }
}

impl Handler for Admin {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, peer: &Peer) {
        if peer.adopted {
            return self.lane_opened(io, conn, peer.tag);
        }
        self.open += 1;
        self.put(conn, Side::Http(Box::new(Connection::new(conn))));
        let first_ms = io.now_ms() + HEAD_MS;
        io.set_read_deadline(conn, Some(first_ms));
        if self.open > CONNECTIONS_MAX {
            self.refuse(
                io,
                conn,
                503,
                "too many connections to admin-port: close some",
            );
        }
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            if self.lane(input.conn()).is_some() {
                self.hear(io, input);
            } else {
                self.read(io, input);
            }
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, _: CloseReason) {
        let is_known = self.connection(conn).is_some() || self.lane(conn).is_some();
        if !is_known {
            return;
        }
        match self.connections[conn.index()].take() {
            Some(Side::Http(connection)) => {
                self.open -= 1;
                match connection.lane {
                    Link::None => {}
                    Link::Opening => self.dialer.forget(conn),
                    Link::Open(lane) => io.close(lane),
                }
            }
            Some(Side::Lane(lane)) => self.lane_closed(io, &lane),
            None => {}
        }
    }

    fn drained(&mut self, io: &mut Io<'_>, conn: ConnId) {
        if self
            .connection(conn)
            .is_some_and(|c| c.phase != Phase::Closing)
        {
            io.resume_input(conn);
        }
    }

    fn read_deadline(&mut self, io: &mut Io<'_>, conn: ConnId, _: usize) {
        if self.lane(conn).is_some() {
            return self.lane_overdue(io, conn);
        }
        match self.connection(conn).map(|c| c.phase) {
            Some(Phase::Head) => {
                self.refuse(io, conn, 408, "the head of the request took too long")
            }
            Some(Phase::Body) => {
                self.refuse(io, conn, 408, "the body of the request took too long")
            }
            Some(Phase::Idle) => io.close_after_flush(conn),
            Some(Phase::Calling | Phase::Closing) | None => {}
        }
    }

    fn write_deadline(&mut self, io: &mut Io<'_>, conn: ConnId, _: usize) {
        io.close(conn);
    }

    fn stopping(&mut self, io: &mut Io<'_>) {
        self.give_up_calls(io);
    }

    fn accept_paused(&mut self, _: &mut Io<'_>, _: usize, error: &std::io::Error) {
        tracing::warn!("Accepting connections to admin-port pauses: {error}");
    }
}
