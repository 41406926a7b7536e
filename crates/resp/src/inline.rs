//! Inline requests: a line of words, as a person types it into telnet.
//!
//! Words are separated by blanks. `"..."` may hold blanks and the escapes `\n \r \t \b \a \\ \" \xHH`; `'...'` knows only `\'`. A quote
//! may begin inside a word, but its end must be followed by a blank or the end of the line. redis.conf follows the same rules.
//!
//! Invariant: the same line gives the same words as Redis's sdssplitargs, except that NUL is a byte like any other here (there it
//! ends the line). This does not look for the end of the line.

use crate::{ProtocolError, Span};

/// What stands between words. Inside a bare word VT and FF are ordinary bytes, as in Redis.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn ends_bare_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether [`split_spans`] can split this line, which needs no unescaping.
pub(crate) fn is_plain(line: &[u8]) -> bool {
    memchr::memchr2(b'"', b'\'', line).is_none()
}

/// Splits a line without quotes that starts at `offset` of the input, copying nothing.
pub(crate) fn split_spans(line: &[u8], offset: usize, spans: &mut Vec<Span>) {
    let mut at = 0;
    while let Some(skipped) = line[at..].iter().position(|&b| !is_blank(b)) {
        let start = at + skipped;
        let len = line[start..]
            .iter()
            .position(|&b| ends_bare_word(b))
            .unwrap_or(line.len() - start);
        spans.push(Span::new(offset + start, len));
        at = start + len;
    }
}

/// Splits a line into words, resolving quotes and escapes.
///
/// # Errors
/// [`ProtocolError::UnbalancedQuotes`].
pub fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let [blank, tail @ ..] = rest
            && is_blank(*blank)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(words);
        }
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?;
        words.push(word);
    }
}

/// Reads one word into `word` and returns what follows it.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    while let [byte, tail @ ..] = rest {
        match byte {
            b'"' => return take_quoted(tail, word, b'"', unescape_double),
            b'\'' => return take_quoted(tail, word, b'\'', unescape_single),
            &byte if ends_bare_word(byte) => return Ok(rest),
            &byte => word.push(byte),
        }
        rest = tail;
    }
    Ok(rest)
}

/// Reads up to the closing quote, which also ends the word. `unescape` reads one, possibly escaped, byte.
fn take_quoted<'a>(
    mut rest: &'a [u8],
    word: &mut Vec<u8>,
    quote: u8,
    unescape: impl Fn(&[u8]) -> (u8, usize),
) -> Result<&'a [u8], ProtocolError> {
    loop {
        match rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [byte, tail @ ..] if *byte == quote => {
                return match tail {
                    [next, ..] if !is_blank(*next) => Err(ProtocolError::UnbalancedQuotes),
                    _ => Ok(tail),
                };
            }
            _ => {
                let (byte, used) = unescape(rest);
                word.push(byte);
                rest = &rest[used..];
            }
        }
    }
}

/// One byte of a `"..."` string and how many bytes it took. `text` is not empty.
fn unescape_double(text: &[u8]) -> (u8, usize) {
    match *text {
        [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hex_value(high) << 4 | hex_value(low), 4)
        }
        [b'\\', b'n', ..] => (b'\n', 2),
        [b'\\', b'r', ..] => (b'\r', 2),
        [b'\\', b't', ..] => (b'\t', 2),
        [b'\\', b'b', ..] => (0x08, 2),
        [b'\\', b'a', ..] => (0x07, 2),
        [b'\\', other, ..] => (other, 2),
        _ => (text[0], 1),
    }
}

/// One byte of a `'...'` string and how many bytes it took. `text` is not empty.
fn unescape_single(text: &[u8]) -> (u8, usize) {
    match *text {
        [b'\\', b'\'', ..] => (b'\'', 2),
        _ => (text[0], 1),
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<Vec<u8>>, ProtocolError> {
        split_words(line.as_bytes())
    }

    #[track_caller]
    fn check(line: &str, expected: &[&[u8]]) {
        assert_eq!(words(line).unwrap(), expected, "{line:?}");
        if is_plain(line.as_bytes()) {
            let mut spans = Vec::new();
            split_spans(line.as_bytes(), 0, &mut spans);
            let found: Vec<&[u8]> = spans.iter().map(|s| s.of(line.as_bytes())).collect();
            assert_eq!(found, expected, "{line:?} by spans");
        }
    }

    #[test]
    fn bare_words() {
        check("", &[]);
        check(" \t\r\x0b\x0c ", &[]);
        check("PING", &[b"PING"]);
        check("  set\tkey  value \r", &[b"set", b"key", b"value"]);
        check("a\rb", &[b"a", b"b"]);
        check("a\x0bb \x0cc", &[b"a\x0bb", b"c"]);
        check("a\\x41", &[b"a\\x41"]);
        check("a\0b", &[b"a\0b"]);
    }

    #[test]
    fn double_quotes() {
        check(r#""" x"#, &[b"", b"x"]);
        check(r#""a b" c"#, &[b"a b", b"c"]);
        check(r#"pre"a b""#, &[b"prea b"]);
        check(r#""\x41\xfF\x0a\x4 \x4g""#, &[b"A\xff\nx4 x4g"]);
        check(r#""\n\r\t\b\a\\\"\q""#, &[b"\n\r\t\x08\x07\\\"q"]);
        check("\"it's\"\x0bx", &[b"it's", b"x"]);
    }

    #[test]
    fn single_quotes() {
        check(r"'a b' 'c'", &[b"a b", b"c"]);
        check(r"'\n\'\x41'", &[br"\n'\x41"]);
        check(r#"'"'"#, &[b"\""]);
    }

    #[test]
    fn unbalanced() {
        for line in [
            r#"""#,
            r#""a"#,
            r#""a\"#,
            r#""a"b"#,
            r#""a""b""#,
            "'",
            "'a",
            r"'a\'",
            "'a'b",
            r#"x"y"z"#,
        ] {
            assert_eq!(
                words(line),
                Err(ProtocolError::UnbalancedQuotes),
                "{line:?}"
            );
        }
    }
}
