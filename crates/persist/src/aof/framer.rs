//! Effects as increments of the log hold them.
//!
//! Effects of one record that are several stand between MULTI and EXEC; SELECT stands wherever the database is another than before.
//! Batches of records have a checksum: see [`super`].
//!
//! Invariant: what is appended from [`Framer::begin`] to [`Framer::end`] is whole: no transaction is left open, and the checksum is that of
//! these bytes.

use std::io::Write;

use dunlin_store::log::RecordRef;

use crate::rdb::crc64;

/// Who makes batches closes one when it has grown to this: a batch is read as a whole before any of it is applied.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// What a line of a checksum begins with.
pub(super) const CHECKSUM_PREFIX: &[u8] = b"#CRC:";
/// What a line of a timestamp begins with.
pub(super) const TIMESTAMP_PREFIX: &[u8] = b"#TS:";
/// Hexadecimal digits of the checksum and of the number of bytes: fixed, since they are filled in at the end.
const CRC_DIGITS: usize = 16;
const LEN_DIGITS: usize = 10;
/// Bytes of a line of a checksum.
pub(super) const CHECKSUM_LINE_BYTES: usize =
    CHECKSUM_PREFIX.len() + CRC_DIGITS + 1 + LEN_DIGITS + 2;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// What is written beside the effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramerOptions {
    /// A checksum before each batch.
    pub checksums: bool,
    /// The time before a batch, where the second is another than before (`aof-timestamp-enabled`).
    pub timestamps: bool,
}

impl Default for FramerOptions {
    fn default() -> Self {
        FramerOptions {
            checksums: true,
            timestamps: false,
        }
    }
}

/// See the module's text. One for each file: it knows which database the last effect was of.
#[derive(Debug)]
pub struct Framer {
    options: FramerOptions,
    /// None at the beginning of a file.
    db: Option<u32>,
    /// Of the last timestamp.
    unix_s: u64,
    /// Where the batch begins in the buffer, behind its checksum.
    batch: Option<usize>,
    /// Said at the beginning of the batch, if it has a checksum.
    safe: Option<u64>,
}

/// How the line of an offset begins, up to which the file was known to be durable when its batch was written.
const SAFE_PREFIX: &[u8] = b"#SAFE:";

/// The offset in such a line, without its end; `None` if it is another.
pub fn parse_safe(line: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(line.strip_prefix(SAFE_PREFIX)?).ok()?;
    digits.parse().ok()
}

impl Framer {
    /// For a new file, or for one that is gone on with.
    pub fn new(options: FramerOptions) -> Framer {
        Framer {
            options,
            db: None,
            unix_s: 0,
            batch: None,
            safe: None,
        }
    }

    /// Has the next batch say up to which offset the file is known to be durable: where batches are written one after the other before any
    /// of them is flushed, a failure of power may leave a later one without an earlier one. Who finds that knows then that nobody was
    /// told of either.
    pub fn set_safe(&mut self, offset: u64) {
        self.safe = Some(offset);
    }

    /// The options may change between batches.
    pub fn set_options(&mut self, options: FramerOptions) {
        self.options = options;
    }

