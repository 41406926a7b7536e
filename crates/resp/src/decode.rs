//! Replies out of a stream of bytes: the client's side.
//!
//! Invariant: every byte shown is taken at once and examined once, except those behind a complete value; how the stream was cut changes
//! nothing. Memory grows with the bytes that arrived, never with the length that was announced, and depth and size are bounded.
//!
//! Stricter than the request side: line ends are checked. Streamed strings and aggregates (`$?`, `*?`) are refused: Redis
//! sends none.

use crate::{ProtocolError, Value};

/// What a reply may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Aggregates inside each other.
    pub depth_max: usize,
    /// Bytes of one line: a simple string, an error, a number, a length.
    pub line_bytes_max: usize,
    /// Bytes of one bulk.
    pub bulk_bytes_max: usize,
    /// Bytes of one whole reply on the wire.
    pub reply_bytes_max: usize,
}

impl Default for ReplyLimits {
    fn default() -> ReplyLimits {
        ReplyLimits {
            depth_max: 64,
            line_bytes_max: 64 * 1024,
            bulk_bytes_max: 512 * 1024 * 1024,
            reply_bytes_max: 4 * 1024 * 1024 * 1024 - 1,
        }
    }
}

/// What [`ReplyParser::feed`] did with its input.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Bytes taken: all of them, unless a value was completed.
    pub consumed: usize,
    /// The value that these bytes completed.
    pub value: Option<Value>,
}

/// Turns a stream of bytes into values.
#[derive(Debug)]
pub struct ReplyParser {
    limits: ReplyLimits,
    state: State,
    /// Aggregates begun and not ended, outermost first.
    open: Vec<Open>,
    /// Bytes of the reply so far.
    reply_bytes: usize,
}

#[derive(Debug)]
enum State {
    /// Inside a line; these are its bytes so far.
    Line(Vec<u8>),
    /// Inside the bytes behind a length, line end included.
    Bulk {
        kind: u8,
        /// Of the bytes without line end.
        len: usize,
        bytes: Vec<u8>,
    },
}

/// An aggregate and the elements still to come.
#[derive(Debug)]
struct Open {
    kind: u8,
    /// Elements to come; for pairs, both count.
    left: usize,
    items: Vec<Value>,
    /// The pairs of an attribute, once complete: then the one element to come is the value they describe.
    attributes: Option<Vec<(Value, Value)>>,
}

/// What a line or a bulk amounts to.
enum Token {
    Value(Value),
    Bulk { kind: u8, len: usize },
    Open { kind: u8, left: usize },
}

impl ReplyParser {
    /// A parser at the start of a stream.
    pub fn new(limits: ReplyLimits) -> ReplyParser {
        ReplyParser {
            limits,
            state: State::Line(Vec::new()),
            open: Vec::new(),
            reply_bytes: 0,
        }
    }

    /// Whether part of a reply was taken.
    pub fn is_partial(&self) -> bool {
        self.reply_bytes > 0
    }

    /// Bytes of memory held for the reply that is being taken, without what complete elements own.
    pub fn allocated_bytes(&self) -> usize {
        let state = match &self.state {
            State::Line(line) => line.capacity(),
            State::Bulk { bytes, .. } => bytes.capacity(),
        };
        let items: usize = self.open.iter().map(|open| open.items.capacity()).sum();
        state + items * size_of::<Value>() + self.open.capacity() * size_of::<Open>()
    }

    /// Takes bytes up to the end of the current value.
    ///
    /// # Errors
    /// Any of the reply errors of [`ProtocolError`]. The stream cannot be continued then.
    pub fn feed(&mut self, input: &[u8]) -> Result<Decoded, ProtocolError> {
        let mut consumed = 0;
        while consumed < input.len() {
            // Nothing behind the limit is looked at, so that the error does not depend on how the bytes were cut.
            let room = self.limits.reply_bytes_max - self.reply_bytes;
            if room == 0 {
                return Err(ProtocolError::ReplyTooBig);
            }
            let within = &input[consumed..];
            let (taken, token) = self.token(&within[..within.len().min(room)])?;
            consumed += taken;
            self.reply_bytes += taken;
            let Some(token) = token else { continue };
            if let Some(value) = self.accept(token)? {
                self.reply_bytes = 0;
                return Ok(Decoded {
                    consumed,
                    value: Some(value),
                });
            }
        }
        Ok(Decoded {
            consumed,
            value: None,
        })
    }

