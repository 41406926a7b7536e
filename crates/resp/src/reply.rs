//! Replies as bytes, appended to a `Vec<u8>`.
//!
//! Invariant: each function appends one whole reply, or the head of an aggregate whose elements the caller appends next. Functions
//! that take a [`Version`] write the nearest thing that RESP2 has where a type is new in RESP3, as Redis does.
//!
//! What it does not do: it does not count elements, and does not know which command answers.

use crate::{Version, push_double};

/// The end of every line.
pub const CRLF: &[u8; 2] = b"\r\n";
/// `+OK`.
pub const OK: &[u8; 5] = b"+OK\r\n";
/// `+PONG`.
pub const PONG: &[u8; 7] = b"+PONG\r\n";
/// `+QUEUED`, the answer to a command inside MULTI.
pub const QUEUED: &[u8; 9] = b"+QUEUED\r\n";

/// Appends `<kind><n>CRLF`, the first line of everything that has a length.
#[inline(always)]
fn head(out: &mut Vec<u8>, kind: u8, n: usize) {
    if n < 10 {
        out.extend_from_slice(&[kind, b'0' + n as u8, b'\r', b'\n']);
    } else if n < 100 {
        let (tens, ones) = (n as u8 / 10, n as u8 % 10);
        out.extend_from_slice(&[kind, b'0' + tens, b'0' + ones, b'\r', b'\n']);
    } else {
        line(out, kind, itoa::Buffer::new().format(n).as_bytes());
    }
}

#[inline]
fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.reserve(text.len() + 1 + CRLF.len());
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(CRLF);
}

/// `+text`. The text is ours and must not contain CR or LF.
#[inline]
pub fn simple(out: &mut Vec<u8>, text: &str) {
    debug_assert!(!text.contains(['\r', '\n']));
    line(out, b'+', text.as_bytes());
}

/// `-message`, where the message begins with its code (`ERR ...`, `WRONGTYPE ...`).
///
/// Messages quote what clients sent: CR and LF become spaces inside and are dropped at the ends.
#[cold]
pub fn error(out: &mut Vec<u8>, message: impl AsRef<[u8]>) {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let message = message.as_ref();
    let start = message.iter().position(|b| !is_line_end(b)).unwrap_or(0);
    let end = message
        .iter()
        .rposition(|b| !is_line_end(b))
        .map_or(0, |at| at + 1);
    out.push(b'-');
    out.extend(
        message[start.min(end)..end]
            .iter()
            .map(|byte| if is_line_end(byte) { b' ' } else { *byte }),
    );
    out.extend_from_slice(CRLF);
}

/// `:value`.
#[inline]
pub fn integer(out: &mut Vec<u8>, value: i64) {
    if (0..10).contains(&value) {
        out.extend_from_slice(&[b':', b'0' + value as u8, b'\r', b'\n']);
    } else {
        line(out, b':', itoa::Buffer::new().format(value).as_bytes());
    }
}

/// A bulk string: any bytes.
#[inline]
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    // One check of the capacity for all three parts: 26 is the longest head, with both line ends.
    out.reserve(bytes.len() + 26);
    head(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(CRLF);
}

/// An error of any bytes, which RESP3 alone has.
pub fn bulk_error(out: &mut Vec<u8>, message: &[u8]) {
    head(out, b'!', message.len());
    out.extend_from_slice(message);
    out.extend_from_slice(CRLF);
}

/// The first line of a bulk string of `len` bytes. The caller sends them and [`CRLF`] behind it.
#[inline]
pub fn bulk_header(out: &mut Vec<u8>, len: usize) {
    head(out, b'$', len);
}

/// A bulk string of the decimal digits of `value`.
#[inline]
pub fn bulk_integer(out: &mut Vec<u8>, value: i64) {
    bulk(out, itoa::Buffer::new().format(value).as_bytes());
}

/// No value: `$-1`, in RESP3 `_`.
#[inline]
pub fn null(out: &mut Vec<u8>, version: Version) {
    match version {
        Version::Resp2 => out.extend_from_slice(b"$-1\r\n"),
        Version::Resp3 => out.extend_from_slice(b"_\r\n"),
    }
}

