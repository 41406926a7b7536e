//! `--bigkeys` and `--memkeys`: the biggest key of each type, and how the types share the keyspace.
//!
//! Invariant: a key that goes between being found and being measured counts nowhere.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use dunlin_resp::Value;

use super::keyspace::{STEPS_PER_PAUSE, Walk, ask_each, percent, total};
use crate::cli::connection::Connection;
use crate::cli::format::quote::quoted_text;
use crate::cli::interrupt::StopFlag;
use crate::cli::options::Options;

/// Keys between two lines about how far it has come.
const PROGRESS_KEYS: u64 = 1_000_000;

/// What makes a key big.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Measure {
    /// Its elements, or a string's bytes.
    Elements,
    /// The memory that it takes, estimated from so many of its elements.
    Memory {
        /// `None`: the server's default.
        samples: Option<u64>,
    },
}

/// A type: its name, the command that measures it, and in what.
struct Kind {
    name: String,
    command: Option<&'static str>,
    unit: &'static str,
    keys: u64,
    size: u64,
    biggest: Option<(Vec<u8>, u64)>,
}

impl Kind {
    fn new(name: &str, command: Option<&'static str>, unit: &'static str) -> Kind {
        Kind {
            name: name.to_owned(),
            command,
            unit,
            keys: 0,
            size: 0,
            biggest: None,
        }
    }
}

/// What has been seen so far.
struct Survey {
    kinds: Vec<Kind>,
    keys: u64,
    key_bytes: u64,
    measure: Measure,
}

/// Walks over all keys and reports.
///
/// # Errors
/// When the server refuses, or is gone.
pub(in crate::cli) fn run(
    mut connection: Connection,
    options: &Options,
    measure: Measure,
) -> Result<ExitCode> {
    let stop = StopFlag::register()?;
    let all = total(&mut connection)?;
    let mut stdout = io::stdout().lock();
    let what = if measure == Measure::Elements {
        "elements"
    } else {
        "memory"
    };
    writeln!(
        stdout,
        "\n# Looks at every key for the biggest of each type, by {what}, and for the average sizes."
    )?;
    writeln!(
        stdout,
        "# -i 0.1 would pause for 0.1 s behind each {STEPS_PER_PAUSE} SCAN commands.\n"
    )?;
    let mut survey = Survey::new(measure);
    let mut walk = Walk::new(options, None);
    let mut steps = 0;
    let mut done = 0.0;
    while !stop.is_set()
        && let Some(keys) = walk.step(&mut connection)?
    {
        steps += 1;
        done = percent(survey.keys, all);
        survey.take(&mut connection, &keys, done, &mut stdout)?;
        if steps % STEPS_PER_PAUSE == 0 {
            std::thread::sleep(options.interval);
        }
    }
    survey.report(stop.is_set().then_some(done), &mut stdout)?;
    Ok(ExitCode::SUCCESS)
}

impl Survey {
    fn new(measure: Measure) -> Survey {
        Survey {
            kinds: vec![
                Kind::new("string", Some("STRLEN"), "bytes"),
                Kind::new("list", Some("LLEN"), "items"),
                Kind::new("set", Some("SCARD"), "members"),
                Kind::new("hash", Some("HLEN"), "fields"),
                Kind::new("zset", Some("ZCARD"), "members"),
                Kind::new("stream", Some("XLEN"), "entries"),
            ],
            keys: 0,
            key_bytes: 0,
            measure,
        }
    }

