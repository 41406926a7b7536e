//! Hierarchical timing wheel: 8 levels of 256 slots over 64-bit ticks; O(1) insert and cancel, resumable cascading.
//!
//! Invariant: a node stands on the level of the highest byte in which its deadline (as it was when the node was filed) differs
//! from `current`, in the slot named by that byte. Hence no occupied slot lies before `current`, and the first occupied slot of
//! the lowest occupied level is the earliest. Only the slot being cascaded is exempt: it starts at `current`.
//!
//! The wheel stores no deadline. It asks the payload's owner for it when a node is moved or fires, so an owner may extend a
//! deadline without telling the wheel (the node re-files itself when it comes up); shortening needs cancel and insert.
//! It reads no clock: `now` comes in, in ticks whose length the caller chooses. See Varghese & Lauck, "Hashed and Hierarchical
//! Timing Wheels" (1987), scheme 7.

use std::fmt;

use crate::{SegmentedVec, prefetch};

const LEVELS: usize = 8;
const SLOTS: usize = 256;
const SLOT_BITS: u32 = 8;
const BITMAP_WORDS: usize = SLOTS / 64;

/// Nodes per allocation of the slab: 2 KiB with an 8-byte payload. Growing never moves a node, so no insert is slow.
const CHUNK_NODES: usize = 128;

/// Nodes that [`TimerWheel::look_ahead`] brings into the cache: about what one core can have under way.
pub const LOOK_AHEAD_NODES: usize = 16;

/// Nodes that [`TimerWheel::random`] looks at to find one that is taken.
const RANDOM_NODES_MAX: usize = 64;

/// End of a list.
const NIL: u32 = u32::MAX;
/// In `prev`: the node is free.
const FREE: u32 = u32::MAX - 1;
/// In `prev`: the node is the first of the slot in the low bits (level * 256 + slot).
const FIRST: u32 = 1 << 31;
/// Most nodes that a wheel can hold.
const NODES_MAX: usize = FIRST as usize;

/// What [`TimerWheel::pop_due`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Due<P> {
    /// This payload's deadline has come. Its index is free.
    Fired(P),
    /// Nothing more is due at `now`.
    Idle,
    /// There may be more, but `work` is used up. The next call goes on from here.
    OutOfWork,
}

/// What a wheel holds: a small value that leads to what is timed.
pub trait Payload: Copy {
    /// Keeps the low bits of the deadline under which the node is filed now, if there is room for 16 bits. Most nodes are moved once
    /// before they fire; with these the move needs no look at what is timed, which is not in the cache.
    #[inline]
    fn keep(&mut self, _low: u16) {}
    /// What was kept.
    #[inline]
    fn kept(&self) -> Option<u16> {
        None
    }
    /// Has what is timed brought into the cache: it will be asked for next.
    #[inline]
    fn prefetch(&self) {}
}

impl Payload for u64 {}

struct Node<P> {
    prev: u32,
    next: u32,
    payload: P,
}

/// The wheel. `P` is a small `Copy` payload, 8 bytes as a rule; a node then takes 16 bytes. A level takes 1 KiB from its first
/// use on.
pub struct TimerWheel<P> {
    /// Every deadline before this tick has fired or stands in the slot of this tick.
    current: u64,
    /// The slot (level * 256 + slot) whose nodes are being moved down, [`NIL`] if none.
    cascading: u32,
    free: u32,
    len: usize,
    nodes: SegmentedVec<Node<P>, CHUNK_NODES>,
    bitmaps: [[u64; BITMAP_WORDS]; LEVELS],
    levels: [Option<Box<[u32; SLOTS]>>; LEVELS],
}

impl<P: Payload> TimerWheel<P> {
    /// An empty wheel that stands at tick `now`.
    #[must_use]
    pub fn new(now: u64) -> TimerWheel<P> {
        TimerWheel {
            current: now,
            cascading: NIL,
            free: NIL,
            len: 0,
            nodes: SegmentedVec::new(),
            bitmaps: [[0; BITMAP_WORDS]; LEVELS],
            levels: [const { None }; LEVELS],
        }
    }

