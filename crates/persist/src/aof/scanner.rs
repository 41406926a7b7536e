//! An increment of the log, command by command.
//!
//! Invariant: what was handed out of a batch with a checksum had that checksum; memory grows with bytes that were read, never with a
//! length that was claimed; [`Scanner::whole`] is a place where the file may be cut.

use std::io::{self, Read};
use std::ops::Range;

use super::framer::{CHECKSUM_PREFIX, TIMESTAMP_PREFIX, parse_checksum};
use super::padding::PADDING_BYTE;
use crate::Error;
use crate::rdb::crc64;

/// So much is read at once, and twice what is there while a command or batch is incomplete.
const READ_BYTES: usize = 256 * 1024;
/// Room that is kept when a long command or batch is done with.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// Longest line of a number of arguments or bytes.
const NUMBER_LINE_BYTES_MAX: usize = 128;
/// Numbers of up to so many digits are read at once.
const SHORT_DIGITS_MAX: usize = 9;
/// Longest annotation, as redis-server has it.
const ANNOTATION_BYTES_MAX: usize = 1024;
/// Most arguments of a command.
const ARGS_MAX: u64 = i32::MAX as u64;

/// What comes next in the log.
#[derive(Debug)]
pub enum Item<'a> {
    /// A command.
    Command(Command<'a>),
    /// The time, in seconds since 1970, from which on the following was written.
    Timestamp(u64),
    /// A line that says nothing to us, without its end.
    Annotation(&'a [u8]),
    /// The end, and all is whole.
    Eof,
}

/// A command of the log.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    /// All of it, as it stands there.
    pub bytes: &'a [u8],
    args: &'a [Range<usize>],
}

impl<'a> Command<'a> {
    /// Number of arguments, the name among them; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "no command is empty")]
    pub fn len(self) -> usize {
        self.args.len()
    }

    /// Where the arguments lie in `bytes`.
    pub fn spans(self) -> &'a [Range<usize>] {
        self.args
    }

    /// The argument of an index; the name is that of 0.
    ///
    /// # Panics
    /// Past the end.
    pub fn arg(self, index: usize) -> &'a [u8] {
        &self.bytes[self.args[index].clone()]
    }

    /// All arguments, the name first.
    pub fn args(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.args.iter().map(move |span| &self.bytes[span.clone()])
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Scanner<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Offset in the file of the buffer's begin.
    base: u64,
    /// Where in the buffer the item begins that was handed out last, or is looked at.
    start: usize,
    /// Where the next one begins.
    next: usize,
    is_at_end: bool,
    args: Vec<Range<usize>>,
    /// Where the file is whole, outside of transactions and batches.
    whole: u64,
    /// Whether a transaction is open.
    multi: bool,
    /// Where the batch with a checksum ends that the next byte is in.
    batch_end: Option<u64>,
    /// Lines before the next one.
    lines: u64,
    checks: bool,
    /// There was a batch with a checksum.
    has_batches: bool,
    /// Bytes of padding at the end of the file.
    padding: u64,
}

/// What was found where something was wanted.
enum Look<T> {
    Is(T),
    /// The file ends before.
    Ends,
}

impl<R: Read> Scanner<R> {
    /// Reads from here on; `offset` is where that is in the file.
    pub fn new(reader: R, offset: u64) -> Scanner<R> {
        Scanner {
            reader,
            buffer: Vec::new(),
            base: offset,
            start: 0,
            next: 0,
            is_at_end: false,
            args: Vec::new(),
            whole: offset,
            multi: false,
            batch_end: None,
            lines: 0,
            checks: true,
            has_batches: false,
            padding: 0,
        }
    }

    /// Checksums are passed over from here on.
    #[must_use]
    pub fn without_checksums(mut self) -> Self {
        self.checks = false;
        self
    }

    /// Where the next item begins.
    pub fn offset(&self) -> u64 {
        self.base + self.next as u64
    }

    /// Up to where the file is whole: it could end here. After an error this is where to cut it.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// Number of the line that is looked at, as redis-check-aof counts: from 1, each line of the commands' framing and each argument.
    pub fn line(&self) -> u64 {
        self.lines + 1
    }

    /// Bytes of padding at the end, when that was reached: who goes on with the file writes over them.
    pub fn padding(&self) -> u64 {
        self.padding
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.multi
    }

