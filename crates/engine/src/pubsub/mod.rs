//! Pub/sub across workers: who subscribed to what, and messages on their way.
//!
//! Each worker has a mailbox and a list of its own subscribers. PUBLISH finds its topic under a shard's read lock, puts the encoded
//! message into the mailboxes of the workers that have subscribers, and is done; each worker takes its mail once a turn and delivers it
//! to its own connections. A worker without subscribers of a channel never hears of its messages.
//!
//! Invariants: messages of one publisher to one topic are in each mailbox in their order. A message is in the mailbox of every worker
//! that had subscribers when it was published, and PUBLISH answers with their number. Locks are taken in this order and held for
//! a message's length at most: a shard of the directory (or the patterns), then a mailbox, or a list. Nothing here waits for a worker.
//!
//! Not here: connections. The worker calls [`PubSub::deliver`] and appends the messages to its outputs.

mod directory;
mod mail;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use dunlin_resp::reply;
use dunlin_store::{KeyHasher, Listener, NOTIFY_KEYEVENT, NOTIFY_KEYSPACE, Store, Telling, Told};

use crate::glob;
use crate::session::Session;
use directory::{Directory, Numbered, Topic, read, write};
use mail::{LONG_MESSAGE_BYTES, Mail, Payload};

pub use mail::{Run, take_freed_bytes};
pub use subscriptions::Subscriptions;

/// Who publishes into a mailbox that holds more than this waits until its worker has taken it.
const MAIL_SOFT_BYTES: usize = 4 << 20;

/// What one subscribes to.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A channel.
    Channel,
    /// All channels that match a pattern.
    Pattern,
    /// A shard channel.
    Shard,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

    /// What a message begins with, in RESP2: kind, then the name that was subscribed to.
    fn prefix(self, name: &[u8]) -> Vec<u8> {
        let mut prefix = Vec::new();
        let (items, word) = match self {
            Kind::Channel => (3, "message"),
            Kind::Pattern => (4, "pmessage"),
            Kind::Shard => (3, "smessage"),
        };
        reply::array(&mut prefix, items);
        reply::bulk(&mut prefix, word.as_bytes());
        reply::bulk(&mut prefix, name);
        prefix
    }
}

/// What one worker has of pub/sub, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Desk {
    has_mail: AtomicBool,
    mailbox: Mutex<Mail>,
    /// Mail that was delivered, for its room.
    spare: Mutex<Mail>,
    /// Tokens of its subscribers by topic.
    lists: Mutex<Numbered<BTreeSet<u64>>>,
}

/// See the module's text.
#[derive(Debug)]
pub struct PubSub {
    hasher: KeyHasher,
    channels: Directory,
    shard_channels: Directory,
    patterns: RwLock<BTreeMap<Arc<[u8]>, Topic>>,
    pattern_count: AtomicUsize,
    desks: Box<[Desk]>,
    next_topic: AtomicU64,
    /// Clients that have subscriptions.
    subscribers: AtomicUsize,
    /// Mailboxes that hold more than they should.
    full_mailboxes: AtomicUsize,
}

impl PubSub {
    /// Nobody has subscribed yet, on so many workers.
    pub fn new(workers: usize, hasher: KeyHasher) -> PubSub {
        PubSub {
            hasher,
            channels: Directory::default(),
            shard_channels: Directory::default(),
            patterns: RwLock::default(),
            pattern_count: AtomicUsize::new(0),
            desks: (0..workers).map(|_| Desk::default()).collect(),
            next_topic: AtomicU64::new(1),
            subscribers: AtomicUsize::new(0),
            full_mailboxes: AtomicUsize::new(0),
        }
    }

