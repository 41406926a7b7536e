//! Sessions that wait until a key has something for them: BLPOP and its kind.
//!
//! A stripe keeps, under its own lock, the tickets of those who wait for its keys, oldest first. Who has changed such a key calls, with its
//! stripes still held, the oldest ticket that the key may serve now: that session's waiter goes to the head of the stripe's queue, so the
//! stripe is handed to it and nobody comes between. It runs its command again; done or not, it then calls the ticket after it.
//!
//! Invariants: a ticket is called by one party at a time, and only its own session makes it wait again or ends it; so a session that waits
//! for several keys is served once. A [`Turn`] lives as long as somebody is still to be served because of one command.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::entry::ValueType;
use crate::hash::Key;
use crate::local::Local;
use crate::store::Store;
use crate::stripes::Waiter;
use crate::txn::Txn;

const WAITING: u8 = 0;
/// Some thread has called it; its session will run.
const CALLED: u8 = 1;
/// Served, timed out, or its session is gone.
const OVER: u8 = 2;

/// What a session waits for.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// The type that a key must have to serve it.
    pub kind: ValueType,
    /// It is called, too, when the key is gone or has become something else (XREADGROUP).
    pub or_loss: bool,
}

/// Database, key, hash.
type WaitedKey = (u32, Box<[u8]>, u64);

/// A session's place in the queues of the keys that it waits for.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    wanted: Wanted,
    keys: Box<[WaitedKey]>,
    waiter: Arc<Waiter>,
    state: AtomicU8,
    /// In which turn it was called.
    turn: Mutex<Option<Turn>>,
}

