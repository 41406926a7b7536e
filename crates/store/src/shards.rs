//! The shards of one stripe, one for each database that has had keys.
//!
//! Database 0 is what nearly all commands are about. Its shard lies in the stripe itself, and its dict's root on the cache line of the lock,
//! so that a command that has the lock needs no further line to begin its look-up (measured: two lines less for every key).

use crate::shard::Shard;

/// Shards by database.
#[repr(C)]
pub(crate) struct Shards {
    first: Option<Shard>,
    others: Box<[Option<Box<Shard>>]>,
}

impl Shards {
    /// None yet, for so many databases.
    pub(crate) fn new(databases: usize) -> Shards {
        Shards {
            first: None,
            others: (1..databases).map(|_| None).collect(),
        }
    }

    /// The keys of a database.
    #[inline(always)]
    pub(crate) fn get(&self, db: u32) -> Option<&Shard> {
        match db {
            0 => self.first.as_ref(),
            _ => self.others[db as usize - 1].as_deref(),
        }
    }

    /// The keys of a database.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, db: u32) -> Option<&mut Shard> {
        match db {
            0 => self.first.as_mut(),
            _ => self.others[db as usize - 1].as_deref_mut(),
        }
    }

    /// The keys of a database, of which there may be none yet.
    #[inline]
    pub(crate) fn get_or_new(&mut self, db: u32, now_ms: u64) -> &mut Shard {
        match db {
            0 => self.first.get_or_insert_with(|| Shard::new(now_ms)),
            _ => self.others[db as usize - 1].get_or_insert_with(|| Box::new(Shard::new(now_ms))),
        }
    }

    /// Takes a database's keys away.
    pub(crate) fn take(&mut self, db: u32) -> Option<Box<Shard>> {
        match db {
            0 => self.first.take().map(Box::new),
            _ => self.others[db as usize - 1].take(),
        }
    }

    /// Exchanges two databases.
    pub(crate) fn swap(&mut self, a: u32, b: u32) {
        let (of_a, of_b) = (self.take(a), self.take(b));
        self.put(a, of_b);
        self.put(b, of_a);
    }

    fn put(&mut self, db: u32, shard: Option<Box<Shard>>) {
        match db {
            0 => self.first = shard.map(|shard| *shard),
            _ => self.others[db as usize - 1] = shard,
        }
    }

    /// Those that there are, with their databases.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Shard)> {
        let first = self.first.as_mut();
        let others = self.others.iter_mut().map(Option::as_deref_mut);
        let all = std::iter::once(first).chain(others).zip(0..);
        all.filter_map(|(shard, db)| Some((db, shard?)))
    }
}
