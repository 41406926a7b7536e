//! The base of a log as commands (`aof-use-rdb-preamble no`): those that make each key anew.
//!
//! A collection comes in commands of up to [`ITEMS_MAX`] elements, a long string in pieces, and all of it in batches with checksums, as in an
//! increment. What commands can't say is not kept, as in Redis: when a key was used, and when a consumer was last seen.
//!
//! Invariant: the commands of a key stand one behind the other, and make all of it but what it says above; a sink is asked to take what there
//! is only between commands, so a batch holds whole ones.

mod streams;

use std::io::{self, Write};

use dunlin_store::hash_value::HashRef;
use dunlin_store::list::ListRef;
use dunlin_store::set::SetRef;
use dunlin_store::zset::ZSetRef;
use dunlin_store::{Entry, StrRef, stream};
use dunlin_structures::packed::Element;

use super::framer::{Framer, FramerOptions};
use crate::rdb::{PIECE_BYTES, Sink};

/// Elements of one command.
const ITEMS_MAX: usize = 64;
/// A command with so many bytes takes no further element.
const COMMAND_BYTES_MAX: usize = 64 << 10;
/// Strings up to this come in one command, longer ones piece by piece.
const STRING_BYTES_MAX: usize = 1 << 20;

/// Appends the commands that make a key, of the database that was selected last.
pub fn append_commands(out: &mut Vec<u8>, deadline_ms: Option<u64>, entry: &Entry) {
    write_commands(out, deadline_ms, entry).expect("a vector takes everything");
}

/// Appends that the commands behind are for this database.
pub fn append_select_command(out: &mut Vec<u8>, db: u32) {
    put_head(out, 2);
    put(out, b"SELECT");
    put_number(out, db);
}

fn write_commands<S: Sink>(
    sink: &mut S,
    deadline_ms: Option<u64>,
    entry: &Entry,
) -> io::Result<()> {
    let key = entry.key();
    if let Some(text) = entry.as_string() {
        write_string(sink, key, text)?;
    } else if let Some(hash) = HashRef::of(entry) {
        let head = Head::new(b"HSET", key, 2);
        write_items(
            sink,
            &head,
            hash.len(),
            hash.iter(),
            |out, (field, value)| {
                put_element(out, field);
                put_element(out, value);
            },
        )?;
        write_field_deadlines(sink, entry)?;
    } else if let Some(list) = ListRef::of(entry) {
        let head = Head::new(b"RPUSH", key, 1);
        write_items(sink, &head, list.len(), list.iter(), put_element)?;
    } else if let Some(set) = SetRef::of(entry) {
        let head = Head::new(b"SADD", key, 1);
        write_items(sink, &head, set.len(), set.iter(), put_element)?;
    } else if let Some(zset) = ZSetRef::of(entry) {
        let head = Head::new(b"ZADD", key, 2);
        write_items(
            sink,
            &head,
            zset.len(),
            zset.iter(),
            |out, (member, score)| {
                put_score(out, score);
                put_element(out, member);
            },
        )?;
    } else {
        let stream = stream::of(entry).expect("there is no further type");
        streams::write(sink, key, stream)?;
    }
    if let Some(at_ms) = deadline_ms {
        let out = sink.buffer();
        put_head(out, 3);
        put(out, b"PEXPIREAT");
        put(out, key);
        put_number(out, at_ms);
    }
    relieve(sink)
}

fn write_string<S: Sink>(sink: &mut S, key: &[u8], text: StrRef<'_>) -> io::Result<()> {
    let mut set = |name: &[u8], text: &[u8]| {
        let out = sink.buffer();
        put_head(out, 3);
        put(out, name);
        put(out, key);
        put(out, text);
        relieve(sink)
    };
    match text {
        StrRef::Int(n) => set(b"SET", itoa::Buffer::new().format(n).as_bytes()),
        StrRef::Bytes(text) => set(b"SET", text),
        StrRef::Chunked(chunked) if chunked.len() <= STRING_BYTES_MAX => {
            let out = sink.buffer();
            put_head(out, 3);
            put(out, b"SET");
            put(out, key);
            put_len(out, b'$', chunked.len());
            for chunk in chunked.slices(0, chunked.len()) {
                out.extend_from_slice(chunk);
            }
            out.extend_from_slice(b"\r\n");
            relieve(sink)
        }
        StrRef::Chunked(chunked) => {
            let mut name: &[u8] = b"SET";
            for chunk in chunked.slices(0, chunked.len()) {
                set(name, chunk)?;
                name = b"APPEND";
            }
            Ok(())
        }
    }
}

/// The deadlines of a hash's fields, one by one: they are seldom the same.
fn write_field_deadlines<S: Sink>(sink: &mut S, entry: &Entry) -> io::Result<()> {
    let Some(deadlines) = entry.timed() else {
        return Ok(());
    };
    for (field, _, at_ms) in deadlines.fields() {
        let Some(at_ms) = at_ms else { continue };
        let out = sink.buffer();
        put_head(out, 6);
        put(out, b"HPEXPIREAT");
        put(out, entry.key());
        put_number(out, at_ms);
        put(out, b"FIELDS");
        put(out, b"1");
        put_element(out, field);
        relieve(sink)?;
    }
    Ok(())
}

