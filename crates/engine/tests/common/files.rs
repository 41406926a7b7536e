//! Files for a genuine redis-server to load.

// The engine itself may neither wait nor talk to the world; who uses this does both.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use dunlin_persist::rdb::{EncodeOptions, KeyMeta, Writer};

use super::world::World;

/// A directory that is removed when this is dropped.
pub(crate) struct Dir(PathBuf);

impl Dir {
    /// In the system's directory for such.
    pub(crate) fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory for temporary files");
        Dir(dir)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What is left is for the system to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// All keys as a dump file.
pub(crate) fn rdb(world: &mut World, options: EncodeOptions) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), options, true);
    writer.aux("redis-ver", b"7.2.4").expect("in memory");
    writer.aux_int("redis-bits", 64).expect("in memory");
    writer.aux_int("ctime", 1_700_000_000).expect("in memory");
    let mut selected = None;
    world.for_each(|db, entry| {
        if selected != Some(db) {
            selected = Some(db);
            writer.select(db, 10, 0).expect("in memory");
        }
        let meta = KeyMeta::with_deadline(entry.deadline());
        writer.key(&meta, entry).expect("in memory");
    });
    let len = writer.bytes();
    let file = writer.finish().expect("in memory");
    assert_eq!(file.len() as u64, len + 9, "EOF and checksum follow");
    file
}
