//! XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]: removes entries from the front. <https://redis.io/commands/xtrim>
//!
//! With `~` only whole blocks of entries go.

use dunlin_store::Event;

use super::{WRITE, change, discard, trim, view};
use crate::command::{Argument, Command, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// XTRIM.
pub(super) const XTRIM: Command = Command {
    name: "xtrim",
    full_name: "xtrim",
    arity: -4,
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    complexity: "O(N) in the number of blocks that are removed; they are freed in the background",
    summary: "Removes entries from the beginning of a stream.",
    tips: &["nondeterministic_output"],
    history: &[("6.2.0", "Takes MINID and LIMIT.")],
    arguments: &[Argument::KEY, Argument::block("trim", trim::ARGUMENTS)],
    handler: xtrim,
    ..WRITE
};

fn xtrim(cx: &mut Ctx<'_>) -> Outcome {
    let options = trim::parse(cx, false)?;
    let Some(found) = cx.find(1) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let effort = options.effort(view(&cx.keys.entry(found))?);
    if cx.is_heavy(effort) {
        return Ok(Flow::Heavy);
    }
    let trimmed = change(&mut cx.keys, found, |stream| {
        let trimmed = options.apply(stream).filter(|trimmed| trimmed.removed > 0);
        let changed = trimmed.is_some();
        (trimmed, changed)
    });
    let Some(trimmed) = trimmed else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let (db, args) = (cx.db(), cx.args);
    let effect = options.effect(args, b"", Some(&trimmed));
    let event = Event::stream("xtrim");
    cx.keys
        .record_args(db, args.at(1), event, effect.into_iter());
    cx.keys.count_changes(trimmed.removed - 1);
    cx.reply.integer(trimmed.removed as i64);
    discard(cx, trimmed.remains);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::testing::{Console, check};

    /// A stream `s` of so many entries `1-0`, `2-0` ..., ten to a block.
    fn console(entries: usize) -> Console {
        let mut console = Console::default();
        let limit = &console.engine.encodings.stream_entries;
        limit.store(10, Ordering::Relaxed);
        for id in 1..=entries {
            console.run(&format!("XADD s {id} n {id}"));
        }
        console
    }

    #[test]
    fn exactly() {
        assert_eq!(
            console(55).run(
                "XTRIM s MAXLEN 42; XRANGE s - + COUNT 1; XTRIM s MAXLEN 42; XTRIM s MAXLEN = 7; XLEN s; XRANGE s - + COUNT 1; \
                 XTRIM s MINID 55; XRANGE s - +; XTRIM s MINID 56; XLEN s; EXISTS s"
            ),
            "13; [[14-0 [n 14]]]; 0; 35; 7; [[49-0 [n 49]]]; 6; [[55-0 [n 55]]]; 1; 0; 1"
        );
    }

    #[test]
    fn by_whole_blocks() {
        assert_eq!(
            console(55).run("XTRIM s MAXLEN ~ 42; XLEN s; XTRIM s MINID ~ 25; XRANGE s - + COUNT 1; XTRIM s MAXLEN ~ 0; XLEN s"),
            "10; 45; 10; [[21-0 [n 21]]]; 35; 0"
        );
        assert_eq!(
            console(55).run(
                "XTRIM s MAXLEN ~ 0 LIMIT 25; XLEN s; XTRIM s MAXLEN ~ 0 LIMIT 9; XTRIM s MAXLEN ~ 0 LIMIT 0; XLEN s"
            ),
            "20; 35; 0; 35; 0"
        );
    }

    #[test]
    fn refuses_what_it_must() {
        check(
            "XTRIM s MAXLEN 1; XTRIM s MAXLEN ~ 5 x; XTRIM s LIMIT 5; XTRIM s MAXLEN = 5 LIMIT 5; XTRIM s FOO 5; \
             XTRIM s MAXLEN 1 MAXLEN 1; SET k v; XTRIM k MAXLEN 1",
            "0; (error) ERR syntax error; \
             (error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy; \
             (error) ERR syntax error, LIMIT cannot be used without the special ~ option; (error) ERR syntax error; \
             (error) ERR syntax error, MAXLEN and MINID options at the same time are not compatible; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
