//! BIGKEYS [COUNT count] [KEYS keys]: the biggest keys, by the memory that they take.
//!
//! Each call looks at a bounded number of keys, in steps that let others through, and goes on where the last call stopped;
//! the biggest are remembered from call to call, and looked at once more before they are told. The reply says how much was
//! looked at, as a part of the keyspace may not have been yet.

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags, Scope};
use dunlin_engine::commands::server::memory::own_bytes;
use dunlin_engine::{Command, Continuation, Ctx, Engine, Flow, Outcome, Progress, ReplyError};
use dunlin_store::hash_value::HashRef;
use dunlin_store::list::ListRef;
use dunlin_store::set::SetRef;
use dunlin_store::stripes::LockSet;
use dunlin_store::zset::ZSetRef;
use dunlin_store::{Entry, ValueType, stream};

use super::hot_keys::{COUNT, positive};
use crate::host::host;
use crate::observe::big_keys::{BigKey, KNOWN_MAX, Known, Place};

/// Keys returned unless asked for more or less.
const COUNT_DEFAULT: usize = 10;
/// Keys looked at by a call unless asked for more or less.
const KEYS_DEFAULT: usize = 100_000;
/// Keys looked at in one step.
const KEYS_PER_STEP: usize = 256;
/// Pieces of values whose sizes are added up in one step; beyond that sizes are guessed from the number of pieces until the
/// key is looked at by itself.
const PIECES_PER_STEP: usize = 8_192;
/// What such a piece is taken to be, bytes.
const PIECE_BYTES: usize = 1_024;

/// BIGKEYS.
pub(super) const BIGKEYS: Command = Command {
    name: "bigkeys",
    full_name: "bigkeys",
    arity: -1,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    scope: Scope::Stepwise,
    group: "server",
    since: "7.2.0",
    complexity: "O(N) in the number of keys looked at, in steps that let other clients through",
    summary: "Looks at some more keys, and returns the biggest seen by this call and those before: key, database, type, elements, bytes; with how many keys this call looked at, how many there are, and how often all were gone through.",
    tips: &[
        "request_policy:all_shards",
        "response_policy:special",
        "nondeterministic_output",
    ],
    arguments: &[
        COUNT,
        Argument::new("keys", ArgKind::Integer)
            .with_token("KEYS")
            .optional(),
    ],
    handler: big_keys,
    ..Command::BASE
};

/// A call under way.
struct Search {
    known: Known,
    count: usize,
    /// Keys that are still to be looked at.
    left: usize,
    looked_at: usize,
    /// Stripes of databases passed; with all of them it is back where it began, and ends.
    passed: usize,
    /// Keys that were looked at once more, in front of the others and sorted.
    checked: usize,
}

