//! When the keys of a stripe were last changed, by position in the log: what a reply that shows them has to wait for.
//!
//! Invariant: the stamp of a key is at least the sequence number of the last record that changed it. It may be later: keys share stamps, so that
//! memory is bounded and looking one up costs one load. With 256 stripes there are 65,536 of them.

/// Stamps of a stripe; a power of two.
const STAMPS: usize = 256;

/// See the module's text. Allocates nothing before the first key is stamped.
#[derive(Default)]
pub(crate) struct Stamps {
    /// No key's stamp is below this.
    all: u64,
    some: Option<Box<[u64; STAMPS]>>,
}

/// Which of a stripe's stamps is that of a key with this hash. The stripe is made of the upper bits.
#[inline]
pub(crate) fn stamp_of(hash: u64) -> u8 {
    hash as u8
}

impl Stamps {
    #[inline]
    pub(crate) fn get(&self, hash: u64) -> u64 {
        match &self.some {
            None => self.all,
            Some(some) => self.all.max(some[stamp_of(hash) as usize]),
        }
    }

    pub(crate) fn set(&mut self, stamp: u8, sequence: u64) {
        let some = self.some.get_or_insert_with(|| Box::new([0; STAMPS]));
        some[stamp as usize] = sequence;
    }

    pub(crate) fn set_all(&mut self, sequence: u64) {
        self.all = sequence;
    }
}
