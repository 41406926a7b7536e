//! SETBIT key offset value, GETBIT key offset: one bit of a string. <https://redis.io/commands/setbit>

use dunlin_store::Event;

use super::{READ, WRITE, bit_offset, empty};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SETBIT.
pub(super) const SETBIT: Command = Command {
    name: "setbit",
    full_name: "setbit",
    arity: 4,
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    since: "2.2.0",
    complexity: "O(1)",
    summary: "Sets or clears a bit of a string, which becomes as long as that takes; returns what the bit was.",
    arguments: &[
        Argument::KEY,
        Argument::new("offset", ArgKind::Integer),
        Argument::new("value", ArgKind::Integer),
    ],
    handler: setbit,
    ..WRITE
};

/// GETBIT.
pub(super) const GETBIT: Command = Command {
    name: "getbit",
    full_name: "getbit",
    arity: 3,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ
        .and(Categories::BITMAP)
        .and(Categories::FAST),
    since: "2.2.0",
    complexity: "O(1)",
    summary: "Returns a bit of a string.",
    arguments: &[Argument::KEY, Argument::new("offset", ArgKind::Integer)],
    handler: getbit,
    ..READ
};

/// The byte of a bit, and the bit's place in it.
fn place(offset: u64) -> (usize, u8) {
    ((offset / 8) as usize, 0x80 >> (offset % 8))
}

fn setbit(cx: &mut Ctx<'_>) -> Outcome {
    let (index, mask) = place(bit_offset(cx, cx.args.at(2))?);
    let on = match parse_i64(cx.args.at(3)) {
        Some(bit @ (0 | 1)) => bit == 1,
        _ => return Err(ReplyError::err("bit is not an integer or out of range")),
    };
    let (db, key) = (cx.db(), cx.key(1));
    let found = cx.keys.find(db, &key);
    let (len, old) = match found {
        None => (0, 0),
        Some(found) => {
            let entry = cx.keys.entry(found);
            let text = entry.as_string().ok_or(ReplyError::WrongType)?;
            (text.len(), text.byte_at(index))
        }
    };
    let new = if on { old | mask } else { old & !mask };
    if new != old || index >= len {
        match found {
            Some(found) => cx
                .keys
                .update(found, |entry| entry.with_range(index, &[new])),
            None => {
                let entry = empty(cx, key.bytes).with_range(index, &[new]);
                cx.keys.put_entry(db, &key, entry, None);
            }
        }
        cx.record_verbatim(key.bytes, Event::string("setbit"));
    }
    cx.reply.integer((old & mask != 0).into());
    Ok(Flow::Done)
}

fn getbit(cx: &mut Ctx<'_>) -> Outcome {
    let (index, mask) = place(bit_offset(cx, cx.args.at(2))?);
    let (db, key) = (cx.db(), cx.key(1));
    let byte = match cx.keys.read(db, &key) {
        None => 0,
        Some(entry) => {
            let text = entry.as_string().ok_or(ReplyError::WrongType)?;
            text.byte_at(index)
        }
    };
    cx.reply.integer((byte & mask != 0).into());
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn sets_and_reads_bits() {
        check(
            "SETBIT k 1 1; GET k; SETBIT k 1 1; SETBIT k 9 1; GET k; SETBIT k 1 0; GET k; GETBIT k 9; GETBIT k 1; GETBIT k 100",
            r"0; @; 1; 0; @@; 1; \x00@; 1; 0; 0",
        );
        check(
            "SET k 1; GETBIT k 2; GETBIT k 7; GETBIT k 8; SETBIT k 6 1; GET k; OBJECT ENCODING k; GETBIT none 0",
            "OK; 1; 1; 0; 0; 3; raw; 0",
        );
        check(
            "SETBIT k 70000000 1; STRLEN k; GETBIT k 70000000; BITCOUNT k; SETBIT k 0 1; BITCOUNT k",
            "0; 8750001; 1; 1; 0; 2",
        );
    }

    #[test]
    fn a_deadline_stays_and_a_bit_that_stays_is_no_change() {
        check(
            "SET k a PX 10; SETBIT k 7 0; +9ms; GET k; +1ms; GET k",
            "OK; 1; `; nil",
        );
        check(
            "SETBIT k 7 1; WATCH k; 2> SETBIT k 7 1; MULTI; GETBIT k 7; EXEC; WATCH k; 2> SETBIT k 8 0; MULTI; PING; EXEC",
            "0; OK; 1; OK; QUEUED; [1]; OK; 0; OK; QUEUED; nil",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let offset = "(error) ERR bit offset is not an integer or out of range";
        let bit = "(error) ERR bit is not an integer or out of range";
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "SETBIT k -1 1; SETBIT k x 1; SETBIT k 4294967296 1; GETBIT k 4294967296; SETBIT k #1 1; SETBIT k 0 2; SETBIT k 0 x; \
             SETBIT k x 2; LPUSH l a; SETBIT l 0 1; GETBIT l 0; SETBIT k 4294967295 0; STRLEN k",
            &format!(
                "{offset}; {offset}; {offset}; {offset}; {offset}; {bit}; {bit}; {offset}; 1; {wrong}; {wrong}; 0; 536870912"
            ),
        );
        let mut console = Console::default();
        let max = &console.engine.bulk_bytes_max;
        max.store(8, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(
            console.run("SETBIT k 63 1; SETBIT k 64 1; STRLEN k"),
            format!("0; {offset}; 8")
        );
    }
}
