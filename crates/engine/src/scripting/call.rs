//! `redis.call`: a command from a script, checked, run inside its transaction, and its reply as a Lua value.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use dunlin_resp::{Span, push_double};
use dunlin_structures::rope::Rope;
use mlua::{Lua, MultiValue, Table, Value};

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

/// What one call works with, kept for the next.
#[derive(Default)]
pub(crate) struct Buffers {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    reply: Vec<u8>,
}

impl Buffers {
    /// Takes arguments over; false if one of them is neither text nor a number.
    fn fill(&mut self, args: &MultiValue) -> bool {
        self.bytes.clear();
        self.spans.clear();
        for arg in args {
            let start = self.bytes.len();
            match arg {
                Value::String(text) => self.bytes.extend_from_slice(&text.as_bytes()),
                Value::Integer(number) => {
                    let mut buffer = itoa::Buffer::new();
                    self.bytes
                        .extend_from_slice(buffer.format(*number).as_bytes());
                }
                Value::Number(number) => push_double(&mut self.bytes, *number),
                _ => return false,
            }
            let span = |at: usize| u32::try_from(at);
            let (Ok(start), Ok(len)) = (span(start), span(self.bytes.len() - start)) else {
                return false;
            };
            self.spans.push(Span { start, len });
        }
        true
    }

    fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }
}

/// A value; or a failure, and whether no script may catch it.
pub(super) type Dispatched = (Value, Option<Table>, Option<bool>);

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
    /// The same for arguments in a table: there may be more of them than a function of the host is given.
    pub(super) fn dispatch_many(
        self: &Rc<Self>,
        lua: &Lua,
        (count, args): (usize, Table),
    ) -> mlua::Result<Dispatched> {
        let args = (1..=count).map(|at| args.raw_get::<Value>(at));
        let args = args.collect::<mlua::Result<MultiValue>>()?;
        self.dispatch(lua, &args)
    }

    /// `redis.call` and `redis.pcall` are this, and what they do about a failure.
    pub(super) fn dispatch(
        self: &Rc<Self>,
        lua: &Lua,
        args: &MultiValue,
    ) -> mlua::Result<Dispatched> {
        let fail = |text: &str| {
            Ok((
                Value::Nil,
                Some(to_lua::failure(lua, text.as_bytes(), false)?),
                None,
            ))
        };
        if args.is_empty() {
            return fail("ERR Please specify at least one argument for this redis lib call");
        }
        let mut buffers = self.buffers.borrow_mut();
        if !buffers.fill(args) {
            return fail("ERR Lua redis lib command arguments must be strings or integers");
        }
        let mut reply = Rope::with_buffer(std::mem::take(&mut buffers.reply));
        let mut called = self.cx.with(|cx| self.call(cx, buffers.args(), &mut reply));
        if reply.len() > SMALL_REPLY_BYTES && self.is_over() {
            called = Some(Called::Aborted);
        }
        let dispatched = match called {
            Some(Called::Replied) => Self::value(lua, &mut reply),
            Some(Called::Refused(error)) => {
                let text = error.to_string();
                Ok((
                    Value::Nil,
                    Some(to_lua::failure(lua, text.as_bytes(), true)?),
                    None,
                ))
            }
            Some(Called::Aborted) => Ok((
                Value::Nil,
                Some(to_lua::failure(lua, b"ERR aborted", true)?),
                Some(true),
            )),
            // Nothing runs that could call commands: a library is being loaded.
            None => fail("ERR redis.call can only be called inside a script invocation"),
        };
        let mut buffer = reply.take_tail();
        if buffer.capacity() <= KEPT_BYTES_MAX {
            buffer.clear();
            buffers.reply = buffer;
        }
        if buffers.bytes.capacity() > KEPT_BYTES_MAX {
            buffers.bytes = Vec::new();
        }
        dispatched
    }

    fn value(lua: &Lua, reply: &mut Rope) -> mlua::Result<Dispatched> {
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
        let is_failure = bytes[0] == b'-';
        // Every allocation would be guarded while memory is limited, at several times the cost.
        let is_small = bytes.len() <= SMALL_REPLY_BYTES;
        if is_small {
            lua.set_memory_limit(0)?;
        }
        let value = to_lua::read(lua, &mut bytes);
        if is_small {
            lua.set_memory_limit(MEMORY_BYTES_MAX)?;
        }
        Ok(match value? {
            Value::Table(failure) if is_failure => (Value::Nil, Some(failure), None),
            value => (value, None, None),
        })
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

    /// `redis.acl_check_cmd`: whether the user may run a command; or why there is none to run.
    pub(super) fn may_run(
        self: &Rc<Self>,
        _lua: &Lua,
        args: &MultiValue,
    ) -> mlua::Result<(Option<bool>, Option<&'static str>)> {
        if args.is_empty() {
            return Ok((
                None,
                Some("Please specify at least one argument for this redis lib call"),
            ));
        }
        let mut buffers = self.buffers.borrow_mut();
        if !buffers.fill(args) {
            return Ok((
                None,
                Some("Lua redis lib command arguments must be strings or integers"),
            ));
        }
        let known = self.cx.with(|cx| {
            let args = buffers.args();
            let id = cx.engine.table.id_of_call(args)?;
            Some(cx.engine.permits(cx.session, id, args).is_ok())
        });
        Ok(match known {
            Some(Some(may)) => (Some(may), None),
            _ => (
                None,
                Some("Invalid command passed to redis.acl_check_cmd()"),
            ),
        })
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
