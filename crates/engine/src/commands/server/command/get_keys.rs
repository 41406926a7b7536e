//! COMMAND GETKEYS and GETKEYSANDFLAGS: which arguments of a command are keys.

use crate::command::{Command, Flags};
use crate::{Args, Ctx, Flow, Outcome, OwnedArgs, ReplyError};

/// A key's place among the arguments, and what its spec says of it.
type KeyAt = (usize, &'static [&'static str]);

/// COMMAND GETKEYS.
pub(super) fn get_keys(cx: &mut Ctx<'_>) -> Outcome {
    let (args, keys) = extract(cx)?;
    let args = args.as_args();
    cx.reply.array(keys.len());
    keys.iter().for_each(|(at, _)| cx.reply.bulk(args.at(*at)));
    Ok(Flow::Done)
}

/// COMMAND GETKEYSANDFLAGS.
pub(super) fn get_keys_and_flags(cx: &mut Ctx<'_>) -> Outcome {
    let (args, keys) = extract(cx)?;
    let args = args.as_args();
    cx.reply.array(keys.len());
    for (at, flags) in &keys {
        cx.reply.array(2);
        cx.reply.bulk(args.at(*at));
        cx.reply.set(flags.len());
        flags.iter().for_each(|flag| cx.reply.simple(flag));
    }
    Ok(Flow::Done)
}

fn extract(cx: &Ctx<'_>) -> Result<(OwnedArgs, Vec<KeyAt>), ReplyError> {
    let owned = OwnedArgs::of(cx.args.from(2));
    let args = owned.as_args();
    let command = find(cx, args).ok_or(ReplyError::GetKeysUnknownCommand)?;
    let specs = command.keys.iter().filter(|spec| spec.is_of_keys());
    if specs.clone().next().is_none() {
        return Err(ReplyError::GetKeysNoKeys);
    }
    if !command.accepts(args.len()) {
        return Err(ReplyError::GetKeysWrongArity);
    }
    let mut keys: Vec<KeyAt> = Vec::new();
    for spec in specs {
        let flags = spec.flags_in(command, args);
        let fits = spec.for_each(args, |at| keys.push((at, flags)));
        // What can do without keys may say so, or say anything.
        if !fits && !command.flags.has(Flags::NO_MANDATORY_KEYS) {
            return Err(ReplyError::GetKeysInvalidArguments);
        }
    }
    // A command whose only keys stand behind a keyword that is not there.
    if keys.is_empty() && !command.flags.has(Flags::MOVABLEKEYS) {
        return Err(ReplyError::GetKeysInvalidArguments);
    }
    Ok((owned, keys))
}

fn find(cx: &Ctx<'_>, args: Args<'_>) -> Option<&'static Command> {
    let table = &cx.engine.table;
    let id = table.id_of(args.at(0))?;
    match args.get(1) {
        Some(name) if !table.at(id).subcommands.is_empty() => {
            Some(table.at(table.subcommand(id, name)?))
        }
        _ => Some(table.at(id)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn keys_by_the_specs() {
        check(
            "COMMAND GETKEYS GET key; COMMAND GETKEYS del a b c; COMMAND GETKEYS copy a b DB 1; \
             COMMAND GETKEYS object encoding k",
            "[key]; [a b c]; [a b]; [k]",
        );
    }

    #[test]
    fn flags_of_keys() {
        check(
            "COMMAND GETKEYSANDFLAGS set k v; COMMAND GETKEYSANDFLAGS SET k v XX GET; COMMAND GETKEYSANDFLAGS rename a b; \
             COMMAND GETKEYSANDFLAGS bitfield k GET u8 0",
            "[[k [OW update]]]; [[k [RW access update]]]; [[a [RW access delete]] [b [OW update]]]; [[k [RO access]]]",
        );
    }

    #[test]
    fn scripts_may_have_none() {
        check(
            "COMMAND GETKEYS eval text 0; COMMAND GETKEYS fcall name 0 argument; COMMAND GETKEYS evalsha digest 2 a b c; \
             COMMAND GETKEYS zunion 0 a",
            "[]; []; [a b]; (error) ERR Invalid arguments specified for command",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "COMMAND GETKEYS nosuch a; COMMAND GETKEYS ping; COMMAND GETKEYS get; COMMAND GETKEYS object nosuch k; \
             COMMAND GETKEYS object; COMMAND GETKEYS",
            "(error) ERR Invalid command specified; (error) ERR The command has no key arguments; \
             (error) ERR Invalid number of arguments specified for command; (error) ERR Invalid command specified; \
             (error) ERR The command has no key arguments; \
             (error) ERR wrong number of arguments for 'command|getkeys' command",
        );
    }
}
