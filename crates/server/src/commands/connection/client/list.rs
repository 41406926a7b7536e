//! CLIENT LIST [TYPE type] [ID id ...]: a line for each client. <https://redis.io/commands/client-list>

use std::sync::Arc;

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::{ADMIN, running};
use crate::clients::{Class, Client, Context, Filter};
use crate::host::host;

pub(super) const TYPES: &[Argument] = &[
    Argument::token("normal", "NORMAL"),
    Argument::token("master", "MASTER"),
    Argument::token("replica", "REPLICA"),
    Argument::token("pubsub", "PUBSUB"),
];

/// CLIENT LIST.
pub(super) const LIST: Command = Command {
    arity: -2,
    since: "2.4.0",
    complexity: "O(N) for N clients",
    summary: "Describes clients, one in a line.",
    history: &[
        ("2.8.12", "Shows unique numbers."),
        ("5.0.0", "Takes TYPE."),
        ("6.0.0", "Shows users."),
        ("6.2.0", "Takes ID, shows both addresses."),
        ("7.0.0", "Shows memory in more detail."),
        ("7.0.3", "Shows the protocol version."),
    ],
    tips: &["nondeterministic_output", "request_policy:all_nodes"],
    arguments: &[
        Argument::one_of("client-type", TYPES)
            .with_token("TYPE")
            .optional()
            .since("5.0.0"),
        Argument::new("client-id", ArgKind::Integer)
            .with_token("ID")
            .optional()
            .multiple()
            .since("6.2.0"),
    ],
    ..ADMIN.subcommand("list", "client|list", list)
};

fn list(cx: &mut Ctx<'_>) -> Outcome {
    let mut filter = Filter::default();
    let mut ids = None;
    match cx.args.len() {
        2 => {}
        4 if cx.args.is(2, "type") => filter.class = Some(class(cx.args.at(3))?),
        4.. if cx.args.is(2, "id") => {
            let parsed = cx
                .args
                .from(3)
                .map(|arg| parse_i64(arg).ok_or_else(|| ReplyError::err("Invalid client ID")));
            ids = Some(parsed.collect::<Result<Vec<i64>, _>>()?);
        }
        _ => return Err(ReplyError::Syntax),
    }
    // The line of this client says what it is just doing.
    let _ = running(cx);
    let clients = &host(cx).shared.clients;
    let chosen: Vec<Arc<Client>> = match ids {
        None => clients.all(),
        Some(ids) => ids
            .into_iter()
            .filter_map(|id| clients.find(u64::try_from(id).ok()?))
            .collect(),
    };
    let text = with_context(cx, |context| {
        let mut text = String::new();
        for client in chosen.iter().filter(|c| filter.matches(c, context)) {
            text.push_str(&crate::clients::line(client, context));
            text.push('\n');
        }
        text
    });
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

/// A class of clients by its name.
pub(super) fn class(name: &[u8]) -> Result<Class, ReplyError> {
    Class::named(name).ok_or_else(|| {
        let shown = String::from_utf8_lossy(name);
        ReplyError::err(format!("Unknown client type '{shown}'"))
    })
}

/// The line of one client, with its line end.
pub(super) fn line_of(cx: &mut Ctx<'_>, client: &Client) -> String {
    with_context(cx, |context| crate::clients::line(client, context) + "\n")
}

/// Calls `f` with what lines and filters need.
pub(super) fn with_context<T>(cx: &mut Ctx<'_>, f: impl FnOnce(&Context<'_>) -> T) -> T {
    let (engine, now_ms) = (cx.engine, cx.keys.now_ms());
    let host = host(cx);
    let socket = host.shared.socket_path();
    f(&Context {
        table: &engine.table,
        tracking: &engine.tracking,
        socket: &socket,
        now_ms,
        now_mono_ms: host.clock.monotonic_us() / 1_000,
    })
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn everybody_in_the_order_of_coming() {
        let mut console = Console::default();
        console
            .run("CLIENT SETNAME one; 2> CLIENT SETNAME two; 2> SELECT 3; 2> MULTI; 2> SET a bc");
        let list = console.run("CLIENT LIST");
        let (one, two) = list.split_once("\\n").expect("two lines");
        assert!(one.contains("id=1 ") && one.contains(" name=one "), "{one}");
        assert!(one.contains(" cmd=client|list "), "{one}");
        for field in [
            "id=2 ",
            " name=two ",
            " db=3 ",
            " flags=x ",
            " multi=1 ",
            " multi-mem=6 ",
        ] {
            assert!(two.contains(field), "{two} lacks {field}");
        }
        let second = console.run("CLIENT LIST ID 7 2 0 -1 2");
        assert_eq!(second.matches("id=2 ").count(), 2, "{second}");
        assert!(!second.contains("id=1 "), "{second}");
        assert_eq!(console.run("CLIENT LIST TYPE pubsub"), "");
        assert_eq!(
            console
                .run("CLIENT LIST TYPE NORMAL")
                .matches("id=")
                .count(),
            2
        );
    }

    #[test]
    fn refusals() {
        check(
            "CLIENT LIST TYPE x; CLIENT LIST ID; CLIENT LIST ID x; CLIENT LIST x; CLIENT LIST TYPE normal ID 1",
            "(error) ERR Unknown client type 'x'; (error) ERR syntax error; (error) ERR Invalid client ID; \
             (error) ERR syntax error; (error) ERR syntax error",
        );
    }
}
