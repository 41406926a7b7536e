//! ACL CAT | DRYRUN | GENPASS | WHOAMI. <https://redis.io/commands/acl-cat>

use std::fmt::Write;

use dunlin_engine::acl::category;
use dunlin_engine::command::{ArgKind, Argument, Categories};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Args, Command, Ctx, Flow, Outcome, ReplyError};

use super::{ADMIN, OPEN};
use crate::random::random_bytes;

/// ACL CAT.
pub(super) const CAT: Command = Command {
    arity: -2,
    complexity: "O(1)",
    summary: "Returns the categories of commands, or the commands of one.",
    arguments: &[Argument::new("category", ArgKind::String).optional()],
    ..OPEN.subcommand("cat", "acl|cat", cat)
};

/// ACL DRYRUN.
pub(super) const DRYRUN: Command = Command {
    arity: -4,
    since: "7.0.0",
    complexity: "O(1)",
    summary: "Tells whether a user could run a command, without running it.",
    arguments: &[
        Argument::new("username", ArgKind::String),
        Argument::new("command", ArgKind::String),
        Argument::new("arg", ArgKind::String).optional().multiple(),
    ],
    ..ADMIN.subcommand("dryrun", "acl|dryrun", dryrun)
};

/// ACL GENPASS.
pub(super) const GENPASS: Command = Command {
    arity: -2,
    complexity: "O(1)",
    summary: "Makes a password: 256 random bits, or as many as asked for, as hexadecimal digits.",
    arguments: &[Argument::new("bits", ArgKind::Integer).optional()],
    ..OPEN.subcommand("genpass", "acl|genpass", genpass)
};

/// ACL WHOAMI.
pub(super) const WHOAMI: Command = Command {
    complexity: "O(1)",
    summary: "Returns the name of the connection's user.",
    ..OPEN.subcommand("whoami", "acl|whoami", whoami)
};

fn cat(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 => {
            cx.reply.array(Categories::NAMES.len());
            for (_, name) in Categories::NAMES {
                cx.reply.bulk(name.as_bytes());
            }
        }
        3 => {
            let given = cx.args.at(2);
            let (wanted, _) = category(given).ok_or_else(|| {
                let shown = String::from_utf8_lossy(&given[..given.len().min(128)]);
                ReplyError::err(format!("Unknown category '{shown}'"))
            })?;
            let all = cx.engine.table.iter_all().map(|(_, command)| command);
            let found: Vec<&Command> = all
                .filter(|command| !command.is_hidden() && command.categories.has(wanted))
                .collect();
            cx.reply.array(found.len());
            for command in found {
                cx.reply.bulk(command.full_name.as_bytes());
            }
        }
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    }
    Ok(Flow::Done)
}

fn dryrun(cx: &mut Ctx<'_>) -> Outcome {
    let (name, table) = (cx.args.at(2), &cx.engine.table);
    let user = cx.engine.users.find(name).ok_or_else(|| {
        let shown = String::from_utf8_lossy(name);
        ReplyError::err(format!("User '{shown}' not found"))
    })?;
    let owned: Vec<&[u8]> = cx.args.from(3).collect();
    let owned = dunlin_engine::OwnedArgs::of(owned.iter().copied());
    let args: Args<'_> = owned.as_args();
    let id = table.id_of_call(args).ok_or_else(|| {
        let shown = String::from_utf8_lossy(args.at(0));
        ReplyError::err(format!("Command '{shown}' not found"))
    })?;
    let command = table.at(id);
    if !command.accepts(args.len()) {
        return Err(ReplyError::WrongArity(command.full_name));
    }
    match user.with_rules(|rules| rules.check(table, id, args)) {
        Ok(()) => cx.reply.ok(),
        Err(denial) => {
            let text = cx.engine.denial_text(id, args, denial, true);
            cx.reply.bulk(text.replacen('t', "T", 1).as_bytes());
        }
    }
    Ok(Flow::Done)
}

const BITS_DEFAULT: usize = 256;
const BITS_MAX: usize = 4_096;

fn genpass(cx: &mut Ctx<'_>) -> Outcome {
    let bits = match cx.args.len() {
        2 => BITS_DEFAULT,
        3 => {
            let bits = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
            usize::try_from(bits)
                .ok()
                .filter(|bits| (1..=BITS_MAX).contains(bits))
                .ok_or_else(|| {
                    ReplyError::err(format!(
                        "ACL GENPASS argument must be the number of bits for the output password, a positive number up to {BITS_MAX}"
                    ))
                })?
        }
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    };
    let digits = bits.div_ceil(4);
    let bytes = random_bytes(digits.div_ceil(2)).map_err(|error| {
        tracing::warn!("ACL GENPASS: no random numbers: {error}");
        ReplyError::err("No random numbers to be had")
    })?;
    let mut password = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(password, "{byte:02x}");
    }
    cx.reply.bulk(&password.as_bytes()[..digits]);
    Ok(Flow::Done)
}

fn whoami(cx: &mut Ctx<'_>) -> Outcome {
    match &cx.session.user {
        Some(user) => cx.reply.bulk(user.name()),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}
