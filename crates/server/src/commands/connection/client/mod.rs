//! CLIENT: this connection and the others, as the server knows them. <https://redis.io/commands/client-list>

mod kill;
mod list;
mod pause;
mod reply;
mod switch;
mod tracking;
mod unblock;

use std::sync::Arc;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::commands::server::help;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::is_plain;
use crate::clients::{Buffered, Client, Texts};
use crate::host::host;

/// CLIENT.
pub(super) const CLIENT: Command = Command {
    name: "client",
    full_name: "client",
    arity: -2,
    categories: Categories::SLOW,
    group: "connection",
    since: "2.4.0",
    complexity: "Depends on the subcommand",
    summary: "Tells and sets what is known of client connections.",
    subcommands: &[
        &tracking::CACHING,
        &GETNAME,
        &tracking::GETREDIR,
        &HELP,
        &ID,
        &INFO,
        &kill::KILL,
        &list::LIST,
        &switch::NO_EVICT,
        &switch::NO_TOUCH,
        &pause::PAUSE,
        &reply::REPLY,
        &SETINFO,
        &SETNAME,
        &tracking::TRACKING,
        &tracking::TRACKINGINFO,
        &unblock::UNBLOCK,
        &pause::UNPAUSE,
    ],
    ..Command::BASE
};

const GETNAME: Command = Command {
    since: "2.6.9",
    summary: "Returns the name of this connection.",
    ..FAMILY.subcommand("getname", "client|getname", getname)
};

const HELP: Command = Command {
    full_name: "client|help",
    categories: Categories::SLOW.and(Categories::CONNECTION),
    group: "connection",
    ..help::HELP
};

const ID: Command = Command {
    since: "5.0.0",
    summary: "Returns the number of this connection, which no other ever had.",
    ..FAMILY.subcommand("id", "client|id", id)
};

const INFO: Command = Command {
    since: "6.2.0",
    summary: "Describes this connection in one line.",
    tips: &["nondeterministic_output"],
    ..FAMILY.subcommand("info", "client|info", info)
};

const SETINFO: Command = Command {
    arity: 4,
    since: "7.2.0",
    summary: "Tells the name or version of the client library.",
    tips: TO_ALL,
    arguments: &[Argument::one_of(
        "attr",
        &[
            Argument::new("libname", ArgKind::String).with_token("lib-name"),
            Argument::new("libver", ArgKind::String).with_token("lib-ver"),
        ],
    )],
    ..FAMILY.subcommand("setinfo", "client|setinfo", setinfo)
};

const SETNAME: Command = Command {
    arity: 3,
    since: "2.6.9",
    summary: "Names this connection; an empty name takes the name away.",
    tips: TO_ALL,
    arguments: &[Argument::new("connection-name", ArgKind::String)],
    ..FAMILY.subcommand("setname", "client|setname", setname)
};

const TO_ALL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// What the subcommands have in common.
const FAMILY: Command = Command {
    arity: 2,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::CONNECTION),
    group: "connection",
    ..Command::BASE
};

/// What those for administrators have in common.
const ADMIN: Command = Command {
    flags: FAMILY.flags.and(Flags::ADMIN),
    categories: FAMILY
        .categories
        .and(Categories::ADMIN)
        .and(Categories::DANGEROUS),
    ..FAMILY
};

/// The record of the client that runs this command, with what it is just doing. `None` for a session without a connection.
fn running(cx: &mut Ctx<'_>) -> Option<Arc<Client>> {
    let id = cx.session.id;
    let (argv, request) = (cx.args.iter().map(<[u8]>::len).sum(), request_bytes(cx));
    let command = cx
        .engine
        .table
        .iter_all()
        .find(|(_, c)| std::ptr::eq(*c, cx.command));
    let host = host(cx);
    let client = host.shared.clients.find(id)?;
    let waiting = host.input_len;
    client.publish_session(cx.session, command.map(|(id, _)| id));
    // The command that runs is still in the buffer, which is lent by the loop.
    client.set_buffered(Buffered {
        input: request + waiting,
        argv,
        room: request + waiting,
    });
    Some(client)
}

fn id(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.integer(cx.session.id as i64);
    Ok(Flow::Done)
}

fn getname(cx: &mut Ctx<'_>) -> Outcome {
    if cx.session.name.is_empty() {
        cx.reply.null();
    } else {
        cx.reply.bulk(&cx.session.name);
    }
    Ok(Flow::Done)
}

fn setname(cx: &mut Ctx<'_>) -> Outcome {
    let name = cx.args.at(2);
    check_name(name)?;
    cx.session.name = name.into();
    publish_name(cx);
    cx.reply.ok();
    Ok(Flow::Done)
}

