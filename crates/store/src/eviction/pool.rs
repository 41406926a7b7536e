//! Candidates for eviction, the best of all samples so far: a few samples at a time then approximate what a look at all keys would find.
//!
//! Invariant: sorted by merit, the best last; no key stands twice.

use smallvec::SmallVec;

use super::Policy;

/// Candidates kept.
const CANDIDATES_MAX: usize = 16;

/// After so many searches the databases that have keys are looked for again, as they are whenever there is no candidate.
const SEARCHES_PER_LOOK: u32 = 256;

/// A key that may be evicted.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) merit: u64,
    pub(super) db: u32,
    pub(super) hash: u64,
    pub(super) key: Box<[u8]>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    policy: Policy,
    candidates: Vec<Candidate>,
    /// Databases that had keys not long ago: finding that out takes a look at every stripe.
    databases: SmallVec<[u32; 16]>,
    searches: u32,
}

impl Pool {
    /// Before a search: what was found under another policy counts no more.
    pub(super) fn begin(&mut self, policy: Policy) {
        if self.policy != policy {
            self.policy = policy;
            self.candidates.clear();
        }
    }

    /// The databases to search, which `find` names.
    pub(super) fn databases(
        &mut self,
        find: impl FnOnce() -> SmallVec<[u32; 16]>,
    ) -> SmallVec<[u32; 16]> {
        if self.searches.is_multiple_of(SEARCHES_PER_LOOK) || self.candidates.is_empty() {
            self.databases = find();
        }
        self.searches = self.searches.wrapping_add(1);
        self.databases.clone()
    }

    /// Shows it a key; the hash is computed only if the key is kept.
    pub(super) fn offer(
        &mut self,
        merit: u64,
        db: u32,
        key: &[u8],
        hash: impl FnOnce(&[u8]) -> u64,
    ) {
        let is_full = self.candidates.len() >= CANDIDATES_MAX;
        if is_full && self.candidates[0].merit >= merit {
            return;
        }
        let known = |c: &Candidate| c.db == db && *c.key == *key;
        if self.candidates.iter().any(known) {
            return;
        }
        if is_full {
            self.candidates.remove(0);
        }
        let at = self.candidates.partition_point(|c| c.merit < merit);
        let candidate = Candidate {
            merit,
            db,
            hash: hash(key),
            key: key.into(),
        };
        self.candidates.insert(at, candidate);
    }

    pub(super) fn take_best(&mut self) -> Option<Candidate> {
        self.candidates.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::{CANDIDATES_MAX, Policy, Pool};

    #[test]
    fn the_best_of_all_samples_goes_first() {
        let mut pool = Pool::default();
        pool.begin(Policy::AllkeysLru);
        for n in 0..100u64 {
            let merit = n * 37 % 100;
            pool.offer(merit, 0, &merit.to_be_bytes(), |_| merit);
            pool.offer(merit, 0, &merit.to_be_bytes(), |_| {
                unreachable!("known, or too bad")
            });
        }
        assert_eq!(pool.candidates.len(), CANDIDATES_MAX);
        for merit in (100 - CANDIDATES_MAX as u64..100).rev() {
            let best = pool.take_best().expect("as many as were kept");
            assert_eq!((best.hash, &*best.key), (merit, &merit.to_be_bytes()[..]));
        }
        assert!(pool.take_best().is_none());
        pool.offer(1, 0, b"k", |_| 1);
        pool.begin(Policy::VolatileTtl);
        assert!(pool.take_best().is_none(), "of another policy");
    }
}
