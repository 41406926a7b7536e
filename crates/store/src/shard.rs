//! One database's keys inside one stripe: a dict of entries and the wheel of their deadlines.
//!
//! Invariant: every entry that is due at some time ([`Entry::due`]) has exactly one node in the wheel, which points at it; the node may
//! lie earlier than that time (an extension leaves it where it is), never later. Of a hash whose fields have deadlines that time may be too
//! early: it is looked after then, and filed anew.
//! A shard is handed over whole by FLUSHDB and SWAPDB: it owns its wheel, so neither walks the keys.
//!
//! While a snapshot goes over the shard (`Walk`), an entry whose mark differs from the shard's is as it was at the cut and not yet
//! saved; at any other time no mark differs.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use dunlin_structures::dict::{Dict, Drain, Handle, Ref, Slot};
use dunlin_structures::epoch::Reclaim;
use dunlin_structures::prefetch;
use dunlin_structures::wheel::{Due, LOOK_AHEAD_NODES, Payload, TimerWheel};

use crate::entry::{Entry, NO_TIMER};
use crate::hash::{Key, KeyHasher};
use crate::hash_value;
use crate::text::NewString;
use crate::timed_hash::Deadlines;

/// Points at an entry that is filed in the same shard's dict. The upper 16 bits are the wheel's.
#[derive(Copy, Clone)]
struct EntryPtr(*mut u8);

const ADDRESS_BITS: u32 = 48;
const ADDRESS_MASK: usize = (1 << ADDRESS_BITS) - 1;

// SAFETY: the pointer is followed only by who holds the shard exclusively.
unsafe impl Send for EntryPtr {}

impl EntryPtr {
    fn of(entry: &Entry) -> EntryPtr {
        // The dict accepts no entry beyond 48 bits.
        EntryPtr(entry.raw().as_ptr())
    }

    fn entry(self) -> NonNull<u8> {
        NonNull::new(self.0.map_addr(|address| address & ADDRESS_MASK))
            .expect("an entry has an address")
    }

    fn deadline(&self) -> u64 {
        // SAFETY: a node is cancelled before its entry is freed and re-pointed when the entry moves, so it is alive;
        // ManuallyDrop keeps this second handle from freeing it.
        let entry = ManuallyDrop::new(unsafe { Entry::from_raw(self.entry()) });
        // An entry whose deadline was taken away would have had its node cancelled.
        entry.due().unwrap_or(0)
    }
}

impl Payload for EntryPtr {
    #[inline]
    fn keep(&mut self, low: u16) {
        let low = usize::from(low) << ADDRESS_BITS;
        self.0 = self.0.map_addr(|address| address & ADDRESS_MASK | low);
    }

    #[inline]
    fn kept(&self) -> Option<u16> {
        Some((self.0.addr() >> ADDRESS_BITS) as u16)
    }

    #[inline]
    fn prefetch(&self) {
        prefetch::line(self.0.map_addr(|address| address & ADDRESS_MASK));
    }
}

/// What a pass over the wheel found.
pub enum Expired {
    /// This entry was due and has been taken out.
    Entry(Entry),
    /// The hash there may have fields that are due; it is in no wheel and has to be filed anew.
    Fields(Slot),
    /// Nothing is due.
    Idle,
    /// The work budget is spent.
    OutOfWork,
}

/// How far a snapshot has come with a shard.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Walk {
    /// The shard's database at the cut.
    pub(crate) db: u32,
    cursor: u64,
}

/// Keys of one database in one stripe. What every look-up reads comes first.
#[repr(C)]
pub struct Shard {
    /// The mark of entries that no snapshot waits for.
    mark: bool,
    dict: Dict<Entry>,
    walk: Option<Walk>,
    wheel: TimerWheel<EntryPtr>,
    deadline_sum: u128,
    /// Keys with a deadline.
    volatile: usize,
    /// Bytes of the keys themselves.
    key_bytes: u64,
}

impl Shard {
    /// An empty shard whose wheel starts at `now_ms`. Allocates nothing.
    pub fn new(now_ms: u64) -> Shard {
        Shard {
            mark: false,
            walk: None,
            dict: Dict::new(),
            wheel: TimerWheel::new(now_ms),
            deadline_sum: 0,
            volatile: 0,
            key_bytes: 0,
        }
    }

    /// Number of keys, due but not yet removed ones included.
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys with a deadline.
    pub fn expires(&self) -> usize {
        self.volatile
    }

    /// Bytes of the names of the keys.
    pub fn key_bytes(&self) -> u64 {
        self.key_bytes
    }

    /// Sum of all deadlines in milliseconds, for the average time to live.
    pub fn deadline_sum(&self) -> u128 {
        self.deadline_sum
    }

    /// A lower bound of the earliest deadline.
    pub fn next_deadline(&self) -> Option<u64> {
        self.wheel.next_tick()
    }

    /// The dict, for scans, random picks and publishing.
    #[inline]
    pub fn dict(&self) -> &Dict<Entry> {
        &self.dict
    }

