//! The line that is being typed: editing, history, completion and hints.
//!
//! Invariant: the history file holds no line with a password, belongs to the user alone, and never keeps more than its limit.

use std::path::PathBuf;

use anyhow::Result;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Helper};

use super::preferences::{Preferences, dotfile};
use super::{complete, hints, history};

/// The history's file, in the home directory.
const FILE: &str = ".dunlincli_history";
/// Names another.
const FILE_VARIABLE: &str = "REDISCLI_HISTFILE";
/// Lines that are remembered.
const HISTORY_LINES_MAX: usize = 1_000;

/// What reading a line came to.
pub(super) enum Line {
    Text(String),
    /// Ctrl-C on a line with something in it.
    Dropped,
    /// Ctrl-D, or Ctrl-C on an empty line.
    End,
}

/// The editor.
pub(super) struct Editor {
    editor: rustyline::Editor<Assistant, DefaultHistory>,
    file: Option<PathBuf>,
}

impl Editor {
    /// On the terminal of standard input.
    ///
    /// # Errors
    /// When it can't be used.
    pub(super) fn new() -> Result<Editor> {
        let config = Config::builder()
            .max_history_size(HISTORY_LINES_MAX)?
            .history_ignore_space(true)
            .auto_add_history(false)
            .completion_type(CompletionType::List)
            .build();
        let mut editor = rustyline::Editor::with_config(config)?;
        editor.set_helper(Some(Assistant::default()));
        let file = dotfile(FILE_VARIABLE, FILE);
        if let Some(file) = &file {
            // There is none yet, or it is somebody else's: then history begins now.
            let _ = editor.load_history(file);
        }
        Ok(Editor { editor, file })
    }

    /// Reads a line.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn read(&mut self, prompt: &str, preferences: &Preferences) -> Result<Line> {
        if let Some(assistant) = self.editor.helper_mut() {
            assistant.hints = preferences.hints;
            assistant.columns = columns().saturating_sub(prompt.chars().count());
            assistant.line_was_empty.set(true);
        }
        match self.editor.readline(prompt) {
            Ok(line) => Ok(Line::Text(line)),
            Err(ReadlineError::Interrupted) => {
                let empty = self
                    .editor
                    .helper()
                    .is_none_or(|assistant| assistant.line_was_empty.get());
                Ok(if empty { Line::End } else { Line::Dropped })
            }
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a line into the history, unless it holds a password.
    pub(super) fn remember(&mut self, line: &str, words: &[Vec<u8>]) {
        let rough: Vec<Vec<u8>>;
        let words = if words.is_empty() {
            rough = line
                .split_whitespace()
                .map(|word| word.as_bytes().to_vec())
                .collect();
            &rough
        } else {
            words
        };
        if history::is_sensitive(words) {
            return;
        }
        // A history that can't be kept is no reason to stop.
        if self.editor.add_history_entry(line).unwrap_or(false)
            && let Some(file) = &self.file
        {
            let _ = self.editor.append_history(file);
        }
    }

    /// Empties the screen.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn clear_screen(&mut self) -> Result<()> {
        Ok(self.editor.clear_screen()?)
    }
}

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// Columns of the terminal.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { COLUMNS } else { columns }
}

/// The beginning of a text that has no room.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let begun: String = text.chars().take(room.saturating_sub(1)).collect();
    if begun.is_empty() {
        begun
    } else {
        begun + "…"
    }
}

/// Looks at the line as it grows.
#[derive(Default)]
struct Assistant {
    hints: bool,
    /// What a line and its hint may take, so that they stay on one line of the screen.
    columns: usize,
    line_was_empty: std::cell::Cell<bool>,
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        self.line_was_empty.set(line.is_empty());
        if !self.hints || pos < line.len() {
            return None;
        }
        let hint = hints::of(line)?;
        let room = self.columns.saturating_sub(line.chars().count() + 1);
        Some(cut(&hint, room)).filter(|hint| !hint.trim().is_empty())
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let candidates = complete::candidates(&line[..pos]).into_iter();
        let pairs = candidates.map(|whole| Pair {
            display: whole.clone(),
            replacement: whole,
        });
        Ok((0, pairs.collect()))
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> std::borrow::Cow<'h, str> {
        format!("\x1b[90m{hint}\x1b[0m").into()
    }
}

impl Validator for Assistant {}
impl Helper for Assistant {}
