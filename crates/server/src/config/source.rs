//! Files of configuration lines: reading with limits, and expanding the pattern of an `include`.
//!
//! Invariant: whatever the path names (a device, a directory, an endless file), reading ends and takes bounded memory.
//! It does not know what the lines mean.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::pattern;

/// A configuration of this size is a mistake (a data file named by accident).
pub const FILE_LENGTH_MAX_BYTES: u64 = 16 << 20;

/// Reads all of an input up to [`FILE_LENGTH_MAX_BYTES`].
pub(super) fn read_all(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input
        .take(FILE_LENGTH_MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LENGTH_MAX_BYTES {
        return Err(io::Error::other(format!(
            "longer than {} MiB, which no configuration is",
            FILE_LENGTH_MAX_BYTES >> 20
        )));
    }
    Ok(bytes)
}

/// Reads a file. A named pipe is read as the shell's `<(...)` needs it.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if kind.is_block_device() {
        return Err(io::Error::other("is a block device"));
    }
    read_all(File::open(path)?)
}

/// The files that an `include` names, sorted. A path without wildcards is itself, whether it exists or not.
pub(super) fn expand(path: &Path) -> Vec<PathBuf> {
    let wild = |part: &[u8]| part.iter().any(|byte| b"*?[".contains(byte));
    if !wild(path.as_os_str().as_bytes()) {
        return vec![path.to_owned()];
    }
    let mut found = vec![PathBuf::new()];
    for component in path.components() {
        let part = component.as_os_str();
        if !wild(part.as_bytes()) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        found = found
            .iter()
            .flat_map(|parent| children_like(parent, part.as_bytes()))
            .collect();
    }
    found.retain(|path| path.exists());
    found.sort();
    found
}

fn children_like(parent: &Path, wanted: &[u8]) -> Vec<PathBuf> {
    let place = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let Ok(entries) = std::fs::read_dir(place) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| {
            let name = name.as_bytes();
            let hidden = name.starts_with(b".") && !wanted.starts_with(b".");
            !hidden && pattern::matches(wanted, name, pattern::Case::Exact)
        })
        .map(|name| parent.join(name))
        .collect()
}
