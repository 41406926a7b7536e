//! Responses to bytes.
//!
//! Invariant: every response has a length, says that it must not be kept, and that its type is what it says; nothing that came from
//! outside stands in a header.

use std::borrow::Cow;

use serde_json::Value;

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Further headers, by name.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Its body.
    pub body: Cow<'static, [u8]>,
}

/// How a response goes out.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Without its body, as a HEAD wants it.
    pub head_only: bool,
    /// The connection is closed behind it.
    pub closes: bool,
    /// Now, seconds since 1970.
    pub now_s: u64,
}

impl Response {
    /// 200 with this body.
    pub fn ok(content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Response {
        Response {
            status: 200,
            content_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Lines of text for people.
    pub fn text(status: u16, body: impl Into<String>) -> Response {
        Response {
            status,
            ..Response::ok("text/plain; charset=utf-8", body.into().into_bytes())
        }
    }

    /// A JSON value.
    pub fn json(value: &Value) -> Response {
        Response::ok("application/json", value.to_string().into_bytes())
    }

    /// `{"error": "..."}`: what is wrong and what to do.
    pub fn error(status: u16, text: impl Into<String>) -> Response {
        let body = serde_json::json!({ "error": text.into() });
        Response {
            status,
            ..Response::json(&body)
        }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>, sent: Sent) {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n",
            self.status,
            phrase(self.status),
            date(sent.now_s),
            self.content_type,
            self.body.len(),
        );
        for (name, value) in &self.headers {
            debug_assert!(
                value
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic())
            );
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        if sent.closes {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        if !sent.head_only {
            out.extend_from_slice(&self.body);
        }
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        // A phrase may be empty.
        _ => "",
    }
}

/// A time as HTTP has it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(now_s: u64) -> String {
    let at = i64::try_from(now_s)
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok());
    // Seconds beyond what a calendar has are a clock that is broken.
    let at = at.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(response: &Response, head_only: bool, closes: bool) -> String {
        let mut out = Vec::new();
        response.write(
            &mut out,
            Sent {
                head_only,
                closes,
                now_s: 784_111_777,
            },
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_response_is_written() {
        let response = Response::error(405, "no").with("Allow", "GET");
        let head = "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\n\
            Content-Length: 14\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
            Cross-Origin-Resource-Policy: same-origin\r\nAllow: GET\r\n";
        assert_eq!(
            shown(&response, false, true),
            format!("{head}Connection: close\r\n\r\n{{\"error\":\"no\"}}")
        );
        assert_eq!(shown(&response, true, false), format!("{head}\r\n"));
    }
}
