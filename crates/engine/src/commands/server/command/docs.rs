//! COMMAND DOCS: what people want to know of a command; redis-cli's hints are made of it.

use super::lookup;
use crate::command::{ArgKind, Argument, Command};
use crate::reply::Reply;
use crate::{Ctx, Flow, Outcome};

/// COMMAND DOCS.
pub(super) fn docs(cx: &mut Ctx<'_>) -> Outcome {
    let table = &cx.engine.table;
    let wanted: Vec<&'static Command> = if cx.args.len() == 2 {
        table.iter().map(|(_, command)| command).collect()
    } else {
        cx.args
            .from(2)
            .filter_map(|name| lookup(table, name))
            .collect()
    };
    cx.reply.map(wanted.len());
    for command in wanted {
        cx.reply.bulk(command.full_name.as_bytes());
        write(&mut cx.reply, command);
    }
    Ok(Flow::Done)
}

fn field(reply: &mut Reply<'_>, name: &str, value: &str) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

fn write(reply: &mut Reply<'_>, command: &Command) {
    let optional = [
        command.deprecated.is_some(),
        command.deprecated.is_some(),
        command.deprecated.is_some(),
        !command.history.is_empty(),
        !command.arguments.is_empty(),
        command.shown_subcommands().next().is_some(),
    ];
    reply.map(4 + optional.into_iter().filter(|present| *present).count());
    field(reply, "summary", command.summary);
    field(reply, "since", command.since);
    field(reply, "group", command.group);
    field(reply, "complexity", command.complexity);
    if let Some((since, instead)) = command.deprecated {
        reply.bulk(b"doc_flags");
        reply.set(1);
        reply.simple("deprecated");
        field(reply, "deprecated_since", since);
        field(reply, "replaced_by", instead);
    }
    if !command.history.is_empty() {
        reply.bulk(b"history");
        reply.set(command.history.len());
        for (version, change) in command.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !command.arguments.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(reply, command.arguments);
    }
    let subcommands = command.shown_subcommands();
    if subcommands.clone().next().is_some() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.clone().count());
        for subcommand in subcommands {
            reply.bulk(subcommand.full_name.as_bytes());
            write(reply, subcommand);
        }
    }
}

fn write_arguments(reply: &mut Reply<'_>, arguments: &[Argument]) {
    reply.array(arguments.len());
    arguments
        .iter()
        .for_each(|argument| write_argument(reply, argument));
}

fn write_argument(reply: &mut Reply<'_>, argument: &Argument) {
    let (kind, key_spec) = match argument.kind {
        ArgKind::String => ("string", None),
        ArgKind::Integer => ("integer", None),
        ArgKind::Double => ("double", None),
        ArgKind::Key(spec) => ("key", Some(spec)),
        ArgKind::Pattern => ("pattern", None),
        ArgKind::UnixTime => ("unix-time", None),
        ArgKind::Token => ("pure-token", None),
        ArgKind::OneOf => ("oneof", None),
        ArgKind::Block => ("block", None),
    };
    let nested = matches!(argument.kind, ArgKind::OneOf | ArgKind::Block);
    let flags = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ];
    let flags = flags.iter().filter(|(set, _)| *set);
    let optional = [
        key_spec.is_some(),
        !argument.token.is_empty(),
        !argument.since.is_empty(),
        flags.clone().count() > 0,
    ];
    // Name, type, and either the text that is shown or the inner arguments.
    reply.map(3 + optional.into_iter().filter(|present| *present).count());
    field(reply, "name", argument.name);
    field(reply, "type", kind);
    if !nested {
        let is_shown_otherwise = !argument.shown.is_empty();
        let shown = if is_shown_otherwise {
            argument.shown
        } else {
            argument.name
        };
        field(reply, "display_text", shown);
    }
    if let Some(spec) = key_spec {
        reply.bulk(b"key_spec_index");
        reply.count(spec);
    }
    if !argument.token.is_empty() {
        field(reply, "token", argument.token);
    }
    if !argument.since.is_empty() {
        field(reply, "since", argument.since);
    }
    if flags.clone().count() > 0 {
        reply.bulk(b"flags");
        reply.set(flags.clone().count());
        flags.for_each(|(_, name)| reply.simple(name));
    }
    if nested {
        reply.bulk(b"arguments");
        write_arguments(reply, argument.inner);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn one_command_as_redis_documents_it() {
        check(
            "COMMAND DOCS pexpireat",
            "[pexpireat [summary Lets a key expire at a time in milliseconds since 1970. since 2.6.0 group generic \
             complexity O(1) history [[7.0.0 Takes NX, XX, GT and LT.]] arguments [\
             [name key type key display_text key key_spec_index 0] \
             [name unix-time-milliseconds type unix-time display_text unix-time-milliseconds] \
             [name condition type oneof since 7.0.0 flags [optional] arguments [\
             [name nx type pure-token display_text nx token NX] [name xx type pure-token display_text xx token XX] \
             [name gt type pure-token display_text gt token GT] [name lt type pure-token display_text lt token LT]]]]]]",
        );
        check("COMMAND DOCS nosuch", "[]");
        check(
            "COMMAND DOCS quit",
            "[quit [summary Closes the connection. since 1.0.0 group connection complexity O(1) doc_flags [deprecated] \
             deprecated_since 7.2.0 replaced_by just closing the connection]]",
        );
    }

    #[test]
    fn subcommands_have_their_full_names() {
        let reply = Console::default().run("COMMAND DOCS object");
        assert!(
            reply.contains("subcommands [object|encoding [summary "),
            "{reply}"
        );
        let reply = Console::default().run("COMMAND DOCS object|freq");
        assert!(reply.starts_with("[object|freq [summary "), "{reply}");
    }

    #[test]
    fn maps_in_the_newer_protocol() {
        let mut console = Console::default();
        resp3(&mut console);
        let reply = console.run("COMMAND DOCS time");
        assert!(reply.starts_with("{time {summary "), "{reply}");
        // Every element is counted right, or this would not parse.
        let all = console.run("COMMAND DOCS");
        assert!(all.contains("getkeysandflags"));
    }

    #[test]
    fn every_command_is_documented() {
        let console = Console::default();
        for (_, command) in console.engine.table.iter_all() {
            let name = command.full_name;
            assert!(
                command.summary.ends_with('.'),
                "{name}: the summary is a sentence"
            );
            assert!(
                !command.complexity.is_empty() && !command.since.is_empty(),
                "{name}"
            );
            assert!(name.ends_with(command.name), "{name}");
            assert!(command.categories.0 != 0, "{name} is in no category");
        }
    }
}
