//! A dump file from front to back: what it holds, value by value, without decoding the values.
//!
//! One thread scans, which costs little more than the checksum; others decode what it finds ([`super::decode`]).
//!
//! **Invariant.** The buffer grows only as bytes are really read: by no more than it holds, whatever a length claims. What was handed out has
//! been taken in by the checksum when [`Item::Eof`] comes.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};
use std::ops::Range;

use super::crc64::Crc64;
use super::cursor::{Cursor, Fault, Take, Text};
use super::extent;
use super::lzf;
use super::types::{self, kind, opcode};
use crate::Error;

/// Bytes read at once, and what the buffer goes back to after a large value.
const BUFFER_BYTES: usize = 1 << 20;
/// Bytes of a file's beginning: the magic and the version.
const HEAD_BYTES: usize = 9;
/// How files of Valkey 9 begin instead; three digits of a version follow.
const MAGIC_VALKEY: &[u8; 6] = b"VALKEY";
/// First version with a checksum at the end.
const VERSION_CHECKSUM: u16 = 5;

/// What a file holds.
#[derive(Debug)]
pub enum Item<'a> {
    /// A field of the header.
    Aux {
        /// Its name.
        name: Cow<'a, [u8]>,
        /// Its value.
        value: Cow<'a, [u8]>,
    },
    /// The keys behind belong to this database.
    SelectDb(u32),
    /// How many keys the database has.
    Resize {
        /// All.
        keys: u64,
        /// Those with a deadline.
        expires: u64,
    },
    /// How many keys a slot of the cluster has.
    SlotInfo {
        /// The slot.
        slot: u64,
        /// All.
        keys: u64,
        /// Those with a deadline.
        expires: u64,
    },
    /// A library of functions: its code.
    Function(Cow<'a, [u8]>),
    /// A key with its value.
    Key(RawKey<'a>),
    /// The end. No item follows.
    Eof,
}

/// A key with its value, not decoded.
#[derive(Debug)]
pub struct RawKey<'a> {
    /// Its database.
    pub db: u32,
    /// Its deadline in milliseconds since 1970.
    pub deadline_ms: Option<u64>,
    /// How long it was idle, in seconds.
    pub idle_s: Option<u64>,
    /// The logarithmic counter of its accesses.
    pub frequency: Option<u8>,
    /// Type of the value: one of [`types::kind`].
    pub kind: u8,
    /// The key.
    pub key: Cow<'a, [u8]>,
    /// The value's bytes.
    pub value: &'a [u8],
    /// Where they stand in the file.
    pub offset: u64,
}

/// What precedes a key.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    deadline_ms: Option<u64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

/// A text that was found, which an item borrows.
enum Found {
    Plain(Range<usize>),
    Owned(Vec<u8>),
}

/// What was found in the buffer.
enum Record {
    /// Something that belongs to the next key.
    Prefix(Prefix),
    Aux(Found, Found),
    SelectDb(u32),
    Resize(u64, u64),
    SlotInfo(u64, u64, u64),
    Function(Found),
    Key {
        kind: u8,
        key: Found,
        value: Range<usize>,
    },
    Eof(Option<u64>),
}

/// See the module's text.
#[derive(Debug)]
pub struct Scanner<R> {
    source: R,
    /// Bytes of the file, of which those up to `at` are done and those up to `end` are read.
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Where the buffer begins in the file.
    base: u64,
    version: u16,
    db: u32,
    prefix: Prefix,
    /// The checksum of all before the buffer's `hashed`-th byte; `None` when nobody checks it.
    checksum: Option<Crc64>,
    hashed: usize,
    is_done: bool,
    had_checksum: bool,
}

impl<R: Read> Scanner<R> {
    /// Reads the beginning of a file.
    pub fn open(source: R) -> Result<Self, Error> {
        let mut scanner = Scanner {
            source,
            buffer: Vec::new(),
            at: 0,
            end: 0,
            base: 0,
            version: 0,
            db: 0,
            prefix: Prefix::default(),
            checksum: Some(Crc64::new()),
            hashed: 0,
            is_done: false,
            had_checksum: false,
        };
        scanner.fill(HEAD_BYTES, "the beginning of a dump file")?;
        scanner.version = version(&scanner.buffer[..HEAD_BYTES])?;
        scanner.at = HEAD_BYTES;
        if scanner.version < VERSION_CHECKSUM {
            scanner.checksum = None;
        }
        Ok(scanner)
    }

    /// The file's version.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Where the next item begins.
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Whether a checksum was found at the end and was right.
    pub fn is_verified(&self) -> bool {
        self.had_checksum && self.checksum.is_some()
    }

    /// Does not look at the checksum (`rdbchecksum no`).
    pub fn skip_checksum(&mut self) {
        self.checksum = None;
    }

