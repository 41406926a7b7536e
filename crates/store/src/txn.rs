//! The keys of the held stripes, as one command, transaction or script sees and changes them.
//!
//! Every method that changes something keeps the first-touch image when the transaction may have to be undone; each
//! change is then told by [`Txn::record`], which trips WATCH, counts it and puts its effect into the record. What was
//! recorded is published by [`Txn::commit`], before the stripes are released.

pub(crate) mod awaited;
mod fields;
mod handing;
mod listeners;
mod load;
mod look;
mod observed;
mod undone;
mod victim;
mod walk;

use std::sync::Arc;

use dunlin_structures::dict::{Ref, Slot};

use crate::entry::{Entry, NewString, ValueType};
use crate::event::Event;
use crate::eviction::freed_bytes;
use crate::hash::Key;
use crate::hash_value;
use crate::local::{Counters, Local};
use crate::log::Arg;
use crate::reads::Reads;
use crate::reaper::Garbage;
use crate::shard::Shard;
use crate::store::{Store, StripeData};
use crate::stripes::{Held, LockSet, Waiter};

/// Entries whose freeing takes more steps than this are freed in the background.
const FREE_STEPS_MAX: usize = 16;

/// What happens to the deadline when a value is replaced.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Ttl {
    /// It goes.
    Clear,
    /// It stays.
    Keep,
    /// It becomes this time, in milliseconds since 1970.
    At(u64),
}

/// Where a key is; valid until the next change of its shard.
#[derive(Copy, Clone)]
pub struct Found {
    db: u32,
    stripe: usize,
    slot: Slot,
    has_deadline: bool,
}

/// See the module's text.
pub struct Txn<'a> {
    store: &'a Store,
    held: Option<&'a mut Held>,
    local: &'a mut Local,
    now_ms: u64,
    reads: Reads,
}

