//! Nodes, and the operations that go down the tree.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use super::leaf::{JOINED_MAX, Leaf};
use super::way::{Path, Way};
use super::{Probe, SortKey};

/// Most children of an inner node.
pub(super) const CHILDREN_MAX: usize = 64;

#[derive(Clone)]
pub(super) enum Node<K> {
    Leaf(Arc<Leaf<K>>),
    Inner(Arc<Inner<K>>),
}

/// The three arrays have an element per child.
#[derive(Clone)]
pub(super) struct Inner<K> {
    pub(super) len: usize,
    pub(super) counts: Vec<usize>,
    pub(super) firsts: Vec<K>,
    pub(super) children: Vec<Node<K>>,
}

impl<K: SortKey> Node<K> {
    pub(super) fn leaf(leaf: Leaf<K>) -> Self {
        Node::Leaf(Arc::new(leaf))
    }

    pub(super) fn inner(children: impl Into<Vec<Node<K>>>) -> Self {
        let children = children.into();
        let counts: Vec<usize> = children.iter().map(Node::len).collect();
        Node::Inner(Arc::new(Inner {
            len: counts.iter().sum(),
            counts,
            firsts: children.iter().map(Node::first_key).collect(),
            children,
        }))
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.len,
        }
    }

    /// The key of its first entry. No node below the root is empty.
    fn first_key(&self) -> K {
        match self {
            Node::Leaf(leaf) => leaf.key(0),
            Node::Inner(inner) => inner.firsts[0],
        }
    }

    fn first_payload(&self) -> &[u8] {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.payload(0),
                Node::Inner(inner) => node = &inner.children[0],
            }
        }
    }

    /// The leaf of a rank, and the rank inside. The rank of the length is in the last leaf.
    #[inline]
    pub(super) fn locate(&self, mut rank: usize) -> (&Leaf<K>, usize) {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf, rank),
                Node::Inner(inner) => {
                    let (child, inside) = inner.child_of(rank);
                    (node, rank) = (&inner.children[child], inside);
                }
            }
        }
    }

    /// The leaf where the probed place is, the place inside (its length if the place is behind its last entry), and the rank.
    pub(super) fn find(&self, probe: &impl Probe<K>) -> (&Leaf<K>, usize, usize) {
        let (mut node, mut before) = (self, 0);
        loop {
            match node {
                Node::Leaf(leaf) => {
                    leaf.prefetch();
                    let at = leaf.find(probe);
                    return (leaf, at, before + at);
                }
                Node::Inner(inner) => {
                    // The place is in the last child that begins before it.
                    let child = partition_point(&inner.firsts[1..], probe, Ordering::Less, |at| {
                        inner.children[at + 1].first_payload()
                    });
                    before += inner.counts[..child].iter().sum::<usize>();
                    node = &inner.children[child];
                }
            }
        }
    }

    /// The leaf that begins at or before the probed place, and the path to it. Its keys are asked for, and not looked at yet.
    #[inline]
    pub(super) fn descend(&self, probe: &impl Probe<K>) -> (&Leaf<K>, Path) {
        let (mut node, mut path) = (self, Path::default());
        loop {
            match node {
                Node::Leaf(leaf) => {
                    leaf.prefetch();
                    return (leaf, path);
                }
                Node::Inner(inner) => {
                    let child = partition_point(&inner.firsts[1..], probe, Ordering::Equal, |at| {
                        inner.children[at + 1].first_payload()
                    });
                    path.push(child);
                    node = &inner.children[child];
                }
            }
        }
    }

    /// The path of a way.
    pub(super) fn path_of(&self, way: &mut impl Way<K>) -> Path {
        let (mut node, mut path) = (self, Path::default());
        while let Node::Inner(inner) = node {
            let child = way.child(inner);
            path.push(child);
            node = &inner.children[child];
        }
        path.at = way.at() as u8;
        path
    }

    /// The rank of a way's end.
    pub(super) fn rank_of(&self, way: &mut impl Way<K>) -> usize {
        let (mut node, mut before) = (self, 0);
        while let Node::Inner(inner) = node {
            let child = way.child(inner);
            before += inner.counts[..child].iter().sum::<usize>();
            node = &inner.children[child];
        }
        before + way.at()
    }

    /// Adds an entry; a node that belongs to the right of this one is the answer when it had to be split.
    pub(super) fn insert(
        &mut self,
        way: &mut impl Way<K>,
        key: K,
        payload: &[u8],
    ) -> Option<Node<K>> {
        match self {
            Node::Leaf(leaf) => {
                let (leaf, rank) = (Arc::make_mut(leaf), way.at());
                if leaf.has_room(payload.len()) {
                    leaf.insert(rank, key, payload);
                    return None;
                }
                let cut = leaf.cut(rank);
                let mut right = leaf.split_off(cut);
                if cut == 0 {
                    leaf.expect_more(&right);
                } else if right.len() == 0 {
                    right.expect_more(leaf);
                }
                if rank < cut || (rank == cut && cut > 0 && leaf.has_room(payload.len())) {
                    leaf.insert(rank, key, payload);
                } else if cut == 0 {
                    leaf.insert(0, key, payload);
                } else {
                    right.insert(rank - cut, key, payload);
                }
                Some(Node::leaf(right))
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let child = way.child(inner);
                inner.len += 1;
                let right = inner.children[child].insert(way, key, payload);
                inner.refresh(child);
                let right = right?;
                inner.counts.insert(child + 1, right.len());
                inner.firsts.insert(child + 1, right.first_key());
                inner.children.insert(child + 1, right);
                if inner.children.len() <= CHILDREN_MAX {
                    return None;
                }
                // Growing at an end leaves full nodes behind.
                let cut = match child + 1 {
                    last if last == CHILDREN_MAX => last,
                    1 => 1,
                    _ => CHILDREN_MAX / 2,
                };
                Some(inner.split_off(cut))
            }
        }
    }

    /// Replaces an entry if its leaf has room for that; whether it has.
    pub(super) fn replace(&mut self, way: &mut impl Way<K>, key: K, payload: &[u8]) -> bool {
        match self {
            Node::Leaf(leaf) => {
                let has_room = leaf.has_room_at(way.at(), payload.len());
                if has_room {
                    Arc::make_mut(leaf).replace(way.at(), key, payload);
                }
                has_room
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let child = way.child(inner);
                let is_done = inner.children[child].replace(way, key, payload);
                inner.note_first(child, way);
                is_done
            }
        }
    }

    /// Gives an entry another key.
    pub(super) fn set_key(&mut self, way: &mut impl Way<K>, key: K) {
        match self {
            Node::Leaf(leaf) => Arc::make_mut(leaf).set_key(way.at(), key),
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let child = way.child(inner);
                inner.children[child].set_key(way, key);
                inner.note_first(child, way);
            }
        }
    }

    /// Takes an entry away; whether all nodes are still there.
    pub(super) fn remove_one(&mut self, way: &mut impl Way<K>) -> bool {
        match self {
            Node::Leaf(leaf) => {
                let at = way.at();
                Arc::make_mut(leaf).remove(at..at + 1);
                true
            }
            Node::Inner(inner) if inner.len == 1 => {
                *self = Node::leaf(Leaf::new());
                false
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let child = way.child(inner);
                inner.len -= 1;
                let before = inner.children.len();
                let mut all_stay = false;
                if inner.counts[child] == 1 {
                    inner.drain(child..child + 1);
                } else {
                    all_stay = inner.children[child].remove_one(way);
                    inner.refresh(child);
                }
                inner.tidy(child);
                all_stay && inner.children.len() == before
            }
        }
    }

    /// Takes entries away, at least one and, below the root, not all.
    pub(super) fn remove(&mut self, ranks: Range<usize>) {
        match self {
            Node::Leaf(leaf) => Arc::make_mut(leaf).remove(ranks),
            Node::Inner(inner) if ranks.len() == inner.len => *self = Node::leaf(Leaf::new()),
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let (first, start) = inner.child_of(ranks.start);
                let (last, end) = inner.child_of(ranks.end - 1);
                inner.len -= ranks.len();
                if first == last {
                    inner.remove_from(first, start..end + 1);
                } else {
                    let whole = inner.counts[first];
                    // From the right, so that the numbers on the left stay.
                    inner.remove_from(last, 0..end + 1);
                    inner.drain(first + 1..last);
                    inner.remove_from(first, start..whole);
                }
                inner.tidy(first);
            }
        }
    }

    /// Removes levels that have one child only.
    pub(super) fn lower(&mut self) {
        while let Node::Inner(inner) = self {
            match inner.children.len() {
                0 => *self = Node::leaf(Leaf::new()),
                1 => *self = inner.children[0].clone(),
                _ => return,
            }
        }
    }

    fn can_absorb(&self, other: &Self) -> bool {
        match (self, other) {
            (Node::Leaf(left), Node::Leaf(right)) => left.can_absorb(right),
            (Node::Inner(left), Node::Inner(right)) => {
                left.children.len() + right.children.len() <= CHILDREN_MAX / 4 * 3
            }
            _ => unreachable!("siblings are at one depth"),
        }
    }

    fn absorb(&mut self, other: &Self) {
        match (self, other) {
            (Node::Leaf(left), Node::Leaf(right)) => Arc::make_mut(left).absorb(right),
            (Node::Inner(left), Node::Inner(right)) => {
                let left = Arc::make_mut(left);
                left.len += right.len;
                left.counts.extend_from_slice(&right.counts);
                left.firsts.extend_from_slice(&right.firsts);
                left.children.extend_from_slice(&right.children);
            }
            _ => unreachable!("siblings are at one depth"),
        }
    }

    pub(super) fn leaf_count(&self) -> usize {
        match self {
            Node::Leaf(_) => 1,
            Node::Inner(inner) => match inner.children[0] {
                Node::Leaf(_) => inner.children.len(),
                Node::Inner(_) => inner.children.iter().map(Node::leaf_count).sum(),
            },
        }
    }

    pub(super) fn payload_bytes(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.payload_bytes(),
            Node::Inner(inner) => inner.children.iter().map(Node::payload_bytes).sum(),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        /// Two reference counts.
        const ARC_BYTES: usize = 16;
        ARC_BYTES
            + match self {
                Node::Leaf(leaf) => leaf.memory_bytes(),
                Node::Inner(inner) => {
                    let below: usize = inner.children.iter().map(Node::memory_bytes).sum();
                    below
                        + size_of::<Inner<K>>()
                        + inner.counts.capacity() * size_of::<usize>()
                        + inner.firsts.capacity() * size_of::<K>()
                        + inner.children.capacity() * size_of::<Node<K>>()
                }
            }
    }
}

