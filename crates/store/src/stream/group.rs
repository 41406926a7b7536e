//! Consumer groups: what was delivered to whom and is not acknowledged yet.
//!
//! **Invariant.** An id is pending with one consumer at most: the group's tree says with which, since when and how often delivered, and the
//! consumer's tree has that id, too. Consumers are numbered; a number names one consumer as long as that lives.

use std::cmp::Ordering;
use std::sync::Arc;

use dunlin_structures::tree::{Probe, SortKey, Tree};

use super::Id;
use crate::big::shed;

/// Number of a consumer in its group.
pub type ConsumerNumber = u32;

/// An entry that was delivered and is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Id of the entry, which may be gone from the stream.
    pub id: Id,
    /// When it was delivered last, milliseconds since 1970.
    pub delivered_ms: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// To whom.
    pub consumer: ConsumerNumber,
}

impl SortKey for Pending {
    const HAS_PAYLOAD: bool = false;
}

/// The place of an id among what is pending.
impl Probe<Pending> for Id {
    #[inline]
    fn by_key(&self, key: Pending) -> Ordering {
        key.id.cmp(self)
    }

    #[inline]
    fn by_payload(&self, _payload: &[u8]) -> Ordering {
        Ordering::Equal
    }
}

/// Who reads for a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried to read or claim, milliseconds since 1970.
    pub seen_ms: u64,
    /// When it last got something, if ever.
    pub active_ms: Option<u64>,
    pending: Tree<Id>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Number of entries that are pending with it.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Ids of entries that are pending with it, from one on, in order.
    pub fn pending_from(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let (first, _) = self.pending.position(&id);
        self.pending
            .range(first..self.pending.len())
            .map(|(id, _)| id)
    }

    fn add(&mut self, id: Id) {
        let (path, found) = self.pending.path(&id);
        if found.is_none_or(|(other, _)| other != id) {
            self.pending.insert_at(path, id, &[]);
        }
    }

    fn remove(&mut self, id: Id) {
        let (path, found) = self.pending.path(&id);
        if found.is_some_and(|(found, _)| found == id) {
            self.pending.remove_at(path);
        }
    }
}

/// See the module's text. Cloning one copies the references to its consumers.
#[derive(Clone, Debug)]
pub struct Group {
    name: Box<[u8]>,
    /// Id of the last entry that was delivered as new.
    pub last_id: Id,
    /// How many entries the stream had been given up to that one, if that is known.
    pub entries_read: Option<i64>,
    pending: Tree<Pending>,
    consumers: Vec<Option<Arc<Consumer>>>,
    /// Numbers of the consumers, in the order of their names.
    order: Vec<ConsumerNumber>,
}

impl Group {
    pub(super) fn new(name: &[u8], last_id: Id, entries_read: Option<i64>) -> Group {
        Group {
            name: name.into(),
            last_id,
            entries_read,
            pending: Tree::new(),
            consumers: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Number of consumers.
    pub fn consumers_len(&self) -> usize {
        self.order.len()
    }

    /// Consumers in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> + '_ {
        self.order.iter().map(|number| self.consumer(*number))
    }

    /// The consumer of a number.
    ///
    /// # Panics
    /// If there is none.
    pub fn consumer(&self, number: ConsumerNumber) -> &Consumer {
        self.consumers[number as usize]
            .as_deref()
            .expect("a consumer that lives")
    }

    /// The same, for changing when it was seen.
    pub fn consumer_mut(&mut self, number: ConsumerNumber) -> &mut Consumer {
        let consumer = self.consumers[number as usize].as_mut();
        Arc::make_mut(consumer.expect("a consumer that lives"))
    }

    fn order_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.order
            .binary_search_by(|number| self.consumer(*number).name().cmp(name))
    }

