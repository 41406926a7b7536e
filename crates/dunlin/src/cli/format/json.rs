//! JSON, with strings by either of two encoders; an error is `error:` and its text, which no JSON is mistaken for.

use dunlin_resp::Value;

use super::double;

/// Appends `value`, without a line end.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, string: fn(&mut Vec<u8>, &[u8])) {
    match value {
        Value::Error(text) | Value::BulkError(text) => {
            out.extend_from_slice(b"error:");
            string(out, text);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => string(out, text),
        Value::Integer(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::BigNumber(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Double(number) => double(out, *number),
        Value::Null | Value::NullArray => out.extend_from_slice(b"null"),
        Value::Boolean(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(out, item, string);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                name(out, key, string);
                out.push(b':');
                write(out, value, string);
            }
            out.push(b'}');
        }
        Value::Attributed { value, .. } => write(out, value, string),
    }
}

/// Names of members are strings, whatever the key is.
fn name(out: &mut Vec<u8>, key: &Value, string: fn(&mut Vec<u8>, &[u8])) {
    let mut text = Vec::new();
    write(&mut text, key, string);
    let is_string = text.first() == Some(&b'"') || matches!(key, Value::Error(_));
    if is_string {
        out.extend_from_slice(&text);
    } else {
        out.push(b'"');
        out.extend_from_slice(&text);
        out.push(b'"');
    }
}
