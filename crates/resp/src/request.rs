//! Requests out of a connection's input: RESP arrays of bulk strings, and inline lines.
//!
//! Invariant: a byte is examined once, in whatever pieces the request arrives; the parser itself owns no argument, and no memory
//! while no request is half-parsed. Every span it yields lies inside the input.
//!
//! It follows Redis 7.2 in what it accepts, and in what it does not check: the byte after a CR, and the two bytes after a bulk, may be
//! anything. It differs in one point: the 64 KiB limit of a line holds however the line was split on its way, and a NUL does
//! not hide what follows it in a line.

use crate::ProtocolError;
use crate::inline::{is_plain, split_spans, split_words};

/// Longest inline request, and longest line with a count or length, without its line end.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Redis's default of `proto-max-bulk-len`.
pub const BULK_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Most arguments of a request.
pub const ARGS_MAX: usize = i32::MAX as usize;
/// Most arguments of a request before authentication.
pub const UNAUTHENTICATED_ARGS_MAX: usize = 10;
/// Longest argument before authentication.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16 * 1024;
/// Longest request: what the 32 bits of a span address.
pub const REQUEST_BYTES_MAX: usize = u32::MAX as usize;

/// Bytes behind a line or a bulk: CR LF.
const LINE_END_BYTES: usize = 2;
/// The short way of reading knows lengths of so many digits.
const SHORT_DIGITS_MAX: usize = 4;
/// The longest of these.
const SHORT_LENGTH_MAX: usize = 10usize.pow(SHORT_DIGITS_MAX as u32) - 1;
/// More digits than this (a sign included) are no 64-bit integer, whatever they are.
const LENGTH_DIGITS_MAX: usize = 20;

/// One argument: where it stands in the input that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Span {
        debug_assert!(start + len <= REQUEST_BYTES_MAX);
        Span {
            start: start as u32,
            len: len as u32,
        }
    }

    /// The argument's bytes, given the input that was parsed.
    ///
    /// # Panics
    /// When `input` is shorter than what was parsed.
    #[inline]
    pub fn of(self, input: &[u8]) -> &[u8] {
        &input[self.start as usize..][..self.len as usize]
    }
}

/// What a connection may send now. The caller builds it per batch, from configuration and the session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `proto-max-bulk-len`: longest argument.
    pub bulk_bytes_max: usize,
    /// Longest inline request, and longest line with a count or length.
    pub line_bytes_max: usize,
    /// Most arguments of a request.
    pub args_max: usize,
    /// False while the session owes a password: then requests are held to 10 arguments of 16 KiB. As AUTH changes this, requests
    /// of such a session must be executed one by one, before the next is parsed.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bulk_bytes_max: BULK_BYTES_MAX,
            line_bytes_max: LINE_BYTES_MAX,
            args_max: ARGS_MAX,
            authenticated: true,
        }
    }
}

/// What [`RequestParser::next`] found at the head of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A request that ends at `end`; its arguments were appended to `args`. None for an empty line or array: skip it.
    Request {
        /// Where the next request begins.
        end: usize,
    },
    /// An inline request with quotes, whose words had to be copied. Nothing was appended to `args`.
    Inline {
        /// Where the next request begins.
        end: usize,
        /// The unescaped words, at least one.
        words: Vec<Vec<u8>>,
    },
    /// The request is not complete. Nothing was appended to `args`.
    NeedMore {
        /// How many bytes are missing at least; 1 when unknown. It is the peer's word, bounded by `bulk_bytes_max` only: do not
        /// reserve that much.
        hint: usize,
    },
    /// Not RESP: send [`ProtocolError::reply`] and close.
    Error(ProtocolError),
}

/// Finds the requests in a connection's input.
///
/// 8 bytes; owns memory only while a request is half-parsed.
#[derive(Debug, Default)]
pub struct RequestParser {
    partial: Option<Box<Partial>>,
}

/// A request that has arrived in part.
#[derive(Debug)]
struct Partial {
    progress: Progress,
    spans: Vec<Span>,
}

/// How far a request is understood. Offsets count from its first byte.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The first byte not understood yet.
    at: usize,
    /// So many bytes from `at` on hold no line end.
    scanned: usize,
    /// Arguments still to come; 0 while the count is not known.
    args_left: usize,
    /// Length of the argument whose bytes begin at `at`, once known.
    bulk_len: Option<usize>,
}

/// Where [`Progress::advance`] stopped.
enum Stop {
    NeedMore(usize),
    Error(ProtocolError),
}

impl From<ProtocolError> for Stop {
    fn from(error: ProtocolError) -> Stop {
        Stop::Error(error)
    }
}

impl RequestParser {
    /// A parser at the start of a stream.
    pub const fn new() -> RequestParser {
        RequestParser { partial: None }
    }

    /// Whether part of a request was seen. The head of the input then belongs to it and must be shown again.
    pub fn is_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// Bytes at the head of the input that are understood, though their request is not complete: whole arguments, and the
    /// lengths of those that follow.
    pub fn understood(&self) -> usize {
        self.partial.as_ref().map_or(0, |p| p.progress.at)
    }

