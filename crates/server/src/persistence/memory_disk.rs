//! A disk for tests of commands: files in memory, which fails when told to.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::disk::{Disk, DiskFile};

type Files = Arc<Mutex<HashMap<PathBuf, Vec<u8>>>>;

/// See the module's text.
#[derive(Clone, Default)]
pub(crate) struct MemoryDisk {
    files: Files,
    /// Nothing can be written.
    pub(crate) fails: Arc<AtomicBool>,
    /// No file can take another's name.
    pub(crate) keeps_names: Arc<AtomicBool>,
}

impl MemoryDisk {
    /// What is in a file; `None` if there is none.
    pub(crate) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.files.lock().unwrap().get(path).cloned()
    }

    /// Names of all files.
    pub(crate) fn names(&self) -> Vec<String> {
        let files = self.files.lock().unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        files.keys().map(name).collect()
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    path: PathBuf,
}

impl DiskFile for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.disk.fails.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut files = self.disk.files.lock().unwrap();
        let content = files.get_mut(&self.path).expect("it is not removed");
        content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> io::Result<usize> {
        unreachable!("dumps are written from front to back")
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn start_writeback(&mut self, _offset: u64, _len: u64) {}

    fn truncate(&mut self, _len: u64) -> io::Result<()> {
        unreachable!("dumps are not truncated")
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.files
            .lock()
            .unwrap()
            .insert(path.to_owned(), Vec::new());
        Ok(Box::new(MemoryFile {
            disk: self.clone(),
            path: path.to_owned(),
        }))
    }

    fn append(&self, _path: &Path) -> io::Result<Box<dyn DiskFile>> {
        unreachable!("dumps are written anew")
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let content = self.content(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(content)))
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(self.content(path).map(|content| content.len() as u64))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.keeps_names.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut files = self.files.lock().unwrap();
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.lock().unwrap().remove(path);
        Ok(())
    }

    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.names().into_iter().map(PathBuf::from).collect())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}
