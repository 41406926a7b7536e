//! Client-side caching: which clients have read which keys, and the invalidations on their way to them.
//! <https://redis.io/docs/latest/develop/reference/client-side-caching/>
//!
//! A client that tracks is remembered with each key that it reads, under the key's stripe; the first change of the key takes the
//! memory away and puts an invalidation into the mailbox of the client's worker. In broadcasting mode nothing is remembered: every
//! change of a key with one of the client's prefixes is told.
//!
//! Invariants: reads and changes of a transaction come here in their order, when it commits. A key is remembered while its stripe is held, and a change is told while it is, so a client that got a value gets the
//! invalidation of every later change, behind the reply with that value. Too many invalidations are possible (a table that is full
//! forgets keys and says so), too few are not. Names of keys are all that counts, whatever their database, as in Redis.
//!
//! Not here: connections. The worker calls [`Tracking::deliver`] and writes the messages into its outputs.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dunlin_resp::{Version, reply};
use dunlin_store::{KeyHasher, Listener, Store, Telling, Told, Txn};
use dunlin_structures::Rope;
use smallvec::SmallVec;

use crate::command::Flags;
use crate::context::{Ctx, Flow, Outcome};
use crate::engine::Engine;
use crate::session::{Place, Session};

/// Locks that remembered keys are spread over.
const SHARDS: usize = 64;
/// `tracking-table-max-keys` unless configured.
const KEYS_MAX: usize = 1_000_000;
/// Where subscribers in RESP2 listen for invalidations that are redirected to them.
pub const CHANNEL: &str = "__redis__:invalidate";

/// How a client tracks.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who gets the messages instead: number and place.
    pub redirect: Option<(u64, Place)>,
    /// Every change of keys with these prefixes is told, read before or not.
    pub broadcast: Option<BTreeSet<Box<[u8]>>>,
    /// Only what is read behind CLIENT CACHING YES.
    pub opt_in: bool,
    /// Not what is read behind CLIENT CACHING NO.
    pub opt_out: bool,
    /// Its own changes are not told.
    pub no_loop: bool,
}

/// A client that tracks.
#[derive(Debug)]
pub struct Tracker {
    /// Its number.
    pub id: u64,
    /// Where it is.
    place: Place,
    /// How it tracks.
    pub options: Options,
    /// Who should get its messages is gone.
    broken: AtomicBool,
}

impl Tracker {
    /// Whether who should get its messages was found to be gone.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

/// What CLIENT CACHING said of the next command.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum Caching {
    /// Nothing.
    #[default]
    Unsaid,
    /// YES.
    Yes,
    /// NO.
    No,
}

/// What a session knows of its own tracking.
#[derive(Debug)]
pub struct SessionTracking {
    /// As all others see it.
    pub tracker: Arc<Tracker>,
    /// See [`Caching`].
    pub caching: Caching,
}

/// What a prefix costs beside its bytes.
const PREFIX_BYTES: usize = 64;

impl SessionTracking {
    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        let prefixes = self.tracker.options.broadcast.iter().flatten();
        prefixes.map(|prefix| prefix.len() + PREFIX_BYTES).sum()
    }

    /// Whether keys that are read now are remembered.
    fn remembers(&self) -> bool {
        let options = &self.tracker.options;
        options.broadcast.is_none()
            && (!options.opt_in || self.caching == Caching::Yes)
            && (!options.opt_out || self.caching != Caching::No)
    }
}

/// What a message says.
#[derive(Debug)]
enum Said {
    /// This key is not as it was.
    Key(Box<[u8]>),
    /// A key with this prefix of a client in broadcasting mode is not.
    Prefixed(Box<[u8]>, Box<[u8]>),
    /// No key is.
    All,
    /// Who should get the messages is gone.
    Broken,
}

/// A message on its way.
#[derive(Debug)]
struct Letter {
    /// Who tracks.
    tracker: u64,
    /// Who gets it.
    token: u64,
    /// That is another one.
    redirected: bool,
    said: Said,
}

