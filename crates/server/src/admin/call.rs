//! `/api/command`: which commands may be given, and their replies as JSON.
//!
//! A lane has one request and one reply: what waits, what makes its connection a listener, and what changes how the connection
//! speaks is refused. Without `admin-allow-writes` all is refused that is not known to change nothing: what reads keys, and a list.
//!
//! Invariant: a command that is new to the table and does not say that it reads is refused until it is put on the list.

use dunlin_engine::table::Table;
use dunlin_engine::{Args, Command, Flags, OwnedArgs};
use dunlin_resp::Value as Reply;
use serde_json::{Value, json};

use super::http::{Request, Response};
use super::json;
use super::routes::Context;

/// A command on its way.
#[derive(Debug)]
pub(super) struct Call {
    /// The database.
    pub(super) db: u32,
    /// Its words.
    pub(super) arguments: Vec<Vec<u8>>,
    /// What is made of its reply.
    pub(super) show: fn(Reply) -> Response,
}

/// Commands that change nothing, though they do not read keys. `x|` stands for all subcommands of `x`.
const HARMLESS: &[&str] = &[
    "acl|cat",
    "acl|genpass",
    "acl|whoami",
    "client|getname",
    "client|getredir",
    "client|id",
    "client|info",
    "client|trackinginfo",
    "command",
    "command|",
    "echo",
    "function|list",
    "function|stats",
    "hotkeys",
    "info",
    "lolwut",
    "memory|doctor",
    "memory|malloc-stats",
    "memory|stats",
    "ping",
    "pubsub|",
    "script|exists",
    "time",
];

/// Commands that make of a connection what a lane cannot be, and why.
const UNFIT: &[(&[&str], &str)] = &[
    (
        &["multi", "exec", "discard", "watch", "unwatch"],
        "each request is a connection's turn of its own: transactions are not possible here",
    ),
    (
        &[
            "subscribe",
            "psubscribe",
            "ssubscribe",
            "unsubscribe",
            "punsubscribe",
            "sunsubscribe",
            "monitor",
            "sync",
            "psync",
            "replconf",
        ],
        "this command goes on sending: use a client on the data port",
    ),
    (
        &[
            "auth",
            "hello",
            "quit",
            "reset",
            "select",
            "asking",
            "readonly",
            "readwrite",
            "client|caching",
            "client|reply",
            "client|tracking",
        ],
        "this command is about the connection, which is the server's own here",
    ),
];

/// Reads the body of a request.
pub(super) fn read(cx: &Context<'_>, request: &Request<'_>) -> Result<Call, Response> {
    let malformed = |text: &str| Response::error(400, text);
    let form = r#"send {"db": 0, "arguments": ["GET", "key"]}; an argument that is no UTF-8 is {"base64": "..."}"#;
    let body: Value =
        serde_json::from_slice(request.body).map_err(|e| malformed(&format!("{e}: {form}")))?;
    let db = match body.get("db") {
        None => 0,
        Some(db) => {
            let db = db.as_u64().and_then(|db| u32::try_from(db).ok());
            db.ok_or_else(|| malformed(form))?
        }
    };
    let arguments = body.get("arguments").and_then(Value::as_array);
    let arguments: Option<Vec<Vec<u8>>> =
        arguments.and_then(|all| all.iter().map(json::read_bytes).collect());
    let arguments = arguments.filter(|all| !all.is_empty());
    let arguments = arguments.ok_or_else(|| malformed(form))?;
    let may_write = cx.shared.config().yes("admin-allow-writes");
    let owned = OwnedArgs::of(arguments.iter().map(Vec::as_slice));
    check(&cx.shared.engine.table, owned.as_args(), may_write)?;
    Ok(Call {
        db,
        arguments,
        show: show_reply,
    })
}

/// Whether these arguments may be sent. What no command is is for the engine to refuse.
fn check(table: &Table, args: Args<'_>, may_write: bool) -> Result<(), Response> {
    let Some(id) = table.id_of_call(args) else {
        return Ok(());
    };
    let command = table.at(id);
    let name = command.full_name;
    if let Some((_, why)) = UNFIT.iter().find(|(names, _)| names.contains(&name)) {
        return Err(Response::error(400, format!("{name}: {why}")));
    }
    if waits(command, args) {
        let text = format!("{name}: this command may wait: use a client on the data port");
        return Err(Response::error(400, text));
    }
    if may_write || changes_nothing(command) {
        return Ok(());
    }
    let text = format!(
        "{name}: commands that may write or administrate are refused here: set admin-allow-writes to yes to allow them"
    );
    Err(Response::error(403, text))
}

fn waits(command: &Command, args: Args<'_>) -> bool {
    match command.full_name {
        // They wait only if they are told to, in front of their keys.
        "xread" | "xreadgroup" => (1..args.len())
            .take_while(|&i| !args.is(i, "streams"))
            .any(|i| args.is(i, "block")),
        "wait" | "waitaof" => true,
        _ => command.flags.has(Flags::BLOCKING),
    }
}

fn changes_nothing(command: &Command) -> bool {
    let has = |flag| command.flags.has(flag);
    if has(Flags::WRITE) || has(Flags::ADMIN) {
        return false;
    }
    let name = command.full_name;
    let is_listed = |listed: &&str| match listed.ends_with('|') {
        true => name.starts_with(listed),
        false => name == *listed,
    };
    has(Flags::READONLY) || name.ends_with("|help") || HARMLESS.iter().any(is_listed)
}

/// `{"reply": ...}`.
fn show_reply(reply: Reply) -> Response {
    Response::json(&json!({ "reply": typed(reply) }))
}

