//! Bytes to requests. RFC 9110 and 9112, the strict reading.
//!
//! Invariant: how the bytes were cut changes nothing; what stands behind a request's end has no influence on it, and what was refused
//! once stays refused with more bytes. A request's memory is its bytes: nothing is allocated on the word of a length.

use httparse::{EMPTY_HEADER, Status};

/// Longest head (request line and headers), bytes.
pub const HEAD_BYTES_MAX: usize = 8 << 10;
/// Most headers of a request.
pub const HEADERS_MAX: usize = 64;
/// Longest body, bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Most digits of a Content-Length: more than any length that is allowed.
const LENGTH_DIGITS_MAX: usize = 16;
/// The end of a head.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// What a request asks to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: as GET, without the body.
    Head,
    /// POST.
    Post,
    /// Any other.
    Other,
}

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The path: begins with `/`, is printable ASCII, has one spelling only (no `%`, no empty segment, no `.` or `..`).
    pub path: &'a str,
    /// What stands behind `?`, undecoded.
    pub query: Option<&'a str>,
    /// `Host`: always there in HTTP/1.1.
    pub host: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// Whether the client wants to go on with this connection.
    pub keep_alive: bool,
    /// The body.
    pub body: &'a [u8],
}

/// Bytes that are no request that is served here: the status of the answer, behind which the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A 4xx or 5xx.
    pub status: u16,
    /// What is wrong.
    pub reason: &'static str,
}

/// What a request that is not whole yet lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The end of its head.
    Head,
    /// The end of its body. The client waits until it is told to go on, if it has asked for that.
    Body {
        /// `Expect: 100-continue`.
        wants_continue: bool,
        /// Bytes of the body that are not there yet.
        missing: usize,
    },
}

/// The beginning of a connection's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// More bytes are needed.
    Partial(Waiting),
    /// A request, which takes so many bytes.
    Whole(Request<'a>, usize),
}

const fn refuse(status: u16, reason: &'static str) -> Refusal {
    Refusal { status, reason }
}

const BARE_LINE_END: Refusal = refuse(400, "a line has to end with CR LF, and NUL is no text");
const NOT_HTTP: Refusal = refuse(400, "this is no HTTP request");
const HEAD_TOO_LONG: Refusal = refuse(431, "the head of the request is too long");

/// Finds the request at the beginning of `bytes`. O(head), whatever is there.
///
/// # Errors
/// See [`Refusal`].
pub fn decode(bytes: &[u8]) -> Result<Decoded<'_>, Refusal> {
    // httparse passes over blank lines in front of a request; nobody needs them, and what they end is not ours to guess.
    if bytes.first() == Some(&b'\r') {
        return Err(NOT_HTTP);
    }
    let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let lines = scan(window);
    let head = &window[..lines.end];
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(head).map_err(|error| match error {
        httparse::Error::Version => refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here"),
        httparse::Error::TooManyHeaders => refuse(431, "the request has too many headers"),
        _ => NOT_HTTP,
    })?;
    match (status, lines.is_broken) {
        (_, true) => Err(BARE_LINE_END),
        (Status::Complete(len), false) if len == head.len() && lines.is_whole => {
            request(&parsed, bytes, len)
        }
        // Not all of the lines are the request's.
        (_, false) if lines.is_whole => Err(NOT_HTTP),
        (_, false) if window.len() == HEAD_BYTES_MAX => Err(HEAD_TOO_LONG),
        (_, false) => Ok(Decoded::Partial(Waiting::Head)),
    }
}

/// How far a head goes.
struct Lines {
    /// Bytes up to its end, or up to what breaks it, or all.
    end: usize,
    is_whole: bool,
    is_broken: bool,
}

