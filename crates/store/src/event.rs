//! Keyspace events: what a change is called where it is told of, and who is told.
//!
//! Invariant: while nobody is to be told, one word says so, and nothing is written down.

use std::sync::atomic::{AtomicU32, Ordering};

/// The letters of `notify-keyspace-events` in the order in which they are shown. A letter's place is its bit.
pub const EVENT_LETTERS: &[u8; 14] = b"g$lshzxetdnKEm";
/// `K`: events are messages to the channel of their key.
pub const NOTIFY_KEYSPACE: u32 = 1 << 11;
/// `E`: events are messages to the channel of their name.
pub const NOTIFY_KEYEVENT: u32 = 1 << 12;

/// Which events are told of: `notify-keyspace-events`.
#[derive(Debug, Default)]
pub struct Notify(AtomicU32);

impl Notify {
    /// Sets the letters, as bits. Without `K` and `E` there is no channel to tell, so nothing is.
    pub fn set(&self, bits: u32) {
        let has_channels = bits & (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT) != 0;
        self.0
            .store(if has_channels { bits } else { 0 }, Ordering::Relaxed);
    }

    /// The letters, as bits; 0 when nothing is told.
    #[inline]
    pub fn bits(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether events of this class are told of.
    #[inline]
    pub fn has(&self, class: EventClass) -> bool {
        self.bits() & (1 << class as u32) != 0
    }
}

/// Class of a keyspace event, as `notify-keyspace-events` names them. Its number is its letter's place in [`EVENT_LETTERS`].
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum EventClass {
    /// `g`: DEL, EXPIRE, RENAME ...
    Generic,
    /// `$`: string commands.
    String,
    /// `l`: list commands.
    List,
    /// `s`: set commands.
    Set,
    /// `h`: hash commands.
    Hash,
    /// `z`: sorted-set commands.
    ZSet,
    /// `x`: a key expired.
    Expired,
    /// `e`: a key was evicted.
    Evicted,
    /// `t`: stream commands.
    Stream,
    /// `n`: a key is new.
    New = 10,
    /// `m`: a key was looked for that does not exist.
    Miss = 13,
}

/// A keyspace event: class and name.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its class.
    pub class: EventClass,
    /// Its name, as subscribers see it.
    pub name: &'static str,
}

impl Event {
    /// An event of class `g`.
    pub const fn generic(name: &'static str) -> Event {
        Event {
            class: EventClass::Generic,
            name,
        }
    }
    /// An event of class `$`.
    pub const fn string(name: &'static str) -> Event {
        Event {
            class: EventClass::String,
            name,
        }
    }
    /// An event of class `l`.
    pub const fn list(name: &'static str) -> Event {
        Event {
            class: EventClass::List,
            name,
        }
    }
    /// An event of class `s`.
    pub const fn set(name: &'static str) -> Event {
        Event {
            class: EventClass::Set,
            name,
        }
    }
    /// An event of class `h`.
    pub const fn hash(name: &'static str) -> Event {
        Event {
            class: EventClass::Hash,
            name,
        }
    }
    /// An event of class `z`.
    pub const fn zset(name: &'static str) -> Event {
        Event {
            class: EventClass::ZSet,
            name,
        }
    }
    /// An event of class `t`.
    pub const fn stream(name: &'static str) -> Event {
        Event {
            class: EventClass::Stream,
            name,
        }
    }
    /// A key is new.
    pub const NEW: Event = Event {
        class: EventClass::New,
        name: "new",
    };
    pub(crate) const MISS: Event = Event {
        class: EventClass::Miss,
        name: "keymiss",
    };
    pub(crate) const EVICTED: Event = Event {
        class: EventClass::Evicted,
        name: "evicted",
    };
    pub(crate) const fn expired() -> Event {
        Event {
            class: EventClass::Expired,
            name: "expired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_where_their_letters_are() {
        let at = |letter: u8| EVENT_LETTERS.iter().position(|known| *known == letter);
        for (class, letter) in [
            (EventClass::Generic, b'g'),
            (EventClass::String, b'$'),
            (EventClass::List, b'l'),
            (EventClass::Set, b's'),
            (EventClass::Hash, b'h'),
            (EventClass::ZSet, b'z'),
            (EventClass::Expired, b'x'),
            (EventClass::Evicted, b'e'),
            (EventClass::Stream, b't'),
            (EventClass::New, b'n'),
            (EventClass::Miss, b'm'),
        ] {
            assert_eq!(at(letter), Some(class as usize));
        }
        assert_eq!(at(b'K').map(|at| 1 << at), Some(NOTIFY_KEYSPACE));
        assert_eq!(at(b'E').map(|at| 1 << at), Some(NOTIFY_KEYEVENT));
    }

    #[test]
    fn without_a_channel_nothing_is_told() {
        let notify = Notify::default();
        notify.set(1 << EventClass::List as u32);
        assert_eq!(notify.bits(), 0);
        notify.set(1 << EventClass::List as u32 | NOTIFY_KEYEVENT);
        assert!(notify.has(EventClass::List) && !notify.has(EventClass::Hash));
    }
}
