//! Dump files: what they are made of, read and written.
//!
//! A file is `REDIS` and four digits of a version, then opcodes, each followed by its operands; a byte that is no opcode is the type of
//! a value, followed by key and value. The last opcode is followed by a CRC-64 over all before it.

pub mod crc64;
mod cursor;
mod extent;
mod lzf;
mod scanner;
pub mod types;

pub use scanner::{Item, RawKey, Scanner};