/// No value where an array was due: `*-1`, in RESP3 `_`.
#[inline]
pub fn null_array(out: &mut Vec<u8>, version: Version) {
    match version {
        Version::Resp2 => out.extend_from_slice(b"*-1\r\n"),
        Version::Resp3 => out.extend_from_slice(b"_\r\n"),
    }
}

/// The head of an array of `n` elements.
#[inline]
pub fn array(out: &mut Vec<u8>, n: usize) {
    head(out, b'*', n);
}

/// The head of a map of `n` pairs; in RESP2 an array of `2n` elements. Each key is followed by its value.
pub fn map(out: &mut Vec<u8>, version: Version, n: usize) {
    match version {
        Version::Resp2 => head(out, b'*', n * 2),
        Version::Resp3 => head(out, b'%', n),
    }
}

/// The head of a set of `n` elements; in RESP2 an array.
pub fn set(out: &mut Vec<u8>, version: Version, n: usize) {
    match version {
        Version::Resp2 => head(out, b'*', n),
        Version::Resp3 => head(out, b'~', n),
    }
}

/// The head of an out-of-band message of `n` elements; in RESP2 an array.
pub fn push(out: &mut Vec<u8>, version: Version, n: usize) {
    match version {
        Version::Resp2 => head(out, b'*', n),
        Version::Resp3 => head(out, b'>', n),
    }
}

/// The head of `n` pairs of attributes, which stand before the reply they describe. RESP3 only: RESP2 has nothing like it.
pub fn attribute(out: &mut Vec<u8>, n: usize) {
    head(out, b'|', n);
}

/// A double: `,1.5`; in RESP2 a bulk string. See [`push_double`] for the text.
pub fn double(out: &mut Vec<u8>, version: Version, value: f64) {
    /// Bytes of `$` and a length of at most two digits with its line end; a double's text is at most 24 bytes long.
    const HEAD_BYTES: usize = 5;
    match version {
        Version::Resp3 => {
            out.push(b',');
            push_double(out, value);
            out.extend_from_slice(CRLF);
        }
        Version::Resp2 => {
            // The length stands before a text that is not written yet: leave room for two digits, take one back if it was too much.
            let start = out.len();
            out.extend_from_slice(b"$00\r\n");
            push_double(out, value);
            let len = (out.len() - start - HEAD_BYTES) as u8;
            out.extend_from_slice(CRLF);
            out[start + 1] = b'0' + len / 10;
            out[start + 2] = b'0' + len % 10;
            if len < 10 {
                out.remove(start + 1);
            }
        }
    }
}

/// A boolean: `#t` or `#f`; in RESP2 the integers 1 and 0.
pub fn boolean(out: &mut Vec<u8>, version: Version, value: bool) {
    out.extend_from_slice(match (version, value) {
        (Version::Resp2, false) => b":0\r\n",
        (Version::Resp2, true) => b":1\r\n",
        (Version::Resp3, false) => b"#f\r\n",
        (Version::Resp3, true) => b"#t\r\n",
    });
}

/// An integer of any size, as decimal digits; in RESP2 a bulk string.
pub fn big_number(out: &mut Vec<u8>, version: Version, digits: &str) {
    match version {
        Version::Resp2 => bulk(out, digits.as_bytes()),
        Version::Resp3 => line(out, b'(', digits.as_bytes()),
    }
}

/// Text for people, with its three-letter format (`txt`, `mkd`); in RESP2 a bulk string without the format.
///
/// A shorter format is filled up with blanks, a longer one cut.
pub fn verbatim(out: &mut Vec<u8>, version: Version, format: &str, text: &[u8]) {
    if version == Version::Resp2 {
        return bulk(out, text);
    }
    let mut prefix = *b"   :";
    for (slot, byte) in prefix[..3].iter_mut().zip(format.bytes()) {
        *slot = byte;
    }
    head(out, b'=', prefix.len() + text.len());
    out.extend_from_slice(&prefix);
    out.extend_from_slice(text);
    out.extend_from_slice(CRLF);
}