impl<K: SortKey> Inner<K> {
    /// The child of a rank, and the rank inside.
    #[inline]
    pub(super) fn child_of(&self, mut rank: usize) -> (usize, usize) {
        let last = self.counts.len() - 1;
        for (child, count) in self.counts[..last].iter().enumerate() {
            if rank < *count {
                return (child, rank);
            }
            rank -= count;
        }
        (last, rank)
    }

    /// An entry of a child has changed, whose number in its leaf is the way's.
    #[inline]
    fn note_first(&mut self, child: usize, way: &impl Way<K>) {
        if way.at() == 0 {
            self.firsts[child] = self.children[child].first_key();
        }
    }

    /// Looks at a child again.
    fn refresh(&mut self, child: usize) {
        self.counts[child] = self.children[child].len();
        self.firsts[child] = self.children[child].first_key();
    }

    fn drain(&mut self, children: Range<usize>) {
        self.counts.drain(children.clone());
        self.firsts.drain(children.clone());
        self.children.drain(children);
    }

    /// Removes entries from a child, and the child if none is left.
    fn remove_from(&mut self, child: usize, ranks: Range<usize>) {
        if ranks.len() == self.counts[child] {
            self.drain(child..child + 1);
        } else {
            self.children[child].remove(ranks);
            self.refresh(child);
        }
    }

