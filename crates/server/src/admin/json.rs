//! What the server keeps as bytes, in JSON.
//!
//! Invariant: nothing is lost: bytes that are UTF-8 are a string, others `{"base64": "..."}`, and reading either gives them back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Bytes as JSON.
pub(super) fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// The bytes that [`bytes`] has written, or anybody else in that form.
pub(super) fn read_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Object(fields) if fields.len() == 1 => {
            STANDARD.decode(fields.get("base64")?.as_str()?).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for text in [
            &b""[..],
            b"abc",
            "\u{e4}\0\n".as_bytes(),
            b"\xff\0",
            b"\xc3",
        ] {
            assert_eq!(read_bytes(&bytes(text)).unwrap(), text);
        }
        assert_eq!(bytes(b"a\xff"), json!({ "base64": "Yf8=" }));
        for other in [
            json!(1),
            json!(null),
            json!(["a"]),
            json!({"base64": "?"}),
            json!({"base64": "", "x": 1}),
            json!({}),
        ] {
            assert_eq!(read_bytes(&other), None, "{other}");
        }
    }
}
