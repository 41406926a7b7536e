//! One command from the command line: sent, answered, done. Subscribing and MONITOR go on until the server or the user ends them.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::session::{Failure, Session};

/// Sends the command of the options.
///
/// # Errors
/// What kept it from being sent or answered.
pub(super) fn run(mut session: Session) -> Result<ExitCode> {
    let Some(arguments) = arguments(&session)? else {
        // On standard output, where redis-cli has it.
        writeln!(io::stdout(), "Invalid quoted string")?;
        return Ok(ExitCode::FAILURE);
    };
    if is_help(&arguments) {
        super::prompt::help::print(&arguments[1..])?;
        return Ok(ExitCode::SUCCESS);
    }
    issue(&mut session, &arguments)
}

/// Sends a command as often as the options say.
pub(super) fn issue(session: &mut Session, arguments: &[Vec<u8>]) -> Result<ExitCode> {
    let repeat = session.options().repeat;
    session.connect()?;
    let outcome = match session.issue(arguments, repeat) {
        Ok(()) => session.follow_messages(),
        failed => failed,
    };
    match outcome {
        Ok(()) if session.saw_error() && session.options().errors_fail => Ok(ExitCode::FAILURE),
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Failure::Lost(lost)) => bail!("Error: {lost}"),
        Err(Failure::Other(error)) => Err(error),
    }
}

fn is_help(arguments: &[Vec<u8>]) -> bool {
    let first = arguments.first();
    first.is_some_and(|name| name.eq_ignore_ascii_case(b"help") || name == b"?")
}

/// The words of the command, with what -x, -X and --quoted-input make of them; `None` if one is no quoted string.
fn arguments(session: &Session) -> Result<Option<Vec<Vec<u8>>>> {
    let options = session.options();
    let mut arguments = options.command.clone();
    if options.quoted_input {
        for argument in &mut arguments {
            let Some(word) = super::unquoted(argument) else {
                return Ok(None);
            };
            *argument = word;
        }
    }
    if options.stdin_last {
        arguments.push(super::read_stdin()?);
    } else if let Some(tag) = &options.stdin_tag {
        let tagged = arguments.iter_mut().find(|argument| *argument == tag);
        match tagged {
            Some(argument) => *argument = super::read_stdin()?,
            None => bail!("Using -X option but stdin tag not match."),
        }
    }
    Ok(Some(arguments))
}
