//! LATENCY: how long commands take, and moments at which something took too long. <https://redis.io/commands/latency-doctor>
//!
//! Two sources: a histogram for each command (`latency-tracking`), and events that took longer than
//! `latency-monitor-threshold`.

mod doctor;
mod graph;

use std::collections::BTreeMap;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::commands::server::help;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::host;
use crate::observe::Distribution;

/// LATENCY.
pub(super) const LATENCY: Command = Command {
    name: "latency",
    full_name: "latency",
    arity: -2,
    categories: Categories::SLOW,
    group: "server",
    since: "2.8.13",
    complexity: "Depends on the subcommand",
    summary: "Tells what takes long.",
    subcommands: &[
        &DOCTOR, &GRAPH, &HELP, &HISTOGRAM, &HISTORY, &LATEST, &RESET,
    ],
    ..Command::BASE
};

const DOCTOR: Command = Command {
    summary: "Returns what can be read out of the samples, and advice, for people.",
    ..FAMILY.subcommand("doctor", "latency|doctor", doctor::doctor)
};

const GRAPH: Command = Command {
    arity: 3,
    summary: "Draws the samples of an event.",
    arguments: EVENT,
    ..FAMILY.subcommand("graph", "latency|graph", graph::graph)
};

const HELP: Command = Command {
    full_name: "latency|help",
    categories: Categories::SLOW,
    group: "server",
    since: "2.8.13",
    ..help::HELP
};

const HISTOGRAM: Command = Command {
    arity: -2,
    since: "7.0.0",
    complexity: "O(N) in the number of commands with data",
    summary: "Returns how many calls of the commands stayed below which time; without a name, of all commands that were called.",
    arguments: &[Argument::new("COMMAND", ArgKind::String)
        .optional()
        .multiple()],
    ..FAMILY.subcommand("histogram", "latency|histogram", histogram)
};

const HISTORY: Command = Command {
    arity: 3,
    summary: "Returns the samples of an event: seconds since 1970, and milliseconds.",
    arguments: EVENT,
    ..FAMILY.subcommand("history", "latency|history", history)
};

const LATEST: Command = Command {
    summary: "Returns for each event its latest sample and the longest of all.",
    ..FAMILY.subcommand("latest", "latency|latest", latest)
};

const RESET: Command = Command {
    arity: -2,
    summary: "Removes the samples of these events, or of all.",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    arguments: &[Argument::new("event", ArgKind::String)
        .optional()
        .multiple()],
    ..FAMILY.subcommand("reset", "latency|reset", reset)
};

const EVENT: &[Argument] = &[Argument::new("event", ArgKind::String)];

/// What the subcommands have in common.
const FAMILY: Command = Command {
    arity: 2,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    since: "2.8.13",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ],
    ..Command::BASE
};

fn histogram(cx: &mut Ctx<'_>) -> Outcome {
    let shared = host(cx).shared.clone();
    let table = &shared.engine.table;
    // Several ids may be shown under one name.
    let mut found: BTreeMap<&'static str, (usize, Distribution)> = BTreeMap::new();
    let mut add = |id: usize| {
        if let Some(distribution) = shared.observer.distribution(id) {
            let place = found.len();
            found
                .entry(table.at(id).full_name)
                .and_modify(|(_, sum)| sum.merge(&distribution))
                .or_insert((place, distribution));
        }
    };
    if cx.args.len() == 2 {
        table.iter_all().for_each(|(id, _)| add(id));
    }
    let mut seen = Vec::new();
    for name in cx.args.from(2) {
        let Some(id) = table.id_of_full(name) else {
            continue;
        };
        // A container stands for its subcommands.
        for id in id..=id + table.at(id).subcommands.len() {
            if !seen.contains(&id) {
                seen.push(id);
                add(id);
            }
        }
    }
    let mut rows: Vec<_> = found.into_iter().collect();
    rows.sort_by_key(|(_, (place, _))| *place);
    cx.reply.map(rows.len());
    for (name, (_, distribution)) in rows {
        cx.reply.bulk(name.as_bytes());
        cx.reply.map(2);
        cx.reply.bulk(b"calls");
        cx.reply.integer(distribution.calls() as i64);
        cx.reply.bulk(b"histogram_usec");
        let steps = distribution.cumulative_us();
        cx.reply.map(steps.len());
        for (below_us, calls) in steps {
            cx.reply.integer(below_us as i64);
            cx.reply.integer(calls as i64);
        }
    }
    Ok(Flow::Done)
}

