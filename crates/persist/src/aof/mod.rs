//! The append-only file: its manifest, and the framing of effects.
//!
//! The log is a directory of files that a [`Manifest`] names: a base, which is a dump file or commands, and increments, which are commands as
//! a client would send them. [`Framer`] makes increments of effects, [`BaseWriter`] a base of keys, [`Scanner`] takes them apart.
//!
//! # Checksums
//!
//! Commands are written in batches, and before each stands a line `#CRC:<checksum>:<bytes>`: the CRC-64 of that many bytes behind the
//! line. redis-server 7 and its redis-check-aof pass over lines that begin with `#`, so they load such files; theirs have no such lines,
//! and what no line covers is taken as it is. The line comes first, so that nothing of a batch is applied before all of it is known to be
//! whole, and a batch that was being written when the power failed is told from a damaged one: it is the last.
//!
//! Where several batches may be written before any is flushed (`appendfsync` everysec or no), each begins with a line `#SAFE:<offset>`: up to
//! there the file was durable when it was written. A failure of power may leave a later batch without an earlier one; such a batch says
//! itself that the gap before it is one, and no damage.
//!
//! # Padding
//!
//! Where each batch is flushed before the next is written (`appendfsync always`), the file is filled ahead with a long line of `#`, and batches
//! are written over it: a flush that changes no length costs a file system no transaction of its own. redis-server and redis-check-aof pass
//! over such a line, too. A file that is closed has none; one that a killed process leaves has some, and loses it when it is gone on with.

mod base;
mod framer;
mod manifest;
mod padding;
mod scanner;

pub use base::{BaseWriter, append_commands, append_select_command};
pub use framer::{BATCH_BYTES_MAX, Framer, FramerOptions, parse_safe};
pub use manifest::{FileKind, LogFile, Manifest, ManifestError};
pub use padding::{PADDING_BYTES_MIN, padding};
pub use scanner::{Command, Item, Scanner};
