//! KEYS pattern: names of all keys that match. <https://redis.io/commands/keys>
//!
//! Runs in steps of a few hundred keys, one stripe at a time, so that no other client waits for it; consistent per
//! stripe. Inside MULTI it holds everything. A pattern that can match one name only is looked up like a key.

use dunlin_resp::reply;
use dunlin_store::stripes::LockSet;
use dunlin_structures::rope::Rope;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, Scope};
use crate::context::{Continuation, Progress};
use crate::glob::Glob;
use crate::{Args, Ctx, Engine, Flow, Outcome, ReplyError, Session};

/// Keys looked at in one step.
pub(super) const KEYS_PER_STEP: usize = 256;

/// KEYS.
pub(super) const KEYS: Command = Command {
    name: "keys",
    full_name: "keys",
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    scope: Scope::Stepwise,
    group: "generic",
    since: "1.0.0",
    complexity: "O(N) in the number of keys, in steps that let other clients through",
    summary: "Returns the names of all keys that match a pattern.",
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    arguments: &[Argument::new("pattern", ArgKind::Pattern)],
    weight: Some(all_keys),
    handler: keys,
    ..Command::BASE
};

/// Weight of what visits every key of the database.
pub(crate) fn all_keys(engine: &Engine, session: &Session, _args: Args<'_>) -> u64 {
    engine.store.len(session.db)
}

/// Names of keys, written as the elements of an array whose length comes last.
#[derive(Default)]
pub(super) struct Names {
    count: usize,
    body: Rope,
}

impl Names {
    /// Adds a name.
    pub(super) fn push(&mut self, name: &[u8]) {
        self.count += 1;
        self.body.cut();
        reply::bulk(self.body.tail(), name);
    }

    /// Writes the array.
    pub(super) fn reply(&mut self, cx: &mut Ctx<'_>) {
        cx.reply.array(self.count);
        cx.reply.append(&mut self.body);
    }
}

/// All names, a stripe after the other.
struct Keys {
    db: u32,
    pattern: Glob,
    stripe: usize,
    cursor: u64,
    names: Names,
}

/// One name.
struct OneKey {
    db: u32,
    name: Box<[u8]>,
    stripe: u16,
}

fn keys(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    let pattern = Glob::new(cx.args.at(1));
    if let Some(name) = pattern.literal() {
        let stripe = cx.engine.store.stripe_of(cx.keys.key(name).hash) as u16;
        let name = name.into();
        return Ok(Flow::Continue(Box::new(OneKey { db, name, stripe })));
    }
    let Some(stripe) = next_stripe(cx.engine, db, 0) else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let names = Names::default();
    Ok(Flow::Continue(Box::new(Keys {
        db,
        pattern,
        stripe,
        cursor: 0,
        names,
    })))
}

/// The first stripe from `from` on that has keys, found without a lock.
///
/// A stripe that gets its first key after this look is passed over: the key came during the walk, which need not show it.
pub(super) fn next_stripe(engine: &Engine, db: u32, from: usize) -> Option<usize> {
    (from..engine.store.stripe_count()).find(|&stripe| engine.store.stripe_len(db, stripe) > 0)
}

impl Continuation for Keys {
    fn lock_set(&self, _engine: &Engine) -> Option<LockSet> {
        Some(LockSet::One(self.stripe as u16))
    }

    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError> {
        let (pattern, names) = (&self.pattern, &mut self.names);
        self.cursor = cx
            .keys
            .scan(self.db, self.stripe, self.cursor, KEYS_PER_STEP, |entry| {
                if pattern.matches(entry.key()) {
                    names.push(entry.key());
                }
            });
        if self.cursor == 0 {
            match next_stripe(cx.engine, self.db, self.stripe + 1) {
                Some(stripe) => self.stripe = stripe,
                None => {
                    self.names.reply(cx);
                    return Ok(Progress::Done);
                }
            }
        }
        Ok(Progress::More)
    }
}

impl Continuation for OneKey {
    fn lock_set(&self, _engine: &Engine) -> Option<LockSet> {
        Some(LockSet::One(self.stripe))
    }

    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError> {
        let key = cx.keys.key(&self.name);
        if cx.keys.find(self.db, &key).is_some() {
            cx.reply.array(1);
            cx.reply.bulk(&self.name);
        } else {
            cx.reply.array(0);
        }
        Ok(Progress::Done)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn finds_by_pattern() {
        let mut console = Console::default();
        console.run("SET key_x 1; SET key_y 1; SET foo_a 1; SET foo_b 1 PX 5");
        for (pattern, expected) in [
            ("*", "foo_a foo_b key_x key_y"),
            ("foo*", "foo_a foo_b"),
            ("???_[ab]", "foo_a foo_b"),
            ("key_x", "key_x"),
            ("key_\\x", "key_x"),
            ("nothing", ""),
            ("nothing*", ""),
        ] {
            assert_eq!(sorted(&mut console, pattern), expected, "{pattern}");
        }
        console.run("+5ms");
        assert_eq!(sorted(&mut console, "*"), "foo_a key_x key_y");
        assert_eq!(sorted(&mut console, "foo_b"), "");
    }

    fn sorted(console: &mut Console, pattern: &str) -> String {
        let reply = console.run(&format!("KEYS '{pattern}'"));
        let mut names: Vec<&str> = reply.trim_matches(['[', ']']).split(' ').collect();
        names.sort_unstable();
        names.join(" ")
    }

    #[test]
    fn a_large_database_is_walked_in_steps() {
        let mut console = Console::default();
        for i in 0..5000 {
            console.run(&format!("SET key:{i} {i}"));
        }
        let reply = console.run("KEYS *9*");
        let expected = (0..5000).filter(|i| i.to_string().contains('9')).count();
        assert_eq!(reply.split(' ').count(), expected);
    }

    #[test]
    fn the_empty_key_matches_the_star() {
        check("SET '' v; KEYS *; KEYS ''; KEYS ?", "OK; []; []; []");
        assert_eq!(Console::default().call(1, &[b"SET", b"", b"v"]), b"+OK\r\n");
    }

    #[test]
    fn inside_a_transaction() {
        check(
            "MULTI; SET a 1; KEYS *; KEYS a; EXEC",
            "OK; QUEUED; QUEUED; QUEUED; [OK [a] [a]]",
        );
    }
}
