//! Whole dump files, and the records of keys that they are made of.
//!
//! Records can be made anywhere, by [`append_key`] into buffers, and handed to the [`Writer`] of the file later; it alone counts and
//! sums up the bytes.

use std::io::{self, Write};

use dunlin_store::Entry;

use super::crc64::Crc64;
use super::encode::{EncodeOptions, WriteError, checked_kind, encode_as};
use super::put::{put_int, put_length, put_plain, put_string};
use super::sink::{PIECE_BYTES, Sink, relieve};
use super::types::{MAGIC, opcode};

/// What stands before a key beside its type. What an [`Entry`] itself says of its deadline is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyMeta {
    /// Deadline in milliseconds since 1970.
    pub deadline_ms: Option<u64>,
    /// Seconds since it was used last, where `maxmemory-policy` goes by that.
    pub idle_s: Option<u64>,
    /// How often it is used, where `maxmemory-policy` goes by that.
    pub frequency: Option<u8>,
}

impl KeyMeta {
    /// With a deadline, and nothing else.
    pub fn with_deadline(deadline_ms: Option<u64>) -> KeyMeta {
        KeyMeta {
            deadline_ms,
            ..KeyMeta::default()
        }
    }
}

/// Writes the record of a key: what is to be known of it, type, key and value.
///
/// # Errors
/// If the sink fails, or the version does not have what the value needs: nothing is written then.
pub fn write_key<S: Sink>(
    sink: &mut S,
    meta: &KeyMeta,
    entry: &Entry,
    options: &EncodeOptions,
) -> Result<(), WriteError> {
    let kind = checked_kind(entry, options)?;
    let out = sink.buffer();
    if let Some(at) = meta.deadline_ms {
        out.push(opcode::EXPIRE_TIME_MS);
        out.extend_from_slice(&at.to_le_bytes());
    }
    if let Some(idle_s) = meta.idle_s {
        out.push(opcode::IDLE);
        put_length(out, idle_s);
    }
    if let Some(frequency) = meta.frequency {
        out.extend_from_slice(&[opcode::FREQ, frequency]);
    }
    out.push(kind);
    put_string(out, entry.key(), options.compress);
    encode_as(kind, entry, sink, options)?;
    relieve(sink)?;
    Ok(())
}

/// Appends that the records that follow are of this database.
pub fn append_select(out: &mut Vec<u8>, db: u32) {
    out.push(opcode::SELECT_DB);
    put_length(out, db.into());
}

/// Appends the record of a key to a buffer: see [`write_key`]. O(bytes), without allocations beyond the buffer's for what is small.
///
/// # Errors
/// If the version does not have what the value needs: nothing is appended then.
pub fn append_key(
    out: &mut Vec<u8>,
    meta: &KeyMeta,
    entry: &Entry,
    options: &EncodeOptions,
) -> Result<(), WriteError> {
    write_key(out, meta, entry, options)
}

