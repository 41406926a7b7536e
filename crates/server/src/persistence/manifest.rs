//! The manifest of the append-only files on the disk.
//!
//! Invariant: a crash leaves the old manifest or the new one.

use std::io::{self, Read as _};
use std::path::Path;

use dunlin_persist::aof::Manifest;

use super::disk::Disk;
use super::load::LoadError;

/// Reads it from the directory of the log; `None` if there is none.
///
/// # Errors
/// When it can't be read, or is not what it should be.
pub fn read(
    disk: &dyn Disk,
    dir: &Path,
    append_name: &str,
) -> Result<Option<Manifest>, LoadError> {
    let path = dir.join(Manifest::file_name(append_name));
    let read = || -> io::Result<Option<Vec<u8>>> {
        if disk.len(&path)?.is_none() {
            return Ok(None);
        }
        let mut text = Vec::new();
        disk.read(&path)?.read_to_end(&mut text)?;
        Ok(Some(text))
    };
    let text = read().map_err(|source| LoadError::Open {
        path: path.clone(),
        source,
    })?;
    let Some(text) = text else { return Ok(None) };
    match Manifest::parse(&text) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(error) => Err(LoadError::Fatal(format!(
            "{error}: reading the manifest {} failed; restore it from a backup, or write it anew after the files that are there",
            path.display()
        ))),
    }
}

/// Writes it, and makes it durable. The directory is made if there is none.
///
/// # Errors
/// When the disk refuses; the old one is there then, or the new one.
pub fn write(
    disk: &dyn Disk,
    dir: &Path,
    append_name: &str,
    manifest: &Manifest,
) -> Result<(), LoadError> {
    let path = dir.join(Manifest::file_name(append_name));
    let temporary = dir.join(Manifest::temporary_name(append_name));
    let write = || -> io::Result<()> {
        disk.create_dir(dir)?;
        if let Some(parent) = dir.parent() {
            disk.sync_dir(parent)?;
        }
        let mut file = disk.create(&temporary)?;
        file.write_all(manifest.format().as_bytes())?;
        file.sync()?;
        disk.rename(&temporary, &path)?;
        disk.sync_dir(dir)
    };
    write().map_err(|source| {
        LoadError::Fatal(format!(
            "Can't write the manifest {}: {source}",
            path.display()
        ))
    })
}
