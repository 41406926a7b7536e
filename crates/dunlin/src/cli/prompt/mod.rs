//! Commands one line after the other: typed at a terminal, or piped in.
//!
//! Invariant: an error of one line is shown and the next line is read. On a terminal Ctrl-C ends a wait, empties a line, or, on an empty
//! line, the program; a pipe has neither prompt nor history.

mod complete;
mod editor;
pub(super) mod help;
mod hints;
mod history;
mod preferences;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dunlin_resp::split_words;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::connection::Lost;
use super::format::Output;
use super::interrupt::Interrupt;
use super::lines::Lines;
use super::session::{Failure, Session};
use editor::{Editor, Line};
use preferences::Preferences;

/// A command that takes longer has its time shown.
const SLOW: Duration = Duration::from_millis(500);
/// Shown while messages are waited for.
const READING: &str = "Reading messages... (press Ctrl-C to quit or any key to type command)\r";
/// Takes that line away again.
const ERASE: &str = "\x1b[K";

/// Where lines come from.
enum Source {
    Terminal(Box<Editor>),
    Pipe(Lines),
}

/// Reads and runs lines until there are no more.
///
/// # Errors
/// When input or output break.
pub(super) fn run(mut session: Session, plain: bool) -> Result<ExitCode> {
    let terminal = io::stdin().is_terminal();
    session.interactive = true;
    let mut preferences = Preferences::load(terminal);
    let on_terminal = terminal && io::stdout().is_terminal();
    preferences.table = session
        .options()
        .table
        .unwrap_or(preferences.table && on_terminal && !plain);
    session.set_interrupt(Rc::new(Interrupt::register()?));
    let mut source = match terminal {
        true => Source::Terminal(Box::new(Editor::new()?)),
        false => Source::Pipe(Lines::default()),
    };
    if let Err(error) = session.connect() {
        writeln!(io::stderr(), "{error:#}")?;
    }
    loop {
        session.tables = preferences.table;
        let line = match &mut source {
            Source::Pipe(lines) => lines.next()?,
            Source::Terminal(editor) => match editor.read(&session.prompt(), &preferences)? {
                Line::Text(line) => Some(line.into_bytes()),
                Line::Dropped => continue,
                Line::End => None,
            },
        };
        let Some(line) = line else {
            // A subscription is ended by a new connection.
            if session.is_subscribed() {
                session.disconnect();
                if session.connect().is_ok() {
                    continue;
                }
            }
            break;
        };
        if !run_line(&mut session, &mut preferences, &mut source, &line)? {
            break;
        }
        if session.is_subscribed() {
            follow_messages(&mut session, &source)?;
        }
    }
    // What redis-cli does not do for piped commands: -e says that errors make the program fail.
    let failed = session.options().errors_fail && session.saw_error();
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs one line; false when it ends the program.
fn run_line(
    session: &mut Session,
    preferences: &mut Preferences,
    source: &mut Source,
    line: &[u8],
) -> Result<bool> {
    let words = split_words(line);
    if let (Source::Terminal(editor), false) = (&mut *source, line.is_empty()) {
        editor.remember(
            &String::from_utf8_lossy(line),
            words.as_deref().unwrap_or_default(),
        );
    }
    let Ok(mut words) = words else {
        writeln!(io::stdout(), "Invalid argument(s)")?;
        return Ok(true);
    };
    let Some(first) = words.first() else {
        return Ok(true);
    };
    let mut repeat = 1;
    if words.len() > 1
        && let Ok(number) = std::str::from_utf8(first)
            .unwrap_or_default()
            .parse::<i64>()
    {
        if number <= 0 {
            writeln!(
                io::stdout(),
                "A command can be repeated 1 time or more often."
            )?;
            return Ok(true);
        }
        repeat = number;
        words.remove(0);
    }
    let name = String::from_utf8_lossy(&words[0]).to_lowercase();
    match name.as_str() {
        "quit" | "exit" => return Ok(false),
        "help" | "?" => help::print(&words[1..])?,
        "connect" if words.len() == 3 => {
            let port = String::from_utf8_lossy(&words[2]).parse().unwrap_or(0);
            show_error(session.connect_to(&String::from_utf8_lossy(&words[1]), port))?;
        }
        "clear" if words.len() == 1 => {
            if let Source::Terminal(editor) = source {
                editor.clear_screen()?;
            }
        }
        name if name.starts_with(':') => preferences.set(&words, "")?,
        _ => issue(session, &words, repeat)?,
    }
    Ok(true)
}

fn issue(session: &mut Session, words: &[Vec<u8>], repeat: i64) -> Result<()> {
    // What was pressed before was not meant for this one.
    let _ = session.interrupt().map(Interrupt::take);
    let since = Instant::now();
    match session.issue(words, repeat) {
        Ok(()) => {}
        Err(failure) => show_failure(session, failure)?,
    }
    let took = since.elapsed();
    if took >= SLOW && session.options().format.output == Output::Standard {
        writeln!(io::stdout(), "({:.2}s)", took.as_secs_f64())?;
    }
    Ok(())
}

/// Tells what went wrong; broken output ends the program.
fn show_failure(session: &mut Session, failure: Failure) -> Result<()> {
    match failure {
        Failure::Lost(Lost::Interrupted) => {
            // The server may answer yet, which would be taken for the next command's reply: only a new connection is sure.
            writeln!(io::stdout())?;
            session.disconnect();
            show_error(session.connect())
        }
        Failure::Lost(lost) => {
            writeln!(io::stderr(), "Error: {lost}")?;
            Ok(())
        }
        Failure::Other(error) if error.downcast_ref::<io::Error>().is_some() => Err(error),
        Failure::Other(error) => show_error(Err(error)),
    }
}

fn show_error(outcome: Result<()>) -> Result<()> {
    if let Err(error) = outcome {
        writeln!(io::stderr(), "{error:#}")?;
    }
    Ok(())
}

/// Shows messages until a key is pressed or a line comes.
fn follow_messages(session: &mut Session, source: &Source) -> Result<()> {
    let fake = std::env::var_os(super::FAKE_TERMINAL).is_some();
    let informs =
        session.options().format.output != Output::Raw && (io::stdout().is_terminal() || fake);
    let coloured = informs && std::env::var("TERM").is_ok_and(|term| term.contains("xterm"));
    let _keys = matches!(source, Source::Terminal(_))
        .then(SingleKeys::enter)
        .transpose()?;
    while session.is_subscribed() {
        if let Err(failure) = session.show_buffered() {
            return show_failure(session, failure);
        }
        if let Source::Pipe(lines) = source
            && lines.has_line()
        {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        if informs {
            let (begin, end) = if coloured {
                ("\x1b[1;90m", "\x1b[0m")
            } else {
                ("", "")
            };
            write!(stdout, "{begin}{READING}{end}")?;
            stdout.flush()?;
        }
        let Some(connection) = session.connection() else {
            return Ok(());
        };
        let stdin = rustix::stdio::stdin();
        let (server, key) = {
            let mut descriptors = vec![
                PollFd::new(connection, PollFlags::IN),
                PollFd::new(&stdin, PollFlags::IN),
            ];
            descriptors.extend(session.interrupt().map(|it| PollFd::new(it, PollFlags::IN)));
            match poll(&mut descriptors, None) {
                // After Ctrl-C reading the connection says so.
                Ok(_) => {
                    let heard = |at: usize| {
                        descriptors
                            .get(at)
                            .is_some_and(|one| !one.revents().is_empty())
                    };
                    (heard(0) || heard(2), heard(1))
                }
                Err(rustix::io::Errno::INTR) => (false, false),
                Err(errno) => return Err(errno).context("waiting for messages"),
            }
        };
        if informs {
            write!(stdout, "{ERASE}")?;
            stdout.flush()?;
        }
        drop(stdout);
        if server {
            if let Err(failure) = session.show_readable() {
                return show_failure(session, failure);
            }
        } else if key {
            return Ok(());
        }
    }
    Ok(())
}

/// The terminal gives each key as it is pressed and does not show it, as long as this lives.
struct SingleKeys(rustix::termios::Termios);

impl SingleKeys {
    fn enter() -> Result<SingleKeys> {
        SingleKeys::without(LocalModes::ECHO | LocalModes::ICANON)
    }

    fn without(modes: LocalModes) -> Result<SingleKeys> {
        let stdin = rustix::stdio::stdin();
        let before = tcgetattr(stdin).context("the terminal")?;
        let mut now = before.clone();
        now.local_modes -= modes;
        tcsetattr(stdin, OptionalActions::Now, &now).context("the terminal")?;
        Ok(SingleKeys(before))
    }
}

impl Drop for SingleKeys {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Asks for a password without showing it.
///
/// # Errors
/// When there is nobody to ask.
pub(super) fn password(prompt: &str) -> Result<String> {
    let _hidden = io::stdin()
        .is_terminal()
        .then(|| SingleKeys::without(LocalModes::ECHO))
        .transpose()?;
    write!(io::stderr(), "{prompt}")?;
    let line = Lines::default()
        .next()
        .context("standard input")?
        .context("no password was given")?;
    writeln!(io::stderr())?;
    String::from_utf8(line).context("the password")
}
