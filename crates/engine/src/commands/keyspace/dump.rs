//! DUMP key: a value as bytes that RESTORE takes. <https://redis.io/commands/dump>

use dunlin_store::Entry;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// So many bytes of a string take about as long as an element of a collection.
const BYTES_PER_ELEMENT: usize = 64;

/// DUMP.
pub(super) const DUMP: Command = Command {
    name: "dump",
    full_name: "dump",
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "generic",
    since: "2.6.0",
    complexity: "O(bytes of the value)",
    summary: "Returns the value of a key as bytes from which RESTORE makes it again.",
    tips: &["nondeterministic_output"],
    arguments: &[Argument::KEY],
    handler: dump,
    ..Command::BASE
};

fn dump(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let weight = |entry: &Entry| {
        let elements = entry.big().map_or(0, |big| big.len());
        let text = entry.as_string().map_or(0, |text| text.len());
        elements + text / BYTES_PER_ELEMENT
    };
    let weight = cx.keys.peek(db, &key).map_or(0, |entry| weight(&entry));
    if cx.is_heavy(weight) {
        return Ok(Flow::HeavyRead);
    }
    let payloads = &cx.engine.payloads;
    let payload = cx.keys.read(db, &key).map(|entry| payloads.dump(&entry));
    match payload {
        Some(payload) => cx.reply.bulk(&payload),
        None => cx.reply.null(),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn is_what_redis_gives() {
        // The payloads of redis-server 7.2.4.
        check(
            "SET k foo; DUMP k; SET k 12; DUMP k; DUMP nothing; DUMP",
            "OK; \\x00\\x03foo\\x0b\\x00\\x1a\\x96\\x84\\xa8\\xb0^S\\x1e; \
             OK; \\x00\\xc0\\x0c\\x0b\\x00U\\xf5E\\\"\\xa1\\x9bU\\\\; nil; \
             (error) ERR wrong number of arguments for 'dump' command",
        );
    }
}
