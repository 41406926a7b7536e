//! INFO [section ...]: what the server is, has and did. <https://redis.io/commands/info>
//!
//! Every field stands once, in [`fields`]; values are read when asked for. A field of Redis's whose value this build can't
//! know is left out.

pub(crate) mod facts;
mod fields;
mod lists;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::{Args, Command, Ctx, Flow, Outcome};

use self::facts::Facts;
use self::fields::{SECTIONS, Section, Value};
use crate::host::host;

/// INFO.
pub(super) const INFO: Command = Command {
    name: "info",
    full_name: "info",
    arity: -1,
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::DANGEROUS),
    group: "server",
    summary: "Tells about the server, by sections.",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    history: &[("7.0.0", "Takes several sections.")],
    arguments: &[Argument::new("section", ArgKind::String)
        .multiple()
        .optional()],
    handler: info,
    ..Command::BASE
};

fn info(cx: &mut Ctx<'_>) -> Outcome {
    let args = cx.args;
    let now_ms = cx.keys.now_ms();
    let facts = Facts::new(host(cx), now_ms);
    let mut text = String::new();
    for section in SECTIONS.iter().filter(|section| asked_for(section, args)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        write_section(section, &facts, &mut text);
    }
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

fn asked_for(section: &Section, args: Args<'_>) -> bool {
    let default = section.default;
    if args.len() == 1 {
        return default;
    }
    args.from(1).any(|word| {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        is("all") || is("everything") || (default && is("default")) || is(section.name)
    })
}

fn write_section(section: &Section, facts: &Facts, text: &mut String) {
    text.push_str("# ");
    text.push_str(section.title);
    text.push_str("\r\n");
    for field in section.fields {
        let value = match (field.value)(facts) {
            Value::Unknown => continue,
            Value::Text(text) => text,
            Value::Number(n) => n.to_string(),
            Value::Signed(n) => n.to_string(),
            Value::Ratio(x) => format!("{x:.2}"),
            Value::Percent(x) => format!("{x:.2}%"),
            Value::Human(bytes) => human(bytes),
            Value::Microseconds(us) => format!("{}.{:06}", us / 1_000_000, us % 1_000_000),
        };
        for part in [field.name, ":", &value, "\r\n"] {
            text.push_str(part);
        }
    }
    if let Some(lines) = section.lines {
        lines(facts, text);
    }
}

/// Bytes with two decimals and a unit, as Redis shows them.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::{SECTIONS, human};
    use crate::commands::testing::Console;

    /// Names of the sections in a reply.
    fn sections(script: &str) -> String {
        let reply = Console::default().run(script);
        let titles: Vec<&str> = reply
            .split("# ")
            .skip(1)
            .filter_map(|part| part.split("\\r").next())
            .collect();
        titles.join(" ")
    }

    #[test]
    fn sections_are_chosen_by_name() {
        let default = "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace";
        assert_eq!(sections("INFO"), default);
        assert_eq!(sections("INFO default"), default);
        for all in [
            "INFO all",
            "INFO everything",
            "INFO nosuch ALL",
            "INFO default commandstats latencystats",
        ] {
            assert_eq!(
                sections(all),
                default.replace("Errorstats", "Commandstats Errorstats Latencystats"),
                "{all}"
            );
        }
        assert_eq!(sections("INFO cpu Server"), "Server CPU");
        assert_eq!(Console::default().run("INFO nosuch"), "");
    }

    #[test]
    fn no_field_stands_twice() {
        let mut names: Vec<&str> = SECTIONS
            .iter()
            .flat_map(|s| s.fields)
            .map(|f| f.name)
            .collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_field_has_a_value() {
        let mut console = Console::default();
        // Some fields are shown only while data is loaded, or logged.
        console.shared.aof.started();
        console.run("CONFIG SET appendonly yes");
        let is_loading = &console.shared.engine.is_loading;
        is_loading.store(true, Ordering::Relaxed);
        let reply = console.run("INFO everything");
        for name in SECTIONS.iter().flat_map(|s| s.fields).map(|f| f.name) {
            assert!(
                reply.contains(&format!("\\n{name}:")),
                "{name} is missing from {reply}"
            );
        }
        for start in [
            "redis_version:7.2.4\\r",
            "redis_mode:standalone\\r",
            "maxclients:10000\\r",
            "role:master\\r",
            "used_memory_peak_perc:100.00%\\r",
            "mem_fragmentation_bytes:",
            "second_repl_offset:-1\\r",
            "listener0:name=tcp,bind=127.0.0.1,bind=-::1,port=6379\\r",
        ] {
            assert!(reply.contains(start), "{start}: {reply}");
        }
    }

    #[test]
    fn errors_are_counted_by_code() {
        let mut console = Console::default();
        console.run(
            "GET; INCR; SET k v; LPUSH k 1; NOSUCH; MULTI; INCR k; GET; EXEC; MULTI; INCR k; EXEC",
        );
        let all = "# Errorstats\\r\\nerrorstat_ERR:count=5\\r\\nerrorstat_EXECABORT:count=1\\r\\nerrorstat_WRONGTYPE:count=1\\r\\n";
        assert_eq!(console.run("INFO errorstats"), all);
        assert!(
            console
                .run("INFO stats")
                .contains("total_error_replies:7\\r")
        );
        assert_eq!(
            console.run("CONFIG RESETSTAT; INFO errorstats"),
            "OK; # Errorstats\\r\\n"
        );
    }

    #[test]
    fn latencies_are_told_as_percentiles() {
        let mut console = Console::default();
        console
            .run("SET k v; SET k v; CONFIG SET latency-tracking-info-percentiles '0 50.0 99.95'");
        let lines = console.run("INFO latencystats");
        assert!(
            lines.contains("\\nlatency_percentiles_usec_set:p0=0.001,p50=0.001,p99.95=0.001\\r\\n"),
            "{lines}"
        );
        assert_eq!(
            console.run("CONFIG RESETSTAT; CONFIG SET latency-tracking no; INFO latencystats"),
            "OK; OK; # Latencystats\\r\\n"
        );
    }

    #[test]
    fn debug_is_one_command() {
        let mut console = Console::with_debug();
        console.run("DEBUG SLEEP 0; DEBUG DIGEST; DEBUG SLEEP x y");
        let reply = console.run("INFO commandstats");
        assert!(reply.contains("cmdstat_debug:calls=3,"), "{reply}");
        assert_eq!(reply.matches("cmdstat_debug").count(), 1, "{reply}");
        let reply = console.run("LATENCY HISTOGRAM debug");
        assert!(reply.starts_with("[debug [calls 3 "), "{reply}");
        let described =
            console.run("COMMAND LIST FILTERBY PATTERN debug*; COMMAND INFO debug debug|sleep");
        assert_eq!(
            described,
            "[debug]; [[debug -2 [admin noscript loading stale] 0 0 0 [@admin @slow @dangerous] [] [] []] nil]"
        );
    }

    #[test]
    fn commands_are_counted() {
        let mut console = Console::default();
        let reply =
            console.run("SET k v; GET k; GET k; GET; INCR k; CONFIG GET x; INFO commandstats");
        for line in [
            "cmdstat_get:calls=2,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\\r\\n",
            "cmdstat_incr:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1\\r\\n",
            "cmdstat_config|get:calls=1,",
        ] {
            assert!(reply.contains(line), "{line}: {reply}");
        }
        assert!(
            !reply.contains("cmdstat_info"),
            "it has not ended yet: {reply}"
        );
    }

    #[test]
    fn watching_clients_are_counted() {
        let mut console = Console::default();
        let watched = |console: &mut Console| {
            let reply = console.run("INFO clients");
            let number = |name: &str| {
                let at = reply.find(name).expect("a field") + name.len();
                reply[at..].split('\\').next().map(str::to_owned)
            };
            (number("watching_clients:"), number("total_watched_keys:"))
        };
        let both = |clients: &str, keys: &str| (Some(clients.to_owned()), Some(keys.to_owned()));
        assert_eq!(watched(&mut console), both("0", "0"));
        console.run("1> WATCH a b; 2> WATCH b; 3> PING");
        assert_eq!(watched(&mut console), both("2", "2"));
        console.run("1> UNWATCH");
        assert_eq!(watched(&mut console), both("1", "1"));
    }

    #[test]
    fn databases_with_keys_are_listed() {
        let mut console = Console::default();
        assert_eq!(console.run("INFO keyspace"), "# Keyspace\\r\\n");
        console.run("SET a 1; SET b 1 PX 1000; SET c 1 PX 3000; SELECT 3; SET d 1");
        assert_eq!(
            console.run("INFO keyspace"),
            "# Keyspace\\r\\ndb0:keys=3,expires=2,avg_ttl=2000\\r\\ndb3:keys=1,expires=0,avg_ttl=0\\r\\n"
        );
    }

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1 << 20, "1.00M"),
            (3 << 29, "1.50G"),
            (1 << 60, "1024.00P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
