//! Names of files and directories: as programs see them, and as they would be after a loss of power.
//!
//! Invariant: what a directory named at its last sync it names after power loss, unless a later change took the name away.
//! Harsher than file systems with a journal: of the changes since, any may be there without those before it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::random::Random;

/// Number of a file.
pub(super) type FileId = usize;

#[derive(Clone, Debug)]
enum Change {
    Link(PathBuf, FileId),
    Unlink(PathBuf),
    /// Both names at once.
    Rename(PathBuf, PathBuf, FileId),
    MakeDir(PathBuf),
}

impl Change {
    /// Whether a sync of `dir` makes it durable.
    fn is_in(&self, dir: &Path) -> bool {
        match self {
            Change::Link(path, _) | Change::Unlink(path) | Change::MakeDir(path) => {
                parent(path) == dir
            }
            Change::Rename(from, to, _) => parent(from) == dir || parent(to) == dir,
        }
    }
}

/// Directory in which a name stands; the empty path is the working directory.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

#[derive(Clone, Debug, Default)]
struct Tree {
    files: BTreeMap<PathBuf, FileId>,
    dirs: BTreeSet<PathBuf>,
}

impl Tree {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Link(path, file) => {
                self.files.insert(path.clone(), *file);
            }
            Change::Unlink(path) => {
                self.files.remove(path);
            }
            Change::Rename(from, to, file) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *file);
            }
            Change::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
        }
    }
}

/// All names.
#[derive(Debug, Default)]
pub(super) struct Names {
    live: Tree,
    durable: Tree,
    pending: Vec<Change>,
}

impl Names {
    /// With a directory that was always there.
    pub(super) fn with_dir(dir: &Path) -> Names {
        let mut names = Names::default();
        names.live.dirs.insert(dir.to_owned());
        names.durable.dirs.insert(dir.to_owned());
        names
    }

    pub(super) fn file(&self, path: &Path) -> Option<FileId> {
        self.live.files.get(path).copied()
    }

    pub(super) fn has_dir(&self, dir: &Path) -> bool {
        dir.as_os_str().is_empty() || self.live.dirs.contains(dir)
    }

    /// Names in a directory.
    pub(super) fn list(&self, dir: &Path) -> Vec<PathBuf> {
        let all = self.live.files.keys().chain(&self.live.dirs);
        all.filter(|path| parent(path) == dir)
            .filter_map(|path| path.file_name().map(PathBuf::from))
            .collect()
    }

    pub(super) fn link(&mut self, path: &Path, file: FileId) {
        self.change(Change::Link(path.to_owned(), file));
    }

    pub(super) fn unlink(&mut self, path: &Path) {
        self.change(Change::Unlink(path.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, file: FileId) {
        self.change(Change::Rename(from.to_owned(), to.to_owned(), file));
    }

    pub(super) fn make_dir(&mut self, path: &Path) {
        self.change(Change::MakeDir(path.to_owned()));
    }

    fn change(&mut self, change: Change) {
        self.live.apply(&change);
        self.pending.push(change);
    }

    /// Makes what was changed in `dir` durable.
    pub(super) fn sync(&mut self, dir: &Path) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let here = change.is_in(dir);
            if here {
                durable.apply(change);
            }
            !here
        });
    }

    /// The power goes.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let pending = std::mem::take(&mut self.pending);
        let some = match random.below(4) {
            0 => 0,
            1 => pending.len(),
            2 => random.below(pending.len() + 1),
            _ => {
                for change in &pending {
                    if random.one_in(2) {
                        self.durable.apply(change);
                    }
                }
                0
            }
        };
        for change in &pending[..some] {
            self.durable.apply(change);
        }
        // What lies in a directory that is not there is not there either.
        let dirs = self.durable.dirs.clone();
        let is_there = |path: &PathBuf| {
            let dir = parent(path);
            dir.as_os_str().is_empty() || dirs.contains(dir)
        };
        self.durable.files.retain(|path, _| is_there(path));
        self.live = self.durable.clone();
    }
}
