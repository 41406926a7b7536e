//! First-touch images: what is needed to put every key that a transaction touched back as it was.

use std::collections::HashSet;

use smallvec::SmallVec;

use crate::entry::Image;
use crate::outbox::Mark;

/// Bytes of a key that is kept without an allocation of its own.
const KEY_BYTES_INLINE: usize = 40;

/// Up to so many keys are looked through to see whether one was touched before.
const FEW: usize = 8;

/// Steps for which room is kept for the next transaction.
const KEPT_STEPS_MAX: usize = 64;

/// A key as it was before it was first touched: `None` when it did not exist.
pub(crate) struct Before {
    pub(crate) db: u32,
    pub(crate) key: SmallVec<[u8; KEY_BYTES_INLINE]>,
    pub(crate) hash: u64,
    pub(crate) image: Option<Image>,
}

/// Something to be undone.
pub(crate) enum Step {
    /// A key was touched.
    Touched(Before),
    /// Two databases changed places.
    Swapped(u32, u32),
}

/// What was done, in its order.
#[derive(Default)]
pub(crate) struct Undo {
    pub(crate) steps: Vec<Step>,
    /// Watched keys that changed; who watches is told when it is certain.
    pub(crate) told: Vec<(u32, Box<[u8]>)>,
    /// Effects and offers that were there before.
    pub(crate) effects: usize,
    /// See `effects`.
    pub(crate) offers: usize,
    /// What subscribers were to be told before.
    pub(crate) outbox: Mark,
    /// Changes counted.
    pub(crate) changes: u64,
    /// The touched keys, once they are more than a few.
    seen: HashSet<(u32, Box<[u8]>)>,
    /// Where the steps begin behind which names mean what they mean now.
    since: usize,
}

impl Undo {
    /// Nothing was done yet; so many effects and offers are there from before. The steps' memory is that of `spare`.
    pub(crate) fn new(effects: usize, offers: usize, outbox: Mark, spare: Vec<Step>) -> Undo {
        Undo {
            steps: spare,
            effects,
            offers,
            outbox,
            ..Undo::default()
        }
    }

    /// Whether `key` needs an image: it was not touched yet.
    pub(crate) fn is_untouched(&self, db: u32, key: &[u8], hash: u64) -> bool {
        if !self.seen.is_empty() {
            return !self.seen.contains(&(db, key.into()));
        }
        !self.steps[self.since..].iter().any(|step| match step {
            Step::Touched(before) => {
                before.hash == hash && before.db == db && before.key[..] == *key
            }
            Step::Swapped(..) => false,
        })
    }

    /// An untouched key is about to be touched.
    pub(crate) fn touch(&mut self, before: Before) {
        if !self.seen.is_empty() {
            self.seen.insert((before.db, before.key[..].into()));
        }
        self.steps.push(Step::Touched(before));
        if self.seen.is_empty() && self.steps.len() - self.since > FEW {
            let touched = self.steps[self.since..].iter();
            self.seen.extend(touched.filter_map(|step| match step {
                Step::Touched(before) => Some((before.db, before.key[..].into())),
                Step::Swapped(..) => None,
            }));
        }
    }

    /// Two databases changed places: names mean other keys from here on.
    pub(crate) fn swapped(&mut self, a: u32, b: u32) {
        self.seen.clear();
        self.steps.push(Step::Swapped(a, b));
        self.since = self.steps.len();
    }

    /// What is kept of `steps` for the next transaction.
    pub(crate) fn spare(mut steps: Vec<Step>) -> Vec<Step> {
        if steps.capacity() > KEPT_STEPS_MAX {
            return Vec::new();
        }
        steps.clear();
        steps
    }
}
