//! The line that describes a client: in CLIENT LIST, CLIENT INFO, and in the log when one is closed.

use std::fmt::{Display, Write};
use std::net::SocketAddr;

use dunlin_engine::table::Table;
use dunlin_engine::tracking::{Tracker, Tracking};

use super::{Client, Mark};

/// Unsent output is counted in blocks of this size where Redis counts the nodes of its reply list.
const OUTPUT_BLOCK_BYTES: u64 = 16 << 10;

/// What a line needs beside the record.
pub struct Context<'a> {
    /// Names of commands.
    pub table: &'a Table,
    /// Who tracks keys.
    pub tracking: &'a Tracking,
    /// Path of the Unix socket, or nothing.
    pub socket: &'a str,
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Milliseconds of the monotonic clock.
    pub now_mono_ms: u64,
}

impl Context<'_> {
    /// Seconds since this client connected.
    pub fn age_s(&self, client: &Client) -> u64 {
        self.now_ms.saturating_sub(client.peer.opened_ms) / 1_000
    }
}

/// One end of a client's connection.
pub(super) fn address(
    client: &Client,
    address: Option<SocketAddr>,
    context: &Context<'_>,
) -> String {
    match address {
        Some(address) => address.to_string(),
        // Both ends of a Unix socket have the name of the server's.
        None if client.peer.unix => format!("{}:0", context.socket),
        None => "?:0".to_owned(),
    }
}

/// The line, without its line end.
pub fn line(client: &Client, context: &Context<'_>) -> String {
    let (figures, texts) = (client.figures(), client.texts());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let command = figures.command.map(|id| context.table.at(id).full_name);
    let buffered = figures.buffered;
    let used = buffered.input + buffered.argv;
    let idle_s = context.now_mono_ms.saturating_sub(figures.active_ms) / 1_000;
    let events = if figures.output > 0 { "rw" } else { "r" };
    let mut line = String::with_capacity(384);
    let tracker = context.tracking.tracker(client.id);
    let mut put = |name: &str, value: &dyn Display| {
        let blank = if line.is_empty() { "" } else { " " };
        let _ = write!(line, "{blank}{name}={value}");
    };
    put("id", &client.id);
    put("addr", &address(client, client.peer.remote, context));
    put("laddr", &address(client, client.peer.local, context));
    put("fd", &client.peer.descriptor);
    put("name", &text(&texts.name));
    put("age", &context.age_s(client));
    put("idle", &idle_s);
    put("flags", &flags(client, tracker.as_deref()));
    put("db", &figures.db);
    for (name, count) in ["sub", "psub", "ssub"].iter().zip(&texts.subscriptions) {
        put(name, count);
    }
    put("multi", &figures.multi);
    put("qbuf", &buffered.input);
    put("qbuf-free", &buffered.room.saturating_sub(used));
    put("argv-mem", &buffered.argv);
    put("multi-mem", &figures.queued);
    // Replies are built in buffers of the worker: a client has none of its own.
    for none in ["rbs", "rbp", "obl"] {
        put(none, &0);
    }
    put("oll", &figures.output.div_ceil(OUTPUT_BLOCK_BYTES));
    put("omem", &figures.output);
    put("tot-mem", &figures.memory);
    put("events", &events);
    put("cmd", &command.unwrap_or("NULL"));
    put("user", &text(&client.user()));
    let redirect = tracker.as_deref().map_or(-1, redirect);
    put("redir", &redirect);
    put("resp", &figures.resp);
    put("lib-name", &text(&texts.lib.0));
    put("lib-ver", &text(&texts.lib.1));
    line
}

/// The client that gets what this one is to be told; 0 for itself.
fn redirect(tracker: &Tracker) -> i64 {
    let redirect = &tracker.options.redirect;
    redirect.map_or(0, |(id, _)| id as i64)
}

fn flags(client: &Client, tracker: Option<&Tracker>) -> String {
    let figures = client.figures();
    let flags: String = [
        (client.is(Mark::MONITOR), 'O'),
        (client.is(Mark::SUBSCRIBER), 'P'),
        (figures.in_multi, 'x'),
        (tracker.is_some(), 't'),
        (tracker.is_some_and(Tracker::is_broken), 'R'),
        (tracker.is_some_and(|t| t.options.broadcast.is_some()), 'B'),
        (client.is(Mark::POSTPONED) || client.is(Mark::BLOCKED), 'b'),
        (figures.dirty, 'd'),
        (figures.closing, 'c'),
        (client.is(Mark::KILLED), 'A'),
        (client.peer.unix, 'U'),
        (client.is(Mark::NO_EVICT), 'e'),
        (client.is(Mark::NO_TOUCH), 'T'),
    ]
    .iter()
    .filter_map(|&(set, letter)| set.then_some(letter))
    .collect();
    if flags.is_empty() {
        "N".to_owned()
    } else {
        flags
    }
}
