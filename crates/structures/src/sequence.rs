//! Persistent sequence of values that are cheap to clone, such as references: what a stream keeps its blocks in.
//!
//! ```text
//!          Inner  counts | children (up to 64)
//!         /     \
//!     Leaf       Leaf   values (up to 64)
//! ```
//!
//! Values are added at the end and removed anywhere; they are addressed by rank. Nodes are reference-counted: cloning a sequence is O(1),
//! and a change of a clone copies the nodes on its path.
//!
//! **Invariant.** No node but an only root is empty, and all leaves are at one depth. Nodes are full when the next one is begun; what
//! removals leave is not joined, since a stream loses its values at the front, where whole nodes go.

use std::ops::Range;
use std::sync::Arc;

/// Most values of a leaf, and most children of an inner node.
const WIDTH: usize = 64;

/// See the module's text.
#[derive(Clone)]
pub struct Sequence<T> {
    root: Node<T>,
}

#[derive(Clone)]
enum Node<T> {
    Leaf(Arc<Vec<T>>),
    Inner(Arc<Inner<T>>),
}

/// The two arrays have an element per child.
#[derive(Clone)]
struct Inner<T> {
    len: usize,
    counts: Vec<usize>,
    children: Vec<Node<T>>,
}

impl<T: Clone> Default for Sequence<T> {
    fn default() -> Self {
        Sequence::new()
    }
}

impl<T: Clone> std::fmt::Debug for Sequence<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequence")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T: Clone> Sequence<T> {
    /// An empty one.
    pub fn new() -> Self {
        Sequence {
            root: Node::Leaf(Arc::default()),
        }
    }

    /// Number of values.
    #[inline]
    pub fn len(&self) -> usize {
        self.root.len()
    }

    /// Whether there is no value.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of this rank. O(log n).
    #[inline]
    pub fn get(&self, mut rank: usize) -> Option<&T> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(values) => return values.get(rank),
                Node::Inner(inner) => {
                    let (child, inside) = inner.child_of(rank)?;
                    (node, rank) = (&inner.children[child], inside);
                }
            }
        }
    }

    /// The value of this rank, for changing it. O(log n).
    pub fn get_mut(&mut self, mut rank: usize) -> Option<&mut T> {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(values) => return Arc::make_mut(values).get_mut(rank),
                Node::Inner(inner) => {
                    let (child, inside) = inner.child_of(rank)?;
                    rank = inside;
                    node = &mut Arc::make_mut(inner).children[child];
                }
            }
        }
    }

    /// Adds a value at the end. O(log n).
    pub fn push(&mut self, value: T) {
        if let Some(right) = self.root.push(value) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Arc::default()));
            self.root = Node::Inner(Arc::new(Inner {
                len: left.len() + right.len(),
                counts: vec![left.len(), right.len()],
                children: vec![left, right],
            }));
        }
    }

    /// Takes a range of ranks away. O(log n) and the nodes that are freed.
    ///
    /// # Panics
    /// If the range ends past the end.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        assert!(ranks.end <= self.len(), "{ranks:?} of {}", self.len());
        if ranks.is_empty() {
            return;
        }
        if ranks.len() == self.len() {
            *self = Sequence::new();
            return;
        }
        self.root.remove(ranks);
        self.root.lower();
    }

    /// The rank of the first value for which `is_before` does not hold, where it holds for those before it. O(log n).
    pub fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(values) => return rank + values.partition_point(|v| is_before(v)),
                Node::Inner(inner) => {
                    let begins_before = |node: &Node<T>| is_before(node.first());
                    // The place is in the last child that begins before it.
                    let child = inner.children[1..].partition_point(begins_before);
                    rank += inner.counts[..child].iter().sum::<usize>();
                    node = &inner.children[child];
                }
            }
        }
    }

    /// Visits all values in order. O(n).
    pub fn for_each(&self, mut visit: impl FnMut(&T)) {
        self.root.for_each(&mut visit);
    }

    /// Frees the last leaf; false when nothing is left. For freeing a long one in slices.
    pub fn shed(&mut self) -> bool {
        let Some(last) = self.len().checked_sub(1) else {
            return false;
        };
        let in_leaf = self.root.last_leaf_len();
        self.remove_range(last + 1 - in_leaf..last + 1);
        !self.is_empty()
    }

    /// Bytes of the nodes; those that other sequences share count in full. O(n / 64).
    pub fn memory_bytes(&self) -> usize {
        self.root.memory_bytes()
    }

    /// Panics unless the sequence is sound. O(n).
    pub fn assert_consistent(&self) {
        let mut depth = None;
        self.root.assert_consistent(0, true, &mut depth);
    }
}

