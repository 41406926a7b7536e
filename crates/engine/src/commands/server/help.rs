//! HELP of every container command, written from the table: a line of syntax and a summary for each subcommand.

use std::fmt::Write;

use crate::command::{ArgKind, Argument, Command, Flags};
use crate::{Ctx, Flow, Outcome};

/// What a HELP subcommand starts from: name, groups and categories are its container's to fill in.
pub const HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: Flags::LOADING.and(Flags::STALE),
    since: "5.0.0",
    summary: "Describes the subcommands.",
    handler: help,
    ..Command::BASE
};

fn help(cx: &mut Ctx<'_>) -> Outcome {
    let container = cx.command.full_name.split('|').next().unwrap_or_default();
    // By its own name: clients may know it under another.
    let (_, command) = cx
        .engine
        .table
        .iter()
        .find(|(_, command)| command.name == container)
        .expect("a subcommand has a container");
    let subcommands = command.subcommands.iter().filter(|s| s.name != "help");
    let mut lines = vec![format!(
        "{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        container.to_ascii_uppercase()
    )];
    for subcommand in subcommands.copied().chain([cx.command]) {
        let name = subcommand.name.to_ascii_uppercase();
        lines.push(format!("{name}{}", syntax(subcommand.arguments)));
        lines.push(format!("    {}", subcommand.summary));
    }
    cx.reply.array(lines.len());
    for line in &lines {
        cx.reply.simple(line);
    }
    Ok(Flow::Done)
}

/// Arguments as a person reads them, each behind a space: ` <key> [MATCH <pattern>] [NX | XX]`.
pub fn syntax(arguments: &[Argument]) -> String {
    let mut text = String::new();
    for argument in arguments {
        text.push(' ');
        write_argument(&mut text, argument);
    }
    text
}

fn write_argument(text: &mut String, argument: &Argument) {
    if argument.optional {
        text.push('[');
    }
    let mut once = String::new();
    write_once(&mut once, argument);
    text.push_str(&once);
    if argument.multiple {
        let _ = write!(text, " [{once} ...]");
    }
    if argument.optional {
        text.push(']');
    }
}

fn write_once(text: &mut String, argument: &Argument) {
    text.push_str(argument.token);
    if argument.kind == ArgKind::Token {
        return;
    }
    if !argument.token.is_empty() {
        text.push(' ');
    }
    match argument.kind {
        ArgKind::OneOf => {
            // Without brackets of its own a choice would run into its neighbours.
            let bare = argument.optional && argument.token.is_empty();
            text.push_str(if bare { "" } else { "<" });
            for (i, choice) in argument.inner.iter().enumerate() {
                text.push_str(if i == 0 { "" } else { " | " });
                write_argument(text, choice);
            }
            text.push_str(if bare { "" } else { ">" });
        }
        ArgKind::Block => text.push_str(syntax(argument.inner).trim_start()),
        _ => {
            let _ = write!(text, "<{}>", argument.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::syntax;
    use crate::testing::Console;

    #[test]
    fn syntax_is_read_from_the_argument_tree() {
        let console = Console::default();
        let of = |name: &str| {
            let id = console
                .engine
                .table
                .id_of(name.as_bytes())
                .expect("a command");
            syntax(console.engine.table.at(id).arguments)
        };
        assert_eq!(
            of("scan"),
            " <cursor> [MATCH <pattern>] [COUNT <count>] [TYPE <type>]"
        );
        assert_eq!(of("expire"), " <key> <seconds> [NX | XX | GT | LT]");
        assert_eq!(of("del"), " <key> [<key> ...]");
    }

    #[test]
    fn every_container_with_help_describes_its_subcommands() {
        let mut console = Console::default();
        let engine = console.engine.clone();
        for (_, container) in engine
            .table
            .iter()
            .filter(|(_, c)| !c.subcommands.is_empty())
        {
            let name = container.name.to_ascii_uppercase();
            let reply = console.run(&format!("{name} HELP"));
            assert!(
                reply.starts_with(&format!("[{name} <subcommand>")),
                "{reply}"
            );
            for subcommand in container.subcommands {
                assert!(
                    reply.contains(&subcommand.name.to_ascii_uppercase()),
                    "{reply}"
                );
                assert!(reply.contains(subcommand.summary), "{reply}");
            }
        }
    }
}
