//! `--rdb FILE`: a dump of all data, as a replica gets it. `-` is standard output.
//!
//! Invariant: the file has its name only when all of it has come.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cli::connection::Connection;

/// Moved at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Length of the mark that ends a dump whose length is not known beforehand.
const MARK_BYTES: usize = 40;
/// Longest first line.
const LINE_BYTES_MAX: usize = 1024;

/// Asks for a dump and writes it down.
///
/// # Errors
/// When the server gives none (Dunlin does not replicate yet), or the file can't be written.
pub(in crate::cli) fn run(mut connection: Connection, file: &Path) -> Result<ExitCode> {
    connection.send(&["SYNC"])?;
    let line = first_line(&mut connection)?;
    if let Some(error) = line.strip_prefix('-') {
        bail!("SYNC failed, so there is no dump: {error}");
    }
    let Some(length) = line.strip_prefix('$') else {
        bail!("SYNC was answered by '{line}'");
    };
    if file == Path::new("-") {
        copy(&mut connection, length, &mut io::stdout().lock())?;
    } else {
        let mut beside = file.as_os_str().to_owned();
        beside.push(".part");
        let mut out =
            File::create(&beside).with_context(|| format!("Can't open '{}'", file.display()))?;
        copy(&mut connection, length, &mut out)?;
        out.sync_all()?;
        std::fs::rename(&beside, file)
            .with_context(|| format!("Can't write '{}'", file.display()))?;
    }
    writeln!(io::stderr(), "Transfer finished with success.")?;
    Ok(ExitCode::SUCCESS)
}

/// The line that announces the dump. Empty lines before it say that the server is at work.
fn first_line(connection: &mut Connection) -> Result<String> {
    let mut line = Vec::new();
    while line.len() < LINE_BYTES_MAX {
        let mut byte = [0];
        connection.stream().read_full(&mut byte)?;
        match byte[0] {
            b'\n' if line.is_empty() => {}
            b'\n' => return Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
            byte => line.push(byte),
        }
    }
    bail!("SYNC was answered by a line without end")
}

/// Copies a dump of this length, or, after `EOF:`, up to this mark.
fn copy(connection: &mut Connection, length: &str, out: &mut impl Write) -> Result<()> {
    let stream = connection.stream();
    if let Some(mark) = length.strip_prefix("EOF:") {
        anyhow::ensure!(mark.len() == MARK_BYTES, "the dump's end has no mark");
        return copy_to_mark(stream, mark.as_bytes(), out);
    }
    let length = length.parse().context("the dump's length")?;
    let copied = io::copy(&mut stream.take(length), out)?;
    anyhow::ensure!(
        copied == length,
        "the dump ended after {copied} of {length} bytes"
    );
    Ok(())
}

/// Keeps the last bytes back as long as they may be the mark.
fn copy_to_mark(stream: &mut impl Read, mark: &[u8], out: &mut impl Write) -> Result<()> {
    let mut held = Vec::with_capacity(CHUNK_BYTES + MARK_BYTES);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let n = stream.read(&mut chunk)?;
        anyhow::ensure!(n > 0, "the dump has no end");
        held.extend_from_slice(&chunk[..n]);
        if held.ends_with(mark) {
            held.truncate(held.len() - mark.len());
            return Ok(out.write_all(&held)?);
        }
        let safe = held.len().saturating_sub(mark.len());
        out.write_all(&held[..safe])?;
        held.drain(..safe);
    }
}
