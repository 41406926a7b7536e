//! Which keys are asked for most: every worker looks at one command in some dozens and counts one of its keys.
//!
//! Invariant: a command that is not looked at costs its batch a subtraction, and no worker waits for another: where the
//! sketch is being read, the look is left out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use dunlin_structures::heavy_hitters::{Head, HeavyHitters};

/// Counts halve in this time: what is shown is the last minute for the most part.
const HALF_LIFE_MS: u64 = 10_000;
/// After so many halvings nothing is left of any count.
const HALVINGS_MAX: u64 = 32;
/// While nothing is looked at, the worker asks after so many commands whether that has changed.
const OFF_PERIOD: usize = 4_096;

/// When a worker looks next.
#[derive(Debug)]
pub struct Sampler {
    /// Commands until then.
    left: usize,
    random: u64,
    is_off: bool,
}

impl Sampler {
    /// A sampler whose looks depend on the seed.
    pub fn new(seed: u64) -> Sampler {
        Sampler {
            left: 0,
            random: seed | 1,
            is_off: true,
        }
    }

    /// Of so many commands that come next, the number of the one to look at, if any is due; those behind it are to be asked for anew.
    #[inline]
    pub fn next(&mut self, commands: usize, hot: &HotKeys) -> Option<usize> {
        if commands <= self.left {
            self.left -= commands;
            return None;
        }
        self.due(commands, hot)
    }

    #[cold]
    fn due(&mut self, commands: usize, hot: &HotKeys) -> Option<usize> {
        let (at, was_off) = (self.left, self.is_off);
        let every = u64::from(hot.every());
        self.is_off = every == 0;
        if self.is_off || was_off {
            self.left = if self.is_off { OFF_PERIOD } else { 0 };
            self.left = self.left.saturating_sub(commands - at);
            return None;
        }
        // Uneven gaps, so that no pattern of commands keeps step with them; `every` on average, this command counted.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.left = (self.random % (2 * every - 1)) as usize;
        Some(at)
    }
}

/// A key that is asked for often.
#[derive(Clone, Debug, PartialEq)]
pub struct HotKey {
    /// The key.
    pub key: Box<[u8]>,
    /// Its database.
    pub db: u32,
    /// Commands a second that named it, about.
    pub rate: f64,
    /// The part of all keys named, 0 to 1.
    pub share: f64,
}

/// What one worker counted.
#[derive(Default)]
struct Sketch {
    hitters: HeavyHitters,
    /// The time that the counts are of, halved as they are.
    weight_ms: u64,
    /// Up to when (the loop's clock).
    until_ms: u64,
    /// When they were halved last.
    halved_ms: u64,
}

impl Sketch {
    /// Lets time pass.
    fn advance(&mut self, now_ms: u64) {
        if self.until_ms == 0 {
            (self.until_ms, self.halved_ms) = (now_ms, now_ms);
        }
        let halvings = now_ms.saturating_sub(self.halved_ms) / HALF_LIFE_MS;
        for _ in 0..halvings.min(HALVINGS_MAX) {
            self.halved_ms += HALF_LIFE_MS;
            self.weight_ms += self.halved_ms.saturating_sub(self.until_ms);
            self.until_ms = self.until_ms.max(self.halved_ms);
            self.weight_ms /= 2;
            self.hitters.halve();
        }
        if halvings > HALVINGS_MAX {
            self.halved_ms = now_ms;
        }
        self.weight_ms += now_ms.saturating_sub(self.until_ms);
        self.until_ms = self.until_ms.max(now_ms);
    }
}

/// See the module's text.
pub struct HotKeys {
    /// `hot-keys-sample-every`.
    every: AtomicU32,
    workers: Box<[Mutex<Sketch>]>,
}

impl HotKeys {
    /// For so many workers.
    pub fn new(workers: usize) -> HotKeys {
        HotKeys {
            every: AtomicU32::new(0),
            workers: (0..workers).map(|_| Mutex::default()).collect(),
        }
    }

    /// One command in so many is looked at; 0 for none.
    pub fn set_every(&self, every: u32) {
        self.every.store(every, Ordering::Relaxed);
    }

