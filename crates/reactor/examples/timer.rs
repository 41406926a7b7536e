//! Reminders: a server of timers.
//!
//! `cargo run --release -p dunlin-reactor --example timer -- --port 7777 --idle-ms 60000`, then type into `nc 127.0.0.1 7777`:
//! `in <ms> <text>` is answered with `timer <id>` at once and with the text when it is time; `cancel <id>` forgets it.
//! Who says nothing and waits for nothing is closed after the idle time.
//!
//! It shows timers that are set and cancelled in O(1) and named by tokens, and an idle timeout that costs nothing while lines come:
//! its timer is not moved with each line, but looks, when it fires, whether it fired too early.
//!
//! Invariant: a reminder is never early; a connection has at most [`REMINDERS_MAX`] of them, and none when it is gone.

mod support;

use std::collections::HashMap;
use std::error::Error;

use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Limits, Peer, TimerId};
use support::{Flags, lines, serve, text};

/// Reminders of one connection.
const REMINDERS_MAX: usize = 1_000;

/// How far ahead they may be: a day.
const AHEAD_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The longest line.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// What a token stands for.
enum Timer {
    Reminder {
        conn: ConnId,
        text: String,
        timer: TimerId,
    },
    Idle {
        conn: ConnId,
    },
}

struct Client {
    heard_ms: u64,
    idle: TimerId,
    idle_token: u64,
    /// Tokens of its reminders.
    reminders: Vec<u64>,
}

struct Reminders {
    idle_ms: u64,
    next_token: u64,
    timers: HashMap<u64, Timer>,
    clients: HashMap<ConnId, Client>,
}

impl Reminders {
    fn new(idle_ms: u64) -> Reminders {
        Reminders {
            idle_ms,
            next_token: 1,
            timers: HashMap::new(),
            clients: HashMap::new(),
        }
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token - 1
    }

    fn watch_idle(&mut self, io: &mut Io<'_>, conn: ConnId, from_ms: u64) -> (TimerId, u64) {
        let token = self.token();
        let timer = io.set_timer(from_ms + self.idle_ms, token);
        self.timers.insert(token, Timer::Idle { conn });
        (timer, token)
    }

    /// Does what a line says; the answer.
    fn obey(&mut self, io: &mut Io<'_>, conn: ConnId, line: &str) -> String {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        match words.as_slice() {
            ["in", ms, text] => match ms.parse() {
                Ok(ms @ ..=AHEAD_MS_MAX) => self.remind(io, conn, ms, text),
                _ => format!("error: from 0 to {AHEAD_MS_MAX} ms"),
            },
            ["cancel", id] => match id.parse() {
                Ok(token) if self.forget(io, conn, token) => "cancelled".into(),
                _ => "error: no such timer".into(),
            },
            _ => "error: in <ms> <text>, or cancel <id>".into(),
        }
    }

    fn remind(&mut self, io: &mut Io<'_>, conn: ConnId, ms: u64, text: &str) -> String {
        let token = self.token();
        let Some(client) = self.clients.get_mut(&conn) else {
            return String::new();
        };
        if client.reminders.len() >= REMINDERS_MAX {
            return format!("error: {REMINDERS_MAX} timers are the most");
        }
        client.reminders.push(token);
        // The loop reads its clock once a turn, before the line came: one more ms, and the reminder is not early for its client either.
        let timer = io.set_timer(io.now_ms() + ms + 1, token);
        let text = text.to_string();
        self.timers
            .insert(token, Timer::Reminder { conn, text, timer });
        format!("timer {token}")
    }

    /// Cancels a reminder, if it is this client's.
    fn forget(&mut self, io: &mut Io<'_>, conn: ConnId, token: u64) -> bool {
        let Some(client) = self.clients.get_mut(&conn) else {
            return false;
        };
        let Some(at) = client.reminders.iter().position(|t| *t == token) else {
            return false;
        };
        client.reminders.swap_remove(at);
        if let Some(Timer::Reminder { timer, .. }) = self.timers.remove(&token) {
            io.cancel_timer(timer);
        }
        true
    }

    fn look_at_idle(&mut self, io: &mut Io<'_>, conn: ConnId) {
        let Some(client) = self.clients.get(&conn) else {
            return;
        };
        let waits = !client.reminders.is_empty();
        let since_ms = if waits { io.now_ms() } else { client.heard_ms };
        if io.now_ms() >= since_ms + self.idle_ms {
            io.send(conn, &mut text("idle\n"));
            io.close_after_flush(conn);
            return;
        }
        let (idle, idle_token) = self.watch_idle(io, conn, since_ms);
        if let Some(client) = self.clients.get_mut(&conn) {
            (client.idle, client.idle_token) = (idle, idle_token);
        }
    }
}

impl Handler for Reminders {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        let heard_ms = io.now_ms();
        let (idle, idle_token) = self.watch_idle(io, conn, heard_ms);
        let client = Client {
            heard_ms,
            idle,
            idle_token,
            reminders: Vec::new(),
        };
        self.clients.insert(conn, client);
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let conn = input.conn();
            let (lines, whole) = lines(input.bytes(), input.is_eof());
            for line in lines {
                let answer = self.obey(io, conn, String::from_utf8_lossy(line).trim());
                io.send(conn, &mut text(answer + "\n"));
            }
            input.consume(whole);
            if input.bytes().len() > LINE_BYTES_MAX {
                io.send(conn, &mut text("error: line too long\n"));
                io.close_after_flush(conn);
            }
            if let Some(client) = self.clients.get_mut(&conn) {
                client.heard_ms = io.now_ms();
            }
        }
    }

    fn timer(&mut self, io: &mut Io<'_>, token: u64) {
        match self.timers.remove(&token) {
            Some(Timer::Reminder {
                conn, text: what, ..
            }) => {
                io.send(conn, &mut text(what + "\n"));
                if let Some(client) = self.clients.get_mut(&conn) {
                    client.reminders.retain(|t| *t != token);
                    client.heard_ms = io.now_ms();
                }
            }
            Some(Timer::Idle { conn }) => self.look_at_idle(io, conn),
            None => {}
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, _: CloseReason) {
        let Some(client) = self.clients.remove(&conn) else {
            return;
        };
        io.cancel_timer(client.idle);
        self.timers.remove(&client.idle_token);
        for token in client.reminders {
            if let Some(Timer::Reminder { timer, .. }) = self.timers.remove(&token) {
                io.cancel_timer(timer);
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&["--port", "--backend", "--idle-ms"])?;
    let idle_ms = flags.value("--idle-ms", 60_000)?;
    let make = move |_| Reminders::new(idle_ms);
    serve(&flags, "timer", 1, &Limits::default(), make)
}
