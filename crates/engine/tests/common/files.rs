//! Files for a genuine redis-server to load.

use dunlin_persist::rdb::{EncodeOptions, KeyMeta, Writer};

use super::world::World;

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
