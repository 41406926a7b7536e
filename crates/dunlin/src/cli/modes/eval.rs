//! `--eval FILE key ... , argument ...`: sends a script with its keys and arguments.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cli::oneshot;
use crate::cli::session::Session;

/// Stands between keys and arguments.
const SEPARATOR: &[u8] = b",";

/// Sends EVAL and shows the reply.
///
/// # Errors
/// When the file can't be read, or as any command.
pub(in crate::cli) fn run(mut session: Session, file: &Path) -> Result<ExitCode> {
    let script =
        std::fs::read(file).with_context(|| format!("Can't open file '{}'", file.display()))?;
    let words = &session.options().command;
    let keys = words.iter().take_while(|word| *word != SEPARATOR).count();
    let mut arguments = vec![b"EVAL".to_vec(), script, keys.to_string().into_bytes()];
    arguments.extend_from_slice(&words[..keys]);
    arguments.extend(words.iter().skip(keys + 1).cloned());
    oneshot::issue(&mut session, &arguments)
}
