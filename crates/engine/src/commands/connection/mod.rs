//! Commands about the connection that need nothing of the server.

mod echo;
mod ping;
mod quit;
mod select;

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[&echo::ECHO, &ping::PING, &quit::QUIT, &select::SELECT];
