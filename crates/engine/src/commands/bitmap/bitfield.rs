//! BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset increment ...]: a string as an
//! array of integers. BITFIELD_RO has GET only. <https://redis.io/commands/bitfield>

use dunlin_store::{Entry, Event, StrRef};
use dunlin_structures::bits::{self, WINDOW_BYTES};
use smallvec::SmallVec;

use super::field::{FieldType, Overflow};
use super::{READ, WRITE, empty, field_offset};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec};
use crate::commands::string::argument_count;
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

const ENCODING: Argument = Argument::new("encoding", ArgKind::String);
const OFFSET: Argument = Argument::new("offset", ArgKind::Integer);
const GET: Argument = Argument::block("get-block", &[ENCODING, OFFSET]).with_token("GET");

/// BITFIELD.
pub(super) const BITFIELD: Command = Command {
    name: "bitfield",
    full_name: "bitfield",
    arity: -2,
    keys: &[KeySpec::one(
        1,
        &["RW", "access", "update", "variable_flags"],
    )],
    since: "3.2.0",
    complexity: "O(1) for each operation",
    summary: "Reads, sets and increments integers of any width inside a string.",
    arguments: &[
        Argument::KEY,
        Argument::one_of(
            "operation",
            &[
                GET,
                Argument::block(
                    "write",
                    &[
                        Argument::one_of(
                            "overflow-block",
                            &[
                                Argument::token("wrap", "WRAP"),
                                Argument::token("sat", "SAT"),
                                Argument::token("fail", "FAIL"),
                            ],
                        )
                        .with_token("OVERFLOW")
                        .optional(),
                        Argument::one_of(
                            "write-operation",
                            &[
                                Argument::block(
                                    "set-block",
                                    &[ENCODING, OFFSET, Argument::new("value", ArgKind::Integer)],
                                )
                                .with_token("SET"),
                                Argument::block(
                                    "incrby-block",
                                    &[
                                        ENCODING,
                                        OFFSET,
                                        Argument::new("increment", ArgKind::Integer),
                                    ],
                                )
                                .with_token("INCRBY"),
                            ],
                        ),
                    ],
                ),
            ],
        )
        .optional()
        .multiple(),
    ],
    weight: Some(argument_count),
    handler: |cx| bitfield(cx, false),
    ..WRITE
};

/// BITFIELD_RO.
pub(super) const BITFIELD_RO: Command = Command {
    name: "bitfield_ro",
    full_name: "bitfield_ro",
    arity: -2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ
        .and(Categories::BITMAP)
        .and(Categories::FAST),
    since: "6.0.0",
    complexity: "O(1) for each operation",
    summary: "Reads integers of any width inside a string.",
    arguments: &[Argument::KEY, GET.optional().multiple_with_token()],
    weight: Some(argument_count),
    handler: |cx| bitfield(cx, true),
    ..READ
};

#[derive(Clone, Copy)]
enum Access {
    Get,
    Set(i64),
    Increment(i64),
}

/// One operation on one field.
#[derive(Clone, Copy)]
struct Operation {
    field: FieldType,
    offset: u64,
    access: Access,
    overflow: Overflow,
}

type Operations = SmallVec<[Operation; 4]>;

fn parse(cx: &Ctx<'_>) -> Result<Operations, ReplyError> {
    let args = cx.args;
    let (mut operations, mut overflow) = (Operations::new(), Overflow::default());
    let mut i = 2;
    while i < args.len() {
        let behind = args.len() - i - 1;
        if args.is(i, "overflow") && behind >= 1 {
            overflow = match args.at(i + 1) {
                text if text.eq_ignore_ascii_case(b"wrap") => Overflow::Wrap,
                text if text.eq_ignore_ascii_case(b"sat") => Overflow::Saturate,
                text if text.eq_ignore_ascii_case(b"fail") => Overflow::Fail,
                _ => return Err(ReplyError::err("Invalid OVERFLOW type specified")),
            };
            i += 2;
            continue;
        }
        let access: fn(i64) -> Access = match behind {
            2.. if args.is(i, "get") => |_| Access::Get,
            3.. if args.is(i, "set") => Access::Set,
            3.. if args.is(i, "incrby") => Access::Increment,
            _ => return Err(ReplyError::Syntax),
        };
        let is_get = matches!(access(0), Access::Get);
        let field = FieldType::parse(args.at(i + 1))?;
        let offset = field_offset(cx, args.at(i + 2), field.bits)?;
        let value = if is_get {
            0
        } else {
            parse_i64(args.at(i + 3)).ok_or(ReplyError::NotInteger)?
        };
        operations.push(Operation {
            field,
            offset,
            access: access(value),
            overflow,
        });
        i += if is_get { 3 } else { 4 };
    }
    Ok(operations)
}

