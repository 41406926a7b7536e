//! Looking at a log: a manifest with its files, or one file.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use dunlin_persist::Error;
use dunlin_persist::aof::{Item, LogFile, Manifest, Scanner};
use dunlin_persist::rdb::types::MAGIC;

use super::{Checked, Desk, Progress, rdb};

/// Longest manifest.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Longest line that tells a manifest from a file of the log.
const LINE_BYTES_MAX: u64 = 1024;

/// What may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing.
    No,
    /// What is broken at the end of the last file is cut off, after a question.
    Fix,
    /// What was written after this time, in seconds since 1970, is cut off.
    ToTimestamp(u64),
}

/// What was found out about a file.
enum Found {
    Valid,
    Empty,
    Fixed,
    CutToTimestamp(u64),
}

/// A file of the log.
struct File<'a> {
    /// As it is called in what is said.
    name: &'a str,
    path: &'a Path,
    /// Only the last one may be cut.
    is_last: bool,
    repair: Repair,
}

/// What a file is, by how it begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Manifest,
    Dump,
    Commands,
}

/// Checks a manifest, or a file of the log.
pub(super) fn check(desk: &mut Desk<'_>, path: &Path, repair: Repair) -> Checked<()> {
    match form_of(desk, path)? {
        Form::Manifest => check_all(desk, path, repair),
        form => {
            desk.say(format_args!("Start checking Old-Style AOF"))?;
            let name = path.display().to_string();
            let file = File {
                name: &name,
                path,
                is_last: true,
                repair,
            };
            let found = check_file(desk, &file, form)?;
            tell(desk, "AOF", &name, found)
        }
    }
}

fn form_of(desk: &mut Desk<'_>, path: &Path) -> Checked<Form> {
    let (source, _) = desk.open(path)?;
    let mut source = BufReader::new(source);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut source)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line);
        if let Err(error) = read {
            return desk.fail(format_args!(
                "Cannot read file: {}: {error}",
                path.display()
            ));
        }
        // A manifest as well as a log may begin with comments.
        if !line.starts_with(b"#") {
            break;
        }
    }
    let is_manifest = path.extension().is_some_and(|ending| ending == "manifest");
    Ok(if is_manifest || line.starts_with(b"file") {
        Form::Manifest
    } else if line.starts_with(MAGIC) {
        Form::Dump
    } else {
        Form::Commands
    })
}

/// All files of a manifest.
fn check_all(desk: &mut Desk<'_>, path: &Path, repair: Repair) -> Checked<()> {
    desk.say(format_args!("Start checking Multi Part AOF"))?;
    let (source, _) = desk.open(path)?;
    let mut text = Vec::new();
    if let Err(error) = source.take(MANIFEST_BYTES_MAX).read_to_end(&mut text) {
        return desk.fail(format_args!("Read AOF manifest failed: {error}"));
    }
    let manifest = match Manifest::parse(&text) {
        Ok(manifest) => manifest,
        Err(error) => {
            desk.say(format_args!("\n*** FATAL AOF MANIFEST FILE ERROR ***\n"))?;
            if let Some((number, line)) = error.line {
                desk.say(format_args!(
                    "Reading the manifest file, at line {number}\n"
                ))?;
                desk.say(format_args!(">>> '{line}'\n"))?;
            }
            return desk.fail(format_args!("{}", error.what));
        }
    };
    let dir = path.parent().unwrap_or(Path::new(""));
    let count = manifest.files().len();
    let check_one = |desk: &mut Desk<'_>, what: &str, log: &LogFile, is_last: bool| {
        let path = dir.join(&log.name);
        let form = form_of(desk, &path)?;
        if what == "BASE AOF" {
            let format = if form == Form::Dump { "RDB" } else { "RESP" };
            desk.say(format_args!("Start to check BASE AOF ({format} format)."))?;
        }
        let file = File {
            name: &log.name,
            path: &path,
            is_last,
            repair,
        };
        let found = check_file(desk, &file, form)?;
        tell(desk, what, &log.name, found)
    };
    if let Some(base) = manifest.base() {
        check_one(desk, "BASE AOF", base, count == 1)?;
    }
    let increments = manifest.increments();
    if !increments.is_empty() {
        desk.say(format_args!("Start to check INCR files."))?;
    }
    for (index, increment) in increments.iter().enumerate() {
        let is_last = index + 1 == increments.len();
        check_one(desk, "INCR AOF", increment, is_last)?;
    }
    desk.say(format_args!("All AOF files and manifest are valid"))
}

fn tell(desk: &mut Desk<'_>, what: &str, name: &str, found: Found) -> Checked<()> {
    match found {
        Found::Valid => desk.say(format_args!("{what} {name} is valid")),
        Found::Empty => desk.say(format_args!("{what} {name} is empty")),
        Found::Fixed => desk.say(format_args!("Successfully truncated AOF {name}")),
        Found::CutToTimestamp(unix_s) => desk.say(format_args!(
            "Successfully truncated AOF {name} to timestamp {unix_s}"
        )),
    }
}

