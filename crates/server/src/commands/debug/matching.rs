//! DEBUG STRINGMATCH-TEST: random patterns and texts through the matcher of KEYS and its like.
//!
//! What it looks at: the matcher ends, no pattern makes it panic, a text matches itself escaped, and `*` before and behind a
//! pattern loses no match.

use dunlin_engine::glob;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::{FAMILY, permit};

/// DEBUG STRINGMATCH-TEST.
pub(super) const STRINGMATCH_TEST: Command = Command {
    summary: "Tries the matcher of patterns with random ones.",
    ..FAMILY.subcommand("stringmatch-test", "debug", stringmatch_test)
};

/// Patterns that are tried; some milliseconds.
const TRIES: usize = 20_000;
/// Longest pattern and text.
const LENGTH_MAX: u64 = 32;
/// What they are made of: the bytes that mean something, and a few that do not.
const ALPHABET: &[u8] = b"*?[]^-\\abc\0\xff";

fn stringmatch_test(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 0..=0)?;
    if cx.is_heavy(usize::MAX) {
        return Ok(Flow::Heavy);
    }
    let local = cx.keys.local();
    let mut random = || local.random();
    for _ in 0..TRIES {
        let (pattern, text) = (word(&mut random), word(&mut random));
        if let Err(what) = check(&pattern, &text) {
            let (pattern, text) = (pattern.escape_ascii(), text.escape_ascii());
            let found = format!("ERR {what}: pattern \"{pattern}\", text \"{text}\"");
            return Err(ReplyError::Text(found.into()));
        }
    }
    cx.reply.simple("The matcher did what it should");
    Ok(Flow::Done)
}

fn word(random: &mut impl FnMut() -> u64) -> Vec<u8> {
    let length = random() % LENGTH_MAX;
    let any = |_| ALPHABET[(random() % ALPHABET.len() as u64) as usize];
    (0..length).map(any).collect()
}

fn check(pattern: &[u8], text: &[u8]) -> Result<(), &'static str> {
    let matched = glob::matches(pattern, text, false);
    if matched && !glob::matches(pattern, text, true) {
        return Err("it matched, but not with letter case aside");
    }
    let itself: Vec<u8> = text.iter().flat_map(|byte| [b'\\', *byte]).collect();
    if !glob::matches(&itself, text, false) {
        return Err("a text does not match itself");
    }
    let anywhere = [b"*", pattern].concat();
    if matched && !text.is_empty() && !glob::matches(&anywhere, text, false) {
        return Err("a star before the pattern lost a match");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::commands::testing::Console;

    #[test]
    fn finds_nothing() {
        assert_eq!(
            Console::with_debug().run("DEBUG STRINGMATCH-TEST; DEBUG STRINGMATCH-TEST x"),
            "The matcher did what it should; \
             (error) ERR unknown subcommand or wrong number of arguments for 'STRINGMATCH-TEST'. Try DEBUG HELP."
        );
        assert_eq!(check(b"a*", b"abc"), Ok(()));
    }
}
