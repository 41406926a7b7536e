//! RDB and AOF as formats: bytes in, values out, and back.
//!
//! - [`rdb`]: dump files of versions 1 to 12 (and 80), the payloads of DUMP, and what both are made of.
//! - [`aof`]: the manifest, the effects' framing and their checksums.
//!
//! Invariant: every byte read is hostile. A length that was read is a claim: nothing is allocated on its word, and what does
//! not hold is an [`Error`] with the offset where it stands.
//!
//! Not here: files, threads, when something is saved. Those are the server's.

#![forbid(unsafe_code)]

pub mod aof;
mod error;
pub mod rdb;

pub use error::Error;