/// A reply with its type beside it.
pub(super) fn typed(reply: Reply) -> Value {
    let all = |items: Vec<Reply>| Value::Array(items.into_iter().map(typed).collect());
    let (kind, value) = match reply {
        Reply::Simple(text) => ("simple", json::bytes(&text)),
        Reply::Error(text) | Reply::BulkError(text) => ("error", json::bytes(&text)),
        Reply::Integer(n) => ("integer", Value::from(n)),
        Reply::Bulk(bytes) => ("bulk", json::bytes(&bytes)),
        Reply::Null | Reply::NullArray => ("null", Value::Null),
        Reply::Array(items) => ("array", all(items)),
        Reply::Set(items) => ("set", all(items)),
        Reply::Push(items) => ("push", all(items)),
        Reply::Map(pairs) => {
            let pair = |(name, value)| Value::Array(vec![typed(name), typed(value)]);
            ("map", Value::Array(pairs.into_iter().map(pair).collect()))
        }
        // JSON has no infinity.
        Reply::Double(n) if n.is_finite() => ("double", Value::from(n)),
        Reply::Double(n) => ("double", Value::from(n.to_string())),
        Reply::Boolean(yes) => ("boolean", Value::from(yes)),
        Reply::BigNumber(digits) => ("bignumber", Value::from(digits)),
        Reply::Verbatim { text, .. } => ("verbatim", json::bytes(&text)),
        Reply::Attributed { value, .. } => return typed(*value),
    };
    json!({ "type": kind, "value": value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(&[dunlin_engine::commands::FAMILIES, crate::commands::FAMILIES].concat())
    }

    fn status(line: &str, may_write: bool) -> u16 {
        let args = OwnedArgs::of(line.split(' ').map(str::as_bytes));
        check(&table(), args.as_args(), may_write).map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn reading_is_allowed_and_no_more() {
        for line in [
            "GET k",
            "get k",
            "SCAN 0",
            "XRANGE s - +",
            "TTL k",
            "TYPE k",
            "MEMORY USAGE k",
            "OBJECT ENCODING k",
            "INFO",
            "PING",
            "COMMAND DOCS get",
            "COMMAND",
            "PUBSUB CHANNELS",
            "CLIENT ID",
            "XREAD STREAMS s 0",
            "SORT_RO k",
            "PFCOUNT h",
            "DBSIZE",
            "CONFIG HELP",
            "NOSUCHCOMMAND",
            "CONFIG NOSUCH",
        ] {
            assert_eq!(status(line, false), 200, "{line}");
        }
        for line in [
            "SET k v",
            "DEL k",
            "FLUSHALL",
            "SORT k",
            "CONFIG GET *",
            "CONFIG SET maxmemory 1",
            "CLIENT LIST",
            "CLIENT KILL x",
            "EVAL x 0",
            "FCALL f 0",
            "PUBLISH c m",
            "SCRIPT FLUSH",
            "SHUTDOWN",
            "DEBUG SLEEP 1",
            "ACL LIST",
            "SAVE",
            "CLIENT PAUSE 9",
            "FUNCTION FLUSH",
            "SWAPDB 0 1",
            "CLIENT SETNAME x",
            "LATENCY RESET",
            "MEMORY PURGE",
            "XREADGROUP GROUP g c STREAMS s >",
        ] {
            assert_eq!(status(line, false), 403, "{line}");
            assert_eq!(status(line, true), 200, "{line}");
        }
    }

    #[test]
    fn what_a_lane_cannot_do_is_refused_whoever_asks() {
        for line in [
            "MULTI",
            "EXEC",
            "WATCH k",
            "SUBSCRIBE c",
            "MONITOR",
            "BLPOP k 0",
            "WAIT 1 0",
            "XREAD BLOCK 0 STREAMS s $",
            "HELLO 3",
            "AUTH x",
            "CLIENT REPLY OFF",
            "CLIENT TRACKING ON",
            "SELECT 1",
            "QUIT",
            "RESET",
            "WAITAOF 1 0 0",
            "BZMPOP 0 1 k MIN",
            "xreadgroup GROUP g c block 0 streams s >",
            "SSUBSCRIBE c",
        ] {
            assert_eq!(status(line, true), 400, "{line}");
        }
    }

    #[test]
    fn what_is_on_the_lists_is_in_the_table() {
        let table = table();
        let is_known = |name: &str| {
            table
                .id_of_full(name.trim_end_matches('|').as_bytes())
                .is_some()
        };
        let unfit = UNFIT.iter().flat_map(|(names, _)| names.iter());
        // Those are for replicas, which there are not yet.
        let absent = ["sync", "psync", "replconf"];
        for name in HARMLESS
            .iter()
            .chain(unfit)
            .filter(|name| !absent.contains(name))
        {
            assert!(is_known(name), "{name}");
        }
        for (_, command) in table
            .iter_all()
            .filter(|(_, command)| changes_nothing(command))
        {
            assert!(!command.flags.has(Flags::WRITE) && !command.flags.has(Flags::ADMIN));
        }
    }

    #[test]
    fn replies_have_types() {
        let reply = Reply::Map(vec![
            (Reply::Bulk(b"a".to_vec()), Reply::Double(f64::INFINITY)),
            (
                Reply::Simple(b"b".to_vec()),
                Reply::Array(vec![Reply::Null, Reply::Integer(-1)]),
            ),
        ]);
        let expected = json!({"type": "map", "value": [
            [{"type": "bulk", "value": "a"}, {"type": "double", "value": "inf"}],
            [{"type": "simple", "value": "b"}, {"type": "array", "value": [
                {"type": "null", "value": null}, {"type": "integer", "value": -1},
            ]}],
        ]});
        assert_eq!(typed(reply), expected);
    }
}
