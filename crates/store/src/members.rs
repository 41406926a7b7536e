//! Trees ordered by the hashes of members: the big form of sets and hashes.
//!
//! **Invariant.** Keys are the upper halves of the members' hashes, ascending. Members whose hashes are equal there stand together in
//! no order.

use std::cmp::Ordering;

use dunlin_structures::tree::{Item, Probe, Tree};

use crate::big::MemberHash;
use crate::hash::KeyHasher;

/// The place before all members of a hash.
struct AtHash(MemberHash);

impl Probe<MemberHash> for AtHash {
    #[inline]
    fn by_key(&self, key: MemberHash) -> Ordering {
        key.cmp(&self.0)
    }

    #[inline]
    fn by_payload(&self, _payload: &[u8]) -> Ordering {
        Ordering::Equal
    }
}

/// The key of a member.
#[inline]
pub fn member_hash(hasher: &KeyHasher, member: &[u8]) -> MemberHash {
    (hasher.hash(member) >> 32) as MemberHash
}

/// The rank of the member with this hash for which `is_it` holds, and its payload; or the rank where it belongs. Expected O(log n).
#[inline]
pub fn find(
    tree: &Tree<MemberHash>,
    hash: MemberHash,
    is_it: impl Fn(&[u8]) -> bool,
) -> Result<(usize, &[u8]), usize> {
    let (first, item) = tree.position(&AtHash(hash));
    match item {
        Some((key, payload)) if key == hash && is_it(payload) => Ok((first, payload)),
        Some((key, _)) if key == hash => {
            let same = tree.range(first..tree.len()).enumerate();
            let mut same = same.take_while(|(_, (key, _))| *key == hash);
            let found = same.find(|(_, (_, payload))| is_it(payload));
            found.map_or(Err(first), |(at, (_, payload))| Ok((first + at, payload)))
        }
        _ => Err(first),
    }
}

/// Visits entries from `cursor` on, at least `min` if there are so many, and all of a hash together; returns where to go on,
/// 0 at the end. Start at 0. What is there from the first call to the last is visited exactly once.
pub fn scan<'a>(
    tree: &'a Tree<MemberHash>,
    cursor: u64,
    min: usize,
    mut visit: impl FnMut(Item<'a, MemberHash>),
) -> u64 {
    let Ok(from) = MemberHash::try_from(cursor) else {
        return 0;
    };
    let (first, _) = tree.position(&AtHash(from));
    let mut last = None;
    for (at, item) in tree.range(first..tree.len()).enumerate() {
        if at >= min && last != Some(item.0) {
            return item.0.into();
        }
        last = Some(item.0);
        visit(item);
    }
    0
}