    /// The next item.
    ///
    /// # Errors
    /// [`Error::Truncated`] where the file ends in the middle of something, be it a command, a transaction or a batch; also where its last
    /// batch is damaged, or where nothing but zeros and padding follow: so it looks after a failure of power. [`Error::Corrupt`] for
    /// anything else that does not hold. There is nothing to be had after an error.
    #[expect(clippy::should_implement_trait, reason = "an item borrows the scanner")]
    pub fn next(&mut self) -> Result<Item<'_>, Error> {
        self.pass();
        if self.batch_end.is_some_and(|end| end <= self.offset()) {
            self.batch_end = None;
        }
        if self.batch_end.is_none() && !self.multi {
            self.whole = self.offset();
        }
        if !self.fill(self.start + 1)? {
            return self.end();
        }
        let first = self.buffer[self.start];
        match first {
            b'#' if self.begins_padding()? => self.pass_padding(),
            b'#' => self.annotation(),
            b'*' => self.command(),
            0 if self.only_filling_follows(self.start)? => Err(Error::Truncated {
                offset: self.whole,
                what: "zeros up to the end of the file",
            }),
            _ => {
                let found = first.escape_ascii();
                let what = format!("expected '*' or '#', found '{found}'");
                Err(self.corrupt(self.start, what))
            }
        }
    }

    /// Goes on to the next item. Makes room where that costs less than was read meanwhile.
    fn pass(&mut self) {
        self.start = self.next;
        let left = self.buffer.len() - self.start;
        if self.start < READ_BYTES.max(left) && left > 0 {
            return;
        }
        if left == 0 && self.buffer.capacity() > KEPT_BYTES_MAX {
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..self.start);
        }
        self.base += self.start as u64;
        (self.start, self.next) = (0, 0);
    }

    /// Reads until the buffer has so many bytes; `false` where the file ends before.
    #[inline]
    fn fill(&mut self, len: usize) -> Result<bool, Error> {
        if self.buffer.len() >= len {
            return Ok(true);
        }
        self.read(len)
    }

    #[inline(never)]
    fn read(&mut self, len: usize) -> Result<bool, Error> {
        while self.buffer.len() < len && !self.is_at_end {
            let before = self.buffer.len();
            let more = READ_BYTES.max(before);
            // Room as for bytes that are there, not for those that are claimed.
            let result = (&mut self.reader)
                .take(more as u64)
                .read_to_end(&mut self.buffer);
            if let Err(source) = result {
                return Err(Error::Io {
                    offset: self.base + self.buffer.len() as u64,
                    source,
                });
            }
            self.is_at_end = self.buffer.len() - before < more;
        }
        Ok(self.buffer.len() >= len)
    }

    fn truncated(&self, what: &'static str) -> Error {
        Error::Truncated {
            offset: self.base + self.buffer.len() as u64,
            what,
        }
    }

    fn corrupt(&self, at: usize, what: String) -> Error {
        Error::Corrupt {
            offset: self.base + at as u64,
            what,
        }
    }

    /// The end of the line that begins at a place, without CR LF.
    fn line_end(&mut self, at: usize, max: usize) -> Result<Look<usize>, Error> {
        let mut searched = at;
        loop {
            let found = self.buffer[searched..].iter().position(|b| *b == b'\n');
            let end = found.map_or(self.buffer.len(), |lf| searched + lf);
            if end - at > max {
                return Err(self.corrupt(at, format!("a line longer than {max} bytes")));
            }
            match found {
                Some(_) if end > at && self.buffer[end - 1] == b'\r' => {
                    return Ok(Look::Is(end - 1));
                }
                Some(_) => return Err(self.corrupt(end, "expected CR LF, found LF alone".into())),
                None => searched = self.buffer.len(),
            }
            if !self.fill(searched + 1)? {
                return Ok(Look::Ends);
            }
        }
    }

    /// The file ends here.
    fn end(&mut self) -> Result<Item<'static>, Error> {
        if self.multi {
            return Err(self.truncated("a transaction"));
        }
        self.whole = self.base + self.buffer.len() as u64;
        Ok(Item::Eof)
    }

    /// Whether what begins with `#` is padding and no annotation: the end of a line, or of the file, follows at once or behind further such
    /// letters.
    fn begins_padding(&mut self) -> Result<bool, Error> {
        self.fill(self.start + ANNOTATION_BYTES_MAX + 1)?;
        let line = &self.buffer[self.start..];
        let run = padding_run(line);
        match line.get(run) {
            Some(b'\n') => Ok(true),
            // A single one may be what is there of any annotation.
            None => Ok(run > 1),
            // Pages that were written over may be lost, so that these letters and the rest of a batch make a line.
            Some(_) if run > 1 && self.has_batches => Err(self.corrupt(
                self.start + run,
                "padding that is no line of its own".into(),
            )),
            Some(_) => Ok(run > ANNOTATION_BYTES_MAX),
        }
    }

    /// Passes over padding, without keeping it.
    fn pass_padding(&mut self) -> Result<Item<'_>, Error> {
        let begin = self.offset();
        while self.fill(self.start + 1)? {
            self.next = self.start + padding_run(&self.buffer[self.start..]);
            match self.buffer.get(self.next) {
                None => self.pass(),
                Some(b'\n') => {
                    self.next += 1;
                    if self.fill(self.next + 1)? {
                        self.lines += 1;
                        return Ok(Item::Annotation(b""));
                    }
                    break;
                }
                Some(_) => {
                    let what = "padding that is no line of its own".into();
                    return Err(self.corrupt(self.next, what));
                }
            }
        }
        self.padding = self.offset() - begin;
        self.end()
    }

    fn annotation(&mut self) -> Result<Item<'_>, Error> {
        let start = self.start;
        let Look::Is(end) = self.line_end(start, ANNOTATION_BYTES_MAX)? else {
            return Err(self.truncated("an annotation"));
        };
        let behind = end + 2;
        let line = &self.buffer[start..end];
        if self.checks && line.starts_with(CHECKSUM_PREFIX) {
            let Some((crc, len)) = parse_checksum(line) else {
                return Err(self.corrupt(start, "a checksum's line that is damaged".into()));
            };
            self.check_batch(behind, crc, len)?;
            self.batch_end = Some(self.base + behind as u64 + len);
        }
        self.next = behind;
        let line = &self.buffer[start..end];
        let timestamp = line.strip_prefix(TIMESTAMP_PREFIX);
        match timestamp.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()) {
            Some(unix_s) => Ok(Item::Timestamp(unix_s)),
            None => Ok(Item::Annotation(line)),
        }
    }

    /// Checks the batch that begins behind a checksum's line; all of it is in the buffer then.
    fn check_batch(&mut self, from: usize, crc: u64, len: u64) -> Result<(), Error> {
        if self.batch_end.is_some() || self.multi {
            return Err(self.corrupt(self.start, "a checksum where a batch is open".into()));
        }
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| from.checked_add(len));
        let Some(end) = end else {
            return Err(self.corrupt(self.start, "a batch longer than memory".into()));
        };
        if !self.fill(end)? {
            // A length that was damaged must not make what follows look like the torn end of a batch.
            if holds_checksum(&self.buffer[from..]) {
                let what = format!("a batch of {len} bytes reaches over the next ones");
                return Err(self.corrupt(self.start, what));
            }
            return Err(self.truncated("a batch"));
        }
        if crc64(&self.buffer[from..end]) == crc {
            self.has_batches = true;
            return Ok(());
        }
        let offset = self.base + from as u64;
        // The last batch lacks some of its middle if the power failed while its pages were written in any order.
        if self.only_filling_follows(end)? {
            return Err(Error::Truncated {
                offset,
                what: "the last batch, whose checksum is wrong",
            });
        }
        let what = format!(
            "the checksum of the {len} bytes from offset {offset} on is wrong: they were damaged, or edited; after an edit on purpose, \
             remove the lines that begin with '#CRC:'"
        );
        Err(self.corrupt(self.start, what))
    }

    /// A number behind a letter, with its line's end.
    #[inline]
    fn number(&mut self, at: usize, letter: u8) -> Result<Look<(u64, usize)>, Error> {
        let line = self.buffer.get(at..).unwrap_or_default();
        if let Some((number, len)) = short_number(line, letter) {
            self.lines += 1;
            return Ok(Look::Is((number, at + len)));
        }
        self.any_number(at, letter)
    }

    /// The same, whatever stands there.
    #[inline(never)]
    fn any_number(&mut self, at: usize, letter: u8) -> Result<Look<(u64, usize)>, Error> {
        if !self.fill(at + 1)? {
            return Ok(Look::Ends);
        }
        let first = self.buffer[at];
        if first != letter {
            let (wanted, found) = (char::from(letter), first.escape_ascii());
            return Err(self.corrupt(at, format!("expected '{wanted}', found '{found}'")));
        }
        let Look::Is(end) = self.line_end(at, NUMBER_LINE_BYTES_MAX)? else {
            return Ok(Look::Ends);
        };
        let digits = &self.buffer[at + 1..end];
        let number = std::str::from_utf8(digits)
            .ok()
            .filter(|_| digits.iter().all(u8::is_ascii_digit));
        match number.and_then(|digits| digits.parse().ok()) {
            Some(number) => {
                self.lines += 1;
                Ok(Look::Is((number, end + 2)))
            }
            None => {
                let found = digits.escape_ascii().to_string();
                Err(self.corrupt(at, format!("expected a number, found '{found}'")))
            }
        }
    }

    fn command(&mut self) -> Result<Item<'_>, Error> {
        let Look::Is(end) = self.parse_command()? else {
            return Err(self.truncated("a command"));
        };
        let behind = self.base + end as u64;
        if self.batch_end.is_some_and(|batch| behind > batch) {
            return Err(self.corrupt(self.start, "a command that reaches over its batch".into()));
        }
        self.note_transaction()?;
        self.next = end;
        Ok(Item::Command(Command {
            offset: self.base + self.start as u64,
            bytes: &self.buffer[self.start..end],
            args: &self.args,
        }))
    }

    /// Finds the arguments of a command; where it ends.
    fn parse_command(&mut self) -> Result<Look<usize>, Error> {
        self.args.clear();
        let begin = self.start;
        let Look::Is((count, mut at)) = self.number(begin, b'*')? else {
            return Ok(Look::Ends);
        };
        if count == 0 || count > ARGS_MAX {
            return Err(self.corrupt(begin, format!("a command of {count} arguments")));
        }
        for _ in 0..count {
            let Look::Is((len, start)) = self.number(at, b'$')? else {
                return Ok(Look::Ends);
            };
            let end = usize::try_from(len)
                .ok()
                .and_then(|len| start.checked_add(len))
                .filter(|end| end.checked_add(2).is_some());
            let Some(end) = end else {
                return Err(self.corrupt(at, format!("an argument of {len} bytes")));
            };
            if !self.fill(end + 2)? {
                return Ok(Look::Ends);
            }
            if self.buffer[end..end + 2] != *b"\r\n" {
                let found = self.buffer[end..end + 2].escape_ascii().to_string();
                return Err(self.corrupt(end, format!("expected CR LF, found '{found}'")));
            }
            self.lines += 1;
            self.args.push(start - begin..end - begin);
            at = end + 2;
        }
        Ok(Look::Is(at))
    }

    fn note_transaction(&mut self) -> Result<(), Error> {
        let span = &self.args[0];
        let name = &self.buffer[self.start + span.start..self.start + span.end];
        if name.eq_ignore_ascii_case(b"multi") {
            if self.multi {
                return Err(self.corrupt(self.start, "MULTI in a transaction".into()));
            }
            self.multi = true;
        } else if name.eq_ignore_ascii_case(b"exec") && !std::mem::take(&mut self.multi) {
            return Err(self.corrupt(self.start, "EXEC without MULTI".into()));
        }
        Ok(())
    }

    /// Whether there is nothing from a place on but zeros and padding. Reads to the end if so; what is left is of no use else: it is an error
    /// either way.
    fn only_filling_follows(&mut self, from: usize) -> Result<bool, Error> {
        let is_filling = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, 0 | b'#' | b'\n'));
        if !is_filling(&self.buffer[from..]) {
            return Ok(false);
        }
        let mut piece = [0; 8192];
        loop {
            match self.reader.read(&mut piece) {
                Ok(0) => return Ok(true),
                Ok(len) if !is_filling(&piece[..len]) => return Ok(false),
                Ok(_) => {}
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Io {
                        offset: self.base,
                        source,
                    });
                }
            }
        }
    }
}

