//! What a handler gets: the keys of the held stripes, the session, the reply, the arguments, the host.

use std::any::Any;
use std::sync::atomic::Ordering;

use dunlin_store::blocked::Wanted;
use dunlin_store::stripes::LockSet;
use dunlin_store::{Event, Found, Key, Reads, Txn};
use smallvec::SmallVec;

use crate::acl::{Access, Denied};
use crate::args::{Args, OwnedArgs};
use crate::command::{Command, Flags};
use crate::dispatch::HEAVY_ELEMENTS;
use crate::engine::{CommandStats, Engine};
use crate::error::ReplyError;
use crate::reply::Reply;
use crate::session::Session;

/// What lies above the engine: the clock in microseconds, and whatever the server's own commands need.
pub trait Host {
    /// Wall clock in microseconds since 1970.
    fn unix_time_us(&mut self) -> u64;
    /// A clock that never goes back, in microseconds; when it began to run does not matter.
    fn monotonic_us(&mut self) -> u64 {
        self.unix_time_us()
    }
    /// Whether the server stops: a script that takes long is not waited for.
    fn is_stopping(&self) -> bool {
        false
    }
    /// A script writes to the server's log, at one of Redis's four levels.
    fn script_logs(&mut self, _level: u8, _line: &str) {}
    /// After how long the log is told that a script still runs; `None`: never.
    fn slow_script_us(&self) -> Option<u64> {
        None
    }
    /// Lets time pass: DEBUG SLEEP, on the auxiliary thread only.
    fn sleep_us(&mut self, us: u64);
    /// EXEC begins with its queued commands.
    fn inner_starts(&mut self) {}
    /// A queued command, the next in order, has run.
    fn inner_ran(&mut self, _id: usize, _args: Args<'_>, _session: &Session) {}
    /// A command has run, its stripes still held; called while [`crate::WorkerState::observed`] only.
    fn executed(&mut self, _command: &'static Command, _session: &Session, _args: Args<'_>) {}
    /// A command was denied to the session's user.
    fn denied(&mut self, _session: &Session, _denied: &Denied<'_>) {}
    /// RESTORE refused a value that is not consistent: for the log.
    fn refused_value(&mut self, _key: &[u8], _why: &dyn std::error::Error) {}
    /// FLUSHALL has removed all keys, their stripes still held. What it has to wait for, if it `may_wait`: see [`Flow::Away`].
    fn flushed_all(&mut self, _may_wait: bool) -> Option<Box<dyn Any + Send>> {
        None
    }
    /// The subscriptions of a session have changed.
    fn subscribed(&mut self, _session: &Session) {}
    /// The concrete host, for commands of the same crate.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// How a handler ended.
pub enum Flow {
    /// The reply is written.
    Done,
    /// The rest is done in steps; the reply is written by the last one.
    Continue(Box<dyn Continuation>),
    /// Nothing was done yet: too long for a worker, to be run again on the auxiliary thread. See [`Ctx::is_heavy`].
    Heavy,
    /// Nothing has remained of what was done: it is run again with every stripe held.
    Again,
    /// Like [`Flow::Heavy`], and only the keys that the command declares will be read: it is run over images of them, their stripes free.
    HeavyRead,
    /// The reply comes later, and not from the engine: whoever understands the order sends the session back with it. Only where
    /// [`Ctx::is_inside`] is false.
    Away(Box<dyn Any + Send>),
    /// Nothing was done: there is nothing for the command yet. It is run again when a key may have something. Only where
    /// [`Ctx::may_block`].
    Block(Box<Block>),
}

/// What a command waits for.
pub struct Block {
    /// Places of the keys among the arguments.
    pub keys: SmallVec<[usize; 4]>,
    /// What a key must become.
    pub wanted: Wanted,
    /// When it gives up, milliseconds since 1970.
    pub deadline_ms: Option<u64>,
    /// Writes what is answered then.
    pub nothing: fn(&mut Reply<'_>),
    /// What is answered instead once the log is safe.
    pub until_safe: Option<UntilSafe>,
    /// The arguments with which it is run again, if not its own: `XREAD ... $` waits for what comes after the present.
    pub args: Option<OwnedArgs>,
}

/// A wait for the log of effects (WAITAOF).
#[derive(Copy, Clone)]
pub struct UntilSafe {
    /// Up to which record it has to be safe.
    pub position: u64,
    /// Writes what is answered then.
    pub reply: fn(&mut Reply<'_>),
    /// Nothing else is waited for, so it is answered at once; else at the deadline.
    pub at_once: bool,
}

/// What a handler returns.
pub type Outcome = Result<Flow, ReplyError>;

/// How one step ended.
pub enum Progress {
    /// Call again.
    More,
    /// The reply is written.
    Done,
}

/// A command that goes on in steps, each under its own locks.
pub trait Continuation: Send {
    /// What the next step locks; `None` when nothing.
    fn lock_set(&self, engine: &Engine) -> Option<LockSet>;
    /// Does one step of bounded work (about 50 us). The context has no arguments: the continuation owns what it needs.
    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError>;
}

/// The context of one command.
pub struct Ctx<'a> {
    /// The command.
    pub command: &'static Command,
    /// Its arguments.
    pub args: Args<'a>,
    /// The keys, with the stripes of the command held.
    pub keys: Txn<'a>,
    /// The client's session.
    pub session: &'a mut Session,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// What lies above.
    pub host: &'a mut dyn Host,
    /// The engine.
    pub engine: &'a Engine,
    /// Counters per command.
    pub stats: &'a CommandStats,
    /// Whether the command may still go to the auxiliary thread: it is neither there nor part of a transaction.
    pub(crate) may_defer: bool,
    /// See [`crate::WorkerState`].
    pub(crate) observed: bool,
    /// See [`dunlin_store::Local`].
    pub(crate) paused: bool,
    /// Index and hash of the first key, computed by the look-ahead.
    pub(crate) first_hash: Option<(usize, u64)>,
}

impl<'a> Ctx<'a> {
    /// The key at argument `index`.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        let bytes = self.args.at(index);
        match self.first_hash {
            Some((i, hash)) if i == index => Key { bytes, hash },
            _ => self.keys.key(bytes),
        }
    }

    /// Whether a command that will touch so many elements should return [`Flow::Heavy`] or [`Flow::HeavyRead`] instead, having changed
    /// and answered nothing yet.
    #[inline]
    pub fn is_heavy(&self, elements: usize) -> bool {
        self.may_defer && Ctx::is_many(elements)
    }

    /// Whether so much is written that the client will be closed over its limit of output. A command whose reply is as long as
    /// its caller pleases may leave the rest out then.
    #[inline]
    pub fn reply_is_too_long(&self) -> bool {
        self.reply.output_len() > self.engine.reply_bytes_max.load(Ordering::Relaxed)
    }

    /// Whether the command runs inside a transaction, where nothing may wait.
    pub fn is_inside(&self) -> bool {
        !self.may_defer
    }

    /// Whether the command may wait for a key: neither a transaction nor the log does.
    pub fn may_block(&self) -> bool {
        self.may_defer && !self.session.replaying
    }

    /// Whether so many elements are too many for a worker.
    #[inline]
    pub fn is_many(elements: usize) -> bool {
        elements as u64 > HEAVY_ELEMENTS
    }

    /// The selected database.
    #[inline]
    pub fn db(&self) -> u32 {
        self.session.db
    }

    /// Finds the key at argument `index` for changing it: no statistics.
    pub fn find(&mut self, index: usize) -> Option<Found> {
        let key = self.key(index);
        self.keys.find(self.session.db, &key)
    }

    /// Records a change of `key` whose effect is the command itself.
    pub fn record_verbatim(&mut self, key: &[u8], event: Event) {
        self.keys
            .record_args(self.session.db, key, event, self.args.iter());
    }

    /// Whether the user may read whatever key a value names.
    pub fn may_read_any_key(&self) -> bool {
        let table = &self.engine.table;
        match (&self.session.user, table.id_of_call(self.args)) {
            (Some(user), Some(id)) if user.is_restricted() => {
                user.with_rules(|rules| rules.allows_any_key(table, id, self.args, Access::READ))
            }
            _ => true,
        }
    }

    /// A database number from an argument.
    pub fn database(&self, arg: &[u8]) -> Result<u32, ReplyError> {
        let n = crate::number::parse_i64(arg).ok_or(ReplyError::NotInteger)?;
        let n = i32::try_from(n).map_err(|_| ReplyError::NotInt32)?;
        match u32::try_from(n) {
            Ok(db) if (db as usize) < self.engine.store.databases() => Ok(db),
            _ => Err(ReplyError::DatabaseOutOfRange),
        }
    }

    /// Whether anything has to be done beside running the command.
    #[inline]
    pub(crate) fn is_special(&self) -> bool {
        let session = &self.session;
        self.observed | self.paused | session.no_touch | session.tracking.is_some()
    }

    /// Tells the transaction what this command's reads leave alone.
    #[cold]
    pub(crate) fn set_reads(&mut self) {
        self.keys.set_reads(Reads {
            keep_expired: self.paused && self.command.flags.has(Flags::READONLY),
            keep_clocks: self.session.no_touch && self.command.name != "touch",
        });
    }

    /// Shows the command that has run to who monitors.
    #[cold]
    pub(crate) fn observe(&mut self) {
        let flags = self.command.flags;
        if !flags.has(Flags::ADMIN) && !flags.has(Flags::SKIP_MONITOR) {
            self.host.executed(self.command, self.session, self.args);
        }
    }

    /// A context for another command over the same stripes, session and output.
    pub(crate) fn nested<'b>(&'b mut self, command: &'static Command, args: Args<'b>) -> Ctx<'b> {
        Ctx {
            command,
            args,
            keys: self.keys.reborrow(),
            session: self.session,
            reply: self.reply.reborrow(),
            host: self.host,
            engine: self.engine,
            stats: self.stats,
            may_defer: false,
            observed: self.observed,
            paused: self.paused,
            first_hash: None,
        }
    }
}
