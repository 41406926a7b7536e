//! Files for a genuine redis-server to load, or for us.

use std::sync::atomic::Ordering;

use dunlin_engine::Engine;
use dunlin_persist::aof::{BaseWriter, FramerOptions, Item, Scanner, append_select_command};
use dunlin_persist::rdb::{EncodeOptions, KeyMeta, Writer};

use dunlin_resp::Value;

use super::commands::Request;
use super::genuine::decode;
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

/// All keys as a base of commands.
pub(crate) fn base_of_commands(world: &mut World, options: FramerOptions) -> Vec<u8> {
    let mut writer = BaseWriter::new(Vec::new(), options, 1_700_000_000);
    let mut selected = None;
    world.for_each(|db, entry| {
        if selected != Some(db) {
            selected = Some(db);
            let mut select = Vec::new();
            append_select_command(&mut select, db);
            writer.records(&select).expect("in memory");
        }
        writer.key(entry.deadline(), entry).expect("in memory");
    });
    writer.finish().expect("in memory")
}

/// Plays the commands of a file, as a client that selects and opens transactions.
pub(crate) fn play(world: &mut World, bytes: &[u8]) -> usize {
    let mut scanner = Scanner::new(bytes, 0);
    let mut commands = 0;
    loop {
        match scanner.next().expect("a sound file") {
            Item::Eof => return commands,
            Item::Command(command) => {
                let request: Request = command.args().map(<[u8]>::to_vec).collect();
                world.start(0, &request);
                world.settle();
                if let Value::Error(why) = decode(&world.reply(0)) {
                    panic!("{}: {}", request[0].escape_ascii(), why.escape_ascii());
                }
                commands += 1;
            }
            Item::Timestamp(_) | Item::Annotation(_) => {}
        }
    }
}

/// Packed forms are left as soon as this.
pub(crate) fn set_low_limits(engine: &Engine) {
    let encodings = &engine.encodings;
    for limit in [&encodings.hash, &encodings.set, &encodings.zset] {
        limit.set(4, 20);
    }
    encodings.intset_entries.store(3, Ordering::Relaxed);
    encodings.list_size.store(3, Ordering::Relaxed);
    encodings.stream_entries.store(3, Ordering::Relaxed);
}
