//! Commands about the connection that need the server: who the client is, and what it speaks.

mod auth;
mod client;
mod hello;
mod monitor;
mod reset;

use dunlin_engine::Command;
use dunlin_engine::command::Flags;

/// Sorted by name.
pub(super) const TABLE: &[&Command] = &[
    &auth::AUTH,
    &client::CLIENT,
    &hello::HELLO,
    &monitor::MONITOR,
    &reset::RESET,
];

/// Flags of what a client may send before it has authenticated.
const DOOR: Flags = Flags::NOSCRIPT
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::FAST)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY);

/// Whether these bytes may stand in a line of CLIENT INFO: printable ASCII without the blank.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
