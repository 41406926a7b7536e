//! One thread's Lua interpreter: the world that scripts see, the scripts that it has compiled, and what its callbacks work with.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_resp::Version;
use dunlin_structures::lent::{Borrowed, Lent};
use mlua::chunk::ChunkMode;
use mlua::{
    Error, Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState,
};

use super::{Digest, Script};
use crate::context::Ctx;
use crate::engine::Engine;
use crate::error::ReplyError;

/// What an interpreter may use, in bytes. A script that wants more gets an error.
pub(crate) const MEMORY_BYTES_MAX: usize = 512 << 20;

/// Instructions between two looks at the clock: some 50 us.
const HOOK_INSTRUCTIONS: u32 = 5_000;

/// Scripts between two looks at what they left in the world's tables.
const RUNS_BETWEEN_TIDYING: u64 = 64;

/// Interpreters that one thread keeps: it works for one engine, unless it is a test's.
const INTERPRETERS_MAX: usize = 16;

/// Compiled scripts that one interpreter keeps. Each takes a place on a stack of Lua's, which has some 8,000; the sources of all are kept
/// elsewhere.
const COMPILED_MAX: usize = 4_000;

/// The name that sandbox.lua goes by in error messages.
pub(super) const SANDBOX: &str = "=sandbox";

/// The level of `redis.LOG_WARNING`.
pub(super) const LEVEL_WARNING: u8 = 3;

/// `Ctx<'a>`, for [`Lent`].
pub(crate) enum Contexts {}

impl Borrowed for Contexts {
    type At<'a> = Ctx<'a>;
}

/// Why a script has to stop, whatever it does.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Abort {
    /// It touched a key whose stripe is not held.
    Undeclared,
    /// It takes too long for a worker.
    Slow,
    /// Somebody killed it.
    Killed,
    /// A library takes too long to load.
    LoadTimeout,
}

/// What the callbacks know of the script that runs.
#[derive(Default)]
pub(crate) struct State {
    /// The context of the command that runs it.
    pub(crate) cx: Lent<Contexts>,
    /// It has to stop.
    pub(crate) abort: Cell<Option<Abort>>,
    /// The protocol version of the replies that it gets.
    pub(crate) version: Cell<Version>,
    /// It must not write.
    pub(crate) read_only: Cell<bool>,
    /// It may take memory though there is none.
    pub(crate) allow_oom: Cell<bool>,
    /// It has called a command that writes.
    pub(crate) has_written: Cell<bool>,
    /// Its effects are not logged: `redis.set_repl`.
    pub(crate) unlogged: Cell<bool>,
    /// When the clock was first looked at, monotonic microseconds; 0 before.
    pub(crate) since_us: Cell<u64>,
    /// When the log is to be told that it still runs, on that clock.
    told_at_us: Cell<u64>,
    /// How long it may run here.
    pub(crate) limit_us: Cell<Option<(u64, Abort)>>,
    /// Functions that a library being loaded has registered.
    pub(crate) registered: super::functions::Registering,
    /// Memory of the last call's reply.
    pub(super) reply: Cell<Vec<u8>>,
    random: Cell<u64>,
}

impl State {
    /// Whether the script has to stop.
    pub(super) fn is_over(&self) -> bool {
        if self.abort.get().is_some() {
            return true;
        }
        let abort = self.cx.with(|cx| {
            let scripts = &cx.engine.scripts;
            let limit = self.limit_us.get();
            if cx.host.is_stopping() || scripts.running.is_killed(cx.keys.local().worker) {
                return Some(Abort::Killed);
            }
            let now_us = cx.host.monotonic_us();
            if self.since_us.get() == 0 {
                // Most scripts end before anybody looks at the clock.
                self.since_us.set(now_us);
                let threshold_us = cx.host.slow_script_us();
                self.told_at_us
                    .set(threshold_us.map_or(u64::MAX, |us| now_us.saturating_add(us)));
            }
            let ran_us = now_us.saturating_sub(self.since_us.get());
            if now_us >= self.told_at_us.get() {
                self.told_at_us.set(u64::MAX);
                let shown = scripts.running.shown(cx.keys.local().worker);
                if let Some(script) = shown {
                    cx.host
                        .script_logs(LEVEL_WARNING, &script.slow_text(ran_us));
                }
            }
            // What stands in the log is done whatever time it takes.
            let (limit_us, abort) = limit.filter(|_| !cx.session.replaying)?;
            (ran_us > limit_us).then_some(abort)
        });
        self.abort.set(abort.flatten());
        self.abort.get().is_some()
    }

