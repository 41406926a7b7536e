//! PFMERGE destination [source ...]: one HyperLogLog of several. <https://redis.io/commands/pfmerge>

use dunlin_store::{Entry, Event, NewString};
use dunlin_structures::hyperloglog::{self, Encoding, REGISTERS};

use super::{ELEMENTS_PER_SKETCH, WRITE, corrupted, sketch, sparse_bytes_max};
use crate::command::{ArgKind, Argument, Command, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// Raising a register of a sparse one walks its runs: so many bytes of them take as long as touching one element of a collection.
const SPARSE_BYTES_PER_ELEMENT: usize = 32;

/// PFMERGE.
pub(super) const PFMERGE: Command = Command {
    name: "pfmerge",
    full_name: "pfmerge",
    arity: -2,
    keys: &[
        KeySpec::one(1, &["RW", "access", "insert"]),
        KeySpec::rest(2, 1, &["RO", "access"]),
    ],
    complexity: "O(N) in the number of keys, each of 16384 registers",
    summary: "Merges HyperLogLogs into one, which counts what was added to any of them.",
    arguments: &[
        Argument::new("destkey", ArgKind::Key(0)),
        Argument::new("sourcekey", ArgKind::Key(1))
            .optional()
            .multiple(),
    ],
    handler: pfmerge,
    ..WRITE
};

fn pfmerge(cx: &mut Ctx<'_>) -> Outcome {
    let (db, destination, keys) = (cx.db(), cx.key(1), cx.args.len() - 1);
    if cx.is_heavy(keys * ELEMENTS_PER_SKETCH) {
        return Ok(Flow::Heavy);
    }
    let mut registers = [0; REGISTERS];
    let mut is_dense = false;
    for i in 1..=keys {
        let key = cx.key(i);
        if let Some(entry) = cx.keys.read(db, &key) {
            let (bytes, encoding) = sketch(&entry)?;
            is_dense |= encoding == Encoding::Dense;
            hyperloglog::merge(&bytes, &mut registers).map_err(corrupted)?;
        }
    }
    let sparse_bytes_max = sparse_bytes_max(cx);
    if !is_dense {
        let values = registers.iter().filter(|value| **value > 0).count();
        let steps = values * values.min(sparse_bytes_max);
        if cx.is_heavy(steps / SPARSE_BYTES_PER_ELEMENT) {
            return Ok(Flow::Heavy);
        }
    }
    let found = cx.keys.find(db, &destination);
    let mut bytes = match found {
        None => hyperloglog::empty(),
        Some(found) => sketch(&cx.keys.entry(found))?.0.into_owned(),
    };
    if is_dense && hyperloglog::encoding(&bytes) == Some(Encoding::Sparse) {
        bytes = hyperloglog::to_dense(&bytes).map_err(corrupted)?;
    }
    for (index, value) in registers.into_iter().enumerate() {
        if value > 0 {
            hyperloglog::raise(&mut bytes, index, value, sparse_bytes_max).map_err(corrupted)?;
        }
    }
    hyperloglog::invalidate(&mut bytes);
    let value = NewString::Raw(&bytes);
    match found {
        Some(found) => cx.keys.update(found, |entry| entry.with_string(value)),
        None => {
            let entry = Entry::string(destination.bytes, value, cx.keys.local().clock);
            cx.keys.put_entry(db, &destination, entry, None);
        }
    }
    cx.record_verbatim(destination.bytes, Event::string("pfadd"));
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn merges() {
        check(
            "PFADD a 1 2 3; PFADD b 3 4 5; PFMERGE d a b none; PFCOUNT d; PFDEBUG ENCODING d; PFADD c 9; PFDEBUG TODENSE c; PFMERGE d c; \
             PFCOUNT d; PFDEBUG ENCODING d; PFMERGE e; PFCOUNT e; PFMERGE a c; PFCOUNT a; PFDEBUG ENCODING a",
            "1; 1; OK; 5; sparse; 1; 1; OK; 6; dense; OK; 0; OK; 4; dense",
        );
        check(
            "PFADD d x; PEXPIRE d 5; PFADD a y; PFMERGE d a; PTTL d",
            "1; 1; 1; OK; 5",
        );
    }

    #[test]
    fn a_merged_sparse_one_grows_into_a_dense_one() {
        let mut console = Console::default();
        for i in 0..3000 {
            let key = if i % 2 == 0 { "a" } else { "b" };
            console.run(&format!("PFADD {key} e{i}"));
        }
        let both = console.run("PFCOUNT a b");
        assert_eq!(
            console.run("PFDEBUG ENCODING a; PFMERGE d a b; PFDEBUG ENCODING d; PFCOUNT d"),
            format!("sparse; OK; dense; {both}")
        );
    }
}
