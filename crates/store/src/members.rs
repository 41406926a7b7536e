//! Trees ordered by the hashes of members: the big form of sets and hashes.
//!
//! **Invariant.** Keys are the upper halves of the members' hashes, ascending. Members whose hashes are equal there stand together in
//! no order.

use std::cmp::Ordering;

use dunlin_structures::tree::{Item, Path, Probe, Tree};

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

/// Where the member with this hash is for which `is_it` holds, and its payload; or where it belongs. Expected O(log n).
#[inline]
pub fn find(
    tree: &Tree<MemberHash>,
    hash: MemberHash,
    is_it: impl Fn(&[u8]) -> bool,
) -> Result<(Path, &[u8]), Path> {
    let (path, found) = tree.path(&AtHash(hash));
    match found {
        Some((key, payload)) if key == hash && is_it(payload) => Ok((path, payload)),
        Some((key, _)) if key == hash => find_among_equal(tree, hash, is_it),
        _ => Err(path),
    }
}

/// The same where several members have the hash.
#[cold]
fn find_among_equal(
    tree: &Tree<MemberHash>,
    hash: MemberHash,
    is_it: impl Fn(&[u8]) -> bool,
) -> Result<(Path, &[u8]), Path> {
    let (first, _) = tree.position(&AtHash(hash));
    let same = tree.range(first..tree.len()).enumerate();
    let mut same = same.take_while(|(_, (key, _))| *key == hash);
    match same.find(|(_, (_, payload))| is_it(payload)) {
        Some((at, (_, payload))) => Ok((tree.path_to(first + at), payload)),
        None => Err(tree.path_to(first)),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dunlin_structures::tree::Tree;

    use super::find;

    #[test]
    fn members_of_one_hash_are_told_apart_across_leaves() {
        let mut tree = Tree::new();
        let mut there = BTreeSet::new();
        for step in 0..30_000u32 {
            // Some 400 members for each hash: several leaves full.
            let number = step.wrapping_mul(2_654_435_761) >> 8;
            let member = (number % 3_000).to_string();
            let hash = number % 3_000 % 7;
            let found = find(&tree, hash, |payload| payload == member.as_bytes());
            match found.map(|(path, _)| path) {
                Ok(path) => {
                    assert!(there.remove(&(hash, member)));
                    tree.remove_at(path);
                }
                Err(path) => {
                    tree.insert_at(path, hash, member.as_bytes());
                    assert!(there.insert((hash, member)));
                }
            }
        }
        tree.assert_consistent();
        assert!(tree.leaf_count() > 7, "{} leaves", tree.leaf_count());
        assert!(tree.iter().map(|(hash, _)| hash).is_sorted());
        let mut all: Vec<_> = tree
            .iter()
            .map(|(hash, member)| (hash, String::from_utf8_lossy(member).into_owned()))
            .collect();
        all.sort();
        assert!(all.into_iter().eq(there));
    }
}
