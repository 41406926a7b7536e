//! What a request's reply has to be.
//!
//! Invariant: every expectation can fail: what depends on other clients is bounded by what is known of them (see [`Ledger`]).

use dunlin_resp::Value;

use super::ledger::Ledger;

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// This and nothing else.
    Is(Value),
    /// A null of any kind.
    Null,
    /// An error that begins so.
    Error(&'static str),
    /// The value of a counter that everybody increments: higher than any that was acknowledged when this was asked for.
    Counter { which: usize, floor: i64 },
    /// The length of a list that everybody pushes to and pops from.
    Pushed { token: Vec<u8> },
    /// A key and an element that nobody else got, or nothing.
    Popped { queue: Vec<u8> },
    /// An element, still in a list, or nothing.
    Moved,
    /// How many got a message.
    Published,
    /// The confirmation of a subscription or of its end, with the number of those left.
    Confirmed {
        verb: &'static str,
        channel: Vec<u8>,
        left: usize,
    },
    /// What EXEC answers.
    Exec(Vec<Expect>),
    /// The map of HELLO.
    Hello,
    /// The number of this client.
    ClientId,
    /// Whether another was there to be killed.
    Killed,
}

impl Expect {
    pub(crate) fn ok() -> Expect {
        Expect::Is(Value::Simple(b"OK".to_vec()))
    }

    pub(crate) fn bulk(bytes: &[u8]) -> Expect {
        Expect::Is(Value::Bulk(bytes.to_vec()))
    }

    pub(crate) fn integer(n: usize) -> Expect {
        Expect::Is(Value::Integer(n as i64))
    }

    /// Compares a reply to the client `uid`, and enters what it says into the ledger.
    pub(crate) fn meet(&self, value: &Value, uid: u64, ledger: &mut Ledger) -> Result<(), String> {
        let met = match (self, value) {
            (Expect::Is(wanted), value) => wanted == value,
            (Expect::Null, Value::Null | Value::NullArray) => true,
            (Expect::Error(start), Value::Error(text)) => text.starts_with(start.as_bytes()),
            (Expect::Counter { which, floor }, Value::Integer(n)) => {
                return ledger.counted(*which, *floor, *n);
            }
            (Expect::Pushed { token }, Value::Integer(length)) => {
                ledger.pushed(token);
                *length > 0
            }
            (Expect::Popped { .. } | Expect::Moved, Value::Null | Value::NullArray) => true,
            (Expect::Popped { queue }, Value::Array(parts)) => match &parts[..] {
                [Value::Bulk(key), Value::Bulk(token)] if key == queue => {
                    return ledger.popped(token);
                }
                _ => false,
            },
            (Expect::Moved, Value::Bulk(token)) => ledger.knows(token),
            (Expect::Published, Value::Integer(receivers)) => *receivers >= 0,
            (
                Expect::Confirmed {
                    verb,
                    channel,
                    left,
                },
                Value::Array(parts) | Value::Push(parts),
            ) => {
                let wanted = [
                    Value::Bulk(verb.as_bytes().to_vec()),
                    Value::Bulk(channel.clone()),
                    Value::Integer(*left as i64),
                ];
                parts[..] == wanted
            }
            (Expect::Exec(wanted), Value::Array(got)) if wanted.len() == got.len() => {
                for (wanted, got) in wanted.iter().zip(got) {
                    wanted.meet(got, uid, ledger)?;
                }
                true
            }
            (Expect::Hello, Value::Map(pairs)) => !pairs.is_empty(),
            (Expect::ClientId, Value::Integer(id)) => {
                ledger.ids.push((uid, *id));
                *id > 0
            }
            (Expect::Killed, Value::Integer(n)) => (0..=1).contains(n),
            _ => false,
        };
        if met {
            return Ok(());
        }
        Err(format!("{} instead of {}", brief(value), brief(self)))
    }

    /// The reply will never be seen, but the request may have been executed.
    pub(crate) fn lose(&self, ledger: &mut Ledger) {
        match self {
            Expect::Counter { which, .. } => ledger.counters[*which].unknown += 1,
            Expect::Popped { .. } => ledger.unknown_pops += 1,
            Expect::Exec(inner) => inner.iter().for_each(|expect| expect.lose(ledger)),
            _ => {}
        }
    }
}

/// The beginning of what a value looks like.
fn brief(value: &impl std::fmt::Debug) -> String {
    const CHARS_MAX: usize = 300;
    readable(&format!("{value:?}"), CHARS_MAX)
}

/// Debug output of byte strings as text.
fn readable(debug: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut rest = debug;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let close = rest[open..].find(']').map_or(rest.len(), |at| open + at);
        let numbers = &rest[open + 1..close];
        let bytes: Option<Vec<u8>> = numbers.split(", ").map(|n| n.parse().ok()).collect();
        match bytes {
            Some(bytes) if close < rest.len() => {
                out.push_str(&format!("\"{}\"", bytes.escape_ascii()));
                rest = &rest[close + 1..];
            }
            _ => {
                out.push('[');
                rest = &rest[open + 1..];
            }
        }
    }
    out.push_str(rest);
    out.chars().take(chars_max).collect()
}
