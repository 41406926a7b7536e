//! Who has subscribers for what: topics by name, with the number of subscribers that each worker has.
//!
//! Invariant: a topic is here exactly as long as it has subscribers. A message is put into mailboxes under the read lock of its
//! topic's shard, and a topic changes under the write lock, so each message finds each subscriber or does not.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use smallvec::SmallVec;

use super::Kind;

/// Locks that channels are spread over.
const SHARDS: usize = 64;

/// A hash that is its key: of numbers that are spread well, or that count up.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers")
    }
    fn write_u64(&mut self, n: u64) {
        // The map looks at the lowest and the highest bits; small numbers have none of the latter.
        self.0 = n ^ n << 57;
    }
}

/// A map whose keys are numbers.
pub(super) type Numbered<T> = HashMap<u64, T, BuildHasherDefault<Identity>>;

/// Subscribers of one worker.
#[derive(Copy, Clone, Debug)]
pub(super) struct Place {
    pub(super) worker: usize,
    pub(super) subscribers: usize,
}

/// A channel or pattern that has subscribers.
#[derive(Debug)]
pub(super) struct Topic {
    /// Never used twice.
    pub(super) id: u64,
    pub(super) name: Arc<[u8]>,
    /// What each of its messages begins with, in RESP2, up to what differs.
    pub(super) prefix: Box<[u8]>,
    pub(super) places: SmallVec<[Place; 2]>,
}

impl Topic {
    pub(super) fn new(kind: Kind, id: u64, name: &[u8]) -> Topic {
        Topic {
            id,
            name: name.into(),
            prefix: kind.prefix(name).into(),
            places: SmallVec::new(),
        }
    }

    /// Number of subscribers.
    pub(super) fn subscribers(&self) -> usize {
        self.places.iter().map(|place| place.subscribers).sum()
    }

    /// One subscriber more on this worker.
    pub(super) fn add(&mut self, worker: usize) {
        match self.places.iter_mut().find(|place| place.worker == worker) {
            Some(place) => place.subscribers += 1,
            None => self.places.push(Place {
                worker,
                subscribers: 1,
            }),
        }
    }

    /// One subscriber less on this worker.
    pub(super) fn remove(&mut self, worker: usize) {
        let at = self.places.iter().position(|place| place.worker == worker);
        let at = at.expect("a subscriber was added before");
        self.places[at].subscribers -= 1;
        if self.places[at].subscribers == 0 {
            self.places.swap_remove(at);
        }
    }
}

/// Topics of one shard by the hash of their names.
type Topics = Numbered<SmallVec<[Topic; 1]>>;

/// Channels of one kind.
#[derive(Debug)]
pub(super) struct Directory {
    shards: Box<[RwLock<Topics>]>,
    count: AtomicUsize,
}

impl Default for Directory {
    fn default() -> Directory {
        Directory {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            count: AtomicUsize::new(0),
        }
    }
}

impl Directory {
    fn shard(&self, hash: u64) -> &RwLock<Topics> {
        // Bits that neither the map nor anything else looks at.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    /// Number of channels.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Shows the topic of this name and hash to `look`, which others can't change meanwhile.
    #[inline]
    pub(super) fn look<T>(
        &self,
        hash: u64,
        name: &[u8],
        look: impl FnOnce(&Topic) -> T,
    ) -> Option<T> {
        if self.len() == 0 {
            return None;
        }
        let shard = read(self.shard(hash));
        let topic = shard
            .get(&hash)?
            .iter()
            .find(|topic| *topic.name == *name)?;
        Some(look(topic))
    }

    /// Changes the topic of this name and hash, which `make` makes if there is none; it goes if nobody is left.
    pub(super) fn change<T>(
        &self,
        hash: u64,
        name: &[u8],
        make: impl FnOnce() -> Topic,
        change: impl FnOnce(&mut Topic) -> T,
    ) -> T {
        let mut shard = write(self.shard(hash));
        let topics = shard.entry(hash).or_default();
        let at = match topics.iter().position(|topic| *topic.name == *name) {
            Some(at) => at,
            None => {
                topics.push(make());
                self.count.fetch_add(1, Ordering::Relaxed);
                topics.len() - 1
            }
        };
        let changed = change(&mut topics[at]);
        if topics[at].places.is_empty() {
            topics.swap_remove(at);
            self.count.fetch_sub(1, Ordering::Relaxed);
            if topics.is_empty() {
                shard.remove(&hash);
                if shard.capacity() > 4 * shard.len().max(16) {
                    shard.shrink_to_fit();
                }
            }
        }
        changed
    }

    /// Shows every topic to `visit`, a shard at a time.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Topic)) {
        for shard in &self.shards {
            read(shard).values().flatten().for_each(&mut visit);
        }
    }
}

/// A panic aborts the process, so a poisoned lock is never seen in production.
pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_live_as_long_as_somebody_subscribes() {
        let directory = Directory::default();
        // The same hash for two names: they are told apart.
        for (id, name) in [(1, b"a"), (2, b"b")] {
            let make = || Topic::new(Kind::Channel, id, name);
            directory.change(7, name, make, |topic| topic.add(3));
        }
        let make = || unreachable!("it is there");
        directory.change(7, b"a", make, |topic| topic.add(3));
        assert_eq!(directory.len(), 2);
        assert_eq!(
            directory.look(7, b"a", |t| (t.id, t.subscribers())),
            Some((1, 2))
        );
        assert_eq!(directory.look(7, b"c", |t| t.id), None);
        for left in [1, 0] {
            directory.change(7, b"a", || unreachable!(), |topic| topic.remove(3));
            assert_eq!(
                directory.look(7, b"a", Topic::subscribers).unwrap_or(0),
                left
            );
        }
        let mut names = Vec::new();
        directory.for_each(|topic| names.push(topic.name.to_vec()));
        assert_eq!((names, directory.len()), (vec![b"b".to_vec()], 1));
    }
}
