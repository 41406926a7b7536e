//! The big form of collections: trees of reference-counted leaves.
//!
//! Cloning a value is O(1); a change of a clone copies the few nodes that it touches. Which form a collection has is decided where
//! it is changed, by the limits of `crate::limits`.

use dunlin_structures::tree::{SortKey, Tree};

use crate::entry::Kind;
use crate::stream::Stream;
use crate::timed_hash::TimedHash;
use crate::zset::ZSet;

/// Upper half of a member's hash: what members of sets and fields of hashes are ordered by. Equal ones are in no order.
pub type MemberHash = u32;

/// A collection above the limits of its packed form.
#[derive(Clone, Debug)]
pub enum Big {
    /// A list: payloads are elements.
    List(Tree<()>),
    /// A set, by hash: payloads are members.
    Set(Tree<MemberHash>),
    /// A hash, by hash: payloads are fields with values, see [`crate::hash_value`].
    Hash(Tree<MemberHash>),
    /// A sorted set.
    ZSet(ZSet),
    /// A stream, which has this form whatever its size. Boxed, since it is larger than the others.
    Stream(Box<Stream>),
    /// A hash some of whose fields may have deadlines.
    HashTimed(Box<TimedHash>),
}

impl Big {
    /// The kind of an entry that holds this.
    pub fn kind(&self) -> Kind {
        match self {
            Big::List(_) => Kind::List,
            Big::Set(_) => Kind::Set,
            Big::Hash(_) => Kind::Hash,
            Big::ZSet(_) => Kind::ZSet,
            Big::Stream(_) => Kind::Stream,
            Big::HashTimed(_) => Kind::HashTimed,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Big::List(tree) => tree.len(),
            Big::Set(tree) | Big::Hash(tree) => tree.len(),
            Big::ZSet(zset) => zset.len(),
            Big::Stream(stream) => stream.len() as usize,
            Big::HashTimed(hash) => hash.len(),
        }
    }

    /// Whether there is no element; of what is filed only a stream may be empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Steps that freeing takes.
    pub fn leaf_count(&self) -> usize {
        match self {
            Big::List(tree) => tree.leaf_count(),
            Big::Set(tree) | Big::Hash(tree) => tree.leaf_count(),
            Big::ZSet(zset) => zset.leaf_count(),
            Big::Stream(stream) => stream.leaf_count(),
            Big::HashTimed(hash) => hash.leaf_count(),
        }
    }

    /// Bytes allocated. O(leaves).
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Big::List(tree) => tree.memory_bytes(),
                Big::Set(tree) | Big::Hash(tree) => tree.memory_bytes(),
                Big::ZSet(zset) => zset.memory_bytes(),
                Big::Stream(stream) => stream.memory_bytes(),
                Big::HashTimed(hash) => hash.memory_bytes(),
            }
    }

    /// Frees up to `leaves` leaves; whether anything is left.
    pub(crate) fn shed(&mut self, leaves: usize) -> bool {
        match self {
            Big::List(tree) => shed(tree, leaves),
            Big::Set(tree) | Big::Hash(tree) => shed(tree, leaves),
            Big::ZSet(zset) => zset.shed(leaves),
            Big::Stream(stream) => stream.shed(leaves),
            Big::HashTimed(hash) => hash.shed(leaves),
        }
    }
}

/// Frees up to `leaves` leaves of a tree; whether anything is left.
pub(crate) fn shed<K: SortKey>(tree: &mut Tree<K>, leaves: usize) -> bool {
    (0..leaves).all(|_| tree.shed())
}
