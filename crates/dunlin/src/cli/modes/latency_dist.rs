//! `--latency-dist`: round trips of PING as a spectrum, a line for each interval: the more of them fall into a range, the brighter its mark.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::latency::PAUSE;
use crate::cli::connection::Connection;
use crate::cli::options::Options;

/// How long a line lasts.
const INTERVAL: Duration = Duration::from_secs(1);
/// Lines between two legends.
const LINES_PER_LEGEND: u64 = 20;
/// Ends of the ranges in microseconds, and their marks: powers at the ends, single milliseconds where it matters.
const RANGES: [(u64, char); 31] = [
    (10, '.'),
    (125, '-'),
    (250, '*'),
    (500, '#'),
    (1_000, '1'),
    (2_000, '2'),
    (3_000, '3'),
    (4_000, '4'),
    (5_000, '5'),
    (6_000, '6'),
    (7_000, '7'),
    (8_000, '8'),
    (9_000, '9'),
    (10_000, 'A'),
    (20_000, 'B'),
    (30_000, 'C'),
    (40_000, 'D'),
    (50_000, 'E'),
    (100_000, 'F'),
    (200_000, 'G'),
    (300_000, 'H'),
    (400_000, 'I'),
    (500_000, 'J'),
    (1_000_000, 'K'),
    (2_000_000, 'L'),
    (4_000_000, 'M'),
    (8_000_000, 'N'),
    (16_000_000, 'O'),
    (30_000_000, 'P'),
    (60_000_000, 'Q'),
    (u64::MAX, '?'),
];
/// Colours of a terminal with 256 of them, from few to many.
const COLOURS: [u8; 10] = [232, 17, 18, 19, 26, 32, 72, 178, 208, 196];
/// Greys for `--mono`.
const GREYS: [u8; 10] = [232, 234, 236, 238, 240, 242, 245, 248, 251, 255];

/// Samples until the user ends it.
///
/// # Errors
/// When the server is gone.
pub(in crate::cli) fn run(
    mut connection: Connection,
    options: &Options,
    mono: bool,
) -> Result<ExitCode> {
    let interval = if options.interval.is_zero() {
        INTERVAL
    } else {
        options.interval
    };
    let colours = if mono { GREYS } else { COLOURS };
    for line in 0.. {
        let mut counts = [0_u64; RANGES.len()];
        let since = Instant::now();
        while since.elapsed() < interval {
            let sent = Instant::now();
            connection.ask(&["PING"])?;
            let us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            counts[RANGES.partition_point(|(end, _)| *end < us)] += 1;
            std::thread::sleep(PAUSE);
        }
        let mut stdout = io::stdout().lock();
        if line % LINES_PER_LEGEND == 0 {
            write!(stdout, "{}", legend(&colours))?;
        }
        writeln!(stdout, "{}", spectrum(&counts, &colours))?;
        stdout.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn legend(colours: &[u8]) -> String {
    let shades: String = colours
        .iter()
        .map(|colour| format!("\x1b[48;5;{colour}m "))
        .collect();
    format!(
        "---------------------------------------------\n\
         . - * #          .01 .125 .25 .5 milliseconds\n\
         1,2,3,...,9      from 1 to 9     milliseconds\n\
         A,B,C,D,E        10,20,30,40,50  milliseconds\n\
         F,G,H,I,J        .1,.2,.3,.4,.5       seconds\n\
         K,L,M,N,O,P,Q,?  1,2,4,8,16,30,60,>60 seconds\n\
         From 0 to 100%: {shades}\x1b[0m\n\
         ---------------------------------------------\n"
    )
}

fn spectrum(counts: &[u64; RANGES.len()], colours: &[u8]) -> String {
    let sum = counts.iter().sum::<u64>().max(1);
    let brightest = colours.len() as u64 - 1;
    let marks = counts.iter().zip(RANGES).map(|(count, (_, mark))| {
        // Something always shows, however little it is.
        let shade = (count * brightest).div_ceil(sum);
        format!("\x1b[38;5;0m\x1b[48;5;{}m{mark}", colours[shade as usize])
    });
    format!("{}\x1b[0m", marks.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_range_is_the_brightest() {
        let mut counts = [0; RANGES.len()];
        (counts[0], counts[4]) = (1, 1_000_000);
        let line = spectrum(&counts, &COLOURS);
        assert!(line.contains(";17m."), "{line}");
        assert!(line.contains(";196m1"), "{line}");
        assert!(line.contains(";232m?"), "{line}");
    }
}