    /// The next item; [`Item::Eof`] again and again once the end was found.
    #[expect(clippy::should_implement_trait, reason = "an item borrows the scanner")]
    pub fn next(&mut self) -> Result<Item<'_>, Error> {
        let record = loop {
            if self.is_done {
                return Ok(Item::Eof);
            }
            match self.read_record()? {
                Record::Prefix(prefix) => self.prefix = prefix,
                record => break record,
            }
        };
        Ok(match record {
            Record::Aux(name, value) => Item::Aux {
                name: self.text(name),
                value: self.text(value),
            },
            Record::SelectDb(db) => {
                self.db = db;
                Item::SelectDb(db)
            }
            Record::Resize(keys, expires) => Item::Resize { keys, expires },
            Record::SlotInfo(slot, keys, expires) => Item::SlotInfo {
                slot,
                keys,
                expires,
            },
            Record::Function(code) => Item::Function(self.text(code)),
            Record::Key { kind, key, value } => {
                let prefix = std::mem::take(&mut self.prefix);
                Item::Key(RawKey {
                    db: self.db,
                    deadline_ms: prefix.deadline_ms,
                    idle_s: prefix.idle_s,
                    frequency: prefix.frequency,
                    kind,
                    key: self.text(key),
                    offset: self.base + value.start as u64,
                    value: &self.buffer[value],
                })
            }
            Record::Eof(checksum) => {
                self.is_done = true;
                self.verify(checksum)?;
                self.had_checksum = checksum.is_some_and(|stored| stored != 0);
                Item::Eof
            }
            Record::Prefix(_) => unreachable!("taken above"),
        })
    }

    /// What was read of the source and does not belong to the dump, and the source: a log may follow.
    pub fn into_rest(self) -> (Vec<u8>, R) {
        (self.buffer[self.at..self.end].to_vec(), self.source)
    }

    fn text(&self, found: Found) -> Cow<'_, [u8]> {
        match found {
            Found::Plain(place) => Cow::Borrowed(&self.buffer[place]),
            Found::Owned(text) => Cow::Owned(text),
        }
    }

    /// Finds a whole record, and goes behind it.
    fn read_record(&mut self) -> Result<Record, Error> {
        loop {
            let bytes = &self.buffer[self.at..self.end];
            let mut cursor = Cursor::new(bytes);
            let record = record(&mut cursor, self.at, self.version, self.prefix);
            let taken = cursor.at();
            match record {
                Ok(record) => {
                    if matches!(record, Record::Eof(_)) {
                        // The mark itself is part of what the checksum is of.
                        self.hash_up_to(self.at + 1);
                    }
                    self.at += taken;
                    return Ok(record);
                }
                Err(Fault::Short { needs, what }) => self.fill(needs, what)?,
                Err(fault) => return Err(fault.into_error(self.offset(), 0)),
            }
        }
    }

    /// Reads until so many bytes are there behind `at`, as far as they are at most twice as many as were. Within a large value it reads
    /// half as many again as were, if there are, so that looking again and again at where the value ends costs no more than reading it.
    fn fill(&mut self, needs: usize, what: &'static str) -> Result<(), Error> {
        let had = self.end - self.at;
        let needs = needs.min((2 * had).max(BUFFER_BYTES));
        let wanted = if had < BUFFER_BYTES {
            needs
        } else {
            needs.max(had + had / 2)
        };
        self.make_room(wanted);
        while self.end - self.at < wanted {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) if self.end - self.at >= needs => break,
                Ok(0) => {
                    let offset = self.base + self.end as u64;
                    return Err(Error::Truncated { offset, what });
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    let offset = self.base + self.end as u64;
                    return Err(Error::Io { offset, source });
                }
            }
        }
        Ok(())
    }

    /// Moves what is not done to the front of a buffer that has room for so many bytes.
    fn make_room(&mut self, wanted: usize) {
        self.hash_up_to(self.at);
        let left = self.end - self.at;
        self.buffer.copy_within(self.at..self.end, 0);
        self.base += self.at as u64;
        (self.at, self.end, self.hashed) = (0, left, 0);
        let len = wanted.next_multiple_of(BUFFER_BYTES);
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        } else if self.buffer.len() > 2 * len {
            self.buffer.truncate(len);
            self.buffer.shrink_to_fit();
        }
    }

    fn hash_up_to(&mut self, end: usize) {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&self.buffer[self.hashed..end]);
        }
        self.hashed = end;
    }

    fn verify(&self, stored: Option<u64>) -> Result<(), Error> {
        match (&self.checksum, stored) {
            // Zero: whoever wrote it computed none.
            (Some(checksum), Some(stored)) if stored != 0 && checksum.value() != stored => {
                let computed = checksum.value();
                Err(Error::Corrupt {
                    offset: self.offset() - size_of::<u64>() as u64,
                    what: format!(
                        "the checksum {stored:016x}, where that of the bytes before is {computed:016x},"
                    ),
                })
            }
            _ => Ok(()),
        }
    }
}