fn history(cx: &mut Ctx<'_>) -> Outcome {
    let event = cx.args.at(2);
    let series = host(cx).shared.observer.latency.series(event);
    let samples = series.unwrap_or_default().samples;
    cx.reply.array(samples.len());
    for sample in samples {
        cx.reply.array(2);
        cx.reply.integer(sample.time_s as i64);
        cx.reply.integer(sample.ms as i64);
    }
    Ok(Flow::Done)
}

fn latest(cx: &mut Ctx<'_>) -> Outcome {
    let events = host(cx).shared.observer.latency.all();
    cx.reply.array(events.len());
    for (event, series) in events {
        let last = series.samples.back().expect("a series is not empty");
        cx.reply.array(4);
        cx.reply.bulk(event.as_bytes());
        for number in [last.time_s, last.ms, series.worst_ms] {
            cx.reply.integer(number as i64);
        }
    }
    Ok(Flow::Done)
}

fn reset(cx: &mut Ctx<'_>) -> Outcome {
    let args = cx.args;
    let monitor = &host(cx).shared.observer.latency;
    let count = if args.len() == 2 {
        monitor.reset(None)
    } else {
        args.from(2).map(|event| monitor.reset(Some(event))).sum()
    };
    cx.reply.count(count);
    Ok(Flow::Done)
}

/// LATENCY GRAPH and the like of an event without samples.
fn no_samples(event: &[u8]) -> ReplyError {
    let event = String::from_utf8_lossy(event);
    ReplyError::err(format!("No samples available for event '{event}'"))
}

#[cfg(test)]
mod tests {
    use dunlin_engine::testing::START_MS;

    use crate::commands::testing::{Console, check};

    #[test]
    fn histograms_of_commands() {
        let mut console = Console::default();
        assert_eq!(console.run("LATENCY HISTOGRAM"), "[]");
        assert_eq!(
            console
                .run("CONFIG RESETSTAT; SET a b; SET c d; GET a; CLIENT ID; LATENCY HISTOGRAM set"),
            "OK; OK; OK; b; 1; [set [calls 2 histogram_usec [1 2]]]"
        );
        assert_eq!(
            console.run("LATENCY HISTOGRAM nosuch GET client set|x client|id"),
            "[get [calls 1 histogram_usec [1 1]] client|id [calls 1 histogram_usec [1 1]]]"
        );
        assert_eq!(
            console.run("CONFIG RESETSTAT; LATENCY HISTOGRAM"),
            "OK; [config|resetstat [calls 1 histogram_usec [1 1]]]"
        );
        assert_eq!(
            console
                .run("CONFIG SET latency-tracking no; CONFIG RESETSTAT; GET a; LATENCY HISTOGRAM"),
            "OK; OK; b; []"
        );
    }

    #[test]
    fn events() {
        let mut console = Console::default();
        assert_eq!(
            console
                .run("LATENCY LATEST; LATENCY HISTORY command; LATENCY RESET; LATENCY RESET x y"),
            "[]; []; 0; 0"
        );
        console.run("CONFIG SET latency-monitor-threshold 100");
        let time_s = START_MS / 1_000;
        let monitor = &console.shared.observer.latency;
        for (ms, later_s) in [(300, 0), (500, 1), (99, 2), (400, 3)] {
            monitor.sample("command", ms, time_s + later_s);
        }
        monitor.sample("expire-cycle", 120, time_s);
        let (b, d) = (time_s + 1, time_s + 3);
        assert_eq!(
            console.run(
                "LATENCY HISTORY command; LATENCY LATEST; LATENCY RESET COMMAND; LATENCY LATEST"
            ),
            format!(
                "[[{time_s} 300] [{b} 500] [{d} 400]]; [[command {d} 400 500] [expire-cycle {time_s} 120 120]]; 1; \
                 [[expire-cycle {time_s} 120 120]]"
            )
        );
    }

    #[test]
    fn refuses_nonsense() {
        check(
            "LATENCY HELP x; LATENCY GRAPH nosuch; LATENCY HISTORY; LATENCY NOSUCH",
            "(error) ERR wrong number of arguments for 'latency|help' command; \
             (error) ERR No samples available for event 'nosuch'; \
             (error) ERR wrong number of arguments for 'latency|history' command; \
             (error) ERR unknown subcommand 'NOSUCH'. Try LATENCY HELP.",
        );
    }
}