    /// Number of the consumer of a name. O(log consumers).
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.order_of(name).ok().map(|at| self.order[at])
    }

    /// Adds a consumer; `None` if there is one of this name. O(consumers).
    pub fn add_consumer(&mut self, name: &[u8], now_ms: u64) -> Option<ConsumerNumber> {
        let at = self.order_of(name).err()?;
        let consumer = Some(Arc::new(Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: Tree::new(),
        }));
        let has_free = self.order.len() < self.consumers.len();
        let mut free = None;
        if has_free {
            free = self.consumers.iter().position(Option::is_none);
        }
        let number = free.unwrap_or(self.consumers.len());
        match free {
            Some(free) => self.consumers[free] = consumer,
            None => self.consumers.push(consumer),
        }
        let number = ConsumerNumber::try_from(number).expect("fewer consumers than that");
        self.order.insert(at, number);
        Some(number)
    }

    /// Takes a consumer out, with all that is pending with it: how many entries that were. O(n log n) in them.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let at = self.order_of(name).ok()?;
        let number = self.order.remove(at) as usize;
        let consumer = self.consumers[number].take()?;
        for id in consumer.pending_from(Id::MIN) {
            self.remove_pending(id);
        }
        Some(consumer.pending_len())
    }

    /// Number of pending entries.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// What is pending from an id on, in order.
    pub fn pending_from(&self, id: Id) -> impl Iterator<Item = Pending> + '_ {
        let (first, _) = self.pending.position(&id);
        self.pending
            .range(first..self.pending.len())
            .map(|(pending, _)| pending)
    }

    /// Id of the last pending entry.
    pub fn last_pending(&self) -> Option<Id> {
        let last = self.pending.len().checked_sub(1)?;
        self.pending.get(last).map(|(pending, _)| pending.id)
    }

    /// What is pending of an id. O(log n).
    pub fn pending(&self, id: Id) -> Option<Pending> {
        let (_, found) = self.pending.position(&id);
        found
            .map(|(pending, _)| pending)
            .filter(|pending| pending.id == id)
    }

    /// Makes an entry pending, or changes to whom and how it is. O(log n).
    pub fn assign(&mut self, pending: Pending) {
        let (path, found) = self.pending.path(&pending.id);
        match found {
            Some((before, _)) if before.id == pending.id => {
                self.pending.set_key_at(path, pending);
                if before.consumer != pending.consumer {
                    self.consumer_mut(before.consumer).remove(pending.id);
                    self.consumer_mut(pending.consumer).add(pending.id);
                }
            }
            _ => {
                self.pending.insert_at(path, pending, &[]);
                self.consumer_mut(pending.consumer).add(pending.id);
            }
        }
    }

    /// Forgets that an entry is pending; whether it was. O(log n).
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.remove_pending(id) else {
            return false;
        };
        self.consumer_mut(pending.consumer).remove(id);
        true
    }

    fn remove_pending(&mut self, id: Id) -> Option<Pending> {
        let (path, found) = self.pending.path(&id);
        let (pending, _) = found.filter(|(pending, _)| pending.id == id)?;
        self.pending.remove_at(path);
        Some(pending)
    }

    pub(super) fn leaf_count(&self) -> usize {
        let consumers = self.consumers();
        self.pending.leaf_count()
            + consumers
                .map(|consumer| consumer.pending.leaf_count())
                .sum::<usize>()
    }

    /// Frees up to so many leaves; whether any are left.
    pub(super) fn shed(&mut self, leaves: usize) -> bool {
        if shed(&mut self.pending, leaves) {
            return true;
        }
        while let Some(consumer) = self.consumers.last_mut() {
            if let Some(consumer) = consumer.as_mut().and_then(Arc::get_mut)
                && shed(&mut consumer.pending, leaves)
            {
                return true;
            }
            self.consumers.pop();
        }
        false
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let consumers = self.consumers().map(|consumer| {
            size_of::<Consumer>() + consumer.name.len() + consumer.pending.memory_bytes()
        });
        size_of::<Self>()
            + self.name.len()
            + self.pending.memory_bytes()
            + self.consumers.capacity() * size_of::<Option<Arc<Consumer>>>()
            + self.order.capacity() * size_of::<ConsumerNumber>()
            + consumers.sum::<usize>()
    }

    pub(super) fn assert_consistent(&self) {
        self.pending.assert_consistent();
        let mut with_consumers = 0;
        for consumer in self.consumers() {
            consumer.pending.assert_consistent();
            with_consumers += consumer.pending_len();
        }
        assert_eq!(with_consumers, self.pending.len());
        let all: Vec<Pending> = self.pending_from(Id::MIN).collect();
        assert!(all.is_sorted_by(|a, b| a.id < b.id));
        for pending in all {
            let theirs = self.consumer(pending.consumer).pending_from(pending.id);
            assert_eq!(theirs.take(1).next(), Some(pending.id));
        }
        let names: Vec<&[u8]> = self.consumers().map(Consumer::name).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
    }
}
