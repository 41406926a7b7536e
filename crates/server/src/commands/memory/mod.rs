//! MEMORY: what memory is used for. <https://redis.io/commands/memory-stats>

mod doctor;
mod stats;

use dunlin_engine::command::{Categories, Flags};
use dunlin_engine::commands::server::help;
use dunlin_engine::commands::server::memory::USAGE;
use dunlin_engine::{Command, Ctx, Flow, Outcome};

use crate::host::host;

/// MEMORY.
pub(super) const MEMORY: Command = Command {
    name: "memory",
    full_name: "memory",
    arity: -2,
    categories: Categories::SLOW,
    group: "server",
    since: "4.0.0",
    complexity: "Depends on the subcommand",
    summary: "Tells what memory is used for.",
    subcommands: &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE],
    ..Command::BASE
};

const DOCTOR: Command = Command {
    summary: "Returns what is unusual about the use of memory, for people.",
    ..FAMILY.subcommand("doctor", "memory|doctor", doctor::doctor)
};

const HELP: Command = Command {
    name: "help",
    full_name: "memory|help",
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW,
    group: "server",
    since: "4.0.0",
    ..help::HELP
};

const MALLOC_STATS: Command = Command {
    complexity: "O(N) in the number of the allocator's arenas and size classes",
    summary: "Returns the allocator's own report.",
    ..FAMILY.subcommand("malloc-stats", "memory|malloc-stats", malloc_stats)
};

const PURGE: Command = Command {
    complexity: "O(N) in the number of unused pages",
    summary: "Lets the allocator give its unused pages back to the system.",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..FAMILY.subcommand("purge", "memory|purge", purge)
};

const STATS: Command = Command {
    summary: "Returns figures of the use of memory.",
    ..FAMILY.subcommand("stats", "memory|stats", stats::stats)
};

/// What the subcommands have in common.
const FAMILY: Command = Command {
    arity: 2,
    categories: Categories::SLOW,
    group: "server",
    since: "4.0.0",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    ..Command::BASE
};

/// Whether this thread is not the one for what the allocator may take long for.
fn is_elsewhere(cx: &Ctx<'_>) -> bool {
    cx.is_heavy(usize::MAX)
}

fn malloc_stats(cx: &mut Ctx<'_>) -> Outcome {
    if is_elsewhere(cx) {
        return Ok(Flow::Heavy);
    }
    match (host(cx).shared.allocator.report)() {
        Some(report) => cx.reply.verbatim(report.as_bytes()),
        None => cx
            .reply
            .bulk(b"Stats not supported for the current allocator"),
    }
    Ok(Flow::Done)
}

fn purge(cx: &mut Ctx<'_>) -> Outcome {
    if is_elsewhere(cx) {
        return Ok(Flow::Heavy);
    }
    (host(cx).shared.allocator.purge)();
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn usage_counts_everything() {
        let mut console = Console::default();
        let mut bytes = |lines: &str| -> usize {
            let reply = console.run(lines);
            let last = reply.rsplit("; ").next().unwrap_or_default();
            last.parse().expect("a number")
        };
        assert_eq!(bytes("SET k v; MEMORY USAGE k"), 16 + 12);
        let long = bytes(&format!(
            "SET k {}; MEMORY USAGE k SAMPLES 5",
            "x".repeat(200_000)
        ));
        assert!((200_000..210_000).contains(&long), "{long}");
        let hash = bytes(&format!("HSET h f {}; MEMORY USAGE h", "x".repeat(5_000)));
        assert!((5_000..7_000).contains(&hash), "{hash}");
    }

    #[test]
    fn options_of_usage() {
        check(
            "MEMORY USAGE k; SET k v; MEMORY USAGE k SAMPLES; MEMORY USAGE k SAMPLES -1; MEMORY USAGE k SAMPLES x; MEMORY USAGE k FOO 1",
            "nil; OK; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error",
        );
    }

    #[test]
    fn what_only_an_allocator_can_do() {
        // The console's allocator has figures and no report.
        let mut console = Console::default();
        assert_eq!(
            console.run("MEMORY PURGE; MEMORY MALLOC-STATS; MEMORY NOSUCH; MEMORY STATS x"),
            "OK; Stats not supported for the current allocator; \
             (error) ERR unknown subcommand 'NOSUCH'. Try MEMORY HELP.; \
             (error) ERR wrong number of arguments for 'memory|stats' command"
        );
        assert_eq!(console.heavy, 2, "on the auxiliary thread");
        assert_eq!(console.run("MULTI; MEMORY PURGE; EXEC"), "OK; QUEUED; [OK]");
    }
}
