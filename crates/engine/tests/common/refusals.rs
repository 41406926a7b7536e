//! Sessions in which commands are refused: the replies are Redis's, and a refusal leaves neither a change nor an effect.

use std::sync::Arc;

use super::commands::Request;
use super::genuine::Genuine;
use super::sessions::check_all;
use super::world::{World, engine};

/// Short names for replies that come often.
const SHORT: &[(&str, &str)] = &[
    (
        "!type",
        "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
    ),
    ("!float", "(error) ERR value is not a valid float"),
    (
        "!integer",
        "(error) ERR value is not an integer or out of range",
    ),
    ("!scores", "(error) ERR min or max is not a float"),
    (
        "!members",
        "(error) ERR min or max not valid string range item",
    ),
    (
        "!positive",
        "(error) ERR value is out of range, must be positive",
    ),
    (
        "!magnitude",
        "(error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    ),
    ("!range", "(error) ERR value is out of range"),
    ("!syntax", "(error) ERR syntax error"),
    (
        "!id",
        "(error) ERR Invalid stream ID specified as stream command argument",
    ),
    (
        "!overflow",
        "(error) ERR increment or decrement would overflow",
    ),
    ("!nan", "(error) ERR resulting score is not a number (NaN)"),
];

/// Integers at the ends and just beyond.
const INTEGERS: &[(&str, &str)] = &[
    ("{MIN}", "-9223372036854775808"),
    ("{MAX}", "9223372036854775807"),
    ("{OVER}", "9223372036854775808"),
    ("{UNDER}", "-9223372036854775809"),
];

/// A command and its reply; see [`SHORT`] and [`INTEGERS`].
pub(crate) type Line<'a> = (&'a str, &'a str);

fn in_full(text: &str) -> String {
    let mut full = text.to_owned();
    for (name, number) in INTEGERS {
        full = full.replace(name, number);
    }
    match SHORT.iter().find(|(name, _)| *name == full) {
        Some((_, reply)) => (*reply).to_owned(),
        None => full,
    }
}

/// Checks every session: its replies, those of a genuine server that `is_comparable`, and that refusals change nothing.
pub(crate) fn check(sessions: &[&[Line<'_>]], is_comparable: impl Fn(&Genuine) -> bool) {
    let join = |parts: Vec<String>| parts.join("; ");
    let full: Vec<(String, String)> = sessions
        .iter()
        .map(|lines| {
            let commands = lines.iter().map(|(command, _)| in_full(command)).collect();
            let replies = lines.iter().map(|(_, reply)| in_full(reply)).collect();
            (join(commands), join(replies))
        })
        .collect();
    let borrowed: Vec<Line<'_>> = full.iter().map(|(c, r)| (c.as_str(), r.as_str())).collect();
    check_all(&borrowed, is_comparable);
    for lines in sessions {
        refusals_change_nothing(lines);
    }
}

/// The dataset before and after each refused command, and what the log says of it.
fn refusals_change_nothing(lines: &[Line<'_>]) {
    let engine = Arc::new(engine(64, 1, 1));
    let mut world = World::new(Arc::clone(&engine), 1, 1);
    let mut reader = engine.store.log.attach();
    let mut records = Vec::new();
    for (command, _) in lines {
        let command = in_full(command);
        let request: Request =
            dunlin_resp::split_words(command.as_bytes()).expect("balanced quotes");
        records.clear();
        reader.drain(&mut records);
        let before = world.dataset();
        world.start(0, &request);
        world.settle();
        if world.reply(0).starts_with(b"-") {
            assert_eq!(world.dataset(), before, "{command}");
            records.clear();
            reader.drain(&mut records);
            assert!(records.is_empty(), "{command}: {records:?}");
        }
    }
}
