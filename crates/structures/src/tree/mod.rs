//! Counted B+tree of packed leaves: the big form of lists, hashes, sets and sorted sets.
//!
//! ```text
//!            Inner  counts | first keys | children (up to 64)
//!           /      \
//!       Inner ...   Inner
//!      /     \
//!  Leaf      Leaf   keys | ends | bytes   (up to 128 entries or 4 KiB)
//! ```
//!
//! An entry is a sort key of a few bytes (a score, a hash, nothing) and a payload of any bytes; both lie in the leaf, so an entry costs
//! no allocation. Entries are addressed by rank; where keys are in order, [`Tree::position`] finds a rank.
//!
//! Nodes are reference-counted: cloning a tree is O(1), and a change of a clone copies the nodes on its path, some 5 KiB, so that images
//! of a value of any size cost nothing until it changes.
//!
//! **Invariant.** No leaf is empty, all leaves are at one depth, and an inner node's counts and first keys are those of its children.
//! The order of entries is the caller's: the tree compares nothing.

mod build;
mod check;
mod leaf;
mod node;
mod walk;
mod way;

use std::cmp::Ordering;
use std::ops::Range;

pub use self::build::Builder;
use self::leaf::Leaf;
use self::node::Node;
pub use self::walk::Iter;
pub use self::way::Path;
use self::way::{Along, ToEntry, ToGap, Way};

/// What entries are ordered by, kept beside their payloads.
pub trait SortKey: Copy {
    /// Whether entries have payloads; where not, only empty ones may be given.
    const HAS_PAYLOAD: bool = true;
}

/// Entries that are addressed by rank only.
impl SortKey for () {}

/// Entries ordered by a number, such as a hash.
impl SortKey for u32 {}

/// A place among ordered entries.
pub trait Probe<K> {
    /// How an entry with this key lies to the place; `Equal`: its payload decides.
    fn by_key(&self, key: K) -> Ordering;
    /// How an entry whose key is `Equal` lies to the place.
    fn by_payload(&self, payload: &[u8]) -> Ordering;
}

/// An entry: its key and its payload.
pub type Item<'a, K> = (K, &'a [u8]);

/// See the module's text.
#[derive(Clone)]
pub struct Tree<K: SortKey> {
    root: Node<K>,
}

impl<K: SortKey> Default for Tree<K> {
    fn default() -> Self {
        Tree::new()
    }
}

impl<K: SortKey> std::fmt::Debug for Tree<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<K: SortKey> Tree<K> {
    /// An empty tree.
    pub fn new() -> Self {
        Tree {
            root: Node::leaf(Leaf::new()),
        }
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.root.len()
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry of this rank. O(log n).
    pub fn get(&self, rank: usize) -> Option<Item<'_, K>> {
        if rank >= self.len() {
            return None;
        }
        let (leaf, at) = self.root.locate(rank);
        Some(leaf.get(at))
    }

    /// The rank of the first entry that is not `Less` than the probed place, and that entry. O(log n).
    pub fn position(&self, probe: &impl Probe<K>) -> (usize, Option<Item<'_, K>>) {
        let (leaf, at, rank) = self.root.find(probe);
        if at < leaf.len() {
            (rank, Some(leaf.get(at)))
        } else {
            (rank, self.get(rank))
        }
    }

    /// The path to the entry that is `Equal` to the probed place, and that entry; or else to the place where it would be added, and the
    /// entry behind it, if it is in the same leaf. If several are `Equal`, it is the first of them in the last leaf that begins with one, or
    /// else the first. O(log n).
    #[inline]
    pub fn path(&self, probe: &impl Probe<K>) -> (Path, Option<Item<'_, K>>) {
        let (leaf, mut path) = self.root.descend(probe);
        let at = leaf.find(probe);
        path.at = at as u8;
        (path, (at < leaf.len()).then(|| leaf.get(at)))
    }

    /// Two paths, each as [`path`](Self::path) gives one; the second leaf is on its way into the cache while the first is searched.
    #[inline]
    pub fn paths(&self, probes: [&impl Probe<K>; 2]) -> [Path; 2] {
        let mut ways = probes.map(|probe| self.root.descend(probe));
        for (leaf, _) in &ways {
            leaf.prefetch_payloads();
        }
        for ((leaf, path), probe) in ways.iter_mut().zip(probes) {
            path.at = leaf.find(probe) as u8;
        }
        ways.map(|(_, path)| path)
    }

    /// Adds an entry at the end of a path. O(log n) without a search.
    ///
    /// # Panics
    /// May panic for a path of a tree that has changed since, and for a payload above 4 GiB in one leaf.
    pub fn insert_at(&mut self, path: Path, key: K, payload: &[u8]) {
        self.insert_along(Along::new(path), key, payload);
    }