/// What a client is told.
#[derive(Copy, Clone, Debug)]
pub enum Message<'a> {
    /// These keys are not as they were.
    Keys(&'a [Box<[u8]>]),
    /// No key is.
    All,
    /// The client of this number, which should get the messages, is gone.
    Broken(u64),
}

/// A message for one client.
#[derive(Copy, Clone, Debug)]
pub struct Delivery<'a> {
    /// Who tracks.
    pub tracker: u64,
    /// What its worker knows the receiver by.
    pub token: u64,
    /// Another client's messages are meant for the receiver.
    pub redirected: bool,
    /// What it is told.
    pub message: Message<'a>,
}

impl Delivery<'_> {
    /// Appends it to its receiver's output, in the form of a push, or in RESP2 of a message for who `listens` to [`CHANNEL`]. Nothing
    /// for others: they can't be told.
    pub fn write(&self, out: &mut Rope, version: Version, listens: bool) {
        let resp3 = version == Version::Resp3;
        let told = resp3 || (self.redirected && listens);
        if !told {
            return;
        }
        let out = out.tail();
        match self.message {
            Message::Broken(_) if !resp3 => return,
            Message::Broken(redirect) => {
                reply::push(out, version, 2);
                reply::bulk(out, b"tracking-redir-broken");
                reply::integer(out, redirect as i64);
                return;
            }
            Message::Keys(_) | Message::All if resp3 => {
                reply::push(out, version, 2);
                reply::bulk(out, b"invalidate");
            }
            Message::Keys(_) | Message::All => {
                reply::array(out, 3);
                reply::bulk(out, b"message");
                reply::bulk(out, CHANNEL.as_bytes());
            }
        }
        match self.message {
            Message::Keys(keys) => {
                reply::array(out, keys.len());
                keys.iter().for_each(|key| reply::bulk(out, key));
            }
            Message::All | Message::Broken(_) => reply::null(out, version),
        }
    }
}

/// What one worker has of it, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Desk {
    has_mail: AtomicBool,
    mailbox: Mutex<Vec<Letter>>,
}

/// Numbers of the clients that have read a key.
type Readers = SmallVec<[u64; 2]>;
/// Keys that somebody has read.
type Keys = HashMap<Box<[u8]>, Readers>;

/// See the module's text.
#[derive(Debug)]
pub struct Tracking {
    trackers: RwLock<BTreeMap<u64, Arc<Tracker>>>,
    hasher: KeyHasher,
    keys: Box<[Mutex<Keys>]>,
    prefixes: RwLock<BTreeMap<Box<[u8]>, BTreeSet<u64>>>,
    desks: Box<[Desk]>,
    /// Remembered keys, and readers of all together.
    key_count: AtomicUsize,
    reader_count: AtomicUsize,
    /// `tracking-table-max-keys`; 0 for no limit.
    keys_max: AtomicUsize,
}

impl Tracking {
    /// Nobody tracks yet, on so many workers.
    pub fn new(workers: usize, hasher: KeyHasher) -> Tracking {
        Tracking {
            trackers: RwLock::default(),
            hasher,
            keys: (0..SHARDS).map(|_| Mutex::default()).collect(),
            prefixes: RwLock::default(),
            desks: (0..workers).map(|_| Desk::default()).collect(),
            key_count: AtomicUsize::new(0),
            reader_count: AtomicUsize::new(0),
            keys_max: AtomicUsize::new(KEYS_MAX),
        }
    }

    /// Clients that track.
    pub fn clients(&self) -> usize {
        read(&self.trackers).len()
    }

    /// Remembered keys.
    pub fn keys(&self) -> usize {
        self.key_count.load(Ordering::Relaxed)
    }

    /// Remembered readers of keys, in all.
    pub fn readers(&self) -> usize {
        self.reader_count.load(Ordering::Relaxed)
    }

    /// Prefixes that are broadcast.
    pub fn prefixes(&self) -> usize {
        read(&self.prefixes).len()
    }

    /// How a client tracks, if it does.
    pub fn tracker(&self, id: u64) -> Option<Arc<Tracker>> {
        read(&self.trackers).get(&id).cloned()
    }