/// Looks for the end of the head, and for line ends that only some readers take for such.
fn scan(window: &[u8]) -> Lines {
    let mut at = 0;
    while at < window.len() {
        let is_broken = match window[at] {
            0 | b'\n' => true,
            b'\r' => {
                if window[at..].starts_with(HEAD_END) {
                    return Lines {
                        end: at + HEAD_END.len(),
                        is_whole: true,
                        is_broken: false,
                    };
                }
                match window.get(at + 1) {
                    Some(b'\n') => {
                        at += 1;
                        false
                    }
                    Some(_) => true,
                    // What it is the next byte will say; until then it is not there.
                    None => {
                        return Lines {
                            end: at,
                            is_whole: false,
                            is_broken: false,
                        };
                    }
                }
            }
            _ => false,
        };
        if is_broken {
            return Lines {
                end: at,
                is_whole: false,
                is_broken: true,
            };
        }
        at += 1;
    }
    Lines {
        end: window.len(),
        is_whole: false,
        is_broken: false,
    }
}

/// What headers say about the request, as far as it matters here.
#[derive(Default)]
struct Headers<'a> {
    host: Option<&'a str>,
    origin: Option<&'a str>,
    authorization: Option<&'a str>,
    content_type: Option<&'a str>,
    accept: Option<&'a str>,
    length: Option<usize>,
    is_coded: bool,
    wants_continue: bool,
    closes: bool,
    keeps_alive: bool,
}

fn request<'a>(
    parsed: &httparse::Request<'_, 'a>,
    bytes: &'a [u8],
    head_len: usize,
) -> Result<Decoded<'a>, Refusal> {
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(NOT_HTTP);
    };
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => Method::Other,
    };
    let (path, query) = read_target(target)?;
    let mut headers = Headers::default();
    for header in parsed.headers.iter() {
        headers.read(header.name, header.value)?;
    }
    if minor >= 1 && headers.host.is_none() {
        return Err(refuse(400, "HTTP/1.1 needs a Host header"));
    }
    if headers.is_coded {
        return Err(match headers.length {
            Some(_) => refuse(
                400,
                "a request has a Content-Length or a Transfer-Encoding, not both",
            ),
            None if minor == 0 => refuse(400, "HTTP/1.0 has no Transfer-Encoding"),
            None => refuse(
                501,
                "chunked requests are not supported: send a Content-Length",
            ),
        });
    }
    let length = headers.length.unwrap_or(0);
    if length > 0 && matches!(method, Method::Get | Method::Head) {
        return Err(refuse(400, "a GET or HEAD has no body"));
    }
    if method == Method::Post && headers.length.is_none() {
        return Err(refuse(411, "a POST needs a Content-Length"));
    }
    if length > BODY_BYTES_MAX {
        return Err(refuse(413, "the body of the request is too long"));
    }
    let there = &bytes[head_len..];
    if there.len() < length {
        return Ok(Decoded::Partial(Waiting::Body {
            wants_continue: headers.wants_continue && minor >= 1,
            missing: length - there.len(),
        }));
    }
    let request = Request {
        method,
        path,
        query,
        host: headers.host,
        origin: headers.origin,
        authorization: headers.authorization,
        content_type: headers.content_type,
        accept: headers.accept,
        keep_alive: !headers.closes && (minor >= 1 || headers.keeps_alive),
        body: &there[..length],
    };
    Ok(Decoded::Whole(request, head_len + length))
}

/// Path and query of a target in origin form. No path that is served here needs an escape, so whoever sends one has something in mind.
fn read_target(target: &str) -> Result<(&str, Option<&str>), Refusal> {
    if !target.starts_with('/') {
        return Err(refuse(400, "the request target has to be a path"));
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains('#') {
        return Err(refuse(400, "the request target has to be printable ASCII"));
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let is_odd = |segment: &str| matches!(segment, "." | "..");
    if path.contains(['%', '\\']) || path.contains("//") || path.split('/').any(is_odd) {
        return Err(refuse(400, "the path has to be in its plain form"));
    }
    Ok((path, query))
}

/// Sets what may stand once only.
fn once<'a>(place: &mut Option<&'a str>, value: &'a str) -> Result<(), Refusal> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(refuse(400, "a header stands twice that may stand once")),
    }
}

