//! Libraries of functions: shared as sources; each interpreter loads those whose functions it is asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use mlua::{Function, MultiValue, Table, Value};

use super::interpreter::{Abort, Interpreter, MEMORY_BYTES_MAX, State, message};
use super::{Habits, ScriptFlags, Scripts, shebang};
use crate::context::Ctx;
use crate::error::ReplyError;

/// How long a library may take to register its functions.
const LOAD_US_MAX: u64 = 500_000;

/// The engine's name, as it is listed.
pub const ENGINE: &str = "LUA";

/// One function of a library.
#[derive(Debug)]
pub struct LibraryFunction {
    /// Its name.
    pub name: Vec<u8>,
    /// What it says about itself.
    pub description: Option<Vec<u8>>,
    /// What it may do.
    pub flags: ScriptFlags,
    /// How it has behaved.
    pub habits: Habits,
}

/// One library.
#[derive(Debug)]
pub struct Library {
    /// Its name.
    pub name: Vec<u8>,
    /// Its source with the first line.
    pub code: Box<[u8]>,
    /// Its functions.
    pub functions: Vec<LibraryFunction>,
}

/// All libraries.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    by_name: BTreeMap<Vec<u8>, Arc<Library>>,
    /// Libraries and places of functions, by their names in lower case.
    functions: HashMap<Vec<u8>, (Arc<Library>, usize)>,
}

impl Libraries {
    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// Number of functions.
    pub fn functions(&self) -> usize {
        self.functions.len()
    }

    /// The function of this name, letter case aside: its library and its place there.
    pub fn find(&self, name: &[u8]) -> Option<&(Arc<Library>, usize)> {
        self.functions.get(&name.to_ascii_lowercase())
    }

    /// Whether there is a library of this name.
    pub fn has(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    /// Takes a library out; whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.by_name.remove(name) else {
            return false;
        };
        for function in &library.functions {
            self.functions.remove(&function.name.to_ascii_lowercase());
        }
        true
    }

    /// Adds a library, in place of one of the same name if it `replaces` that.
    ///
    /// # Errors
    /// If its name, or that of a function, is taken.
    pub fn insert(&mut self, library: Arc<Library>, replaces: bool) -> Result<(), ReplyError> {
        let shown = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        if !replaces && self.by_name.contains_key(&library.name) {
            let name = shown(&library.name);
            return Err(ReplyError::err(format!("Library '{name}' already exists")));
        }
        for function in &library.functions {
            if let Some((other, _)) = self.find(&function.name)
                && other.name != library.name
            {
                let name = shown(&function.name);
                return Err(ReplyError::err(format!("Function {name} already exists")));
            }
        }
        self.remove(&library.name);
        for (place, function) in library.functions.iter().enumerate() {
            let name = function.name.to_ascii_lowercase();
            self.functions.insert(name, (Arc::clone(&library), place));
        }
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }
}

