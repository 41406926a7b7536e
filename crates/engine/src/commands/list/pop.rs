//! LPOP, RPOP key [count]: elements from an end. <https://redis.io/commands/lpop>

use dunlin_store::list::{End, ListRef};

use super::{at_end, length, pop_many, pop_names, take, tell_deleted};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LPOP.
pub(super) const LPOP: Command = Command {
    name: "lpop",
    full_name: "lpop",
    arity: -2,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::LIST)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "delete"])],
    scope: Scope::Keys,
    group: "list",
    since: "1.0.0",
    complexity: "O(N) in the number of elements returned",
    summary: "Takes elements from the left end of a list; the last one takes the list with it.",
    history: &[("6.2.0", "Takes a count.")],
    arguments: &[
        Argument::KEY,
        Argument::new("count", ArgKind::Integer)
            .optional()
            .since("6.2.0"),
    ],
    handler: |cx| pop(cx, End::Left),
    ..Command::BASE
};

/// RPOP.
pub(super) const RPOP: Command = Command {
    name: "rpop",
    full_name: "rpop",
    summary: "Takes elements from the right end of a list; the last one takes the list with it.",
    handler: |cx| pop(cx, End::Right),
    ..LPOP
};

fn pop(cx: &mut Ctx<'_>, end: End) -> Outcome {
    if cx.args.len() > 3 {
        return Err(ReplyError::WrongArity(cx.command.full_name));
    }
    let count = match cx.args.get(2) {
        None => None,
        Some(text) => Some(
            parse_i64(text)
                .and_then(|n| usize::try_from(n).ok())
                .ok_or_else(|| ReplyError::err("value is out of range, must be positive"))?,
        ),
    };
    let (db, key) = (cx.db(), cx.key(1));
    let Some(found) = cx.keys.find(db, &key) else {
        match count {
            Some(_) => cx.reply.null_array(),
            None => cx.reply.null(),
        }
        return Ok(Flow::Done);
    };
    let mut popped = 1;
    let deleted = match count {
        None => {
            let entry = cx.keys.entry(found);
            let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
            let len = list.len();
            let range = at_end(end, 1, len);
            if let Some(element) = list.get(range.start) {
                element.with_text(|text| cx.reply.bulk(text));
            }
            take(cx, &key, found, range, len)
        }
        Some(count) => {
            let count = count.min(length(cx, found)?);
            if count == 0 {
                cx.reply.array(0);
                return Ok(Flow::Done);
            }
            if cx.is_heavy(count) {
                return Ok(Flow::Heavy);
            }
            popped = count as u64;
            pop_many(cx, &key, found, end, count)?
        }
    };
    cx.record_verbatim(key.bytes, pop_names(end).1);
    cx.keys.count_changes(popped - 1);
    tell_deleted(cx, key.bytes, deleted);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::testing::{Console, check, resp3};

    #[test]
    fn takes_from_its_end_until_the_list_is_gone() {
        check(
            "RPUSH k a b c 4; LPOP k; RPOP k; LPOP k; RPOP k; LPOP k; EXISTS k",
            "4; a; 4; b; c; nil; 0",
        );
        check(
            "RPUSH k a b c d e; LPOP k 2; RPOP k 2; LPOP k 100; EXISTS k",
            "5; [a b]; [e d]; [c]; 0",
        );
    }

    #[test]
    fn counts() {
        check(
            "LPOP k 0; LPOP k 1; RPUSH k a; LPOP k 0; LLEN k",
            "nil; nil; 1; []; 1",
        );
        let refused = "(error) ERR value is out of range, must be positive";
        check(
            "LPOP k -1; RPOP k x; LPOP k -9223372036854775808; SET s v; LPOP s 0; LPOP k 1 2",
            &format!(
                "{refused}; {refused}; {refused}; OK; \
                 (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
                 (error) ERR wrong number of arguments for 'lpop' command"
            ),
        );
        let mut console = Console::default();
        resp3(&mut console);
        assert_eq!(console.run("LPOP k; LPOP k 1"), "nil; nil");
        assert_eq!(console.call(1, &[b"LPOP", b"k", b"1"]), b"_\r\n");
        assert_eq!(console.call(2, &[b"LPOP", b"k", b"1"]), b"*-1\r\n");
        assert_eq!(console.call(2, &[b"LPOP", b"k"]), b"$-1\r\n");
    }

    #[test]
    fn a_big_list_is_packed_again_at_half_its_limit() {
        let mut console = Console::default();
        console
            .engine
            .encodings
            .list_size
            .store(3, Ordering::Relaxed);
        assert_eq!(
            console.run("RPUSH k a b c d; OBJECT ENCODING k; RPOP k 2; OBJECT ENCODING k; RPOP k; OBJECT ENCODING k; LPOP k"),
            "4; quicklist; [d c]; quicklist; b; listpack; a"
        );
    }

    #[test]
    fn a_pop_of_very_many() {
        let mut console = Console::default();
        let many: Vec<String> = (0..50_000).map(|n| n.to_string()).collect();
        console.run(&format!("RPUSH k {}", many.join(" ")));
        let expected: Vec<&str> = many.iter().rev().take(40_000).map(String::as_str).collect();
        assert_eq!(
            console.run("RPOP k 40000"),
            format!("[{}]", expected.join(" "))
        );
        assert_eq!(
            console.run("LLEN k; LINDEX k 0; LINDEX k -1"),
            "10000; 0; 9999"
        );
    }
}
