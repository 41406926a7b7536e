//! The syntax of the command that is being typed: what is still to come, in the words of the argument tree.
//!
//! The words that were typed are matched with the tree; what no word has taken is the hint. Optional arguments that follow each other are
//! taken in any order. A word that is still being typed may be a value, but is no token yet.
//!
//! Invariant: where a finished word fits nothing there is no hint, rather than a wrong one.

use dunlin_resp::split_words;
use dunlin_server::commands::{self, ArgKind, Argument, Command};

/// What to show behind `line`, if it begins a command.
pub(super) fn of(line: &str) -> Option<String> {
    let split = split_words(line.as_bytes()).ok()?;
    let open = !line.ends_with(' ');
    let last = split.len().checked_sub(1)?;
    let word = |(i, bytes): (usize, &'_ Vec<u8>)| (i == last && open, bytes.clone());
    let owned: Vec<(bool, Vec<u8>)> = split.iter().enumerate().map(word).collect();
    let mut words: Vec<Word<'_>> = owned
        .iter()
        .map(|(open, bytes)| Word { bytes, open: *open })
        .collect();
    if words.len() > 1 && words[0].bytes.iter().all(u8::is_ascii_digit) {
        words.remove(0);
    }
    let (command, taken) = command_of(&words)?;
    let given = &words[taken..];
    let mut found = match_all(command.arguments, given);
    if found.words < given.len() {
        // What is being typed may yet become a token.
        let (typed, before) = given.split_last()?;
        found = match_all(command.arguments, before);
        if !typed.open || found.words < before.len() {
            return None;
        }
    }
    let rest = found.rest.join(" ");
    let gap = if open { " " } else { "" };
    (!rest.is_empty()).then(|| format!("{gap}{rest}"))
}

/// The arguments of a command on one line: `key [MATCH pattern] [NX|XX]`.
pub(super) fn syntax(arguments: &[Argument]) -> String {
    match_all(arguments, &[]).rest.join(" ")
}

/// A word that was typed.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    bytes: &'a [u8],
    /// It may go on.
    open: bool,
}

impl Word<'_> {
    fn is(&self, name: &str) -> bool {
        self.bytes.eq_ignore_ascii_case(name.as_bytes())
    }

    fn reads_as<N: std::str::FromStr>(&self) -> bool {
        std::str::from_utf8(self.bytes).is_ok_and(|text| text.parse::<N>().is_ok())
    }
}

