//! RANDOMKEY: the name of some key, each equally likely. <https://redis.io/commands/randomkey>
//!
//! A stripe is drawn with the weight of its number of keys, then one of its keys; both draws are fair. A key that has
//! expired is removed and the draw repeated. After many such draws the first living key behind a random place is taken,
//! so that the answer is null only when there is none.

use dunlin_store::stripes::LockSet;
use dunlin_structures::dict::POSITION_BITS;

use crate::command::{Categories, Command, Flags, Scope};
use crate::context::{Continuation, Progress};
use crate::{Ctx, Engine, Flow, Outcome, ReplyError};

/// Draws before the answer is searched for from a random place on.
const DRAWS_MAX: u32 = 100;

/// Keys looked at in one step of that search.
const KEYS_PER_STEP: usize = 256;

/// RANDOMKEY.
pub(super) const RANDOMKEY: Command = Command {
    name: "randomkey",
    full_name: "randomkey",
    arity: 1,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::SLOW),
    scope: Scope::Stepwise,
    group: "generic",
    summary: "Returns the name of a random key.",
    tips: &[
        "request_policy:all_shards",
        "response_policy:special",
        "nondeterministic_output",
    ],
    handler: randomkey,
    ..Command::BASE
};

struct RandomKey {
    db: u32,
    stripe: usize,
    /// Draws made.
    draws: u32,
    /// Once drawing has been given up: where the search stands in its stripe, and how many stripes it has left.
    search: Option<(u64, usize)>,
}

fn randomkey(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    let Some(stripe) = draw_stripe(cx, db) else {
        cx.reply.null();
        return Ok(Flow::Done);
    };
    Ok(Flow::Continue(Box::new(RandomKey {
        db,
        stripe,
        draws: 0,
        search: None,
    })))
}

/// A stripe, with the weight of its number of keys; none when the database is empty. O(stripes), without a lock.
fn draw_stripe(cx: &mut Ctx<'_>, db: u32) -> Option<usize> {
    let store = &cx.engine.store;
    let total = store.len(db);
    let scaled = u128::from(cx.keys.local().random()) * u128::from(total);
    let mut rank = (scaled >> 64) as u64;
    let found = (0..store.stripe_count()).find(|&stripe| {
        let len = store.stripe_len(db, stripe);
        let here = rank < len;
        rank = rank.wrapping_sub(if here { 0 } else { len });
        here
    });
    // Keys may have gone since the total was taken: then any stripe that has some will do.
    found.or_else(|| super::keys::next_stripe(cx.engine, db, 0))
}

impl Continuation for RandomKey {
    fn lock_set(&self, _engine: &Engine) -> Option<LockSet> {
        Some(LockSet::One(self.stripe as u16))
    }

    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError> {
        if let Some((cursor, stripes)) = self.search {
            return Ok(self.search(cx, cursor, stripes));
        }
        if let Some(entry) = cx.keys.random_entry(self.db, self.stripe) {
            if entry.due().is_none() {
                cx.reply.bulk(entry.key());
                return Ok(Progress::Done);
            }
            let name: Box<[u8]> = entry.key().into();
            let key = cx.keys.key(&name);
            // Removes it if it has expired.
            if cx.keys.find(self.db, &key).is_some() {
                cx.reply.bulk(&name);
                return Ok(Progress::Done);
            }
        }
        self.draws += 1;
        match draw_stripe(cx, self.db) {
            None => {
                cx.reply.null();
                return Ok(Progress::Done);
            }
            Some(stripe) => self.stripe = stripe,
        }
        if self.draws >= DRAWS_MAX {
            let place = cx.keys.local().random() & ((1 << POSITION_BITS) - 1);
            // The stripe where it starts is searched twice: behind the place, and at the end before it.
            self.search = Some((place, cx.engine.store.stripe_count() + 1));
        }
        Ok(Progress::More)
    }
}

impl RandomKey {
    fn search(&mut self, cx: &mut Ctx<'_>, cursor: u64, stripes: usize) -> Progress {
        let mut name: Option<Box<[u8]>> = None;
        let next = cx
            .keys
            .scan(self.db, self.stripe, cursor, KEYS_PER_STEP, |entry| {
                name.get_or_insert_with(|| entry.key().into());
            });
        match name {
            Some(name) => cx.reply.bulk(&name),
            None if next != 0 => {
                self.search = Some((next, stripes));
                return Progress::More;
            }
            None if stripes > 1 => {
                self.stripe = (self.stripe + 1) % cx.engine.store.stripe_count();
                self.search = Some((0, stripes - 1));
                return Progress::More;
            }
            None => cx.reply.null(),
        }
        Progress::Done
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::testing::{Console, check};

    #[test]
    fn nothing_to_choose_from() {
        check("RANDOMKEY; SET x 1; DEL x; RANDOMKEY", "nil; OK; 1; nil");
        check(
            "SET x 1; SELECT 1; RANDOMKEY; SELECT 0; RANDOMKEY",
            "OK; OK; nil; OK; x",
        );
        check(
            "MULTI; SET x 1; RANDOMKEY; EXEC",
            "OK; QUEUED; QUEUED; [OK x]",
        );
    }

    #[test]
    fn every_key_is_equally_likely() {
        const KEYS: usize = 50;
        const DRAWS: usize = 20_000;
        let mut console = Console::default();
        for i in 0..KEYS {
            console.run(&format!("SET key:{i} {i}"));
        }
        let mut seen = BTreeMap::<String, usize>::new();
        for _ in 0..DRAWS {
            *seen.entry(console.run("RANDOMKEY")).or_default() += 1;
        }
        assert_eq!(seen.len(), KEYS);
        let expected = (DRAWS / KEYS) as f64;
        let chi_square: f64 = seen
            .values()
            .map(|&n| (n as f64 - expected).powi(2) / expected)
            .sum();
        // 49 degrees of freedom: 94.0 is exceeded once in 10,000; the console's generator has a fixed seed.
        assert!(chi_square < 94.0, "{chi_square}");
    }

    #[test]
    fn expired_keys_are_never_returned() {
        let mut console = Console::default();
        for i in 0..1000 {
            console.run(&format!("SET gone:{i} 1 PX 5"));
        }
        console.run("SET here 1; SET there 1 PX 50; +5ms");
        for _ in 0..10 {
            let key = console.run("RANDOMKEY");
            assert!(key == "here" || key == "there", "{key}");
        }
        console.run("+50ms; DEL here");
        assert_eq!(console.run("RANDOMKEY; DBSIZE"), "nil; 0");
    }

    #[test]
    fn one_living_key_among_many_dead_ones_is_found() {
        let mut console = Console::default();
        for i in 0..3000 {
            console.run(&format!("SET gone:{i} 1 PX 5"));
        }
        console.run("SET here 1; +5ms");
        assert_eq!(console.run("RANDOMKEY"), "here");
        let left: usize = console.run("DBSIZE").parse().expect("a number");
        assert!(left > 1, "the search did not have to remove all of them");
    }
}