impl<'a> Headers<'a> {
    fn read(&mut self, name: &str, value: &'a [u8]) -> Result<(), Refusal> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        // Of the headers that are looked at, all are ASCII; others may be what they like.
        let text = || {
            let text = std::str::from_utf8(value)
                .ok()
                .filter(|text| text.is_ascii());
            text.map(str::trim)
                .ok_or(refuse(400, "a header is not ASCII"))
        };
        if is("Host") {
            once(&mut self.host, text()?)
        } else if is("Content-Length") {
            let length = read_length(text()?)?;
            match self.length.replace(length) {
                None => Ok(()),
                Some(_) => Err(refuse(400, "a request has one Content-Length")),
            }
        } else if is("Transfer-Encoding") {
            self.is_coded = true;
            Ok(())
        } else if is("Expect") {
            self.wants_continue = text()?.eq_ignore_ascii_case("100-continue");
            match self.wants_continue {
                true => Ok(()),
                false => Err(refuse(417, "nothing but 100-continue can be expected")),
            }
        } else if is("Connection") {
            for token in text()?.split(',').map(str::trim) {
                self.closes |= token.eq_ignore_ascii_case("close");
                self.keeps_alive |= token.eq_ignore_ascii_case("keep-alive");
            }
            Ok(())
        } else if is("Origin") {
            once(&mut self.origin, text()?)
        } else if is("Authorization") {
            once(&mut self.authorization, text()?)
        } else if is("Content-Type") {
            once(&mut self.content_type, text()?)
        } else if is("Accept") {
            // It may stand several times; the first will do.
            let accept = text()?;
            self.accept.get_or_insert(accept);
            Ok(())
        } else {
            Ok(())
        }
    }
}

