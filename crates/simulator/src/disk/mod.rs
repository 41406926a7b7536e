//! A disk in memory that behaves as badly as real ones may.
//!
//! What was written is durable after a sync of the file, a name after a sync of its directory, and nothing is before: at a loss of power a
//! seeded choice of the rest is there, in any order, torn at sectors, or as zeros or garbage. Calls can fail, the space can end, and the power can be cut at any
//! call. Reads never fail: what is tested is what was written.
//!
//! Calls that change or sync something are counted from 0 on; [`SimDisk::cut_at`] and [`SimDisk::fail_at`] name them by that number.

mod content;
mod names;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dunlin_server::persistence::disk::{Disk, DiskFile};

use self::content::Content;
use self::names::{FileId, Names, parent};
use crate::random::Random;

/// How a call fails.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// No space is left: a write may have taken some bytes.
    NoSpace,
    /// The device failed. After a sync that fails so, what was to be made durable counts as clean, and is lost in part.
    Device,
}

impl Failure {
    fn error(self) -> io::Error {
        const ENOSPC: i32 = 28;
        const EIO: i32 = 5;
        io::Error::from_raw_os_error(match self {
            Failure::NoSpace => ENOSPC,
            Failure::Device => EIO,
        })
    }
}

/// What a call does.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Makes a file, or empties it.
    Create,
    /// Opens a file for appending.
    Append,
    /// Writes.
    Write,
    /// Syncs a file.
    Sync,
    /// Cuts a file.
    Truncate,
    /// Renames a file.
    Rename,
    /// Removes a file.
    Remove,
    /// Makes a directory.
    CreateDir,
    /// Syncs a directory.
    SyncDir,
}

/// What is to happen at a call.
#[derive(Copy, Clone, Debug)]
enum Event {
    Fail(Failure),
    Cut,
}

struct State {
    random: Random,
    names: Names,
    files: Vec<Content>,
    events: BTreeMap<u64, Event>,
    /// The next call of this kind fails.
    next: Option<(Operation, Failure)>,
    calls: u64,
    /// What was called, for who wants to know which call did what.
    operations: Vec<Operation>,
    space_bytes: u64,
    written_bytes: u64,
    /// Counts losses of power: files that were open before are closed.
    life: u64,
    is_off: bool,
}

