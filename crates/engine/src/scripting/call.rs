//! `redis.call`: a command from a script, checked, run inside its transaction, and its reply as a Lua value.

use std::cell::Cell;
use std::fmt;
use std::mem::take;
use std::sync::atomic::Ordering;

use dunlin_resp::{Span, push_double};
use dunlin_structures::lua::Reader;
use dunlin_structures::rope::Rope;
use mlua::{Lua, Value};

use super::interpreter::{Abort, MEMORY_BYTES_MAX, State};
use super::to_lua;
use crate::args::Args;
use crate::command::{Begin, Command, Find, Flags, KeySpec, Scope, has_patterns};
use crate::context::Ctx;
use crate::dispatch::HEAVY_ELEMENTS;
use crate::error::ReplyError;
use crate::reply::Reply;

/// A reply up to this length is made into Lua values without asking whether memory lasts for it.
const SMALL_REPLY_BYTES: usize = 64 << 10;

/// Bytes of arguments and replies that are kept for the next command.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Arguments for which room is kept.
const KEPT_WORDS_MAX: usize = 8 << 10;

/// The arguments of a call. Their memory is kept for the next one.
pub(crate) struct Words {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// One of them is neither text nor a number, or they are too long to be addressed.
    is_wrong: bool,
}

thread_local! {
    /// Memory of the last call's arguments.
    static SPARE: Cell<(Vec<u8>, Vec<Span>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

impl Words {
    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let span = |at: usize| u32::try_from(at);
        match (span(start), span(self.bytes.len() - start)) {
            (Ok(start), Ok(len)) => self.spans.push(Span { start, len }),
            _ => self.is_wrong = true,
        }
    }

    /// The arguments as those of a command.
    ///
    /// # Errors
    /// Why they are none.
    fn args(&self) -> Result<Args<'_>, &'static str> {
        if self.is_wrong {
            return Err("ERR Lua redis lib command arguments must be strings or integers");
        }
        if self.spans.is_empty() {
            return Err("ERR Please specify at least one argument for this redis lib call");
        }
        Ok(Args::new(&self.bytes, &self.spans))
    }
}

impl Reader for Words {
    fn begin(_: usize) -> Words {
        let (bytes, spans) = SPARE.take();
        Words {
            bytes,
            spans,
            is_wrong: false,
        }
    }
    fn text(&mut self, text: &[u8]) {
        self.push(|bytes| bytes.extend_from_slice(text));
    }
    fn number(&mut self, number: f64) {
        // The conversion is exact but for what lies beyond, where it stops at the end.
        let integer = number as i64;
        let is_integer = (integer as f64).to_bits() == number.to_bits() && integer != i64::MAX;
        self.push(|bytes| match is_integer {
            true => bytes.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes()),
            false => push_double(bytes, number),
        });
    }
    fn other(&mut self) {
        self.is_wrong = true;
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES_MAX || self.spans.capacity() > KEPT_WORDS_MAX {
            return;
        }
        self.bytes.clear();
        self.spans.clear();
        SPARE.set((take(&mut self.bytes), take(&mut self.spans)));
    }
}

/// A failure that a script sees as a table with its text under `err`. It carries no value of Lua's: as many as a script likes may be
/// waiting for the collector.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Its text.
    pub(super) text: Vec<u8>,
    /// It has been counted: whoever answers with it does not count it again.
    pub(super) is_counted: bool,
    /// No script may catch it.
    is_final: bool,
}

impl Failure {
    /// One that was not counted.
    pub(super) fn new(text: impl Into<Vec<u8>>) -> Failure {
        Failure {
            text: text.into(),
            is_counted: false,
            is_final: false,
        }
    }