/// Where a scan of commands ended.
enum End {
    Whole,
    /// From here on it was written later than wanted.
    Later(u64),
    Broken(Error),
}

fn check_file(desk: &mut Desk<'_>, file: &File<'_>, form: Form) -> Checked<Found> {
    let (source, len) = desk.open(file.path)?;
    if len == 0 {
        return Ok(Found::Empty);
    }
    if form != Form::Dump {
        return check_commands(desk, file, Scanner::new(source, 0), len);
    }
    let Ok((offset, rest)) = rdb::check_dump(desk, file.name, source, len) else {
        return desk.fail(format_args!(
            "RDB preamble of AOF file is not sane, aborting."
        ));
    };
    desk.say(format_args!(
        "RDB preamble is OK, proceeding with AOF tail..."
    ))?;
    check_commands(desk, file, Scanner::new(rest, offset), len)
}

fn check_commands<R: Read>(
    desk: &mut Desk<'_>,
    file: &File<'_>,
    mut scanner: Scanner<R>,
    len: u64,
) -> Checked<Found> {
    let mut progress = Progress::new(len);
    let scanned = scan(desk, file, &mut scanner, &mut progress);
    desk.end_progress(&progress)?;
    let error = match scanned? {
        End::Later(offset) => return cut_to_timestamp(desk, file, offset),
        End::Whole => None,
        End::Broken(error) => Some(error),
    };
    if let Some(error) = &error {
        desk.say(format_args!("0x{:016x}: {error}", error.offset()))?;
    }
    let (name, whole) = (file.name, scanner.whole());
    let diff = len.saturating_sub(whole);
    if let (0, Repair::ToTimestamp(unix_s)) = (diff, file.repair) {
        desk.say(format_args!(
            "Truncate nothing in AOF {name} to timestamp {unix_s}"
        ))?;
        return Ok(Found::Valid);
    }
    desk.say(format_args!(
        "AOF analyzed: filename={name}, size={len}, ok_up_to={whole}, ok_up_to_line={}, diff={diff}",
        scanner.line()
    ))?;
    if diff == 0 {
        return Ok(Found::Valid);
    }
    if file.repair != Repair::Fix {
        return desk.fail(format_args!(
            "AOF {name} is not valid. Use the --fix option to try fixing it."
        ));
    }
    if !file.is_last {
        return desk.fail(format_args!(
            "Failed to truncate AOF {name} because it is not the last file"
        ));
    }
    desk.say(format_args!(
        "This will shrink the AOF {name} from {len} bytes, with {diff} bytes, to {whole} bytes"
    ))?;
    if !desk.asks("Continue?")? {
        return desk.fail(format_args!("Aborting..."));
    }
    cut(desk, file, whole)?;
    Ok(Found::Fixed)
}

fn scan<R: Read>(
    desk: &mut Desk<'_>,
    file: &File<'_>,
    scanner: &mut Scanner<R>,
    progress: &mut Progress,
) -> Checked<End> {
    let mut items: u64 = 0;
    loop {
        let offset = scanner.offset();
        match scanner.next() {
            Ok(Item::Eof) => return Ok(End::Whole),
            Ok(Item::Timestamp(unix_s)) => {
                if matches!(file.repair, Repair::ToTimestamp(wanted) if unix_s > wanted) {
                    return Ok(End::Later(offset));
                }
            }
            Ok(_) => {}
            Err(error) => return Ok(End::Broken(error)),
        }
        items += 1;
        if items.is_multiple_of(1024) {
            desk.show_progress(progress, offset)?;
        }
    }
}

fn cut_to_timestamp(desk: &mut Desk<'_>, file: &File<'_>, offset: u64) -> Checked<Found> {
    let (name, Repair::ToTimestamp(unix_s)) = (file.name, file.repair) else {
        unreachable!("only who wants a time cuts to it");
    };
    if offset == 0 {
        return desk.fail(format_args!(
            "AOF {name} has nothing before timestamp {unix_s}, aborting..."
        ));
    }
    if !file.is_last {
        desk.say(format_args!(
            "Failed to truncate AOF {name} to timestamp {unix_s} to offset {offset} because it is not the last file."
        ))?;
        return desk.fail(format_args!(
            "To do it all the same, remove the files behind it and their lines in the manifest first."
        ));
    }
    cut(desk, file, offset)?;
    Ok(Found::CutToTimestamp(unix_s))
}

/// Cuts a file, durably.
fn cut(desk: &mut Desk<'_>, file: &File<'_>, len: u64) -> Checked<()> {
    let cut = desk.disk.append(file.path).and_then(|mut opened| {
        opened.truncate(len)?;
        opened.sync()
    });
    match cut {
        Ok(()) => Ok(()),
        Err(error) => desk.fail(format_args!(
            "Failed to truncate AOF {}: {error}",
            file.name
        )),
    }
}