    /// Lets a session track, or track in another way. What it has read before stays remembered.
    pub fn start(&self, store: &Store, session: &mut Session, options: Options) {
        let tracker = Arc::new(Tracker {
            id: session.id,
            place: session.place,
            options,
            broken: AtomicBool::new(false),
        });
        if let Some(wanted) = &tracker.options.broadcast {
            let mut prefixes = write(&self.prefixes);
            for prefix in wanted {
                prefixes
                    .entry(prefix.clone())
                    .or_default()
                    .insert(session.id);
            }
        }
        let before = write(&self.trackers).insert(session.id, Arc::clone(&tracker));
        if before.is_none() {
            store.track(true);
        }
        session.tracking = Some(Box::new(SessionTracking {
            tracker,
            caching: Caching::Unsaid,
        }));
    }

    /// Ends a session's tracking. What it has read stays remembered until it changes, as in Redis.
    pub fn stop(&self, store: &Store, session: &mut Session) {
        session.tracking = None;
        self.forget(store, session.id);
    }

    /// The same for a client that is gone.
    pub fn forget(&self, store: &Store, id: u64) {
        if !store.is_tracked() {
            return;
        }
        let mut trackers = write(&self.trackers);
        let Some(tracker) = trackers.remove(&id) else {
            return;
        };
        if trackers.is_empty() {
            // Changes are not told from here on, so what is remembered would grow old. Locked, or it might be of who starts just now.
            self.forget_keys();
        }
        drop(trackers);
        store.track(false);
        if let Some(wanted) = &tracker.options.broadcast {
            let mut prefixes = write(&self.prefixes);
            for prefix in wanted {
                if let Some(clients) = prefixes.get_mut(prefix) {
                    clients.remove(&tracker.id);
                    if clients.is_empty() {
                        prefixes.remove(prefix);
                    }
                }
            }
        }
    }

    fn shard(&self, key: &[u8]) -> &Mutex<Keys> {
        // Bits that choose neither the stripe nor the bucket.
        &self.keys[(self.hasher.hash(key) >> 32) as usize % SHARDS]
    }

