//! The keyspace: entries, values and their encodings, stripes and their locks, expiry, images, the effect log.
//!
//! Bytes and times come in as arguments: no I/O and no clock here. A command locks the stripes of its keys through
//! [`stripes`], works on them through a [`Txn`], and the effects it recorded are published before the stripes are
//! released.
//!
//! Invariants: what is behind a stripe is touched only by who holds it; every change of a key passes through
//! [`Txn::record`]; memory that the look-ahead of another worker may read is freed only after a grace period.

mod aside;
pub mod big;
pub mod blocked;
pub mod bulk;
pub mod chunked;
mod counter;
pub mod entry;
mod event;
pub mod eviction;
mod figures;
pub mod hash;
pub mod hash_value;
mod image;
pub mod intset;
mod kind;
pub mod list;
mod local;
pub mod log;
pub mod members;
mod outbox;
mod reads;
mod reaper;
pub mod set;
pub mod shard;
mod shards;
pub mod snapshot;
mod stamps;
mod store;
pub mod stream;
pub mod stripes;
mod text;
pub mod timed_hash;
mod txn;
mod undo;
pub mod watch;
pub mod zset;

pub use aside::Aside;
pub use big::{Big, MemberHash};
pub use counter::Counter;
pub use dunlin_structures::dict::Sighting;
pub use entry::{Entry, Image, Kind, NewString, StrRef, ValueType};
pub use event::{EVENT_LETTERS, Event, EventClass, NOTIFY_KEYEVENT, NOTIFY_KEYSPACE, Notify};
pub use figures::DictFigures;
pub use hash::{Key, KeyHasher};
pub use local::{Counters, Local};
pub use outbox::{Listener, Outbox, Telling, Told};
pub use reads::Reads;
pub use reaper::Reaper;
pub use store::{ExpireProgress, Settings, Store, WakeOwner};
pub use timed_hash::{Deadlines, TimedHash};
pub use txn::{Found, Ttl, Txn};
