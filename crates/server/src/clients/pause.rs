//! CLIENT PAUSE: until when commands wait, and which.
//!
//! Invariant: one word says all, so that whoever reads it sees a pause as it was asked for. A pause that is over needs nobody
//! to end it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Which commands wait.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Those that may change data.
    Write,
    /// All.
    All,
}

/// A pause of all clients; none at first.
#[derive(Debug, Default)]
pub struct Pause {
    /// Twice the end in milliseconds since 1970, plus one when all commands wait; 0 for no pause.
    word: AtomicU64,
}

impl Pause {
    /// Pauses until `end_ms`. A pause that is going on keeps its end if that is later, and goes on for all commands if it did.
    pub fn begin(&self, now_ms: u64, end_ms: u64, scope: Scope) {
        let merged = |before: u64| {
            let (before_ms, before_all) = (before >> 1, before & 1);
            let (end_ms, all) = if before_ms > now_ms {
                (
                    before_ms.max(end_ms),
                    before_all == 1 || scope == Scope::All,
                )
            } else {
                (end_ms, scope == Scope::All)
            };
            Some(end_ms << 1 | u64::from(all))
        };
        // The closure never refuses.
        let _ = self.word.fetch_update(Relaxed, Relaxed, merged);
    }

    /// Ends the pause.
    pub fn end(&self) {
        self.word.store(0, Relaxed);
    }

    /// Whether there may be a pause: [`Pause::at`] knows.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.word.load(Relaxed) != 0
    }

    /// The pause at this time: which commands wait, and until when. One that has passed is forgotten.
    pub fn at(&self, now_ms: u64) -> Option<(Scope, u64)> {
        let word = self.word.load(Relaxed);
        let end_ms = word >> 1;
        if end_ms <= now_ms {
            if word != 0 {
                // Unless another began meanwhile.
                let _ = self.word.compare_exchange(word, 0, Relaxed, Relaxed);
            }
            return None;
        }
        let scope = if word & 1 == 1 {
            Scope::All
        } else {
            Scope::Write
        };
        Some((scope, end_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_end_and_the_wider_scope_stand() {
        let pause = Pause::default();
        pause.begin(10, 50, Scope::All);
        pause.begin(20, 40, Scope::Write);
        assert_eq!(pause.at(49), Some((Scope::All, 50)));
        assert_eq!(pause.at(50), None);
        assert!(!pause.is_set(), "forgotten");
        pause.begin(60, 70, Scope::Write);
        assert_eq!(pause.at(61), Some((Scope::Write, 70)));
        pause.end();
        assert_eq!(pause.at(61), None);
    }
}
