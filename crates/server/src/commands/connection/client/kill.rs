//! CLIENT KILL addr | [ID id] [TYPE type] [USER name] [ADDR addr] [LADDR addr] [SKIPME yes|no] [MAXAGE seconds]: closes
//! connections. <https://redis.io/commands/client-kill>
//!
//! Nobody finds a client that was killed again; its worker closes it, and executes no further batch of its. Who kills itself
//! gets the reply first.

use dunlin_engine::acl::Users;
use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Args, Command, Ctx, Flow, Outcome, ReplyError};

use super::ADMIN;
use super::list::{TYPES, class, with_context};
use crate::clients::Filter;
use crate::host::host;

/// CLIENT KILL.
pub(super) const KILL: Command = Command {
    arity: -3,
    since: "2.4.0",
    complexity: "O(N) for N clients",
    summary: "Closes connections: that of an address, or all that fit the filters.",
    history: &[
        ("2.8.12", "Takes filters."),
        ("3.2.0", "Takes TYPE master."),
        ("5.0.0", "Calls slaves replicas."),
        ("6.2.0", "Takes LADDR."),
    ],
    arguments: &[Argument::one_of(
        "filter",
        &[
            Argument::new("old-format", ArgKind::String),
            Argument::one_of("new-format", FILTERS).multiple(),
        ],
    )],
    ..ADMIN.subcommand("kill", "client|kill", kill)
};

const FILTERS: &[Argument] = &[
    Argument::new("client-id", ArgKind::Integer)
        .with_token("ID")
        .optional(),
    Argument::one_of("client-type", TYPES)
        .with_token("TYPE")
        .optional(),
    Argument::new("username", ArgKind::String)
        .with_token("USER")
        .optional(),
    Argument::new("addr", ArgKind::String)
        .with_token("ADDR")
        .optional(),
    Argument::new("laddr", ArgKind::String)
        .with_token("LADDR")
        .optional(),
    Argument::one_of(
        "skipme",
        &[Argument::token("yes", "YES"), Argument::token("no", "NO")],
    )
    .with_token("SKIPME")
    .optional(),
    Argument::new("maxage", ArgKind::Integer)
        .with_token("MAXAGE")
        .optional(),
];

fn kill(cx: &mut Ctx<'_>) -> Outcome {
    let by_address = cx.args.len() == 3;
    let (filter, skip_me) = if by_address {
        let addr = Some(cx.args.at(2).to_vec());
        (
            Filter {
                addr,
                ..Filter::default()
            },
            false,
        )
    } else {
        read_filter(cx.args, &cx.engine.users)?
    };
    let me = cx.session.id;
    let mut victims = host(cx).shared.clients.all();
    with_context(cx, |context| {
        victims.retain(|c| !(skip_me && c.id == me) && filter.matches(c, context))
    });
    for client in &victims {
        if client.id == me {
            cx.session.close_after_reply = true;
        } else {
            let shared = &host(cx).shared;
            shared.clients.kill(client);
            shared.wake_worker(client.worker());
        }
    }
    match (by_address, victims.len()) {
        (false, killed) => cx.reply.count(killed),
        (true, 0) => return Err(ReplyError::err("No such client")),
        (true, _) => cx.reply.ok(),
    }
    Ok(Flow::Done)
}

/// The filter, and whether the client that asks is spared.
fn read_filter(args: Args<'_>, users: &Users) -> Result<(Filter, bool), ReplyError> {
    let (mut filter, mut skip_me) = (Filter::default(), true);
    let mut i = 2;
    while i < args.len() {
        let value = args.get(i + 1).ok_or(ReplyError::Syntax)?;
        match args.at(i).to_ascii_lowercase().as_slice() {
            b"id" => filter.id = Some(positive(value, "client-id should be greater than 0")?),
            b"type" => filter.class = Some(class(value)?),
            b"user" if users.find(value).is_some() => filter.user = Some(value.to_vec()),
            b"user" => {
                let shown = String::from_utf8_lossy(value);
                return Err(ReplyError::err(format!("No such user '{shown}'")));
            }
            b"addr" => filter.addr = Some(value.to_vec()),
            b"laddr" => filter.laddr = Some(value.to_vec()),
            b"skipme" if value.eq_ignore_ascii_case(b"yes") => skip_me = true,
            b"skipme" if value.eq_ignore_ascii_case(b"no") => skip_me = false,
            b"maxage" => {
                if parse_i64(value).is_none() {
                    return Err(ReplyError::err("maxage is not an integer or out of range"));
                }
                filter.age_s_min = Some(positive(value, "maxage should be greater than 0")?);
            }
            _ => return Err(ReplyError::Syntax),
        }
        i += 2;
    }
    Ok((filter, skip_me))
}

fn positive(value: &[u8], refusal: &str) -> Result<u64, ReplyError> {
    parse_i64(value)
        .and_then(|n| u64::try_from(n).ok())
        .filter(|&n| n > 0)
        .ok_or_else(|| ReplyError::err(refusal))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn filters() {
        let mut console = Console::default();
        for id in 1..=5 {
            console.session(id).peer.remote = Some(([127, 0, 0, 1], 4_000 + id as u16).into());
            console.session(id).peer.local = Some(([127, 0, 0, 1], 6_379).into());
            console.session(id).peer.opened_ms = dunlin_engine::testing::START_MS;
            console.run(&format!("{id}> PING"));
        }
        assert_eq!(
            console.run("CLIENT KILL ID 9; CLIENT KILL ID 2; CLIENT KILL ID 2"),
            "0; 1; 0"
        );
        assert_eq!(
            console.run("CLIENT KILL 127.0.0.1:4003; CLIENT KILL 127.0.0.1:4003"),
            "OK; (error) ERR No such client"
        );
        assert_eq!(
            console.run(
                "CLIENT KILL ADDR 127.0.0.1:4004 TYPE pubsub; CLIENT KILL TYPE normal MAXAGE 1"
            ),
            "0; 0"
        );
        assert_eq!(
            console.run("CLIENT KILL ADDR 127.0.0.1:4004 TYPE normal USER default"),
            "1"
        );
        assert_eq!(
            console.run("+1000ms; CLIENT KILL LADDR 127.0.0.1:6379 MAXAGE 1"),
            "1"
        );
        assert_eq!(console.shared.clients.len(), 1);
        assert!(!console.session(1).close_after_reply);
        assert_eq!(console.run("CLIENT KILL SKIPME no"), "1");
        assert!(console.session(1).close_after_reply);
    }

    #[test]
    fn refusals() {
        check(
            "CLIENT KILL; CLIENT KILL id 10 wrong; CLIENT KILL id x; CLIENT KILL id -1; CLIENT KILL id 0; \
             CLIENT KILL type x; CLIENT KILL user x; CLIENT KILL skipme maybe; CLIENT KILL what x; \
             CLIENT KILL maxage x; CLIENT KILL maxage 0",
            "(error) ERR wrong number of arguments for 'client|kill' command; (error) ERR syntax error; \
             (error) ERR client-id should be greater than 0; (error) ERR client-id should be greater than 0; \
             (error) ERR client-id should be greater than 0; (error) ERR Unknown client type 'x'; \
             (error) ERR No such user 'x'; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR maxage is not an integer or out of range; (error) ERR maxage should be greater than 0",
        );
    }
}
