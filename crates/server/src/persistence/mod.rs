//! Persistence: dump files, the append-only file, and what is read at start.
//!
//! Formats are `dunlin-persist`'s; here are the files, the threads and when something is saved. Everything that touches a file does it
//! through a [`disk::Disk`], so that tests can lose power at any point.

pub mod disk;
pub mod load;
pub mod loading;
pub mod stripe_lock;
