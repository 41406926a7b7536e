//! Any reply as an owned value: what clients receive and tests compare.
//!
//! Invariant: decoding the RESP3 encoding of a value gives it back ([`Value::NullArray`] alone exists only in RESP2).
//!
//! Not for the server's hot path, which writes replies through [`crate::reply`] without building values.

use crate::{Version, reply};

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+text`, a line.
    Simple(Vec<u8>),
    /// `-CODE message`, a line.
    Error(Vec<u8>),
    /// `:1`.
    Integer(i64),
    /// `$3`: any bytes.
    Bulk(Vec<u8>),
    /// `_`, or `$-1` in RESP2.
    Null,
    /// `*-1`: in RESP2 the null of commands that answer arrays.
    NullArray,
    /// `*2`.
    Array(Vec<Value>),
    /// `,1.5`.
    Double(f64),
    /// `#t`.
    Boolean(bool),
    /// `(123`: a decimal integer of any size, with `-` if negative.
    BigNumber(String),
    /// `!5`: an error that may hold any bytes.
    BulkError(Vec<u8>),
    /// `=7`: text with a format.
    Verbatim {
        /// Three letters: `txt`, `mkd`.
        format: [u8; 3],
        /// The text without the format.
        text: Vec<u8>,
    },
    /// `%1`: pairs in the order they came.
    Map(Vec<(Value, Value)>),
    /// `~1`: elements in the order they came.
    Set(Vec<Value>),
    /// `>2`: an out-of-band message; it answers no request.
    Push(Vec<Value>),
    /// `|1`: pairs that describe the value behind them.
    Attributed {
        /// The pairs.
        attributes: Vec<(Value, Value)>,
        /// What they describe.
        value: Box<Value>,
    },
}

impl Value {
    /// Appends the value's encoding. RESP2 gets the nearest thing it has, and no attributes.
    ///
    /// Recurses as deep as the value nests.
    pub fn encode(&self, out: &mut Vec<u8>, version: Version) {
        match self {
            Value::Simple(text) => encode_line(out, b'+', text),
            Value::Error(text) => encode_line(out, b'-', text),
            Value::Integer(value) => reply::integer(out, *value),
            Value::Bulk(bytes) => reply::bulk(out, bytes),
            Value::Null => reply::null(out, version),
            Value::NullArray => reply::null_array(out, version),
            Value::Array(items) => {
                reply::array(out, items.len());
                encode_all(out, version, items);
            }
            Value::Double(value) => reply::double(out, version, *value),
            Value::Boolean(value) => reply::boolean(out, version, *value),
            Value::BigNumber(digits) => reply::big_number(out, version, digits),
            Value::BulkError(text) => match version {
                Version::Resp2 => reply::error(out, text),
                Version::Resp3 => reply::bulk_error(out, text),
            },
            Value::Verbatim { format, text } => {
                let format = std::str::from_utf8(format).unwrap_or("txt");
                reply::verbatim(out, version, format, text);
            }
            Value::Map(pairs) => {
                reply::map(out, version, pairs.len());
                encode_pairs(out, version, pairs);
            }
            Value::Set(items) => {
                reply::set(out, version, items.len());
                encode_all(out, version, items);
            }
            Value::Push(items) => {
                reply::push(out, version, items.len());
                encode_all(out, version, items);
            }
            Value::Attributed { attributes, value } => {
                if version == Version::Resp3 {
                    reply::attribute(out, attributes.len());
                    encode_pairs(out, version, attributes);
                }
                value.encode(out, version);
            }
        }
    }
}

/// A line must not hold a line end, whatever the value holds.
fn encode_line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend(text.iter().map(|&byte| match byte {
        b'\r' | b'\n' => b' ',
        other => other,
    }));
    out.extend_from_slice(reply::CRLF);
}

fn encode_all(out: &mut Vec<u8>, version: Version, items: &[Value]) {
    for item in items {
        item.encode(out, version);
    }
}

fn encode_pairs(out: &mut Vec<u8>, version: Version, pairs: &[(Value, Value)]) {
    for (key, value) in pairs {
        key.encode(out, version);
        value.encode(out, version);
    }
}
