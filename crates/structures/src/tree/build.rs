//! Building a tree at once from entries that come in order: every leaf is written once, full, and the levels above follow.

use super::leaf::Leaf;
use super::node::{CHILDREN_MAX, Node};
use super::{SortKey, Tree};

/// Takes the entries of a tree in their order.
pub struct Builder<K: SortKey> {
    /// The leaf that is being filled, with arrays that are used again for the next one.
    filling: Leaf<K>,
    leaves: Vec<Node<K>>,
}

impl<K: SortKey> std::fmt::Debug for Builder<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("leaves", &self.leaves.len())
            .finish_non_exhaustive()
    }
}

impl<K: SortKey> Default for Builder<K> {
    fn default() -> Self {
        Builder::new()
    }
}

impl<K: SortKey> Builder<K> {
    /// Nothing yet.
    pub fn new() -> Self {
        Builder {
            filling: Leaf::new(),
            leaves: Vec::new(),
        }
    }

    /// The next entry. O(1) but for the bytes.
    ///
    /// # Panics
    /// For a payload above 4 GiB.
    #[inline]
    pub fn push(&mut self, key: K, payload: &[u8]) {
        if !self.filling.has_room(payload.len()) {
            self.leaves.push(Node::leaf(self.filling.take_fitting()));
        }
        self.filling.append(key, payload);
    }

    /// The tree of all entries.
    pub fn finish(mut self) -> Tree<K> {
        if self.filling.len() > 0 || self.leaves.is_empty() {
            self.leaves.push(Node::leaf(self.filling.take_fitting()));
        }
        let mut level = self.leaves;
        while level.len() > 1 {
            let parents = level.len().div_ceil(CHILDREN_MAX);
            // Even shares, so that none is left with too few.
            let (share, rest) = (level.len() / parents, level.len() % parents);
            let mut nodes = level.into_iter();
            level = (0..parents)
                .map(|parent| {
                    let children = share + usize::from(parent < rest);
                    Node::inner(nodes.by_ref().take(children).collect::<Vec<_>>())
                })
                .collect();
        }
        let root = level.pop().expect("a leaf at least");
        Tree { root }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_tree_of_single_insertions() {
        for count in [0usize, 1, 2, 127, 128, 129, 8192, 8193, 20_000, 600_000] {
            let mut builder = Builder::new();
            let payload = |n: usize| match n % 50 {
                0 if count < 1000 => vec![b'x'; 5000 + n],
                _ => n.to_string().into_bytes(),
            };
            (0..count).for_each(|n| builder.push(n as u32, &payload(n)));
            let mut tree = builder.finish();
            tree.assert_consistent();
            assert_eq!(tree.len(), count);
            for (n, (key, text)) in tree.iter().enumerate() {
                assert_eq!((key as usize, text), (n, &payload(n)[..]));
            }
            for n in (0..count).step_by(count / 50 + 1) {
                tree.insert(n, 7, b"another");
                tree.remove(n / 2);
            }
            tree.assert_consistent();
        }
    }

    #[test]
    fn of_keys_alone() {
        #[derive(Clone, Copy)]
        struct Bare;
        impl SortKey for Bare {
            const HAS_PAYLOAD: bool = false;
        }
        let mut builder = Builder::new();
        (0..1000).for_each(|_| builder.push(Bare, &[]));
        let tree = builder.finish();
        tree.assert_consistent();
        assert_eq!(tree.len(), 1000);
    }
}