    /// Finds a key. Expected O(1).
    #[inline]
    pub fn look_up(&self, hash: u64, key: &[u8]) -> Option<(Slot, Ref<'_, Entry>)> {
        self.dict.look_up(hash, key)
    }

    /// Whether there is such a key. Expected O(1).
    #[inline]
    pub fn contains(&self, hash: u64, key: &[u8]) -> bool {
        self.look_up(hash, key).is_some()
    }

    /// The entry at `slot`.
    #[inline]
    pub fn entry(&self, slot: Slot) -> Ref<'_, Entry> {
        self.dict.at(slot)
    }

    /// Replaces the entry at `slot` by what `change` makes of it; key and deadline must stay.
    #[inline]
    pub fn update(&mut self, slot: Slot, change: impl FnOnce(Entry) -> Entry) {
        let mut moved = None;
        let mark = self.mark;
        debug_assert!(!self.owes(&self.entry(slot)), "changed before it was saved");
        self.dict.replace(slot, |old| {
            let before = old.raw();
            let new = change(old);
            if new.raw() != before {
                new.set_mark(mark);
                if new.timer_index() != NO_TIMER {
                    moved = Some((new.timer_index(), EntryPtr::of(&new)));
                }
            }
            new
        });
        if let Some((index, at)) = moved {
            self.wheel.set_payload(index, at);
        }
    }

    /// Overwrites the string under a key in place, see [`Entry::overwrite`]; `None`: there is none. `false`: nothing was done.
    #[inline]
    pub(crate) fn overwrite(
        &mut self,
        key: &Key<'_>,
        value: NewString<'_>,
        clock: u32,
    ) -> Option<bool> {
        let (_, entry) = self.dict.look_up(key.hash, key.bytes)?;
        debug_assert!(!self.owes(&entry), "changed before it was saved");
        // SAFETY: the shard is borrowed exclusively, and nothing of the entry but this handle.
        Some(unsafe { entry.overwrite(value, clock) })
    }

    /// Makes room for this many keys, if there have been none yet. O(keys).
    pub fn reserve(&mut self, keys: usize) {
        self.dict.reserve(keys);
    }

    /// Files an entry whose key is absent and that has no deadline.
    pub fn insert(
        &mut self,
        hash: u64,
        entry: Entry,
        hasher: &KeyHasher,
        reclaim: &mut impl Reclaim,
    ) -> Slot {
        debug_assert!(entry.due().is_none());
        entry.set_mark(self.mark);
        self.key_bytes += entry.key().len() as u64;
        self.dict
            .insert_new(hash, entry, |e| hasher.hash(e.key()), reclaim)
    }

    /// Takes the entry at `slot` out, its wheel node with it.
    pub fn remove(&mut self, slot: Slot, reclaim: &mut impl Reclaim) -> Entry {
        debug_assert!(!self.owes(&self.entry(slot)), "removed before it was saved");
        let entry = self.dict.remove(slot, reclaim);
        self.count(entry.deadline(), None);
        self.key_bytes -= entry.key().len() as u64;
        if entry.timer_index() != NO_TIMER {
            self.wheel.cancel(entry.timer_index());
        }
        entry
    }

    /// Sets, moves or takes away the deadline of the entry at `slot`. O(1).
    ///
    /// A later deadline leaves the wheel node where it is: the node re-files itself when it fires.
    pub fn set_deadline(&mut self, slot: Slot, deadline: Option<u64>) {
        debug_assert!(!self.owes(&self.entry(slot)), "changed before it was saved");
        let old = self.entry(slot).deadline();
        self.count(old, deadline);
        if self.entry(slot).timed().is_none() {
            return self.set_due(slot, deadline);
        }
        self.update(slot, |e| hash_value::with_key_deadline(e, deadline));
        self.refile(slot);
    }

    /// Files a hash whose fields have deadlines under the first of them; that time. O(log fields).
    pub fn refile(&mut self, slot: Slot) -> Option<u64> {
        let due = self.entry(slot).timed().and_then(Deadlines::first);
        self.set_due(slot, due);
        due
    }

    /// Counts a key that had one deadline and has another.
    fn count(&mut self, old: Option<u64>, new: Option<u64>) {
        self.deadline_sum -= u128::from(old.unwrap_or(0));
        self.deadline_sum += u128::from(new.unwrap_or(0));
        self.volatile -= usize::from(old.is_some());
        self.volatile += usize::from(new.is_some());
    }

    fn set_due(&mut self, slot: Slot, due: Option<u64>) {
        let old = self.entry(slot).due();
        let index = self.entry(slot).timer_index();
        match (old, due) {
            (None, None) => {}
            (Some(_), None) => {
                self.wheel.cancel(index);
                self.dict.replace(slot, |e| e.with_timer(None));
            }
            (Some(before), Some(at)) if at >= before => {
                self.dict.replace(slot, |e| e.with_timer(Some((index, at))));
            }
            (_, Some(at)) => {
                if old.is_some() {
                    self.wheel.cancel(index);
                }
                self.dict
                    .replace(slot, |e| e.with_timer(Some((NO_TIMER, at))));
                let pointer = EntryPtr::of(&self.entry(slot));
                let index = self.wheel.insert(pointer, at);
                self.dict.replace(slot, |e| e.with_timer(Some((index, at))));
            }
        }
    }

    /// An entry with a deadline, picked by chance.
    pub fn random_timed(&self, random: u64, hasher: &KeyHasher) -> Option<Ref<'_, Entry>> {
        let pointer = self.wheel.random(random)?;
        // SAFETY: the node is in the wheel, so its entry is filed and alive; the handle is not dropped.
        let entry = ManuallyDrop::new(unsafe { Entry::from_raw(pointer.entry()) });
        let (_, entry) = self.look_up(hasher.hash(entry.key()), entry.key())?;
        Some(entry)
    }

    /// Brings what [`Shard::pop_expired`] will touch for the next [`LOOK_AHEAD_NODES`] entries into the cache: wheel nodes, entries and
    /// buckets, all of each at once.
    pub fn look_ahead(&self, now_ms: u64, hasher: &KeyHasher) {
        let mut due = [None; LOOK_AHEAD_NODES];
        let mut free = due.iter_mut();
        self.wheel.look_ahead(now_ms, |pointer| {
            pointer.prefetch();
            if let Some(place) = free.next() {
                *place = Some(*pointer);
            }
        });
        for pointer in due.into_iter().flatten() {
            // SAFETY: the node is in the wheel, so its entry is filed and alive; the handle is not dropped.
            let entry = ManuallyDrop::new(unsafe { Entry::from_raw(pointer.entry()) });
            self.dict.prefetch(hasher.hash(entry.key()));
        }
    }

    /// Takes out one entry whose deadline is at or before `now_ms`, spending `work` (wheel nodes moved).
    pub fn pop_expired(
        &mut self,
        now_ms: u64,
        work: &mut usize,
        hasher: &KeyHasher,
        reclaim: &mut impl Reclaim,
    ) -> Expired {
        match self.wheel.pop_due(now_ms, work, EntryPtr::deadline) {
            Due::Idle => Expired::Idle,
            Due::OutOfWork => Expired::OutOfWork,
            Due::Fired(pointer) => {
                // SAFETY: the node was in the wheel, so its entry is filed and alive; the handle is not dropped.
                let shell = ManuallyDrop::new(unsafe { Entry::from_raw(pointer.entry()) });
                let hash = hasher.hash(shell.key());
                let slot = self
                    .dict
                    .find(hash, shell.key())
                    .expect("an entry in the wheel is in the dict");
                if shell.timed().is_some() && !shell.is_dead(now_ms) {
                    self.dict.replace(slot, |e| e.with_timer(None));
                    return Expired::Fields(slot);
                }
                self.count(shell.deadline(), None);
                self.key_bytes -= shell.key().len() as u64;
                // The wheel has already freed the node, so only the dict is told.
                Expired::Entry(self.dict.remove(slot, reclaim))
            }
        }
    }

    /// Lets a snapshot begin here: everything that is filed now is owed to it. `db` is the shard's database.
    pub(crate) fn begin_walk(&mut self, db: u32) {
        debug_assert!(self.walk.is_none(), "one snapshot at a time");
        if !self.is_empty() {
            self.mark = !self.mark;
            self.walk = Some(Walk { db, cursor: 0 });
        }
    }

    /// The walk of a snapshot that is not through.
    #[inline]
    pub(crate) fn walk(&self) -> Option<Walk> {
        self.walk
    }

    /// Whether this entry of the shard is as it was at the cut of a snapshot that has not seen it yet.
    #[inline]
    pub(crate) fn owes(&self, entry: &Entry) -> bool {
        self.walk.is_some() && entry.mark() != self.mark
    }

    /// An entry that was owed is no longer.
    #[inline]
    pub(crate) fn settle(&self, entry: &Entry) {
        entry.set_mark(self.mark);
    }

    /// Goes on with the walk: shows owed entries to `save` and settles them, about `min` of them; false at the end.
    pub(crate) fn walk_on(
        &mut self,
        min: usize,
        hasher: &KeyHasher,
        mut save: impl FnMut(u32, &Entry),
    ) -> bool {
        let Some(Walk { db, cursor }) = self.walk else {
            return false;
        };
        let mark = self.mark;
        let next = self.dict.scan(
            cursor,
            min,
            |e| hasher.hash(e.key()),
            |e| {
                if e.mark() != mark {
                    save(db, e);
                    e.set_mark(mark);
                }
            },
        );
        self.walk = (next != 0).then_some(Walk { db, cursor: next });
        next != 0
    }

    /// Takes the shard apart for freeing in slices.
    pub fn into_drain(self) -> Drain<Entry> {
        self.dict.into_drain()
    }
}
