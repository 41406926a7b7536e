//! CLIENT TRACKING | CACHING | GETREDIR | TRACKINGINFO: client-side caching. <https://redis.io/commands/client-tracking>

use std::collections::BTreeSet;

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::number::parse_i64;
use dunlin_engine::session::Place;
use dunlin_engine::tracking::{Caching, Options};
use dunlin_engine::{Args, Command, Ctx, Flow, Outcome, ReplyError};

use super::{FAMILY, TO_ALL};
use crate::host::host;

/// CLIENT CACHING.
pub(super) const CACHING: Command = Command {
    arity: 3,
    since: "6.0.0",
    complexity: "O(1)",
    summary: "Says whether what the next command reads is tracked.",
    arguments: &[Argument::one_of(
        "mode",
        &[Argument::token("yes", "YES"), Argument::token("no", "NO")],
    )],
    ..FAMILY.subcommand("caching", "client|caching", caching)
};

/// CLIENT GETREDIR.
pub(super) const GETREDIR: Command = Command {
    since: "6.0.0",
    complexity: "O(1)",
    summary: "Returns the client that gets this one's invalidations; 0 when it gets them itself, -1 when it tracks nothing.",
    ..FAMILY.subcommand("getredir", "client|getredir", getredir)
};

/// CLIENT TRACKING.
pub(super) const TRACKING: Command = Command {
    arity: -3,
    since: "6.0.0",
    complexity: "O(1), or O(N) in the number of prefixes",
    summary: "Has changes of the keys that this client reads told to it, or no longer.",
    tips: TO_ALL,
    arguments: &[
        Argument::one_of(
            "status",
            &[Argument::token("on", "ON"), Argument::token("off", "OFF")],
        ),
        Argument::new("client-id", ArgKind::Integer)
            .with_token("REDIRECT")
            .optional(),
        Argument::new("prefix", ArgKind::String)
            .with_token("PREFIX")
            .optional()
            .multiple_with_token(),
        Argument::token("bcast", "BCAST").optional(),
        Argument::token("optin", "OPTIN").optional(),
        Argument::token("optout", "OPTOUT").optional(),
        Argument::token("noloop", "NOLOOP").optional(),
    ],
    ..FAMILY.subcommand("tracking", "client|tracking", tracking)
};

/// CLIENT TRACKINGINFO.
pub(super) const TRACKINGINFO: Command = Command {
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Tells what this client tracks.",
    ..FAMILY.subcommand("trackinginfo", "client|trackinginfo", trackinginfo)
};

/// What the arguments ask for.
#[derive(Default)]
struct Request<'a> {
    redirect: Option<(u64, Place)>,
    broadcast: bool,
    prefixes: Vec<&'a [u8]>,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
}

fn tracking(cx: &mut Ctx<'_>) -> Outcome {
    let request = read(cx)?;
    let engine = cx.engine;
    match cx.args.at(2).to_ascii_lowercase().as_slice() {
        b"on" => {
            let options = options(cx, request)?;
            engine.tracking.start(&engine.store, cx.session, options);
        }
        b"off" => engine.tracking.stop(&engine.store, cx.session),
        _ => return Err(ReplyError::Syntax),
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn read<'a>(cx: &mut Ctx<'a>) -> Result<Request<'a>, ReplyError> {
    let args: Args<'a> = cx.args;
    let mut request = Request::default();
    let mut i = 3;
    while i < args.len() {
        match args.at(i).to_ascii_lowercase().as_slice() {
            b"redirect" if i + 1 < args.len() => {
                if request.redirect.is_some() {
                    return Err(ReplyError::err(
                        "A client can only redirect to a single other client",
                    ));
                }
                i += 1;
                let id = parse_i64(args.at(i)).ok_or(ReplyError::NotInteger)?;
                request.redirect = Some(receiver(cx, id)?);
            }
            b"prefix" if i + 1 < args.len() => {
                i += 1;
                request.prefixes.push(args.at(i));
            }
            b"bcast" => request.broadcast = true,
            b"optin" => request.opt_in = true,
            b"optout" => request.opt_out = true,
            b"noloop" => request.no_loop = true,
            _ => return Err(ReplyError::Syntax),
        }
        i += 1;
    }
    Ok(request)
}