/// The number of a line, and the line's length, if it is of few digits and all there.
#[inline]
fn short_number(line: &[u8], letter: u8) -> Option<(u64, usize)> {
    let digits = line.strip_prefix(&[letter])?;
    let mut number = 0;
    for (at, &byte) in digits.iter().take(SHORT_DIGITS_MAX + 1).enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
            b'\r' if at > 0 && digits.get(at + 1) == Some(&b'\n') => return Some((number, at + 3)),
            _ => return None,
        }
    }
    None
}

/// How many letters of padding a text begins with.
fn padding_run(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| *byte != PADDING_BYTE);
    end.unwrap_or(bytes.len())
}

/// Whether a checksum's line stands between commands.
fn holds_checksum(mut bytes: &[u8]) -> bool {
    fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        Some((&bytes[..end], &bytes[end + 1..]))
    }
    fn number(line: &[u8]) -> Option<usize> {
        let digits = line.get(1..)?.trim_ascii_end();
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
    fn behind_command(bytes: &[u8]) -> Option<&[u8]> {
        let (head, mut rest) = line(bytes)?;
        for _ in 0..number(head)? {
            let (head, text) = line(rest)?;
            rest = text.get(number(head)?.checked_add(2)?..)?;
        }
        Some(rest)
    }
    loop {
        let rest = match bytes.first() {
            Some(b'#') if bytes.starts_with(CHECKSUM_PREFIX) => return true,
            Some(b'#') => line(bytes).map(|(_, rest)| rest),
            Some(b'*') => behind_command(bytes),
            _ => None,
        };
        match rest {
            Some(rest) => bytes = rest,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests;
