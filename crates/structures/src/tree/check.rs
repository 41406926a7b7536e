//! What must hold in every tree, for tests.

use super::leaf::{BYTES_MAX, ENTRIES_MAX, Leaf};
use super::node::{CHILDREN_MAX, Node};
use super::{SortKey, Tree};

impl<K: SortKey> Tree<K> {
    /// Panics unless the tree is sound. O(n).
    pub fn assert_consistent(&self) {
        let mut depth = None;
        assert_node(&self.root, 0, true, &mut depth);
    }
}

fn assert_node<K: SortKey>(node: &Node<K>, level: usize, is_root: bool, depth: &mut Option<usize>) {
    match node {
        Node::Leaf(leaf) => {
            assert!(is_root || leaf.len() > 0, "an empty leaf");
            assert_leaf(leaf);
            assert_eq!(*depth.get_or_insert(level), level, "leaves at two depths");
        }
        Node::Inner(inner) => {
            assert!(inner.children.len() <= CHILDREN_MAX && !inner.children.is_empty());
            assert!(!is_root || inner.children.len() > 1, "a level too many");
            assert_eq!(inner.len, inner.counts.iter().sum::<usize>());
            assert_eq!(inner.counts.len(), inner.children.len());
            assert_eq!(inner.firsts.len(), inner.children.len());
            for (count, child) in inner.counts.iter().zip(&inner.children) {
                assert_eq!(*count, child.len());
                assert_node(child, level + 1, false, depth);
            }
        }
    }
}

fn assert_leaf<K: SortKey>(leaf: &Leaf<K>) {
    assert!(leaf.len() <= ENTRIES_MAX);
    let largest = (0..leaf.len()).map(|at| leaf.payload(at).len()).max();
    let bytes: usize = (0..leaf.len()).map(|at| leaf.payload(at).len()).sum();
    assert!(
        bytes <= BYTES_MAX + largest.unwrap_or(0),
        "a leaf of {bytes} bytes"
    );
}
