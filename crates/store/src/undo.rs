//! First-touch images: what is needed to put every key that a transaction touched back as it was.

use crate::entry::Image;

/// A key as it was before it was first touched: `None` when it did not exist.
pub(crate) struct Before {
    pub(crate) db: u32,
    pub(crate) key: Box<[u8]>,
    pub(crate) hash: u64,
    pub(crate) image: Option<Image>,
}

/// Images in the order in which keys were first touched.
#[derive(Default)]
pub(crate) struct Undo {
    pub(crate) touched: Vec<Before>,
    seen: std::collections::HashSet<(u32, Box<[u8]>)>,
}

impl Undo {
    /// Whether `key` needs an image: true the first time it is asked.
    pub(crate) fn is_first_touch(&mut self, db: u32, key: &[u8]) -> bool {
        self.seen.insert((db, key.into()))
    }
}
