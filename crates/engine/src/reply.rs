//! Writes replies into a session's output, in the protocol version that it speaks.

use dunlin_resp::{Version, reply};
use dunlin_store::StrRef;
use dunlin_store::chunked::Chunked;
use dunlin_structures::packed::Element;
use dunlin_structures::rope::{Rope, Shared};

use crate::error::ReplyError;

/// A chunked string up to this length is copied: below it, references cost more than bytes.
const COPY_BYTES_MAX: usize = 16 * 1024;

/// A reply being written.
pub struct Reply<'a> {
    rope: &'a mut Rope,
    version: Version,
    errors: u32,
    /// Written on a thread that others should not wait for.
    in_background: bool,
}

impl<'a> Reply<'a> {
    /// Appends to `rope`.
    #[inline]
    pub fn new(rope: &'a mut Rope, version: Version) -> Reply<'a> {
        Reply {
            rope,
            version,
            errors: 0,
            in_background: false,
        }
    }

    /// A writer to the same output, for a command inside a transaction.
    pub fn reborrow(&mut self) -> Reply<'_> {
        Reply {
            rope: self.rope,
            version: self.version,
            errors: 0,
            in_background: self.in_background,
        }
    }

    /// The protocol version written.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Changes the version from here on (HELLO, RESET).
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Bytes of output that wait to be taken, with those of commands before.
    pub fn output_len(&self) -> usize {
        self.rope.len()
    }

    /// Number of errors written through this writer.
    pub fn errors(&self) -> u32 {
        self.errors
    }

    /// Says that whoever writes should let others have the processor now and then: the scheduler by itself would let a long reply use up
    /// its time slice, of milliseconds, while a worker waits for the same core.
    pub(crate) fn write_in_background(&mut self) {
        self.in_background = true;
    }

    #[inline]
    fn tail(&mut self) -> &mut Vec<u8> {
        if self.rope.cut() && self.in_background {
            std::thread::yield_now();
        }
        self.rope.tail()
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.tail().extend_from_slice(b"+OK\r\n");
    }
    /// A simple string.
    pub fn simple(&mut self, text: &str) {
        reply::simple(self.tail(), text);
    }
    /// An error.
    pub fn error(&mut self, error: &ReplyError) {
        self.errors += 1;
        reply::error(self.tail(), error.to_string());
    }
    /// An integer.
    #[inline]
    pub fn integer(&mut self, n: i64) {
        reply::integer(self.tail(), n);
    }
    /// A count.
    #[inline]
    pub fn count(&mut self, n: usize) {
        reply::integer(self.tail(), n as i64);
    }
    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        reply::bulk(self.tail(), bytes);
    }
    /// An element of a collection, as a bulk string.
    #[inline]
    pub fn element(&mut self, element: Element<'_>) {
        element.with_text(|text| self.bulk(text));
    }
    /// Null: `$-1` in RESP2, `_` in RESP3.
    pub fn null(&mut self) {
        let version = self.version;
        reply::null(self.tail(), version);
    }
    /// A null array: `*-1` in RESP2, `_` in RESP3.
    pub fn null_array(&mut self) {
        match self.version {
            Version::Resp2 => self.tail().extend_from_slice(b"*-1\r\n"),
            Version::Resp3 => self.null(),
        }
    }
    /// Head of an array of `n` elements.
    pub fn array(&mut self, n: usize) {
        reply::array(self.tail(), n);
    }
    /// Head of a map of `n` pairs; in RESP2 an array of `2 n`.
    pub fn map(&mut self, n: usize) {
        let version = self.version;
        reply::map(self.tail(), version, n);
    }
    /// Head of a set of `n` elements; in RESP2 an array.
    pub fn set(&mut self, n: usize) {
        let version = self.version;
        reply::set(self.tail(), version, n);
    }
    /// Head of a push of `n` elements; in RESP2 an array.
    pub fn push(&mut self, n: usize) {
        let version = self.version;
        reply::push(self.tail(), version, n);
    }
    /// A double; in RESP2 a bulk string.
    pub fn double(&mut self, x: f64) {
        let version = self.version;
        reply::double(self.tail(), version, x);
    }
    /// A double without exponent, with up to 17 digits behind the point; in RESP2 a bulk string.
    pub fn human_double(&mut self, x: f64) {
        let text = format!("{x:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text == "-0" { "0" } else { text };
        match self.version {
            Version::Resp2 => self.bulk(text.as_bytes()),
            Version::Resp3 => {
                let tail = self.tail();
                tail.push(b',');
                tail.extend_from_slice(text.as_bytes());
                tail.extend_from_slice(b"\r\n");
            }
        }
    }
    /// A text with format `txt`; in RESP2 a bulk string.
    pub fn verbatim(&mut self, text: &[u8]) {
        let version = self.version;
        reply::verbatim(self.tail(), version, "txt", text);
    }
    /// A boolean; in RESP2 the integers 1 and 0.
    pub fn boolean(&mut self, b: bool) {
        let version = self.version;
        reply::boolean(self.tail(), version, b);
    }
    /// Lets `write` append whole encoded replies.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.tail());
    }
    /// Already encoded bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.tail().extend_from_slice(bytes);
    }
    /// Already encoded output, moved without copying.
    pub fn append(&mut self, encoded: &mut Rope) {
        self.rope.append(encoded);
    }

    /// A string value as a bulk string; long chunked ones are referenced, not copied.
    #[inline]
    pub fn string(&mut self, value: StrRef<'_>) {
        match value {
            StrRef::Bytes(b) => self.bulk(b),
            StrRef::Int(n) => self.bulk(itoa::Buffer::new().format(n).as_bytes()),
            StrRef::Chunked(c) => self.chunked(c, 0, c.len()),
        }
    }

    /// Bytes `start..end` of a chunked string as a bulk string.
    pub fn chunked(&mut self, value: &Chunked, start: usize, end: usize) {
        reply::bulk_header(self.tail(), end - start);
        for (chunk, from, to) in value.shared(start, end) {
            if to - from <= COPY_BYTES_MAX {
                self.tail().extend_from_slice(&chunk[from..to]);
            } else {
                self.rope.push_shared(Shared {
                    bytes: chunk.clone(),
                    start: from,
                    end: to,
                });
            }
        }
        self.raw(b"\r\n");
    }
}