    /// Nodes in the wheel.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when no node is in the wheel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Files `payload` under `deadline` and returns the node's index, valid until the node fires or is cancelled. A deadline in
    /// the past comes up at the next pop. O(1).
    ///
    /// # Panics
    /// If the wheel holds 2^31 nodes.
    pub fn insert(&mut self, payload: P, deadline: u64) -> u32 {
        let index = self.allocate(payload);
        self.file(index, deadline);
        self.len += 1;
        index
    }

    /// Takes a node out and returns its payload; the index is free afterwards. O(1).
    ///
    /// # Panics
    /// If no node has this index: it fired or was cancelled before, which its owner must know.
    pub fn cancel(&mut self, index: u32) -> P {
        self.unlink(index);
        self.release(index)
    }

    /// Gives a node another payload (whose deadline is not before that of the old one).
    ///
    /// # Panics
    /// If no node has this index.
    pub fn set_payload(&mut self, index: u32, payload: P) {
        let node = self.node_mut(index);
        assert!(node.prev != FREE, "no timer has index {index}");
        let kept = std::mem::replace(&mut node.payload, payload).kept();
        if let Some(low) = kept {
            node.payload.keep(low);
        }
    }

    /// A lower bound of the earliest deadline: exact once it is less than 256 ticks ahead in the current window, otherwise the
    /// start of its slot. `None` when the wheel is empty. O(1).
    #[must_use]
    pub fn next_tick(&self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        if self.is_cascading() {
            return Some(self.current);
        }
        self.first_occupied().map(|(_, _, tick)| tick)
    }

    /// Pops one node whose deadline is not after `now`, in the order of ticks (within one tick the order is unspecified but
    /// deterministic). A node whose deadline turns out to lie later is filed anew. Every node touched costs one unit of `work`.
    /// A `now` before that of an earlier call counts as that one. `deadline_of` must not fail and should be cheap.
    pub fn pop_due(
        &mut self,
        now: u64,
        work: &mut usize,
        mut deadline_of: impl FnMut(&P) -> u64,
    ) -> Due<P> {
        let now = now.max(self.current);
        if self.len == 0 {
            self.current = now;
            return Due::Idle;
        }
        loop {
            let slot_id = if self.is_cascading() {
                self.cascading
            } else {
                let Some((level, slot, tick)) = self.first_occupied() else {
                    self.current = now;
                    return Due::Idle;
                };
                if tick > now {
                    self.current = now;
                    return Due::Idle;
                }
                self.current = tick;
                let slot_id = slot_id(level, slot);
                self.cascading = if level > 0 { slot_id } else { NIL };
                slot_id
            };
            if *work == 0 {
                return Due::OutOfWork;
            }
            *work -= 1;
            let index = self.head(slot_id);
            let next = self.node(index).next;
            self.unlink(index);
            if next != NIL {
                self.node(next).payload.prefetch();
            }
            let payload = &self.node(index).payload;
            let filed = match payload.kept() {
                // On the second level all but the low bits are those of `current`.
                Some(low) if slot_id as usize / SLOTS == 1 => {
                    self.current >> 16 << 16 | u64::from(low)
                }
                _ => 0,
            };
            // The owner may have extended the deadline, but not before the one under which the node was filed.
            let deadline = if filed > self.current {
                filed
            } else {
                deadline_of(payload)
            };
            if deadline <= self.current {
                return Due::Fired(self.release(index));
            }
            self.file(index, deadline);
        }
    }

    /// A payload that `random`, which is uniform, picks; every one has a chance, though after many removals not quite the same. `None`
    /// in an empty wheel, or in one where most nodes are free. O(1).
    #[must_use]
    pub fn random(&self, random: u64) -> Option<P> {
        if self.len == 0 {
            return None;
        }
        let nodes = self.nodes.len();
        let start = (random % nodes as u64) as usize;
        (start..nodes)
            .chain(0..start)
            .take(RANDOM_NODES_MAX)
            .map(|index| self.node(index as u32))
            .find(|node| node.prev != FREE)
            .map(|node| node.payload)
    }