fn receiver(cx: &mut Ctx<'_>, id: i64) -> Result<(u64, Place), ReplyError> {
    let found = u64::try_from(id).ok();
    let found = found.and_then(|id| host(cx).shared.clients.find(id));
    let client = found
        .ok_or_else(|| ReplyError::err("The client ID you want redirect to does not exist"))?;
    let place = Place {
        worker: client.worker(),
        token: client.token,
    };
    Ok((client.id, place))
}

/// Checks that the options go together, and with how the client tracks already.
fn options(cx: &Ctx<'_>, request: Request<'_>) -> Result<Options, ReplyError> {
    let present = cx.session.tracking.as_ref().map(|t| &t.tracker.options);
    let refused = |text: &str| Err(ReplyError::err(text));
    if !request.broadcast && !request.prefixes.is_empty() {
        return refused("PREFIX option requires BCAST mode to be enabled");
    }
    if present.is_some_and(|options| options.broadcast.is_some() != request.broadcast) {
        return refused(
            "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
        );
    }
    if request.broadcast && (request.opt_in || request.opt_out) {
        return refused("OPTIN and OPTOUT are not compatible with BCAST");
    }
    if request.opt_in && request.opt_out {
        return refused("You can't specify both OPTIN mode and OPTOUT mode");
    }
    if present.is_some_and(|options| {
        (request.opt_in && options.opt_out) || (request.opt_out && options.opt_in)
    }) {
        return refused(
            "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
        );
    }
    let known = present.and_then(|options| options.broadcast.as_ref());
    let broadcast = match request.broadcast {
        true => Some(prefixes(known, &request.prefixes)?),
        false => None,
    };
    Ok(Options {
        redirect: request.redirect,
        broadcast,
        opt_in: request.opt_in,
        opt_out: request.opt_out,
        no_loop: request.no_loop,
    })
}

/// The prefixes that there are with those that are added; none begins as another does.
fn prefixes(
    known: Option<&BTreeSet<Box<[u8]>>>,
    added: &[&[u8]],
) -> Result<BTreeSet<Box<[u8]>>, ReplyError> {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let refused = |a: &[u8], kind: &str, b: &[u8]| {
        let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
        ReplyError::err(format!(
            "Prefix '{a}' overlaps with {kind} prefix '{b}'. Prefixes for a single client must not overlap."
        ))
    };
    let mut all = known.cloned().unwrap_or_default();
    let everything: &[&[u8]] = &[b""];
    // Without a prefix it is all keys, unless there are prefixes already.
    let added = if added.is_empty() && all.is_empty() {
        everything
    } else {
        added
    };
    for (i, &prefix) in added.iter().enumerate() {
        let other = known.into_iter().flatten();
        if let Some(other) = other
            .map(|known| &**known)
            .find(|known| *known != prefix && overlap(prefix, known))
        {
            return Err(refused(prefix, "an existing", other));
        }
        if let Some(other) = added[i + 1..].iter().find(|other| overlap(prefix, other)) {
            return Err(refused(prefix, "another provided", other));
        }
        all.insert(prefix.into());
    }
    Ok(all)
}

