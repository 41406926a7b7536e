//! Dump files: what they are made of, read and written.
//!
//! A file is `REDIS` and four digits of a version, then opcodes, each followed by its operands; a byte that is no opcode is the type of
//! a value, followed by key and value. The last opcode is followed by a CRC-64 over all before it.

mod compress;
mod crc64;
mod cursor;
mod decode;
mod encode;
mod extent;
mod lzf;
mod payload;
mod put;
mod scanner;
mod sink;
pub mod types;
mod writer;

pub use crc64::{Crc64, crc64};
pub use decode::{Rules, decode};
pub use encode::{EncodeOptions, NeedsFieldDeadlines, WriteError, encode, kind_of};
pub use payload::{RestoreError, restore, restore_libraries};
pub use scanner::{Item, RawKey, Scanner};
pub use sink::{PIECE_BYTES, Sink};
pub use writer::{KeyMeta, Writer, append_key, append_select, dump, dump_libraries, write_key};