    /// Reads the request at the head of `input`, whose first byte is the first one not consumed.
    ///
    /// After [`Outcome::NeedMore`] call again with the same bytes and at least one more behind them; what was understood is not read
    /// again. Time: O(new bytes), and for a bulk O(1).
    #[inline]
    pub fn next(&mut self, input: &[u8], limits: &Limits, args: &mut Vec<Span>) -> Outcome {
        // What a span cannot address is not looked at: a request that needs it is refused below.
        let input = &input[..input.len().min(REQUEST_BYTES_MAX)];
        if self.partial.is_some() {
            return self.resume(input, limits, args);
        }
        match input.first() {
            None => return Outcome::NeedMore { hint: 1 },
            Some(b'*') => {}
            Some(_) => return self.inline(input, 0, limits, args),
        }
        let before = args.len();
        match Progress::short_way(input, limits, args) {
            Ok(end) => Outcome::Request { end },
            Err(progress) => self.long_way(progress, input, limits, args, before),
        }
    }

    /// Goes on with a new request where the short way ended. Its arguments begin at `before`.
    #[cold]
    fn long_way(
        &mut self,
        mut progress: Progress,
        input: &[u8],
        limits: &Limits,
        args: &mut Vec<Span>,
        before: usize,
    ) -> Outcome {
        match progress.advance(input, limits, args) {
            Ok(()) => Outcome::Request { end: progress.at },
            Err(stop) => {
                let spans = args[before..].to_vec();
                args.truncate(before);
                self.stop(stop, Box::new(Partial { progress, spans }), input)
            }
        }
    }

    /// Ends a call that found no whole request, keeping what is understood of it.
    #[cold]
    fn stop(&mut self, stop: Stop, partial: Box<Partial>, input: &[u8]) -> Outcome {
        match stop {
            Stop::Error(error) => Outcome::Error(error),
            Stop::NeedMore(_) if input.len() == REQUEST_BYTES_MAX => {
                Outcome::Error(ProtocolError::RequestTooBig)
            }
            Stop::NeedMore(hint) => {
                self.partial = Some(partial);
                Outcome::NeedMore { hint }
            }
        }
    }

    #[cold]
    fn resume(&mut self, input: &[u8], limits: &Limits, args: &mut Vec<Span>) -> Outcome {
        let Some(mut partial) = self.partial.take() else {
            unreachable!("next() looked");
        };
        assert!(
            input.len() >= partial.progress.at + partial.progress.scanned,
            "bytes of a half-parsed request were consumed"
        );
        if input[0] != b'*' {
            return self.inline(input, partial.progress.scanned, limits, args);
        }
        match partial.progress.advance(input, limits, &mut partial.spans) {
            Ok(()) => {
                args.append(&mut partial.spans);
                Outcome::Request {
                    end: partial.progress.at,
                }
            }
            Err(stop) => self.stop(stop, partial, input),
        }
    }