    /// Begins a batch at the end of a buffer, which nobody else changes until [`Framer::end`].
    ///
    /// # Panics
    /// If one is open.
    pub fn begin(&mut self, out: &mut Vec<u8>, unix_s: u64) {
        assert!(self.batch.is_none(), "a batch is open");
        if self.options.timestamps && unix_s > self.unix_s {
            self.unix_s = unix_s;
            out.extend_from_slice(TIMESTAMP_PREFIX);
            out.extend_from_slice(itoa::Buffer::new().format(unix_s).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if self.options.checksums {
            out.resize(out.len() + CHECKSUM_LINE_BYTES, 0);
        }
        self.batch = Some(out.len());
    }

    /// Appends what a command, transaction or script did.
    pub fn record(&mut self, record: RecordRef<'_>, out: &mut Vec<u8>) {
        self.begin_batch(out);
        let is_transaction = record.len() > 1;
        for (index, (db, effect)) in record.iter().enumerate() {
            self.select(db, out);
            if is_transaction && index == 0 {
                out.extend_from_slice(MULTI);
            }
            out.extend_from_slice(effect);
        }
        if is_transaction {
            out.extend_from_slice(EXEC);
        }
    }

    /// What stands before the first effect of a batch.
    fn begin_batch(&mut self, out: &mut Vec<u8>) {
        if self.batch == Some(out.len())
            && self.options.checksums
            && let Some(offset) = self.safe.take()
        {
            out.extend_from_slice(SAFE_PREFIX);
            out.extend_from_slice(itoa::Buffer::new().format(offset).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Appends a command, encoded as a RESP array, for a database.
    pub fn command(&mut self, db: u32, command: &[u8], out: &mut Vec<u8>) {
        self.begin_batch(out);
        self.select(db, out);
        out.extend_from_slice(command);
    }

    fn select(&mut self, db: u32, out: &mut Vec<u8>) {
        if self.db == Some(db) {
            return;
        }
        self.db = Some(db);
        let mut digits = itoa::Buffer::new();
        let db = digits.format(db);
        write!(out, "*2\r\n$6\r\nSELECT\r\n${}\r\n{db}\r\n", db.len()).expect("a vector grows");
    }

    /// Ends the batch: fills its checksum in. A batch of nothing leaves nothing.
    ///
    /// # Panics
    /// If none is open.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let start = self.batch.take().expect("a batch is open");
        let has_line = self.options.checksums;
        if out.len() == start {
            out.truncate(start - if has_line { CHECKSUM_LINE_BYTES } else { 0 });
            return;
        }
        if has_line {
            let (crc, len) = (crc64(&out[start..]), out.len() - start);
            let mut line = &mut out[start - CHECKSUM_LINE_BYTES..start];
            line.write_all(CHECKSUM_PREFIX)
                .and_then(|()| write!(line, "{crc:0CRC_DIGITS$x}:{len:0LEN_DIGITS$x}\r\n"))
                .expect("the line has room for it");
            assert!(line.is_empty(), "the line is full");
        }
    }

    /// Bytes of the open batch so far.
    pub fn batch_bytes(&self, out: &[u8]) -> usize {
        self.batch.map_or(0, |start| out.len() - start)
    }
}

/// Checksum and number of bytes of a checksum's line; `None` if it is none.
pub(super) fn parse_checksum(line: &[u8]) -> Option<(u64, u64)> {
    let rest = line.strip_prefix(CHECKSUM_PREFIX)?;
    let (crc, len) = rest.split_at_checked(CRC_DIGITS)?;
    let len = len.strip_prefix(b":")?;
    let number = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).ok()?;
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u64::from_str_radix(text, 16).ok())?
    };
    (len.len() == LEN_DIGITS).then_some((number(crc)?, number(len)?))
}

#[cfg(test)]
mod tests {
    use dunlin_store::log::Record;

    use super::*;

    fn record(effects: &[(u32, &str)]) -> Record {
        let mut record = Record::default();
        for (db, line) in effects {
            let args: Vec<_> = line.split(' ').map(dunlin_store::log::Arg::from).collect();
            record.push(*db, &args);
        }
        record
    }

    fn shown(bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", " ");
        let words = text.split(' ').filter(|word| !word.starts_with(['$', '*']));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn transactions_and_databases() {
        let mut framer = Framer::new(FramerOptions {
            checksums: false,
            timestamps: true,
        });
        let mut out = Vec::new();
        framer.begin(&mut out, 1000);
        framer.record(record(&[(0, "SET a 1")]).as_ref(), &mut out);
        framer.record(record(&[(0, "SET b 2"), (3, "DEL c")]).as_ref(), &mut out);
        framer.end(&mut out);
        framer.begin(&mut out, 1000);
        framer.record(record(&[(3, "DEL d")]).as_ref(), &mut out);
        framer.end(&mut out);
        framer.begin(&mut out, 1001);
        framer.record(record(&[(0, "DEL e"), (0, "DEL f")]).as_ref(), &mut out);
        framer.end(&mut out);
        assert_eq!(
            shown(&out),
            "#TS:1000 SELECT 0 SET a 1 MULTI SET b 2 SELECT 3 DEL c EXEC DEL d \
             #TS:1001 SELECT 0 MULTI DEL e DEL f EXEC "
        );
    }

    #[test]
    fn a_batch_has_its_checksum() {
        let mut framer = Framer::new(FramerOptions::default());
        let mut out = b"before".to_vec();
        framer.begin(&mut out, 1);
        framer.end(&mut out);
        assert_eq!(out, b"before", "nothing leaves nothing");
        framer.begin(&mut out, 1);
        framer.record(record(&[(0, "SET a 1")]).as_ref(), &mut out);
        framer.end(&mut out);
        let (line, batch) = out[6..].split_at(CHECKSUM_LINE_BYTES);
        let line = line.strip_suffix(b"\r\n").expect("a line");
        assert_eq!(
            parse_checksum(line),
            Some((crc64(batch), batch.len() as u64))
        );
        assert_eq!(shown(batch), "SELECT 0 SET a 1 ");
        assert_eq!(parse_checksum(&line[..line.len() - 1]), None);
        assert_eq!(parse_checksum(b"#TS:1"), None);
    }
}
