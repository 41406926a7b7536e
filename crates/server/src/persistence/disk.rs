//! The files that persistence works with, behind a trait: the system's, or in tests one that loses power.
//!
//! Durability is explicit: what was written is safe after [`DiskFile::sync`], a name (created, renamed, removed) after
//! [`Disk::sync_dir`] of its directory, and nothing is before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A file that is written.
pub trait DiskFile: Send {
    /// Writes some of `bytes` at the end; how many.
    ///
    /// # Errors
    /// What the system says: a full disk, a limit, a device's failure.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes some of `bytes` at `offset`, over what is there and behind the end; how many. What [`DiskFile::write`] writes afterwards still
    /// comes at the end.
    ///
    /// # Errors
    /// As for [`DiskFile::write`].
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Makes everything written so far durable. After an error nothing that was written since the last success may be trusted, and a
    /// later success does not change that.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&mut self) -> io::Result<()>;

    /// Starts writing the bytes in `offset..offset + len` to the device without waiting for it, so that a later [`DiskFile::sync`] has less to do.
    /// Those that are there already leave the system's cache. A hint: durable is nothing by it.
    fn start_writeback(&mut self, offset: u64, len: u64);

    /// Cuts it to `len` bytes; what is written next comes behind them.
    ///
    /// # Errors
    /// What the system says.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Writes all of `bytes` at the end. After an error some of them may have been.
    ///
    /// # Errors
    /// What the system says.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_whole(bytes, |_, rest| self.write(rest))
    }

    /// Writes all of `bytes` at `offset`. After an error some of them may have been.
    ///
    /// # Errors
    /// What the system says.
    fn write_all_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_whole(bytes, |done, rest| {
            self.write_at(offset + done as u64, rest)
        })
    }
}

/// Writes until all is written; `write` gets how many bytes are, and the rest.
fn write_whole(
    bytes: &[u8],
    mut write: impl FnMut(usize, &[u8]) -> io::Result<usize>,
) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match write(done, &bytes[done..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Files by name.
pub trait Disk: Send + Sync {
    /// A new, empty file; one of this name is emptied.
    ///
    /// # Errors
    /// What the system says, as for all of these.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// A file to be written at its end; made if there is none.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// A file to be read from its start.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Length of a file in bytes; `None` if there is none of this name.
    fn len(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Gives a file another name, in place of a file that may have it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; that there is none is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory; that there is one already is no error.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Names in a directory, in no order; none if there is no directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes names in this directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The system's files.
#[derive(Debug, Default)]
pub struct SystemDisk;

struct SystemFile {
    file: File,
    /// Its length, which nobody else changes.
    len: u64,
}

impl SystemFile {
    /// Opens or makes a file. Not for appending: where it is opened so, Linux writes at the end whatever the offset.
    fn open(path: &Path) -> io::Result<SystemFile> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let len = file.metadata()?.len();
        Ok(SystemFile { file, len })
    }
}

impl DiskFile for SystemFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_at(self.len, bytes)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, offset)?;
        self.len = self.len.max(offset + written as u64);
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn start_writeback(&mut self, offset: u64, len: u64) {
        // POSIX_FADV_DONTNEED starts writing dirty pages back on Linux; a failure costs nothing but a slower sync.
        if let Some(len) = std::num::NonZeroU64::new(len) {
            let _ =
                rustix::fs::fadvise(&self.file, offset, Some(len), rustix::fs::Advice::DontNeed);
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len = len;
        Ok(())
    }
}

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut file = SystemFile::open(path)?;
        file.truncate(0)?;
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile::open(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        entries
            .map(|entry| Ok(PathBuf::from(entry?.file_name())))
            .collect()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}
