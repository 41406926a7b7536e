//! The handler's part about commands: from a request to its lane, and from the reply to the answer.
//!
//! Invariant: a call is answered once, whatever becomes of its lane; the HTTP connection is paused until then.

use dunlin_reactor::{ConnId, Input, Io, Rope};
use dunlin_resp::{ProtocolError, Value as Reply};

use super::connection::{Link, Pending, Phase};
use super::handler::{Admin, Side};
use super::http::{Method, Response};
use super::lane::{self, CALL_MS, Lane, Step};

impl Admin {
    /// Gives a command to the lane of its connection, which is made if need be.
    pub(super) fn call(&mut self, io: &mut Io<'_>, conn: ConnId, pending: Pending) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        connection.pending = Some(pending);
        connection.phase = Phase::Calling;
        io.pause_input(conn);
        io.set_read_deadline(conn, None);
        match connection.lane {
            Link::Open(lane) => self.begin(io, lane),
            Link::Opening => {}
            Link::None => {
                connection.lane = Link::Opening;
                if let Err(error) = self.dialer.dial(conn) {
                    if let Some(connection) = self.connection(conn) {
                        connection.lane = Link::None;
                    }
                    let text = format!("no way to a worker: {error}");
                    self.answer_call(io, conn, |_| Response::error(503, text));
                }
            }
        }
    }

    /// Our end of a lane is there.
    pub(super) fn lane_opened(&mut self, io: &mut Io<'_>, conn: ConnId, tag: u32) {
        let owner = self.dialer.opened(tag);
        let connection = owner.and_then(|owner| self.connection(owner));
        let Some(connection) = connection else {
            return io.close(conn);
        };
        connection.lane = Link::Open(conn);
        let owner = connection.id;
        self.put(conn, Side::Lane(Box::new(Lane::new(conn, owner))));
        say(io, conn, lane::greet);
    }

    /// Begins with the command that the lane's owner has, if he has one.
    fn begin(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let Some(owner) = self.lane(conn).map(|lane| lane.owner) else {
            return;
        };
        let pending = self.connection(owner).and_then(|c| c.pending.as_ref());
        if let Some(db) = pending.map(|pending| pending.call.db) {
            self.step(conn, Step::Selecting);
            say(io, conn, |out| lane::select(out, db));
        }
    }

    fn step(&mut self, conn: ConnId, step: Step) {
        if let Some(lane) = self.lane(conn) {
            lane.step = step;
        }
    }

    /// Takes what a worker answers.
    pub(super) fn hear(&mut self, io: &mut Io<'_>, input: &mut Input) {
        let conn = input.conn();
        let mut at = 0;
        while let Some(lane) = self.lane(conn) {
            let owner = lane.owner;
            match lane.parser.feed(&input.bytes()[at..]) {
                Ok(decoded) => {
                    at += decoded.consumed;
                    match decoded.value {
                        // An out-of-band message answers nothing.
                        Some(Reply::Push(_)) => {}
                        Some(reply) => self.reply(io, conn, reply),
                        None => break,
                    }
                }
                Err(error) => {
                    let text = match error {
                        ProtocolError::ReplyTooBig => {
                            "the reply is too long for this port: ask for less".to_owned()
                        }
                        error => format!("the reply makes no sense: {error}"),
                    };
                    self.answer_call(io, owner, |_| Response::error(502, text));
                    io.close(conn);
                    break;
                }
            }
        }
        input.consume(input.bytes().len());
    }

    fn reply(&mut self, io: &mut Io<'_>, conn: ConnId, reply: Reply) {
        let Some(lane) = self.lane(conn) else { return };
        let (owner, step) = (lane.owner, lane.step);
        let failed = matches!(reply, Reply::Error(_) | Reply::BulkError(_));
        match step {
            Step::Greeting if failed => {
                // It is nobody, or may not even greet.
                self.answer_call(io, owner, |show| show(reply));
                io.close(conn);
            }
            Step::Greeting => {
                self.step(conn, Step::Idle);
                self.begin(io, conn);
            }
            Step::Selecting if !failed => {
                self.step(conn, Step::Running);
                let pending = self.connection(owner).and_then(|c| c.pending.as_ref());
                if let Some(pending) = pending {
                    let arguments = &pending.call.arguments;
                    say(io, conn, |out| dunlin_resp::reply::request(out, arguments));
                }
            }
            Step::Selecting | Step::Running => {
                self.step(conn, Step::Idle);
                io.set_read_deadline(conn, None);
                self.answer_call(io, owner, |show| show(reply));
            }
            // Nothing was asked: whatever it is, it is no answer.
            Step::Idle => io.close(conn),
        }
    }

    /// Answers the call of this connection, if it has one.
    fn answer_call(
        &mut self,
        io: &mut Io<'_>,
        conn: ConnId,
        answer: impl FnOnce(fn(Reply) -> Response) -> Response,
    ) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        let Some(pending) = connection.pending.take() else {
            return;
        };
        let response = answer(pending.call.show);
        self.send(io, conn, &response, Method::Post, pending.keep_alive);
        io.resume_input(conn);
    }

    /// A lane has ended.
    pub(super) fn lane_closed(&mut self, io: &mut Io<'_>, lane: &Lane) {
        let Some(connection) = self.connection(lane.owner) else {
            return;
        };
        connection.lane = Link::None;
        let text = "the connection that ran the command was closed: it may have been carried out";
        self.answer_call(io, lane.owner, |_| Response::error(502, text));
    }

    /// A command has taken too long.
    pub(super) fn lane_overdue(&mut self, io: &mut Io<'_>, conn: ConnId) {
        if let Some(owner) = self.lane(conn).map(|lane| lane.owner) {
            let text =
                "the command takes too long to be waited for here: it may yet be carried out";
            self.answer_call(io, owner, |_| Response::error(504, text));
            io.close(conn);
        }
    }

    /// The server stops: whoever waits for a command is told so.
    pub(super) fn give_up_calls(&mut self, io: &mut Io<'_>) {
        for conn in self.callers() {
            self.answer_call(io, conn, |_| Response::error(503, "the server stops"));
        }
    }
}

/// Sends a request on a lane, whose reply has its time.
fn say(io: &mut Io<'_>, conn: ConnId, write: impl FnOnce(&mut Vec<u8>)) {
    let now_ms = io.now_ms();
    io.set_read_deadline(conn, Some(now_ms + CALL_MS));
    let mut out = Rope::with_buffer(io.buffer());
    write(out.tail());
    io.send(conn, &mut out);
}