impl<'a> Txn<'a> {
    /// Opens a transaction over the held stripes at this time. With `now_ms` 0 nothing expires: replaying the log
    /// removes expired keys by the DELs in it.
    #[inline]
    pub fn new(
        store: &'a Store,
        held: Option<&'a mut Held>,
        local: &'a mut Local,
        now_ms: u64,
    ) -> Txn<'a> {
        Txn {
            store,
            held,
            local,
            now_ms,
            reads: Reads::default(),
        }
    }

    /// Says what reads leave as it is from here on.
    pub fn set_reads(&mut self, reads: Reads) {
        self.reads = reads;
    }

    /// The same transaction, for a command inside it.
    pub fn reborrow(&mut self) -> Txn<'_> {
        Txn {
            store: self.store,
            held: self.held.as_deref_mut(),
            local: self.local,
            now_ms: self.now_ms,
            reads: self.reads,
        }
    }

    /// The same transaction at another time, see [`Txn::new`].
    pub fn at(&mut self, now_ms: u64) -> Txn<'_> {
        Txn {
            now_ms,
            ..self.reborrow()
        }
    }

    /// Takes the effects back that were recorded so far: they come from the log, and are there.
    pub fn forget_effects(&mut self) {
        self.local.record.truncate(0);
    }

    /// How much this transaction has recorded so far, for [`Txn::forget_effects_since`].
    pub fn effects(&self) -> usize {
        self.local.record.effects.len()
    }

    /// Takes the effects back that were recorded since there were so many: a script asked for it.
    pub fn forget_effects_since(&mut self, effects: usize) {
        self.local.record.truncate(effects);
    }

    /// Whether the stripe of a key with this hash is held.
    #[inline]
    pub fn holds(&self, hash: u64) -> bool {
        let stripe = self.store.stripe_of(hash);
        self.held.as_ref().is_some_and(|held| held.covers(stripe))
    }

    /// Which stripes are held.
    pub fn held_set(&self) -> Option<&LockSet> {
        self.held.as_ref().map(|held| held.set())
    }

    /// Whether every stripe is held.
    pub fn holds_all(&self) -> bool {
        matches!(self.held_set(), Some(LockSet::All))
    }

    /// The store.
    #[inline]
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The worker's own state.
    pub fn local(&mut self) -> &mut Local {
        self.local
    }

    /// Time of this transaction, in milliseconds since 1970.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Hashes a key.
    #[inline]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        Key {
            bytes,
            hash: self.store.hasher().hash(bytes),
        }
    }

    #[inline(always)]
    fn data(&mut self, stripe: usize) -> &mut StripeData {
        let data = self.store.stripes.with(held(&mut self.held), stripe);
        debug_assert_eq!(data.index, stripe);
        data
    }

    /// The later of this transaction's time and the stripe's.
    #[inline]
    fn stripe_now(&mut self, stripe: usize) -> u64 {
        let now = self.now_ms;
        if now == 0 {
            return 0;
        }
        let data = self.data(stripe);
        data.now_ms = data.now_ms.max(now);
        data.now_ms
    }

    #[inline(always)]
    pub(crate) fn shard(&mut self, db: u32, stripe: usize) -> Option<&mut Shard> {
        self.data(stripe).shards.get_mut(db)
    }

    #[inline(always)]
    fn shard_at(&mut self, found: Found) -> &mut Shard {
        self.shard(found.db, found.stripe)
            .expect("a found key's shard exists")
    }

    /// Where a key is, expired or not.
    fn look_up(&mut self, db: u32, key: &Key<'_>) -> Option<Found> {
        let stripe = self.store.stripe_of(key.hash);
        if self.local.replies_wait {
            self.await_key(stripe, key.hash);
        }
        let (slot, entry) = self.shard(db, stripe)?.look_up(key.hash, key.bytes)?;
        Some(Found {
            db,
            stripe,
            slot,
            has_deadline: entry.due().is_some(),
        })
    }

    /// Type of the value under a key that has not expired. Changes nothing.
    pub(crate) fn type_of(&mut self, db: u32, key: &Key<'_>) -> Option<ValueType> {
        let found = self.look_up(db, key)?;
        let now_ms = self.stripe_now(found.stripe);
        let entry = self.entry(found);
        (!entry.is_dead(now_ms)).then(|| entry.kind().value_type())
    }

    /// Finds a key that has not expired; one that has is removed, and its DEL recorded. Expected O(1).
    #[inline]
    pub fn find(&mut self, db: u32, key: &Key<'_>) -> Option<Found> {
        let stripe = self.store.stripe_of(key.hash);
        if self.local.replies_wait {
            self.await_key(stripe, key.hash);
        }
        let (slot, entry) = self.shard(db, stripe)?.look_up(key.hash, key.bytes)?;
        let due = entry.due();
        let found = Found {
            db,
            stripe,
            slot,
            has_deadline: due.is_some(),
        };
        match due {
            Some(due) if due <= self.stripe_now(stripe) => self.expire_due(found),
            _ => Some(found),
        }
    }

    /// Removes a key that is due, or those of its fields that are; the key if it is still there.
    #[cold]
    fn expire_due(&mut self, found: Found) -> Option<Found> {
        let now_ms = self.stripe_now(found.stripe);
        match (self.entry(found).is_dead(now_ms), self.reads.keep_expired) {
            (true, true) => return None,
            (true, false) => {
                self.expire(found);
                return None;
            }
            (false, true) => {}
            (false, false) => {
                self.expire_fields(found, usize::MAX);
            }
        }
        Some(found)
    }

    fn expire(&mut self, found: Found) {
        self.before_change(found);
        let entry = self.take(found);
        self.record_expired(found.db, &entry);
        self.discard(entry);
    }

    pub(crate) fn record_expired(&mut self, db: u32, entry: &Entry) {
        let key = entry.key();
        if entry.timed().is_some() && entry.deadline().is_none_or(|at| at > self.now_ms) {
            // It is gone because its fields are.
            self.tell(db, key, Event::hash("hexpired"));
            self.notify(db, key, Event::generic("del"));
        } else {
            let lag_ms = entry
                .deadline()
                .map_or(0, |at| self.now_ms.saturating_sub(at));
            self.local.expiry_lag_ms_max = self.local.expiry_lag_ms_max.max(lag_ms);
            let counters = self.counters();
            counters.expired.add(1);
            counters.expiry_lag_ms.add(lag_ms);
            self.tell(db, key, Event::expired());
        }
        if self.store.log.is_active() {
            self.local.record.push(db, &["DEL".into(), key.into()]);
        }
    }

    /// The entry that was found.
    #[inline(always)]
    pub fn entry(&mut self, found: Found) -> Ref<'_, Entry> {
        self.shard_at(found).entry(found.slot)
    }

    /// Reads a key as a client does: counts a hit or miss and sets the access clock.
    #[inline]
    pub fn read(&mut self, db: u32, key: &Key<'_>) -> Option<Ref<'_, Entry>> {
        match self.find(db, key) {
            None => {
                self.counters().misses.add(1);
                self.missed(db, key.bytes);
                None
            }
            Some(found) => {
                self.counters().hits.add(1);
                Some(self.touch(found))
            }
        }
    }

    /// Sets the access clock of an entry that is read.
    #[inline(always)]
    pub(crate) fn touch(&mut self, found: Found) -> Ref<'_, Entry> {
        if self.reads.keep_clocks {
            return self.entry(found);
        }
        if self.local.counts_accesses {
            self.count_access(found);
            return self.entry(found);
        }
        let clock = self.local.clock;
        let entry = self.entry(found);
        entry.set_clock(clock);
        entry
    }

    /// The access clock of an entry that is used once more, where the policy counts accesses.
    #[cold]
    fn count_access(&mut self, found: Found) {
        let clock = self.entry(found).clock();
        let touched = self.touched(clock);
        self.entry(found).set_clock(touched);
    }

    /// What the clock of the entry that was found becomes by being used.
    #[inline]
    fn touched_of(&mut self, found: Found) -> u32 {
        if self.local.counts_accesses {
            let clock = self.entry(found).clock();
            self.touched(clock)
        } else {
            self.local.clock
        }
    }

    /// What a used entry's clock becomes.
    #[inline]
    fn touched(&mut self, clock: u32) -> u32 {
        if self.local.counts_accesses {
            let random = self.local.random();
            self.store.eviction.touched(clock, self.now_ms, random)
        } else {
            self.local.clock
        }
    }

    /// Reads a key without counting and without touching its access clock (OBJECT, TTL, EXISTS ...).
    pub fn peek(&mut self, db: u32, key: &Key<'_>) -> Option<Ref<'_, Entry>> {
        let found = self.find(db, key)?;
        Some(self.entry(found))
    }

    /// Number of elements of a collection in its big form; 0 for what is small. For weights: no statistics.
    pub fn elements(&mut self, db: u32, key: &[u8]) -> u64 {
        let key = self.key(key);
        let entry = self.peek(db, &key);
        entry.map_or(0, |e| e.big().map_or(0, |big| big.len() as u64))
    }

    /// Counts one read of a key by its outcome, for commands that look up by [`Txn::peek`].
    pub fn count_lookup(&mut self, hit: bool) {
        let counters = self.counters();
        if hit {
            counters.hits.add(1)
        } else {
            counters.misses.add(1)
        }
    }

    /// Stores a string under `key`, whatever was there before.
    #[inline]
    pub fn put_string(&mut self, db: u32, key: &Key<'_>, value: NewString<'_>, ttl: Ttl) {
        let found = match ttl {
            Ttl::At(_) => self.find(db, key),
            Ttl::Clear | Ttl::Keep => match self.overwrite(db, key, value) {
                Some(true) => return,
                Some(false) => self.find(db, key),
                None => None,
            },
        };
        match found {
            Some(found) => self.put_over(found, key, value, ttl),
            None => {
                let entry = Entry::string(key.bytes, value, self.local.clock);
                let found = self.insert(db, key, entry);
                if let Ttl::At(at) = ttl {
                    self.set_deadline_of(found, Some(at));
                }
            }
        }
    }

    /// Stores a string in place of what was found.
    fn put_over(&mut self, found: Found, key: &Key<'_>, value: NewString<'_>, ttl: Ttl) {
        let clock = self.local.clock;
        if self.is_timed(found) {
            let entry = Entry::string(key.bytes, value, clock);
            return self.replace_timed(found, key, entry, ttl);
        }
        self.before_change(found);
        match ttl {
            Ttl::Clear if found.has_deadline => self.set_deadline_of(found, None),
            Ttl::At(at) => self.set_deadline_of(found, Some(at)),
            Ttl::Clear | Ttl::Keep => {}
        }
        let mut old = None;
        let touched = self.touched_of(found);
        self.shard_at(found).update(found.slot, |mut e| {
            e.set_clock(touched);
            if e.free_effort() > FREE_STEPS_MAX {
                // Swapped out whole, so that its chunks are freed in the background.
                let timer = e.due().map(|at| (e.timer_index(), at));
                let fresh = Entry::string(key.bytes, value, clock).with_timer(timer);
                old = Some(std::mem::replace(&mut e, fresh));
                return e;
            }
            e.with_string(value)
        });
        if let Some(big) = old {
            self.discard(big);
        }
    }

    /// Changes the entry that was found; key and deadline must stay.
    pub fn update(&mut self, found: Found, change: impl FnOnce(Entry) -> Entry) {
        self.before_change(found);
        let touched = self.touched_of(found);
        self.shard_at(found).update(found.slot, |e| {
            let e = change(e);
            e.set_clock(touched);
            e
        });
    }

    /// Changes the entry that was found if `change` says that it did; key and deadline must stay. What is answered is what it says.
    pub fn update_if(&mut self, found: Found, change: impl FnOnce(Entry) -> (Entry, bool)) -> bool {
        let owed = self.local.unrecorded;
        let mut changed = false;
        self.update(found, |entry| {
            let (entry, did) = change(entry);
            changed = did;
            entry
        });
        self.local.unrecorded = owed | changed;
        changed
    }

    /// Files `entry` (which has no deadline) under its key, in place of what was there, with this deadline.
    pub fn put_entry(&mut self, db: u32, key: &Key<'_>, entry: Entry, deadline: Option<u64>) {
        debug_assert_eq!(entry.key(), key.bytes);
        let entry = hash_value::with_key_deadline(entry, None);
        let found = if let Some(found) = self.find(db, key) {
            self.before_change(found);
            let old = self.take(found);
            self.discard(old);
            self.place(db, key, entry)
        } else {
            self.insert(db, key, entry)
        };
        if deadline.is_some() {
            self.set_deadline_of(found, deadline);
        }
    }

    /// Takes a key out; its deadline can still be read from the entry.
    pub fn remove(&mut self, db: u32, key: &Key<'_>) -> Option<Entry> {
        let found = self.find(db, key)?;
        self.before_change(found);
        Some(self.take(found))
    }

    /// Sets or takes away a deadline.
    pub fn set_deadline(&mut self, found: Found, deadline: Option<u64>) {
        self.before_change(found);
        self.set_deadline_of(found, deadline);
    }

    /// Frees an entry: at once, or in the background when it is big.
    pub fn discard(&mut self, entry: Entry) {
        let steps = entry.free_effort();
        if steps > FREE_STEPS_MAX {
            let bytes = freed_bytes(&entry, steps);
            self.store.usage.doom(bytes);
            self.local.garbage.push(Garbage::Entry(entry, bytes));
        }
    }

    fn insert(&mut self, db: u32, key: &Key<'_>, entry: Entry) -> Found {
        self.notify(db, key.bytes, Event::NEW);
        self.place(db, key, entry)
    }

    fn place(&mut self, db: u32, key: &Key<'_>, entry: Entry) -> Found {
        if self.local.undo.is_some() {
            self.remember(db, key.bytes, key.hash, || None);
        }
        self.local.unrecorded = true;
        let stripe = self.store.stripe_of(key.hash);
        let now = self.stripe_now(stripe);
        let store = self.store;
        let is_timed = entry.kind().is_timed();
        let data = store.stripes.with(held(&mut self.held), stripe);
        let shard = data.shards.get_or_new(db, now);
        let slot = shard.insert(key.hash, entry, store.hasher(), &mut self.local.reclaim);
        store.publish(db, stripe, shard);
        let found = Found {
            db,
            stripe,
            slot,
            has_deadline: false,
        };
        if is_timed {
            self.refile(found);
        }
        found
    }

    fn take(&mut self, found: Found) -> Entry {
        let store = self.store;
        let data = store.stripes.with(held(&mut self.held), found.stripe);
        let shard = data
            .shards
            .get_mut(found.db)
            .expect("a found key's shard exists");
        let entry = shard.remove(found.slot, &mut self.local.reclaim);
        store.publish(found.db, found.stripe, shard);
        entry
    }

    fn set_deadline_of(&mut self, found: Found, deadline: Option<u64>) {
        let store = self.store;
        let data = store.stripes.with(held(&mut self.held), found.stripe);
        let shard = data
            .shards
            .get_mut(found.db)
            .expect("a found key's shard exists");
        shard.set_deadline(found.slot, deadline);
        store.publish(found.db, found.stripe, shard);
        if let Some(at) = deadline {
            store.note_deadline(found.stripe, at, self.local.worker);
        }
    }

    #[inline]
    fn before_change(&mut self, found: Found) {
        self.local.unrecorded = true;
        if self.store.snapshots.is_running() | self.local.undo.is_some() {
            self.keep_what_was(found.db, found.stripe, found.slot);
        }
    }

    /// Tells of a change: trips WATCH, counts it, and records its effect when the log is read.
    #[inline]
    pub fn record(&mut self, db: u32, key: &[u8], event: Event, effect: &[Arg<'_>]) {
        self.changed(db, key, event);
        if self.store.log.is_active() {
            self.local.record.push(db, effect);
        }
    }

    /// Like [`Txn::record`] with the effect being the command's own arguments.
    #[inline]
    pub fn record_args<'x>(
        &mut self,
        db: u32,
        key: &[u8],
        event: Event,
        args: impl ExactSizeIterator<Item = &'x [u8]>,
    ) {
        self.changed(db, key, event);
        self.effect(db, args);
    }

    /// Like [`Txn::record_args`] for a change that has no event: only WATCH and the log hear of it.
    pub fn record_silently<'x>(
        &mut self,
        db: u32,
        key: &[u8],
        args: impl ExactSizeIterator<Item = &'x [u8]>,
    ) {
        self.count_changes(1);
        self.trip(db, key);
        self.effect(db, args);
    }

    /// Tells of a change whose effect another call records (the further keys of MSET).
    #[inline]
    pub fn changed(&mut self, db: u32, key: &[u8], event: Event) {
        self.count_changes(1);
        self.tell(db, key, event);
    }

    /// Counts changes beyond the one that [`Txn::record`] counts: commands that change several members count each.
    #[inline]
    pub fn count_changes(&mut self, further: u64) {
        self.counters().changes.add(further);
        if let Some(undo) = &mut self.local.undo {
            undo.changes += further;
        }
    }

    /// Records an effect of a change that [`Txn::changed`] told of: where the effect's database is not the key's (COPY).
    pub fn effect<'x>(&mut self, db: u32, args: impl ExactSizeIterator<Item = &'x [u8]>) {
        if self.store.log.is_active() {
            self.local.record.begin(db, args.len());
            args.for_each(|a| self.local.record.bulk(a));
        }
    }

    #[inline]
    fn counters(&self) -> &'a Counters {
        self.store.counters(self.local.worker)
    }

    #[inline]
    fn trip(&mut self, db: u32, key: &[u8]) {
        self.local.unrecorded = false;
        if self.local.replies_wait {
            self.key_changed(key);
        }
        if self.store.any_observed() {
            self.tell_observers(db, key, true);
        }
    }

    /// Tells of a change that is part of one that was counted (the second key of RENAME).
    #[inline]
    pub fn tell(&mut self, db: u32, key: &[u8], event: Event) {
        self.local.unrecorded = false;
        if self.local.replies_wait {
            self.key_changed(key);
        }
        if self.store.has_listeners() {
            self.tell_listeners(db, key, event);
        }
    }

    /// Tells of a further event of a change that was recorded.
    #[inline]
    pub fn notify(&mut self, db: u32, key: &[u8], event: Event) {
        if self.store.has_listeners() {
            self.put_down(db, key, event);
        }
    }

    /// Records an effect that concerns no single key (FLUSHALL, SWAPDB).
    pub fn record_global(&mut self, db: u32, effect: &[Arg<'_>]) {
        self.local.unrecorded = false;
        self.all_changed();
        self.count_changes(1);
        if self.store.log.is_active() {
            self.local.record.push(db, effect);
        }
    }

    /// Empties a database; every stripe is held. O(stripes): what was in it is freed in the background.
    /// Returns how many keys it had.
    pub fn flush(&mut self, db: u32) -> u64 {
        let mut removed = 0;
        if self.store.is_tracked() {
            self.local.outbox.flushed();
        }
        for stripe in 0..self.store.stripe_count() {
            if self.local.undo.is_some() {
                self.remember_shard(db, stripe);
            }
            // A watched key that lies there expired was alive when watched, since WATCH removes expired ones.
            for key in self.watched_among(stripe, db, &[db]) {
                self.touch_watchers(stripe, db, &key);
            }
            let store = self.store;
            let data = store.stripes.with(held(&mut self.held), stripe);
            let Some(shard) = data.shards.take(db) else {
                continue;
            };
            removed += shard.len() as u64;
            store.clear_head(db, stripe);
            self.store.usage.doom_shard();
            if let Some(shard) = store.snapshots.take_shard(shard) {
                self.local.garbage.push(Garbage::Shard(shard));
            }
            self.offer_all(db, stripe);
        }
        removed
    }

    /// Exchanges two databases; every stripe is held. O(stripes).
    pub fn swap(&mut self, a: u32, b: u32) {
        if a == b {
            return;
        }
        if let Some(undo) = &mut self.local.undo {
            undo.swapped(a, b);
        }
        for stripe in 0..self.store.stripe_count() {
            self.expire_watched(stripe, [a, b]);
            for db in [a, b] {
                // A key that exists in neither is not changed by the exchange.
                for key in self.watched_among(stripe, db, &[a, b]) {
                    self.touch_watchers(stripe, db, &key);
                }
                self.offer_all(db, stripe);
            }
        }
        self.swap_shards(a, b);
    }

    fn swap_shards(&mut self, a: u32, b: u32) {
        for stripe in 0..self.store.stripe_count() {
            let store = self.store;
            let data = store.stripes.with(held(&mut self.held), stripe);
            // The wheels come along; their owners keep looking at the stripe's earliest deadline.
            data.shards.swap(a, b);
            for db in [a, b] {
                match data.shards.get(db) {
                    Some(shard) => store.publish(db, stripe, shard),
                    None => store.clear_head(db, stripe),
                }
            }
        }
    }

    /// Removes expired keys that are watched in one of these databases from all of them: what is left is alive, so that
    /// changing places with an expired key is not mistaken for a change.
    fn expire_watched(&mut self, stripe: usize, dbs: [u32; 2]) {
        let watched = self.watch_table(stripe);
        if watched.is_empty() {
            return;
        }
        let keys: Vec<Box<[u8]>> = watched
            .keys()
            .filter(|(db, _)| dbs.contains(db))
            .map(|(_, key)| key.into())
            .collect();
        for bytes in &keys {
            let key = self.key(bytes);
            for db in dbs {
                let _ = self.find(db, &key);
            }
        }
    }

    /// Publishes what was recorded, hands garbage over, and calls who waits for a key that was changed; `session` is whose command it
    /// was. Call before releasing the stripes.
    #[inline]
    pub fn commit(&mut self, session: Option<&Arc<Waiter>>) {
        debug_assert!(!self.local.unrecorded, "a change was not recorded");
        if !self.local.record.effects.is_empty() {
            let local = &mut *self.local;
            local.wrote = self.store.log.publish(local.worker, &mut local.record);
            if local.replies_wait {
                self.stamp_changed();
            }
        } else if self.local.replies_wait {
            // What was taken back, or changed nothing that is logged.
            self.local.changed.clear();
        }
        if !self.local.outbox.is_empty() {
            self.tell_all();
        }
        if !self.local.garbage.is_empty() {
            self.store.heap().push(self.local.garbage.drain(..));
        }
        if !self.local.offers.is_empty() {
            self.call_waiting(session);
        }
    }
}

/// A command that touches keys declares them, so its stripes are held.
#[inline]
fn held<'x>(held: &'x mut Option<&mut Held>) -> &'x mut Held {
    held.as_deref_mut()
        .expect("a command that locks nothing touches no key")
}
