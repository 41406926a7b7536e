//! The syntax of the command that is being typed: what is still to come, in the words of the argument tree.
//!
//! Invariant: a hint is never a command's own text: it is made of names and tokens of the table.

use dunlin_resp::split_words;
use dunlin_server::commands::{self, ArgKind, Argument, Command};

/// What to show behind `line`, if it begins a command.
pub(super) fn of(line: &str) -> Option<String> {
    let words = split_words(line.as_bytes()).ok()?;
    let mut words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    if words.len() > 1 && words[0].iter().all(u8::is_ascii_digit) {
        words.remove(0);
    }
    let (command, taken) = command_of(&words)?;
    let open = !line.ends_with(' ');
    // A name may go on; the word behind it that is being typed counts as given.
    let given = &words[taken..];
    let rest = remaining(command.arguments, given);
    if rest.is_empty() {
        return None;
    }
    Some(format!("{}{rest}", if open { " " } else { "" }))
}

/// The command that the words call, and how many of them name it.
fn command_of(words: &[&[u8]]) -> Option<(&'static Command, usize)> {
    let named = |command: &Command, word: &[u8]| command.name.as_bytes().eq_ignore_ascii_case(word);
    let first = words.first()?;
    let command = commands::all().find(|command| named(command, first))?;
    if command.subcommands.is_empty() {
        return Some((command, 1));
    }
    let second = words.get(1)?;
    let found = command
        .subcommands
        .iter()
        .find(|subcommand| named(subcommand, second));
    found.map(|subcommand| (*subcommand, 2))
}

/// The arguments of a command on one line: `key [MATCH pattern] [NX | XX]`.
pub(super) fn syntax(arguments: &[Argument]) -> String {
    remaining(arguments, &[])
}

/// The syntax of what `given` leaves.
fn remaining(arguments: &[Argument], given: &[&[u8]]) -> String {
    let mut parts = Vec::new();
    let mut given = given;
    let mut at = 0;
    while at < arguments.len() {
        // A run of optional arguments may come in any order.
        let run = arguments[at..]
            .iter()
            .take_while(|argument| argument.optional)
            .count();
        if run > 0 {
            options(&arguments[at..at + run], &mut given, &mut parts);
            at += run;
            continue;
        }
        let argument = &arguments[at];
        at += 1;
        let mut taken = 0;
        while let Some(n) = matched(argument, given) {
            given = &given[n..];
            taken += 1;
            if !argument.multiple || given.is_empty() {
                break;
            }
        }
        match taken {
            0 if !given.is_empty() && begins(argument, given) => {
                parts.push(partial(argument, &mut given))
            }
            0 => parts.push(shown(argument)),
            _ if argument.multiple && given.is_empty() => {
                parts.push(format!("[{} ...]", once(argument)))
            }
            _ => {}
        }
    }
    parts.join(" ")
}

/// Takes the options that are given, in any order, and adds the others.
fn options(run: &[Argument], given: &mut &[&[u8]], parts: &mut Vec<String>) {
    let mut used = vec![false; run.len()];
    let mut half = None;
    while !given.is_empty() {
        let found = run.iter().enumerate().find_map(|(i, argument)| {
            let free = !used[i] || argument.multiple;
            matched(argument, given).filter(|_| free).map(|n| (i, n))
        });
        match found {
            Some((i, n)) => {
                used[i] = true;
                *given = &given[n..];
            }
            None => {
                half = run.iter().position(|argument| begins(argument, given));
                break;
            }
        }
    }
    if let Some(i) = half {
        used[i] = true;
        parts.push(partial(&run[i], given));
    }
    let open = run
        .iter()
        .zip(used)
        .filter(|(argument, used)| !used || argument.multiple);
    parts.extend(open.map(|(argument, _)| shown(argument)));
}

