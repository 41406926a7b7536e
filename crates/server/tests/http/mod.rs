//! What must hold for any bytes on the admin port. Shared by the bolero targets and the cargo-fuzz crate.

// Each of the targets that include this file uses its own part of it.
#![allow(dead_code, unreachable_pub)]

use dunlin_server::admin::http::{
    BODY_BYTES_MAX, Decoded, HEAD_BYTES_MAX, Refusal, Waiting, decode,
};

/// Pieces of requests, good and bad; a byte picks one.
const WORDS: &[&str] = &[
    "GET ",
    "HEAD ",
    "POST ",
    "DELETE ",
    "/",
    "/a",
    "/healthz",
    "//",
    "/..",
    "/%2e",
    "*",
    "http://a/",
    "?q=%20",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/2.0",
    " HTTP/1.",
    "\r\n",
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    "Host: a\r\n",
    "Host: a\r\n",
    "Host: a\r\n",
    "Content-Length: ",
    "Content-Length: 3\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "X: y\r\n",
    "X: y\r\n z\r\n",
    "0",
    "1",
    "3",
    "9999999999",
    "+",
    ",",
    "abc",
    "\u{e4}",
    "Origin: http://a\r\n",
    "Authorization: Bearer x\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    "GET /a HTTP/1.1\r\n",
    "POST /b HTTP/1.1\r\n",
];

/// The byte that picks a word.
pub fn word(text: &str) -> Option<u8> {
    let at = WORDS.iter().position(|word| *word == text)?;
    u8::try_from(at).ok()
}

/// The first byte says how many more say how the rest arrives.
pub fn cut(bytes: &[u8]) -> (Vec<usize>, &[u8]) {
    let Some((&count, rest)) = bytes.split_first() else {
        return (Vec::new(), bytes);
    };
    let (pieces, stream) = rest.split_at(usize::from(count % 8).min(rest.len()));
    (
        pieces.iter().map(|&piece| usize::from(piece)).collect(),
        stream,
    )
}

/// Turns arbitrary bytes into something like requests, so that more than the first line is reached.
pub fn http_like(bytes: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for &byte in bytes {
        match WORDS.get(usize::from(byte)) {
            Some(word) => stream.extend_from_slice(word.as_bytes()),
            // A long stretch, that the limit of a head be reached.
            None if byte == 0xff => stream.extend_from_slice(&[b'x'; HEAD_BYTES_MAX / 3]),
            None => stream.push(byte),
        }
    }
    stream
}

/// How a stream ends: with a refusal, or in the middle of something.
type End = Result<Waiting, Refusal>;

/// Decodes a stream that arrives in pieces, as the server does: the debug text of each request, and how it ends.
fn requests(stream: &[u8], pieces: &[usize]) -> (Vec<String>, End) {
    let mut all = Vec::new();
    let mut sizes = pieces.iter().cycle();
    let (mut consumed, mut arrived) = (0, 0);
    loop {
        match decode(&stream[consumed..arrived]) {
            Err(refusal) => {
                assert!((400..600).contains(&refusal.status));
                return (all, Err(refusal));
            }
            Ok(Decoded::Whole(request, len)) => {
                assert!(len > 0 && len <= HEAD_BYTES_MAX + BODY_BYTES_MAX);
                assert!(request.path.starts_with('/') && !request.path.contains("//"));
                assert!(
                    request
                        .path
                        .bytes()
                        .all(|b| b.is_ascii_graphic() && !b"%\\?#".contains(&b))
                );
                assert!(
                    !request
                        .path
                        .split('/')
                        .any(|part| part == ".." || part == ".")
                );
                all.push(format!("{request:?} {len}"));
                consumed += len;
            }
            Ok(Decoded::Partial(waiting)) => {
                if let Waiting::Body { missing, .. } = waiting {
                    assert!(missing > 0 && missing <= BODY_BYTES_MAX);
                } else {
                    assert!(
                        arrived - consumed < HEAD_BYTES_MAX,
                        "a head without end is refused"
                    );
                }
                if arrived == stream.len() {
                    return (all, Ok(waiting));
                }
                let size = sizes.next().map_or(usize::MAX, |&size| size.max(1));
                arrived = arrived.saturating_add(size).min(stream.len());
            }
        }
    }
}

/// However the stream is cut, the same requests come out of it, and the same end.
pub fn check(stream: &[u8], pieces: &[usize]) {
    let whole = requests(stream, &[]);
    assert_eq!(requests(stream, pieces), whole);
    if stream.len() <= 512 {
        assert_eq!(requests(stream, &[1]), whole);
    }
    // What stands behind a request changes nothing of it.
    if let Ok(Decoded::Whole(request, len)) = decode(stream) {
        assert_eq!(decode(&stream[..len]), Ok(Decoded::Whole(request, len)));
        assert!(matches!(
            decode(&stream[..len - 1]),
            Ok(Decoded::Partial(_))
        ));
    }
}
