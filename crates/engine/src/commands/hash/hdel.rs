//! HDEL key field [field ...]. <https://redis.io/commands/hdel>

use dunlin_store::Event;
use dunlin_store::hash_value::{self, HashRef};

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// HDEL.
pub(super) const HDEL: Command = Command {
    name: "hdel",
    full_name: "hdel",
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::HASH)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "delete"])],
    scope: Scope::Keys,
    group: "hash",
    since: "2.0.0",
    complexity: "O(N) in the number of fields given",
    summary: "Takes fields out of a hash; the key goes with the last one.",
    arguments: &[
        Argument::KEY,
        Argument::new("field", ArgKind::String).multiple(),
    ],
    handler: hdel,
    ..Command::BASE
};

fn hdel(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key, args) = (cx.db(), cx.key(1), cx.args);
    let store = cx.keys.store();
    let Some(found) = cx.keys.find(db, &key) else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    let hash_len = {
        let entry = cx.keys.entry(found);
        let hash = HashRef::of(&entry).ok_or(ReplyError::WrongType)?;
        let is_there = |field| hash.get(store.hasher(), field).is_some();
        if !args.from(2).any(is_there) {
            cx.reply.integer(0);
            return Ok(Flow::Done);
        }
        hash.len()
    };
    let mut removed = 0;
    cx.keys.update(found, |mut entry| {
        for field in args.from(2) {
            let was_there;
            (entry, was_there) = hash_value::remove(entry, store.hasher(), field);
            removed += usize::from(was_there);
        }
        entry
    });
    cx.record_verbatim(key.bytes, Event::hash("hdel"));
    cx.keys.count_changes(removed as u64 - 1);
    if removed == hash_len {
        if let Some(entry) = cx.keys.remove(db, &key) {
            cx.keys.discard(entry);
        }
        cx.keys.tell(db, key.bytes, Event::generic("del"));
    }
    cx.reply.count(removed);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn the_key_goes_with_the_last_field() {
        check(
            "HSET h a 1 b 2 c 3; HDEL h a nothing a; HDEL h nothing; HLEN h; HDEL h b c b; EXISTS h; HDEL h a",
            "3; 1; 0; 2; 2; 0; 0",
        );
        check(
            "SET s v; HDEL s a",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn a_watch_notices() {
        check(
            "HSET h a 1; WATCH h; HDEL h a; MULTI; PING; EXEC",
            "1; OK; 1; OK; QUEUED; nil",
        );
    }
}
