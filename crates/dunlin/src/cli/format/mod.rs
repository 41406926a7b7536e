//! Replies as text, in each of redis-cli's formats.
//!
//! Invariant: the same bytes as redis-cli 7.2 for every reply that it knows (a test compares them), and something sensible for big
//! numbers and attributes, at which it gives up.

mod csv;
mod json;
pub(crate) mod quote;
mod raw;
pub(crate) mod table;
mod tty;

use dunlin_resp::{Value, push_double};

/// How replies are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people: types, indices, quotes.
    Standard,
    /// The bytes.
    Raw,
    /// One line of values with commas.
    Csv,
    /// JSON of UTF-8.
    Json,
    /// JSON of ASCII.
    QuotedJson,
}

/// The format and its delimiters.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub(crate) output: Output,
    /// Between the elements of one reply, in raw output.
    pub(crate) element_delimiter: Vec<u8>,
    /// Behind each reply, in raw output.
    pub(crate) reply_delimiter: Vec<u8>,
}

impl Format {
    /// Appends `value`. `verbatim` is text that is meant to be read as it is, such as INFO's.
    pub(crate) fn write(&self, out: &mut Vec<u8>, value: &Value, verbatim: bool) {
        if verbatim {
            return raw::write(out, value, &self.element_delimiter);
        }
        match self.output {
            Output::Standard => tty::write(out, value, ""),
            Output::Raw => {
                raw::write(out, value, &self.element_delimiter);
                out.extend_from_slice(&self.reply_delimiter);
            }
            Output::Csv => {
                csv::write(out, value);
                out.push(b'\n');
            }
            Output::Json => {
                json::write(out, value, quote::json);
                out.push(b'\n');
            }
            Output::QuotedJson => {
                json::write(out, value, quote::quoted_json);
                out.push(b'\n');
            }
        }
    }
}

/// The double as the server wrote it.
fn double(out: &mut Vec<u8>, value: f64) {
    push_double(out, value);
}

/// The text of an error, wherever it came from.
pub(crate) fn error_text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Error(text) | Value::BulkError(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(output: Output, value: &Value) -> String {
        let format = Format {
            output,
            element_delimiter: b"\n".to_vec(),
            reply_delimiter: b"\n".to_vec(),
        };
        let mut out = Vec::new();
        format.write(&mut out, value, false);
        String::from_utf8(out).expect("it is ASCII")
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn nested_values_are_aligned_below_their_index() {
        let inner = Value::Array(vec![bulk("a"), Value::Null]);
        let map = Value::Map(vec![
            (bulk("k"), Value::Integer(1)),
            (bulk("l"), inner.clone()),
        ]);
        let all = Value::Array(vec![inner, map, Value::Set(vec![Value::Boolean(true)])]);
        assert_eq!(
            shown(Output::Standard, &all),
            "1) 1) \"a\"\n   2) (nil)\n2) 1# \"k\" => (integer) 1\n   2# \"l\" => \n      1) \"a\"\n      2) (nil)\n3) 1~ (true)\n"
        );
        assert_eq!(
            shown(Output::Csv, &all),
            "\"a\",NULL,\"k\",1,\"l\",\"a\",NULL,true\n"
        );
        assert_eq!(
            shown(Output::Json, &all),
            "[[\"a\",null],{\"k\":1,\"l\":[\"a\",null]},[true]]\n"
        );
        assert_eq!(shown(Output::Raw, &all), "a\n\nk 1\nl a\n\n(true)\n");
    }

    #[test]
    fn scalars() {
        let cases = [
            (
                Value::Error(b"ERR x".to_vec()),
                "(error) ERR x\n",
                "ERR x\n\n",
            ),
            (Value::Double(1.5), "(double) 1.5\n", "1.5\n"),
            (Value::Double(f64::INFINITY), "(double) inf\n", "inf\n"),
            (
                Value::BigNumber("12".to_owned()),
                "(big number) 12\n",
                "12\n",
            ),
            (Value::Array(Vec::new()), "(empty array)\n", "\n"),
            (Value::Map(Vec::new()), "(empty hash)\n", "\n"),
            (bulk("a\"\u{7}\n"), "\"a\\\"\\a\\n\"\n", "a\"\u{7}\n\n"),
        ];
        for (value, tty, raw) in cases {
            assert_eq!(shown(Output::Standard, &value), tty);
            assert_eq!(shown(Output::Raw, &value), raw);
        }
    }
}