/// A request, as clients send it and as logs keep it: an array of bulk strings.
pub fn request<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    array(out, args.len());
    for arg in args {
        bulk(out, arg.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Version::{Resp2, Resp3};

    #[track_caller]
    fn check(expected: &str, write: impl Fn(&mut Vec<u8>)) {
        // Behind other bytes, as no function may rely on an empty buffer.
        let mut out = b"before".to_vec();
        write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}"));
    }

    #[test]
    fn lines() {
        check("+OK\r\n", |out| simple(out, "OK"));
        for (value, text) in [
            (0, "0"),
            (9, "9"),
            (10, "10"),
            (-1, "-1"),
            (i64::MIN, "-9223372036854775808"),
            (i64::MAX, "9223372036854775807"),
        ] {
            check(&format!(":{text}\r\n"), |out| integer(out, value));
            check(&format!("${}\r\n{text}\r\n", text.len()), |out| {
                bulk_integer(out, value)
            });
        }
        check("(123\r\n", |out| big_number(out, Resp3, "123"));
        check("$3\r\n123\r\n", |out| big_number(out, Resp2, "123"));
    }

    #[test]
    fn errors_stay_on_their_line() {
        check("-ERR x\r\n", |out| error(out, "ERR x"));
        check("-ERR 'a  b'\r\n", |out| error(out, "\r\nERR 'a\r\nb'\n"));
        check("-\r\n", |out| error(out, ""));
        check("-\r\n", |out| error(out, "\r\n"));
    }

    #[test]
    fn bulks() {
        for len in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 65536] {
            let text = "x".repeat(len);
            check(&format!("${len}\r\n{text}\r\n"), |out| {
                bulk(out, text.as_bytes())
            });
            check(&format!("${len}\r\n"), |out| bulk_header(out, len));
        }
    }

    #[test]
    fn the_two_dialects() {
        check("$-1\r\n", |out| null(out, Resp2));
        check("_\r\n", |out| null(out, Resp3));
        check("*-1\r\n", |out| null_array(out, Resp2));
        check("_\r\n", |out| null_array(out, Resp3));
        check("*3\r\n", |out| array(out, 3));
        check("*6\r\n", |out| map(out, Resp2, 3));
        check("%3\r\n", |out| map(out, Resp3, 3));
        check("*12\r\n", |out| set(out, Resp2, 12));
        check("~12\r\n", |out| set(out, Resp3, 12));
        check("*2\r\n", |out| push(out, Resp2, 2));
        check(">2\r\n", |out| push(out, Resp3, 2));
        check("|1\r\n", |out| attribute(out, 1));
        check(":1\r\n", |out| boolean(out, Resp2, true));
        check(":0\r\n", |out| boolean(out, Resp2, false));
        check("#t\r\n", |out| boolean(out, Resp3, true));
        check("#f\r\n", |out| boolean(out, Resp3, false));
        check("$2\r\nhi\r\n", |out| verbatim(out, Resp2, "txt", b"hi"));
        check("=6\r\ntxt:hi\r\n", |out| verbatim(out, Resp3, "txt", b"hi"));
        check("!3\r\nERR\r\n", |out| bulk_error(out, b"ERR"));
        check("=6\r\nm  :hi\r\n", |out| verbatim(out, Resp3, "m", b"hi"));
    }

    #[test]
    fn doubles() {
        check(",1.5\r\n", |out| double(out, Resp3, 1.5));
        check("$3\r\n1.5\r\n", |out| double(out, Resp2, 1.5));
        check("$4\r\n-inf\r\n", |out| {
            double(out, Resp2, f64::NEG_INFINITY)
        });
        check("$24\r\n-2.2250738585072014e-308\r\n", |out| {
            double(out, Resp2, -f64::MIN_POSITIVE)
        });
    }

    #[test]
    fn requests() {
        check("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", |out| {
            request(out, &["GET", "k"])
        });
    }
}
