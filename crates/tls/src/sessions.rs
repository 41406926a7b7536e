//! Sessions that clients may resume: so many, and for so long.
//!
//! Invariant: a session is never found after its time, and the table is never longer than its limit (what is oldest goes). With
//! TLS 1.3 each is used once. A new configuration begins with no sessions, so that nobody resumes what new certificates would
//! refuse.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::server::StoresServerSessions;

/// The most sessions that are kept, whatever is asked for.
pub const SESSIONS_MAX: usize = 1 << 20;

/// How many sessions may be resumed, and for how long.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct SessionLimits {
    /// The most that are kept; 0 is as many as [`SESSIONS_MAX`].
    pub sessions: usize,
    /// How long each may be resumed; 0 is for ever.
    pub seconds: u64,
}

#[derive(Debug)]
struct Session {
    value: Vec<u8>,
    since: Instant,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<Vec<u8>, Session>,
    /// Keys in the order in which they came; those that were taken are passed over.
    order: VecDeque<Vec<u8>>,
}

pub(crate) struct Sessions {
    max: usize,
    time: Option<Duration>,
    table: Mutex<Table>,
}

impl Sessions {
    pub(crate) fn new(limits: SessionLimits) -> Sessions {
        let max = match limits.sessions {
            0 => SESSIONS_MAX,
            wanted => wanted.min(SESSIONS_MAX),
        };
        Sessions {
            max,
            time: (limits.seconds > 0).then(|| Duration::from_secs(limits.seconds)),
            table: Mutex::default(),
        }
    }

    /// Every change leaves the table consistent, whoever panics.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh(&self, session: &Session, now: Instant) -> bool {
        self.time
            .is_none_or(|time| now.duration_since(session.since) < time)
    }

    fn put_at(&self, key: Vec<u8>, value: Vec<u8>, now: Instant) {
        let mut table = self.lock();
        let table = &mut *table;
        while let Some(oldest) = table.order.front() {
            let is_full = table.sessions.len() >= self.max;
            let stays = !is_full
                && table
                    .sessions
                    .get(oldest)
                    .is_some_and(|session| self.is_fresh(session, now));
            if stays {
                break;
            }
            let oldest = table.order.pop_front().unwrap_or_default();
            table.sessions.remove(&oldest);
        }
        if table.order.len() > 2 * table.sessions.len() + 64 {
            let sessions = &table.sessions;
            table.order.retain(|key| sessions.contains_key(key));
        }
        table.order.push_back(key.clone());
        table.sessions.insert(key, Session { value, since: now });
    }

    fn find_at(&self, key: &[u8], now: Instant, take: bool) -> Option<Vec<u8>> {
        let mut table = self.lock();
        let session = table.sessions.get(key)?;
        if !self.is_fresh(session, now) {
            return None;
        }
        match take {
            true => table.sessions.remove(key).map(|session| session.value),
            false => Some(session.value.clone()),
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "rustls asks without a time, and reads the clock itself for the validity of certificates"
)]
impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(key, value, Instant::now());
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find_at(key, Instant::now(), false)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find_at(key, Instant::now(), true)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test of its own")]
mod tests {
    use super::*;

    fn sessions(sessions: usize, seconds: u64) -> Sessions {
        Sessions::new(SessionLimits { sessions, seconds })
    }

    #[test]
    fn the_oldest_goes_first_and_each_is_taken_once() {
        let kept = sessions(2, 0);
        let now = Instant::now();
        for name in [b"a", b"b", b"c"] {
            kept.put_at(name.to_vec(), name.to_vec(), now);
        }
        assert_eq!(kept.find_at(b"a", now, false), None);
        assert_eq!(kept.find_at(b"b", now, true).as_deref(), Some(&b"b"[..]));
        assert_eq!(kept.find_at(b"b", now, true), None);
        assert_eq!(kept.find_at(b"c", now, false).as_deref(), Some(&b"c"[..]));
    }

    #[test]
    fn time_passes() {
        let kept = sessions(0, 10);
        let now = Instant::now();
        kept.put_at(b"a".to_vec(), b"x".to_vec(), now);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(kept.find_at(b"a", later(9), false).is_some());
        assert!(kept.find_at(b"a", later(10), false).is_none());
        kept.put_at(b"b".to_vec(), b"y".to_vec(), later(11));
        assert_eq!(kept.lock().sessions.len(), 1);
    }

    #[test]
    fn what_was_taken_leaves_nothing() {
        let kept = sessions(1_000, 0);
        let now = Instant::now();
        for number in 0..10_000u32 {
            let key = number.to_be_bytes();
            kept.put_at(key.to_vec(), Vec::new(), now);
            assert!(kept.find_at(&key, now, true).is_some());
        }
        assert!(kept.lock().order.len() < 100);
    }
}