    /// The path to the entry of a rank, or of the length: behind the last entry. O(log n).
    pub fn path_to(&self, rank: usize) -> Path {
        self.root.path_of(&mut ToEntry(rank))
    }

    /// Gives the entry at the end of a path another key and payload; its place must stay right. O(log n), without a search unless its
    /// leaf has no room.
    ///
    /// # Panics
    /// If there is no entry; may panic for a path of a tree that has changed since.
    pub fn replace_at(&mut self, path: Path, key: K, payload: &[u8]) {
        if !self.root.replace(&mut Along::new(path), key, payload) {
            let rank = self.root.rank_of(&mut Along::new(path));
            self.remove(rank);
            self.insert(rank, key, payload);
        }
    }

    /// Gives the entry at the end of a path another key; its place must stay right. O(log n) without a search.
    ///
    /// # Panics
    /// If there is no entry; may panic for a path of a tree that has changed since.
    pub fn set_key_at(&mut self, path: Path, key: K) {
        self.root.set_key(&mut Along::new(path), key);
    }

    /// Takes the entry at the end of a path away. O(log n) without a search. Whether other paths stay good, but for
    /// [`Path::after_removal`]: no node has come or gone.
    ///
    /// # Panics
    /// If there is no entry; may panic for a path of a tree that has changed since.
    pub fn remove_at(&mut self, path: Path) -> bool {
        self.remove_along(Along::new(path))
    }

    /// Adds an entry before the one of this rank, or at the end. O(log n).
    ///
    /// # Panics
    /// If the rank is past the end, or for a payload above 4 GiB in one leaf.
    pub fn insert(&mut self, rank: usize, key: K, payload: &[u8]) {
        assert!(rank <= self.len(), "rank {rank} of {}", self.len());
        self.insert_along(ToGap(rank), key, payload);
    }

    #[inline]
    fn insert_along(&mut self, mut way: impl Way<K>, key: K, payload: &[u8]) {
        if let Some(right) = self.root.insert(&mut way, key, payload) {
            let left = std::mem::replace(&mut self.root, Node::leaf(Leaf::new()));
            self.root = Node::inner([left, right]);
        }
    }

    /// Adds an entry at the end. O(log n).
    pub fn push(&mut self, key: K, payload: &[u8]) {
        self.insert(self.len(), key, payload);
    }

    /// Gives the entry of this rank another key and payload; its place must stay right. O(log n).
    ///
    /// # Panics
    /// If the rank is past the end.
    pub fn replace(&mut self, rank: usize, key: K, payload: &[u8]) {
        assert!(rank < self.len(), "rank {rank} of {}", self.len());
        if !self.root.replace(&mut ToEntry(rank), key, payload) {
            self.remove(rank);
            self.insert(rank, key, payload);
        }
    }

    /// Takes the entry of this rank away. O(log n).
    ///
    /// # Panics
    /// If the rank is past the end.
    pub fn remove(&mut self, rank: usize) {
        assert!(rank < self.len(), "rank {rank} of {}", self.len());
        self.remove_along(ToEntry(rank));
    }

    #[inline]
    fn remove_along(&mut self, mut way: impl Way<K>) -> bool {
        let all_stay = self.root.remove_one(&mut way);
        if !all_stay {
            self.root.lower();
        }
        all_stay
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
        self.root.remove(ranks);
        self.root.lower();
    }

    /// All entries, from either end.
    pub fn iter(&self) -> Iter<'_, K> {
        self.range(0..self.len())
    }

    /// The entries of a range of ranks, from either end. O(log n), and O(1) for each entry.
    ///
    /// # Panics
    /// If the range ends past the end.
    pub fn range(&self, ranks: Range<usize>) -> Iter<'_, K> {
        assert!(ranks.end <= self.len(), "{ranks:?} of {}", self.len());
        Iter::new(&self.root, ranks)
    }

    /// Frees the last leaf; false when nothing is left. For freeing a large tree in slices.
    pub fn shed(&mut self) -> bool {
        let Some(last) = self.len().checked_sub(1) else {
            return false;
        };
        let (leaf, _) = self.root.locate(last);
        let from = self.len() - leaf.len();
        self.remove_range(from..self.len());
        !self.is_empty()
    }

    /// Number of leaves. O(leaves / 64).
    pub fn leaf_count(&self) -> usize {
        self.root.leaf_count()
    }

    /// Bytes of all payloads together. O(leaves).
    pub fn payload_bytes(&self) -> usize {
        self.root.payload_bytes()
    }

    /// Bytes allocated; nodes that other trees share count in full. O(leaves).
    pub fn memory_bytes(&self) -> usize {
        self.root.memory_bytes()
    }
}
