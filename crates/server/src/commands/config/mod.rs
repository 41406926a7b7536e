//! CONFIG GET | SET | REWRITE | RESETSTAT. <https://redis.io/commands/config-set>

mod follow;
mod rewrite;

use std::borrow::Cow;
use std::sync::Arc;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::commands::server::help;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::{host, origin};

pub(super) use rewrite::rewrite_with;

/// CONFIG.
pub(super) const CONFIG: Command = Command {
    name: "config",
    full_name: "config",
    arity: -2,
    categories: Categories::SLOW,
    group: "server",
    since: "2.0.0",
    complexity: "Depends on the subcommand",
    summary: "Reads and changes the configuration.",
    subcommands: &[&GET, &HELP, &RESETSTAT, &rewrite::REWRITE, &SET],
    ..Command::BASE
};

const GET: Command = Command {
    arity: -3,
    complexity: "O(N) in the number of patterns",
    summary: "Returns the values of all parameters that match a pattern.",
    history: &[("7.0.0", "Takes several patterns.")],
    arguments: &[Argument::new("parameter", ArgKind::String).multiple()],
    ..FAMILY.subcommand("get", "config|get", get)
};

const HELP: Command = Command {
    full_name: "config|help",
    categories: Categories::SLOW,
    group: "server",
    ..help::HELP
};

const SET: Command = Command {
    arity: -4,
    complexity: "O(N) in the number of parameters",
    summary: "Changes parameters of the running server: all of them, or none.",
    history: &[("7.0.0", "Takes several parameters.")],
    tips: TO_ALL,
    arguments: &[Argument::block(
        "data",
        &[
            Argument::new("parameter", ArgKind::String),
            Argument::new("value", ArgKind::String),
        ],
    )
    .multiple()],
    ..FAMILY.subcommand("set", "config|set", set)
};

const RESETSTAT: Command = Command {
    arity: 2,
    complexity: "O(1)",
    summary: "Lets the counters of INFO start from zero.",
    tips: TO_ALL,
    ..FAMILY.subcommand("resetstat", "config|resetstat", resetstat)
};

const TO_ALL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// What the subcommands have in common.
const FAMILY: Command = Command {
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    since: "2.0.0",
    ..Command::BASE
};

fn get(cx: &mut Ctx<'_>) -> Outcome {
    let patterns: Vec<&[u8]> = cx.args.from(2).collect();
    let found = host(cx).shared.config().matching_any(&patterns);
    cx.reply.map(found.len());
    for (name, value) in &found {
        cx.reply.bulk(name.as_bytes());
        cx.reply.bulk(value);
    }
    Ok(Flow::Done)
}

/// What says where the data comes from.
const FIXED_WHILE_LOADING: [&str; 3] = ["appendonly", "dir", "repl-diskless-load"];

fn set(cx: &mut Ctx<'_>) -> Outcome {
    let words: Vec<&[u8]> = cx.args.from(2).collect();
    let pairs: Vec<(&[u8], &[u8])> = words
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    if pairs.len() * 2 != words.len() {
        return Err(ReplyError::Syntax);
    }
    let origin = origin(cx.session);
    let shared = Arc::clone(&host(cx).shared);
    let is_fixed = |(name, _): &(&[u8], &[u8])| {
        let is = |fixed: &&str| name.eq_ignore_ascii_case(fixed.as_bytes());
        FIXED_WHILE_LOADING.iter().any(is)
    };
    if shared.is_loading() && pairs.iter().any(is_fixed) {
        return Err(ReplyError::Loading);
    }
    let mut config = shared.config();
    // A copy, so that a value which the system refuses leaves everything as it was.
    let mut next = config.clone();
    let changed = next
        .set(&pairs, origin)
        .and_then(|changed| follow::follow(&shared, &config, &next, &changed));
    if let Err(error) = changed {
        return Err(ReplyError::Text(Cow::Owned(error.to_string())));
    }
    *config = next;
    drop(config);
    shared.apply_config();
    cx.engine.trim_tracked(&mut cx.keys);
    // Sleeping workers look at `timeout`.
    shared.wake_workers();
    cx.reply.ok();
    Ok(Flow::Done)
}

