//! LOLWUT [VERSION version] [width [height]]: a picture for every call, and the version. <https://redis.io/commands/lolwut>
//!
//! Dunlins live on the shore, so it is dunes with birds above them.

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Args, Command, Ctx, Flow, Outcome, ReplyError};

use crate::logging::startup::REDIS_VERSION;

/// Columns and rows unless asked for others, and their largest.
const WIDTH: (usize, i64) = (66, 200);
const HEIGHT: (usize, i64) = (10, 60);
/// The sky begins with so many rows that only birds may be in.
const SKY_ROWS: usize = 3;
/// One column in so many has a bird in it.
const COLUMNS_PER_BIRD: u64 = 14;
/// Sand, the near dune first.
const SAND: [char; 3] = ['#', ':', '.'];

/// LOLWUT.
pub(super) const LOLWUT: Command = Command {
    name: "lolwut",
    full_name: "lolwut",
    arity: -1,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ.and(Categories::FAST),
    group: "server",
    since: "5.0.0",
    complexity: "O(N) in the characters of the picture",
    summary: "Draws a picture, and tells the version.",
    arguments: &[Argument::new("version", ArgKind::Integer)
        .with_token("VERSION")
        .optional()],
    handler: lolwut,
    ..Command::BASE
};

fn lolwut(cx: &mut Ctx<'_>) -> Outcome {
    let mut first = 1;
    if cx.args.len() >= 3 && cx.args.is(1, "version") {
        // Whichever version of the picture is asked for, there is one.
        parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
        first = 3;
    }
    let width = size(cx.args, first, WIDTH)?;
    let height = size(cx.args, first + 1, HEIGHT)?;
    let local = cx.keys.local();
    let mut text = draw(width, height, || local.random());
    text.push_str("\nRedis ver. ");
    text.push_str(REDIS_VERSION);
    text.push('\n');
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

fn size(args: Args<'_>, index: usize, (default, max): (usize, i64)) -> Result<usize, ReplyError> {
    match args.get(index) {
        None => Ok(default),
        Some(arg) => {
            let n = parse_i64(arg).ok_or(ReplyError::NotInteger)?;
            Ok(n.clamp(1, max) as usize)
        }
    }
}

/// Three dunes behind each other, each a wave of its own, and birds.
fn draw(width: usize, height: usize, mut random: impl FnMut() -> u64) -> String {
    let mut unit = || (random() >> 11) as f64 / (1u64 << 53) as f64;
    let sand_rows = height.saturating_sub(SKY_ROWS).max(1) as f64;
    let dunes: Vec<(f64, f64, f64)> = (0..SAND.len())
        .map(|far| {
            let level = sand_rows * (0.15 + 0.25 * far as f64 + 0.1 * unit());
            (level, unit() * std::f64::consts::TAU, 0.05 + 0.1 * unit())
        })
        .collect();
    let crest = |(level, phase, pace): (f64, f64, f64), x: usize| {
        level + sand_rows * 0.2 * (phase + pace * x as f64).sin()
    };
    let mut text = String::new();
    for row in 0..height {
        let above_ground = (height - row) as f64 - 0.5;
        let mut line = String::new();
        for x in 0..width {
            let dune = (0..SAND.len()).find(|near| crest(dunes[*near], x) >= above_ground);
            let bird =
                row < SKY_ROWS && (unit() * (COLUMNS_PER_BIRD * SKY_ROWS as u64) as f64) < 1.0;
            line.push(match dune {
                Some(near) => SAND[near],
                None if bird => 'v',
                None => ' ',
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::commands::testing::{Console, check};

    #[test]
    fn a_picture_and_the_version() {
        let mut console = Console::default();
        let first = console.run("LOLWUT");
        assert!(first.ends_with("\\n\\nRedis ver. 7.2.4\\n"), "{first}");
        assert_ne!(first, console.run("LOLWUT"), "none is like the one before");
        for (script, rows) in [
            ("LOLWUT", 10),
            ("LOLWUT VERSION 5", 10),
            ("LOLWUT VERSION 6 20 4", 4),
            ("LOLWUT 20 4", 4),
            ("LOLWUT -7 1000", 60),
        ] {
            let reply = console.run(script);
            assert_eq!(reply.matches("\\n").count(), rows + 2, "{script}: {reply}");
        }
        check(
            "LOLWUT VERSION x; LOLWUT x; LOLWUT 1 x",
            "(error) ERR value is not an integer or out of range; (error) ERR value is not an integer or out of range; \
             (error) ERR value is not an integer or out of range",
        );
    }

    #[test]
    fn fits_its_frame() {
        let mut n = 0u64;
        let picture = draw(30, 8, || {
            n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
            n
        });
        assert_eq!(picture.lines().count(), 8);
        assert!(picture.lines().all(|line| line.len() <= 30), "{picture}");
        assert!(picture.contains('#') && picture.contains('.'), "{picture}");
    }
}
