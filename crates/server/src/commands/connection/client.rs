//! CLIENT ID | GETNAME | SETNAME | SETINFO | INFO: this connection as the server knows it.
//! <https://redis.io/commands/client-info>

use std::fmt::Write;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags, Handler};
use dunlin_engine::commands::server::help;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};
use dunlin_resp::Version;

use super::is_plain;
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
    subcommands: &[&GETNAME, &HELP, &ID, &INFO, &SETINFO, &SETNAME],
    ..Command::BASE
};

const GETNAME: Command = Command {
    since: "2.6.9",
    summary: "Returns the name of this connection.",
    ..subcommand("getname", "client|getname", getname)
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
    ..subcommand("id", "client|id", id)
};

const INFO: Command = Command {
    since: "6.2.0",
    summary: "Describes this connection in one line.",
    tips: &["nondeterministic_output"],
    ..subcommand("info", "client|info", info)
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
    ..subcommand("setinfo", "client|setinfo", setinfo)
};

const SETNAME: Command = Command {
    arity: 3,
    since: "2.6.9",
    summary: "Names this connection; an empty name takes the name away.",
    tips: TO_ALL,
    arguments: &[Argument::new("connection-name", ArgKind::String)],
    ..subcommand("setname", "client|setname", setname)
};

const TO_ALL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const fn subcommand(name: &'static str, full_name: &'static str, handler: Handler) -> Command {
    Command {
        name,
        full_name,
        arity: 2,
        flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
        categories: Categories::SLOW.and(Categories::CONNECTION),
        group: "connection",
        handler,
        ..Command::BASE
    }
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
    let slot = match attribute.to_ascii_lowercase().as_slice() {
        b"lib-name" => &mut cx.session.lib.0,
        b"lib-ver" => &mut cx.session.lib.1,
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
    *slot = value.into();
    cx.reply.ok();
    Ok(Flow::Done)
}

fn info(cx: &mut Ctx<'_>) -> Outcome {
    let host = host(cx);
    let waiting = host.input_len;
    let socket = host
        .shared
        .config()
        .unixsocket()
        .map(|path| path.display().to_string());
    let mut line = line(cx, waiting, &socket.unwrap_or_default());
    line.push('\n');
    cx.reply.verbatim(line.as_bytes());
    Ok(Flow::Done)
}

/// The line of the connection that runs this command. `waiting` bytes of input stand behind it; `socket` is the path of
/// the Unix socket.
fn line(cx: &Ctx<'_>, waiting: usize, socket: &str) -> String {
    let (session, peer) = (&*cx.session, &cx.session.peer);
    let address = |address: Option<std::net::SocketAddr>| match address {
        Some(address) => address.to_string(),
        // Both ends of a Unix socket have the name of the server's.
        None if peer.unix => format!("{socket}:0"),
        None => "?:0".to_owned(),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let queue = session.transaction.as_ref().map(|t| &t.queue);
    let queued_bytes: usize = queue
        .iter()
        .flat_map(|q| q.iter())
        .map(|q| q.args.byte_len())
        .sum();
    let arg_bytes: usize = cx.args.iter().map(<[u8]>::len).sum();
    let mut line = String::with_capacity(320);
    let mut put = |name: &str, value: &dyn std::fmt::Display| {
        let blank = if line.is_empty() { "" } else { " " };
        let _ = write!(line, "{blank}{name}={value}");
    };
    put("id", &session.id);
    put("addr", &address(peer.remote));
    put("laddr", &address(peer.local));
    put("fd", &peer.descriptor);
    put("name", &text(&session.name));
    put(
        "age",
        &(cx.keys.now_ms().saturating_sub(peer.opened_ms) / 1_000),
    );
    put("idle", &0);
    put("flags", &flags(cx));
    put("db", &session.db);
    for none in ["sub", "psub", "ssub"] {
        put(none, &0);
    }
    put("multi", &queue.map_or(-1, |q| q.len() as i64));
    // The command that runs is still in the buffer, which is lent by the loop and has no room of its own.
    put("qbuf", &(request_bytes(cx) + waiting));
    put("qbuf-free", &0);
    put("argv-mem", &arg_bytes);
    put("multi-mem", &queued_bytes);
    // Replies are built in buffers of the worker, and what is not sent yet is nothing: the client waits for this reply.
    for none in ["rbs", "rbp", "obl", "oll", "omem"] {
        put(none, &0);
    }
    put(
        "tot-mem",
        &(size_of_val(session) + session.name.len() + queued_bytes + request_bytes(cx) + waiting),
    );
    put("events", &"r");
    put("cmd", &cx.command.full_name);
    put("user", &"default");
    put("redir", &-1);
    put(
        "resp",
        &if session.version == Version::Resp3 {
            3
        } else {
            2
        },
    );
    put("lib-name", &text(&session.lib.0));
    put("lib-ver", &text(&session.lib.1));
    line
}

fn flags(cx: &Ctx<'_>) -> String {
    let session = &*cx.session;
    let dirty = session.watches.as_ref().is_some_and(|w| w.flag.is_raised());
    let flags: String = [
        (session.in_transaction(), 'x'),
        (dirty, 'd'),
        (session.peer.unix, 'U'),
    ]
    .iter()
    .filter_map(|&(set, letter)| set.then_some(letter))
    .collect();
    if flags.is_empty() {
        "N".to_owned()
    } else {
        flags
    }
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
