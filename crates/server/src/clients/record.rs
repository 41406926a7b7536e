//! What others may know of a client: one record for each connection, shared with all workers.
//!
//! Invariant: the pulse is written by whoever runs the client's session, once per batch, with relaxed stores; others read it
//! and see values of the last batch, each true by itself. Marks are set by anybody. A record outlives its connection as long
//! as somebody looks at it.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};

use dunlin_engine::Session;
use dunlin_engine::acl::DEFAULT_USER;
use dunlin_engine::pubsub::Kind;
use dunlin_engine::session::Peer;
use dunlin_resp::Version;

use super::lock;

/// No command yet.
const NONE: u32 = u32::MAX;

/// A condition of a client, as one bit.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Mark(u32);

impl Mark {
    /// It is to be closed: its worker executes nothing more for it.
    pub const KILLED: Mark = Mark(1);
    /// `maxmemory-clients` does not close it.
    pub const NO_EVICT: Mark = Mark(1 << 1);
    /// Its reads leave access clocks alone.
    pub const NO_TOUCH: Mark = Mark(1 << 2);
    /// It monitors.
    pub const MONITOR: Mark = Mark(1 << 3);
    /// Its commands wait until the pause is over.
    pub const POSTPONED: Mark = Mark(1 << 4);
    /// It waits for a key.
    pub const BLOCKED: Mark = Mark(1 << 5);
    /// It has subscriptions.
    pub const SUBSCRIBER: Mark = Mark(1 << 6);
}

/// Session conditions in [`Pulse::state`].
mod state {
    pub(super) const MULTI: u32 = 1;
    pub(super) const DIRTY: u32 = 1 << 1;
    pub(super) const CLOSING: u32 = 1 << 2;
    pub(super) const RESP3: u32 = 1 << 3;
    pub(super) const WATCHING: u32 = 1 << 4;
}

/// What changes with every batch.
#[derive(Debug, Default)]
struct Pulse {
    active_ms: AtomicU64,
    memory: AtomicU64,
    output: AtomicU64,
    input: AtomicU32,
    input_room: AtomicU32,
    argv: AtomicU32,
    queued: AtomicU32,
    multi: AtomicI32,
    db: AtomicU32,
    command: AtomicU32,
    state: AtomicU32,
}

/// What changes rarely; most clients that are idle never set it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Texts {
    /// CLIENT SETNAME.
    pub name: Box<[u8]>,
    /// CLIENT SETINFO: library and version.
    pub lib: (Box<[u8]>, Box<[u8]>),
    /// Its user; nothing for the default one.
    pub user: Box<[u8]>,
    /// How many channels, patterns and shard channels it has subscribed to.
    pub subscriptions: [usize; 3],
}

/// See the module's text.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub id: u64,
    /// Both ends of its connection, and when it was opened.
    pub peer: Peer,
    /// What its worker knows it by.
    pub token: u64,
    /// Narrow, so that a record fits its size class.
    worker: u32,
    marks: AtomicU32,
    pulse: Pulse,
    texts: Mutex<Option<Box<Texts>>>,
}

/// What a connection's buffers hold, in bytes.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Buffered {
    /// Input that belongs to no argument yet.
    pub input: usize,
    /// Arguments of the command that is not executed yet, or just being executed.
    pub argv: usize,
    /// Memory of the input buffer, as large as the request that is coming will make it.
    pub room: usize,
}

/// A client's figures as of its last batch.
#[derive(Clone, Debug)]
pub struct Figures {
    /// When it last sent something, milliseconds of the monotonic clock.
    pub active_ms: u64,
    /// All memory that it takes, bytes.
    pub memory: u64,
    /// Unsent replies, bytes.
    pub output: u64,
    /// Its input.
    pub buffered: Buffered,
    /// Bytes of queued arguments.
    pub queued: u32,
    /// Commands queued, or -1 outside a transaction.
    pub multi: i32,
    /// Selected database.
    pub db: u32,
    /// Id of the last command.
    pub command: Option<usize>,
    /// It is in a transaction.
    pub in_multi: bool,
    /// A watched key has changed.
    pub dirty: bool,
    /// It is closed once its replies are sent.
    pub closing: bool,
    /// Its protocol version.
    pub resp: u8,
}

impl Client {
    /// A record for a new connection.
    pub fn new(id: u64, peer: Peer, worker: usize, token: u64, now_mono_ms: u64) -> Client {
        let pulse = Pulse {
            active_ms: AtomicU64::new(now_mono_ms),
            multi: AtomicI32::new(-1),
            command: AtomicU32::new(NONE),
            ..Pulse::default()
        };
        Client {
            id,
            peer,
            worker: worker as u32,
            token,
            marks: AtomicU32::new(0),
            pulse,
            texts: Mutex::new(None),
        }
    }

    /// The worker that has it.
    pub fn worker(&self) -> usize {
        self.worker as usize
    }

    /// Whether it has this mark.
    #[inline]
    pub fn is(&self, mark: Mark) -> bool {
        self.marks.load(Relaxed) & mark.0 != 0
    }

    /// Sets or removes a mark; whether that changed anything.
    pub fn mark(&self, mark: Mark, on: bool) -> bool {
        let before = if on {
            self.marks.fetch_or(mark.0, Relaxed)
        } else {
            self.marks.fetch_and(!mark.0, Relaxed)
        };
        (before & mark.0 != 0) != on
    }