    /// Takes bytes up to the end of the current line or bulk.
    fn token(&mut self, input: &[u8]) -> Result<(usize, Option<Token>), ProtocolError> {
        match &mut self.state {
            State::Line(line) => {
                if line.is_empty()
                    && let Some(whole) = whole_token(input, &self.limits)?
                {
                    return Ok(whole);
                }
                let Some(taken) = take_line(line, input, self.limits.line_bytes_max)? else {
                    return Ok((input.len(), None));
                };
                let token = read_line(line, &self.limits)?;
                line.clear();
                Ok((taken, Some(token)))
            }
            State::Bulk { kind, len, bytes } => {
                let taken = input.len().min(*len + 2 - bytes.len());
                bytes.extend_from_slice(&input[..taken]);
                if bytes.len() < *len + 2 {
                    return Ok((taken, None));
                }
                if !bytes.ends_with(b"\r\n") {
                    return Err(ProtocolError::MissingLineEnd);
                }
                bytes.truncate(*len);
                let value = read_bulk(*kind, std::mem::take(bytes))?;
                self.state = State::Line(Vec::new());
                Ok((taken, Some(Token::Value(value))))
            }
        }
    }

    /// Puts a token where it belongs; the value that it completes, if any.
    fn accept(&mut self, token: Token) -> Result<Option<Value>, ProtocolError> {
        match token {
            Token::Value(value) => Ok(self.close(value)),
            Token::Bulk { kind, len } => {
                self.state = State::Bulk {
                    kind,
                    len,
                    bytes: Vec::new(),
                };
                Ok(None)
            }
            Token::Open { kind, left } => {
                if self.open.len() == self.limits.depth_max {
                    return Err(ProtocolError::ReplyTooDeep);
                }
                let mut open = Open {
                    kind,
                    left,
                    items: Vec::new(),
                    attributes: None,
                };
                Ok(match open.finish() {
                    Some(value) => self.close(value),
                    None => {
                        self.open.push(open);
                        None
                    }
                })
            }
        }
    }

    /// Hands a complete value to the innermost open aggregate, closes what that completes, and returns what stands at the top.
    fn close(&mut self, mut value: Value) -> Option<Value> {
        while let Some(open) = self.open.last_mut() {
            open.items.push(value);
            open.left -= 1;
            value = open.finish()?;
            self.open.pop();
        }
        Some(value)
    }
}

impl Open {
    /// The aggregate, if nothing is to come. An attribute then waits for the value behind it.
    fn finish(&mut self) -> Option<Value> {
        if self.left > 0 {
            return None;
        }
        let mut items = std::mem::take(&mut self.items);
        Some(match self.kind {
            b'*' => Value::Array(items),
            b'~' => Value::Set(items),
            b'>' => Value::Push(items),
            b'%' => Value::Map(pairs(items)),
            b'|' => match self.attributes.take() {
                None => {
                    self.attributes = Some(pairs(items));
                    self.left = 1;
                    return None;
                }
                Some(attributes) => Value::Attributed {
                    attributes,
                    value: Box::new(items.pop().expect("left was 1, so one was pushed")),
                },
            },
            kind => unreachable!("no aggregate of kind {kind}"),
        })
    }
}

fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut items = items.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// Moves bytes to `line` up to its end. The number of bytes up to and with CR LF, or `None` if that is not here yet.
///
/// A CR stays at the end of `line` only while the LF is awaited.
fn take_line(
    line: &mut Vec<u8>,
    input: &[u8],
    line_bytes_max: usize,
) -> Result<Option<usize>, ProtocolError> {
    let cr_taken = line.last() == Some(&b'\r');
    let cr_end = if cr_taken {
        0
    } else {
        let found = memchr::memchr(b'\r', input);
        let end = found.map_or(input.len(), |at| at + 1);
        if line.len() + end > line_bytes_max + 1 {
            return Err(ProtocolError::ReplyTooBig);
        }
        line.extend_from_slice(&input[..end]);
        if found.is_none() || end == input.len() {
            return Ok(None);
        }
        end
    };
    if input[cr_end] != b'\n' {
        return Err(ProtocolError::MissingLineEnd);
    }
    line.pop();
    Ok(Some(cr_end + 1))
}

