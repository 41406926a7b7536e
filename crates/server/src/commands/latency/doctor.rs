//! LATENCY DOCTOR: the samples of all events in figures, and what may be done about them.

use std::fmt::Write;

use dunlin_engine::{Ctx, Flow, Outcome};

use crate::host::host;
use crate::observe::Series;

pub(super) fn doctor(cx: &mut Ctx<'_>) -> Outcome {
    let monitor = &host(cx).shared.observer.latency;
    let text = report(monitor.is_on(), &monitor.all());
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

fn report(on: bool, events: &[(&'static str, Series)]) -> String {
    if events.is_empty() {
        return if on {
            "Nothing has taken longer than latency-monitor-threshold since the last LATENCY RESET.\n"
                .to_owned()
        } else {
            "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> starts it.\n"
                .to_owned()
        };
    }
    let mut text = String::from("These took longer than latency-monitor-threshold:\n\n");
    for (number, (event, series)) in events.iter().enumerate() {
        let count = series.samples.len() as u64;
        let mean = series.samples.iter().map(|s| s.ms).sum::<u64>() / count.max(1);
        let deviation = series
            .samples
            .iter()
            .map(|s| s.ms.abs_diff(mean))
            .sum::<u64>()
            / count.max(1);
        let first_s = series.samples.front().map_or(0, |s| s.time_s);
        let last_s = series.samples.back().map_or(0, |s| s.time_s);
        let _ = writeln!(
            text,
            "{}. {event}: {count} times in {} s, {mean} ms on average (mean deviation {deviation} ms), worst {} ms.",
            number + 1,
            last_s - first_s + 1,
            series.worst_ms
        );
    }
    text.push_str("\nAdvice:\n");
    for (event, _) in events {
        let _ = writeln!(text, "- {event}: {}", advice(event));
    }
    text
}

fn advice(event: &str) -> &'static str {
    match event {
        "command" => {
            "SLOWLOG GET names the commands. Ask for less at a time: SCAN instead of KEYS, ranges instead of whole \
             collections. Other clients' commands on other keys went on meanwhile."
        }
        "fast-command" => {
            "Commands that should be quick were not. The machine may be out of processor time or memory: look for \
             swapping, other processes, and transparent huge pages."
        }
        "expire-cycle" => {
            "Many keys had the same deadline. Add some random milliseconds to deadlines that are set together."
        }
        "eviction-cycle" => {
            "Room had to be made for new data. Raise maxmemory, or set deadlines so that less must be evicted."
        }
        _ => "No advice for this one.",
    }
}

#[cfg(test)]
mod tests {
    use super::report;
    use crate::commands::testing::Console;
    use crate::observe::{Sample, Series};

    #[test]
    fn tells_what_it_sees() {
        let mut console = Console::default();
        assert!(console.run("LATENCY DOCTOR").contains("is off"));
        console.run("CONFIG SET latency-monitor-threshold 1");
        assert!(
            console
                .run("LATENCY DOCTOR")
                .starts_with("Nothing has taken")
        );
        let samples = [(10, 100), (14, 300)];
        let series = Series {
            samples: samples.map(|(time_s, ms)| Sample { time_s, ms }).into(),
            worst_ms: 900,
        };
        let text = report(true, &[("command", series)]);
        assert!(
            text.contains("1. command: 2 times in 5 s, 200 ms on average (mean deviation 100 ms), worst 900 ms."),
            "{text}"
        );
        assert!(text.contains("- command: SLOWLOG GET"), "{text}");
    }
}
