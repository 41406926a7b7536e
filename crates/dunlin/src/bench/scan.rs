//! Counts replies in a stream of bytes without building them.
//!
//! Invariant: every split of the bytes gives the same count. It checks as little as it needs to find where replies end; a byte that begins
//! no reply is an error.

use memchr::memchr;

/// Bytes of an error reply that are kept.
const ERROR_BYTES_MAX: usize = 256;
/// Longest line of a length or number, with its type.
const HEAD_BYTES_MAX: usize = 32;

/// Where in a reply the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the type of a value.
    Start,
    /// In a line that counts as one value.
    Line,
    /// In the line of a length; what of it was seen is in `head`.
    Length,
    /// So many bytes before the end of a bulk, line end included.
    Bulk(u64),
}

/// The counter of one connection.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    place: Place,
    /// Values that the reply under way still lacks; 0 between replies.
    missing: u64,
    head: [u8; HEAD_BYTES_MAX],
    head_len: u8,
    /// The line is a whole reply, and an error.
    failing: bool,
    /// It is a message out of band, which answers nothing.
    push: bool,
    error: Vec<u8>,
}

/// What a stretch of bytes held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Replies that ended in it.
    pub(super) replies: u64,
    /// Of these, errors.
    pub(super) errors: u64,
}

/// The stream holds something that is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoReply;

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner {
            place: Place::Start,
            missing: 0,
            head: [0; HEAD_BYTES_MAX],
            head_len: 0,
            failing: false,
            push: false,
            error: Vec::new(),
        }
    }
}

impl Scanner {
    /// Takes all of `bytes`.
    ///
    /// # Errors
    /// [`NoReply`].
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Counted, NoReply> {
        let mut counted = Counted::default();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            match self.place {
                Place::Start => {
                    if self.missing == 0 {
                        self.missing = 1;
                        self.push = first == b'>';
                        self.failing = first == b'-' || first == b'!';
                        if self.failing {
                            self.error.clear();
                        }
                    }
                    self.place = match first {
                        b'+' | b':' | b'-' | b'_' | b'#' | b',' | b'(' => Place::Line,
                        b'$' | b'*' | b'%' | b'~' | b'>' | b'=' | b'!' | b'|' => Place::Length,
                        _ => return Err(NoReply),
                    };
                    self.head[0] = first;
                    self.head_len = 1;
                    rest = &rest[1..];
                }
                Place::Line => {
                    let end = memchr(b'\n', rest);
                    let taken = end.map_or(rest.len(), |end| end + 1);
                    self.keep_error(&rest[..taken]);
                    rest = &rest[taken..];
                    if end.is_some() {
                        self.value_ended(&mut counted);
                    }
                }
                Place::Length => {
                    let end = memchr(b'\n', &rest[..rest.len().min(HEAD_BYTES_MAX)]);
                    let taken = end.map_or(rest.len(), |end| end + 1);
                    let at = usize::from(self.head_len);
                    let head = self.head.get_mut(at..at + taken).ok_or(NoReply)?;
                    head.copy_from_slice(&rest[..taken]);
                    self.head_len += taken as u8;
                    rest = &rest[taken..];
                    if end.is_some() {
                        self.length_ended(&mut counted)?;
                    }
                }
                Place::Bulk(left) => {
                    let taken = left.min(rest.len() as u64);
                    self.keep_error(&rest[..taken as usize]);
                    rest = &rest[taken as usize..];
                    self.place = Place::Bulk(left - taken);
                    if left == taken {
                        self.value_ended(&mut counted);
                    }
                }
            }
        }
        Ok(counted)
    }

    /// The text of the last reply that was an error.
    pub(super) fn error(&self) -> String {
        String::from_utf8_lossy(&self.error).trim_end().to_owned()
    }

    fn keep_error(&mut self, bytes: &[u8]) {
        if self.failing {
            let room = ERROR_BYTES_MAX.saturating_sub(self.error.len());
            self.error
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn value_ended(&mut self, counted: &mut Counted) {
        self.place = Place::Start;
        self.missing -= 1;
        if self.missing == 0 {
            if !self.push {
                counted.replies += 1;
                counted.errors += u64::from(self.failing);
            }
            self.failing = false;
        }
    }

    fn length_ended(&mut self, counted: &mut Counted) -> Result<(), NoReply> {
        let line = &self.head[1..usize::from(self.head_len)];
        let digits = line.strip_suffix(b"\r\n").ok_or(NoReply)?;
        let kind = self.head[0];
        if digits == b"-1" {
            self.value_ended(counted);
            return Ok(());
        }
        let mut length = 0_u64;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return Err(NoReply);
            }
            length = length
                .checked_mul(10)
                .and_then(|n| n.checked_add(u64::from(digit - b'0')))
                .ok_or(NoReply)?;
        }
        let inner = match kind {
            b'*' | b'~' | b'>' => length,
            b'%' => length.checked_mul(2).ok_or(NoReply)?,
            // What attributes describe comes behind them, and is the value.
            b'|' => length
                .checked_mul(2)
                .and_then(|n| n.checked_add(1))
                .ok_or(NoReply)?,
            _ => {
                self.place = Place::Bulk(length.checked_add(2).ok_or(NoReply)?);
                return Ok(());
            }
        };
        self.missing = self.missing.checked_add(inner).ok_or(NoReply)?;
        self.value_ended(counted);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies of every kind, 12 that count, 2 of them errors.
    const STREAM: &[u8] = b"+OK\r\n:1\r\n$3\r\nabc\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:2\r\n-ERR no\r\n>2\r\n+x\r\n+y\r\n\
        *0\r\n%1\r\n+k\r\n*2\r\n:1\r\n:2\r\n|1\r\n+a\r\n+b\r\n:7\r\n!5\r\nERR x\r\n$0\r\n\r\n~1\r\n#t\r\n";

    #[test]
    fn every_split_gives_the_same_count() {
        for step in 1..STREAM.len() {
            let mut scanner = Scanner::default();
            let mut total = Counted::default();
            for chunk in STREAM.chunks(step) {
                let counted = scanner.feed(chunk).expect("they are replies");
                total.replies += counted.replies;
                total.errors += counted.errors;
            }
            assert_eq!((total.replies, total.errors), (12, 2), "in steps of {step}");
            assert_eq!(scanner.error(), "ERR x");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bytes in [
            &b"hello"[..],
            b"$x\r\n",
            b"*99999999999999999999\r\n",
            b"$1\n",
        ] {
            assert_eq!(
                Scanner::default().feed(bytes),
                Err(NoReply),
                "{}",
                bytes.escape_ascii()
            );
        }
    }
}
