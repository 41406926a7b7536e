//! One line of values with commas between them; aggregates are flat.

use dunlin_resp::Value;

use super::{double, quote::quoted};

/// Appends `value`, without a line end.
pub(super) fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Error(text) | Value::BulkError(text) => {
            out.extend_from_slice(b"ERROR,");
            quoted(out, text);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => quoted(out, text),
        Value::Integer(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::BigNumber(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Double(number) => double(out, *number),
        Value::Null | Value::NullArray => out.extend_from_slice(b"NULL"),
        Value::Boolean(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => joined(out, items.iter()),
        Value::Map(pairs) => joined(out, pairs.iter().flat_map(|(key, value)| [key, value])),
        Value::Attributed { value, .. } => write(out, value),
    }
}

fn joined<'a>(out: &mut Vec<u8>, items: impl Iterator<Item = &'a Value>) {
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}
