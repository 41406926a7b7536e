//! `-I`: opens connections and does nothing, to see what idle ones cost the server.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use dunlin_resp::Value;
use rustix::event::{PollFd, PollFlags, poll};

use super::options::Options;
use crate::cli::{format::error_text, introduce, open};

/// Waits until the user or the server ends it.
///
/// # Errors
/// When the server refuses a connection or closes one.
pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let count = options.clients;
    writeln!(
        io::stdout(),
        "Creating {count} idle connections and waiting forever (Ctrl+C when done)"
    )?;
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = open(&options.endpoint)?;
        introduce(&mut connection, &options.endpoint)?;
        connections.push(connection);
    }
    loop {
        let mut descriptors: Vec<PollFd<'_>> = connections
            .iter()
            .map(|one| PollFd::new(one, PollFlags::IN))
            .collect();
        match poll(&mut descriptors, None) {
            Err(rustix::io::Errno::INTR) => continue,
            waited => waited.context("waiting")?,
        };
        let heard = descriptors.iter().position(|one| !one.revents().is_empty());
        if let Some(index) = heard {
            match connections[index].receive() {
                Ok(value) => match error_text(&value) {
                    Some(text) => bail!("Error from server: {}", String::from_utf8_lossy(text)),
                    None if matches!(value, Value::Push(_)) => {}
                    None => bail!("Error: the server sent a reply that nobody asked for"),
                },
                Err(lost) => bail!("Error: {lost}"),
            }
        }
    }
}
