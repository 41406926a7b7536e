//! COMMAND and its subcommands: the command table, told to clients. <https://redis.io/commands/command>
//!
//! Everything is read from the table of [`Command`] constants; the shapes of the replies are those of Redis 7.2.

mod docs;
mod get_keys;
mod info;
mod list;

use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::commands::server::help;
use crate::{Ctx, Flow, Outcome, Table};

/// COMMAND.
pub(super) const COMMAND: Command = Command {
    arity: -1,
    since: "2.8.13",
    complexity: "O(N) in the number of commands",
    summary: "Describes all commands.",
    tips: &["nondeterministic_output_order"],
    subcommands: &[
        &COUNT,
        &DOCS,
        &GETKEYS,
        &GETKEYSANDFLAGS,
        &HELP,
        &INFO,
        &LIST,
    ],
    ..FAMILY.subcommand("command", "command", info::all)
};

const COUNT: Command = Command {
    arity: 2,
    since: "2.8.13",
    summary: "Returns the number of commands.",
    ..FAMILY.subcommand("count", "command|count", count)
};

const DOCS: Command = Command {
    complexity: "O(N) in the number of commands asked for",
    summary: "Documents some or all commands.",
    tips: &["nondeterministic_output_order"],
    arguments: &[Argument::new("command-name", ArgKind::String)
        .optional()
        .multiple()],
    ..FAMILY.subcommand("docs", "command|docs", docs::docs)
};

const GETKEYS: Command = Command {
    arity: -3,
    since: "2.8.13",
    complexity: "O(N) in the number of arguments",
    summary: "Picks the keys out of a command's arguments.",
    arguments: &[
        Argument::new("command", ArgKind::String),
        Argument::new("arg", ArgKind::String).optional().multiple(),
    ],
    ..FAMILY.subcommand("getkeys", "command|getkeys", get_keys::get_keys)
};

const GETKEYSANDFLAGS: Command = Command {
    name: "getkeysandflags",
    full_name: "command|getkeysandflags",
    since: "7.0.0",
    summary: "Picks the keys out of a command's arguments and tells what happens to them.",
    handler: get_keys::get_keys_and_flags,
    ..GETKEYS
};

const HELP: Command = Command {
    name: "help",
    full_name: "command|help",
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::CONNECTION),
    group: "server",
    since: "5.0.0",
    ..help::HELP
};

const INFO: Command = Command {
    since: "2.8.13",
    complexity: "O(N) in the number of commands asked for",
    summary: "Describes some or all commands.",
    tips: &["nondeterministic_output_order"],
    history: &[("7.0.0", "Describes all commands when none is named.")],
    arguments: &[Argument::new("command-name", ArgKind::String)
        .optional()
        .multiple()],
    ..FAMILY.subcommand("info", "command|info", info::info)
};

const LIST: Command = Command {
    complexity: "O(N) in the number of commands",
    summary: "Returns the names of all commands, or of those that a filter lets through.",
    tips: &["nondeterministic_output_order"],
    arguments: &[Argument::one_of(
        "filterby",
        &[
            Argument::new("module-name", ArgKind::String).with_token("MODULE"),
            Argument::new("category", ArgKind::String).with_token("ACLCAT"),
            Argument::new("pattern", ArgKind::Pattern).with_token("PATTERN"),
        ],
    )
    .with_token("FILTERBY")
    .optional()],
    ..FAMILY.subcommand("list", "command|list", list::list)
};

/// What the subcommands have in common.
const FAMILY: Command = Command {
    arity: -2,
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::CONNECTION),
    group: "server",
    since: "7.0.0",
    ..Command::BASE
};

fn count(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.count(cx.engine.table.iter().count());
    Ok(Flow::Done)
}

/// The command or subcommand that a client names, `get` or `config|get`.
fn lookup(table: &Table, name: &[u8]) -> Option<&'static Command> {
    let command = table.at(table.id_of_full(name)?);
    (!command.is_hidden()).then_some(command)
}