    /// A number in [0, 1): the generator of drand48, of which Redis shows 31 bits.
    pub(super) fn random(&self) -> f64 {
        const MAX: u64 = i32::MAX as u64;
        let next = self
            .random
            .get()
            .wrapping_mul(0x5_DEEC_E66D)
            .wrapping_add(0xB)
            & ((1 << 48) - 1);
        self.random.set(next);
        ((next >> 17) % MAX) as f64 / MAX as f64
    }

    pub(super) fn seed(&self, seed: i32) {
        self.random.set(u64::from(seed as u32) << 16 | 0x330E);
    }
}

/// A script that this interpreter has compiled.
pub(crate) struct Compiled {
    pub(crate) digest: Digest,
    pub(crate) function: Function,
    pub(crate) script: Arc<Script>,
}

/// Places for scripts that are found by their source: a power of two.
const RECENT: usize = 64;

/// Place of a script with this source among the recent ones: a few of its bytes tell, and whoever stands there is compared.
fn recent_place(source: &[u8]) -> usize {
    const WORD: usize = 8;
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let len = source.len();
    let word = |at: usize| {
        let bytes = source.get(at..at + WORD);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let words = [0, len / 4, len / 2, len / 4 * 3, len.saturating_sub(WORD)];
    let mixed = words.iter().fold(len as u64, |mixed, &at| {
        (mixed ^ word(at)).wrapping_mul(FACTOR).rotate_left(29)
    });
    (mixed.wrapping_mul(FACTOR) >> 32) as usize % RECENT
}

/// See the module's text.
pub(crate) struct Interpreter {
    pub(crate) lua: Lua,
    pub(crate) state: Rc<State>,
    pub(crate) eval: Function,
    pub(crate) call: Function,
    pub(crate) load: Function,
    bind: Function,
    tidy: Function,
    compiled: RefCell<HashMap<Digest, Rc<Compiled>>>,
    /// Some of them, by their sources: see [`recent_place`].
    recent: RefCell<[Option<Rc<Compiled>>; RECENT]>,
    pub(crate) loaded: RefCell<super::functions::Loaded>,
    epoch: Cell<u64>,
    runs: Cell<u64>,
}

struct Own {
    engine: u64,
    worker: usize,
    interpreter: Rc<Interpreter>,
}

thread_local! {
    static OWN: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
}

/// The interpreter of this thread for worker `worker` of `engine`, made when first asked for.
pub(crate) fn own(cx: &mut Ctx<'_>) -> Rc<Interpreter> {
    let (engine, worker) = (cx.engine.scripts.engine, cx.keys.local().worker);
    OWN.with_borrow_mut(|own| {
        let found = own
            .iter()
            .position(|own| own.engine == engine && own.worker == worker);
        if let Some(at) = found {
            return Rc::clone(&own[at].interpreter);
        }
        if own.len() == INTERPRETERS_MAX {
            own.remove(0);
        }
        let seed = cx.keys.local().random();
        let deprecated = cx.engine.scripts.deprecated.load(Ordering::Relaxed);
        let interpreter = Rc::new(Interpreter::new(seed, deprecated));
        own.push(Own {
            engine,
            worker,
            interpreter: Rc::clone(&interpreter),
        });
        interpreter
    })
}

impl Interpreter {
    /// With `deprecated`, scripts have getfenv, setfenv and newproxy.
    pub(super) fn new(seed: u64, deprecated: bool) -> Interpreter {
        let state = Rc::new(State::default());
        state.seed(seed as i32);
        Interpreter::try_new(state, deprecated).expect("the world of scripts can be made")
    }

    fn try_new(state: Rc<State>, deprecated: bool) -> mlua::Result<Interpreter> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let host = super::api::host_table(&lua, &state)?;
        host.raw_set("deprecated", deprecated)?;
        let sandbox = lua
            .load(include_str!("sandbox.lua"))
            .set_name(SANDBOX)
            .set_mode(ChunkMode::Text);
        let world: Table = sandbox.call(host)?;
        let hooked = Rc::clone(&state);
        lua.set_global_hook(
            HookTriggers::new().every_nth_instruction(HOOK_INSTRUCTIONS),
            move |_, _| match hooked.is_over() {
                true => Err(Error::runtime("Script killed by user with SCRIPT KILL...")),
                false => Ok(VmState::Continue),
            },
        )?;
        Ok(Interpreter {
            eval: world.raw_get("eval")?,
            call: world.raw_get("call")?,
            load: world.raw_get("load")?,
            bind: world.raw_get("bind")?,
            tidy: world.raw_get("tidy")?,
            lua,
            state,
            compiled: RefCell::default(),
            recent: RefCell::new([const { None }; RECENT]),
            loaded: RefCell::default(),
            epoch: Cell::new(0),
            runs: Cell::new(0),
        })
    }

    /// Compiles source text into a function of the world of `world`.
    pub(crate) fn compile(
        &self,
        source: &[u8],
        name: &str,
        world: &str,
    ) -> Result<Function, String> {
        if source.first() == Some(&27) {
            return Err("attempt to load a binary chunk".to_owned());
        }
        let chunk = self
            .lua
            .load(source)
            .set_name(name)
            .set_mode(ChunkMode::Text);
        let function = chunk.into_function().map_err(|error| message(&error))?;
        self.bind
            .call((function, world))
            .map_err(|error| message(&error))
    }

    /// Forgets what was flushed.
    #[inline]
    fn catch_up(&self, engine: &Engine) {
        let epoch = engine.scripts.epoch();
        if self.epoch.get() != epoch {
            self.forget();
            self.epoch.set(epoch);
        }
    }

    #[cold]
    fn forget(&self) {
        self.compiled.borrow_mut().clear();
        self.recent.borrow_mut().fill(None);
    }

    /// The script with this source, compiled. Most sources come again and again, so they are not hashed each time.
    pub(crate) fn script_of(
        &self,
        engine: &Engine,
        source: &[u8],
    ) -> Result<Rc<Compiled>, ReplyError> {
        self.catch_up(engine);
        let place = recent_place(source);
        if let Some(known) = &self.recent.borrow()[place]
            && known.script.source[..] == *source
        {
            return Ok(Rc::clone(known));
        }
        let found = self.script(engine, &super::digest(source), Some(source))?;
        self.recent.borrow_mut()[place] = Some(Rc::clone(&found));
        Ok(found)
    }

    /// The script with this digest, compiled; its source where it may be new.
    pub(crate) fn script(
        &self,
        engine: &Engine,
        digest: &Digest,
        source: Option<&[u8]>,
    ) -> Result<Rc<Compiled>, ReplyError> {
        self.catch_up(engine);
        if self.compiled.borrow().len() >= COMPILED_MAX {
            self.forget();
        }
        let mut compiled = self.compiled.borrow_mut();
        if let Some(known) = compiled.get(digest) {
            return Ok(Rc::clone(known));
        }
        let script = match (engine.scripts.find(digest), source) {
            (Some(script), _) => script,
            (None, None) => return Err(ReplyError::NoScript),
            (None, Some(source)) => {
                let (flags, body) = super::shebang::of_script(source)?;
                Arc::new(Script {
                    source: source.into(),
                    flags,
                    body,
                    habits: Default::default(),
                })
            }
        };
        let function = self
            .compile(&script.source[script.body..], "@user_script", "eval")
            .map_err(|why| {
                ReplyError::err(format!("Error compiling script (new function): {why}"))
            })?;
        let script = engine.scripts.insert(*digest, script);
        let fresh = Rc::new(Compiled {
            digest: *digest,
            function,
            script,
        });
        compiled.insert(*digest, Rc::clone(&fresh));
        Ok(fresh)
    }

    /// To be called when a script has run.
    #[inline]
    pub(crate) fn ran(&self, engine: &Engine, worker: usize) {
        let runs = self.runs.get() + 1;
        self.runs.set(runs);
        if runs.is_multiple_of(RUNS_BETWEEN_TIDYING) {
            // It only removes what scripts put in; that it can't fail is no script's business.
            let _ = self.tidy.call::<()>(());
        }
        engine.scripts.used_bytes[worker].store(self.lua.used_memory(), Ordering::Relaxed);
    }

    /// Number of the next run, never 0.
    pub(crate) fn next_run(&self) -> u64 {
        self.runs.get() + 1
    }
}