    /// Remembers that a client has read a key, whose stripe is held.
    fn remember(&self, id: u64, key: &[u8]) {
        let mut shard = lock(self.shard(key));
        if let Some(readers) = shard.get_mut(key) {
            if readers.contains(&id) {
                return;
            }
            readers.push(id);
        } else {
            shard.insert(key.into(), SmallVec::from_slice(&[id]));
            self.key_count.fetch_add(1, Ordering::Relaxed);
        }
        self.reader_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether more keys are remembered than may be: [`Tracking::trim`] has something to do.
    #[inline]
    pub fn is_full(&self) -> bool {
        let max = self.keys_max.load(Ordering::Relaxed);
        max != 0 && self.keys() > max
    }

    /// Remembers at most so many keys from now on; 0 for no limit.
    pub fn set_keys_max(&self, max: usize) {
        self.keys_max.store(max, Ordering::Relaxed);
    }

    /// Forgets at most so many keys of those that are too many, and tells who has read them.
    pub fn trim(&self, at_most: usize, telling: &mut Telling<'_>) {
        let mut left = at_most;
        for shard in &self.keys {
            while left > 0 && self.is_full() {
                // Whichever comes first: the map's order is as random as its hash.
                let mut shard = lock(shard);
                let Some(key) = shard.keys().next().cloned() else {
                    break;
                };
                if let Entry::Occupied(entry) = shard.entry(key) {
                    let (key, readers) = entry.remove_entry();
                    drop(shard);
                    self.tell_readers(&key, readers, 0, telling);
                }
                left -= 1;
            }
        }
    }

    /// Tells the readers of a key that it has changed; `by` is the client who did it, or 0.
    fn tell_readers(&self, key: &[u8], readers: Readers, by: u64, telling: &mut Telling<'_>) {
        self.key_count.fetch_sub(1, Ordering::Relaxed);
        self.reader_count
            .fetch_sub(readers.len(), Ordering::Relaxed);
        let trackers = read(&self.trackers);
        for id in readers {
            // Who is gone, or tracks in another way by now, is not told.
            let tracker = trackers.get(&id);
            if let Some(tracker) = tracker.filter(|t| t.options.broadcast.is_none())
                && !(tracker.options.no_loop && id == by)
            {
                self.post(tracker, Said::Key(key.into()), telling);
            }
        }
    }

    fn changed(&self, key: &[u8], by: u64, telling: &mut Telling<'_>) {
        if self.keys() > 0 {
            let found = lock(self.shard(key)).remove_entry(key);
            if let Some((key, readers)) = found {
                self.tell_readers(&key, readers, by, telling);
            }
        }
        let prefixes = read(&self.prefixes);
        if prefixes.is_empty() {
            return;
        }
        let trackers = read(&self.trackers);
        for (prefix, clients) in prefixes.iter() {
            if !key.starts_with(prefix) {
                continue;
            }
            for id in clients {
                let tracker = trackers.get(id);
                if let Some(tracker) = tracker.filter(|t| !(t.options.no_loop && *id == by)) {
                    let said = Said::Prefixed(prefix.clone(), key.into());
                    self.post(tracker, said, telling);
                }
            }
        }
    }

    fn forget_keys(&self) {
        for shard in &self.keys {
            // Freed outside of the lock.
            let gone = std::mem::take(&mut *lock(shard));
            self.key_count.fetch_sub(gone.len(), Ordering::Relaxed);
            let readers = gone.values().map(SmallVec::len).sum();
            self.reader_count.fetch_sub(readers, Ordering::Relaxed);
        }
    }

    fn flushed(&self, telling: &mut Telling<'_>) {
        self.forget_keys();
        for tracker in read(&self.trackers).values() {
            self.post(tracker, Said::All, telling);
        }
    }

    fn post(&self, tracker: &Tracker, said: Said, telling: &mut Telling<'_>) {
        let (place, redirected) = match &tracker.options.redirect {
            Some((_, place)) => (*place, true),
            None => (tracker.place, false),
        };
        let letter = Letter {
            tracker: tracker.id,
            token: place.token,
            redirected,
            said,
        };
        self.put(place.worker, letter);
        telling.wake(place.worker);
    }

    fn put(&self, worker: usize, letter: Letter) {
        let desk = &self.desks[worker];
        lock(&desk.mailbox).push(letter);
        desk.has_mail.store(true, Ordering::Release);
    }

    /// The receiver of a redirected message is gone: who tracks will be told, and its worker, which is returned, has to be woken.
    pub fn note_broken(&self, tracker: u64) -> Option<usize> {
        let tracker = self.tracker(tracker)?;
        tracker.broken.store(true, Ordering::Relaxed);
        let letter = Letter {
            tracker: tracker.id,
            token: tracker.place.token,
            redirected: false,
            said: Said::Broken,
        };
        self.put(tracker.place.worker, letter);
        Some(tracker.place.worker)
    }

    /// Whether a worker has mail. One load.
    #[inline]
    pub fn has_mail(&self, worker: usize) -> bool {
        self.desks[worker].has_mail.load(Ordering::Relaxed)
    }

    /// Takes a worker's mail and shows it to `each`. Keys that are broadcast are gathered: one message for each client and prefix.
    pub fn deliver(&self, worker: usize, mut each: impl FnMut(Delivery<'_>)) {
        let desk = &self.desks[worker];
        let letters = {
            let mut mailbox = lock(&desk.mailbox);
            desk.has_mail.store(false, Ordering::Relaxed);
            std::mem::take(&mut *mailbox)
        };
        type Gathered = (u64, bool, BTreeSet<Box<[u8]>>);
        let mut gathered: BTreeMap<(u64, Box<[u8]>), Gathered> = BTreeMap::new();
        for letter in letters {
            let Letter {
                tracker,
                token,
                redirected,
                said,
            } = letter;
            let mut deliver = |message: Message<'_>| {
                each(Delivery {
                    tracker,
                    token,
                    redirected,
                    message,
                });
            };
            match said {
                Said::Key(key) => deliver(Message::Keys(&[key])),
                Said::All => deliver(Message::All),
                Said::Broken => {
                    let redirect = self.tracker(tracker).and_then(|t| t.options.redirect);
                    if let Some((id, _)) = redirect {
                        deliver(Message::Broken(id));
                    }
                }
                Said::Prefixed(prefix, key) => {
                    let (_, _, keys) = gathered
                        .entry((tracker, prefix))
                        .or_insert_with(|| (token, redirected, BTreeSet::new()));
                    keys.insert(key);
                }
            }
        }
        for ((tracker, _), (token, redirected, keys)) in gathered {
            let keys: Vec<Box<[u8]>> = keys.into_iter().collect();
            each(Delivery {
                tracker,
                token,
                redirected,
                message: Message::Keys(&keys),
            });
        }
    }
}

/// So many keys are forgotten at most, while there are too many, for each command that adds some.
const TRIMMED_KEYS: usize = 100;

impl Engine {
    /// Forgets the keys that are too many since fewer may be remembered.
    pub fn trim_tracked(&self, keys: &mut Txn<'_>) {
        if self.tracking.is_full() {
            let trim = |telling: &mut Telling<'_>| self.tracking.trim(usize::MAX, telling);
            keys.local().tell_now(&self.store, trim);
        }
    }
}

/// What dispatch does for a session that tracks.
impl Ctx<'_> {
    /// Its own changes are known as its own.
    #[cold]
    pub(crate) fn begin_tracked(&mut self) {
        if self.session.tracking.is_some() {
            self.keys.local().client = self.session.id;
        }
    }

