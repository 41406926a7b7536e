//! The files of the append-only log: their names, their manifest, and the order in which they come and go.
//!
//! Invariant: the manifest on the disk always names a set of files that holds everything that was ever said to be safe, whatever call is the
//! last before the power goes. So a file is named only once it exists for good, and removed only once nobody names it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_persist::aof::Manifest;

use crate::persistence::disk::{Disk, DiskFile};
use crate::persistence::load::LogPlace;

/// A manifest of more bytes is none: it names a handful of files.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// What files that are yet to get their name begin with.
const TEMPORARY_PREFIX: &str = "temp-";

/// See the module's text.
pub struct Files {
    disk: Arc<dyn Disk>,
    /// `appenddirname` in `dir`.
    dir: PathBuf,
    /// `appendfilename`.
    name: String,
    manifest: Manifest,
}

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The system failed.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// A log that was turned off has not ended yet.
    #[error("the append-only file that was turned off is still being written")]
    Busy,
    /// The manifest makes no sense.
    #[error("{path}: {what}")]
    Manifest {
        /// Where it is.
        path: String,
        /// What is wrong.
        what: String,
    },
}

impl Files {
    /// The log in `dir`/`dir_name`, whose files begin with `name`; an empty one if there is none. A single file of the old layout
    /// (`dir`/`name`) becomes the base.
    ///
    /// # Errors
    /// When a file can't be read or moved, or the manifest makes no sense.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        dir_name: &str,
        name: &str,
    ) -> Result<Files, FilesError> {
        let mut files = Files {
            disk,
            dir: dir.join(dir_name),
            name: name.to_owned(),
            manifest: Manifest::new(),
        };
        let path = files.manifest_path();
        let failed = |what, path: &Path| {
            let path = path.display().to_string();
            move |source| FilesError::Io { what, path, source }
        };
        if let Some(text) = files.read(&path).map_err(failed("reading", &path))? {
            files.manifest = Manifest::parse(&text).map_err(|error| FilesError::Manifest {
                path: path.display().to_string(),
                what: error.to_string(),
            })?;
        }
        let old = dir.join(name);
        files
            .adopt_old_layout(dir, &old)
            .map_err(failed("moving into the AOF directory", &old))?;
        Ok(files)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        if self.disk.len(path)?.is_none() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let source = self.disk.read(path)?;
        source.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// The single file of a server before version 7 becomes the base. It is named first and moved then: who finds it named and not moved
    /// goes on here.
    fn adopt_old_layout(&mut self, dir: &Path, old: &Path) -> io::Result<()> {
        if self.disk.len(old)?.is_none() {
            return Ok(());
        }
        let moved = self.path(&self.name);
        let is_named = match self.manifest.files().collect::<Vec<_>>()[..] {
            [] => false,
            [base] if base.name == self.name && self.disk.len(&moved)?.is_none() => true,
            // There is a log of the new layout: the old file is none of ours.
            _ => return Ok(()),
        };
        if !is_named {
            self.make_dir()?;
            let mut manifest = self.manifest.clone();
            manifest.adopt_base(&self.name);
            self.put(manifest)?;
        }
        self.disk.rename(old, &moved)?;
        self.disk.sync_dir(&self.dir)?;
        self.disk.sync_dir(dir)?;
        tracing::info!(
            "Successfully migrated an old-style AOF configuration ({}) into the AOF directory ({}).",
            self.name,
            self.dir.display()
        );
        Ok(())
    }

    /// Where the log is.
    pub fn place(&self) -> LogPlace<'_> {
        LogPlace {
            dir: &self.dir,
            manifest: &self.manifest,
        }
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Path of a file that the manifest names.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where a base is written before it has its name.
    pub fn temporary_base(&self) -> PathBuf {
        self.dir.join(format!(
            "{TEMPORARY_PREFIX}rewriteaof-bg-{}.aof",
            std::process::id()
        ))
    }

    fn manifest_path(&self) -> PathBuf {
        self.dir.join(Manifest::file_name(&self.name))
    }

    /// Makes the directory, and its name durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_dir(&self) -> io::Result<()> {
        self.disk.create_dir(&self.dir)?;
        match self.dir.parent() {
            Some(parent) => self.disk.sync_dir(parent),
            None => Ok(()),
        }
    }

    /// Removes what an earlier process left unfinished.
    pub fn clean(&self) {
        let names = self.disk.list(&self.dir).unwrap_or_default();
        for name in names {
            let temporary = name.to_string_lossy().starts_with(TEMPORARY_PREFIX);
            if temporary && let Err(error) = self.disk.remove(&self.dir.join(&name)) {
                tracing::warn!("Can't remove {}: {error}", name.display());
            }
        }
    }

    /// Bytes of all files that make the dataset, and of the base alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn bytes(&self) -> io::Result<(u64, u64)> {
        let (mut all, mut base) = (0, 0);
        for file in self.manifest.files() {
            let len = self.disk.len(&self.path(&file.name))?.unwrap_or(0);
            all += len;
            if Some(file) == self.manifest.base() {
                base = len;
            }
        }
        Ok((all, base))
    }

    /// Opens the last increment to be gone on with, or makes one; with its length. The directory is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_increment(&mut self) -> io::Result<(Box<dyn DiskFile>, u64)> {
        if let Some(last) = self.manifest.increments().last() {
            let path = self.path(&last.name);
            let len = self.disk.len(&path)?;
            let file = self.disk.append(&path)?;
            if len.is_none() {
                self.disk.sync_dir(&self.dir)?;
            }
            tracing::info!("Opening AOF incr file {} on server start", last.name);
            return Ok((file, len.unwrap_or(0)));
        }
        let mut manifest = self.manifest.clone();
        let name = manifest.new_increment(&self.name).to_owned();
        let file = self.make(&name)?;
        self.put(manifest)?;
        tracing::info!("Creating AOF incr file {name} on server start");
        Ok((file, 0))
    }

    /// Makes the increment that what comes after the cut of a rewrite goes to, behind those that there are.
    ///
    /// # Errors
    /// What the system says; nothing has changed then.
    pub fn begin_rewrite(&mut self) -> io::Result<Box<dyn DiskFile>> {
        let mut manifest = self.manifest.clone();
        let name = manifest.new_increment(&self.name).to_owned();
        let file = self.make(&name)?;
        self.put(manifest)?;
        Ok(file)
    }

    /// The same where there is no log to go on with: the increment is named only together with its base, by [`Files::end_first`].
    ///
    /// # Errors
    /// What the system says; nothing has changed then.
    pub fn begin_first(&mut self) -> io::Result<(Box<dyn DiskFile>, Manifest)> {
        self.make_dir()?;
        let mut manifest = self.manifest.clone();
        // Whatever there is belongs to a log that ended.
        manifest.retire_increments(0);
        let name = manifest.new_increment(&self.name).to_owned();
        let file = self.make(&name)?;
        Ok((file, manifest))
    }

    /// The base in [`Files::temporary_base`] is durable under that name: it takes the place of the base and of all increments but the last.
    ///
    /// # Errors
    /// What the system says; the old set is good then.
    pub fn end_rewrite(&mut self, is_dump: bool) -> io::Result<()> {
        let mut manifest = self.manifest.clone();
        manifest.retire_increments(1);
        self.put_base(manifest, is_dump)
    }

    /// The same behind [`Files::begin_first`].
    ///
    /// # Errors
    /// What the system says.
    pub fn end_first(&mut self, manifest: Manifest, is_dump: bool) -> io::Result<()> {
        self.put_base(manifest, is_dump)
    }

    fn put_base(&mut self, mut manifest: Manifest, is_dump: bool) -> io::Result<()> {
        let name = manifest.new_base(&self.name, is_dump).to_owned();
        self.disk
            .rename(&self.temporary_base(), &self.path(&name))?;
        self.disk.sync_dir(&self.dir)?;
        self.put(manifest)
    }

    /// Removes what is history, unless `keep` (`aof-disable-auto-gc`).
    ///
    /// # Errors
    /// What the system says; it can be tried again.
    pub fn collect(&mut self, keep: bool) -> io::Result<()> {
        if keep || self.manifest.history().is_empty() {
            return Ok(());
        }
        let mut manifest = self.manifest.clone();
        let history = manifest.take_history();
        for file in &history {
            tracing::info!("Removing the history file {} in the background", file.name);
            self.disk.remove(&self.path(&file.name))?;
        }
        self.put(manifest)
    }

    /// A new file whose name is durable.
    fn make(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.create(&self.path(name))?;
        self.disk.sync_dir(&self.dir)?;
        Ok(file)
    }

    /// Writes a manifest and goes by it.
    fn put(&mut self, manifest: Manifest) -> io::Result<()> {
        let temporary = self.dir.join(Manifest::temporary_name(&self.name));
        let mut file = self.disk.create(&temporary)?;
        file.write_all(manifest.format().as_bytes())?;
        file.sync()?;
        drop(file);
        self.disk.rename(&temporary, &self.manifest_path())?;
        self.disk.sync_dir(&self.dir)?;
        self.manifest = manifest;
        Ok(())
    }
}