/// The text of an error without what mlua puts around it.
pub(crate) fn message(error: &Error) -> String {
    match error {
        Error::SyntaxError { message, .. } => message.clone(),
        Error::RuntimeError(text) | Error::MemoryError(text) => text.clone(),
        Error::CallbackError { cause, .. } => message(cause),
        other => other.to_string(),
    }
}

/// What a function of a library answers: its results, or the text of the error to raise.
pub(crate) type Answer = Result<MultiValue, String>;

/// Adds a function that answers so to a table. Its error begins with the place of the caller, as those of stock Lua's own functions.
pub(crate) fn add(
    lua: &Lua,
    table: &Table,
    name: &str,
    function: impl Fn(&Lua, MultiValue) -> Answer + 'static,
) -> mlua::Result<()> {
    let wrapped = lua.create_function(move |lua, args: MultiValue| {
        function(lua, args).map_err(|text| Error::RuntimeError(raised_text(lua, text)))
    })?;
    table.raw_set(name, wrapped)
}

/// The text of an error of a function of the host as stock Lua's own functions word theirs: behind `chunk:line: ` of the function that
/// called it, if that is one of Lua's, and with its name where it tells of a bad argument.
#[cold]
fn raised_text(lua: &Lua, mut text: String) -> String {
    const BAD_ARGUMENT: &str = "bad argument #";
    if text.starts_with(BAD_ARGUMENT)
        && let Some(at) = text.find(" (")
    {
        let name = lua.inspect_stack(0, |debug| debug.names().name.map(|name| name.into_owned()));
        let name = name.flatten().unwrap_or_else(|| "?".to_owned());
        text.insert_str(at, &format!(" to '{name}'"));
    }
    let place = lua.inspect_stack(1, |debug| {
        let source = debug.source();
        Some((source.short_src?.into_owned(), debug.current_line()?))
    });
    match place.flatten() {
        Some((chunk, line)) => format!("{chunk}:{line}: {text}"),
        None => text,
    }
}