/// The token at the start of `input` if its line is all there, with the bytes behind a length if those are too: the usual case, read
/// where it lies.
fn whole_token(
    input: &[u8],
    limits: &ReplyLimits,
) -> Result<Option<(usize, Option<Token>)>, ProtocolError> {
    let Some(end) = memchr::memchr(b'\r', input) else {
        return Ok(None);
    };
    if end > limits.line_bytes_max || input.get(end + 1) != Some(&b'\n') {
        // Taken the slow way, which knows what is wrong and what is only late.
        return Ok(None);
    }
    let line_end = end + 2;
    let token = read_line(&input[..end], limits)?;
    if let Token::Bulk { kind, len } = token
        && let Some(rest) = input.get(line_end..line_end + len + 2)
    {
        let (bytes, tail) = rest.split_at(len);
        if tail != b"\r\n" {
            return Err(ProtocolError::MissingLineEnd);
        }
        let value = read_bulk(kind, bytes.to_vec())?;
        return Ok(Some((line_end + len + 2, Some(Token::Value(value)))));
    }
    Ok(Some((line_end, Some(token))))
}

/// What a whole line, without its end, says.
fn read_line(line: &[u8], limits: &ReplyLimits) -> Result<Token, ProtocolError> {
    let Some((&kind, text)) = line.split_first() else {
        return Err(ProtocolError::UnknownReplyType(b'\r'));
    };
    let malformed = ProtocolError::MalformedReply;
    let value = match kind {
        b'+' => Value::Simple(plain(text)?),
        b'-' => Value::Error(plain(text)?),
        b':' => Value::Integer(read_number(text).ok_or(malformed("integer"))?),
        b',' => Value::Double(read_number(text).ok_or(malformed("double"))?),
        b'(' => Value::BigNumber(read_big_number(text).ok_or(malformed("big number"))?),
        b'#' => match text {
            b"t" => Value::Boolean(true),
            b"f" => Value::Boolean(false),
            _ => return Err(malformed("boolean")),
        },
        b'_' if text.is_empty() => Value::Null,
        b'_' => return Err(malformed("null")),
        b'$' if text == b"-1" => Value::Null,
        b'*' if text == b"-1" => Value::NullArray,
        b'$' | b'!' | b'=' => {
            let len = read_length(text)?;
            if len > limits.bulk_bytes_max {
                return Err(ProtocolError::ReplyTooBig);
            }
            return Ok(Token::Bulk { kind, len });
        }
        b'*' | b'~' | b'>' => {
            let left = read_length(text)?;
            return Ok(Token::Open { kind, left });
        }
        b'%' | b'|' => {
            let left = read_length(text)?
                .checked_mul(2)
                .ok_or(ProtocolError::InvalidReplyLength)?;
            return Ok(Token::Open { kind, left });
        }
        other => return Err(ProtocolError::UnknownReplyType(other)),
    };
    Ok(Token::Value(value))
}

fn read_bulk(kind: u8, mut bytes: Vec<u8>) -> Result<Value, ProtocolError> {
    match kind {
        b'$' => Ok(Value::Bulk(bytes)),
        b'!' => Ok(Value::BulkError(bytes)),
        _ => {
            let malformed = ProtocolError::MalformedReply("verbatim string");
            let &[a, b, c, b':', ..] = bytes.as_slice() else {
                return Err(malformed);
            };
            let format = [a, b, c];
            if !format.is_ascii() {
                return Err(malformed);
            }
            bytes.drain(..4);
            Ok(Value::Verbatim {
                format,
                text: bytes,
            })
        }
    }
}

/// The text of a line; it ends at the first CR, and must not hold an LF either.
fn plain(text: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    match memchr::memchr(b'\n', text) {
        Some(_) => Err(ProtocolError::MissingLineEnd),
        None => Ok(text.to_vec()),
    }
}

fn read_number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn read_big_number(text: &[u8]) -> Option<String> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    String::from_utf8(text.to_vec()).ok()
}

fn read_length(text: &[u8]) -> Result<usize, ProtocolError> {
    if text.first().is_some_and(u8::is_ascii_digit) {
        read_number(text).ok_or(ProtocolError::InvalidReplyLength)
    } else {
        Err(ProtocolError::InvalidReplyLength)
    }
}
