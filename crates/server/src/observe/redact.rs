//! Which arguments of a command are secrets, and must not be shown by the slow log, MONITOR or a crash report.

use dunlin_engine::{Args, Command};

use crate::config::table;

/// What is shown instead.
pub const REDACTED: &[u8] = b"(redacted)";

/// The indices of the arguments that are not to be shown.
pub fn secrets(command: &Command, args: Args<'_>) -> Vec<usize> {
    let len = args.len();
    match command.full_name {
        "auth" => (1..len).collect(),
        "acl|setuser" => (2..len).collect(),
        "hello" => (2..len)
            .find(|&i| args.is(i, "auth"))
            .map(|i| (i + 1..len.min(i + 3)).collect())
            .unwrap_or_default(),
        "migrate" => match (6..len).find(|&i| args.is(i, "auth") || args.is(i, "auth2")) {
            Some(i) if args.is(i, "auth") => (i + 1..len.min(i + 2)).collect(),
            Some(i) => (i + 1..len.min(i + 3)).collect(),
            None => Vec::new(),
        },
        "config|set" => (3..len)
            .step_by(2)
            .filter(|i| table::find(args.at(i - 1)).is_some_and(|found| found.key.secret))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use dunlin_engine::{Command, OwnedArgs};

    use super::secrets;

    #[test]
    fn passwords_are_found() {
        for (full_name, line, expected) in [
            ("auth", "AUTH foobared", &[1][..]),
            ("auth", "AUTH user foobared", &[1, 2]),
            ("hello", "HELLO 3 AUTH user foobared SETNAME name", &[3, 4]),
            ("hello", "HELLO 3 SETNAME name", &[]),
            ("hello", "HELLO 3 AUTH", &[]),
            (
                "config|set",
                "CONFIG SET timeout 1 MasterAuth x requirepass y",
                &[5, 7],
            ),
            ("config|set", "CONFIG SET requirepass", &[]),
            ("set", "SET requirepass x", &[]),
            ("migrate", "MIGRATE h 1 k 0 1 COPY AUTH foobared", &[8]),
            (
                "migrate",
                "MIGRATE h 1 k 0 1 AUTH2 u foobared KEYS auth x",
                &[7, 8],
            ),
            ("migrate", "MIGRATE h 1 k 0 1 REPLACE", &[]),
        ] {
            let command = Command {
                full_name,
                ..Command::BASE
            };
            let args = OwnedArgs::of(line.split(' ').map(str::as_bytes));
            assert_eq!(secrets(&command, args.as_args()), expected, "{line}");
        }
    }
}