impl<T: Clone> Node<T> {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(values) => values.len(),
            Node::Inner(inner) => inner.len,
        }
    }

    fn first(&self) -> &T {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(values) => return &values[0],
                Node::Inner(inner) => node = &inner.children[0],
            }
        }
    }

    fn last_leaf_len(&self) -> usize {
        match self {
            Node::Leaf(values) => values.len(),
            Node::Inner(inner) => inner.children[inner.children.len() - 1].last_leaf_len(),
        }
    }

    fn for_each(&self, visit: &mut impl FnMut(&T)) {
        match self {
            Node::Leaf(values) => values.iter().for_each(visit),
            Node::Inner(inner) => inner
                .children
                .iter()
                .for_each(|child| child.for_each(visit)),
        }
    }

    /// Adds a value; a node that belongs to the right of this one is the answer when this one is full.
    fn push(&mut self, value: T) -> Option<Node<T>> {
        match self {
            Node::Leaf(values) if values.len() == WIDTH => Some(Node::Leaf(Arc::new(vec![value]))),
            Node::Leaf(values) => {
                Arc::make_mut(values).push(value);
                None
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let last = inner.children.len() - 1;
                match inner.children[last].push(value) {
                    None => inner.counts[last] += 1,
                    Some(right) if last + 1 < WIDTH => {
                        inner.counts.push(1);
                        inner.children.push(right);
                    }
                    Some(right) => {
                        return Some(Node::Inner(Arc::new(Inner {
                            len: 1,
                            counts: vec![1],
                            children: vec![right],
                        })));
                    }
                }
                inner.len += 1;
                None
            }
        }
    }

    /// Takes values away, at least one and not all.
    fn remove(&mut self, ranks: Range<usize>) {
        match self {
            Node::Leaf(values) => {
                Arc::make_mut(values).drain(ranks);
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let (first, start) = inner.child_of(ranks.start).expect("a rank inside");
                let (last, end) = inner.child_of(ranks.end - 1).expect("a rank inside");
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
            }
        }
    }

    /// Removes levels that have one child only.
    fn lower(&mut self) {
        while let Node::Inner(inner) = self
            && inner.children.len() == 1
        {
            *self = inner.children[0].clone();
        }
    }

    fn memory_bytes(&self) -> usize {
        /// Two reference counts.
        const ARC_BYTES: usize = 16;
        ARC_BYTES
            + match self {
                Node::Leaf(values) => size_of::<Vec<T>>() + values.capacity() * size_of::<T>(),
                Node::Inner(inner) => {
                    let below: usize = inner.children.iter().map(Node::memory_bytes).sum();
                    below
                        + size_of::<Inner<T>>()
                        + inner.counts.capacity() * size_of::<usize>()
                        + inner.children.capacity() * size_of::<Node<T>>()
                }
            }
    }

    fn assert_consistent(&self, level: usize, is_root: bool, depth: &mut Option<usize>) {
        match self {
            Node::Leaf(values) => {
                assert!(is_root || !values.is_empty(), "an empty leaf");
                assert!(values.len() <= WIDTH);
                assert_eq!(*depth.get_or_insert(level), level, "leaves at two depths");
            }
            Node::Inner(inner) => {
                assert!(!is_root || inner.children.len() > 1, "a level too many");
                assert!(inner.children.len() <= WIDTH && !inner.children.is_empty());
                assert_eq!(inner.len, inner.counts.iter().sum::<usize>());
                assert_eq!(inner.counts.len(), inner.children.len());
                for (count, child) in inner.counts.iter().zip(&inner.children) {
                    assert_eq!(*count, child.len());
                    child.assert_consistent(level + 1, false, depth);
                }
            }
        }
    }
}