    /// One that was.
    pub(super) fn counted(text: Vec<u8>) -> Failure {
        Failure {
            is_counted: true,
            ..Failure::new(text)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl std::error::Error for Failure {}

/// What became of a command.
enum Called {
    /// The reply was written.
    Replied,
    /// It was refused before it ran.
    Refused(ReplyError),
    /// The script has to stop.
    Aborted,
}

impl State {
    /// `redis.call`.
    pub(super) fn call_or_raise(&self, lua: &Lua, words: &Words) -> mlua::Result<Value> {
        self.dispatch(lua, words)?.map_err(mlua::Error::external)
    }

    /// `redis.pcall`.
    pub(super) fn call_or_return(&self, lua: &Lua, words: &Words) -> mlua::Result<Value> {
        match self.dispatch(lua, words)? {
            Ok(value) => Ok(value),
            Err(failure) if failure.is_final => Err(mlua::Error::external(failure)),
            Err(failure) => Ok(Value::Table(to_lua::failure(lua, &failure)?)),
        }
    }

    fn dispatch(&self, lua: &Lua, words: &Words) -> mlua::Result<Result<Value, Failure>> {
        let args = match words.args() {
            Ok(args) => args,
            Err(text) => return Ok(Err(Failure::new(text))),
        };
        let mut reply = Rope::with_buffer(self.reply.take());
        let mut called = self.cx.with(|cx| self.call(cx, args, &mut reply));
        if reply.len() > SMALL_REPLY_BYTES && self.is_over() {
            called = Some(Called::Aborted);
        }
        let dispatched = match called {
            Some(Called::Replied) => Self::value(lua, &mut reply),
            Some(Called::Refused(error)) => {
                Ok(Err(Failure::counted(error.to_string().into_bytes())))
            }
            Some(Called::Aborted) => Ok(Err(Failure {
                is_final: true,
                ..Failure::counted(b"ERR aborted".to_vec())
            })),
            // Nothing runs that could call commands: a library is being loaded.
            None => Ok(Err(Failure::new(
                "ERR redis.call can only be called inside a script invocation",
            ))),
        };
        let mut buffer = reply.take_tail();
        if buffer.capacity() <= KEPT_BYTES_MAX {
            buffer.clear();
            self.reply.set(buffer);
        }
        dispatched
    }

    fn value(lua: &Lua, reply: &mut Rope) -> mlua::Result<Result<Value, Failure>> {
        let mut long = Vec::new();
        if !reply.is_contiguous() {
            while !reply.is_empty() {
                let piece = reply.first();
                long.extend_from_slice(piece);
                let len = piece.len();
                reply.advance(len);
            }
        }
        let mut bytes = if long.is_empty() {
            reply.first()
        } else {
            &long
        };
        if bytes[0] == b'-' {
            let text = to_lua::error_text(to_lua::line(bytes).0);
            return Ok(Err(Failure::counted(text)));
        }
        // Every allocation would be guarded while memory is limited, at several times the cost.
        let is_small = bytes.len() <= SMALL_REPLY_BYTES;
        if is_small && bytes[0] != b':' {
            lua.set_memory_limit(0)?;
        }
        let value = to_lua::read(lua, &mut bytes);
        if is_small {
            lua.set_memory_limit(MEMORY_BYTES_MAX)?;
        }
        Ok(Ok(value?))
    }

    fn call(&self, cx: &mut Ctx<'_>, args: Args<'_>, out: &mut Rope) -> Called {
        // The hook counts instructions, of which a script that calls long commands has few.
        let running = &cx.engine.scripts.running;
        if self.abort.get().is_none() && running.is_killed(cx.keys.local().worker) {
            self.abort.set(Some(Abort::Killed));
        }
        if self.abort.get().is_some() {
            return Called::Aborted;
        }
        let (id, command) = match self.check(cx, args) {
            Ok(found) => found,
            Err((id, error)) => {
                cx.stats.count_error(&error);
                if let Some(id) = id {
                    cx.stats.commands[id].rejected.add(1);
                }
                return Called::Refused(error);
            }
        };
        let Some(first_hash) = held_keys(cx, command, args) else {
            self.abort.set(Some(Abort::Undeclared));
            return Called::Aborted;
        };
        if cx.may_defer
            && let Some(weight) = command.weight
            && weight(cx.engine, cx.session, args) > HEAVY_ELEMENTS
        {
            self.abort.set(Some(Abort::Slow));
            return Called::Aborted;
        }
        if command.flags.has(Flags::WRITE) {
            self.has_written.set(true);
        }
        let effects = self.unlogged.get().then(|| cx.keys.effects());
        let version = self.version.get();
        cx.session.version = version;
        {
            let mut inner = cx.nested(command, args);
            inner.reply = Reply::new(out, version);
            inner.first_hash = first_hash;
            let measured = !inner.engine.table.is_brief(id);
            if measured {
                inner.host.inner_starts();
            }
            inner.run_inner(id, measured);
        }
        if command.flags.has(Flags::READONLY) && cx.session.tracking.is_some() {
            // All that the script declares, as in Redis.
            cx.remember_keys();
        }
        if let Some(effects) = effects {
            cx.keys.forget_effects_since(effects);
        }
        Called::Replied
    }

    /// The checks before a command of a script runs, in Redis's order.
    fn check(
        &self,
        cx: &mut Ctx<'_>,
        args: Args<'_>,
    ) -> Result<(usize, &'static Command), (Option<usize>, ReplyError)> {
        let engine = cx.engine;
        let found = engine.table.id_of(args.at(0)).and_then(|id| {
            let has_parts = !engine.table.at(id).subcommands.is_empty();
            match args.get(1).filter(|_| has_parts) {
                Some(name) => engine.table.subcommand(id, name),
                None => Some(id),
            }
        });
        let Some(id) = found else {
            return Err((
                None,
                ReplyError::err("Unknown Redis command called from script"),
            ));
        };
        let command = engine.table.at(id);
        let refusal = if !command.accepts(args.len()) {
            ReplyError::err("Wrong number of args calling Redis command from script")
        } else if command.flags.has(Flags::NOSCRIPT)
            && !engine.scripts.allows_denied.load(Ordering::Relaxed)
        {
            ReplyError::err("This Redis command is not allowed from script")
        } else if let Err(denial) = engine.permits(cx.session, id, args) {
            cx.report_denied_call(id, args, denial);
            let text = engine.denial_text(id, args, denial, false);
            ReplyError::err(format!("ACL failure in script: {text}"))
        } else if self.read_only.get()
            && (command.flags.has(Flags::WRITE) || command.flags.has(Flags::MAY_REPLICATE))
        {
            ReplyError::err("Write commands are not allowed from read-only scripts.")
        } else if command.flags.has(Flags::WRITE)
            && !self.has_written.get()
            && engine.disk_trouble.is_there()
            && let Some(refusal) = engine.disk_trouble.refusal()
        {
            refusal
        } else if command.flags.has(Flags::DENYOOM)
            && cx.session.out_of_memory
            && engine.store.eviction.is_on()
            && !self.allow_oom.get()
            && !self.has_written.get()
        {
            ReplyError::OutOfMemory
        } else {
            return Ok((id, command));
        };
        Err((Some(id), refusal))
    }

    /// `redis.acl_check_cmd`: whether the user may run a command.
    pub(super) fn may_run(&self, words: &Words) -> mlua::Result<bool> {
        let fail = |text: &str| Err(mlua::Error::external(Failure::new(text)));
        let args = match words.args() {
            Ok(args) => args,
            Err(text) => return fail(text),
        };
        let known = self.cx.with(|cx| {
            let id = cx.engine.table.id_of_call(args)?;
            Some(cx.engine.permits(cx.session, id, args).is_ok())
        });
        match known {
            Some(Some(may)) => Ok(may),
            _ => fail("ERR Invalid command passed to redis.acl_check_cmd()"),
        }
    }
}

/// Whether the stripes of everything that the command touches are held; place and hash of its first key, if it has one at a fixed place.
#[inline]
fn held_keys(cx: &Ctx<'_>, command: &Command, args: Args<'_>) -> Option<Option<(usize, u64)>> {
    let needs_all = match command.scope {
        Scope::Nothing | Scope::Watched => return Some(None),
        Scope::All | Scope::Stepwise | Scope::Transaction | Scope::Script => true,
        Scope::Patterns => has_patterns(args),
        Scope::Keys => false,
    };
    if needs_all {
        return cx.keys.holds_all().then_some(None);
    }
    if let [
        KeySpec {
            begin: Begin::Index(at),
            find: Find::Range { last: 0, .. },
            ..
        },
    ] = command.keys
    {
        let hash = cx.keys.key(args.at(*at)).hash;
        return cx.keys.holds(hash).then_some(Some((*at, hash)));
    }
    let mut all = true;
    for spec in command.keys {
        spec.for_each(args, |at| {
            all = all && cx.keys.holds(cx.keys.key(args.at(at)).hash);
        });
    }
    all.then_some(None)
}