/// The value of an entry as DUMP gives it: type, value, version, checksum.
///
/// # Errors
/// If the version does not have what the value needs.
pub fn dump(entry: &Entry, options: &EncodeOptions) -> Result<Vec<u8>, WriteError> {
    let kind = checked_kind(entry, options)?;
    let mut out = vec![kind];
    encode_as(kind, entry, &mut out, options)?;
    out.extend_from_slice(&options.version.to_le_bytes());
    let crc = super::crc64::crc64(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    Ok(out)
}

/// Libraries of functions as FUNCTION DUMP gives them: those that a dump file has, version, checksum.
pub fn dump_libraries<'l>(
    codes: impl Iterator<Item = &'l [u8]>,
    options: &EncodeOptions,
) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(opcode::FUNCTION_2);
        put_string(&mut out, code, options.compress);
    }
    out.extend_from_slice(&options.version.to_le_bytes());
    let crc = super::crc64::crc64(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// A buffer before a file, which sums up what passes.
#[derive(Debug)]
struct Output<W> {
    buffer: Vec<u8>,
    inner: W,
    /// `None` where no checksum is wanted (`rdbchecksum no`).
    crc: Option<Crc64>,
    written: u64,
}

impl<W: Write> Output<W> {
    fn write_through(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        self.inner.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

impl<W: Write> Sink for Output<W> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    fn piece(&mut self) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.write_through(&buffer);
        buffer.clear();
        // One long element must not keep its room for the rest of the file.
        buffer.shrink_to(2 * PIECE_BYTES);
        self.buffer = buffer;
        result
    }
}

/// Writes a dump file: header, then [`Writer::aux`] fields and functions, then for each database [`Writer::select`] and its keys, then
/// [`Writer::finish`].
#[derive(Debug)]
pub struct Writer<W> {
    out: Output<W>,
    options: EncodeOptions,
}

impl<W: Write> Writer<W> {
    /// Begins a file. `checksum` is `rdbchecksum`.
    pub fn new(inner: W, options: EncodeOptions, checksum: bool) -> Writer<W> {
        let mut buffer = Vec::with_capacity(2 * PIECE_BYTES);
        buffer.extend_from_slice(MAGIC);
        buffer.extend_from_slice(format!("{:04}", options.version).as_bytes());
        Writer {
            out: Output {
                buffer,
                inner,
                crc: checksum.then(Crc64::new),
                written: 0,
            },
            options,
        }
    }

    /// How values are written.
    pub fn options(&self) -> &EncodeOptions {
        &self.options
    }

    /// Bytes of the file so far, written or still in the buffer.
    pub fn bytes(&self) -> u64 {
        self.out.written + self.out.buffer.len() as u64
    }

    /// A field of the header: text.
    ///
    /// # Errors
    /// If writing fails; so do all methods below.
    pub fn aux(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        let out = &mut self.out.buffer;
        out.push(opcode::AUX);
        put_plain(out, name.as_bytes());
        put_string(out, value, false);
        relieve(&mut self.out)
    }

    /// A field of the header: an integer.
    ///
    /// # Errors
    /// If writing fails.
    pub fn aux_int(&mut self, name: &str, value: i64) -> io::Result<()> {
        let out = &mut self.out.buffer;
        out.push(opcode::AUX);
        put_plain(out, name.as_bytes());
        put_int(out, value);
        relieve(&mut self.out)
    }

    /// A library of functions: its code.
    ///
    /// # Errors
    /// If writing fails.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        let compress = self.options.compress;
        let out = &mut self.out.buffer;
        out.push(opcode::FUNCTION_2);
        put_string(out, code, compress);
        relieve(&mut self.out)
    }

    /// Keys from here on are of this database, which has so many, and so many with deadlines: readers make room by these numbers.
    ///
    /// # Errors
    /// If writing fails.
    pub fn select(&mut self, db: u32, keys: u64, expires: u64) -> io::Result<()> {
        let out = &mut self.out.buffer;
        append_select(out, db);
        out.push(opcode::RESIZE_DB);
        put_length(out, keys);
        put_length(out, expires);
        relieve(&mut self.out)
    }

    /// A key of the database.
    ///
    /// # Errors
    /// If writing fails, or the version does not have what the value needs.
    pub fn key(&mut self, meta: &KeyMeta, entry: &Entry) -> Result<(), WriteError> {
        write_key(&mut self.out, meta, entry, &self.options)
    }

    /// Keys of the database, as [`append_key`] or pieces of [`write_key`] made them with the same options.
    ///
    /// # Errors
    /// If writing fails.
    pub fn records(&mut self, records: &[u8]) -> io::Result<()> {
        if records.len() < PIECE_BYTES {
            self.out.buffer.extend_from_slice(records);
            return relieve(&mut self.out);
        }
        self.out.piece()?;
        self.out.write_through(records)
    }

    /// Ends the file: writes what is left, and the checksum. The file is not synced.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.buffer.push(opcode::EOF);
        self.out.piece()?;
        let crc = self.out.crc.take().map_or(0, |crc| crc.value());
        self.out.inner.write_all(&crc.to_le_bytes())?;
        Ok(self.out.inner)
    }
}
