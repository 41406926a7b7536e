//! HELLO [2 | 3 [AUTH username password] [SETNAME name]]. <https://redis.io/commands/hello>

use std::borrow::Cow;

use dunlin_engine::command::{ArgKind, Argument, Categories};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};
use dunlin_resp::Version;

use super::DOOR;
use super::auth::authenticate;
use super::client::{check_name, publish_name};
use crate::logging::startup::REDIS_VERSION;

/// HELLO.
pub(super) const HELLO: Command = Command {
    name: "hello",
    full_name: "hello",
    arity: -1,
    flags: DOOR,
    categories: Categories::FAST.and(Categories::CONNECTION),
    group: "connection",
    since: "6.0.0",
    summary: "Chooses the protocol version, and tells about server and connection.",
    history: &[(
        "6.2.0",
        "Without arguments it tells about the connection and changes nothing.",
    )],
    arguments: &[Argument::block(
        "arguments",
        &[
            Argument::new("protover", ArgKind::Integer),
            Argument::block(
                "auth",
                &[
                    Argument::new("username", ArgKind::String),
                    Argument::new("password", ArgKind::String),
                ],
            )
            .with_token("AUTH")
            .optional(),
            Argument::new("clientname", ArgKind::String)
                .with_token("SETNAME")
                .optional(),
        ],
    )
    .optional()],
    handler: hello,
    ..Command::BASE
};

/// What the arguments ask for.
#[derive(Default)]
struct Request<'a> {
    version: Option<Version>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

fn hello(cx: &mut Ctx<'_>) -> Outcome {
    let request = parse(cx)?;
    if let Some((user, password)) = request.credentials {
        authenticate(cx, user, password)?;
    }
    if !cx.session.authenticated && cx.engine.users.password_required() {
        return Err(ReplyError::Text(Cow::Borrowed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        )));
    }
    if let Some(name) = request.name {
        cx.session.name = name.into();
        publish_name(cx);
    }
    if let Some(version) = request.version {
        cx.session.version = version;
        cx.reply.set_version(version);
    }
    describe(cx);
    Ok(Flow::Done)
}

fn parse<'a>(cx: &Ctx<'a>) -> Result<Request<'a>, ReplyError> {
    let args = cx.args;
    let mut request = Request::default();
    if let Some(version) = args.get(1) {
        request.version = Some(match parse_i64(version) {
            Some(2) => Version::Resp2,
            Some(3) => Version::Resp3,
            Some(_) => return Err(ReplyError::NoProto),
            None => {
                return Err(ReplyError::err(
                    "Protocol version is not an integer or out of range",
                ));
            }
        });
    }
    let mut i = 2;
    while i < args.len() {
        if args.is(i, "auth") && i + 2 < args.len() {
            request.credentials = Some((args.at(i + 1), args.at(i + 2)));
            i += 3;
        } else if args.is(i, "setname") && i + 1 < args.len() {
            check_name(args.at(i + 1))?;
            request.name = Some(args.at(i + 1));
            i += 2;
        } else {
            let option = String::from_utf8_lossy(args.at(i));
            return Err(ReplyError::err(format!(
                "Syntax error in HELLO option '{option}'"
            )));
        }
    }
    Ok(request)
}

fn describe(cx: &mut Ctx<'_>) {
    let (id, version) = (cx.session.id, cx.session.version);
    let reply = &mut cx.reply;
    reply.map(7);
    // Clients choose their behaviour by this name.
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(match version {
        Version::Resp2 => 2,
        Version::Resp3 => 3,
    });
    reply.bulk(b"id");
    reply.integer(id as i64);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn tells_and_switches() {
        let tail = "mode standalone role master modules []";
        check(
            "HELLO; HELLO 3; HELLO; GET k; HELLO 2; GET k",
            &format!(
                "[server redis version 7.2.4 proto 2 id 1 {tail}]; {{server redis version 7.2.4 proto 3 id 1 {tail}}}; \
                 {{server redis version 7.2.4 proto 3 id 1 {tail}}}; nil; [server redis version 7.2.4 proto 2 id 1 {tail}]; nil"
            ),
        );
        let mut console = Console::default();
        assert_eq!(console.call(1, &[b"GET", b"k"]), b"$-1\r\n");
        console.run("HELLO 3");
        assert_eq!(console.call(1, &[b"GET", b"k"]), b"_\r\n");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "HELLO 1; HELLO 4; HELLO x; HELLO 3 AUTH default; HELLO 3 SETNAME; HELLO 3 SETNAME 'a b'; HELLO 2 FOO",
            "(error) NOPROTO unsupported protocol version; (error) NOPROTO unsupported protocol version; \
             (error) ERR Protocol version is not an integer or out of range; \
             (error) ERR Syntax error in HELLO option 'AUTH'; (error) ERR Syntax error in HELLO option 'SETNAME'; \
             (error) ERR Client names cannot contain spaces, newlines or special characters.; \
             (error) ERR Syntax error in HELLO option 'FOO'",
        );
    }

    #[test]
    fn authenticates_and_names() {
        let mut console = Console::default();
        console.run("CONFIG SET requirepass secret");
        let refused = console.run("2> HELLO 3");
        assert!(refused.starts_with(
            "(error) NOAUTH HELLO must be called with the client already authenticated, "
        ));
        assert_eq!(
            console.run("2> HELLO 3 AUTH default wrong SETNAME me"),
            "(error) WRONGPASS invalid username-password pair or user is disabled."
        );
        assert!(
            console
                .run("2> HELLO 3 SETNAME me AUTH default secret")
                .starts_with("{server redis")
        );
        assert_eq!(console.run("2> CLIENT GETNAME"), "me");
    }
}
