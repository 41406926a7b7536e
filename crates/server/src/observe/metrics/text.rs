//! The text formats: Prometheus 0.0.4 and OpenMetrics 1.0.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>
//!
//! They differ in little: in OpenMetrics the suffix `_total` and `_info` belongs to the sample and not to the family, units are told, and the text has
//! an end, so that half of it is not taken for all.
//!
//! Invariant: all samples of a family stand together, behind its head; a family without samples is left out.

use std::fmt::Write;
use std::sync::Arc;

use super::table::{FAMILIES, Family, Kind};
use crate::Shared;
use crate::commands::info::facts::Facts;
use crate::observe::Distribution;

/// A text format.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Format {
    /// What every scraper reads.
    Prometheus,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// The format that an `Accept` header asks for.
    pub fn accepted(accept: Option<&[u8]>) -> Format {
        const OPEN: &[u8] = b"application/openmetrics-text";
        let accept = accept.unwrap_or_default();
        let asks = accept
            .split(|byte| *byte == b',')
            .any(|range| asks_for(range, OPEN));
        if asks {
            Format::OpenMetrics
        } else {
            Format::Prometheus
        }
    }

    /// For the header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Whether a range of `Accept` names this type, and does not give it no weight at all.
fn asks_for(range: &[u8], name: &[u8]) -> bool {
    let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let named = parts
        .next()
        .is_some_and(|part| part.eq_ignore_ascii_case(name));
    let refused = |part: &[u8]| {
        let weight = part.strip_prefix(b"q=").or(part.strip_prefix(b"Q="));
        let weight = weight.and_then(|text| std::str::from_utf8(text).ok());
        weight.is_some_and(|text| text.parse::<f64>().is_ok_and(|weight| weight == 0.0))
    };
    named && !parts.any(refused)
}

/// Everything that is measured, as text. `wall_us`: microseconds since 1970; `mono_ms`: the loops' clock. O(commands * workers).
pub fn render(shared: &Arc<Shared>, wall_us: u64, mono_ms: u64, format: Format) -> String {
    let facts = Facts::at(shared, wall_us, mono_ms);
    let mut page = Page {
        text: String::with_capacity(64 << 10),
        format,
    };
    for family in FAMILIES {
        let mut samples = Samples::default();
        (family.samples)(&facts, &mut samples);
        if !samples.all.is_empty() {
            page.push(family, &samples);
        }
    }
    if format == Format::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

/// Labels of a sample: names out of the source, values out of tables.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// What a sample says.
enum Value {
    Number(u64),
    Real(f64),
    Histogram(Box<Distribution>),
    Summary { sum: f64, count: u64 },
}

/// The samples of one family.
#[derive(Default)]
pub(super) struct Samples {
    /// The labels written already, without braces.
    all: Vec<(String, Value)>,
}

impl Samples {
    fn push(&mut self, labels: Labels<'_>, value: Value) {
        let mut text = String::new();
        for (name, value) in labels {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{name}=\"");
            for c in value.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '"' => text.push_str("\\\""),
                    '\n' => text.push_str("\\n"),
                    c => text.push(c),
                }
            }
            text.push('"');
        }
        self.all.push((text, value));
    }

    pub(super) fn number(&mut self, labels: Labels<'_>, value: u64) {
        self.push(labels, Value::Number(value));
    }

    pub(super) fn real(&mut self, labels: Labels<'_>, value: f64) {
        self.push(labels, Value::Real(value));
    }

    pub(super) fn yes_no(&mut self, labels: Labels<'_>, value: bool) {
        self.number(labels, u64::from(value));
    }

    pub(super) fn histogram(&mut self, labels: Labels<'_>, value: Distribution) {
        self.push(labels, Value::Histogram(Box::new(value)));
    }

    pub(super) fn summary(&mut self, labels: Labels<'_>, sum: f64, count: u64) {
        self.push(labels, Value::Summary { sum, count });
    }
}

/// Boundaries of histograms in nanoseconds: every second power of two from a microsecond to a minute. They are boundaries of the buckets that are
/// counted in, so that the counts are exact.
pub(super) const BOUNDARIES_NS: [u64; 14] = {
    let mut all = [0; 14];
    let mut i = 0;
    while i < all.len() {
        all[i] = 1 << (10 + 2 * i);
        i += 1;
    }
    all
};

struct Page {
    text: String,
    format: Format,
}

