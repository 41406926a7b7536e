//! Start-up: the command line, standard input and files, read as one list of lines in which the last one counts.
//!
//! Invariant: an error names the source, the line and the reason; nothing of a bad line is kept.
//! It changes nothing outside the `Config` it returns: no directory is entered, no file made.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Source};
use super::key::{Key, Kind, Line};
use super::rename::Names;
use super::table::{self, TABLE};
use super::value::{Reading, Value};
use dunlin_engine::acl::{Rules, is_plain_name, merge_selectors};
use dunlin_engine::table::Table;

use super::{Config, source, words};

/// `include` inside `include`: deeper than this is a loop.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// A longer line is not a directive.
pub const LINE_LENGTH_MAX_BYTES: usize = 1 << 20;
/// An error shows this much of the line.
const SHOWN_LENGTH_MAX_BYTES: usize = 200;

/// A configuration to start with.
#[derive(Debug)]
pub struct Loaded {
    /// All values.
    pub config: Config,
    /// What the operator should know, one line each, to be logged as warnings.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the arguments of `redis-server`, without the program's name: `[file] [-] [--key value...]...`.
    ///
    /// Precedence: later wins, in the order file, standard input, options. See [`Config::load_from`].
    pub fn load(arguments: &[impl AsRef<OsStr>]) -> Result<Loaded, ConfigError> {
        Self::load_from(arguments, std::io::stdin)
    }

    /// As [`Config::load`], with standard input handed in: it is opened only if the arguments ask for it.
    pub fn load_from<R: Read>(
        arguments: &[impl AsRef<OsStr>],
        stdin: impl FnOnce() -> R,
    ) -> Result<Loaded, ConfigError> {
        let arguments: Vec<&[u8]> = arguments
            .iter()
            .map(|argument| argument.as_ref().as_bytes())
            .collect();
        let plan = Plan::of(&arguments);
        let mut loader = Loader::new();
        if let Some(path) = &plan.file {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            loader.config.file = Some(path.clone());
            loader.read_file(&path, 0)?;
        }
        if plan.stdin {
            let bytes = source::read_all(stdin()).map_err(|source| ConfigError::Read {
                path: PathBuf::from("-"),
                source,
            })?;
            loader.read_lines(&Source::Stdin, &bytes, 0)?;
        }
        loader.read_lines(&Source::CommandLine, &plan.options, 0)?;
        loader.finish()
    }
}

/// What the command line asks for.
struct Plan {
    file: Option<PathBuf>,
    stdin: bool,
    /// The options as lines of a configuration file.
    options: Vec<u8>,
}

impl Plan {
    fn of(arguments: &[&[u8]]) -> Self {
        let mut plan = Plan {
            file: None,
            stdin: false,
            options: Vec::new(),
        };
        let mut first = 0;
        if let Some(path) = arguments.first()
            && !path.starts_with(b"-")
        {
            plan.file = Some(PathBuf::from(OsStr::from_bytes(path)));
            first = 1;
        }
        // An option takes at least one argument, even one that looks like an option itself.
        let mut satisfied = true;
        for (at, argument) in arguments.iter().enumerate().skip(first) {
            let next = arguments.get(at + 1);
            if *argument == b"-" && (at == 0 || next.is_none()) {
                plan.stdin = true;
            } else if let Some(option) = argument.strip_prefix(b"--")
                && satisfied
            {
                if !plan.options.is_empty() {
                    plan.options.push(b'\n');
                }
                plan.options.extend_from_slice(option);
                plan.options.push(b' ');
                // `--port 6380` may also come as one argument.
                satisfied = words::split(argument).is_none_or(|words| words.len() != 1);
                if argument.eq_ignore_ascii_case(b"--save")
                    && next.is_none_or(|next| next.starts_with(b"--"))
                {
                    // A generated command line whose list of save points is empty.
                    plan.options.extend_from_slice(b"\"\"");
                    satisfied = true;
                }
            } else {
                plan.options
                    .extend_from_slice(words::quote(argument).as_bytes());
                plan.options.push(b' ');
                satisfied = true;
            }
        }
        plan
    }
}

/// The state of reading.
struct Loader {
    config: Config,
    /// Keys given so far, in the order of the table.
    given: Vec<bool>,
    /// Made at the first `rename-command`.
    names: Option<Names>,
    /// For `user` lines.
    table: Option<Table>,
    /// What is to be said of single lines.
    remarks: Vec<String>,
}

