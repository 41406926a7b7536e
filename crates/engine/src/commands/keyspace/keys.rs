//! KEYS pattern: names of all keys that match. <https://redis.io/commands/keys>
//!
//! Runs in steps of a few hundred keys, one stripe at a time, so that no other client waits for it; consistent per
//! stripe. Inside MULTI it holds everything.

use dunlin_resp::reply;
use dunlin_store::stripes::LockSet;
use dunlin_structures::rope::Rope;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, Scope};
use crate::context::{Continuation, Progress};
use crate::glob::Glob;
use crate::{Args, Ctx, Engine, Flow, Outcome, ReplyError, Session};

/// Keys looked at in one step.
const KEYS_PER_STEP: usize = 256;

/// KEYS.
pub(super) const KEYS: Command = Command {
    name: "keys",
    full_name: "keys",
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE.and(Categories::READ).and(Categories::SLOW).and(Categories::DANGEROUS),
    scope: Scope::Stepwise,
    group: "generic",
    since: "1.0.0",
    complexity: "O(N) in the number of keys, in steps that let other clients through",
    summary: "Returns the names of all keys that match a pattern.",
    arguments: &[Argument::new("pattern", ArgKind::Pattern)],
    weight: Some(all_keys),
    handler: keys,
    ..Command::BASE
};

/// Weight of what visits every key of the database.
pub(crate) fn all_keys(engine: &Engine, session: &Session, _args: Args<'_>) -> u64 {
    engine.store.len(session.db)
}

struct Keys {
    db: u32,
    pattern: Glob,
    stripe: usize,
    cursor: u64,
    found: usize,
    body: Rope,
}

fn keys(cx: &mut Ctx<'_>) -> Outcome {
    let pattern = Glob::new(cx.args.at(1));
    Ok(Flow::Continue(Box::new(Keys { db: cx.db(), pattern, stripe: 0, cursor: 0, found: 0, body: Rope::new() })))
}

impl Continuation for Keys {
    fn lock_set(&self, _engine: &Engine) -> Option<LockSet> {
        Some(LockSet::One(self.stripe as u16))
    }

    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError> {
        let (pattern, body, found) = (&self.pattern, &mut self.body, &mut self.found);
        self.cursor = cx.keys.scan(self.db, self.stripe, self.cursor, KEYS_PER_STEP, |entry| {
            if pattern.matches(entry.key()) {
                *found += 1;
                reply::bulk(body.tail(), entry.key());
            }
        });
        if self.body.tail().len() >= BODY_PIECE_BYTES {
            let piece = std::mem::take(self.body.tail());
            self.body.push_owned(piece);
        }
        if self.cursor == 0 {
            self.stripe += 1;
        }
        if self.stripe < cx.engine.store.stripe_count() {
            return Ok(Progress::More);
        }
        cx.reply.array(self.found);
        cx.reply.append(&mut self.body);
        Ok(Progress::Done)
    }
}

/// The reply is cut into pieces of about this size, so that none is ever copied or freed in one long go.
const BODY_PIECE_BYTES: usize = 64 * 1024;
