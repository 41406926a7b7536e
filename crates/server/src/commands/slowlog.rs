//! SLOWLOG GET [count] | LEN | RESET | HELP: the latest slow commands. <https://redis.io/commands/slowlog-get>
//!
//! An entry's stages (how long its request waited, its reply waited for the log, and for the kernel) are not here, since clients know Redis's six
//! fields: `/api/slowlog` has them.

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::commands::server::help;
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::host;

/// Entries returned unless asked for more.
const COUNT_DEFAULT: usize = 10;

/// SLOWLOG.
pub(super) const SLOWLOG: Command = Command {
    name: "slowlog",
    full_name: "slowlog",
    arity: -2,
    categories: Categories::SLOW,
    group: "server",
    since: "2.2.12",
    complexity: "Depends on the subcommand",
    summary: "Tells which commands were slow.",
    subcommands: &[&GET, &HELP, &LEN, &RESET],
    ..Command::BASE
};

const GET: Command = Command {
    arity: -2,
    complexity: "O(N) in the number of entries returned",
    summary: "Returns the newest entries, ten if no number is given, with -1 all: number, time, microseconds, arguments, address and name of the client.",
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    history: &[("4.0.0", "Tells the client's address and name.")],
    arguments: &[Argument::new("count", ArgKind::Integer).optional()],
    ..FAMILY.subcommand("get", "slowlog|get", get)
};

const HELP: Command = Command {
    full_name: "slowlog|help",
    categories: Categories::SLOW,
    group: "server",
    since: "6.2.0",
    ..help::HELP
};

const LEN: Command = Command {
    summary: "Returns the number of entries.",
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    ..FAMILY.subcommand("len", "slowlog|len", len)
};

const RESET: Command = Command {
    complexity: "O(N) in the number of entries",
    summary: "Removes all entries.",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..FAMILY.subcommand("reset", "slowlog|reset", reset)
};

/// What the subcommands have in common.
const FAMILY: Command = Command {
    arity: 2,
    flags: Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    since: "2.2.12",
    ..Command::BASE
};

fn get(cx: &mut Ctx<'_>) -> Outcome {
    let count = match cx.args.len() {
        2 => COUNT_DEFAULT,
        3 => match parse_i64(cx.args.at(2)) {
            Some(-1) => usize::MAX,
            count => count
                .and_then(|count| usize::try_from(count).ok())
                .ok_or_else(|| ReplyError::err("count should be greater than or equal to -1"))?,
        },
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    };
    let entries = host(cx).shared.observer.slowlog.newest(count);
    cx.reply.array(entries.len());
    for entry in &entries {
        cx.reply.array(6);
        for number in [entry.id, entry.time_s, entry.duration_us] {
            cx.reply.integer(number as i64);
        }
        cx.reply.array(entry.args.len());
        entry.args.iter().for_each(|arg| cx.reply.bulk(arg));
        cx.reply.bulk(entry.address.as_bytes());
        cx.reply.bulk(&entry.name);
    }
    Ok(Flow::Done)
}

fn len(cx: &mut Ctx<'_>) -> Outcome {
    let len = host(cx).shared.observer.slowlog.len();
    cx.reply.count(len);
    Ok(Flow::Done)
}