/// The version that a file's beginning tells.
fn version(head: &[u8]) -> Result<u16, Error> {
    let digits = head
        .strip_prefix(types::MAGIC)
        .or_else(|| head.strip_prefix(MAGIC_VALKEY));
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    let is_number = |digits: &&str| digits.bytes().all(|digit| digit.is_ascii_digit());
    let Some(version) = digits
        .filter(is_number)
        .and_then(|digits| digits.parse().ok())
    else {
        return Err(Error::Corrupt {
            offset: 0,
            what: "this is no dump file: it does not begin with REDIS and a version".into(),
        });
    };
    if types::is_known_version(version) {
        return Ok(version);
    }
    Err(Error::Unsupported {
        offset: types::MAGIC.len() as u64,
        what: format!("a dump file of version {version}"),
    })
}

/// The record at a cursor whose bytes begin at `base` in the buffer.
fn record(cursor: &mut Cursor<'_>, base: usize, version: u16, prefix: Prefix) -> Take<Record> {
    Ok(match cursor.byte("the file: it has no end mark")? {
        opcode::EXPIRE_TIME_MS => Record::Prefix(Prefix {
            deadline_ms: deadline(cursor.u64("a deadline")? as i64),
            ..prefix
        }),
        opcode::EXPIRE_TIME => Record::Prefix(Prefix {
            deadline_ms: deadline(i64::from(cursor.u32("a deadline")? as i32).saturating_mul(1000)),
            ..prefix
        }),
        opcode::IDLE => Record::Prefix(Prefix {
            idle_s: Some(cursor.length("an idle time")?),
            ..prefix
        }),
        opcode::FREQ => Record::Prefix(Prefix {
            frequency: Some(cursor.byte("an access frequency")?),
            ..prefix
        }),
        opcode::AUX => Record::Aux(
            found(cursor, base, "a field of the header")?,
            found(cursor, base, "a field of the header")?,
        ),
        opcode::SELECT_DB => {
            let at = cursor.at();
            let db = cursor.length("the number of a database")?;
            let db = u32::try_from(db);
            Record::SelectDb(db.map_err(|_| Fault::bad(at, "an impossible number of a database"))?)
        }
        opcode::RESIZE_DB => Record::Resize(
            cursor.length("the size of a database")?,
            cursor.length("the size of a database")?,
        ),
        opcode::SLOT_INFO => Record::SlotInfo(
            cursor.length("the size of a slot")?,
            cursor.length("the size of a slot")?,
            cursor.length("the size of a slot")?,
        ),
        opcode::FUNCTION_2 => Record::Function(found(cursor, base, "a library of functions")?),
        opcode::EOF => Record::Eof(if version >= VERSION_CHECKSUM {
            Some(cursor.u64("the checksum at the end")?)
        } else {
            None
        }),
        opcode::MODULE_AUX => {
            let id = cursor.length("the data of a module")?;
            let what = format!("data of the module type '{}'", extent::module_name(id));
            return Err(Fault::Unknown { at: 0, what });
        }
        opcode::FUNCTION_PRE_GA => {
            let what = "a library of functions as release candidates of Redis 7.0 wrote it".into();
            return Err(Fault::Unknown { at: 0, what });
        }
        opcode::SLOT_IMPORT => {
            let what = "a slot that Valkey was just importing".into();
            return Err(Fault::Unknown { at: 0, what });
        }
        stored => {
            let kind = kind_of(stored, version)?;
            let key = found(cursor, base, "a key")?;
            let start = cursor.at();
            extent::skip(kind, cursor)?;
            let value = base + start..base + cursor.at();
            Record::Key { kind, key, value }
        }
    })
}

/// The type that a byte at the beginning means: Valkey counts its own from where its versions branch off.
pub(super) fn kind_of(stored: u8, version: u16) -> Take<u8> {
    match stored {
        kind::HASH_METADATA_PRE_GA if version >= types::VERSION_VALKEY => Ok(kind::HASH_VALKEY),
        kind::HASH_VALKEY => Err(Fault::bad(0, format!("{stored} is no type of a value"))),
        stored => Ok(stored),
    }
}

/// -1 is none, and what lies before 1970 is past anyway.
fn deadline(ms: i64) -> Option<u64> {
    (ms != -1).then(|| u64::try_from(ms).unwrap_or(0))
}

/// A string, copied.
pub(super) fn owned_text(cursor: &mut Cursor<'_>, what: &'static str) -> Take<Vec<u8>> {
    Ok(match cursor.text(what)? {
        Text::Plain(text) => text.to_vec(),
        Text::Int(n) => itoa::Buffer::new().format(n).into(),
        Text::Lzf { packed, len, at } => {
            let mut text = Vec::new();
            lzf::decompress(packed, len, at, &mut text)?;
            text
        }
    })
}

fn found(cursor: &mut Cursor<'_>, base: usize, what: &'static str) -> Take<Found> {
    Ok(match cursor.text(what)? {
        Text::Plain(text) => {
            let end = base + cursor.at();
            Found::Plain(end - text.len()..end)
        }
        Text::Int(n) => Found::Owned(itoa::Buffer::new().format(n).into()),
        Text::Lzf { packed, len, at } => {
            let mut text = Vec::new();
            lzf::decompress(packed, len, at, &mut text)?;
            Found::Owned(text)
        }
    })
}