/// What commands of the same kind begin with.
struct Head<'a> {
    name: &'a [u8],
    key: &'a [u8],
    /// Arguments of each element.
    item_args: usize,
}

impl<'a> Head<'a> {
    fn new(name: &'a [u8], key: &'a [u8], item_args: usize) -> Head<'a> {
        Head {
            name,
            key,
            item_args,
        }
    }

    fn args(&self, items: usize) -> usize {
        2 + items * self.item_args
    }
}

/// Commands that have all items, of which there are `count`.
fn write_items<S: Sink, T>(
    sink: &mut S,
    head: &Head<'_>,
    count: usize,
    items: impl Iterator<Item = T>,
    mut put_item: impl FnMut(&mut Vec<u8>, T),
) -> io::Result<()> {
    let (mut items, mut left) = (items.peekable(), count);
    while items.peek().is_some() {
        let most = left.clamp(1, ITEMS_MAX);
        let out = sink.buffer();
        let start = out.len();
        put_head(out, head.args(most));
        let behind_head = out.len();
        put(out, head.name);
        put(out, head.key);
        let mut taken = 0;
        while taken < most && out.len() - start < COMMAND_BYTES_MAX {
            let Some(item) = items.next() else { break };
            put_item(out, item);
            taken += 1;
        }
        if taken < most {
            let mut right = Vec::new();
            put_head(&mut right, head.args(taken));
            out.splice(start..behind_head, right);
        }
        left = left.saturating_sub(taken);
        relieve(sink)?;
    }
    Ok(())
}

/// Between commands: lets the sink take what is there if that is much.
fn relieve<S: Sink>(sink: &mut S) -> io::Result<()> {
    if sink.buffer().len() >= PIECE_BYTES {
        return sink.piece();
    }
    Ok(())
}

fn put_len(out: &mut Vec<u8>, letter: u8, len: usize) {
    out.push(letter);
    out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The beginning of a command of so many arguments, its name among them.
fn put_head(out: &mut Vec<u8>, args: usize) {
    put_len(out, b'*', args);
}

fn put(out: &mut Vec<u8>, arg: &[u8]) {
    put_len(out, b'$', arg.len());
    out.extend_from_slice(arg);
    out.extend_from_slice(b"\r\n");
}

fn put_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    put(out, itoa::Buffer::new().format(number).as_bytes());
}

fn put_element(out: &mut Vec<u8>, element: Element<'_>) {
    match element {
        Element::Int(n) => put_number(out, n),
        Element::Bytes(text) => put(out, text),
    }
}

fn put_score(out: &mut Vec<u8>, score: f64) {
    if score.is_infinite() {
        put(out, if score > 0.0 { b"inf" } else { b"-inf" });
    } else {
        put(out, zmij::Buffer::new().format_finite(score).as_bytes());
    }
}

/// Batches of commands before a file.
#[derive(Debug)]
struct Batches<W> {
    framer: Framer,
    /// An open batch.
    buffer: Vec<u8>,
    inner: W,
    now_s: u64,
}

impl<W: Write> Sink for Batches<W> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    fn piece(&mut self) -> io::Result<()> {
        self.framer.end(&mut self.buffer);
        let result = self.inner.write_all(&self.buffer);
        self.buffer.clear();
        // One long element must not keep its room for the rest of the file.
        self.buffer.shrink_to(2 * PIECE_BYTES);
        self.framer.begin(&mut self.buffer, self.now_s);
        result
    }
}

/// Writes a base of commands: [`BaseWriter::function`]s, then keys, then [`BaseWriter::finish`].
#[derive(Debug)]
pub struct BaseWriter<W> {
    out: Batches<W>,
}

impl<W: Write> BaseWriter<W> {
    /// Begins a file; it is `now_s` seconds since 1970.
    pub fn new(inner: W, options: FramerOptions, now_s: u64) -> BaseWriter<W> {
        let mut out = Batches {
            framer: Framer::new(options),
            buffer: Vec::with_capacity(2 * PIECE_BYTES),
            inner,
            now_s,
        };
        out.framer.begin(&mut out.buffer, now_s);
        BaseWriter { out }
    }

    /// A library of functions: its code.
    ///
    /// # Errors
    /// If writing fails; so do all methods below.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        let out = self.out.buffer();
        put_head(out, 3);
        put(out, b"FUNCTION");
        put(out, b"LOAD");
        put(out, code);
        relieve(&mut self.out)
    }

    /// Commands as [`append_commands`] and [`append_select_command`] made them.
    ///
    /// # Errors
    /// If writing fails.
    pub fn records(&mut self, commands: &[u8]) -> io::Result<()> {
        self.out.buffer.extend_from_slice(commands);
        relieve(&mut self.out)
    }

    /// A key of the database that was selected last.
    ///
    /// # Errors
    /// If writing fails.
    pub fn key(&mut self, deadline_ms: Option<u64>, entry: &Entry) -> io::Result<()> {
        write_commands(&mut self.out, deadline_ms, entry)
    }

    /// Ends the file: writes what is left. The file is not synced.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.framer.end(&mut self.out.buffer);
        self.out.inner.write_all(&self.out.buffer)?;
        Ok(self.out.inner)
    }
}
