//! How a message becomes a line: Redis's own form, `name=value` pairs as Valkey has them, or JSON.
//!
//! Invariant: one message is one line, whatever a client put into it.

use std::fmt::Write as _;

use super::{Level, Role};

/// `log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Format {
    /// `<pid>:<role> <date and time> <sign> <message>`, which tools for Redis read.
    Legacy = 0,
    /// `pid=1 role=primary timestamp="..." level=notice message="..."`.
    Logfmt = 1,
    /// `{"time":"...","level":"notice","pid":1,"role":"primary","message":"..."}`.
    Json = 2,
}

impl Format {
    pub(super) fn of(number: u8) -> Format {
        match number {
            1 => Format::Logfmt,
            2 => Format::Json,
            _ => Format::Legacy,
        }
    }

    /// Appends a message, its line end included.
    pub(super) fn push(self, line: &mut String, level: Level, role: Role, message: &str) {
        // Writing to a String fails only if the arguments do; a time that can't be shown is left out.
        let _ = match self {
            Format::Legacy => {
                push_head(line, level, role);
                push_plain(line, message);
                Ok(())
            }
            Format::Logfmt => {
                let (pid, time) = (std::process::id(), iso_time());
                let (role, level) = (role.name(), level.name());
                write!(
                    line,
                    "pid={pid} role={role} timestamp=\"{time}\" level={level} message=\""
                )
                .map(|()| {
                    for letter in message.chars() {
                        match letter {
                            '"' | '\\' => line.extend(['\\', letter]),
                            letter => line.push(printable(letter)),
                        }
                    }
                    line.push('"');
                })
            }
            Format::Json => {
                let (pid, time) = (std::process::id(), iso_time());
                let (role, level) = (role.name(), level.name());
                write!(
                    line,
                    r#"{{"time":"{time}","level":"{level}","pid":{pid},"role":"{role}","message":"#
                )
                .map(|()| {
                    push_json_string(line, message);
                    line.push('}');
                })
            }
        };
        line.push('\n');
    }
}

/// Writes `<pid>:<role> <date and time> <sign> `.
pub(super) fn push_head(line: &mut String, level: Level, role: Role) {
    let (pid, letter, sign) = (std::process::id(), role.letter(), level.sign());
    let now = jiff::Zoned::now();
    let time = now.strftime("%d %b %Y %H:%M:%S.%3f");
    let _ = write!(line, "{pid}:{letter} {time} {sign} ");
}

/// Appends text without its control characters.
pub(super) fn push_plain(line: &mut String, message: &str) {
    if message.contains(|letter: char| letter.is_control()) {
        line.extend(message.chars().map(printable));
    } else {
        line.push_str(message);
    }
}

/// A control character could end the line, or command the terminal that shows it.
fn printable(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

fn push_json_string(line: &mut String, text: &str) {
    line.push('"');
    for letter in text.chars() {
        let _ = match letter {
            '"' | '\\' => write!(line, "\\{letter}"),
            letter if letter.is_control() => write!(line, "\\u{:04x}", u32::from(letter)),
            letter => {
                line.push(letter);
                Ok(())
            }
        };
    }
    line.push('"');
}

/// With milliseconds and the zone: `2026-11-21T03:43:33.123+00:00`.
fn iso_time() -> impl std::fmt::Display {
    jiff::Zoned::now()
        .strftime("%Y-%m-%dT%H:%M:%S.%3f%:z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, message: &str) -> String {
        let mut line = String::new();
        format.push(&mut line, Level::Notice, Role::Master, message);
        line
    }

    #[test]
    fn the_head_is_what_tools_read() {
        let line = line(Format::Legacy, "text");
        let (pid, rest) = line.split_once(':').unwrap();
        assert_eq!(pid, std::process::id().to_string());
        // "M 21 Nov 2026 03:43:33.123 * text"
        let parts: Vec<&str> = rest.split(' ').collect();
        let ["M", day, month, year, time, "*", "text\n"] = parts[..] else {
            panic!("{line:?}");
        };
        assert_eq!((day.len(), month.len(), year.len()), (2, 3, 4));
        assert_eq!(time.len(), "03:43:33.123".len(), "{line:?}");
        assert_eq!(&time[8..9], ".");
    }

    #[test]
    fn a_message_is_one_line() {
        for format in [Format::Legacy, Format::Logfmt, Format::Json] {
            let line = line(format, "a\nb\r\nc\x1b[31m\u{85}");
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?}");
            let inner = &line[..line.len() - 1];
            assert!(!inner.contains(|letter: char| letter.is_control()));
        }
        assert!(line(Format::Legacy, "a\nb\r\nc\x1b[31m").ends_with(" * a b  c [31m\n"));
    }

    #[test]
    fn json_says_it_all() {
        let line = line(Format::Json, "it's \"quoted\" \\ and\tnew\n");
        let parsed: serde_json::Value = serde_json::from_str(&line).expect("valid");
        assert_eq!(parsed["message"], "it's \"quoted\" \\ and\tnew\n");
        assert_eq!(
            (&parsed["level"], &parsed["role"]),
            (&"notice".into(), &"primary".into())
        );
        assert_eq!(parsed["pid"], std::process::id());
        let time = parsed["time"].as_str().expect("a text");
        time.parse::<jiff::Timestamp>()
            .expect("a time with its zone");
    }

    #[test]
    fn logfmt_quotes() {
        let line = line(Format::Logfmt, r#"a "b" \"#);
        assert!(
            line.contains(" level=notice message=\"a \\\"b\\\" \\\\\"\n"),
            "{line}"
        );
    }
}
