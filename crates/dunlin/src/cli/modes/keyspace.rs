//! The walk over all keys that the modes about keys share.
//!
//! Invariant: SCAN's promise and no more: a key that comes or goes meanwhile may be missed, and one may be seen twice.

use anyhow::{Result, bail};
use dunlin_resp::Value;

use crate::cli::connection::Connection;
use crate::cli::options::Options;
use crate::cli::refuse_error;

/// SCAN calls between two pauses (-i) of the modes that look at each key.
pub(super) const STEPS_PER_PAUSE: u64 = 100;

/// Keys of one step where nothing is said: a hundred times the server's default, as each step costs round trips.
const STEP_KEYS: u64 = 1_000;

/// A walk.
pub(super) struct Walk {
    cursor: Vec<u8>,
    pattern: Option<Vec<u8>>,
    count: Option<String>,
    kind: Option<String>,
    begun: bool,
}

impl Walk {
    /// Over the keys that the options name.
    pub(super) fn new(options: &Options, kind: Option<&str>) -> Walk {
        Walk {
            cursor: b"0".to_vec(),
            pattern: options.pattern.clone(),
            // Who asks for pauses wants small steps.
            count: options
                .count
                .or(options.interval.is_zero().then_some(STEP_KEYS))
                .map(|count| count.to_string()),
            kind: kind.map(str::to_owned),
            begun: false,
        }
    }

    /// The keys of the next step, perhaps none; `None` at the end.
    ///
    /// # Errors
    /// When the server refuses, or is gone.
    pub(super) fn step(&mut self, connection: &mut Connection) -> Result<Option<Vec<Vec<u8>>>> {
        if self.begun && self.cursor == b"0" {
            return Ok(None);
        }
        self.begun = true;
        let mut request: Vec<&[u8]> = vec![b"SCAN", &self.cursor];
        if let Some(pattern) = &self.pattern {
            request.extend([&b"MATCH"[..], pattern]);
        }
        if let Some(count) = &self.count {
            request.extend([&b"COUNT"[..], count.as_bytes()]);
        }
        if let Some(kind) = &self.kind {
            request.extend([&b"TYPE"[..], kind.as_bytes()]);
        }
        let answer = connection.ask(&request)?;
        refuse_error("SCAN error", &answer)?;
        let Value::Array(parts) = answer else {
            bail!("SCAN error: the answer is no array");
        };
        let [Value::Bulk(cursor), Value::Array(keys)] = parts.as_slice() else {
            bail!("SCAN error: the answer is no cursor with keys");
        };
        self.cursor.clone_from(cursor);
        let keys = keys.iter().filter_map(|key| match key {
            Value::Bulk(key) => Some(key.clone()),
            _ => None,
        });
        Ok(Some(keys.collect()))
    }
}

/// How many keys there are.
///
/// # Errors
/// When the server refuses, or is gone.
pub(super) fn total(connection: &mut Connection) -> Result<u64> {
    let answer = connection.ask(&["DBSIZE"])?;
    refuse_error("DBSIZE error", &answer)?;
    match answer {
        Value::Integer(n) => Ok(u64::try_from(n).unwrap_or(0)),
        _ => bail!("DBSIZE error: the answer is no number"),
    }
}

/// Sends one request for each key, and returns the answers in their order.
///
/// # Errors
/// When the server is gone.
pub(super) fn ask_each<'a>(
    connection: &mut Connection,
    requests: impl Iterator<Item = Vec<&'a [u8]>>,
) -> Result<Vec<Value>> {
    let mut sent = 0;
    for request in requests {
        connection.queue(&request)?;
        sent += 1;
    }
    connection.flush()?;
    let mut answers = Vec::with_capacity(sent);
    for _ in 0..sent {
        answers.push(connection.receive_reply()?);
    }
    Ok(answers)
}

/// The part of the keys that was seen, in percent.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    100.0 * part as f64 / whole as f64
}