    /// Brings the nodes that will be popped next at `now` into the cache, at most [`LOOK_AHEAD_NODES`], and shows their payloads: each
    /// in a cache line of its own, popped one after the other they would cost a memory latency each. Nodes that have yet to be moved
    /// down are not among them.
    pub fn look_ahead(&self, now: u64, mut show: impl FnMut(&P)) {
        let Some(heads) = &self.levels[0] else {
            return;
        };
        let window = self.current >> SLOT_BITS << SLOT_BITS;
        let from = (self.current - window) as usize;
        let last = now.saturating_sub(window).min(SLOTS as u64 - 1) as usize;
        let mut found = [NIL; LOOK_AHEAD_NODES];
        let (mut count, mut slot) = (0, from);
        while let Some(next) = next_bit(&self.bitmaps[0], slot).filter(|next| *next <= last) {
            found[count] = heads[next];
            prefetch::line(std::ptr::from_ref(self.node(heads[next])).cast());
            (count, slot) = (count + 1, next + 1);
            if count == LOOK_AHEAD_NODES || slot == SLOTS {
                break;
            }
        }
        for index in &found[..count] {
            show(&self.node(*index).payload);
        }
    }

    /// True while the slot being cascaded still holds nodes.
    fn is_cascading(&self) -> bool {
        if self.cascading == NIL {
            return false;
        }
        let (level, slot) = split(self.cascading);
        self.bitmaps[level][slot / 64] >> (slot % 64) & 1 == 1
    }

    /// The earliest occupied slot, as level, slot and the tick at which it starts.
    fn first_occupied(&self) -> Option<(usize, usize, u64)> {
        for (level, bitmap) in self.bitmaps.iter().enumerate() {
            if self.levels[level].is_none() {
                continue;
            }
            let shift = SLOT_BITS * level as u32;
            let from = (self.current >> shift) as usize % SLOTS;
            if let Some(slot) = next_bit(bitmap, from) {
                let above = self.current >> shift >> SLOT_BITS << SLOT_BITS;
                let tick = (above | slot as u64) << shift;
                return Some((level, slot, tick));
            }
        }
        None
    }

