//! `--stat`: the server's figures, a line at a time.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use dunlin_resp::Value;

use crate::cli::connection::Connection;
use crate::cli::options::Options;
use crate::cli::refuse_error;

/// Lines between two headings.
const LINES_PER_HEADING: u64 = 20;
const HEADING: &str = "\
------- data ------ --------------------- load -------------------- - child -
keys       mem      clients blocked requests            connections          
";
/// What goes on beside the commands.
const CHILDREN: [&str; 5] = ["", "SAVE", "AOF", "SAVE+AOF", "LOAD"];

/// Prints a line each interval until the server or the user ends it.
///
/// # Errors
/// When the server refuses, or is gone.
pub(in crate::cli) fn run(mut connection: Connection, options: &Options) -> Result<ExitCode> {
    let interval = Some(options.interval).filter(|interval| !interval.is_zero());
    let mut requests_before = None;
    for line in 0.. {
        let answer = connection.ask(&["INFO"])?;
        refuse_error("ERROR", &answer)?;
        let (Value::Bulk(text) | Value::Verbatim { text, .. }) = answer else {
            bail!("ERROR: INFO was answered by something else");
        };
        let info = String::from_utf8_lossy(&text);
        let mut stdout = io::stdout().lock();
        if line % LINES_PER_HEADING == 0 {
            write!(stdout, "{HEADING}")?;
        }
        let requests = field(&info, "total_commands_processed");
        let more = requests_before.map_or(0, |before| requests - before);
        requests_before = Some(requests);
        let child = field(&info, "rdb_bgsave_in_progress")
            | field(&info, "aof_rewrite_in_progress") << 1
            | field(&info, "loading") << 2;
        writeln!(
            stdout,
            "{:<11}{:<8} {:<8}{:<8}{:<19} {:<12}{}",
            keys(&info),
            human_bytes(field(&info, "used_memory")),
            field(&info, "connected_clients"),
            field(&info, "blocked_clients"),
            format!("{requests} (+{more})"),
            field(&info, "total_connections_received"),
            usize::try_from(child)
                .ok()
                .and_then(|child| CHILDREN.get(child))
                .unwrap_or(&"")
        )?;
        drop(stdout);
        std::thread::sleep(interval.unwrap_or(Duration::from_secs(1)));
    }
    Ok(ExitCode::SUCCESS)
}

/// The value of a numeric field, 0 if there is none.
fn field(info: &str, name: &str) -> i64 {
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    let value = lines
        .find(|(field, _)| *field == name)
        .map(|(_, value)| value);
    value
        .and_then(|value| value.trim_end().parse().ok())
        .unwrap_or(0)
}

/// Keys of all databases.
fn keys(info: &str) -> u64 {
    let databases = info.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("db")?.split_once(":keys=")?;
        name.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(value)
    });
    databases
        .filter_map(|value| value.split(',').next()?.parse::<u64>().ok())
        .sum()
}

/// A size as people read it.
pub(super) fn human_bytes(bytes: i64) -> String {
    let sized = bytes as f64;
    match bytes {
        ..1024 => format!("{bytes}B"),
        1024..0x10_0000 => format!("{:.2}K", sized / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.2}M", sized / f64::from(1 << 20)),
        _ => format!("{:.2}G", sized / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_sizes() {
        let info = "# x\r\nused_memory:2048\r\ndb0:keys=3,expires=0\r\ndb11:keys=4,expires=1\r\n";
        assert_eq!(
            (field(info, "used_memory"), field(info, "nosuch")),
            (2048, 0)
        );
        assert_eq!(keys(info), 7);
        assert_eq!(
            [human_bytes(5), human_bytes(2048), human_bytes(3 << 20)],
            ["5B", "2.00K", "3.00M"]
        );
    }
}
