//! The format for people: a type where it does not show by itself, an index before each element, strings in quotes.
//!
//! Invariant: every value ends with a line end; lines behind the first of an aggregate begin with `prefix`.

use std::io::Write as _;

use dunlin_resp::Value;

use super::{double, quote::quoted};

/// Appends `value`, whose further lines stand behind `prefix`.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, prefix: &str) {
    match value {
        Value::Array(items) => elements(out, items, prefix, ')', "(empty array)"),
        Value::Push(items) => elements(out, items, prefix, ')', "(empty push)"),
        Value::Set(items) => elements(out, items, prefix, '~', "(empty set)"),
        Value::Map(pairs) => self::pairs(out, pairs, prefix),
        Value::Attributed { value, .. } => write(out, value, prefix),
        scalar => {
            self::scalar(out, scalar);
            out.push(b'\n');
        }
    }
}

fn scalar(out: &mut Vec<u8>, value: &Value) {
    let mut tagged = |tag: &[u8], text: &[u8]| {
        out.extend_from_slice(tag);
        out.extend_from_slice(text);
    };
    match value {
        Value::Simple(text) | Value::Verbatim { text, .. } => tagged(b"", text),
        Value::Error(text) | Value::BulkError(text) => tagged(b"(error) ", text),
        Value::Integer(n) => tagged(b"(integer) ", n.to_string().as_bytes()),
        Value::BigNumber(digits) => tagged(b"(big number) ", digits.as_bytes()),
        Value::Boolean(true) => tagged(b"(true)", b""),
        Value::Boolean(false) => tagged(b"(false)", b""),
        Value::Bulk(bytes) => quoted(out, bytes),
        Value::Double(number) => {
            tagged(b"(double) ", b"");
            double(out, *number);
        }
        _ => tagged(b"(nil)", b""),
    }
}

/// What stands before an element: its number, as wide as the last one's.
struct Index<'a> {
    prefix: &'a str,
    width: usize,
    mark: char,
}

impl Index<'_> {
    fn of(len: usize, prefix: &str, mark: char) -> Index<'_> {
        let width = len.to_string().len();
        Index {
            prefix,
            width,
            mark,
        }
    }

    /// The first stands where its parent has left off already.
    fn write(&self, out: &mut Vec<u8>, i: usize) {
        let prefix = if i == 0 { "" } else { self.prefix };
        // Writing to a Vec does not fail.
        let _ = write!(
            out,
            "{prefix}{:>width$}{} ",
            i + 1,
            self.mark,
            width = self.width
        );
    }

    fn inner(&self) -> String {
        format!("{}{}", self.prefix, " ".repeat(self.width + 2))
    }
}

fn elements(out: &mut Vec<u8>, items: &[Value], prefix: &str, mark: char, empty: &str) {
    if items.is_empty() {
        out.extend_from_slice(empty.as_bytes());
        out.push(b'\n');
        return;
    }
    let index = Index::of(items.len(), prefix, mark);
    let inner = index.inner();
    for (i, item) in items.iter().enumerate() {
        index.write(out, i);
        write(out, item, &inner);
    }
}

fn pairs(out: &mut Vec<u8>, pairs: &[(Value, Value)], prefix: &str) {
    if pairs.is_empty() {
        out.extend_from_slice(b"(empty hash)\n");
        return;
    }
    let index = Index::of(pairs.len(), prefix, '#');
    let inner = index.inner();
    for (i, (key, value)) in pairs.iter().enumerate() {
        index.write(out, i);
        write(out, key, &inner);
        out.pop();
        out.extend_from_slice(b" => ");
        if takes_lines(value) {
            out.push(b'\n');
            out.extend_from_slice(inner.as_bytes());
        }
        write(out, value, &inner);
    }
}

/// Whether a value is shown in more than one line.
fn takes_lines(value: &Value) -> bool {
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => match items.as_slice() {
            [] => false,
            [one] => takes_lines(one),
            _ => true,
        },
        Value::Map(pairs) => match pairs.as_slice() {
            [] => false,
            [(_, value)] => takes_lines(value),
            _ => true,
        },
        _ => false,
    }
}
