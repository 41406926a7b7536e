//! A table for people, as text and Markdown, and the bars of its chart.
//!
//! Every figure of ours stands beside the peer's from the same run, and the ratio says which way is better.

use std::fmt::Write as _;

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Better {
    More,
    Less,
}

/// What [`Row::floor`] is where a server that does nothing takes turns, for the head of the table.
pub(super) const FLOOR: &str = "Possible is what a server gets that does nothing but answer each request with a constant \
     (crates/reactor/examples/floor.rs, on epoll and on io_uring, the better figure): what it does not reach, no server can on this machine \
     and with this load tool.";
/// The column of [`Row::floor`], which a table without such a figure leaves out.
const FLOOR_COLUMN: usize = 3;

/// One measured thing, ours and the peer's.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) peer: f64,
    pub(crate) better: Better,
    pub(crate) bar: Bar,
    /// What is possible at best on this machine with this load: nobody can be better.
    pub(crate) floor: Option<f64>,
    /// Whether the chart shows it, beside the table.
    pub(crate) charted: bool,
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    None,
    /// Ours over the peer's.
    RatioAtLeast(f64),
    RatioAtMost(f64),
    /// Ours differs from the peer's by at most this share of it.
    Within(f64),
    /// Ours alone, in the row's unit.
    AtMost(f64),
}

impl Row {
    /// Ours over the peer's.
    pub(crate) fn ratio(&self) -> f64 {
        self.ours / self.peer
    }

    /// The bar in words, and whether it is met. One that is better than what is possible is out of reach.
    fn verdict(&self) -> String {
        let is_met = |ours: f64| match self.bar {
            Bar::None => true,
            Bar::RatioAtLeast(bar) => ours / self.peer >= bar,
            Bar::RatioAtMost(bar) => ours / self.peer <= bar,
            Bar::Within(bar) => (ours / self.peer - 1.0).abs() <= bar,
            Bar::AtMost(bar) => ours <= bar,
        };
        let words = match self.bar {
            Bar::None => return String::new(),
            Bar::RatioAtLeast(bar) => format!("at least {bar}x"),
            Bar::RatioAtMost(bar) => format!("at most {bar}x"),
            Bar::Within(bar) => format!("1x, within {}", plain(bar)),
            Bar::AtMost(bar) => format!("at most {}", plain(bar)),
        };
        match self.floor {
            _ if is_met(self.ours) => format!("{words}: met"),
            Some(floor) if !is_met(floor) => {
                format!("{words}: OUT OF REACH, {}x", figure(floor / self.peer))
            }
            _ => format!("{words}: MISSED"),
        }
    }
}

/// What one experiment found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// File name without extension.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// How it was measured, in sentences.
    pub(crate) how: String,
    pub(crate) rows: Vec<Row>,
}

/// The names of the two sides, for the heads of columns.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    pub(crate) ours: String,
    pub(crate) peer: String,
}

impl Report {
    /// The table, its columns aligned so that it reads as plain text too.
    pub(crate) fn table(&self, sides: &Sides) -> String {
        let mut lines = vec![
            [
                "",
                &sides.ours,
                &sides.peer,
                "possible",
                "unit",
                "ratio",
                "bar",
            ]
            .map(str::to_owned),
            ["-", "-:", "-:", "-:", "-", "-:", "-"].map(str::to_owned),
        ];
        lines.extend(self.rows.iter().map(|row| {
            [
                row.what.clone(),
                figure(row.ours),
                figure(row.peer),
                row.floor.map_or_else(String::new, figure),
                row.unit.to_owned(),
                format!("{}x", figure(row.ratio())),
                row.verdict(),
            ]
        }));
        let has_floor = self.rows.iter().any(|row| row.floor.is_some());
        let widths: Vec<usize> = (0..7)
            .map(|column| {
                lines
                    .iter()
                    .map(|line| line[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for line in &lines {
            for (column, cell) in line.iter().enumerate() {
                if column == FLOOR_COLUMN && !has_floor {
                    continue;
                }
                let width = widths[column];
                let numeric = matches!(column, 1..=FLOOR_COLUMN | 5);
                let _ = match numeric {
                    true => write!(text, "| {cell:>width$} "),
                    false => write!(text, "| {cell:<width$} "),
                };
            }
            text.push_str("|\n");
        }
        text
    }

    /// The page for bench/results.
    pub(crate) fn markdown(&self, sides: &Sides, machine: &str, command: &str) -> String {
        format!(
            "# {}\n\n{}\n\nMeasured by `{command}` on {machine}.\n\n{}\n![{}]({}.svg)\n",
            self.title,
            self.how,
            self.table(sides),
            self.title,
            self.name
        )
    }
}

/// A figure with three significant digits or more.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "-".to_owned(),
        v if v >= 1e6 => format!("{:.2}M", value / 1e6),
        v if v >= 1e4 => format!("{:.0}k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.3}"),
    }
}

/// A whole number as it is, else as a [`figure`].
fn plain(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value}")
    } else {
        figure(value)
    }
}

/// The middle value; of an even number the lower middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn bars_are_met_or_missed() {
        let with_floor = |bar, floor| {
            let row = Row {
                what: String::new(),
                unit: "",
                ours: 6.0,
                peer: 2.0,
                better: Better::More,
                bar,
                floor,
                charted: true,
            };
            row.verdict()
        };
        let verdict = |bar| with_floor(bar, None);
        assert_eq!(verdict(Bar::RatioAtLeast(3.0)), "at least 3x: met");
        assert_eq!(verdict(Bar::RatioAtLeast(3.5)), "at least 3.5x: MISSED");
        assert_eq!(verdict(Bar::RatioAtMost(2.0)), "at most 2x: MISSED");
        assert_eq!(verdict(Bar::AtMost(6.0)), "at most 6: met");
        assert_eq!(verdict(Bar::Within(2.0)), "1x, within 2: met");
        assert_eq!(verdict(Bar::Within(1.9)), "1x, within 1.90: MISSED");
        assert_eq!(verdict(Bar::None), "");
        let bar = Bar::RatioAtLeast(3.5);
        assert_eq!(with_floor(bar, Some(7.0)), "at least 3.5x: MISSED");
        let beyond = "at least 3.5x: OUT OF REACH, 3.25x";
        assert_eq!(with_floor(bar, Some(6.5)), beyond);
        let bar = Bar::RatioAtMost(2.0);
        assert_eq!(with_floor(bar, Some(1.0)), "at most 2x: MISSED");
        let beyond = "at most 2x: OUT OF REACH, 2.50x";
        assert_eq!(with_floor(bar, Some(5.0)), beyond);
    }

    #[test]
    fn figures() {
        let shown: Vec<_> = [8_123_456.0, 294_123.0, 177.4, 12.34, 2.958, 0.1, 0.0]
            .map(figure)
            .into();
        assert_eq!(
            shown,
            ["8.12M", "294k", "177", "12.3", "2.96", "0.100", "0"]
        );
    }
}