    /// It has sent something.
    #[inline]
    pub fn touch(&self, now_mono_ms: u64) {
        self.pulse.active_ms.store(now_mono_ms, Relaxed);
    }

    /// When it last sent something, milliseconds of the monotonic clock.
    pub fn active_ms(&self) -> u64 {
        self.pulse.active_ms.load(Relaxed)
    }

    /// Memory that it took after its last batch, bytes.
    #[inline]
    pub fn memory(&self) -> u64 {
        self.pulse.memory.load(Relaxed)
    }

    /// Notes how much of its replies is unsent. Returns by how much that changes its memory.
    pub fn set_output(&self, bytes: usize) -> i64 {
        let pulse = &self.pulse;
        let change = bytes as i64 - pulse.output.load(Relaxed) as i64;
        let memory = pulse.memory.load(Relaxed) as i64 + change;
        pulse.output.store(bytes as u64, Relaxed);
        pulse.memory.store(memory.max(0) as u64, Relaxed);
        change
    }

    /// Notes the state of its session after a batch, or while it runs `command`.
    #[inline]
    pub fn publish_session(&self, session: &Session, command: Option<usize>) {
        let pulse = &self.pulse;
        let (mut multi, mut queued, mut flags) = (-1, 0, 0);
        if let Some(transaction) = &session.transaction {
            multi = transaction.queue.len() as i32;
            queued = transaction.bytes;
            flags |= state::MULTI;
        }
        if let Some(watches) = &session.watches {
            if watches.flag.is_raised() {
                flags |= state::DIRTY;
            }
            if !watches.keys.is_empty() {
                flags |= state::WATCHING;
            }
        }
        if session.close_after_reply {
            flags |= state::CLOSING;
        }
        if session.version == Version::Resp3 {
            flags |= state::RESP3;
        }
        pulse.multi.store(multi, Relaxed);
        pulse.queued.store(small(queued), Relaxed);
        pulse.state.store(flags, Relaxed);
        pulse.db.store(session.db, Relaxed);
        if let Some(id) = command {
            pulse.command.store(id as u32, Relaxed);
        }
    }

    /// Notes what is left of its input.
    #[inline]
    pub fn set_buffered(&self, buffered: Buffered) {
        self.pulse.input.store(small(buffered.input), Relaxed);
        self.pulse.argv.store(small(buffered.argv), Relaxed);
        self.pulse.input_room.store(small(buffered.room), Relaxed);
    }

    /// Sums its memory up, `fixed` bytes beside buffers and queued commands; the difference to the last sum.
    #[inline]
    pub fn weigh(&self, fixed: usize) -> i64 {
        let pulse = &self.pulse;
        let sum = fixed as u64
            + u64::from(pulse.input_room.load(Relaxed))
            + u64::from(pulse.queued.load(Relaxed))
            + pulse.output.load(Relaxed);
        let before = pulse.memory.load(Relaxed);
        if sum != before {
            pulse.memory.store(sum, Relaxed);
        }
        sum as i64 - before as i64
    }

    /// Whether it watches keys.
    pub fn is_watching(&self) -> bool {
        self.pulse.state.load(Relaxed) & state::WATCHING != 0
    }

    /// All figures.
    pub fn figures(&self) -> Figures {
        let pulse = &self.pulse;
        let state = pulse.state.load(Relaxed);
        let command = pulse.command.load(Relaxed);
        let bytes = |n: &AtomicU32| n.load(Relaxed) as usize;
        Figures {
            active_ms: pulse.active_ms.load(Relaxed),
            memory: pulse.memory.load(Relaxed),
            output: pulse.output.load(Relaxed),
            buffered: Buffered {
                input: bytes(&pulse.input),
                argv: bytes(&pulse.argv),
                room: bytes(&pulse.input_room),
            },
            queued: pulse.queued.load(Relaxed),
            multi: pulse.multi.load(Relaxed),
            db: pulse.db.load(Relaxed),
            command: (command != NONE).then_some(command as usize),
            in_multi: state & state::MULTI != 0,
            dirty: state & state::DIRTY != 0,
            closing: state & state::CLOSING != 0,
            resp: if state & state::RESP3 != 0 { 3 } else { 2 },
        }
    }

    /// What changes rarely.
    pub fn texts(&self) -> Texts {
        self.lock_texts().as_deref().cloned().unwrap_or_default()
    }

    /// Name of its user.
    pub fn user(&self) -> Box<[u8]> {
        match self.lock_texts().as_deref() {
            Some(texts) if !texts.user.is_empty() => texts.user.clone(),
            _ => DEFAULT_USER.into(),
        }
    }

    /// Notes what its session has subscribed to.
    pub fn publish_subscriptions(&self, session: &Session) {
        let mine = session.subscriptions.as_deref();
        let counts = Kind::ALL.map(|kind| mine.map_or(0, |mine| mine.len(kind)));
        self.edit_texts(|texts| texts.subscriptions = counts);
        self.mark(Mark::SUBSCRIBER, mine.is_some());
    }

    /// Changes its name, its library, or what it has subscribed to.
    pub fn edit_texts(&self, edit: impl FnOnce(&mut Texts)) {
        let mut held = self.lock_texts();
        let texts = held.get_or_insert_default();
        edit(texts);
        if **texts == Texts::default() {
            *held = None;
        }
    }

    fn lock_texts(&self) -> MutexGuard<'_, Option<Box<Texts>>> {
        lock(&self.texts)
    }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