/// A line that was refused, before its place is known.
enum LineError {
    Reason(String),
    Included(ConfigError),
}

impl From<String> for LineError {
    fn from(reason: String) -> Self {
        LineError::Reason(reason)
    }
}

impl From<&str> for LineError {
    fn from(reason: &str) -> Self {
        LineError::Reason(reason.to_owned())
    }
}

impl Loader {
    fn new() -> Self {
        Self {
            config: Config::default(),
            given: vec![false; TABLE.len()],
            names: None,
            table: None,
            remarks: Vec::new(),
        }
    }

    fn read_file(&mut self, path: &Path, depth: usize) -> Result<(), ConfigError> {
        let bytes = source::read_file(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        self.read_lines(&Source::File(path.to_owned()), &bytes, depth)
    }

    fn read_lines(&mut self, from: &Source, bytes: &[u8], depth: usize) -> Result<(), ConfigError> {
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            self.read_line(line, depth).map_err(|error| match error {
                LineError::Included(error) => error,
                LineError::Reason(reason) => ConfigError::Line {
                    source_name: from.clone(),
                    number: number + 1,
                    text: shown(line),
                    reason,
                },
            })?;
        }
        Ok(())
    }

    fn read_line(&mut self, line: &[u8], depth: usize) -> Result<(), LineError> {
        if line.len() > LINE_LENGTH_MAX_BYTES {
            return Err(format!("line longer than {} KiB", LINE_LENGTH_MAX_BYTES >> 10).into());
        }
        let words = words::split(line).ok_or(words::UNBALANCED)?;
        let Some((name, arguments)) = words.split_first() else {
            return Ok(());
        };
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        match table::find(name) {
            Some(found) => {
                self.given[found.index] = true;
                match found.key.kind {
                    Kind::Line(line) => self.read_instruction(line, &arguments, depth),
                    _ => self.read_value(found.key, found.index, &arguments),
                }
            }
            // Redis queues these for modules; there are none here to take them.
            None if name.contains(&b'.') => {
                Err("Module config specified, and there are no modules in this server".into())
            }
            None => Err(unknown(name).into()),
        }
    }

    fn read_value(
        &mut self,
        key: &Key,
        index: usize,
        arguments: &[&[u8]],
    ) -> Result<(), LineError> {
        let slot = &mut self.config.values[index];
        // Until the first `save` line what stands there is the default, which the file's lines replace.
        let adds_up = self.config.save_given || !matches!(key.kind, Kind::Save);
        let reading = Reading {
            current: slot,
            adds_up,
        };
        let value = Value::read_line(key, arguments, &reading)?;
        if let (true, Some(idle), Some(reason)) = (key.fatal, key.idle, key.refusal)
            && value.show(key.kind) != idle.as_bytes()
        {
            return Err(reason.into());
        }
        *slot = value;
        if matches!(key.kind, Kind::Save) {
            self.config.save_given = true;
        }
        Ok(())
    }

    fn read_instruction(
        &mut self,
        line: Line,
        arguments: &[&[u8]],
        depth: usize,
    ) -> Result<(), LineError> {
        match (line, arguments) {
            (Line::Include, [path]) => self.include(path, depth),
            (Line::RenameCommand, [from, to]) => self.rename(from, to),
            (Line::User, [name, rules @ ..]) => {
                self.read_user(name, rules)?;
                Ok(())
            }
            (Line::LoadModule, [_, ..]) => {
                Err("This server has no modules: remove the 'loadmodule' line".into())
            }
            (Line::Obsolete, [_]) => Ok(()),
            (Line::Sentinel, _) => Err("sentinel directive while not in sentinel mode".into()),
            _ => Err("Bad directive or wrong number of arguments".into()),
        }
    }

