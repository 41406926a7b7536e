//! What `dunlin cli` does when it is not sending the user's commands, one file for each mode.

pub(super) mod big_keys;
pub(super) mod eval;
pub(super) mod hot_keys;
pub(super) mod intrinsic;
mod keyspace;
pub(super) mod latency;
pub(super) mod latency_dist;
pub(super) mod pipe;
pub(super) mod rdb;
pub(super) mod scan;
pub(super) mod stat;