impl Operation {
    fn writes(&self) -> bool {
        !matches!(self.access, Access::Get)
    }

    /// The first byte of the field, and how many bits of it come before the field.
    fn place(&self) -> (usize, u32) {
        ((self.offset / 8) as usize, (self.offset % 8) as u32)
    }

    /// Bytes of a string that holds the field.
    fn end(&self) -> usize {
        ((self.offset + u64::from(self.field.bits)).div_ceil(8)) as usize
    }

    /// The bytes round the field, zeros where the string ends before, and the field's value.
    fn look(&self, text: StrRef<'_>) -> ([u8; WINDOW_BYTES], i64) {
        let (byte, shift) = self.place();
        let mut window = [0; WINDOW_BYTES];
        text.copy_to(byte, &mut window);
        let raw = bits::field(&window, shift, self.field.bits);
        (window, self.field.value(raw))
    }

    /// Carries the operation out on a string that is long enough for it: the reply, and whether the field changed.
    fn run(&self, entry: Entry) -> (Entry, Option<i64>, Change) {
        let text = entry.as_string().expect("its type was looked at");
        let (mut window, old) = self.look(text);
        let (new, reply) = match self.access {
            Access::Get => return (entry, Some(old), Change::None),
            Access::Set(value) => {
                let new = self.field.set(value, self.overflow);
                (new, new.map(|_| old))
            }
            Access::Increment(by) => {
                let new = self.field.increment(old, by, self.overflow);
                (new, new)
            }
        };
        match new {
            None => (entry, None, Change::None),
            Some(new) if new == old => (entry, reply, Change::Same),
            Some(new) => {
                let (byte, shift) = self.place();
                bits::set_field(&mut window, shift, self.field.bits, new as u64);
                let entry = entry.with_range(byte, &window[..self.end() - byte]);
                (entry, reply, Change::Changed)
            }
        }
    }
}

/// What an operation did.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Change {
    /// It wrote nothing.
    None,
    /// It wrote what was there.
    Same,
    Changed,
}

