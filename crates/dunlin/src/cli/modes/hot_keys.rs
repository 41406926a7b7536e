//! `--hotkeys`: the keys that are used most, by the server's own counters.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use dunlin_resp::Value;

use super::keyspace::{STEPS_PER_PAUSE, Walk, ask_each, percent, total};
use crate::cli::connection::Connection;
use crate::cli::format::quote::quoted_text;
use crate::cli::interrupt::StopFlag;
use crate::cli::options::Options;
use crate::cli::refuse_error;

/// Keys that are named at the end.
const HOTTEST: usize = 16;

/// Walks over all keys and reports.
///
/// # Errors
/// When the server keeps no such counters (its maxmemory-policy is none with lfu), refuses, or is gone.
pub(in crate::cli) fn run(mut connection: Connection, options: &Options) -> Result<ExitCode> {
    let stop = StopFlag::register()?;
    let all = total(&mut connection)?;
    let mut stdout = io::stdout().lock();
    writeln!(
        stdout,
        "\n# Looks at every key for those that are used most."
    )?;
    writeln!(
        stdout,
        "# -i 0.1 would pause for 0.1 s behind each {STEPS_PER_PAUSE} SCAN commands.\n"
    )?;
    // Sorted, the hottest first.
    let mut hottest: Vec<(i64, Vec<u8>)> = Vec::new();
    let (mut seen, mut steps, mut done) = (0, 0_u64, 0.0);
    let mut walk = Walk::new(options, None);
    while !stop.is_set()
        && let Some(keys) = walk.step(&mut connection)?
    {
        done = percent(seen, all);
        let uses = ask_each(
            &mut connection,
            keys.iter().map(|key| vec![&b"OBJECT"[..], b"FREQ", key]),
        )?;
        for (key, uses) in keys.into_iter().zip(uses) {
            refuse_error("Error", &uses)?;
            seen += 1;
            let Value::Integer(uses) = uses else { continue };
            let at = hottest.partition_point(|(more, _)| *more >= uses);
            if at < HOTTEST && uses > 0 {
                let name = quoted_text(&key);
                writeln!(
                    stdout,
                    "[{done:05.2}%] Hot key '{name}' found so far with counter {uses}"
                )?;
                hottest.insert(at, (uses, key));
                hottest.truncate(HOTTEST);
            }
        }
        steps += 1;
        if steps.is_multiple_of(STEPS_PER_PAUSE) {
            std::thread::sleep(options.interval);
        }
    }
    writeln!(stdout, "\n-------- summary -------\n")?;
    if stop.is_set() {
        write!(stdout, "[{done:05.2}%] ")?;
    }
    writeln!(stdout, "Sampled {seen} keys in the keyspace!")?;
    for (uses, key) in hottest {
        writeln!(
            stdout,
            "hot key found with counter: {uses}\tkeyname: {}",
            quoted_text(&key)
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