fn reset(cx: &mut Ctx<'_>) -> Outcome {
    host(cx).shared.observer.slowlog.clear();
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use dunlin_engine::testing::START_MS;

    use crate::commands::testing::{Console, check};

    #[test]
    fn logs_what_is_slow_enough() {
        let mut console = Console::default();
        console.session(1).peer.remote = Some(([10, 0, 0, 1], 7).into());
        assert_eq!(console.run("PING; SLOWLOG LEN"), "PONG; 0");
        let time_s = START_MS / 1_000;
        assert_eq!(
            console.run(
                "CLIENT SETNAME me; CONFIG SET slowlog-log-slower-than 0; GET k; GET; SLOWLOG GET"
            ),
            format!(
                "OK; OK; nil; (error) ERR wrong number of arguments for 'get' command; \
                 [[1 {time_s} 0 [GET k] 10.0.0.1:7 me] \
                 [0 {time_s} 0 [CONFIG SET slowlog-log-slower-than 0] 10.0.0.1:7 me]]"
            )
        );
        assert_eq!(
            console.run("CONFIG SET slowlog-log-slower-than -1; SLOWLOG LEN; GET k; SLOWLOG LEN"),
            "OK; 3; nil; 3"
        );
        assert_eq!(console.run("SLOWLOG RESET; SLOWLOG GET"), "OK; []");
    }

    #[test]
    fn is_bounded_and_its_numbers_go_on() {
        let mut console = Console::default();
        console.run("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3");
        console.run("PING; PING; PING; PING; PING");
        assert_eq!(
            console.run("SLOWLOG LEN; CONFIG SET slowlog-max-len 2; SLOWLOG LEN"),
            "3; OK; 2"
        );
        let newest = console.run("SLOWLOG GET 1");
        assert!(newest.starts_with("[[8 "), "{newest}");
        assert_eq!(console.run("SLOWLOG GET 0"), "[]");
        for (script, entries) in [
            ("SLOWLOG GET -1", 2),
            ("SLOWLOG GET 100", 2),
            ("SLOWLOG GET 1", 1),
        ] {
            let reply = console.run(script);
            assert_eq!(reply.matches("?:0").count(), entries, "{reply}");
        }
    }

    #[test]
    fn long_commands_are_cut() {
        let mut console = Console::default();
        console.run("CONFIG SET slowlog-log-slower-than 0");
        let many: Vec<String> = (3..34).map(|n| n.to_string()).collect();
        console.run(&format!("SADD set {}", many.join(" ")));
        let reply = console.run("SLOWLOG GET 1");
        assert!(reply.contains(" 30 31 ... (2 more arguments)] "), "{reply}");
        console.run(&format!("SADD set {}", many[..30].join(" ")));
        let reply = console.run("SLOWLOG GET 1");
        assert!(reply.contains(" 31 32] "), "{reply}");
        console.run(&format!("SADD set {} {}", "A".repeat(129), "B".repeat(128)));
        let reply = console.run("SLOWLOG GET 1");
        let expected = format!(
            "[SADD set {}... (1 more bytes) {}]",
            "A".repeat(128),
            "B".repeat(128)
        );
        assert!(reply.contains(&expected), "{reply}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut console = Console::default();
        console.run("CONFIG SET slowlog-log-slower-than 0; CONFIG SET masterauth x; AUTH x; HELLO 2 AUTH default x");
        let reply = console.run("SLOWLOG GET 3");
        for line in [
            "[HELLO 2 AUTH (redacted) (redacted)]",
            "[AUTH (redacted)]",
            "[CONFIG SET masterauth (redacted)]",
        ] {
            assert!(reply.contains(line), "{reply}");
        }
    }

    #[test]
    fn exec_is_not_logged_but_what_it_runs() {
        let mut console = Console::default();
        console.run("CONFIG SET slowlog-log-slower-than 0; SLOWLOG RESET");
        assert_eq!(
            console.run("MULTI; SET k v; INCR k; EXEC; SLOWLOG LEN"),
            "OK; QUEUED; QUEUED; [OK (error) ERR value is not an integer or out of range]; 4"
        );
        let reply = console.run("SLOWLOG GET 4");
        let place = |text: &str| {
            reply
                .find(text)
                .unwrap_or_else(|| panic!("{text}: {reply}"))
        };
        assert!(place("[SLOWLOG LEN]") < place("[INCR k]"));
        assert!(place("[INCR k]") < place("[SET k v]") && place("[SET k v]") < place("[MULTI]"));
    }

    #[test]
    fn refuses_nonsense() {
        check(
            "SLOWLOG GET -2; SLOWLOG GET x; SLOWLOG GET 1 2; SLOWLOG NOSUCH; SLOWLOG LEN 1",
            "(error) ERR count should be greater than or equal to -1; \
             (error) ERR count should be greater than or equal to -1; \
             (error) ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.; \
             (error) ERR unknown subcommand 'NOSUCH'. Try SLOWLOG HELP.; \
             (error) ERR wrong number of arguments for 'slowlog|len' command",
        );
    }
}
