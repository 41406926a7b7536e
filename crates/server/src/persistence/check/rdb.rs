//! Looking at a dump file: every value is decoded, as if it were loaded.

use std::io::Read;
use std::path::Path;

use dunlin_engine::encodings::Encodings;
use dunlin_persist::Error;
use dunlin_persist::rdb::{Item, Scanner, decode, types};
use dunlin_reactor::{Clock as _, SystemClock};
use dunlin_store::KeyHasher;

use super::{Checked, Desk, Progress};

/// Nobody chooses what is in the file by this: it is read once.
const HASH_KEY: [u64; 2] = [0, 0];

/// What was counted.
#[derive(Default)]
struct Counts {
    keys: u64,
    expires: u64,
    expired: u64,
}

/// A value that is being decoded.
struct Doing {
    key: String,
    kind: u8,
}

/// Checks a file.
pub(super) fn check(desk: &mut Desk<'_>, path: &Path) -> Checked<()> {
    let (source, len) = desk.open(path)?;
    check_dump(desk, &path.display().to_string(), source, len)?;
    Ok(())
}

/// Checks a dump at the beginning of something; the offset where it ends, and what follows.
pub(super) fn check_dump<R: Read>(
    desk: &mut Desk<'_>,
    name: &str,
    source: R,
    len: u64,
) -> Checked<(u64, impl Read + use<R>)> {
    desk.say(format_args!("[offset 0] Checking RDB file {name}"))?;
    let mut counts = Counts::default();
    let mut doing = None;
    let mut scanner = match Scanner::open(source) {
        Ok(scanner) => scanner,
        Err(error) => return tell_error(desk, &error, doing, &counts),
    };
    let mut progress = Progress::new(len);
    let scanned = scan(desk, &mut scanner, &mut counts, &mut doing, &mut progress);
    desk.end_progress(&progress)?;
    if let Err(error) = scanned? {
        return tell_error(desk, &error, doing, &counts);
    }
    let offset = scanner.offset();
    let checksum = if scanner.is_verified() {
        "Checksum OK"
    } else {
        "RDB file was saved with checksum disabled: no check performed."
    };
    desk.say(format_args!("[offset {offset}] {checksum}"))?;
    desk.say(format_args!("[offset {offset}] \\o/ RDB looks OK! \\o/"))?;
    tell_counts(desk, &counts)?;
    let (rest, source) = scanner.into_rest();
    Ok((offset, std::io::Cursor::new(rest).chain(source)))
}

/// Goes over all items; the inner error is the file's.
fn scan<R: Read>(
    desk: &mut Desk<'_>,
    scanner: &mut Scanner<R>,
    counts: &mut Counts,
    doing: &mut Option<Doing>,
    progress: &mut Progress,
) -> Checked<Result<(), Error>> {
    let hasher = KeyHasher::new(HASH_KEY);
    let now_ms = SystemClock.wall_us() / 1_000;
    let encodings = Encodings::default();
    // No field is left out for its deadline.
    let rules = encodings.rules(&hasher, 0, 0);
    loop {
        let offset = scanner.offset();
        *doing = None;
        match scanner.next() {
            Ok(Item::Aux { name, value }) => {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                desk.say(format_args!(
                    "[offset {offset}] AUX FIELD {name} = '{value}'"
                ))?;
            }
            Ok(Item::SelectDb(db)) => {
                desk.say(format_args!("[offset {offset}] Selecting DB ID {db}"))?;
            }
            Ok(Item::Key(key)) => {
                counts.keys += 1;
                if let Some(at) = key.deadline_ms {
                    counts.expires += 1;
                    counts.expired += u64::from(at < now_ms);
                }
                if let Err(error) = decode(key.kind, key.value, &key.key, key.offset, &rules) {
                    *doing = Some(Doing {
                        key: key.key.escape_ascii().to_string(),
                        kind: key.kind,
                    });
                    return Ok(Err(error));
                }
            }
            Ok(Item::Eof) => return Ok(Ok(())),
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        if counts.keys.is_multiple_of(1024) {
            desk.show_progress(progress, offset)?;
        }
    }
}

fn tell_error<T>(
    desk: &mut Desk<'_>,
    error: &Error,
    doing: Option<Doing>,
    counts: &Counts,
) -> Checked<T> {
    desk.say(format_args!("--- RDB ERROR DETECTED ---"))?;
    desk.say(format_args!("[offset {}] {error}", error.offset()))?;
    if let Some(Doing { key, kind }) = doing {
        desk.say(format_args!("[additional info] Reading key '{key}'"))?;
        let name = kind_name(kind);
        desk.say(format_args!(
            "[additional info] Reading type {kind} ({name})"
        ))?;
    }
    tell_counts(desk, counts)?;
    Err(super::Ended::Said)
}

fn tell_counts(desk: &mut Desk<'_>, counts: &Counts) -> Checked<()> {
    desk.say(format_args!("[info] {} keys read", counts.keys))?;
    desk.say(format_args!("[info] {} expires", counts.expires))?;
    desk.say(format_args!("[info] {} already expired", counts.expired))
}

/// What redis-check-rdb calls a type.
fn kind_name(kind: u8) -> &'static str {
    use types::kind as k;
    match kind {
        k::STRING => "string",
        k::LIST => "list-linked",
        k::SET => "set-hashtable",
        k::ZSET => "zset-v1",
        k::HASH => "hash-hashtable",
        k::ZSET_2 => "zset-v2",
        k::HASH_ZIPMAP => "hash-zipmap",
        k::LIST_ZIPLIST => "list-ziplist",
        k::SET_INTSET => "set-intset",
        k::ZSET_ZIPLIST => "zset-ziplist",
        k::HASH_ZIPLIST => "hash-ziplist",
        k::LIST_QUICKLIST => "quicklist",
        k::STREAM_LISTPACKS | k::STREAM_LISTPACKS_2 | k::STREAM_LISTPACKS_3 => "stream",
        k::HASH_LISTPACK => "hash-listpack",
        k::ZSET_LISTPACK => "zset-listpack",
        k::LIST_QUICKLIST_2 => "quicklist-v2",
        k::SET_LISTPACK => "set-listpack",
        k::HASH_METADATA | k::HASH_METADATA_PRE_GA | k::HASH_VALKEY => "hash-hashtable-md",
        k::HASH_LISTPACK_EX | k::HASH_LISTPACK_EX_PRE_GA => "hash-listpack-md",
        _ => "unknown",
    }
}
