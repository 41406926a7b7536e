//! DEBUG OBJECT key: where and how a value is kept, in the line that Redis writes.

use dunlin_engine::command::{Argument, KeySpec, Scope};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};
use dunlin_store::{Entry, StrRef};

use super::{FAMILY, permit};

/// Bits of the access clock, which counts seconds.
pub(in crate::commands) const CLOCK_MASK: u32 = 0x00ff_ffff;

/// DEBUG OBJECT.
pub(super) const OBJECT: Command = Command {
    keys: &[KeySpec::one(2, &["RO"])],
    scope: Scope::Keys,
    summary: "Shows how the value of a key is kept.",
    arguments: &[Argument::KEY],
    ..FAMILY.subcommand("object", "debug", object)
};

fn object(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let now = cx.keys.local().clock;
    let (db, key) = (cx.db(), cx.key(2));
    // What has expired is shown while it is there, see DEBUG SET-ACTIVE-EXPIRE.
    let mut keys = cx.keys.at(0);
    let Some(entry) = keys.peek(db, &key) else {
        return Err(ReplyError::NoSuchKey);
    };
    let idle_s = now.wrapping_sub(entry.clock()) & CLOCK_MASK;
    // Another worker's clock may be a second ahead: that is not half a year.
    let idle_s = if idle_s > CLOCK_MASK / 2 { 0 } else { idle_s };
    let line = format!(
        "Value at:{:p} refcount:{} encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle_s}",
        address(&entry),
        references(&entry),
        entry.kind().encoding_name(),
        saved_bytes(&entry),
        entry.clock(),
    );
    cx.reply.simple(&line);
    Ok(Flow::Done)
}

/// Redis keeps one object for each small integer, and reports this count for it; OBJECT REFCOUNT says the same.
fn references(entry: &Entry) -> i32 {
    match entry.as_string() {
        Some(StrRef::Int(0..10_000)) => i32::MAX,
        _ => 1,
    }
}

/// Where the value is: in the entry behind the key, or where the entry points.
fn address(entry: &Entry) -> *const u8 {
    match entry.as_string() {
        Some(StrRef::Bytes(bytes)) => bytes.as_ptr(),
        Some(StrRef::Chunked(chunked)) => std::ptr::from_ref(chunked).cast(),
        _ => entry.key().as_ptr_range().end,
    }
}

/// Length of the value in Redis's snapshot format, uncompressed: integers up to 32 bits in 2, 3 or 5 bytes, texts behind
/// their length.
fn saved_bytes(entry: &Entry) -> usize {
    let text_bytes = |len: usize| {
        len + match len {
            0..64 => 1,
            64..16384 => 2,
            _ if u32::try_from(len).is_ok() => 5,
            _ => 9,
        }
    };
    match entry.as_string() {
        Some(StrRef::Int(n)) if i8::try_from(n).is_ok() => 2,
        Some(StrRef::Int(n)) if i16::try_from(n).is_ok() => 3,
        Some(StrRef::Int(n)) if i32::try_from(n).is_ok() => 5,
        Some(text) => text_bytes(text.len()),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn one_line() {
        let mut console = Console::with_debug();
        assert_eq!(console.run("DEBUG OBJECT k"), "(error) ERR no such key");
        let counts = console.run("SET k 9999; DEBUG OBJECT k; SET k 10000; DEBUG OBJECT k");
        assert!(
            counts.contains(" refcount:2147483647 ") && counts.contains(" refcount:1 "),
            "{counts}"
        );
        let long = "x".repeat(100);
        for (value, expected) in [
            ("12", "encoding:int serializedlength:2 "),
            ("300", "encoding:int serializedlength:3 "),
            ("70000", "encoding:int serializedlength:5 "),
            ("12345678901", "encoding:int serializedlength:12 "),
            ("abc", "encoding:embstr serializedlength:4 "),
            (long.as_str(), "encoding:raw serializedlength:102 "),
        ] {
            let line = console.run(&format!("+1ms; SET k {value}; +3000ms; DEBUG OBJECT k"));
            assert!(
                line.starts_with("OK; Value at:0x") && line.contains(" refcount:"),
                "{line}"
            );
            assert!(
                line.contains(expected) && line.ends_with(" lru_seconds_idle:3"),
                "{line}"
            );
        }
    }
}