    /// See [`HotKeys::set_every`].
    pub fn every(&self) -> u32 {
        self.every.load(Ordering::Relaxed)
    }

    /// Counts a key of a command that `worker` looked at, which named so many keys.
    pub fn count(&self, worker: usize, now_ms: u64, (db, key): (u32, &[u8]), hash: u64, keys: u32) {
        let mut sketch = match self.workers[worker].try_lock() {
            Ok(sketch) => sketch,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        sketch.advance(now_ms);
        // The same name in two databases is two keys.
        let hash = hash ^ u64::from(db).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let times = self.every().max(1).saturating_mul(keys);
        sketch.hitters.add(hash, db, key, times);
    }

    /// The keys that are asked for most, the most frequent first.
    pub fn top(&self, now_ms: u64, count: usize) -> Vec<HotKey> {
        let (mut heads, mut total, mut weight_ms) = (Vec::<Head>::new(), 0, 0);
        for sketch in &self.workers {
            let mut sketch = sketch.lock().unwrap_or_else(PoisonError::into_inner);
            sketch.advance(now_ms);
            total += sketch.hitters.total();
            weight_ms = sketch.weight_ms.max(weight_ms);
            for head in sketch.hitters.heads() {
                // Many workers may have seen the same key.
                let known = heads
                    .iter_mut()
                    .find(|known| known.space == head.space && known.name == head.name);
                match known {
                    Some(known) => known.count = known.count.saturating_add(head.count),
                    None => heads.push(head.clone()),
                }
            }
        }
        heads.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        heads.truncate(count);
        let seconds = (weight_ms.max(1_000)) as f64 / 1_000.0;
        let hot = |head: Head| HotKey {
            rate: f64::from(head.count) / seconds,
            share: f64::from(head.count) / total.max(1) as f64,
            db: head.space,
            key: head.name,
        };
        heads.into_iter().map(hot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{HotKeys, Sampler};

    /// A worker whose every second command asks for one key, for so many seconds, 6,500 commands a second.
    fn run(hot: &HotKeys, sampler: &mut Sampler, seconds: std::ops::Range<u64>) {
        let mut number = 0;
        for ms in seconds.start * 1_000..seconds.end * 1_000 {
            for window in [1, 0, 4, 1, ms % 2] {
                let end = number + window;
                while let Some(at) = sampler.next((end - number) as usize, hot) {
                    number += at as u64;
                    assert!(number < end);
                    if number.is_multiple_of(2) {
                        hot.count(0, ms, (0, b"hot"), 77, 1);
                    } else {
                        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        hot.count(0, ms, (3, &number.to_le_bytes()), hash, 1);
                    }
                    number += 1;
                }
                number = end;
            }
        }
    }

    #[test]
    fn rate_and_share_of_a_hot_key() {
        let hot = HotKeys::new(2);
        hot.set_every(32);
        let mut sampler = Sampler::new(42);
        run(&hot, &mut sampler, 100..145);
        let top = hot.top(145_000, 3);
        assert_eq!((&*top[0].key, top[0].db), (&b"hot"[..], 0));
        assert!((0.4..0.6).contains(&top[0].share), "{}", top[0].share);
        // 6.5 commands a millisecond, half of them.
        assert!((2_600.0..3_900.0).contains(&top[0].rate), "{}", top[0].rate);
        assert!(top.len() == 3 && top[1].rate < 200.0);
        // What nobody asks for any more is forgotten.
        let later = hot.top(145_000 + 600_000, 3);
        assert_eq!(later, []);
    }

    #[test]
    fn nothing_is_looked_at_unless_asked_for() {
        let hot = HotKeys::new(1);
        let mut sampler = Sampler::new(42);
        run(&hot, &mut sampler, 1..3);
        assert_eq!(hot.top(3_000, 10), []);
        hot.set_every(1);
        run(&hot, &mut sampler, 3..9);
        assert!(!hot.top(9_000, 10).is_empty());
        hot.set_every(0);
        run(&hot, &mut sampler, 9..11);
        let shares = |ms| hot.top(ms, 1)[0].share;
        assert_eq!(shares(11_000), shares(11_001));
    }
}