    /// Links a node into the slot of `deadline`.
    fn file(&mut self, index: u32, deadline: u64) {
        let deadline = deadline.max(self.current);
        let level = ((63 - ((deadline ^ self.current) | 1).leading_zeros()) / SLOT_BITS) as usize;
        let slot = (deadline >> (SLOT_BITS * level as u32)) as usize % SLOTS;
        self.bitmaps[level][slot / 64] |= 1 << (slot % 64);
        let heads = self.levels[level].get_or_insert_with(|| Box::new([NIL; SLOTS]));
        let old = std::mem::replace(&mut heads[slot], index);
        let node = self.node_mut(index);
        node.payload.keep(deadline as u16);
        node.prev = FIRST | slot_id(level, slot);
        node.next = old;
        if old != NIL {
            self.node_mut(old).prev = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let node = self.node(index);
        let (prev, next) = (node.prev, node.next);
        assert!(prev != FREE, "no timer has index {index}");
        if next != NIL {
            self.node_mut(next).prev = prev;
        }
        if prev & FIRST == 0 {
            self.node_mut(prev).next = next;
            return;
        }
        let (level, slot) = split(prev & !FIRST);
        if let Some(heads) = &mut self.levels[level] {
            heads[slot] = next;
        }
        if next == NIL {
            self.bitmaps[level][slot / 64] &= !(1 << (slot % 64));
        }
    }

    fn head(&self, slot_id: u32) -> u32 {
        let (level, slot) = split(slot_id);
        self.levels[level].as_ref().map_or(NIL, |heads| heads[slot])
    }

    fn allocate(&mut self, payload: P) -> u32 {
        if self.free != NIL {
            let index = self.free;
            let node = self.node_mut(index);
            let next = node.next;
            node.payload = payload;
            self.free = next;
            return index;
        }
        let index = self.nodes.push(Node {
            prev: FREE,
            next: NIL,
            payload,
        });
        assert!(index < NODES_MAX, "more than 2^31 timers");
        index as u32
    }

    fn release(&mut self, index: u32) -> P {
        self.len -= 1;
        let free = self.free;
        let node = self.node_mut(index);
        node.prev = FREE;
        node.next = free;
        let payload = node.payload;
        if self.len == 0 {
            // An empty wheel owes nobody an index: give the memory back.
            self.free = NIL;
            self.nodes.clear();
        } else {
            self.free = index;
        }
        payload
    }

    fn node(&self, index: u32) -> &Node<P> {
        &self.nodes[index as usize]
    }

    fn node_mut(&mut self, index: u32) -> &mut Node<P> {
        &mut self.nodes[index as usize]
    }
}

impl<P> fmt::Debug for TimerWheel<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel")
            .field("current", &self.current)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

fn slot_id(level: usize, slot: usize) -> u32 {
    (level * SLOTS + slot) as u32
}

fn split(slot_id: u32) -> (usize, usize) {
    (slot_id as usize / SLOTS, slot_id as usize % SLOTS)
}

/// The first set bit at or after `from`.
fn next_bit(bitmap: &[u64; BITMAP_WORDS], from: usize) -> Option<usize> {
    let mut word = from / 64;
    let mut bits = bitmap[word] & (!0 << (from % 64));
    loop {
        if bits != 0 {
            return Some(word * 64 + bits.trailing_zeros() as usize);
        }
        word += 1;
        bits = *bitmap.get(word)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl<P: Payload> TimerWheel<P> {
        /// Level counted from 1, as the vectors do, and slot.
        fn place(&self, index: u32) -> (usize, usize) {
            let mut at = self.node(index).prev;
            while at & FIRST == 0 {
                at = self.node(at).prev;
            }
            let (level, slot) = split(at & !FIRST);
            (level + 1, slot)
        }
    }

    fn pop(wheel: &mut TimerWheel<u64>, now: u64) -> Due<u64> {
        wheel.pop_due(now, &mut usize::MAX.clone(), |p| *p)
    }

    #[test]
    fn a_node_takes_16_bytes() {
        assert_eq!(size_of::<Node<u64>>(), 16);
    }

    #[test]
    fn known_places() {
        let mut wheel = TimerWheel::new(0);
        let a = wheel.insert(300, 300);
        let b = wheel.insert(320, 320);
        let c = wheel.insert(65_546, 65_546);
        assert_eq!(wheel.place(a), (2, 1));
        assert_eq!(wheel.place(b), (2, 1));
        assert_eq!(wheel.place(c), (3, 1));
        assert_eq!(wheel.next_tick(), Some(256));
        assert_eq!(pop(&mut wheel, 256), Due::Idle);
        assert_eq!(wheel.place(a), (1, 44));
        assert_eq!(wheel.place(b), (1, 64));
        assert_eq!(wheel.next_tick(), Some(300));
        assert_eq!(pop(&mut wheel, 299), Due::Idle);
        assert_eq!(pop(&mut wheel, 300), Due::Fired(300));
        assert_eq!(pop(&mut wheel, 300), Due::Idle);
        assert_eq!(pop(&mut wheel, 100_000), Due::Fired(320));
        assert_eq!(pop(&mut wheel, 100_000), Due::Fired(65_546));
        assert_eq!(pop(&mut wheel, 100_000), Due::Idle);
        assert_eq!(wheel.next_tick(), None);
    }

    #[test]
    fn the_far_end_of_time_fits() {
        let mut wheel = TimerWheel::new(5);
        let a = wheel.insert(u64::MAX, u64::MAX);
        assert_eq!(wheel.place(a), (8, 255));
        assert_eq!(pop(&mut wheel, u64::MAX - 1), Due::Idle);
        assert_eq!(pop(&mut wheel, u64::MAX), Due::Fired(u64::MAX));
    }

    #[test]
    fn past_deadlines_fire_at_the_next_pop() {
        let mut wheel = TimerWheel::new(1_000);
        wheel.insert(3, 3);
        assert_eq!(wheel.next_tick(), Some(1_000));
        assert_eq!(pop(&mut wheel, 1_000), Due::Fired(3));
    }

    #[test]
    fn time_does_not_step_back() {
        let mut wheel = TimerWheel::new(0);
        wheel.insert(100, 100);
        wheel.insert(900, 900);
        assert_eq!(pop(&mut wheel, 500), Due::Fired(100));
        assert_eq!(pop(&mut wheel, 500), Due::Idle);
        wheel.insert(400, 400);
        assert_eq!(pop(&mut wheel, 50), Due::Fired(400));
        assert_eq!(pop(&mut wheel, 50), Due::Idle);
    }

    #[test]
    #[should_panic(expected = "no timer has index")]
    fn cancelling_a_fired_timer_is_a_bug() {
        let mut wheel = TimerWheel::new(0);
        let a = wheel.insert(1, 1);
        wheel.insert(1_000, 1_000);
        assert_eq!(pop(&mut wheel, 1), Due::Fired(1));
        wheel.cancel(a);
    }

    #[test]
    fn an_extended_deadline_refiles_itself() {
        let mut wheel = TimerWheel::new(0);
        let a = wheel.insert(10, 10);
        wheel.set_payload(a, 70_000);
        assert_eq!(pop(&mut wheel, 69_999), Due::Idle);
        assert_eq!(pop(&mut wheel, 70_000), Due::Fired(70_000));
    }

    #[test]
    fn cascading_is_resumable() {
        let mut wheel = TimerWheel::new(0);
        for i in 0..1_000 {
            wheel.insert(256 + i % 256, 256 + i % 256);
        }
        let mut fired = 0;
        let mut calls = 0;
        loop {
            let mut work = 10;
            calls += 1;
            match wheel.pop_due(300, &mut work, |p| *p) {
                Due::Fired(d) => {
                    assert!(d <= 300);
                    fired += 1;
                }
                Due::OutOfWork => assert_eq!(wheel.next_tick(), Some(256)),
                Due::Idle => break,
            }
            assert!(calls < 10_000);
        }
        assert_eq!(fired, (0..1_000).filter(|i| 256 + i % 256 <= 300).count());
        assert_eq!(wheel.len(), 1_000 - fired);
    }

    #[test]
    fn an_empty_wheel_gives_its_nodes_back() {
        let mut wheel = TimerWheel::new(0);
        let all: Vec<u32> = (0..10_000).map(|i| wheel.insert(i, i)).collect();
        for (i, index) in all.iter().enumerate() {
            assert_eq!(wheel.cancel(*index), i as u64);
        }
        assert!(wheel.nodes.is_empty());
        assert_eq!(wheel.next_tick(), None);
        assert_eq!(wheel.insert(1, 1), 0);
    }

    /// An id with room for 16 bits.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Roomy(u64);

    impl Payload for Roomy {
        fn keep(&mut self, low: u16) {
            self.0 = self.0 & !(0xffff << 48) | u64::from(low) << 48;
        }
        fn kept(&self) -> Option<u16> {
            Some((self.0 >> 48) as u16)
        }
    }

    /// Both kinds of payloads as ids.
    trait Id: Payload {
        fn of(id: u64) -> Self;
        fn id(self) -> u64;
    }

    impl Id for u64 {
        fn of(id: u64) -> u64 {
            id
        }
        fn id(self) -> u64 {
            self
        }
    }

    impl Id for Roomy {
        fn of(id: u64) -> Roomy {
            Roomy(id)
        }
        fn id(self) -> u64 {
            self.0 << 16 >> 16
        }
    }

    #[test]
    fn a_kept_deadline_is_moved_without_its_owner() {
        let mut wheel = TimerWheel::new(0);
        wheel.insert(Roomy(1), 700);
        let asked = |_: &Roomy| panic!("nobody is asked for a deadline that is known");
        assert_eq!(
            wheel.pop_due(699, &mut usize::MAX.clone(), asked),
            Due::Idle
        );
        assert_eq!(wheel.next_tick(), Some(700));
        let fired = wheel.pop_due(700, &mut usize::MAX.clone(), |_| 700);
        assert!(matches!(fired, Due::Fired(payload) if payload.id() == 1));
    }

    #[test]
    fn a_random_payload_is_any_that_is_there() {
        let mut wheel = TimerWheel::new(0);
        assert_eq!(wheel.random(7), None);
        let indices: Vec<u32> = (0..300).map(|n| wheel.insert(n, n)).collect();
        for n in (0..300).filter(|n| n % 3 > 0) {
            wheel.cancel(indices[n]);
        }
        let mut seen: Vec<u64> = (0..900).filter_map(|n| wheel.random(n)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.iter().copied().eq((0..300).step_by(3)));
    }

    #[test]
    fn looking_ahead_shows_what_is_popped_next() {
        let mut wheel = TimerWheel::new(1_000);
        for deadline in [1_003, 1_020, 1_020, 1_023, 1_024, 70_000] {
            wheel.insert(deadline, deadline);
        }
        let shown = |wheel: &TimerWheel<u64>, now| {
            let mut shown = Vec::new();
            wheel.look_ahead(now, |payload| shown.push(*payload));
            shown
        };
        assert_eq!(shown(&wheel, 1_002), []);
        assert_eq!(
            shown(&wheel, 1_022),
            [1_003, 1_020],
            "the first of each tick"
        );
        assert_eq!(shown(&wheel, 9_000_000), [1_003, 1_020, 1_023]);
        assert_eq!(pop(&mut wheel, 1_022), Due::Fired(1_003));
        assert_eq!(shown(&wheel, 1_023), [1_020, 1_023]);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u64),
        Cancel(prop::sample::Index),
        Extend(prop::sample::Index, u64),
        Advance(u64, usize),
    }

    fn distance() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 0..600u64, 2 => 0..200_000u64, 1 => 0..20_000_000u64, 1 => any::<u64>()]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => distance().prop_map(Op::Insert),
            1 => any::<prop::sample::Index>().prop_map(Op::Cancel),
            1 => (any::<prop::sample::Index>(), distance()).prop_map(|(i, d)| Op::Extend(i, d)),
            3 => (distance(), 0..50usize).prop_map(|(d, w)| Op::Advance(d, w)),
        ]
    }

    fn compare_with_a_sorted_map<P: Id>(start: u64, ops: Vec<Op>) -> Result<(), TestCaseError> {
        let mut wheel = TimerWheel::<P>::new(start);
        let mut now = start;
        // id -> (deadline, index); the payload is the id.
        let mut model: BTreeMap<u64, (u64, u32)> = BTreeMap::new();
        let mut next_id = 0;
        for op in ops {
            match op {
                Op::Insert(d) => {
                    let deadline = now.saturating_add(d).saturating_sub(100);
                    let index = wheel.insert(P::of(next_id), deadline);
                    model.insert(next_id, (deadline, index));
                    next_id += 1;
                }
                Op::Cancel(i) if !model.is_empty() => {
                    let id = *model.keys().nth(i.index(model.len())).unwrap();
                    let (_, index) = model.remove(&id).unwrap();
                    prop_assert_eq!(wheel.cancel(index).id(), id);
                }
                Op::Extend(i, d) if !model.is_empty() => {
                    let id = *model.keys().nth(i.index(model.len())).unwrap();
                    let entry = model.get_mut(&id).unwrap();
                    entry.0 = entry.0.saturating_add(d);
                }
                Op::Advance(d, work) => {
                    now = now.saturating_add(d);
                    let mut work = work;
                    loop {
                        match wheel.pop_due(now, &mut work, |payload| model[&payload.id()].0) {
                            Due::Fired(payload) => {
                                let (deadline, _) = model.remove(&payload.id()).unwrap();
                                prop_assert!(deadline <= now);
                            }
                            Due::OutOfWork => {
                                prop_assert_eq!(work, 0);
                                break;
                            }
                            Due::Idle => {
                                prop_assert!(model.values().all(|(d, _)| *d > now));
                                break;
                            }
                        }
                    }
                }
                _ => {}
            }
            prop_assert_eq!(wheel.len(), model.len());
            let earliest = model.values().map(|(d, _)| *d).min();
            match (wheel.next_tick(), earliest) {
                (None, None) => {}
                (Some(tick), Some(deadline)) => prop_assert!(tick <= deadline.max(now)),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn behaves_like_a_sorted_map(start in distance(), ops in prop::collection::vec(op(), 1..200)) {
            compare_with_a_sorted_map::<u64>(start, ops.clone())?;
            compare_with_a_sorted_map::<Roomy>(start, ops)?;
        }
    }
}
