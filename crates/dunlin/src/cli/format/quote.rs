//! Strings as people and JSON read them.
//!
//! Invariant: [`quoted`] gives what an inline command reads back as the same bytes.

/// In double quotes; what cannot be printed is escaped.
pub(crate) fn quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x20..0x7f => out.push(byte),
            _ => {
                let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
                out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    out.push(b'"');
}

/// As [`quoted`], as text: every byte of it can be printed.
pub(crate) fn quoted_text(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    quoted(&mut out, bytes);
    String::from_utf8_lossy(&out).into_owned()
}

/// A JSON string. Bytes that are no UTF-8 go through as they are, as redis-cli lets them.
pub(super) fn json(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// A JSON string of printable ASCII: the escapes of [`quoted`], with their backslashes doubled.
pub(super) fn quoted_json(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut text = Vec::new();
    quoted(&mut text, bytes);
    for byte in text {
        out.push(byte);
        if byte == b'\\' {
            out.push(byte);
        }
    }
}
