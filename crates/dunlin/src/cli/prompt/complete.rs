//! What a line can be completed to, from the command table.

use dunlin_server::commands::{self, Command};

/// Lines that begin like `line`: commands, subcommands of what stands there, topics of `help`.
pub(super) fn candidates(line: &str) -> Vec<String> {
    let (before, typed) = match line
        .strip_prefix("help ")
        .or_else(|| line.strip_prefix("HELP "))
    {
        Some(typed) => (&line[..line.len() - typed.len()], typed),
        None => ("", line),
    };
    let lower = typed.trim_start().to_lowercase();
    let mut found = Vec::new();
    if !before.is_empty() {
        let mut groups: Vec<String> = commands::all()
            .map(|command| format!("@{}", command.group))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        found.extend(groups.into_iter().filter(|group| group.starts_with(&lower)));
    }
    let mut names: Vec<String> = commands::all().flat_map(names).collect();
    names.sort_unstable();
    found.extend(names.into_iter().filter(|name| name.starts_with(&lower)));
    // Letters as the user began them.
    let upper = typed.chars().any(|letter| letter.is_ascii_uppercase()) || typed.is_empty();
    let cased = found.into_iter().map(|name| {
        if upper && !name.starts_with('@') {
            name.to_uppercase()
        } else {
            name
        }
    });
    cased.map(|name| format!("{before}{name}")).collect()
}

/// The name of a command and of each of its subcommands, as typed.
pub(super) fn names(command: &'static Command) -> impl Iterator<Item = String> {
    let subcommands = command.subcommands.iter();
    let subcommands = subcommands.map(|subcommand| subcommand.full_name.replace('|', " "));
    std::iter::once(command.name.to_owned()).chain(subcommands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_subcommands_and_topics() {
        assert!(candidates("getr").contains(&"getrange".to_owned()));
        assert_eq!(candidates("CONFIG RES"), ["CONFIG RESETSTAT"]);
        assert!(candidates("help @str").contains(&"help @string".to_owned()));
        assert!(candidates("help xrang").contains(&"help xrange".to_owned()));
        assert!(candidates("get key").is_empty());
    }
}
