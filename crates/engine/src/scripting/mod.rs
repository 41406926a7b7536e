//! Scripts: one Lua interpreter for each thread that runs commands, the sources shared between them by SHA-1.
//!
//! A script is like an EXEC whose commands come from Lua. It holds the stripes of the keys that it declares; images of what it changes
//! are kept, so that it can be taken back at any moment: because it touches a key whose stripe is not held (it is run again
//! holding all, and remembered), because it takes too long for a worker (it is run again on the auxiliary thread), or because
//! somebody kills it. Its effects are one record of the log.
//!
//! Invariant: an interpreter never leaves its thread, and nothing of one script's world can be changed by another.

mod api;
mod bit;
mod call;
mod cjson;
mod cmsgpack;
mod from_lua;
mod functions;
mod interpreter;
mod run;
mod running;
mod shebang;
mod structs;
mod to_lua;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sha1::{Digest as _, Sha1};

pub use functions::{ENGINE, Libraries, Library, LibraryFunction};
pub use running::{Kind, NotKilled, Running, RunningScript};
pub use shebang::ScriptFlags;

pub(crate) use interpreter::{Compiled, Interpreter, own};
pub(crate) use run::{Invocation, Subject, run};

use crate::args::Args;
use crate::command::Command;

/// SHA-1 of a script's source.
pub type Digest = [u8; 20];

/// A script runs for so long on a worker before it is taken to the auxiliary thread.
pub const SLICE_US: u64 = 3_000;

/// SHA-1.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha1::digest(bytes).into()
}

/// A digest as 40 hexadecimal digits.
pub fn hex(digest: &Digest) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Values of hexadecimal digits; 255 for all other bytes.
const HEX_VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// A digest from 40 hexadecimal digits.
pub fn parse_hex(text: &[u8]) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 2 * digest.len() {
        return None;
    }
    let value = |digit: u8| HEX_VALUES[usize::from(digit)];
    let mut all = 0;
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (value(pair[0]), value(pair[1]));
        all |= high | low;
        *byte = high << 4 | low & 15;
    }
    (all < 16).then_some(digest)
}

/// What is known of something that runs: it may need more than it says.
#[derive(Debug, Default)]
pub struct Habits {
    /// It was too long for a worker the last time.
    pub is_slow: AtomicBool,
}

/// One script.
#[derive(Debug)]
pub struct Script {
    /// The source with its shebang line.
    pub source: Box<[u8]>,
    /// What its shebang line says.
    pub flags: ScriptFlags,
    /// Where the source begins behind it.
    pub body: usize,
    /// How it behaved.
    pub habits: Habits,
}

/// What all interpreters share.
pub struct Scripts {
    /// Tells engines apart: one thread may work for several.
    pub(crate) engine: u64,
    scripts: RwLock<HashMap<Digest, Arc<Script>>>,
    /// Libraries of functions.
    libraries: RwLock<Arc<Libraries>>,
    /// Counts SCRIPT FLUSH.
    epoch: AtomicU64,
    /// Bytes of all sources.
    source_bytes: AtomicUsize,
    /// Digests of scripts and names of functions that touch keys which they don't declare.
    undeclared: Mutex<HashSet<Box<[u8]>>>,
    /// How many those are.
    undeclared_count: AtomicUsize,
    /// What runs on each thread.
    pub running: Running,
    /// Commands that scripts may not run are allowed: DEBUG SET-DISABLE-DENY-SCRIPTS.
    pub allows_denied: AtomicBool,
    /// Interpreters made from now on have getfenv, setfenv and newproxy: `lua-enable-deprecated-api`.
    pub deprecated: AtomicBool,
    /// Bytes that each thread's interpreter uses.
    pub(crate) used_bytes: Box<[AtomicUsize]>,
}

