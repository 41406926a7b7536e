//! PERSIST key: takes a deadline away. <https://redis.io/commands/persist>

use dunlin_store::Event;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// PERSIST.
pub(super) const PERSIST: Command = Command {
    name: "persist",
    full_name: "persist",
    arity: 2,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    scope: Scope::Keys,
    group: "generic",
    since: "2.2.0",
    summary: "Takes the time to live of a key away.",
    arguments: &[Argument::KEY],
    handler: persist,
    ..Command::BASE
};

fn persist(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let found = cx.keys.find(db, &key);
    let volatile = found.filter(|&found| cx.keys.entry(found).deadline().is_some());
    if let Some(found) = volatile {
        cx.keys.set_deadline(found, None);
        cx.record_verbatim(key.bytes, Event::generic("persist"));
    }
    cx.reply.integer(i64::from(volatile.is_some()));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn a_persisted_key_outlives_its_deadline() {
        check(
            "SET k v PX 10; PERSIST k; PERSIST k; PTTL k; +20ms; GET k; PERSIST nothing",
            "OK; 1; 0; -1; v; 0",
        );
        check("SET k v PX 10; +10ms; PERSIST k", "OK; 0");
    }
}
