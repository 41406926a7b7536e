//! What the model tests share: repeatable random numbers, how long to run, and images that must never change.
//!
//! `DUNLIN_MODEL_OPERATIONS=1000000` makes each of them run that many operations instead of its own number.

#![allow(
    dead_code,
    reason = "each test is a crate of its own and uses a part of this"
)]

use dunlin_store::{Entry, Image};

/// Most images that are kept at a time; each operation's checks stay cheap beside them.
const IMAGES_MAX: usize = 100;

/// xorshift64*, Vigna 2014.
pub(crate) struct Rng(u64);

impl Rng {
    /// The generator of this seed.
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed * 2 + 1)
    }

    /// 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// How many random operations a test runs in all.
#[allow(
    clippy::disallowed_methods,
    reason = "a test's length is for who starts it"
)]
pub(crate) fn operations(unless_set: usize) -> usize {
    match std::env::var("DUNLIN_MODEL_OPERATIONS") {
        Ok(text) => text.parse().expect("DUNLIN_MODEL_OPERATIONS is a number"),
        Err(_) => unless_set,
    }
}

/// Images taken at random moments beside what they must go on showing. One that makes room for another is looked at once more, so
/// every image is, after all that was done to the value since.
pub(crate) struct Images<M> {
    kept: Vec<(Image, M)>,
    /// How many were taken.
    pub(crate) taken: usize,
}

impl<M> Images<M> {
    pub(crate) fn new() -> Images<M> {
        Images {
            kept: Vec::new(),
            taken: 0,
        }
    }

    /// Keeps an image of `entry`, which shows `frozen`.
    pub(crate) fn take(
        &mut self,
        rng: &mut Rng,
        entry: &Entry,
        frozen: M,
        check: impl FnOnce(&Entry, &M),
    ) {
        let image = (entry.image(), frozen);
        self.taken += 1;
        if self.kept.len() < IMAGES_MAX {
            self.kept.push(image);
            return;
        }
        let at = rng.below(IMAGES_MAX);
        let (old, shown) = std::mem::replace(&mut self.kept[at], image);
        check(&old.to_entry(b"other"), &shown);
    }

    /// Looks at those that are left.
    pub(crate) fn check_all(self, mut check: impl FnMut(&Entry, &M)) {
        for (image, shown) in self.kept {
            check(&image.to_entry(b"other"), &shown);
        }
    }
}