impl Scripts {
    /// No script yet; so many threads run some.
    pub(crate) fn new(threads: usize) -> Scripts {
        static ENGINES: AtomicU64 = AtomicU64::new(1);
        Scripts {
            engine: ENGINES.fetch_add(1, Ordering::Relaxed),
            scripts: RwLock::default(),
            libraries: RwLock::default(),
            epoch: AtomicU64::new(0),
            source_bytes: AtomicUsize::new(0),
            undeclared: Mutex::default(),
            undeclared_count: AtomicUsize::new(0),
            running: Running::new(threads),
            allows_denied: AtomicBool::new(false),
            deprecated: AtomicBool::new(false),
            used_bytes: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// The script with this digest.
    pub fn find(&self, digest: &Digest) -> Option<Arc<Script>> {
        let scripts = self.scripts.read().unwrap_or_else(PoisonError::into_inner);
        scripts.get(digest).cloned()
    }

    /// Remembers a script that compiles; the one that is remembered.
    pub(crate) fn insert(&self, digest: Digest, script: Arc<Script>) -> Arc<Script> {
        let mut scripts = self.scripts.write().unwrap_or_else(PoisonError::into_inner);
        let bytes = script.source.len();
        match scripts.entry(digest) {
            std::collections::hash_map::Entry::Occupied(known) => Arc::clone(known.get()),
            std::collections::hash_map::Entry::Vacant(place) => {
                self.source_bytes.fetch_add(bytes, Ordering::Relaxed);
                Arc::clone(place.insert(script))
            }
        }
    }

    /// SCRIPT FLUSH.
    pub fn flush(&self) {
        let mut scripts = self.scripts.write().unwrap_or_else(PoisonError::into_inner);
        scripts.clear();
        self.source_bytes.store(0, Ordering::Relaxed);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Which flush the interpreters have to catch up with.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Number of scripts.
    pub fn count(&self) -> usize {
        let scripts = self.scripts.read().unwrap_or_else(PoisonError::into_inner);
        scripts.len()
    }

    /// Bytes of the scripts' sources and what keeps them.
    pub fn overhead_bytes(&self) -> usize {
        let each = size_of::<Script>() + size_of::<Digest>() + size_of::<Arc<Script>>();
        self.source_bytes.load(Ordering::Relaxed) + self.count() * each
    }

    /// Bytes that the interpreters use.
    pub fn interpreter_bytes(&self) -> usize {
        let used = self.used_bytes.iter();
        used.map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }

    /// Remembers that this script or function needs every stripe.
    #[cold]
    pub(crate) fn remember_undeclared(&self, name: &[u8]) {
        let mut undeclared = lock(&self.undeclared);
        undeclared.insert(name.into());
        self.undeclared_count
            .store(undeclared.len(), Ordering::Release);
    }

    /// Whether the command, which runs a script, needs every stripe.
    #[inline]
    pub(crate) fn needs_all(&self, command: &Command, args: Args<'_>) -> bool {
        self.undeclared_count.load(Ordering::Acquire) != 0 && self.is_undeclared(command, args)
    }

    /// Whether the script of this command says that it never writes.
    #[cold]
    pub(crate) fn says_no_writes(&self, command: &Command, args: Args<'_>) -> bool {
        let subject = args.get(1).unwrap_or_default();
        let flags = if command.name.starts_with("fcall") {
            let libraries = self.libraries();
            let found = libraries.find(subject);
            found.map(|(library, place)| library.functions[*place].flags)
        } else if command.name.starts_with("evalsha") {
            let script = parse_hex(subject).and_then(|digest| self.find(&digest));
            script.map(|script| script.flags)
        } else {
            shebang::of_script(subject).ok().map(|(flags, _)| flags)
        };
        flags.is_some_and(|flags| flags.has(ScriptFlags::NO_WRITES))
    }

    #[cold]
    fn is_undeclared(&self, command: &Command, args: Args<'_>) -> bool {
        let subject = args.get(1).unwrap_or_default();
        let undeclared = lock(&self.undeclared);
        if command.name.starts_with("evalsha") {
            parse_hex(subject).is_some_and(|digest| undeclared.contains(&digest[..]))
        } else if command.name.starts_with("eval") {
            undeclared.contains(&digest(subject)[..])
        } else {
            undeclared.contains(&function_key(subject)[..])
        }
    }
}

/// What a function is remembered by; no digest is as long with such a beginning.
pub(crate) fn function_key(name: &[u8]) -> Vec<u8> {
    let mut key = b"function:".to_vec();
    key.extend(name.to_ascii_lowercase());
    key
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