    /// Remembers what it has read. A read that would go on without its stripes keeps them: its reply has to come before the
    /// invalidation of the next change.
    #[cold]
    pub(crate) fn end_tracked(&mut self, outcome: &mut Outcome) {
        if self.session.tracking.is_none() {
            return;
        }
        match outcome {
            Ok(Flow::Heavy | Flow::Again | Flow::Block(_)) => return,
            Ok(Flow::HeavyRead) => {
                *outcome = Ok(Flow::Heavy);
                return;
            }
            Ok(Flow::Done | Flow::Continue(_) | Flow::Away(_)) | Err(_) => self.remember_reads(),
        }
        // What CLIENT CACHING says holds for the next command, or for the transaction that that begins.
        let stays = self.session.in_transaction() || self.command.full_name.starts_with("client|");
        if let Some(tracking) = &mut self.session.tracking
            && !stays
        {
            tracking.caching = Caching::Unsaid;
        }
    }

    /// Remembers that the session has read the command's keys, if it has and wants that.
    #[cold]
    pub(crate) fn remember_reads(&mut self) {
        // Scripts are no reads themselves.
        if self.command.flags.has(Flags::READONLY) && self.command.group != "scripting" {
            self.remember_keys();
        }
    }

    /// The same, whatever the command is: a script that has read something.
    #[cold]
    pub(crate) fn remember_keys(&mut self) {
        if !self
            .session
            .tracking
            .as_ref()
            .is_some_and(|tracking| tracking.remembers())
        {
            return;
        }
        for spec in self.command.keys.iter().filter(|spec| spec.is_of_keys()) {
            let (args, outbox) = (self.args, &mut self.keys.local().outbox);
            spec.for_each(args, |i| outbox.read(args.at(i)));
        }
    }
}

impl Listener for Tracking {
    fn told(&self, told: Told<'_>, telling: &mut Telling<'_>) {
        match told {
            Told::Changed { key, by_client } => {
                let by = if by_client { telling.client } else { 0 };
                self.changed(key, by, telling);
            }
            Told::Flushed => self.flushed(telling),
            Told::Read { key } => {
                self.remember(telling.client, key);
                if self.is_full() {
                    self.trim(TRIMMED_KEYS, telling);
                }
            }
            Told::Event { .. } | Told::Message { .. } => {}
        }
    }
}

/// A panic aborts the process, so a poisoned lock is never seen in production.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