impl<T: Clone> Inner<T> {
    /// The child of a rank, and the rank inside; `None` past the end.
    #[inline]
    fn child_of(&self, mut rank: usize) -> Option<(usize, usize)> {
        for (child, count) in self.counts.iter().enumerate() {
            if rank < *count {
                return Some((child, rank));
            }
            rank -= count;
        }
        None
    }

    fn drain(&mut self, children: Range<usize>) {
        self.counts.drain(children.clone());
        self.children.drain(children);
    }

    /// Removes values from a child, and the child if none is left.
    fn remove_from(&mut self, child: usize, ranks: Range<usize>) {
        if ranks.len() == self.counts[child] {
            self.drain(child..child + 1);
        } else {
            self.counts[child] -= ranks.len();
            self.children[child].remove(ranks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Remove(usize, usize),
        RemoveFront(usize),
        Change(usize),
        Image,
        Shed,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1usize..3000).prop_map(Step::Push),
            3 => (any::<usize>(), 1usize..200).prop_map(|(at, n)| Step::Remove(at, n)),
            3 => (1usize..2000).prop_map(Step::RemoveFront),
            2 => any::<usize>().prop_map(Step::Change),
            1 => Just(Step::Image),
            1 => Just(Step::Shed),
        ];
        proptest::collection::vec(step, 1..40)
    }

    fn values(sequence: &Sequence<u32>) -> Vec<u32> {
        let mut values = Vec::new();
        sequence.for_each(|value| values.push(*value));
        values
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn is_a_vector_and_images_never_change(steps in steps()) {
            let (mut sequence, mut model) = (Sequence::<u32>::new(), Vec::<u32>::new());
            let mut images: Vec<(Sequence<u32>, Vec<u32>)> = Vec::new();
            let mut next = 0;
            for step in steps {
                match step {
                    Step::Push(n) => for _ in 0..n {
                        next += 10;
                        sequence.push(next);
                        model.push(next);
                    },
                    Step::Remove(at, n) if !model.is_empty() => {
                        let at = at % model.len();
                        let end = (at + n).min(model.len());
                        sequence.remove_range(at..end);
                        model.drain(at..end);
                    }
                    Step::RemoveFront(n) => {
                        let n = n.min(model.len());
                        sequence.remove_range(0..n);
                        model.drain(..n);
                    }
                    Step::Change(at) if !model.is_empty() => {
                        let at = at % model.len();
                        *sequence.get_mut(at).expect("a rank inside") += 1;
                        model[at] += 1;
                    }
                    Step::Image => images.push((sequence.clone(), model.clone())),
                    Step::Shed => {
                        sequence.shed();
                        model.truncate(sequence.len());
                    }
                    _ => {}
                }
                sequence.assert_consistent();
                prop_assert_eq!(sequence.len(), model.len());
            }
            prop_assert_eq!(values(&sequence), model.clone());
            for at in (0..model.len()).step_by(37) {
                prop_assert_eq!(sequence.get(at), Some(&model[at]));
                prop_assert_eq!(sequence.partition_point(|v| *v < model[at]), at);
            }
            prop_assert_eq!(sequence.get(model.len()), None);
            prop_assert_eq!(sequence.partition_point(|_| true), model.len());
            for (image, then) in images {
                prop_assert_eq!(values(&image), then);
            }
        }
    }
}
