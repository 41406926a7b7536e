//! PFADD key [element ...]: adds elements to a HyperLogLog. <https://redis.io/commands/pfadd>

use dunlin_store::{Entry, Event, NewString};
use dunlin_structures::hyperloglog::{self, Corrupted, Encoding};

use super::{WRITE, corrupted, sketch, sparse_bytes_max};
use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::commands::string::argument_count;
use crate::{Args, Ctx, Flow, Outcome};

/// PFADD.
pub(super) const PFADD: Command = Command {
    name: "pfadd",
    full_name: "pfadd",
    arity: -2,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::HYPERLOGLOG)
        .and(Categories::FAST),
    complexity: "O(1) for each element",
    summary: "Adds elements to a HyperLogLog, which is made if it does not exist; returns whether its estimate may have changed.",
    arguments: &[
        Argument::KEY,
        Argument::new("element", ArgKind::String)
            .optional()
            .multiple(),
    ],
    weight: Some(argument_count),
    handler: pfadd,
    ..WRITE
};

fn pfadd(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, args) = (cx.db(), cx.key(1), cx.args);
    let sparse_bytes_max = sparse_bytes_max(cx);
    let raised = match cx.keys.find(db, &key) {
        None => {
            let mut bytes = hyperloglog::empty();
            let raised = raise_all(&mut bytes, args, sparse_bytes_max).map_err(corrupted)?;
            hyperloglog::invalidate(&mut bytes);
            let clock = cx.keys.local().clock;
            let entry = Entry::string(key.bytes, NewString::Raw(&bytes), clock);
            cx.keys.put_entry(db, &key, entry, None);
            // That the key is new counts, too.
            raised + 1
        }
        Some(found) => {
            let sparse = {
                let entry = cx.keys.entry(found);
                let (bytes, encoding) = sketch(&entry)?;
                (encoding == Encoding::Sparse).then(|| bytes.into_owned())
            };
            match sparse {
                None => {
                    let mut raised = 0;
                    cx.keys.update_if(found, |entry| {
                        let entry = entry.edited(|bytes| raised = raise_all_dense(bytes, args));
                        (entry, raised > 0)
                    });
                    raised
                }
                Some(mut bytes) => {
                    // Changed beside, so that nothing has happened where it turns out to be corrupted.
                    let raised =
                        raise_all(&mut bytes, args, sparse_bytes_max).map_err(corrupted)?;
                    if raised > 0 {
                        hyperloglog::invalidate(&mut bytes);
                        cx.keys
                            .update(found, |entry| entry.with_string(NewString::Raw(&bytes)));
                    }
                    raised
                }
            }
        }
    };
    if raised > 0 {
        cx.record_verbatim(key.bytes, Event::string("pfadd"));
        cx.keys.count_changes(raised - 1);
    }
    cx.reply.integer((raised > 0).into());
    Ok(Flow::Done)
}

/// How many elements raised a register.
fn raise_all(
    bytes: &mut Vec<u8>,
    args: Args<'_>,
    sparse_bytes_max: usize,
) -> Result<u64, Corrupted> {
    let mut raised = 0;
    for element in args.from(2) {
        let (index, value) = hyperloglog::register_of(element);
        raised += u64::from(hyperloglog::raise(bytes, index, value, sparse_bytes_max)?);
    }
    Ok(raised)
}

/// The same in place.
fn raise_all_dense(bytes: &mut [u8], args: Args<'_>) -> u64 {
    let mut raised = 0;
    for element in args.from(2) {
        let (index, value) = hyperloglog::register_of(element);
        raised += u64::from(hyperloglog::raise_dense(bytes, index, value));
    }
    if raised > 0 {
        hyperloglog::invalidate(bytes);
    }
    raised
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn adds() {
        check(
            "PFADD h; EXISTS h; PFADD h; PFCOUNT h; PFADD h a b c; PFADD h a b; PFADD h d; PFCOUNT h; PFDEBUG ENCODING h; \
             OBJECT ENCODING h",
            "1; 1; 0; 0; 1; 0; 1; 4; sparse; raw",
        );
        check(
            "PFADD h a; PEXPIRE h 5; PFADD h b; +4ms; PFCOUNT h; +1ms; PFCOUNT h",
            "1; 1; 1; 2; 0",
        );
        check(
            "PFADD h a; WATCH h; 2> PFADD h a; MULTI; PFCOUNT h; EXEC; WATCH h; 2> PFADD h b; MULTI; PFCOUNT h; EXEC",
            "1; OK; 0; OK; QUEUED; [1]; OK; 1; OK; QUEUED; nil",
        );
    }

    #[test]
    fn becomes_dense_and_goes_on() {
        let mut console = Console::default();
        for round in 0..100 {
            let elements: Vec<String> = (0..100).map(|i| format!("e{}", round * 100 + i)).collect();
            assert_eq!(console.run(&format!("PFADD h {}", elements.join(" "))), "1");
        }
        assert_eq!(console.run("PFDEBUG ENCODING h; STRLEN h"), "dense; 12304");
        let count: f64 = console.run("PFCOUNT h").parse().expect("a number");
        assert!((count - 10_000.0).abs() < 300.0, "{count}");
        assert_eq!(console.run("PFADD h e1 e2 e3"), "0");
    }
}