    /// Joins small children around `at` with their neighbours.
    fn tidy(&mut self, at: usize) {
        let from = at.saturating_sub(1);
        for left in (from..(at + 2).min(self.children.len())).rev() {
            let Some(right) = self.children.get(left + 1) else {
                continue;
            };
            // The counts tell of most leaves that they cannot be joined, without a look at them.
            let is_full = matches!(right, Node::Leaf(_))
                && self.counts[left] + self.counts[left + 1] > JOINED_MAX;
            if !is_full && self.children[left].can_absorb(right) {
                let right = right.clone();
                self.children[left].absorb(&right);
                self.drain(left + 1..left + 2);
                self.refresh(left);
            }
        }
    }

    fn split_off(&mut self, at: usize) -> Node<K> {
        let counts = self.counts.split_off(at);
        let len = counts.iter().sum();
        self.len -= len;
        Node::Inner(Arc::new(Inner {
            len,
            counts,
            firsts: self.firsts.split_off(at),
            children: self.children.split_off(at),
        }))
    }
}

/// The number of the first entry that lies behind the probed place: that is not `Less`, or, up to `Equal`, that is `Greater`. Keys decide
/// without branches that depend on them, which none could foresee; payloads are looked at only where keys are `Equal`.
#[inline]
pub(super) fn partition_point<'a, K: SortKey>(
    keys: &[K],
    probe: &impl Probe<K>,
    up_to: Ordering,
    payload: impl Fn(usize) -> &'a [u8],
) -> usize {
    let is_equal = |key: &K| probe.by_key(*key) == Ordering::Equal;
    // Often all keys are equal.
    let mut from = match keys.first() {
        Some(first) if is_equal(first) => 0,
        _ => keys.partition_point(|key| probe.by_key(*key) == Ordering::Less),
    };
    if !keys.get(from).is_some_and(is_equal) {
        return from;
    }
    let mut to = match keys.last() {
        Some(last) if is_equal(last) => keys.len(),
        _ => from + keys[from..].partition_point(is_equal),
    };
    while from < to {
        let middle = from.midpoint(to);
        if probe.by_payload(payload(middle)) <= up_to {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}