fn resetstat(cx: &mut Ctx<'_>) -> Outcome {
    host(cx).shared.reset_totals();
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};
    use crate::config::Config;

    #[test]
    fn gets_what_was_set() {
        check(
            "CONFIG SET maxclients 100 timeout 7; CONFIG GET maxclients; CONFIG GET TIMEOUT max?lients; HELLO 3 SETNAME x; \
             CONFIG GET timeout; CONFIG GET nosuch",
            "OK; [maxclients 100]; [TIMEOUT 7 maxclients 100]; \
             {server redis version 7.2.4 proto 3 id 1 mode standalone role master modules []}; {timeout 7}; {}",
        );
    }

    #[test]
    fn help_is_written_from_the_table() {
        let help = Console::default().run("CONFIG HELP");
        assert!(
            help.contains("SET <parameter> <value> [<parameter> <value> ...]"),
            "{help}"
        );
    }

    #[test]
    fn changes_all_or_nothing() {
        check(
            "CONFIG SET timeout 7 maxclients x; CONFIG GET timeout; CONFIG SET timeout 7 nosuch 1; CONFIG GET timeout; \
             CONFIG SET timeout 7 timeout 8; CONFIG SET databases 3; CONFIG SET timeout 1 maxclients; CONFIG SET timeout; \
             CONFIG SET dir /",
            "(error) ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into \
             an integer; [timeout 0]; (error) ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'; \
             [timeout 0]; (error) ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter; \
             (error) ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config; \
             (error) ERR syntax error; (error) ERR wrong number of arguments for 'config|set' command; \
             (error) ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config",
        );
    }

    #[test]
    fn what_is_set_is_followed() {
        use std::sync::atomic::Ordering::Relaxed;
        let mut console = Console::default();
        console.run("CONFIG SET maxclients 12 timeout 3 tcp-keepalive 9 protected-mode no proto-max-bulk-len 2mb");
        let knobs = &console.shared.knobs;
        assert_eq!(knobs.clients_max.load(Relaxed), 12);
        assert_eq!(knobs.timeout_s.load(Relaxed), 3);
        assert_eq!(knobs.keepalive_s.load(Relaxed), 9);
        assert!(!knobs.protected.load(Relaxed));
        assert_eq!(console.shared.engine.string_bytes_max(), 2 << 20);
    }

    #[test]
    fn what_cannot_be_listened_on_changes_nothing() {
        let mut console = Console::default();
        console.shared.on_move(Box::new(|config| {
            if config.port() == 7000 {
                return Err("Could not create server TCP listening socket".to_owned());
            }
            Ok(())
        }));
        assert_eq!(
            console.run(
                "CONFIG SET timeout 1 port 7000; CONFIG GET port; CONFIG GET timeout; CONFIG SET port 7001 bind ::1; \
                 CONFIG GET port bind"
            ),
            "(error) ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check \
             server logs.; [port 6379]; [timeout 0]; OK; [bind ::1 port 7001]"
        );
        assert!(console.run("INFO server").contains("tcp_port:7001"));
    }

    #[test]
    fn counters_start_again() {
        let mut console = Console::default();
        console.run("SET k v; GET k; GET nosuch; INCR k");
        let info = console.run("INFO stats");
        for field in [
            "keyspace_hits:1\\r\\n",
            "keyspace_misses:1\\r\\n",
            "total_error_replies:1\\r\\n",
        ] {
            assert!(info.contains(field), "{info}");
        }
        console.run("CONFIG RESETSTAT; GET k");
        let info = console.run("INFO stats commandstats");
        for field in [
            "keyspace_hits:1\\r\\n",
            "keyspace_misses:0\\r\\n",
            "total_error_replies:0\\r\\n",
            "cmdstat_get:calls=1,",
        ] {
            assert!(info.contains(field), "{info}");
        }
        assert!(!info.contains("cmdstat_set"), "{info}");
    }

    #[test]
    fn renamed_and_removed_commands() {
        let loaded = Config::load(&[
            "--rename-command",
            "GET",
            "FETCH",
            "--rename-command",
            "FLUSHDB",
            "",
            "--rename-command",
            "CONFIG",
            "c0nf",
        ])
        .expect("valid");
        let mut console = Console::new(loaded.config);
        assert_eq!(
            console.run("SET k v; GET k; fetch k; FETCH; FLUSHDB; MULTI; fetch k; GET k; EXEC; c0nf GET port"),
            "OK; (error) ERR unknown command 'GET', with args beginning with: 'k' ; v; (error) ERR wrong number of arguments for \
             'get' command; (error) ERR unknown command 'FLUSHDB', with args beginning with: ; OK; QUEUED; (error) ERR unknown \
             command 'GET', with args beginning with: 'k' ; (error) EXECABORT Transaction discarded because of previous errors.; \
             [port 6379]"
        );
        assert!(
            console.run("c0nf HELP").starts_with("[CONFIG <subcommand>"),
            "{}",
            console.run("c0nf HELP")
        );
        let listed =
            console.run("COMMAND LIST FILTERBY PATTERN flushdb; COMMAND INFO fetch FLUSHDB");
        assert!(listed.starts_with("[]; [[get 2 "), "{listed}");
        assert!(listed.ends_with(" nil]"), "{listed}");
    }
}
