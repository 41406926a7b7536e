//! PFCOUNT key [key ...]: how many different elements were added to HyperLogLogs, estimated. <https://redis.io/commands/pfcount>
//!
//! The estimate of a single one is kept in it until an element changes it; so this reading command writes, and its effect is itself.

use dunlin_structures::hyperloglog::{self, REGISTERS};

use super::{ELEMENTS_PER_SKETCH, WRITE, corrupted, sketch};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// PFCOUNT.
pub(super) const PFCOUNT: Command = Command {
    name: "pfcount",
    full_name: "pfcount",
    arity: -2,
    flags: Flags::READONLY.and(Flags::MAY_REPLICATE),
    categories: Categories::READ
        .and(Categories::HYPERLOGLOG)
        .and(Categories::SLOW),
    keys: &[KeySpec::rest(1, 1, &["RW", "access"])],
    complexity: "O(1) for one key whose estimate is kept, else O(N) in the number of keys, each of 16384 registers",
    summary: "Estimates how many different elements were added to one or more HyperLogLogs.",
    arguments: &[Argument::new("key", ArgKind::Key(0)).multiple()],
    handler: pfcount,
    ..WRITE
};

fn pfcount(cx: &mut Ctx<'_>) -> Outcome {
    if cx.args.len() > 2 {
        return count_union(cx);
    }
    let (db, key) = (cx.db(), cx.key(1));
    let Some(entry) = cx.keys.read(db, &key) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let estimate = {
        let (bytes, _) = sketch(&entry)?;
        if let Some(estimate) = hyperloglog::cached(&bytes) {
            cx.reply.integer(estimate as i64);
            return Ok(Flow::Done);
        }
        hyperloglog::estimate(&bytes).map_err(corrupted)?
    };
    let found = cx
        .find(1)
        .expect("it was just read under the same locks and time");
    let (at, bytes) = hyperloglog::cache(estimate);
    cx.keys.update(found, |entry| entry.with_range(at, &bytes));
    cx.keys.record_silently(db, key.bytes, cx.args.iter());
    cx.reply.integer(estimate as i64);
    Ok(Flow::Done)
}

fn count_union(cx: &mut Ctx<'_>) -> Outcome {
    let (db, keys) = (cx.db(), cx.args.len() - 1);
    if cx.is_heavy(keys * ELEMENTS_PER_SKETCH) {
        return Ok(Flow::HeavyRead);
    }
    let mut registers = [0; REGISTERS];
    for i in 1..=keys {
        let key = cx.key(i);
        if let Some(entry) = cx.keys.read(db, &key) {
            let (bytes, _) = sketch(&entry)?;
            hyperloglog::merge(&bytes, &mut registers).map_err(corrupted)?;
        }
    }
    let estimate = hyperloglog::estimate_merged(&registers);
    cx.reply.integer(estimate as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts_unions() {
        check(
            "PFADD a 1 2 3; PFADD b 3 4 5; PFCOUNT a; PFCOUNT b; PFCOUNT a b; PFCOUNT a b none; PFCOUNT none; PFCOUNT none none; \
             PFDEBUG TODENSE a; PFCOUNT a b; PFCOUNT a",
            "1; 1; 3; 3; 5; 5; 0; 0; 1; 5; 3",
        );
    }

    #[test]
    fn keeps_the_estimate_until_it_changes() {
        check(
            r#"PFADD h a b; GETRANGE h 15 15; PFCOUNT h; GETRANGE h 8 15; PFADD h c; GETRANGE h 15 15; PFCOUNT h; PFADD h c; GETRANGE h 8 8"#,
            r"1; \x80; 2; \x02\x00\x00\x00\x00\x00\x00\x00; 1; \x80; 3; 0; \x03",
        );
        check(
            r#"PFADD h a b; PFCOUNT h; SETRANGE h 8 "\x07"; PFCOUNT h; PFCOUNT h none"#,
            "1; 2; 24; 7; 2",
        );
    }
}