/// The number that is argument `index`, from 0; text that is one will do.
pub(super) fn number_arg(args: &MultiValue, index: usize) -> Result<f64, String> {
    let wrong = |got: &str| format!("bad argument #{} (number expected, got {got})", index + 1);
    match args.get(index) {
        Some(Value::Integer(number)) => Ok(*number as f64),
        Some(Value::Number(number)) => Ok(*number),
        Some(Value::String(text)) => {
            let text = text.to_string_lossy();
            crate::number::parse_double(text.trim().as_bytes()).ok_or_else(|| wrong("string"))
        }
        Some(other) => Err(wrong(other.type_name())),
        None => Err(wrong("no value")),
    }
}

/// The text that is argument `index`, from 0; numbers are texts, too.
pub(super) fn text_arg(args: &MultiValue, index: usize) -> Result<Vec<u8>, String> {
    match args.get(index) {
        Some(Value::String(text)) => Ok(text.as_bytes().to_vec()),
        Some(number @ (Value::Integer(_) | Value::Number(_))) => {
            let mut text = Vec::new();
            let number = match number {
                Value::Integer(number) => *number as f64,
                Value::Number(number) => *number,
                _ => unreachable!("matched above"),
            };
            crate::number::push_general_digits(&mut text, number, 14);
            Ok(text)
        }
        other => Err(format!(
            "bad argument #{} (string expected, got {})",
            index + 1,
            other.map_or("no value", Value::type_name)
        )),
    }
}

/// One string.
pub(super) fn single(lua: &Lua, bytes: &[u8]) -> Answer {
    let string = lua.create_string(bytes).map_err(|error| message(&error))?;
    Ok(MultiValue::from_iter([Value::String(string)]))
}