fn bitfield(cx: &mut Ctx<'_>, reads_only: bool) -> Outcome {
    let operations = parse(cx)?;
    let (db, key) = (cx.db(), cx.key(1));
    let Some(end) = operations
        .iter()
        .filter(|operation| operation.writes())
        .map(Operation::end)
        .max()
    else {
        return read(cx, &operations);
    };
    if reads_only {
        return Err(ReplyError::err(
            "BITFIELD_RO only supports the GET subcommand",
        ));
    }
    let found = cx.keys.find(db, &key);
    let len = match found {
        None => 0,
        Some(found) => {
            let entry = cx.keys.entry(found);
            entry.as_string().ok_or(ReplyError::WrongType)?.len()
        }
    };
    // The string grows for every field that is to be written, even where a value does not fit and its field stays.
    let grows = end > len;
    let mut replies = SmallVec::<[Option<i64>; 8]>::new();
    let mut changes = 0;
    let mut run_all = |mut entry: Entry| {
        if grows {
            entry = entry.with_range(end - 1, &[0]);
        }
        for operation in &operations {
            let (reply, change);
            (entry, reply, change) = operation.run(entry);
            replies.push(reply);
            changes += u64::from(change == Change::Changed || (grows && change == Change::Same));
        }
        (entry, grows || changes > 0)
    };
    match found {
        Some(found) => {
            cx.keys.update_if(found, run_all);
        }
        None => {
            let entry = empty(cx, key.bytes);
            let (entry, _) = run_all(entry);
            cx.keys.put_entry(db, &key, entry, None);
        }
    }
    if grows || changes > 0 {
        cx.record_verbatim(key.bytes, Event::string("setbit"));
        cx.keys.count_changes(changes.saturating_sub(1));
    }
    cx.reply.array(replies.len());
    for reply in replies {
        match reply {
            Some(value) => cx.reply.integer(value),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Done)
}

fn read(cx: &mut Ctx<'_>, operations: &[Operation]) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let entry = cx.keys.read(db, &key);
    let text = match &entry {
        None => StrRef::Bytes(b""),
        Some(entry) => entry.as_string().ok_or(ReplyError::WrongType)?,
    };
    cx.reply.array(operations.len());
    for operation in operations {
        cx.reply.integer(operation.look(text).1);
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn sets_and_reads() {
        check(
            "BITFIELD k SET i8 0 -100; BITFIELD k SET i8 0 101; BITFIELD k GET i8 0; BITFIELD k; BITFIELD none GET u63 5; EXISTS none",
            "[0]; [-100]; [101]; []; [0]; 0",
        );
        check(
            "BITFIELD k set u8 #0 65 SET u8 #1 66 SET u4 #4 4 SET u4 #5 3; GET k; BITFIELD k GET u3 6 GET i64 #0 GET u8 #100",
            "[0 0 0 0]; ABC; [2 4702394628207280128 0]",
        );
        check(
            "BITFIELD k SET u8 0 255 INCRBY u8 0 100 GET u8 0; SET n 1; BITFIELD n GET u8 0 INCRBY u8 0 1; GET n",
            "[0 99 99]; OK; [49 50]; 2",
        );
        check(
            "BITFIELD k SET u1 70000000 1; STRLEN k; BITFIELD k INCRBY u2 69999999 1; BITCOUNT k",
            "[0]; 8750001; [2]; 1",
        );
    }

    #[test]
    fn what_overflows() {
        check(
            "BITFIELD k SET u8 #0 100; BITFIELD k OVERFLOW sat INCRBY u8 #0 257 OVERFLOW FAIL INCRBY u8 0 1 INCRBY u8 0 -5 \
             OVERFLOW wrap INCRBY u8 0 10",
            "[0]; [255 nil 250 4]",
        );
        check(
            "BITFIELD k OVERFLOW FAIL SET u8 8 256; STRLEN k; BITFIELD k OVERFLOW FAIL SET u8 8 256; STRLEN k",
            "[nil]; 2; [nil]; 2",
        );
    }

    #[test]
    fn what_stays_is_no_change() {
        check(
            "BITFIELD k SET u8 0 7; WATCH k; 2> BITFIELD k SET u8 0 7 INCRBY u8 0 0; MULTI; PING; EXEC; \
             WATCH k; 2> BITFIELD k SET u8 8 0; MULTI; PING; EXEC",
            "[0]; OK; [7 7]; OK; QUEUED; [PONG]; OK; [0]; OK; QUEUED; nil",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let types = "(error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
        let offset = "(error) ERR bit offset is not an integer or out of range";
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "BITFIELD k GET u8; BITFIELD k GET u64 0; BITFIELD k GET u8 -1; BITFIELD k GET u8 #x; BITFIELD k GET i64 #144115188075855872; \
             BITFIELD k SET u8 0 x; BITFIELD k OVERFLOW none; BITFIELD k OVERFLOW; BITFIELD k SET u8 0; BITFIELD k nothing 1 2 3; \
             BITFIELD_RO k SET u8 0 1; BITFIELD_RO k GET u8 0; LPUSH l a; BITFIELD l; BITFIELD l GET u8 0; BITFIELD l SET u8 0 1; EXISTS k",
            &format!(
                "(error) ERR syntax error; {types}; {offset}; {offset}; {offset}; (error) ERR value is not an integer or out of range; \
                 (error) ERR Invalid OVERFLOW type specified; (error) ERR syntax error; (error) ERR syntax error; \
                 (error) ERR syntax error; (error) ERR BITFIELD_RO only supports the GET subcommand; [0]; 1; {wrong}; {wrong}; {wrong}; 0"
            ),
        );
    }

    #[test]
    fn fields_cross_chunks() {
        let mut console = Console::default();
        console.call(1, &[b"SET", b"k", &vec![0xff; 200_000]]);
        // 524288 is the first bit of the second chunk.
        assert_eq!(
            console.run(
                "BITFIELD k GET u16 524280 SET u10 524283 0 GET u16 524280; BITCOUNT k; BITFIELD k SET i64 524250 0; BITCOUNT k"
            ),
            "[65535 1023 57351]; 1599990; [-2145386497]; 1599936"
        );
    }
}