/// The command that the words call, and how many of them name it.
fn command_of(words: &[Word<'_>]) -> Option<(&'static Command, usize)> {
    let first = words.first()?;
    let command = commands::all().find(|command| first.is(command.name))?;
    if command.subcommands.is_empty() {
        return Some((command, 1));
    }
    let second = words.get(1)?;
    let mut subcommands = command.subcommands.iter();
    subcommands
        .find(|subcommand| second.is(subcommand.name))
        .map(|subcommand| (*subcommand, 2))
}

/// What words are as one argument.
enum Match {
    /// Something else.
    Not,
    /// So many of them are all of it. If there are no further words, these parts of it may follow.
    Whole(usize, Vec<String>),
    /// All of them are its beginning; these parts of it are missing.
    Begun(Vec<String>),
}

/// What words are as a list of arguments.
#[derive(Debug, Default)]
struct Found {
    /// How many were taken.
    words: usize,
    /// What may or must follow.
    rest: Vec<String>,
    /// An argument that may not be left out was not there.
    incomplete: bool,
}

/// Takes words for the arguments in their order.
fn match_all(arguments: &[Argument], words: &[Word<'_>]) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    while at < arguments.len() {
        let run = arguments[at..]
            .iter()
            .take_while(|argument| argument.optional)
            .count();
        if run > 0 {
            match_options(&arguments[at..at + run], words, &mut found);
            at += run;
        } else {
            match_required(&arguments[at], words, &mut found);
            at += 1;
        }
        if found.incomplete && found.words < words.len() {
            break;
        }
    }
    found
}

fn match_required(argument: &Argument, words: &[Word<'_>], found: &mut Found) {
    let mut times = 0;
    loop {
        let left = &words[found.words..];
        let matched = match_once(argument, left);
        if !matches!(matched, Match::Not) {
            // What may come before it can't any more.
            found.rest.clear();
        }
        match matched {
            Match::Whole(n, more) => {
                found.words += n;
                times += 1;
                if found.words == words.len() {
                    found.rest.extend(more);
                }
            }
            Match::Begun(missing) => {
                found.words = words.len();
                found.incomplete = true;
                found.rest.extend(missing);
                if argument.multiple {
                    found.rest.push(repetition(argument));
                }
                return;
            }
            Match::Not => break,
        }
        if !argument.multiple || found.words == words.len() {
            break;
        }
    }
    if times == 0 {
        found.incomplete = true;
        found.rest.push(shown(argument));
    } else if argument.multiple && found.words == words.len() {
        found.rest.push(repetition(argument));
    }
}

/// Takes the options that are there, in any order; the others may follow.
fn match_options(run: &[Argument], words: &[Word<'_>], found: &mut Found) {
    let mut used = vec![false; run.len()];
    let mut first = Vec::new();
    while found.words < words.len() {
        let left = &words[found.words..];
        let free = run
            .iter()
            .enumerate()
            .filter(|(i, argument)| !used[*i] || argument.multiple);
        let matches = free.map(|(i, argument)| (i, match_once(argument, left)));
        let taken = matches
            .into_iter()
            .find(|(_, matched)| !matches!(matched, Match::Not));
        if taken.is_some() {
            found.rest.clear();
        }
        match taken {
            Some((i, Match::Whole(n, more))) => {
                used[i] = true;
                found.words += n;
                if found.words == words.len() {
                    first = more;
                }
            }
            Some((i, Match::Begun(missing))) => {
                used[i] = true;
                found.words = words.len();
                found.incomplete = true;
                first = missing;
            }
            _ => break,
        }
    }
    found.rest.extend(first);
    for (argument, used) in run.iter().zip(used) {
        match (used, argument.multiple) {
            (false, _) => found.rest.push(shown(argument)),
            (true, true) => found.rest.push(repetition(argument)),
            (true, false) => {}
        }
    }
}

/// Takes the words for one argument, once.
fn match_once(argument: &Argument, words: &[Word<'_>]) -> Match {
    let Some(first) = words.first() else {
        return Match::Not;
    };
    if argument.token.is_empty() {
        return match_value(argument, words);
    }
    if first.open || !first.is(argument.token) {
        return Match::Not;
    }
    if argument.kind == ArgKind::Token {
        return Match::Whole(1, Vec::new());
    }
    if words.len() == 1 {
        return Match::Begun(vec![value(argument)]);
    }
    match match_value(argument, &words[1..]) {
        Match::Whole(n, more) => Match::Whole(n + 1, more),
        other => other,
    }
}

fn match_value(argument: &Argument, words: &[Word<'_>]) -> Match {
    let word = words[0];
    let fits = match argument.kind {
        ArgKind::Integer | ArgKind::UnixTime => word.reads_as::<i64>(),
        ArgKind::Double => word.reads_as::<f64>(),
        ArgKind::String | ArgKind::Key(_) | ArgKind::Pattern => true,
        ArgKind::Token => false,
        ArgKind::OneOf => {
            let mut matches = argument
                .inner
                .iter()
                .map(|choice| match_once(choice, words));
            return matches
                .find(|matched| !matches!(matched, Match::Not))
                .unwrap_or(Match::Not);
        }
        ArgKind::Block => {
            let found = match_all(argument.inner, words);
            return match (found.words, found.incomplete) {
                (0, _) => Match::Not,
                (n, true) if n == words.len() => Match::Begun(found.rest),
                (_, true) => Match::Not,
                (n, false) => Match::Whole(n, found.rest),
            };
        }
    };
    if fits {
        Match::Whole(1, Vec::new())
    } else {
        Match::Not
    }
}

/// An argument with its brackets and repetitions.
fn shown(argument: &Argument) -> String {
    let mut text = once(argument);
    if argument.multiple {
        text = format!("{text} {}", repetition(argument));
    }
    if argument.optional {
        format!("[{text}]")
    } else {
        text
    }
}

/// An argument that was there, once more.
fn repetition(argument: &Argument) -> String {
    if argument.multiple_token {
        format!("[{} ...]", once(argument))
    } else {
        format!("[{} ...]", value(argument))
    }
}

/// An argument with its token.
fn once(argument: &Argument) -> String {
    match (argument.token, argument.kind) {
        ("", _) => value(argument),
        (token, ArgKind::Token) => token.to_owned(),
        (token, _) => format!("{token} {}", value(argument)),
    }
}

/// An argument without its token.
fn value(argument: &Argument) -> String {
    let all = |separator: &str| {
        argument
            .inner
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join(separator)
    };
    match argument.kind {
        ArgKind::Token => argument.token.to_owned(),
        ArgKind::OneOf => all("|"),
        ArgKind::Block => all(" "),
        _ if argument.shown.is_empty() => argument.name.to_owned(),
        _ => argument.shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_left_out() {
        for (line, hint) in [
            ("get", " key"),
            ("get ", "key"),
            ("get k", ""),
            ("lpop key ", "[count]"),
            ("del a b", " [key ...]"),
            ("del a ", "[key ...]"),
            ("xrange k 4 2 COUNT ", "count"),
            ("xrange k 4 2 COUNT", " [COUNT count]"),
            ("set k v EX ", "seconds [NX|XX] [GET]"),
            ("scan 0 count ", "count [MATCH pattern] [TYPE type]"),
            (
                "zrange k 1 2 limit 2 4 ",
                "[BYSCORE|BYLEX] [REV] [WITHSCORES]",
            ),
            ("zrandmember k 3 ", "[WITHSCORES]"),
            (
                "geosearch k FROMMEMBER m BYRADIUS 1 m count 2 ",
                "[ANY] [ASC|DESC] [WITHCOORD] [WITHDIST] [WITHHASH]",
            ),
            (
                "zadd key ch lt ",
                "[NX|XX] [INCR] score member [score member ...]",
            ),
            ("zadd key 0 ", "member [score member ...]"),
            ("config set a ", "value [parameter value ...]"),
            ("config get ", "parameter [parameter ...]"),
            ("3 get ", "key"),
        ] {
            assert_eq!(of(line).unwrap_or_default(), hint, "{line}");
        }
    }

    #[test]
    fn what_fits_nothing_has_no_hint() {
        for line in [
            "nosuch ",
            "config",
            "set k v FOO ",
            "set k v EX x ",
            "zrandmember k x ",
            "get k v ",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[test]
    fn every_command_has_a_syntax_that_does_not_depend_on_what_is_typed() {
        for command in commands::all().filter(|command| command.subcommands.is_empty()) {
            let hint = of(&format!("{} ", command.name)).unwrap_or_default();
            assert_eq!(hint, syntax(command.arguments), "{}", command.name);
        }
    }
}