fn caching(cx: &mut Ctx<'_>) -> Outcome {
    let Some(tracking) = &mut cx.session.tracking else {
        return Err(ReplyError::err(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    let options = &tracking.tracker.options;
    tracking.caching = match cx.args.at(2).to_ascii_lowercase().as_slice() {
        b"yes" if options.opt_in => Caching::Yes,
        b"yes" => {
            return Err(ReplyError::err(
                "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
        b"no" if options.opt_out => Caching::No,
        b"no" => {
            return Err(ReplyError::err(
                "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
        _ => return Err(ReplyError::Syntax),
    };
    cx.reply.ok();
    Ok(Flow::Done)
}

/// The receiver of the session's invalidations: 0 for itself, -1 for none.
fn redirect(cx: &Ctx<'_>) -> i64 {
    let tracking = cx.session.tracking.as_ref();
    tracking.map_or(-1, |tracking| {
        let redirect = &tracking.tracker.options.redirect;
        redirect.map_or(0, |(id, _)| id as i64)
    })
}

fn getredir(cx: &mut Ctx<'_>) -> Outcome {
    let redirect = redirect(cx);
    cx.reply.integer(redirect);
    Ok(Flow::Done)
}

fn trackinginfo(cx: &mut Ctx<'_>) -> Outcome {
    let redirect = redirect(cx);
    let (mut flags, mut prefixes) = (Vec::new(), Vec::new());
    match &cx.session.tracking {
        None => flags.push("off"),
        Some(tracking) => {
            let options = &tracking.tracker.options;
            let all = [
                (true, "on"),
                (options.broadcast.is_some(), "bcast"),
                (options.opt_in, "optin"),
                (tracking.caching == Caching::Yes, "caching-yes"),
                (options.opt_out, "optout"),
                (tracking.caching == Caching::No, "caching-no"),
                (options.no_loop, "noloop"),
                (tracking.tracker.is_broken(), "broken_redirect"),
            ];
            flags.extend(
                all.into_iter()
                    .filter_map(|(set, name)| set.then_some(name)),
            );
            prefixes.extend(options.broadcast.iter().flatten().cloned());
        }
    }
    let reply = &mut cx.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(redirect);
    reply.bulk(b"prefixes");
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use dunlin_engine::tracking::{Delivery, Message};

    use crate::commands::testing::{Console, check};

    #[test]
    fn tells_how_it_tracks() {
        check(
            "CLIENT GETREDIR; CLIENT TRACKINGINFO; CLIENT TRACKING on; CLIENT GETREDIR; CLIENT TRACKINGINFO; CLIENT TRACKING off; \
             CLIENT TRACKING ON OPTIN NOLOOP; CLIENT CACHING yes; CLIENT TRACKINGINFO; PING; CLIENT TRACKINGINFO; RESET; CLIENT GETREDIR; \
             CLIENT TRACKING ON BCAST PREFIX a PREFIX b; CLIENT TRACKINGINFO",
            "-1; [flags [off] redirect -1 prefixes []]; OK; 0; [flags [on] redirect 0 prefixes []]; OK; OK; OK; [flags [on optin caching-yes \
             noloop] redirect 0 prefixes []]; PONG; [flags [on optin noloop] redirect 0 prefixes []]; RESET; -1; OK; [flags [on bcast] \
             redirect 0 prefixes [a b]]",
        );
    }

    #[test]
    fn refuses_what_does_not_go_together() {
        let pairs = [
            ("CLIENT TRACKING maybe", "syntax error"),
            ("CLIENT TRACKING on what", "syntax error"),
            ("CLIENT TRACKING on REDIRECT", "syntax error"),
            (
                "CLIENT TRACKING on REDIRECT x",
                "value is not an integer or out of range",
            ),
            (
                "CLIENT TRACKING on REDIRECT 99",
                "The client ID you want redirect to does not exist",
            ),
            (
                "CLIENT TRACKING on PREFIX a",
                "PREFIX option requires BCAST mode to be enabled",
            ),
            (
                "CLIENT TRACKING on BCAST OPTIN",
                "OPTIN and OPTOUT are not compatible with BCAST",
            ),
            (
                "CLIENT TRACKING on OPTOUT OPTIN",
                "You can't specify both OPTIN mode and OPTOUT mode",
            ),
            (
                "CLIENT TRACKING on BCAST PREFIX fo PREFIX foo",
                "Prefix 'fo' overlaps with another provided prefix 'foo'. Prefixes for a single client must not overlap.",
            ),
            (
                "CLIENT CACHING yes",
                "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
            ),
        ];
        for (script, error) in pairs {
            check(script, &format!("(error) ERR {error}"));
        }
        let mut console = Console::default();
        console.run("CLIENT TRACKING on OPTIN");
        for (script, start) in [
            ("CLIENT TRACKING on BCAST", "You can't switch BCAST mode"),
            (
                "CLIENT TRACKING on OPTOUT",
                "You can't switch OPTIN/OPTOUT mode",
            ),
            ("CLIENT CACHING no", "CLIENT CACHING NO is only valid"),
            ("CLIENT CACHING maybe", "syntax error"),
        ] {
            let reply = console.run(script);
            assert!(
                reply.starts_with(&format!("(error) ERR {start}")),
                "{reply}"
            );
        }
        console.run("CLIENT TRACKING off; CLIENT TRACKING on BCAST PREFIX foo");
        assert_eq!(
            console.run("CLIENT TRACKING on BCAST PREFIX foobar; CLIENT TRACKING on BCAST PREFIX foo PREFIX b"),
            "(error) ERR Prefix 'foobar' overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap.; OK"
        );
    }

    /// What the clients of worker 0 have been told since the last call: client and keys.
    fn told(console: &Console) -> Vec<String> {
        let mut told = Vec::new();
        console
            .shared
            .engine
            .tracking
            .deliver(0, |delivery: Delivery<'_>| {
                let what = match delivery.message {
                    Message::All => "all".to_owned(),
                    Message::Broken(id) => format!("broken {id}"),
                    Message::Keys(keys) => {
                        let keys = keys.iter().map(|key| String::from_utf8_lossy(key));
                        keys.collect::<Vec<_>>().join(" ")
                    }
                };
                told.push(format!("{}: {what}", delivery.tracker));
            });
        told
    }

    #[test]
    fn what_was_read_is_told_once_when_it_changes() {
        let mut console = Console::default();
        console.run("CLIENT TRACKING on; GET a; MGET b c; SET d 1; HGET h f");
        assert_eq!(told(&console), [""; 0]);
        console.run("2> SET a 1; 2> SET a 2; 2> DEL nosuch; 2> SET d 2; 2> RENAME a b");
        assert_eq!(told(&console), ["1: a", "1: b"]);
        console.run("GET b; MULTI; HGET h f; LRANGE l 0 -1; EXEC; 2> MULTI; 2> HSET h f 1; 2> RPUSH l 1; 2> EXEC");
        assert_eq!(told(&console), ["1: h", "1: l"]);
        console.run("GET b; 2> FLUSHALL");
        assert_eq!(told(&console), ["1: all"]);
        let info = console.run("INFO everything");
        for field in ["keys:0", "items:0", "prefixes:0"] {
            assert!(
                info.contains(&format!("tracking_total_{field}\\r")),
                "{field}"
            );
        }
        assert!(info.contains("tracking_clients:1\\r"));
        console.run("GET b; CLIENT TRACKING off; 2> SET b 1");
        assert_eq!(told(&console), [""; 0]);
    }

    #[test]
    fn undone_changes_are_not_told_and_expired_keys_are() {
        let mut console = Console::default();
        console.run("SET t 1 PX 50; CLIENT TRACKING on NOLOOP; MGET a t; 2> MULTI; 2> SET a 1; 2> INCR s; 2> LPUSH s 1; 2> EXEC RB");
        assert_eq!(told(&console), [""; 0]);
        console.run("SET a 1; +60ms; GET t");
        assert_eq!(
            told(&console),
            ["1: t"],
            "its own change is not told, its own look at an expired key is"
        );
    }

    #[test]
    fn who_opts_is_obeyed_for_one_command_or_transaction() {
        let mut console = Console::default();
        console.run("CLIENT TRACKING on OPTIN; GET a; CLIENT CACHING yes; GET b; GET c; CLIENT CACHING yes; MULTI; GET d; GET e; EXEC; GET f");
        console.run("2> MSET a 1 b 1 c 1 d 1 e 1 f 1");
        assert_eq!(told(&console), ["1: b", "1: d", "1: e"]);
        console.run("CLIENT TRACKING off; CLIENT TRACKING on OPTOUT; GET a; CLIENT CACHING no; GET b; GET c; 2> MSET a 1 b 1 c 1");
        assert_eq!(told(&console), ["1: a", "1: c"]);
    }

    #[test]
    fn prefixes_are_broadcast_in_one_message_each() {
        let mut console = Console::default();
        console.run(
            "CLIENT TRACKING on BCAST PREFIX a: PREFIX b:; 2> CLIENT TRACKING on BCAST NOLOOP",
        );
        console.run("2> MSET a:2 1 a:1 1 b:1 1 c:1 1; 3> SET c:2 1");
        assert_eq!(told(&console), ["1: a:1 a:2", "1: b:1", "2: c:2"]);
        console.run("2> CLIENT TRACKING off; 3> SET b:1 2");
        assert_eq!(told(&console), ["1: b:1"]);
    }

    #[test]
    fn a_full_table_forgets_and_tells() {
        let mut console = Console::default();
        console.run("CONFIG SET tracking-table-max-keys 2; CLIENT TRACKING on; MGET a b c d");
        assert_eq!(told(&console).len(), 2);
        assert!(
            console
                .run("INFO stats")
                .contains("tracking_total_keys:2\\r")
        );
        console.run("CONFIG SET tracking-table-max-keys 1");
        assert_eq!(told(&console).len(), 1);
    }
}
