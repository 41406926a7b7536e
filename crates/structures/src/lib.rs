//! Data structures without I/O or clock: dict, tree, timing wheel, output rope, bits.

pub mod bits;
pub mod dict;
pub mod epoch;
pub mod geohash;
pub mod heavy_hitters;
pub mod hyperloglog;
pub mod lent;
#[cfg(feature = "lua")]
pub mod lua;
pub mod packed;
pub mod parcel;
pub mod prefetch;
pub mod rope;
pub mod segmented;
pub mod sequence;
pub mod tree;
pub mod wheel;

pub use parcel::Parcel;
pub use rope::{Rope, Shared};
pub use segmented::SegmentedVec;
pub use wheel::{Due, TimerWheel};