/// Names stand between blanks in CLIENT INFO, so they must not hold any.
pub(super) fn check_name(name: &[u8]) -> Result<(), ReplyError> {
    if is_plain(name) {
        return Ok(());
    }
    Err(ReplyError::err(
        "Client names cannot contain spaces, newlines or special characters.",
    ))
}

fn setinfo(cx: &mut Ctx<'_>) -> Outcome {
    let (attribute, value) = (cx.args.at(2), cx.args.at(3));
    let is_name = match attribute.to_ascii_lowercase().as_slice() {
        b"lib-name" => true,
        b"lib-ver" => false,
        _ => {
            let shown = String::from_utf8_lossy(attribute);
            return Err(ReplyError::err(format!("Unrecognized option '{shown}'")));
        }
    };
    if !is_plain(value) {
        let shown = String::from_utf8_lossy(attribute);
        return Err(ReplyError::err(format!(
            "{shown} cannot contain spaces, newlines or special characters."
        )));
    }
    edit_texts(
        cx,
        |Texts {
             lib: (name, version),
             ..
         }| {
            *(if is_name { name } else { version }) = value.into();
        },
    );
    cx.reply.ok();
    Ok(Flow::Done)
}

/// Shows the name of this client to the others.
pub(super) fn publish_name(cx: &mut Ctx<'_>) {
    let name = cx.session.name.clone();
    edit_texts(cx, |texts| texts.name = name);
}

pub(in crate::commands) fn edit_texts(cx: &mut Ctx<'_>, edit: impl FnOnce(&mut Texts)) {
    let id = cx.session.id;
    if let Some(client) = host(cx).shared.clients.find(id) {
        client.edit_texts(edit);
    }
}

fn info(cx: &mut Ctx<'_>) -> Outcome {
    let mut text = String::new();
    if let Some(client) = running(cx) {
        text = list::line_of(cx, &client);
    }
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

/// Length of this command as clients send it.
fn request_bytes(cx: &Ctx<'_>) -> usize {
    let head = |n: usize| n.to_string().len() + 3;
    head(cx.args.len())
        + cx.args
            .iter()
            .map(|a| head(a.len()) + a.len() + 2)
            .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn names() {
        check(
            "CLIENT ID; 2> CLIENT ID; CLIENT GETNAME; CLIENT SETNAME me; CLIENT GETNAME; CLIENT SETNAME 'a b'; \
             CLIENT GETNAME; CLIENT SETNAME ''; CLIENT GETNAME",
            "1; 2; nil; OK; me; \
             (error) ERR Client names cannot contain spaces, newlines or special characters.; me; OK; nil",
        );
    }

    #[test]
    fn help_is_written_from_the_table() {
        let help = Console::default().run("CLIENT HELP");
        assert!(help.contains("SETNAME <connection-name>"), "{help}");
    }

    #[test]
    fn libraries() {
        check(
            "CLIENT SETINFO lib-name redis-py; CLIENT SETINFO LIB-VER 1.2; CLIENT SETINFO lib-ver 'a b'; \
             CLIENT SETINFO other x; CLIENT SETINFO lib-name; CLIENT NOSUCH; CLIENT",
            "OK; OK; (error) ERR lib-ver cannot contain spaces, newlines or special characters.; \
             (error) ERR Unrecognized option 'other'; \
             (error) ERR wrong number of arguments for 'client|setinfo' command; \
             (error) ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.; \
             (error) ERR wrong number of arguments for 'client' command",
        );
        let info = Console::default().run(
            "CLIENT SETINFO lib-name redis-py; CLIENT SETINFO lib-ver 1.2; RESET; CLIENT INFO",
        );
        assert!(info.ends_with("lib-name=redis-py lib-ver=1.2\\n"), "{info}");
    }

    #[test]
    fn the_line_of_this_connection() {
        let mut console = Console::default();
        console.session(1).peer.remote = Some(([127, 0, 0, 1], 4000).into());
        console.session(1).peer.opened_ms = dunlin_engine::testing::START_MS;
        let info = console.run("+2500ms; CLIENT SETNAME me; SELECT 2; CLIENT INFO");
        for field in [
            " id=1 addr=127.0.0.1:4000 laddr=?:0 ",
            " name=me age=2 idle=0 flags=N db=2 ",
            " multi=-1 qbuf=26 ",
            " cmd=client|info user=default redir=-1 resp=2 ",
        ] {
            assert!(info.contains(field), "{info} lacks {field}");
        }
    }
}