/// See the module's text. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk with the directory `dir`; the working directory (the empty path) is always there.
    pub fn new(seed: u64, dir: &Path) -> SimDisk {
        SimDisk {
            state: Arc::new(Mutex::new(State {
                random: Random::new(seed),
                names: Names::with_dir(dir),
                files: Vec::new(),
                events: BTreeMap::new(),
                next: None,
                calls: 0,
                operations: Vec::new(),
                space_bytes: u64::MAX,
                written_bytes: 0,
                life: 0,
                is_off: false,
            })),
        }
    }

    /// Calls so far that change or sync something.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// What these calls were.
    pub fn operations(&self) -> Vec<Operation> {
        self.lock().operations.clone()
    }

    /// Lets call number `call` fail, and no other.
    pub fn fail_at(&self, call: u64, failure: Failure) {
        self.lock().events.insert(call, Event::Fail(failure));
    }

    /// Lets the next call of this kind fail.
    pub fn fail_next(&self, operation: Operation, failure: Failure) {
        self.lock().next = Some((operation, failure));
    }

    /// Cuts the power at call number `call`: it is done or not, or in part, and fails, as every later one does until [`SimDisk::power_off`].
    pub fn cut_at(&self, call: u64) {
        self.lock().events.insert(call, Event::Cut);
    }

    /// Whether the power has been cut.
    pub fn is_off(&self) -> bool {
        self.lock().is_off
    }

    /// Lets the disk be full once `bytes` more were written.
    pub fn set_space(&self, bytes: u64) {
        let mut state = self.lock();
        state.space_bytes = state.written_bytes.saturating_add(bytes);
    }

    /// Takes the power away, if that has not happened yet, and gives it back: what was not synced is lost in part, files that were open are
    /// not any more, and nothing is planned to fail.
    pub fn power_off(&self) {
        let state = &mut *self.lock();
        for content in &mut state.files {
            content.lose_power(&mut state.random);
        }
        state.names.lose_power(&mut state.random);
        state.events.clear();
        state.next = None;
        state.space_bytes = u64::MAX;
        state.life += 1;
        state.is_off = false;
    }

    /// What a file holds.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        let file = state.names.file(path)?;
        Some(state.files[file].live().to_vec())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that failed may go on to print what is here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, state: &State, file: FileId) -> Box<dyn DiskFile> {
        Box::new(SimFile {
            disk: self.clone(),
            file,
            life: state.life,
        })
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// What becomes of a call.
enum Fate {
    Done,
    Fails(Failure),
    /// The power goes during it: whether it is done before that.
    Cut(bool),
}

impl State {
    /// Counts a call.
    fn call(&mut self, operation: Operation) -> io::Result<Fate> {
        if self.is_off {
            return Err(power_is_off());
        }
        let event = self.events.remove(&self.calls);
        self.calls += 1;
        self.operations.push(operation);
        if let Some((_, failure)) = self.next.take_if(|(kind, _)| *kind == operation) {
            return Ok(Fate::Fails(failure));
        }
        Ok(match event {
            None => Fate::Done,
            Some(Event::Fail(failure)) => Fate::Fails(failure),
            Some(Event::Cut) => {
                self.is_off = true;
                Fate::Cut(self.random.one_in(2))
            }
        })
    }

    /// Makes a simple change: one that is done or not.
    fn change<T>(
        &mut self,
        operation: Operation,
        change: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.call(operation)? {
            Fate::Done => change(self),
            Fate::Fails(failure) => Err(failure.error()),
            Fate::Cut(done) => {
                if done {
                    change(self)?;
                }
                Err(power_is_off())
            }
        }
    }

    fn create(&mut self, path: &Path, truncate: bool) -> io::Result<FileId> {
        if !self.names.has_dir(parent(path)) {
            return Err(not_found());
        }
        if let Some(file) = self.names.file(path) {
            if truncate {
                self.files[file].truncate(0);
            }
            return Ok(file);
        }
        self.files.push(Content::default());
        let file = self.files.len() - 1;
        self.names.link(path, file);
        Ok(file)
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        let file = state.change(Operation::Create, |state| state.create(path, true))?;
        Ok(self.open(&state, file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        let file = state.change(Operation::Append, |state| state.create(path, false))?;
        Ok(self.open(&state, file))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.bytes(path).ok_or_else(not_found)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        let state = self.lock();
        let file = state.names.file(path);
        Ok(file.map(|file| state.files[file].live().len() as u64))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.lock().change(Operation::Rename, |state| {
            let file = state.names.file(from).ok_or_else(not_found)?;
            if !state.names.has_dir(parent(to)) {
                return Err(not_found());
            }
            state.names.rename(from, to, file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.lock().change(Operation::Remove, |state| {
            if state.names.file(path).is_some() {
                state.names.unlink(path);
            }
            Ok(())
        })
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.lock().change(Operation::CreateDir, |state| {
            if !state.names.has_dir(parent(path)) {
                return Err(not_found());
            }
            if !state.names.has_dir(path) {
                state.names.make_dir(path);
            }
            Ok(())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.lock().names.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.lock().change(Operation::SyncDir, |state| {
            if !state.names.has_dir(dir) {
                return Err(not_found());
            }
            state.names.sync(dir);
            Ok(())
        })
    }
}

/// An open file.
struct SimFile {
    disk: SimDisk,
    file: FileId,
    life: u64,
}

impl SimFile {
    fn lock(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.life == self.life {
            Ok(state)
        } else {
            Err(power_is_off())
        }
    }

    /// Writes at an offset, or at the end.
    fn put(&mut self, offset: Option<u64>, bytes: &[u8]) -> io::Result<usize> {
        let mut guard = self.lock()?;
        let state = &mut *guard;
        let fate = state.call(Operation::Write)?;
        let content = &mut state.files[self.file];
        let len = content.live().len() as u64;
        let offset = offset.unwrap_or(len);
        // What is written over takes no more space.
        let over = len.saturating_sub(offset);
        let space = (state.space_bytes - state.written_bytes).saturating_add(over);
        let space = usize::try_from(space).unwrap_or(usize::MAX);
        let (taken, outcome) = match fate {
            Fate::Done if bytes.is_empty() => (0, Ok(0)),
            Fate::Done if space == 0 => (0, Err(Failure::NoSpace.error())),
            Fate::Done => {
                let taken = bytes.len().min(space);
                (taken, Ok(taken))
            }
            Fate::Fails(failure) => {
                let taken = state.random.below(bytes.len() + 1);
                match failure {
                    // The system says how much it took, and that it is full at the next call.
                    Failure::NoSpace if taken > 0 && taken < bytes.len() => {
                        state.events.insert(state.calls, Event::Fail(failure));
                        (taken, Ok(taken))
                    }
                    // So does an error that comes in the middle, or not: who is told must not rely on either.
                    _ => (taken, Err(failure.error())),
                }
            }
            Fate::Cut(_) => (state.random.below(bytes.len() + 1), Err(power_is_off())),
        };
        if taken > 0 {
            content.write(offset, &bytes[..taken]);
            state.written_bytes += (content.live().len() as u64).saturating_sub(len);
        }
        outcome
    }
}

impl DiskFile for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(None, bytes)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.put(Some(offset), bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut guard = self.lock()?;
        let state = &mut *guard;
        let fate = state.call(Operation::Sync)?;
        let content = &mut state.files[self.file];
        match fate {
            Fate::Done => {
                content.sync();
                Ok(())
            }
            Fate::Fails(failure) => {
                content.fail_sync(&mut state.random);
                Err(failure.error())
            }
            Fate::Cut(done) => {
                if done {
                    content.sync();
                }
                Err(power_is_off())
            }
        }
    }

    fn start_writeback(&mut self, _offset: u64, _len: u64) {
        // Any of it may be on the medium at a loss of power anyway.
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let file = self.file;
        self.lock()?.change(Operation::Truncate, |state| {
            state.files[file].truncate(len);
            Ok(())
        })
    }
}