impl Scripts {
    /// The libraries as they are now.
    pub fn libraries(&self) -> Arc<Libraries> {
        let libraries = self.libraries.read();
        Arc::clone(&libraries.unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the libraries.
    pub fn set_libraries(&self, libraries: Libraries) {
        let mut current = self
            .libraries
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(libraries);
    }

    /// Loads a library from its source, outside of any command: from a dump.
    ///
    /// # Errors
    /// Why it can't be: what Redis would answer.
    pub fn load_library(&self, code: &[u8], replaces: bool) -> Result<(), ReplyError> {
        let interpreter = Interpreter::new(1, self.deprecated.load(Ordering::Relaxed));
        let (library, _) = interpreter.load_library(code)?;
        let mut libraries = Libraries::clone(&self.libraries());
        libraries.insert(library, replaces)?;
        self.set_libraries(libraries);
        Ok(())
    }

    /// Bytes of the libraries' sources and what keeps them.
    pub fn library_bytes(&self) -> usize {
        let libraries = self.libraries();
        let bytes = libraries.iter().map(|library| {
            size_of::<Library>()
                + library.code.len()
                + library.functions.len() * size_of::<LibraryFunction>()
        });
        bytes.sum()
    }
}

/// A function as it was registered.
pub(crate) struct Registered {
    about: LibraryFunction,
    function: Function,
}

/// Functions of libraries that an interpreter has loaded, by library.
pub(crate) type Loaded = HashMap<Vec<u8>, (Arc<Library>, Rc<Vec<Function>>)>;

/// Name of the library and where its code begins, from the first line.
fn metadata(code: &[u8]) -> Result<(Vec<u8>, usize), ReplyError> {
    if !code.starts_with(b"#!") {
        return Err(ReplyError::err("Missing library metadata"));
    }
    let Ok(Some(line)) = shebang::read(code) else {
        return Err(ReplyError::err("Invalid library metadata"));
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut name = None;
    for option in &line.options {
        match option.split_at_checked(5) {
            Some((key, value)) if key.eq_ignore_ascii_case(b"name=") => {
                if name.replace(value.to_vec()).is_some() {
                    return Err(ReplyError::err(
                        "Invalid metadata value, name argument was given multiple times",
                    ));
                }
            }
            _ => {
                return Err(ReplyError::err(format!(
                    "Invalid metadata value given: {}",
                    text(option)
                )));
            }
        }
    }
    let name = name.ok_or_else(|| ReplyError::err("Library name was not given"))?;
    if !is_name(&name) {
        return Err(ReplyError::err(BAD_NAME));
    }
    if !line.engine.eq_ignore_ascii_case(ENGINE.as_bytes()) {
        return Err(ReplyError::err(format!(
            "Engine '{}' not found",
            text(&line.engine)
        )));
    }
    Ok((name, line.len))
}

const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

fn is_name(name: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.is_empty() && name.iter().all(is_part)
}

impl Interpreter {
    /// Runs a library's source, so that it registers its functions.
    pub(crate) fn load_library(
        &self,
        code: &[u8],
    ) -> Result<(Arc<Library>, Rc<Vec<Function>>), ReplyError> {
        let (name, start) = metadata(code)?;
        let chunk = self
            .compile(&code[start..], "@user_function", "function")
            .map_err(|why| ReplyError::err(format!("Error compiling function: {why}")))?;
        let state = &self.state;
        *state.registered.borrow_mut() = Some(Vec::new());
        state.abort.set(None);
        state.since_us.set(0);
        state.limit_us.set(Some((LOAD_US_MAX, Abort::LoadTimeout)));
        // Only the memory that scripts take is limited: that this fails can't be.
        let _ = self.lua.set_memory_limit(MEMORY_BYTES_MAX);
        let ran = self.load.call::<(bool, Value)>(chunk);
        let _ = self.lua.set_memory_limit(0);
        let registered = state.registered.borrow_mut().take().unwrap_or_default();
        let failed = |text: &str| {
            Err(ReplyError::err(format!(
                "Error registering functions: {text}"
            )))
        };
        if state.abort.take().is_some() {
            return failed("ERR FUNCTION LOAD timeout");
        }
        match ran {
            Ok((true, _)) => {}
            Ok((false, Value::Table(table))) => {
                let text = table.raw_get::<Value>("err").unwrap_or_default();
                return failed(&text.to_string().unwrap_or_default());
            }
            Ok((false, other)) => return failed(&other.to_string().unwrap_or_default()),
            Err(error) => return failed(&message(&error)),
        }
        if registered.is_empty() {
            return Err(ReplyError::err("No functions registered"));
        }
        let (functions, bodies): (Vec<_>, Vec<_>) = registered
            .into_iter()
            .map(|registered| (registered.about, registered.function))
            .unzip();
        let library = Library {
            name,
            code: code.into(),
            functions,
        };
        Ok((Arc::new(library), Rc::new(bodies)))
    }

    /// The same, with the clock of a command.
    pub(crate) fn load_library_of(
        &self,
        cx: &mut Ctx<'_>,
        code: &[u8],
    ) -> Result<Arc<Library>, ReplyError> {
        let state = Rc::clone(&self.state);
        let (library, bodies) = state.cx.lend(cx, || self.load_library(code))?;
        let mut loaded = self.loaded.borrow_mut();
        loaded.insert(library.name.clone(), (Arc::clone(&library), bodies));
        Ok(library)
    }

    /// The function at `place` of a library, which is loaded if it is not yet.
    pub(crate) fn function(
        &self,
        cx: &mut Ctx<'_>,
        library: &Arc<Library>,
        place: usize,
    ) -> Result<Function, ReplyError> {
        if let Some((known, bodies)) = self.loaded.borrow().get(&library.name)
            && Arc::ptr_eq(known, library)
        {
            return Ok(bodies[place].clone());
        }
        let state = Rc::clone(&self.state);
        let (fresh, bodies) = state.cx.lend(cx, || self.load_library(&library.code))?;
        // A library is free to register other functions the next time, by chance say.
        let name = |library: &Library| library.functions.get(place).map(|f| f.name.clone());
        if name(&fresh) != name(library) {
            return Err(ReplyError::err("Function not found"));
        }
        let function = bodies[place].clone();
        let mut loaded = self.loaded.borrow_mut();
        // Those that were replaced or deleted are forgotten with the next one that is loaded.
        let current = cx.engine.scripts.libraries();
        loaded.retain(|_, (known, _)| current.iter().any(|library| Arc::ptr_eq(library, known)));
        loaded.insert(library.name.clone(), (Arc::clone(library), bodies));
        Ok(function)
    }
}

impl State {
    /// `redis.register_function`.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn register(&self, args: &MultiValue) -> Result<(), String> {
        let mut registered = self.registered.borrow_mut();
        let Some(registered) = registered.as_mut() else {
            return Err(
                "redis.register_function can only be called on FUNCTION LOAD command".to_owned(),
            );
        };
        let read = match args.len() {
            1 => named(args),
            2 => positional(args),
            _ => Err("wrong number of arguments to redis.register_function".to_owned()),
        };
        read.and_then(|fresh| add(registered, fresh))
    }
}

fn add(registered: &mut Vec<Registered>, fresh: Registered) -> Result<(), String> {
    if !is_name(&fresh.about.name) {
        return Err(BAD_NAME.to_owned());
    }
    let same = |known: &Registered| known.about.name.eq_ignore_ascii_case(&fresh.about.name);
    if registered.iter().any(same) {
        return Err("Function already exists in the library".to_owned());
    }
    registered.push(fresh);
    Ok(())
}

fn text(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => Some(value.to_string().ok()?.into_bytes()),
        _ => None,
    }
}

fn positional(args: &MultiValue) -> Result<Registered, String> {
    let name = args.front().and_then(text);
    let name = name.ok_or("first argument to redis.register_function must be a string")?;
    let Some(Value::Function(function)) = args.get(1) else {
        return Err("second argument to redis.register_function must be a function".to_owned());
    };
    Ok(Registered {
        about: LibraryFunction {
            name,
            description: None,
            flags: ScriptFlags::default(),
            habits: Habits::default(),
        },
        function: function.clone(),
    })
}

fn named(args: &MultiValue) -> Result<Registered, String> {
    let Some(Value::Table(table)) = args.front() else {
        return Err("calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).".to_owned());
    };
    let (mut name, mut description, mut function) = (None, None, None);
    let mut flags = ScriptFlags::default();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| message(&error))?;
        let key = text(&key);
        let key =
            key.ok_or("named argument key given to redis.register_function is not a string")?;
        let must_be_text = |what: &str| {
            text(&value).ok_or_else(|| {
                format!("{what} argument given to redis.register_function must be a string")
            })
        };
        match &key.to_ascii_lowercase()[..] {
            b"function_name" => name = Some(must_be_text("function_name")?),
            b"description" => description = Some(must_be_text("description")?),
            b"callback" => match value {
                Value::Function(callback) => function = Some(callback),
                _ => {
                    return Err(
                        "callback argument given to redis.register_function must be a function"
                            .to_owned(),
                    );
                }
            },
            b"flags" => match value {
                Value::Table(list) => flags = read_flags(&list)?,
                _ => {
                    return Err("flags argument to redis.register_function must be a table representing function flags".to_owned());
                }
            },
            _ => return Err("unknown argument given to redis.register_function".to_owned()),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let function = function.ok_or("redis.register_function must get a callback argument")?;
    Ok(Registered {
        about: LibraryFunction {
            name,
            description,
            flags,
            habits: Habits::default(),
        },
        function,
    })
}

fn read_flags(list: &Table) -> Result<ScriptFlags, String> {
    let mut flags = ScriptFlags::default();
    for place in 1.. {
        let flag = list.raw_get::<Value>(place).unwrap_or_default();
        if flag == Value::Nil {
            break;
        }
        let named = text(&flag).map(|name| name.to_ascii_lowercase());
        let known = named.and_then(|name| ScriptFlags::named(&name));
        flags = flags.and(known.ok_or("unknown flag given")?);
    }
    Ok(flags)
}

/// What is registered while a library is loaded.
pub(crate) type Registering = RefCell<Option<Vec<Registered>>>;