    /// Measures the keys of one step.
    fn take(
        &mut self,
        connection: &mut Connection,
        keys: &[Vec<u8>],
        done: f64,
        out: &mut impl Write,
    ) -> Result<()> {
        let types = ask_each(connection, keys.iter().map(|key| vec![&b"TYPE"[..], key]))?;
        let mut found: Vec<(&Vec<u8>, usize)> = Vec::with_capacity(keys.len());
        for (key, name) in keys.iter().zip(&types) {
            let Some(kind) = self.kind(name) else {
                continue;
            };
            if self.measure != Measure::Elements || self.kinds[kind].command.is_some() {
                found.push((key, kind));
            }
        }
        let samples = match self.measure {
            Measure::Memory { samples } => samples.map(|samples| samples.to_string()),
            Measure::Elements => None,
        };
        let requests =
            found.iter().map(
                |(key, kind)| match (self.measure, self.kinds[*kind].command) {
                    (Measure::Elements, Some(command)) => vec![command.as_bytes(), key],
                    _ => {
                        let mut request = vec![&b"MEMORY"[..], b"USAGE", key];
                        if let Some(samples) = &samples {
                            request.extend([&b"SAMPLES"[..], samples.as_bytes()]);
                        }
                        request
                    }
                },
            );
        let sizes = ask_each(connection, requests)?;
        for ((key, kind), size) in found.into_iter().zip(sizes) {
            match size {
                Value::Integer(size) => {
                    self.count(key, kind, u64::try_from(size).unwrap_or(0), done, out)?
                }
                Value::Null => {}
                _ => writeln!(
                    io::stderr(),
                    "Warning: {} could not be measured; it may have changed its type",
                    quoted_text(key)
                )?,
            }
        }
        Ok(())
    }

    /// The number of the type that TYPE answered; `None` for a key that is gone.
    fn kind(&mut self, name: &Value) -> Option<usize> {
        let Value::Simple(name) = name else {
            return None;
        };
        let name = String::from_utf8_lossy(name);
        if name == "none" {
            return None;
        }
        let known = self.kinds.iter().position(|kind| kind.name == name);
        Some(known.unwrap_or_else(|| {
            self.kinds.push(Kind::new(&name, None, "?"));
            self.kinds.len() - 1
        }))
    }

    fn count(
        &mut self,
        key: &[u8],
        kind: usize,
        size: u64,
        done: f64,
        out: &mut impl Write,
    ) -> Result<()> {
        self.keys += 1;
        self.key_bytes += key.len() as u64;
        let unit = self.unit(&self.kinds[kind]);
        let kind = &mut self.kinds[kind];
        kind.keys += 1;
        kind.size += size;
        if kind.biggest.as_ref().map_or(0, |(_, biggest)| *biggest) < size {
            let quoted = quoted_text(key);
            writeln!(
                out,
                "[{done:05.2}%] Biggest {:<6} found so far '{quoted}' with {size} {unit}",
                kind.name
            )?;
            kind.biggest = Some((key.to_vec(), size));
        }
        if self.keys.is_multiple_of(PROGRESS_KEYS) {
            writeln!(out, "[{done:05.2}%] Sampled {} keys so far", self.keys)?;
        }
        Ok(())
    }

    fn unit(&self, kind: &Kind) -> &'static str {
        if self.measure == Measure::Elements {
            kind.unit
        } else {
            "bytes"
        }
    }

    /// The summary; behind how many percent it was broken off, if it was.
    fn report(&self, broken_off: Option<f64>, out: &mut impl Write) -> Result<()> {
        writeln!(out, "\n-------- summary -------\n")?;
        if let Some(done) = broken_off {
            write!(out, "[{done:05.2}%] ")?;
        }
        let average = |sum: u64, n: u64| if n == 0 { 0.0 } else { sum as f64 / n as f64 };
        writeln!(out, "Sampled {} keys in the keyspace!", self.keys)?;
        writeln!(
            out,
            "Total key length in bytes is {} (avg len {:.2})\n",
            self.key_bytes,
            average(self.key_bytes, self.keys)
        )?;
        for kind in &self.kinds {
            if let Some((key, size)) = &kind.biggest {
                writeln!(
                    out,
                    "Biggest {:>6} found '{}' has {size} {}",
                    kind.name,
                    quoted_text(key),
                    self.unit(kind)
                )?;
            }
        }
        writeln!(out)?;
        for kind in &self.kinds {
            writeln!(
                out,
                "{} {}s with {} {} ({:05.2}% of keys, avg size {:.2})",
                kind.keys,
                kind.name,
                kind.size,
                self.unit(kind),
                percent(kind.keys, self.keys),
                average(kind.size, kind.keys)
            )?;
        }
        Ok(())
    }
}