fn big_keys(cx: &mut Ctx<'_>) -> Outcome {
    let (mut count, mut left) = (COUNT_DEFAULT, KEYS_DEFAULT);
    for at in (1..cx.args.len()).step_by(2) {
        if cx.args.get(at + 1).is_none() {
            return Err(ReplyError::Syntax);
        }
        if cx.args.is(at, "count") {
            count = positive(cx, at + 1)?.min(KNOWN_MAX);
        } else if cx.args.is(at, "keys") {
            left = positive(cx, at + 1)?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let known = host(cx).shared.observer.big_keys.known().clone();
    Ok(Flow::Continue(Box::new(Search {
        known,
        count,
        left,
        looked_at: 0,
        passed: 0,
        checked: 0,
    })))
}

impl Search {
    /// Goes to the next stripe that has keys, or ends where the call began.
    fn next_stripe(&mut self, engine: &Engine) {
        let store = &engine.store;
        let (stripes, databases) = (store.stripe_count(), store.databases());
        let place = &mut self.known.place;
        loop {
            self.passed += 1;
            (place.stripe, place.cursor) = (place.stripe + 1, 0);
            if place.stripe == stripes {
                (place.stripe, place.db) = (0, place.db + 1);
            }
            if place.db as usize == databases {
                place.db = 0;
                self.known.passes += 1;
            }
            if self.passed == stripes * databases {
                self.left = 0;
                return;
            }
            if store.stripe_len(place.db, place.stripe) > 0 {
                return;
            }
        }
    }

    fn scan(&mut self, cx: &mut Ctx<'_>) {
        let Place { db, stripe, cursor } = self.known.place;
        let (known, looked_at) = (&mut self.known, &mut self.looked_at);
        let (before, mut pieces) = (*looked_at, 0);
        known.place.cursor = cx.keys.scan(db, stripe, cursor, KEYS_PER_STEP, |entry| {
            *looked_at += 1;
            let effort = entry.free_effort();
            pieces += effort;
            let guess = own_bytes(entry) + (effort - 1) * PIECE_BYTES;
            let bytes = if pieces > PIECES_PER_STEP {
                guess
            } else {
                own_bytes(entry) + entry.outside_bytes()
            };
            if known.wants(bytes) {
                known.note(seen(db, entry, bytes));
            }
        });
        self.left = self.left.saturating_sub(*looked_at - before);
        if self.known.place.cursor == 0 {
            self.next_stripe(cx.engine);
        }
    }

    /// Looks at one of the biggest once more; it may be gone.
    fn check(&mut self, cx: &mut Ctx<'_>) {
        let known = &mut self.known.keys[self.checked];
        let key = cx.keys.key(&known.key);
        let entry = cx.keys.peek(known.db, &key);
        match entry {
            None => {
                self.known.keys.remove(self.checked);
            }
            Some(entry) => {
                let bytes = own_bytes(&entry) + entry.outside_bytes();
                *known = seen(known.db, &entry, bytes);
                self.checked += 1;
            }
        }
    }

    /// Sorts, and says whether the first `count` have all been looked at.
    fn is_checked(&mut self) -> bool {
        let (checked, rest) = self.known.keys.split_at_mut(self.checked);
        let by_size = |key: &BigKey| std::cmp::Reverse(key.bytes);
        checked.sort_by_key(by_size);
        rest.sort_by_key(by_size);
        let Some(next) = rest.first() else {
            return true;
        };
        let last = checked.get(self.count - 1);
        last.is_some_and(|last| last.bytes >= next.bytes)
    }

    fn reply(&mut self, cx: &mut Ctx<'_>) {
        self.known
            .keys
            .sort_by_key(|key| std::cmp::Reverse(key.bytes));
        let store = &cx.engine.store;
        let all: u64 = (0..store.databases()).map(|db| store.len(db as u32)).sum();
        cx.reply.map(4);
        for (name, number) in [
            ("looked-at", self.looked_at as u64),
            ("keys-in-all", all),
            ("passes", self.known.passes),
        ] {
            cx.reply.bulk(name.as_bytes());
            cx.reply.integer(number as i64);
        }
        cx.reply.bulk(b"keys");
        cx.reply.array(self.known.keys.len().min(self.count));
        for key in self.known.keys.iter().take(self.count) {
            cx.reply.map(5);
            cx.reply.bulk(b"key");
            cx.reply.bulk(&key.key);
            cx.reply.bulk(b"db");
            cx.reply.integer(i64::from(key.db));
            cx.reply.bulk(b"type");
            cx.reply.bulk(key.of.name().as_bytes());
            cx.reply.bulk(b"elements");
            cx.reply.integer(key.elements as i64);
            cx.reply.bulk(b"bytes");
            cx.reply.integer(key.bytes as i64);
        }
        *host(cx).shared.observer.big_keys.known() = std::mem::take(&mut self.known);
    }
}

impl Continuation for Search {
    fn lock_set(&self, engine: &Engine) -> Option<LockSet> {
        let stripe = if self.left > 0 {
            self.known.place.stripe
        } else {
            let key = &self.known.keys.get(self.checked)?.key;
            engine.store.stripe_of(engine.store.hasher().hash(key))
        };
        Some(LockSet::One(stripe as u16))
    }

    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError> {
        if self.left > 0 {
            let place = self.known.place;
            if cx.engine.store.stripe_len(place.db, place.stripe) > 0 {
                self.scan(cx);
            } else {
                self.next_stripe(cx.engine);
            }
        } else if self.checked < self.known.keys.len() {
            self.check(cx);
        }
        if self.left == 0 && self.is_checked() {
            self.reply(cx);
            return Ok(Progress::Done);
        }
        Ok(Progress::More)
    }
}

fn seen(db: u32, entry: &Entry, bytes: usize) -> BigKey {
    let of = entry.kind().value_type();
    let elements = match of {
        ValueType::String => entry.as_string().map_or(0, |string| string.len()),
        ValueType::List => ListRef::of(entry).map_or(0, |list| list.len()),
        ValueType::Set => SetRef::of(entry).map_or(0, |set| set.len()),
        ValueType::ZSet => ZSetRef::of(entry).map_or(0, |zset| zset.len()),
        ValueType::Hash => HashRef::of(entry).map_or(0, |hash| hash.len()),
        ValueType::Stream => stream::of(entry).map_or(0, |stream| stream.len() as usize),
    };
    BigKey {
        key: entry.key().into(),
        db,
        of,
        elements: elements as u64,
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};
    use crate::config::Config;

    #[test]
    fn bad_input() {
        check(
            "BIGKEYS COUNT; BIGKEYS COUNT 0; BIGKEYS KEYS x; BIGKEYS OTHER 3; BIGKEYS COUNT 1 KEYS 1; BIGKEYS",
            "(error) ERR syntax error; (error) ERR value is out of range, must be positive; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error; \
             [looked-at 0 keys-in-all 0 passes 1 keys []]; [looked-at 0 keys-in-all 0 passes 2 keys []]",
        );
    }

    #[test]
    fn every_type_and_what_became_of_it() {
        let mut console = Console::new(Config::default());
        for key in 0..300 {
            console.run(&format!("SET small:{key} v"));
        }
        for part in 0..200 {
            let items: Vec<String> = (0..20).map(|i| format!("item-{part}-{i}")).collect();
            let items = items.join(" ");
            console.run(&format!("RPUSH list {items}"));
            console.run(&format!("SADD set {items} {items}"));
        }
        console.run("SELECT 5");
        console.run(&format!("SET string {}", "x".repeat(500_000)));
        console.run("XADD stream * f v");
        let all = console.run("BIGKEYS COUNT 3");
        assert!(all.starts_with("[looked-at 304 keys-in-all 304 passes 1 keys [[key string db 5 type string elements 500000 bytes 50"), "{all}");
        assert!(
            all.contains("[key set db 0 type set elements 4000 bytes "),
            "{all}"
        );
        assert!(
            all.contains("[key list db 0 type list elements 4000 bytes "),
            "{all}"
        );
        // Remembered, but not told when it is gone, or smaller; only a few keys are looked at.
        console.run("DEL string");
        console.run("SELECT 0");
        console.run("LTRIM list 0 9");
        let few = console.run("BIGKEYS COUNT 1 KEYS 1");
        assert!(
            few.contains("keys [[key set db 0 type set elements 4000 "),
            "{few}"
        );
        assert!(few.contains("keys-in-all 303"), "{few}");
        assert!(!few.contains("looked-at 303"), "{few}");
    }

    #[test]
    fn small_calls_come_through_all_keys() {
        let mut console = Console::new(Config::default());
        for key in 0..5_000 {
            console.run(&format!("SET key:{key} v"));
        }
        console.run("SETRANGE big 9000 x");
        let mut calls = 1;
        while !console
            .run("BIGKEYS COUNT 1 KEYS 300")
            .contains("[key big ")
        {
            calls += 1;
            assert!(calls <= 5_001_usize.div_ceil(300) + 1);
        }
    }
}