/// Digits and nothing else.
fn read_length(text: &str) -> Result<usize, Refusal> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(refuse(400, "the Content-Length is no number"));
    }
    let digits = text.trim_start_matches('0');
    if digits.len() > LENGTH_DIGITS_MAX {
        return Err(refuse(413, "the body of the request is too long"));
    }
    Ok(digits
        .bytes()
        .fold(0, |n, digit| n * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: impl AsRef<[u8]>) -> u16 {
        match decode(text.as_ref()) {
            Ok(Decoded::Whole(..)) => 200,
            Ok(Decoded::Partial(_)) => 100,
            Err(refusal) => refusal.status,
        }
    }

    fn get(target: &str) -> u16 {
        status(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    fn post(headers: &str) -> u16 {
        status(format!(
            "POST /x HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\nabc"
        ))
    }

    #[test]
    fn a_request_is_read() {
        let text = b"POST /a/b?c=%20d HTTP/1.1\r\nHost: h:1\r\norigin: http://h:1\r\nContent-Length: 3\r\n\
            Content-Type: application/json\r\nAuthorization: Bearer x\r\nAccept: */*\r\nConnection: x, Close\r\nX: \xff\r\n\r\nabcGET";
        let Ok(Decoded::Whole(request, len)) = decode(text) else {
            panic!("{:?}", decode(text))
        };
        let expected = Request {
            method: Method::Post,
            path: "/a/b",
            query: Some("c=%20d"),
            host: Some("h:1"),
            origin: Some("http://h:1"),
            authorization: Some("Bearer x"),
            content_type: Some("application/json"),
            accept: Some("*/*"),
            keep_alive: false,
            body: b"abc",
        };
        assert_eq!(request, expected);
        assert_eq!(&text[len..], b"GET");
    }

    #[test]
    fn versions_and_keep_alive() {
        let keeps = |text: &str| match decode(text.as_bytes()) {
            Ok(Decoded::Whole(request, _)) => request.keep_alive,
            other => panic!("{other:?}"),
        };
        assert!(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!keeps("GET / HTTP/1.0\r\n\r\n"));
        assert!(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400, "no Host");
        assert_eq!(status("GET /\r\n\r\n"), 400, "HTTP/0.9");
        assert_eq!(status("GET /\r\n"), 400, "HTTP/0.9");
        assert_eq!(status("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505);
        assert_eq!(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
        assert_eq!(status("\x16\x03\x01\0"), 400, "TLS");
        assert_eq!(status("*1\r\n$4\r\nPING\r\n"), 400, "RESP");
    }

    #[test]
    fn targets_have_one_spelling() {
        for good in ["/", "/a", "/a/b.c", "/a/", "/a?b=%2e%2e/../x", "/a...b/..c"] {
            assert_eq!(get(good), 200, "{good}");
        }
        for bad in [
            "*",
            "a",
            "http://a/",
            "//",
            "//a",
            "/a//b",
            "/..",
            "/a/../b",
            "/./a",
            "/a/.",
            "/%2e%2e/a",
            "/%61",
            "/a\\b",
            "/a#b",
            "/\u{e4}",
            "/a\tb",
            "host:1",
        ] {
            assert_eq!(get(bad), 400, "{bad}");
        }
        assert_eq!(status(b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
        assert_eq!(status(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    }

    #[test]
    fn one_length_or_none() {
        assert_eq!(post("Content-Length: 3"), 200);
        assert_eq!(post("Content-Length: 0003"), 200);
        assert_eq!(post("Content-Length: 4"), 100);
        assert_eq!(post("X: y"), 411);
        for bad in ["", "+3", "-3", "3,3", "3 3", "0x3", "3;", "\u{663}"] {
            assert_eq!(post(&format!("Content-Length: {bad}")), 400, "{bad}");
        }
        assert_eq!(post("Content-Length: 3\r\nContent-Length: 3"), 400);
        assert_eq!(post("Content-Length: 3\r\ncontent-length: 4"), 400);
        assert_eq!(post("Content-Length: 1048577"), 413);
        assert_eq!(post("Content-Length: 99999999999999999999"), 413);
        assert_eq!(post("Transfer-Encoding: chunked"), 501);
        assert_eq!(post("Transfer-Encoding: chunked\r\nContent-Length: 3"), 400);
        assert_eq!(
            post("Content-Length: 3\r\nTransfer-Encoding:\x0bchunked"),
            400
        );
        assert_eq!(
            post("Transfer-Encoding : chunked\r\nContent-Length: 3"),
            400
        );
        assert_eq!(
            status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
            400
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
            200
        );
    }

    #[test]
    fn line_ends_are_strict() {
        assert_eq!(status("GET / HTTP/1.1\nHost: a\n\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"), 400);
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
            400,
            "a folded line"
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tb\r\n\r\n"),
            400
        );
        assert_eq!(status("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost a\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHo st: a\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
        assert_eq!(status("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
        assert_eq!(status("\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"), 400);
    }

    #[test]
    fn heads_have_a_limit() {
        let long = |bytes: usize| {
            let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
            format!(
                "{start}{}",
                "x".repeat(bytes - start.len() - HEAD_END.len())
            )
        };
        assert_eq!(status(long(HEAD_BYTES_MAX) + "\r\n\r\n"), 200);
        assert_eq!(status(long(HEAD_BYTES_MAX + 1) + "\r\n\r\n"), 431);
        assert_eq!(status(long(3 * HEAD_BYTES_MAX)), 431);
        let many = |n: usize| {
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                "X: y\r\n".repeat(n - 1)
            )
        };
        assert_eq!(status(many(HEADERS_MAX)), 200);
        assert_eq!(status(many(HEADERS_MAX + 1)), 431);
    }

    #[test]
    fn half_a_line_end_decides_nothing() {
        assert_eq!(status("!\r"), 100);
        for text in ["!\r\n", "!\r\0", "GET /\r\n", "GET / HTTP/1.1\r\nX\rY"] {
            let (last, at) = (status(text), text.rfind('\r').unwrap() + 1);
            assert_eq!((status(&text[..at]), last), (100, 400), "{text:?}");
        }
    }

    #[test]
    fn expectations() {
        let head =
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-Continue\r\n\r\n";
        let waiting = Waiting::Body {
            wants_continue: true,
            missing: 9,
        };
        assert_eq!(decode(head.as_bytes()), Ok(Decoded::Partial(waiting)));
        assert_eq!(post("Content-Length: 3\r\nExpect: gifts"), 417);
    }
}