impl Page {
    fn push(&mut self, family: &Family, samples: &Samples) {
        let open = self.format == Format::OpenMetrics;
        let name = family.full_name();
        let suffix = match family.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram | Kind::Summary => "",
        };
        let in_head = if open { "" } else { suffix };
        let kind = match family.kind {
            Kind::Info if !open => "gauge",
            kind => kind.name(),
        };
        let _ = writeln!(self.text, "# TYPE {name}{in_head} {kind}");
        if open && !family.unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {}", family.unit);
        }
        let _ = writeln!(self.text, "# HELP {name}{in_head} {}", family.help);
        for (labels, value) in &samples.all {
            match value {
                Value::Number(n) => self.line(&name, suffix, labels, "", n),
                Value::Real(x) => self.line(&name, suffix, labels, "", x),
                Value::Summary { sum, count } => {
                    self.line(&name, "_sum", labels, "", sum);
                    self.line(&name, "_count", labels, "", count);
                }
                Value::Histogram(distribution) => self.histogram(&name, labels, distribution),
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, distribution: &Distribution) {
        let counts = distribution.up_to_ns(&BOUNDARIES_NS);
        for (boundary_ns, count) in BOUNDARIES_NS.iter().zip(&counts) {
            let le = format!("le=\"{}\"", seconds(*boundary_ns));
            self.line(name, "_bucket", labels, &le, count);
        }
        let calls = distribution.calls();
        self.line(name, "_bucket", labels, "le=\"+Inf\"", &calls);
        let sum = seconds(distribution.sum_ns());
        self.line(name, "_sum", labels, "", &sum);
        self.line(name, "_count", labels, "", &calls);
    }

    fn line(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &str,
        more: &str,
        value: &dyn std::fmt::Display,
    ) {
        let comma = if labels.is_empty() || more.is_empty() {
            ""
        } else {
            ","
        };
        let _ = if labels.is_empty() && more.is_empty() {
            writeln!(self.text, "{name}{suffix} {value}")
        } else {
            writeln!(self.text, "{name}{suffix}{{{labels}{comma}{more}}} {value}")
        };
    }
}

/// Nanoseconds as seconds.
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::testing::Console;

    #[test]
    fn the_header_chooses() {
        for (accept, format) in [
            (None, Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (Some("text/plain;version=0.0.4"), Format::Prometheus),
            (
                Some("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3"),
                Format::OpenMetrics,
            ),
            (
                Some("text/plain, Application/OpenMetrics-Text"),
                Format::OpenMetrics,
            ),
            (
                Some("application/openmetrics-text;q=0, */*"),
                Format::Prometheus,
            ),
            (Some("application/openmetrics-textual"), Format::Prometheus),
        ] {
            assert_eq!(
                Format::accepted(accept.map(str::as_bytes)),
                format,
                "{accept:?}"
            );
        }
    }

    #[test]
    fn labels_are_escaped() {
        let mut samples = Samples::default();
        samples.number(&[("code", "a\\b\"c\nd"), ("x", "y")], 1);
        assert_eq!(samples.all[0].0, "code=\"a\\\\b\\\"c\\nd\",x=\"y\"");
    }

    fn page(format: Format) -> String {
        let mut console = Console::default();
        console.run("SET k v; GET k; GET nokey; INCR k; NOSUCH");
        render(&console.shared, 1_767_225_600_000_000, 5_000, format)
    }

    #[test]
    fn counters_are_totals_in_both() {
        let (old, new) = (page(Format::Prometheus), page(Format::OpenMetrics));
        let sample = "\ndunlin_command_calls_total{cmd=\"get\"} 2\n";
        assert!(old.contains(sample) && new.contains(sample), "{old}");
        assert!(old.contains("# TYPE dunlin_command_calls_total counter\n"));
        assert!(new.contains("# TYPE dunlin_command_calls counter\n"));
        assert!(
            new.contains("# UNIT dunlin_command_duration_seconds seconds\n")
                || !new.contains("dunlin_command_duration_seconds")
        );
        assert!(new.ends_with("\n# EOF\n") && !old.contains("# EOF"));
        for (name, value) in [
            ("dunlin_keyspace_hits_total", 1),
            ("dunlin_keyspace_misses_total", 1),
            ("dunlin_command_failures_total{cmd=\"incr\"}", 1),
            ("dunlin_error_replies_total{code=\"ERR\"}", 2),
            ("dunlin_keys{db=\"0\"}", 1),
        ] {
            assert!(
                old.contains(&format!("\n{name} {value}\n")),
                "{name}: {old}"
            );
        }
    }

    #[test]
    fn a_page_is_well_formed() {
        for format in [Format::Prometheus, Format::OpenMetrics] {
            let page = page(format);
            let mut seen = std::collections::BTreeSet::new();
            for line in page.lines().filter(|line| !line.starts_with('#')) {
                let (sample, value) = line.rsplit_once(' ').expect("a value");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(sample.starts_with("dunlin_"), "{line}");
                assert!(seen.insert(sample.to_owned()), "twice: {line}");
            }
        }
    }
}