    /// Channels of a kind that have subscribers, or patterns.
    pub fn len(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel => self.channels.len(),
            Kind::Pattern => self.pattern_count.load(Ordering::Relaxed),
            Kind::Shard => self.shard_channels.len(),
        }
    }

    /// Clients that have subscriptions.
    pub fn subscribers(&self) -> usize {
        self.subscribers.load(Ordering::Relaxed)
    }

    fn directory(&self, shard: bool) -> &Directory {
        if shard {
            &self.shard_channels
        } else {
            &self.channels
        }
    }

    /// Subscribers of a channel, those by patterns not counted.
    pub fn count(&self, shard: bool, channel: &[u8]) -> usize {
        let hash = self.hasher.hash(channel);
        self.directory(shard)
            .look(hash, channel, Topic::subscribers)
            .unwrap_or(0)
    }

    /// Channels of a kind (patterns not) that match a pattern, or all.
    pub fn names(&self, shard: bool, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let mut names = Vec::new();
        self.directory(shard).for_each(|topic| {
            if pattern.is_none_or(|pattern| glob::matches(pattern, &topic.name, false)) {
                names.push(Arc::clone(&topic.name));
            }
        });
        names
    }

    /// Places of the clients that have a subscription that is meant. O(subscriptions).
    pub fn subscribed_to(&self, is_meant: impl Fn(Kind, &[u8]) -> bool) -> BTreeSet<(usize, u64)> {
        let mut topics = Vec::new();
        let mut visit = |kind: Kind, topic: &Topic| {
            if is_meant(kind, &topic.name) {
                topics.push(topic.id);
            }
        };
        self.channels.for_each(|topic| visit(Kind::Channel, topic));
        self.shard_channels
            .for_each(|topic| visit(Kind::Shard, topic));
        read(&self.patterns)
            .values()
            .for_each(|topic| visit(Kind::Pattern, topic));
        let mut places = BTreeSet::new();
        for (worker, desk) in self.desks.iter().enumerate() {
            let lists = lock(&desk.lists);
            let tokens = topics.iter().filter_map(|id| lists.get(id)).flatten();
            places.extend(tokens.map(|&token| (worker, token)));
        }
        places
    }

    /// Who would get a message now.
    pub fn receivers(&self, shard: bool, channel: &[u8]) -> usize {
        let mut receivers = self.count(shard, channel);
        if !shard {
            self.each_pattern(channel, |topic| receivers += topic.subscribers());
        }
        receivers
    }

    /// Shows the patterns that match a channel.
    #[inline]
    fn each_pattern(&self, channel: &[u8], mut each: impl FnMut(&Topic)) {
        if self.len(Kind::Pattern) == 0 {
            return;
        }
        let patterns = read(&self.patterns);
        let matching = patterns
            .values()
            .filter(|topic| glob::matches(&topic.name, channel, false));
        matching.for_each(&mut each);
    }

    /// Publishes a message; who gets it.
    pub fn publish(
        &self,
        shard: bool,
        channel: &[u8],
        message: &[u8],
        telling: &mut Telling<'_>,
    ) -> usize {
        // A long message is copied before anything is locked, so only if somebody gets it.
        if message.len() >= LONG_MESSAGE_BYTES && self.receivers(shard, channel) == 0 {
            return 0;
        }
        let payload = Payload::new(message, telling);
        let hash = self.hasher.hash(channel);
        let by_name = self.directory(shard).look(hash, channel, |topic| {
            self.post(topic, None, &payload, telling);
            topic.subscribers()
        });
        let mut receivers = by_name.unwrap_or(0);
        if !shard {
            self.each_pattern(channel, |topic| {
                self.post(topic, Some(channel), &payload, telling);
                receivers += topic.subscribers();
            });
        }
        receivers
    }

    /// Puts a message into the mailboxes of a topic's workers.
    fn post(
        &self,
        topic: &Topic,
        channel: Option<&[u8]>,
        payload: &Payload<'_>,
        telling: &mut Telling<'_>,
    ) {
        for place in &topic.places {
            let desk = &self.desks[place.worker];
            let mut mailbox = lock(&desk.mailbox);
            let was_full = mailbox.len > MAIL_SOFT_BYTES;
            mailbox.push(topic.id, &topic.prefix, channel, payload, telling);
            desk.has_mail.store(true, Ordering::Relaxed);
            // Even if another has put something there before, who will wake it as well: perhaps later.
            telling.wake(place.worker);
            if mailbox.len > MAIL_SOFT_BYTES && !was_full {
                self.full_mailboxes.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether publishers should wait for workers to take their mail.
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.full_mailboxes.load(Ordering::Relaxed) != 0
    }

    /// Whether a worker has mail. One load.
    #[inline]
    pub fn has_mail(&self, worker: usize) -> bool {
        self.desks[worker].has_mail.load(Ordering::Relaxed)
    }

    /// Takes a worker's mail and shows each run of messages to `each`, for every subscriber that the worker has for it now, by token.
    pub fn deliver(
        &self,
        worker: usize,
        telling: &mut Telling<'_>,
        mut each: impl FnMut(u64, &mut Run<'_, '_>),
    ) {
        let desk = &self.desks[worker];
        let mut mail = lock(&desk.spare);
        {
            let mut mailbox = lock(&desk.mailbox);
            desk.has_mail.store(false, Ordering::Relaxed);
            std::mem::swap(&mut *mailbox, &mut *mail);
        }
        if mail.len > MAIL_SOFT_BYTES {
            self.full_mailboxes.fetch_sub(1, Ordering::Relaxed);
        }
        let lists = lock(&desk.lists);
        mail.deliver(telling, |topic, run| {
            let tokens = lists.get(&topic).into_iter().flatten();
            tokens.for_each(|token| each(*token, run));
        });
    }

    /// Subscribes a session; false if it had. Its worker should have delivered its mail before: what was published earlier is not for
    /// this subscriber.
    pub fn subscribe(&self, session: &mut Session, kind: Kind, name: &[u8]) -> bool {
        let mine = session.subscriptions.get_or_insert_with(|| {
            self.subscribers.fetch_add(1, Ordering::Relaxed);
            Box::default()
        });
        if mine.has(kind, name) {
            return false;
        }
        let place = session.place;
        let name = self.change(kind, name, |topic| {
            topic.add(place.worker);
            let mut lists = lock(&self.desks[place.worker].lists);
            lists.entry(topic.id).or_default().insert(place.token);
            Arc::clone(&topic.name)
        });
        mine.insert(kind, name);
        true
    }

    /// Ends a subscription; false if there was none. Its worker should have delivered its mail before: what was published earlier is
    /// for this subscriber.
    pub fn unsubscribe(&self, session: &mut Session, kind: Kind, name: &[u8]) -> bool {
        let Some(mine) = &mut session.subscriptions else {
            return false;
        };
        if !mine.remove(kind, name) {
            return false;
        }
        if mine.is_empty() {
            session.subscriptions = None;
            self.subscribers.fetch_sub(1, Ordering::Relaxed);
        }
        let place = session.place;
        self.change(kind, name, |topic| {
            topic.remove(place.worker);
            let mut lists = lock(&self.desks[place.worker].lists);
            if let Some(list) = lists.get_mut(&topic.id) {
                list.remove(&place.token);
                if list.is_empty() {
                    lists.remove(&topic.id);
                }
            }
        });
        true
    }

    /// Ends all subscriptions of a session.
    pub fn unsubscribe_all(&self, session: &mut Session) {
        for kind in Kind::ALL {
            let names: Vec<Arc<[u8]>> = session
                .subscriptions
                .iter()
                .flat_map(|mine| mine.names(kind).cloned())
                .collect();
            for name in names {
                self.unsubscribe(session, kind, &name);
            }
        }
    }

    /// Changes the topic of this name, which is made if it has to be, and goes if nobody is left.
    fn change<T>(&self, kind: Kind, name: &[u8], change: impl FnOnce(&mut Topic) -> T) -> T {
        let make = || Topic::new(kind, self.next_topic.fetch_add(1, Ordering::Relaxed), name);
        if kind != Kind::Pattern {
            let hash = self.hasher.hash(name);
            return self
                .directory(kind == Kind::Shard)
                .change(hash, name, make, change);
        }
        let mut patterns = write(&self.patterns);
        if !patterns.contains_key(name) {
            let topic = make();
            patterns.insert(Arc::clone(&topic.name), topic);
        }
        let topic = patterns.get_mut(name).expect("inserted above");
        let changed = change(topic);
        if topic.places.is_empty() {
            patterns.remove(name);
        }
        self.pattern_count.store(patterns.len(), Ordering::Relaxed);
        changed
    }

    /// Publishes a keyspace event: a message to the channel of the key and one to that of the event, as the letters say.
    fn notify(&self, store: &Store, told: (u32, &[u8], &str), telling: &mut Telling<'_>) {
        if self.len(Kind::Channel) == 0 && self.len(Kind::Pattern) == 0 {
            return;
        }
        let (db, key, event) = told;
        let bits = store.notify.bits();
        if bits & NOTIFY_KEYSPACE != 0 {
            let channel = event_channel("keyspace", db, key);
            self.publish(false, &channel, event.as_bytes(), telling);
        }
        if bits & NOTIFY_KEYEVENT != 0 {
            let channel = event_channel("keyevent", db, event.as_bytes());
            self.publish(false, &channel, key, telling);
        }
    }
}

/// `__keyspace@0__:key` and the like.
fn event_channel(kind: &str, db: u32, rest: &[u8]) -> Vec<u8> {
    let mut channel = Vec::with_capacity(32 + rest.len());
    channel.extend_from_slice(b"__");
    channel.extend_from_slice(kind.as_bytes());
    channel.push(b'@');
    channel.extend_from_slice(itoa::Buffer::new().format(db).as_bytes());
    channel.extend_from_slice(b"__:");
    channel.extend_from_slice(rest);
    channel
}

impl Listener for PubSub {
    fn told(&self, told: Told<'_>, telling: &mut Telling<'_>) {
        match told {
            Told::Event { db, key, event } => {
                self.notify(telling.store, (db, key, event.name), telling);
            }
            Told::Message {
                shard,
                channel,
                message,
            } => {
                self.publish(shard, channel, message, telling);
            }
            Told::Changed { .. } | Told::Flushed | Told::Read { .. } => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