/// How many of the words are this argument, once; `None` if they are not, or not all of it.
fn matched(argument: &Argument, given: &[&[u8]]) -> Option<usize> {
    let mut n = 0;
    if !argument.token.is_empty() {
        given
            .first()
            .filter(|word| word.eq_ignore_ascii_case(argument.token.as_bytes()))?;
        n = 1;
    }
    match argument.kind {
        ArgKind::Token => Some(n),
        ArgKind::OneOf => {
            let inner = argument
                .inner
                .iter()
                .find_map(|choice| matched(choice, &given[n..]));
            inner.map(|taken| n + taken)
        }
        ArgKind::Block => {
            for part in argument.inner {
                match matched(part, &given[n..]) {
                    Some(taken) => n += taken,
                    None if part.optional => {}
                    None => return None,
                }
            }
            Some(n)
        }
        ArgKind::Integer | ArgKind::UnixTime => is_number::<i64>(given.get(n)?).then_some(n + 1),
        ArgKind::Double => is_number::<f64>(given.get(n)?).then_some(n + 1),
        ArgKind::String | ArgKind::Key(_) | ArgKind::Pattern => given.get(n).map(|_| n + 1),
    }
}

fn is_number<N: std::str::FromStr>(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|text| text.parse::<N>().is_ok())
}

/// Whether the words are the beginning of this argument.
fn begins(argument: &Argument, given: &[&[u8]]) -> bool {
    if !argument.token.is_empty() {
        return given
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case(argument.token.as_bytes()));
    }
    match argument.kind {
        ArgKind::OneOf => argument.inner.iter().any(|choice| begins(choice, given)),
        ArgKind::Block => argument
            .inner
            .first()
            .is_some_and(|first| matched(first, given).is_some() || begins(first, given)),
        _ => false,
    }
}

/// What is missing of an argument that has begun. Takes the words that belong to it.
fn partial(argument: &Argument, given: &mut &[&[u8]]) -> String {
    if !argument.token.is_empty() {
        *given = &given[1..];
        let value = Argument {
            token: "",
            optional: false,
            ..*argument
        };
        return match argument.kind {
            ArgKind::Block => remaining(argument.inner, std::mem::take(given)),
            _ => once(&value),
        };
    }
    match argument.kind {
        ArgKind::OneOf => match argument.inner.iter().find(|choice| begins(choice, given)) {
            Some(choice) => partial(choice, given),
            None => shown(argument),
        },
        _ => remaining(argument.inner, std::mem::take(given)),
    }
}

/// An argument with its brackets and repetitions.
fn shown(argument: &Argument) -> String {
    let mut text = once(argument);
    if argument.multiple {
        text = if argument.multiple_token || argument.token.is_empty() {
            format!("{text} [{text} ...]")
        } else {
            let value = once(&Argument {
                token: "",
                ..*argument
            });
            format!("{text} [{value} ...]")
        };
    }
    if argument.optional {
        format!("[{text}]")
    } else {
        text
    }
}

fn once(argument: &Argument) -> String {
    let name = if argument.shown.is_empty() {
        argument.name
    } else {
        argument.shown
    };
    let value = match argument.kind {
        ArgKind::Token => return argument.token.to_owned(),
        ArgKind::OneOf => {
            let choices: Vec<String> = argument.inner.iter().map(shown).collect();
            let choices = choices.join("|");
            // Brackets of its own keep a choice from its neighbours.
            if argument.optional && argument.token.is_empty() {
                choices
            } else {
                format!("<{choices}>")
            }
        }
        ArgKind::Block => argument
            .inner
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join(" "),
        _ => name.to_owned(),
    };
    if argument.token.is_empty() {
        value
    } else {
        let token = if argument.token == "\"\"" {
            "\"\""
        } else {
            argument.token
        };
        format!("{token} {value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_left_out() {
        let hint = |line: &str| of(line).unwrap_or_default();
        assert!(hint("SET").starts_with(" key value ["), "{}", hint("SET"));
        assert!(hint("set k").starts_with(" value ["), "{}", hint("set k"));
        assert!(!hint("set k v NX").contains("NX"), "{}", hint("set k v NX"));
        assert!(
            hint("set k v EX").contains("seconds"),
            "{}",
            hint("set k v EX")
        );
        assert_eq!(hint("get "), "key");
        assert_eq!(hint("get k"), "");
        assert_eq!(hint("del a b"), " [key ...]");
        assert_eq!(hint("nosuchcommand"), "");
        assert_eq!(hint("config"), "");
        assert!(
            hint("config get ").starts_with("parameter"),
            "{}",
            hint("config get ")
        );
    }
}
