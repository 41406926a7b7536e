//! Draws a report as an SVG bar chart that reads on light and on dark pages: a pair of bars for each row, ours and the peer's.
//!
//! Each pair has a scale of its own (the units differ); the longer bar fills the width, and the ratio stands at the end. No script, no
//! font but the reader's own.

use std::fmt::Write as _;

use super::report::{Better, Report, Row, Sides, figure};

const WIDTH: usize = 860;
const LABEL_WIDTH: usize = 326;
const BAR_WIDTH_MAX: usize = 310;
const BAR_HEIGHT: usize = 13;
const ROW_HEIGHT: usize = 42;
const HEAD_HEIGHT: usize = 62;

/// Colours that keep their contrast on white and on near-black; the text follows the reader's scheme.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#57606a}.t{font-weight:600;font-size:15px;fill:#24292f}\
                     .r{font-weight:600}.o{fill:#0f8a7e}.p{fill:#98a2ad}\
                     @media(prefers-color-scheme:dark){text{fill:#9aa4af}.t{fill:#e6edf3}.o{fill:#2bb3a5}.p{fill:#6e7681}}";

/// The chart of a report.
pub(crate) fn svg(report: &Report, sides: &Sides) -> String {
    let rows: Vec<&Row> = report.rows.iter().filter(|row| row.charted).collect();
    let height = HEAD_HEIGHT + rows.len() * ROW_HEIGHT + 8;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n<text class=\"t\" x=\"12\" y=\"24\">{title}</text>\n",
        title = escaped(report.title)
    );
    legend(&mut out, sides);
    for (index, row) in rows.into_iter().enumerate() {
        let top = HEAD_HEIGHT + index * ROW_HEIGHT;
        let longest = row.ours.max(row.peer).max(f64::MIN_POSITIVE);
        let _ = writeln!(
            out,
            "<text x=\"12\" y=\"{}\">{}</text>",
            top + BAR_HEIGHT + 5,
            escaped(&row.what)
        );
        for (bar, (class, value)) in [("o", row.ours), ("p", row.peer)].into_iter().enumerate() {
            let y = top + bar * (BAR_HEIGHT + 2);
            let width = (value / longest * BAR_WIDTH_MAX as f64).max(1.0);
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{LABEL_WIDTH}\" y=\"{y}\" width=\"{width:.0}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>\
                 <text x=\"{:.0}\" y=\"{}\">{} {}</text>",
                LABEL_WIDTH as f64 + width + 6.0,
                y + BAR_HEIGHT - 2,
                figure(value),
                escaped(row.unit)
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"r\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH - 12,
            top + BAR_HEIGHT + 5,
            said(row.ratio(), row.better)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String, sides: &Sides) {
    for (index, (class, name)) in [("o", &sides.ours), ("p", &sides.peer)]
        .into_iter()
        .enumerate()
    {
        let x = LABEL_WIDTH + index * 150;
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"36\" width=\"12\" height=\"12\" rx=\"2\"/><text x=\"{}\" y=\"47\">{}</text>",
            x + 18,
            escaped(name)
        );
    }
}

/// The ratio as people say it: the cost of a figure that should be small is so many times less or more.
fn said(ratio: f64, better: Better) -> String {
    match better {
        Better::More => format!("{}x", figure(ratio)),
        Better::Less if ratio <= 1.0 => format!("{}x less", figure(1.0 / ratio)),
        Better::Less => format!("{}x more", figure(ratio)),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::report::Bar;
    use super::*;

    #[test]
    fn a_chart_has_two_bars_for_each_row_and_escapes_names() {
        let row = Row {
            what: "GET & <SET>".to_owned(),
            unit: "us",
            ours: 1.0,
            peer: 4.0,
            better: Better::Less,
            bar: Bar::None,
            floor: None,
            charted: true,
        };
        let unseen = Row {
            floor: None,
            charted: false,
            ..row.clone()
        };
        let report = Report {
            name: "x",
            title: "X",
            how: String::new(),
            rows: vec![row.clone(), row, unseen],
        };
        let sides = Sides {
            ours: "a".to_owned(),
            peer: "b".to_owned(),
        };
        let svg = svg(&report, &sides);
        assert_eq!(svg.matches("<rect class=\"o\"").count(), 3);
        assert!(svg.contains("GET &amp; &lt;SET>"));
        assert!(svg.contains("4.00x less"));
        assert!(!svg.contains("NaN"));
    }
}
