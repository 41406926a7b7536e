//! `help`: how to use the prompt, a command, or the commands of a group, from the command table.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use dunlin_server::commands::{self, Command};

use super::hints;

/// Shown for `help` alone.
const GENERAL: &str = "\
help <command>       syntax and meaning of a command
help @<group>        the commands of a group; help <tab> names them
:set hints | nohints show the syntax of what is being typed, or not
:set table on | off  show hashes and scores as tables, or not
<n> <command>        send a command n times
connect <host> <port>, clear, quit

What is set in ~/.dunlinclirc, one :set a line, is set from the beginning.
";

/// Prints help on these words.
///
/// # Errors
/// When standard output is broken.
pub(in crate::cli) fn print(words: &[Vec<u8>]) -> Result<()> {
    let topic: Vec<String> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_lowercase())
        .collect();
    let mut stdout = io::stdout().lock();
    if topic.is_empty() {
        write!(stdout, "{GENERAL}")?;
        return Ok(());
    }
    let topic = topic.join(" ");
    let group = topic.strip_prefix('@');
    let colours = stdout.is_terminal();
    let mut found = false;
    for command in commands::all() {
        let subcommands = command.subcommands.iter().copied();
        for command in std::iter::once(command).chain(subcommands) {
            let name = command.full_name.replace('|', " ");
            let fits = match group {
                Some(group) => command.group == group,
                None => name == topic || name.starts_with(&format!("{topic} ")),
            };
            if fits && (command.subcommands.is_empty() || group.is_none()) {
                write!(
                    stdout,
                    "{}",
                    described(command, &name, group.is_none(), colours)
                )?;
                found = true;
            }
        }
    }
    if !found {
        writeln!(stdout, "There is no command and no group '{topic}'.")?;
    }
    writeln!(stdout)?;
    Ok(())
}

fn described(command: &Command, name: &str, whole: bool, colours: bool) -> String {
    let paint = |code: &str, text: &str| match colours {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let syntax = hints::syntax(command.arguments);
    let mut text = format!(
        "\n  {} {}\n",
        paint("1", &name.to_uppercase()),
        paint("90", &syntax)
    );
    let mut fact = |label: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!(
                "  {} {value}\n",
                paint("33", &format!("{label}:"))
            ));
        }
    };
    fact("summary", command.summary);
    fact("since", command.since);
    if whole {
        fact("group", command.group);
        fact("complexity", command.complexity);
    }
    text
}