impl Ticket {
    /// Ends the waiting unless the ticket has been called: then its session will run, and this is false. For its own session.
    pub fn cancel(&self) -> bool {
        self.state
            .compare_exchange(WAITING, OVER, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// The session is gone or has been answered: it is not called any more. For its own session.
    pub fn end(&self) {
        self.state.store(OVER, Ordering::Release);
        self.turn().take();
    }

    fn call(&self, turn: &Turn) -> bool {
        let is_ours = self
            .state
            .compare_exchange(WAITING, CALLED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if is_ours {
            *self.turn() = Some(turn.clone());
        }
        is_ours
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time in which those are served whom one command has something for. Cloned into each call; when the last clone is gone, the session
/// whose command it was is put on its ready list.
#[derive(Clone, Debug)]
pub struct Turn(Arc<TurnEnd>);

#[derive(Debug)]
struct TurnEnd(Option<Arc<Waiter>>);

impl Turn {
    fn new(session: Option<&Arc<Waiter>>) -> Turn {
        Turn(Arc::new(TurnEnd(session.cloned())))
    }

    /// For the session whose command it was: whether everybody is served already. If not, its waiter will be on its ready list, having been
    /// granted nothing, once everybody is.
    pub fn is_over(self) -> bool {
        match Arc::into_inner(self.0) {
            Some(mut end) => {
                end.0 = None;
                true
            }
            None => false,
        }
    }
}

impl Drop for TurnEnd {
    fn drop(&mut self) {
        if let Some(waiter) = self.0.take() {
            waiter.pass();
        }
    }
}

/// A changed key that somebody waits for, and from which ticket on it is to be offered.
#[derive(Debug)]
pub(crate) struct Offer {
    db: u32,
    key: Box<[u8]>,
    from: u64,
}

/// Oldest first.
type Queue = Vec<Arc<Ticket>>;

/// Who waits for one stripe's keys.
#[derive(Debug, Default)]
pub(crate) struct BlockedTable {
    keys: HashMap<(u32, Box<[u8]>), Queue>,
}

impl BlockedTable {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn has(&self, db: u32, key: &[u8]) -> bool {
        // Only where somebody waits is the boxed look-up key paid for.
        !self.keys.is_empty() && self.keys.contains_key(&(db, Box::from(key)))
    }

    fn add(&mut self, db: u32, key: &[u8], ticket: &Arc<Ticket>) {
        let tickets = self.keys.entry((db, key.into())).or_default();
        // A key that is named twice is waited for once.
        if !tickets.iter().any(|t| Arc::ptr_eq(t, ticket)) {
            tickets.push(Arc::clone(ticket));
        }
    }

    fn remove(&mut self, db: u32, key: &[u8], ticket: &Arc<Ticket>) {
        let id = (db, Box::from(key));
        if let Some(tickets) = self.keys.get_mut(&id) {
            tickets.retain(|t| !Arc::ptr_eq(t, ticket));
            if tickets.is_empty() {
                self.keys.remove(&id);
            }
        }
    }

    /// The oldest ticket from number `from` on that waits for what is there. None when that one has been called: after its run, it
    /// offers the key to those behind it.
    fn next(&self, offer: &Offer, there: Option<ValueType>) -> Option<Arc<Ticket>> {
        let tickets = self.keys.get(&(offer.db, offer.key.clone()))?;
        let serves = |t: &&Arc<Ticket>| {
            t.number >= offer.from
                && t.state.load(Ordering::Acquire) != OVER
                && (there == Some(t.wanted.kind) || t.wanted.or_loss)
        };
        let first = tickets.iter().find(serves)?;
        (first.state.load(Ordering::Acquire) == WAITING).then(|| Arc::clone(first))
    }

    pub(crate) fn keys_of(&self, db: u32) -> impl Iterator<Item = &[u8]> {
        self.keys
            .keys()
            .filter(move |(of, _)| *of == db)
            .map(|(_, key)| &**key)
    }
}

impl Txn<'_> {
    /// Makes the session wait for these keys, whose stripes are held: it will be called when one of them may serve it.
    pub fn wait_for<'k>(
        &mut self,
        db: u32,
        keys: impl Iterator<Item = Key<'k>>,
        wanted: Wanted,
        waiter: &Arc<Waiter>,
    ) -> Arc<Ticket> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let ticket = Arc::new(Ticket {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            wanted,
            keys: keys.map(|key| (db, key.bytes.into(), key.hash)).collect(),
            waiter: Arc::clone(waiter),
            state: AtomicU8::new(WAITING),
            turn: Mutex::new(None),
        });
        for (db, key, hash) in &ticket.keys {
            let store = self.store();
            let stripe = store.stripe_of(*hash);
            store.count_blocked(self.blocked_table(stripe), |table| {
                table.add(*db, key, &ticket)
            });
        }
        ticket
    }

    /// A called session is about to run its command, its stripes held: it goes on in the turn of who called it.
    pub fn take_turn(&mut self, ticket: &Ticket) {
        let turn = ticket.turn().take();
        self.local().turn = turn;
        // Those behind it have waited for its run, whichever of its keys they wait for.
        let from = ticket.number + 1;
        for (db, key, _) in &ticket.keys {
            let (db, key) = (*db, key.clone());
            self.local().offers.push(Offer { db, key, from });
        }
    }

    /// It found nothing and waits again, at its old place.
    pub fn wait_again(&mut self, ticket: &Ticket) {
        ticket.state.store(WAITING, Ordering::Release);
    }

    /// It is done with waiting.
    pub fn stop_waiting(&mut self, ticket: &Arc<Ticket>) {
        ticket.state.store(OVER, Ordering::Release);
        for (db, key, hash) in &ticket.keys {
            let store = self.store();
            let stripe = store.stripe_of(*hash);
            store.count_blocked(self.blocked_table(stripe), |table| {
                table.remove(*db, key, ticket)
            });
        }
    }

    /// A key changed that somebody may wait for.
    pub(crate) fn offer(&mut self, db: u32, key: &[u8]) {
        let offers = &mut self.local().offers;
        let is_known = |o: &Offer| o.db == db && *o.key == *key && o.from == 0;
        if !offers.iter().any(is_known) {
            let (key, from) = (key.into(), 0);
            offers.push(Offer { db, key, from });
        }
    }

    /// The same for a change that WATCH does not see, and that is not recorded therefore (a group of a stream goes).
    pub fn offer_quietly(&mut self, db: u32, key: &Key<'_>) {
        let stripe = self.store().stripe_of(key.hash);
        if self.blocked_table(stripe).has(db, key.bytes) {
            self.offer(db, key.bytes);
        }
    }

    /// Calls the oldest ticket of each key that was offered. Before the stripes are released. `session`: whose command it was.
    #[cold]
    pub(crate) fn call_waiting(&mut self, session: Option<&Arc<Waiter>>) {
        for offer in std::mem::take(&mut self.local().offers) {
            let key = self.key(&offer.key);
            let stripe = self.store().stripe_of(key.hash);
            let there = self.type_of(offer.db, &key);
            while let Some(ticket) = self.blocked_table(stripe).next(&offer, there) {
                let turn = self.local().turn.get_or_insert_with(|| Turn::new(session));
                if !ticket.call(turn) {
                    // It timed out this moment, or somebody else has called it.
                    continue;
                }
                if self.summon(stripe, &ticket.waiter) {
                    break;
                }
                // Its session is gone, so nobody else ends it.
                ticket.turn().take();
                self.stop_waiting_for(stripe, &offer, &ticket);
            }
        }
    }

    fn stop_waiting_for(&mut self, stripe: usize, offer: &Offer, ticket: &Arc<Ticket>) {
        ticket.state.store(OVER, Ordering::Release);
        let store = self.store();
        store.count_blocked(self.blocked_table(stripe), |table| {
            table.remove(offer.db, &offer.key, ticket)
        });
    }
}

impl Store {
    /// Keys that somebody waits for, and those of them that somebody waits for to go. Stripes that are busy are not asked. O(such keys).
    pub fn waited_keys(&self) -> (usize, usize) {
        let (mut all, mut for_loss) = (0, 0);
        if !self.any_observed() {
            return (0, 0);
        }
        for stripe in 0..self.stripe_count() {
            let Some(mut held) = self.stripes.try_lock_one(stripe) else {
                continue;
            };
            let table = &self.stripes.with(&mut held, stripe).blocked;
            all += table.keys.len();
            let waits_for_loss = |tickets: &&Queue| tickets.iter().any(|t| t.wanted.or_loss);
            for_loss += table.keys.values().filter(waits_for_loss).count();
            self.release_stripes(held);
        }
        (all, for_loss)
    }

    /// Takes a ticket that is over out of the queues of its keys, and offers these to who is next: it may have been called. False when a
    /// stripe is busy: to be tried again.
    pub fn forget_ticket(&self, local: &mut Local, now_ms: u64, ticket: &Arc<Ticket>) -> bool {
        ticket.keys.iter().all(|(db, key, hash)| {
            let stripe = self.stripe_of(*hash);
            let Some(mut held) = self.stripes.try_lock_one(stripe) else {
                return false;
            };
            let mut txn = Txn::new(self, Some(&mut held), local, now_ms);
            self.count_blocked(txn.blocked_table(stripe), |table| {
                table.remove(*db, key, ticket)
            });
            txn.offer(*db, key);
            txn.commit(None);
            // Nobody waits for those who are called now.
            local.turn = None;
            self.release_stripes(held);
            true
        })
    }
}
