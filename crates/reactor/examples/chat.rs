//! A chat: who connects says a name in a first line, and what is said in later lines is heard by all others.
//!
//! `cargo run --release -p dunlin-reactor --example chat -- --port 7777`, then `nc 127.0.0.1 7777` a few times.
//!
//! It shows output that is shared: a line is encoded once, and each listener's output refers to the same bytes. A member that
//! does not read is not waited for: when too much has piled up for it, it is closed.
//!
//! Invariant: the members of one chat live in one event loop, so nobody needs a lock; everyone hears everything in one order.

mod support;

use std::error::Error;
use std::sync::Arc;

use dunlin_reactor::{CloseReason, ConnId, Handler, Input, Io, Limits, Peer, Rope, Shared};
use support::{Flags, lines, serve, text};

/// The longest line.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// The longest name.
const NAME_BYTES_MAX: usize = 32;

/// What may pile up for a member that does not read.
const UNREAD_BYTES_MAX: usize = 1 << 20;

struct Member {
    conn: ConnId,
    /// Empty until it has said one.
    name: String,
}

#[derive(Default)]
struct Chat {
    members: Vec<Member>,
}

impl Chat {
    /// Tells everyone with a name, but the one whom it is from.
    fn tell(&self, io: &mut Io<'_>, from: ConnId, what: &str) {
        let bytes: Arc<Vec<u8>> = Arc::new(what.as_bytes().to_vec());
        for member in &self.members {
            if member.conn != from && !member.name.is_empty() {
                let mut rope = Rope::with_buffer(Vec::new());
                rope.push_shared(Shared {
                    bytes: Arc::clone(&bytes),
                    start: 0,
                    end: bytes.len(),
                });
                io.send(member.conn, &mut rope);
            }
        }
    }

    fn hear(&mut self, io: &mut Io<'_>, conn: ConnId, line: &[u8]) {
        let said = String::from_utf8_lossy(line).trim().to_string();
        let Some(at) = self.members.iter().position(|m| m.conn == conn) else {
            return;
        };
        if said.is_empty() {
            return;
        }
        let name = &self.members[at].name;
        if !name.is_empty() {
            let what = format!("{name}: {said}\n");
            return self.tell(io, conn, &what);
        }
        let is_taken = self.members.iter().any(|m| m.name == said);
        if said.len() > NAME_BYTES_MAX || is_taken {
            io.send(
                conn,
                &mut text("* that name is too long, or somebody's; another?\n"),
            );
            return;
        }
        let others: Vec<&str> = self.members.iter().map(|m| m.name.as_str()).collect();
        let others: Vec<&str> = others.into_iter().filter(|n| !n.is_empty()).collect();
        let greeting = format!("* here: {}\n", others.join(", "));
        io.send(conn, &mut text(greeting));
        self.tell(io, conn, &format!("* {said} came\n"));
        self.members[at].name = said;
    }
}

impl Handler for Chat {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        self.members.push(Member {
            conn,
            name: String::new(),
        });
        io.send(conn, &mut text("* your name?\n"));
    }

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let conn = input.conn();
            let (lines, whole) = lines(input.bytes(), input.is_eof());
            let longest = lines.iter().map(|line| line.len()).max().unwrap_or(0);
            if longest.max(input.bytes().len() - whole) > LINE_BYTES_MAX {
                io.send(conn, &mut text("* that was too long\n"));
                io.close_after_flush(conn);
                continue;
            }
            for line in lines {
                self.hear(io, conn, line);
            }
            input.consume(whole);
        }
    }

    fn closed(&mut self, io: &mut Io<'_>, conn: ConnId, why: CloseReason) {
        let Some(at) = self.members.iter().position(|m| m.conn == conn) else {
            return;
        };
        let member = self.members.remove(at);
        if !member.name.is_empty() {
            let how = match why {
                CloseReason::OutputLimit => "did not listen",
                _ => "left",
            };
            self.tell(io, conn, &format!("* {} {how}\n", member.name));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&["--port", "--backend"])?;
    let limits = Limits {
        output_hard_bytes: UNREAD_BYTES_MAX,
        ..Limits::default()
    };
    serve(&flags, "chat", 1, &limits, |_| Chat::default())
}