    /// Checked here, so that the error tells the line; applied when the server starts.
    fn read_user(&mut self, name: &[u8], rules: &[&[u8]]) -> Result<(), String> {
        if !is_plain_name(name) {
            return Err("Usernames can't contain spaces or null characters".to_owned());
        }
        if self.config.users.iter().any(|(known, _)| *known == *name) {
            return Err(
                "Duplicate user found. A user can only be defined once in config files".to_owned(),
            );
        }
        let table = self.table.get_or_insert_with(|| {
            let engine = dunlin_engine::commands::FAMILIES.iter();
            let families: Vec<_> = engine.chain(crate::commands::FAMILIES).copied().collect();
            Table::new(&families)
        });
        let rules = merge_selectors(rules).map_err(|at| {
            let start = String::from_utf8_lossy(rules[at]).into_owned();
            format!("Unmatched parenthesis in acl selector starting at '{start}'.")
        })?;
        let mut made = Rules::new(table, false);
        for rule in &rules {
            made.apply(rule, table, false)
                .map_err(|error| error.to_string())?;
        }
        self.config.users.push((name.to_vec(), rules));
        Ok(())
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), LineError> {
        let names = self.names.get_or_insert_default();
        if !names.rename(from, to)? {
            self.remarks.push(format!(
                "rename-command: this server has no command '{}'",
                String::from_utf8_lossy(from)
            ));
        }
        let renamed = (from.to_vec(), to.to_vec());
        self.config.renamed_commands.push(renamed);
        Ok(())
    }

    fn include(&mut self, path: &[u8], depth: usize) -> Result<(), LineError> {
        if depth == INCLUDE_DEPTH_MAX {
            return Err(format!(
                "include nested deeper than {INCLUDE_DEPTH_MAX}: does it include itself?"
            )
            .into());
        }
        // Redis has entered `dir` by now, if a line above named one.
        let path = self.config.dir().join(OsStr::from_bytes(path));
        for path in source::expand(&path) {
            self.read_file(&path, depth + 1)
                .map_err(LineError::Included)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        if self.config.yes("cluster-enabled") && self.config.replica_of().is_some() {
            return Err(ConfigError::Conflict {
                reason: "replicaof directive not allowed in cluster mode",
            });
        }
        self.config.clamp();
        let warnings = self.warnings();
        Ok(Loaded {
            config: self.config,
            warnings,
        })
    }

    /// Names each key that was given and has no effect once, those with consequences in a line of their own.
    fn warnings(&self) -> Vec<String> {
        use super::key::Status;
        let (mut lines, mut accepted, mut moot) = (self.remarks.clone(), Vec::new(), Vec::new());
        for (index, entry) in TABLE.iter().enumerate() {
            if !self.given[index] || entry.status == Status::Acted {
                continue;
            }
            let shown = self.config.values[index].show(entry.kind);
            if entry.idle.is_some_and(|idle| shown == idle.as_bytes()) {
                continue;
            }
            match (entry.status, entry.missing) {
                (_, Some(consequence)) => {
                    lines.push(format!("'{}' is set, but {consequence}", entry.name))
                }
                (Status::Moot, None) => moot.push(entry.name),
                (_, None) => accepted.push(entry.name),
            }
        }
        if !accepted.is_empty() {
            lines.push(format!(
                "Accepted but not acted on yet: {}",
                accepted.join(", ")
            ));
        }
        if !moot.is_empty() {
            lines.push(format!(
                "Accepted; nothing here depends on: {}",
                moot.join(", ")
            ));
        }
        lines
    }
}

/// The reason for a directive that nobody knows, with the nearest name.
fn unknown(name: &[u8]) -> String {
    const REASON: &str = "Bad directive or wrong number of arguments";
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    if let Some((known, value)) = name.split_once('=')
        && table::find(known.as_bytes()).is_some()
    {
        return format!("{REASON}: unknown directive; did you mean '{known} {value}'?");
    }
    match table::nearest(&name) {
        Some(nearest) => format!("{REASON}: unknown directive; did you mean '{nearest}'?"),
        None => format!("{REASON}: unknown directive"),
    }
}

/// A line as an error shows it: without the value of a secret, without control characters, and not too long.
fn shown(line: &[u8]) -> String {
    let name = line
        .split(|byte| byte.is_ascii_whitespace())
        .next()
        .unwrap_or_default();
    if table::find(name).is_some_and(|found| found.key.secret) {
        return format!("{} ...", String::from_utf8_lossy(name));
    }
    let cut = &line[..line.len().min(SHOWN_LENGTH_MAX_BYTES)];
    let mut text: String = String::from_utf8_lossy(cut)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if cut.len() < line.len() {
        text.push_str("...");
    }
    text
}

impl Config {
    /// Redis reads rates of housekeeping from 0 on, and uses 1 to 500.
    pub(super) fn clamp(&mut self) {
        const HZ_MAX: i64 = 500;
        let index = table::index_of("hz");
        if let Value::Integer(hz) = &mut self.values[index] {
            *hz = (*hz).clamp(1, HZ_MAX);
        }
    }
}