    /// An inline request, the first `scanned` bytes of which hold no LF.
    #[cold]
    fn inline(
        &mut self,
        input: &[u8],
        scanned: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Outcome {
        let window = &input[..input.len().min(limits.line_bytes_max + 1)];
        let Some(found) = memchr::memchr(b'\n', &window[scanned..]) else {
            if input.len() > limits.line_bytes_max {
                return Outcome::Error(ProtocolError::TooBigInline);
            }
            let progress = Progress {
                scanned: input.len(),
                ..Progress::START
            };
            let spans = Vec::new();
            return self.stop(
                Stop::NeedMore(1),
                Box::new(Partial { progress, spans }),
                input,
            );
        };
        let newline = scanned + found;
        let end = newline + 1;
        let line = &input[..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if is_plain(line) {
            split_spans(line, 0, args);
            return Outcome::Request { end };
        }
        match split_words(line) {
            Ok(words) => Outcome::Inline { end, words },
            Err(error) => Outcome::Error(error),
        }
    }
}

impl Progress {
    const START: Progress = Progress {
        at: 0,
        scanned: 0,
        args_left: 0,
        bulk_len: None,
    };

    /// Reads a request that is here as a whole, with lengths of few digits: nearly all are. Returns its end.
    ///
    /// At anything else it returns how far it came, and [`Progress::advance`] goes on there. All state is in locals, as every
    /// argument's place depends on the one before, and memory on that path would cost more than all the rest.
    #[inline]
    fn short_way(input: &[u8], limits: &Limits, args: &mut Vec<Span>) -> Result<usize, Progress> {
        let Some((count, mut at)) = short_line(input) else {
            return Err(Progress::START);
        };
        if (count > UNAUTHENTICATED_ARGS_MAX && !limits.authenticated)
            || count > limits.args_max
            || limits.bulk_bytes_max < SHORT_LENGTH_MAX
        {
            return Err(Progress::START);
        }
        for args_left in (1..=count).rev() {
            let here = Progress {
                at,
                args_left,
                ..Progress::START
            };
            let rest = &input[at..];
            let Some((len, bytes)) = short_line(rest) else {
                return Err(here);
            };
            let next = at + bytes + len + LINE_END_BYTES;
            if rest[0] != b'$' || next > input.len() {
                return Err(here);
            }
            args.push(Span {
                start: (at + bytes) as u32,
                len: len as u32,
            });
            at = next;
        }
        Ok(at)
    }

    /// Reads on in an array request, appending the arguments it completes, until the request or the input ends.
    fn advance(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<(), Stop> {
        if self.args_left == 0 {
            self.args_left = self.args_count(input, limits)?;
        }
        while self.args_left > 0 {
            let len = match self.bulk_len {
                Some(len) => len,
                None => self.bulk_len(input, limits)?,
            };
            let next = self.at + len + LINE_END_BYTES;
            if next > input.len() {
                self.bulk_len = Some(len);
                return Err(Stop::NeedMore(next - input.len()));
            }
            spans.push(Span {
                start: self.at as u32,
                len: len as u32,
            });
            self.at = next;
            self.bulk_len = None;
            self.args_left -= 1;
        }
        Ok(())
    }

    /// Reads `*<count>`; 0 for an empty or null array.
    fn args_count(&mut self, input: &[u8], limits: &Limits) -> Result<usize, Stop> {
        let line = self.line(input, limits, ProtocolError::TooBigMultibulkCount)?;
        let count = parse_integer(&line[1..])
            .filter(|&count| count <= limits.args_max as i64)
            .ok_or(ProtocolError::InvalidMultibulkLength)?;
        if !limits.authenticated && count > UNAUTHENTICATED_ARGS_MAX as i64 {
            return Err(ProtocolError::UnauthenticatedMultibulkLength.into());
        }
        Ok(count.max(0) as usize)
    }

    /// Reads `$<length>` at `self.at`.
    fn bulk_len(&mut self, input: &[u8], limits: &Limits) -> Result<usize, Stop> {
        let line = self.line(input, limits, ProtocolError::TooBigBulkCount)?;
        // The line is complete before its first byte is judged, as in Redis: the error depends on it.
        match line.first() {
            Some(b'$') => {}
            Some(&other) => return Err(ProtocolError::ExpectedBulk(other).into()),
            None => return Err(ProtocolError::ExpectedBulk(b'\r').into()),
        }
        let len = parse_integer(&line[1..])
            .and_then(|len| usize::try_from(len).ok())
            .filter(|&len| len <= limits.bulk_bytes_max)
            .ok_or(ProtocolError::InvalidBulkLength)?;
        if !limits.authenticated && len > UNAUTHENTICATED_BULK_BYTES_MAX {
            return Err(ProtocolError::UnauthenticatedBulkLength.into());
        }
        if len > REQUEST_BYTES_MAX.saturating_sub(self.at + LINE_END_BYTES) {
            return Err(ProtocolError::RequestTooBig.into());
        }
        Ok(len)
    }

    /// The line at `self.at`, without its line end; `self.at` moves behind it.
    fn line<'a>(
        &mut self,
        input: &'a [u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<&'a [u8], Stop> {
        let rest = &input[self.at..];
        let window = &rest[..rest.len().min(limits.line_bytes_max + 1)];
        let Some(found) = memchr::memchr(b'\r', &window[self.scanned..]) else {
            if rest.len() > limits.line_bytes_max {
                return Err(too_big.into());
            }
            self.scanned = rest.len();
            return Err(Stop::NeedMore(1));
        };
        let len = self.scanned + found;
        if rest.len() < len + LINE_END_BYTES {
            self.scanned = len;
            return Err(Stop::NeedMore(1));
        }
        self.scanned = 0;
        self.at += len + LINE_END_BYTES;
        Ok(&rest[..len])
    }
}

/// A length of at most [`SHORT_DIGITS_MAX`] digits after the first byte, and the bytes of its line with the line end.
///
/// `None` for anything else, and for anything within 7 bytes of the end of the input: no complete argument is so short but an
/// empty one.
#[inline]
fn short_line(rest: &[u8]) -> Option<(usize, usize)> {
    let line: &[u8; SHORT_DIGITS_MAX + 3] = rest.first_chunk()?;
    let mut value = usize::from(line[1].wrapping_sub(b'0'));
    if value > 9 {
        return None;
    }
    for (at, &byte) in line[..SHORT_DIGITS_MAX + 2].iter().enumerate().skip(2) {
        if byte == b'\r' {
            return Some((value, at + LINE_END_BYTES));
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || value == 0 {
            return None;
        }
        value = value * 10 + usize::from(digit);
    }
    None
}

/// A decimal integer in the one form Redis accepts: no sign but `-`, no leading zeros, no `-0`.
fn parse_integer(text: &[u8]) -> Option<i64> {
    if text.len() > LENGTH_DIGITS_MAX {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        b"0" if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    // Summed below zero, where the range is the larger one.
    let sum = digits.iter().try_fold(0i64, |sum, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_sub(i64::from(digit))
    })?;
    if negative {
        Some(sum)
    } else {
        sum.checked_neg()
    }
}
