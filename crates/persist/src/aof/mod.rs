//! The append-only file: its manifest, and the framing of effects.
mod framer;

pub use framer::Framer;
