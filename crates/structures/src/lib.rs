//! Data structures without I/O or clock: dict, timing wheel, output rope.

pub mod dict;
pub mod epoch;
pub mod packed;
pub mod prefetch;
pub mod rope;
pub mod sequence;
pub mod tree;
pub mod wheel;

pub use rope::{Rope, Shared};
pub use wheel::{Due, TimerWheel};
