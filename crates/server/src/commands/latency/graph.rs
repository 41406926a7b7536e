//! LATENCY GRAPH event: the samples as columns of characters, with the age of each below it.

use dunlin_engine::{Ctx, Flow, Outcome};

use super::no_samples;
use crate::host::host;
use crate::observe::Series;

/// Samples that fit a line; older ones are left out.
const COLUMNS_MAX: usize = 80;
/// Lines of the drawing.
const ROWS: usize = 4;
/// A cell that is empty, filled by a third, by two, and full.
const CELLS: [char; 4] = [' ', '_', 'o', '#'];

pub(super) fn graph(cx: &mut Ctx<'_>) -> Outcome {
    let event = cx.args.at(2);
    let now_s = cx.keys.now_ms() / 1_000;
    let series = host(cx).shared.observer.latency.series(event);
    let series = series.ok_or_else(|| no_samples(event))?;
    let text = draw(&String::from_utf8_lossy(event), &series, now_s);
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

/// The drawing under a line of figures.
fn draw(event: &str, series: &Series, now_s: u64) -> String {
    let samples = &series.samples;
    let high = samples.iter().map(|s| s.ms).max().unwrap_or(0);
    let low = samples.iter().map(|s| s.ms).min().unwrap_or(0);
    let mut text = format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.worst_ms,
        "-".repeat(COLUMNS_MAX)
    );
    let shown = samples
        .iter()
        .skip(samples.len().saturating_sub(COLUMNS_MAX));
    // Heights in thirds of a cell, at least one.
    let thirds = (ROWS * 3) as u64;
    let columns: Vec<(usize, String)> = shown
        .map(|sample| {
            let share = (sample.ms - low) * (thirds - 1);
            let height = 1 + share.checked_div(high - low).unwrap_or(thirds - 1);
            (height as usize, age(now_s.saturating_sub(sample.time_s)))
        })
        .collect();
    for row in (0..ROWS).rev() {
        let cell = |(height, _): &(usize, String)| CELLS[height.saturating_sub(row * 3).min(3)];
        line(&mut text, columns.iter().map(cell));
    }
    text.push('\n');
    let label_rows = columns.iter().map(|(_, age)| age.len()).max().unwrap_or(0);
    for row in 0..label_rows {
        let letter =
            |(_, age): &(usize, String)| age.as_bytes().get(row).map_or(' ', |b| *b as char);
        line(&mut text, columns.iter().map(letter));
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = char>) {
    let cells: String = cells.collect();
    text.push_str(cells.trim_end());
    text.push('\n');
}

/// Seconds as people say it, in the largest unit that fits.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Sample;

    #[test]
    fn columns_and_ages() {
        let samples = [(0, 100), (100, 210), (86_395, 430), (86_400, 320)];
        let series = Series {
            samples: samples.map(|(time_s, ms)| Sample { time_s, ms }).into(),
            worst_ms: 900,
        };
        let rule = "-".repeat(80);
        assert_eq!(
            draw("command", &series, 86_400),
            format!(
                "command - high 430 ms, low 100 ms (all time high 900 ms)\n{rule}\n  #\n  #o\n _##\n_###\n\n1250\ndsss\n 3\n"
            )
            .replace("1250\ndsss\n 3\n", "1250\nd3ss\n h\n")
        );
    }

    #[test]
    fn one_height_for_equal_samples() {
        let series = Series {
            samples: [Sample { time_s: 5, ms: 7 }].into(),
            worst_ms: 7,
        };
        assert!(draw("x", &series, 65).ends_with("\n#\n#\n#\n#\n\n1\nm\n"));
    }
}
