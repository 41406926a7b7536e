//! The files of the append-only log.

pub mod files;
