//! What a database's dicts take, for DEBUG HTSTATS.

use crate::txn::Txn;

/// Figures of all shards of one database.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct DictFigures {
    /// Keys.
    pub elements: usize,
    /// Keys with deadlines.
    pub deadlines: usize,
    /// Stripes in which there are keys.
    pub stripes: usize,
    /// Bytes of segments and directories.
    pub bytes: usize,
}

impl Txn<'_> {
    /// The figures of a database; every stripe is held. O(stripes).
    pub fn dict_figures(&mut self, db: u32) -> DictFigures {
        let mut figures = DictFigures::default();
        for stripe in 0..self.store().stripe_count() {
            let Some(shard) = self.shard(db, stripe) else {
                continue;
            };
            figures.elements += shard.len();
            figures.deadlines += shard.expires();
            figures.stripes += usize::from(!shard.is_empty());
            figures.bytes += shard.dict().memory_bytes();
        }
        figures
    }
}
