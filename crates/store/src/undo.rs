//! First-touch images: what is needed to put every key that a transaction touched back as it was.

use std::collections::HashSet;

use crate::entry::Image;
use crate::outbox::Mark;

/// A key as it was before it was first touched: `None` when it did not exist.
pub(crate) struct Before {
    pub(crate) db: u32,
    pub(crate) key: Box<[u8]>,
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
    pub(crate) seen: HashSet<(u32, Box<[u8]>)>,
}

impl Undo {
    /// Nothing was done yet; so many effects and offers are there from before.
    pub(crate) fn new(effects: usize, offers: usize) -> Undo {
        Undo {
            effects,
            offers,
            ..Undo::default()
        }
    }

    /// Whether `key` needs an image: true the first time it is asked.
    pub(crate) fn is_first_touch(&mut self, db: u32, key: &[u8]) -> bool {
        self.seen.insert((db, key.into()))
    }

    /// Two databases changed places: names mean other keys from here on.
    pub(crate) fn swapped(&mut self, a: u32, b: u32) {
        self.seen.clear();
        self.steps.push(Step::Swapped(a, b));
    }
}
