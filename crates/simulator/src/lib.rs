//! Development only: worlds in which what is rare happens often, and the same seed makes it happen again.
//!
//! - [`disk`]: files in memory behind the server's `Disk`, which lose power, tear writes and fail calls.
//! - [`sweep`]: runs a piece of work once for every call that it makes of the disk, with the power cut there.
//!
//! Invariant: nothing here reads a clock or the system's randomness; a run is a function of its seed.

#![forbid(unsafe_code)]

pub mod disk;
mod random;
pub mod sweep;

pub use disk::{Failure, SimDisk};
pub use random::Random;
