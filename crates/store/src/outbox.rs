//! What a command, transaction or script has to tell subscribers: keyspace events and messages, in the order in which they came up.
//!
//! Invariant: nothing of it leaves before [`crate::Txn::commit`], which hands it to the store's [`Listener`] with the stripes still
//! held, so for every key the order of its events is that of its changes. What is undone is never told: [`Outbox::discard`].

use crate::event::Event;
use crate::store::Store;

/// Room that an outbox keeps for the next transaction.
const KEPT_BYTES_MAX: usize = 16 << 10;

/// One thing to tell.
#[derive(Copy, Clone, Debug)]
pub enum Told<'a> {
    /// Something happened to a key.
    Event {
        /// Database of the key.
        db: u32,
        /// The key.
        key: &'a [u8],
        /// What happened.
        event: Event,
    },
    /// A key has changed, whatever that is called; told while clients track keys.
    Changed {
        /// The key.
        key: &'a [u8],
        /// By the client at work; else it has expired or was evicted.
        by_client: bool,
    },
    /// A database was emptied; told likewise.
    Flushed,
    /// The client at work has read a key, and wants to be told of its next change.
    Read {
        /// The key.
        key: &'a [u8],
    },
    /// A message to a channel.
    Message {
        /// A shard channel.
        shard: bool,
        /// The channel.
        channel: &'a [u8],
        /// The message.
        message: &'a [u8],
    },
}

/// What a [`Listener`] works with.
pub struct Telling<'a> {
    /// The store, for its accounts of memory.
    pub store: &'a Store,
    /// Workers that have something to see from here on: to be woken once no stripe is held.
    pub wakes: &'a mut Vec<usize>,
    /// Number of the client at work; 0 for none.
    pub client: u64,
    /// Bytes that the listener has allocated on this thread for clients, which are not the keyspace's.
    pub client_bytes: i64,
}

impl Telling<'_> {
    /// So many bytes more are on their way to clients.
    pub fn took(&mut self, bytes: usize) {
        if bytes > 0 {
            self.store.usage.in_transit(bytes as i64);
            self.client_bytes += bytes as i64;
        }
    }

    /// This worker has something to see.
    pub fn wake(&mut self, worker: usize) {
        if !self.wakes.contains(&worker) {
            self.wakes.push(worker);
        }
    }
}

/// Who passes on what is told.
pub trait Listener: Send + Sync {
    /// Passes it on. Stripes may be held: no system call, no wait.
    fn told(&self, told: Told<'_>, telling: &mut Telling<'_>);
}

/// How full an outbox was.
#[derive(Copy, Clone, Debug, Default)]
pub struct Mark {
    items: usize,
    bytes: usize,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Outbox {
    items: Vec<Item>,
    bytes: Vec<u8>,
}

#[derive(Copy, Clone, Debug)]
enum Item {
    Event {
        db: u32,
        event: Event,
        key: usize,
    },
    Changed {
        key: usize,
        by_client: bool,
    },
    Flushed,
    Read {
        key: usize,
    },
    Message {
        shard: bool,
        channel: usize,
        message: usize,
    },
}

impl Outbox {
    /// Whether there is nothing to tell.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Something happened to a key.
    pub(crate) fn event(&mut self, db: u32, key: &[u8], event: Event) {
        self.bytes.extend_from_slice(key);
        let key = key.len();
        self.items.push(Item::Event { db, event, key });
    }

    /// A key has changed.
    pub(crate) fn changed(&mut self, key: &[u8], by_client: bool) {
        self.bytes.extend_from_slice(key);
        let key = key.len();
        self.items.push(Item::Changed { key, by_client });
    }

    /// A database was emptied; FLUSHALL tells it once.
    pub(crate) fn flushed(&mut self) {
        if !matches!(self.items.last(), Some(Item::Flushed)) {
            self.items.push(Item::Flushed);
        }
    }

    /// The client at work has read a key: in its place among the changes.
    pub fn read(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key = key.len();
        self.items.push(Item::Read { key });
    }

    /// A message to a channel, a shard channel or an ordinary one.
    pub fn message(&mut self, shard: bool, channel: &[u8], message: &[u8]) {
        self.bytes.extend_from_slice(channel);
        self.bytes.extend_from_slice(message);
        self.items.push(Item::Message {
            shard,
            channel: channel.len(),
            message: message.len(),
        });
    }

    /// What is in it now.
    pub fn mark(&self) -> Mark {
        Mark {
            items: self.items.len(),
            bytes: self.bytes.len(),
        }
    }

    /// Forgets what came since the mark: what it tells of did not happen. `Mark::default` forgets everything.
    pub fn discard(&mut self, since: Mark) {
        self.items.truncate(since.items);
        self.bytes.truncate(since.bytes);
        self.items.shrink_to(KEPT_BYTES_MAX / size_of::<Item>());
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }

    /// Everything in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Told<'_>> {
        let mut rest = &self.bytes[..];
        let mut take = move |len: usize| {
            let (taken, left) = rest.split_at(len);
            rest = left;
            taken
        };
        self.items.iter().map(move |item| match *item {
            Item::Event { db, event, key } => Told::Event {
                db,
                event,
                key: take(key),
            },
            Item::Changed { key, by_client } => Told::Changed {
                key: take(key),
                by_client,
            },
            Item::Flushed => Told::Flushed,
            Item::Read { key } => Told::Read { key: take(key) },
            Item::Message {
                shard,
                channel,
                message,
            } => Told::Message {
                shard,
                channel: take(channel),
                message: take(message),
            },
        })
    }
}
