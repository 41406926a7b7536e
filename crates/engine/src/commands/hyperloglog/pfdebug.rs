//! PFDEBUG GETREG | DECODE | ENCODING | TODENSE key: how a HyperLogLog is kept.

use std::fmt::Write as _;

use dunlin_store::NewString;
use dunlin_structures::hyperloglog::{self, Encoding, REGISTERS, Run};

use super::{WRITE, corrupted, sketch};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// PFDEBUG.
pub(super) const PFDEBUG: Command = Command {
    name: "pfdebug",
    full_name: "pfdebug",
    arity: 3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::ADMIN),
    categories: Categories::WRITE
        .and(Categories::HYPERLOGLOG)
        .and(Categories::ADMIN)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    keys: &[KeySpec::one(2, &["RW", "access"])],
    complexity: "O(N) in the registers",
    summary: "Shows how a HyperLogLog is kept, or makes it dense.",
    arguments: &[Argument::new("subcommand", ArgKind::String), Argument::KEY],
    handler: pfdebug,
    ..WRITE
};

fn pfdebug(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(2));
    let Some(found) = cx.keys.find(db, &key) else {
        return Err(ReplyError::err("The specified key does not exist"));
    };
    let (mut bytes, encoding) = {
        let entry = cx.keys.entry(found);
        let (bytes, encoding) = sketch(&entry)?;
        (bytes.into_owned(), encoding)
    };
    let is_sparse = encoding == Encoding::Sparse;
    let shows_registers = cx.args.is(1, "getreg");
    if shows_registers || cx.args.is(1, "todense") {
        if is_sparse {
            bytes = hyperloglog::to_dense(&bytes).map_err(corrupted)?;
            cx.keys
                .update(found, |entry| entry.with_string(NewString::Raw(&bytes)));
            let effect = [&b"PFDEBUG"[..], b"TODENSE", key.bytes];
            cx.keys.record_silently(db, key.bytes, effect.into_iter());
        }
        if !shows_registers {
            cx.reply.integer(is_sparse.into());
            return Ok(Flow::Done);
        }
        cx.reply.array(REGISTERS);
        for index in 0..REGISTERS {
            let value = hyperloglog::dense_register(&bytes, index);
            cx.reply.integer(value.into());
        }
    } else if cx.args.is(1, "decode") {
        if !is_sparse {
            return Err(ReplyError::err("HLL encoding is not sparse"));
        }
        cx.reply.bulk(decoded(&bytes).as_bytes());
    } else if cx.args.is(1, "encoding") {
        cx.reply.simple(if is_sparse { "sparse" } else { "dense" });
    } else {
        return Err(ReplyError::err(format!(
            "Unknown PFDEBUG subcommand '{}'",
            String::from_utf8_lossy(cx.args.at(1))
        )));
    }
    Ok(Flow::Done)
}

/// The runs of a sparse one as text: `z:3 v:1,2 Z:16379`.
fn decoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in hyperloglog::runs(bytes) {
        if !text.is_empty() {
            text.push(' ');
        }
        let _ = match run {
            Run::Zeros(len) => write!(text, "z:{len}"),
            Run::LongZeros(len) => write!(text, "Z:{len}"),
            Run::Value(value, len) => write!(text, "v:{value},{len}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn shows_both_forms() {
        check(
            "PFADD h a b; PFDEBUG decode h; PFDEBUG ENCODING h; PFDEBUG TODENSE h; PFDEBUG TODENSE h; PFDEBUG ENCODING h; \
             PFDEBUG DECODE h; PFCOUNT h; PFDEBUG nothing h; PFDEBUG ENCODING none",
            "1; Z:12711 v:2,1 Z:3068 v:1,1 Z:603; sparse; 1; 0; dense; (error) ERR HLL encoding is not sparse; 2; \
             (error) ERR Unknown PFDEBUG subcommand 'nothing'; (error) ERR The specified key does not exist",
        );
    }

    #[test]
    fn shows_registers() {
        let mut console = Console::default();
        console.run("PFADD h a b c d e");
        let reply = console.run("PFDEBUG GETREG h");
        let registers: Vec<u32> = reply
            .trim_matches(['[', ']'])
            .split(' ')
            .map(|n| n.parse().expect("a number"))
            .collect();
        assert_eq!(registers.len(), 16_384);
        assert_eq!(registers.iter().filter(|value| **value > 0).count(), 5);
        assert_eq!(console.run("PFDEBUG ENCODING h"), "dense");
    }
}
