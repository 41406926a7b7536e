//! ACL: who may do what. <https://redis.io/commands/acl-list>

mod log;
mod storage;
mod tell;
mod users;

use dunlin_engine::Command;
use dunlin_engine::command::{Categories, Flags};
use dunlin_engine::commands::server::help;

/// ACL.
pub(super) const ACL: Command = Command {
    name: "acl",
    full_name: "acl",
    arity: -2,
    categories: Categories::SLOW,
    group: "server",
    since: "6.0.0",
    complexity: "Depends on the subcommand",
    summary: "Says who may do what.",
    subcommands: &[
        &tell::CAT,
        &users::DELUSER,
        &tell::DRYRUN,
        &tell::GENPASS,
        &users::GETUSER,
        &HELP,
        &users::LIST,
        &storage::LOAD,
        &log::LOG,
        &storage::SAVE,
        &users::SETUSER,
        &users::USERS,
        &tell::WHOAMI,
    ],
    ..Command::BASE
};

const HELP: Command = Command {
    full_name: "acl|help",
    categories: Categories::SLOW,
    group: "server",
    since: "6.0.0",
    ..help::HELP
};

/// Subcommands that tell everybody.
const OPEN: Command = Command {
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    categories: Categories::SLOW,
    group: "server",
    since: "6.0.0",
    ..Command::BASE
};

/// Subcommands for administrators.
const ADMIN: Command = Command {
    flags: OPEN.flags.and(Flags::ADMIN),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    ..OPEN
};
