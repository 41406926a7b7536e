//! Keyspace events: what a change is called where it is told of.

/// Class of a keyspace event, as `notify-keyspace-events` names them.
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
    /// `t`: stream commands.
    Stream,
    /// `x`: a key expired.
    Expired,
    /// `e`: a key was evicted.
    Evicted,
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
