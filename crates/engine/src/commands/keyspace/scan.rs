//! SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]: some keys, and where to go on. <https://redis.io/commands/scan>
//!
//! A cursor is a prefix of 48 hash bits: the stripe in the top 8, then a position in the stripe's dict. A key that is
//! present from the first call to the last is returned exactly once, whatever grows or shrinks meanwhile.
//!
//! A call looks at about COUNT keys, a few hundred in a step, and locks one stripe at a time; stripes without keys are
//! passed without a lock. Keys that have expired are removed, never returned.

use dunlin_store::stripes::LockSet;
use dunlin_structures::dict::POSITION_BITS;

use super::keys::{KEYS_PER_STEP, Names, next_stripe};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, Scope};
use crate::context::{Continuation, Progress};
use crate::glob::Glob;
use crate::number::parse_i64;
use crate::{Args, Ctx, Engine, Flow, Outcome, ReplyError, Session};

/// COUNT unless given.
const COUNT_DEFAULT: u64 = 10;

/// A call makes at most so many walks through a stripe for each key of COUNT, however few keys they find.
const WALKS_PER_KEY: u64 = 10;

/// SCAN.
pub(super) const SCAN: Command = Command {
    name: "scan",
    full_name: "scan",
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE
        .and(Categories::READ)
        .and(Categories::SLOW),
    scope: Scope::Stepwise,
    group: "generic",
    since: "2.8.0",
    complexity: "O(COUNT) for a call, O(N) in the number of keys for a whole iteration",
    summary: "Iterates over the names of the keys in the database.",
    tips: &[
        "nondeterministic_output",
        "request_policy:special",
        "response_policy:special",
    ],
    history: &[("6.0.0", "Takes TYPE.")],
    arguments: &[
        Argument::new("cursor", ArgKind::Integer),
        Argument::new("pattern", ArgKind::Pattern)
            .with_token("MATCH")
            .optional(),
        Argument::new("count", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
        Argument::new("type", ArgKind::String)
            .with_token("TYPE")
            .since("6.0.0")
            .optional(),
    ],
    weight: Some(weight),
    handler: scan,
    ..Command::BASE
};

/// Inside a transaction, where all steps are one: COUNT keys, as far as there are so many.
fn weight(engine: &Engine, session: &Session, args: Args<'_>) -> u64 {
    count_of(args, 2).min(engine.store.len(session.db))
}

/// The COUNT among the options from argument `first` on, whatever else is wrong with them: for weights.
pub(crate) fn count_of(args: Args<'_>, first: usize) -> u64 {
    let count = (first..args.len()).find(|&i| args.is(i, "count"));
    let count = count.and_then(|i| parse_i64(args.get(i + 1)?));
    let count = count.and_then(|n| u64::try_from(n).ok());
    count.unwrap_or(COUNT_DEFAULT)
}

/// Options of SCAN and its relatives.
pub(crate) struct ScanOptions {
    /// About how many elements a call looks at.
    pub(crate) count: u64,
    /// What elements have to match; `None` when all do.
    pub(crate) pattern: Option<Glob>,
    /// The type that keys have to be of.
    kind: Option<Box<[u8]>>,
}

impl ScanOptions {
    /// Parses the options of SSCAN, HSCAN and ZSCAN, which stand behind key and cursor.
    pub(crate) fn of_collection(args: Args<'_>) -> Result<ScanOptions, ReplyError> {
        ScanOptions::parse(args, 3, false)
    }

    /// Parses the options from argument `first` on; TYPE only where keys are scanned.
    fn parse(args: Args<'_>, first: usize, keys: bool) -> Result<ScanOptions, ReplyError> {
        let mut options = ScanOptions {
            count: COUNT_DEFAULT,
            pattern: None,
            kind: None,
        };
        for i in (first..args.len()).step_by(2) {
            let Some(value) = args.get(i + 1) else {
                return Err(ReplyError::Syntax);
            };
            if args.is(i, "count") {
                let n = parse_i64(value).ok_or(ReplyError::NotInteger)?;
                options.count = u64::try_from(n).map_err(|_| ReplyError::Syntax)?;
                if options.count == 0 {
                    return Err(ReplyError::Syntax);
                }
            } else if args.is(i, "match") {
                options.pattern = Some(Glob::new(value)).filter(|glob| !glob.matches_all());
            } else if keys && args.is(i, "type") {
                options.kind = Some(value.into());
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }

    /// Whether an element matches the pattern.
    pub(crate) fn matches(&self, element: &[u8]) -> bool {
        self.pattern.as_ref().is_none_or(|p| p.matches(element))
    }

    /// COUNT as far as memory could hold so many.
    pub(crate) fn count(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }
}

/// What a cursor argument stands for.
pub(crate) fn cursor_of(text: &[u8]) -> Result<u64, ReplyError> {
    parse_cursor(text).ok_or(ReplyError::InvalidCursor)
}

/// Head of the reply of SCAN and its relatives: what follows is the array of elements.
pub(crate) fn reply_cursor(cx: &mut Ctx<'_>, cursor: u64) {
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
}

struct Scan {
    db: u32,
    options: ScanOptions,
    stripe: usize,
    cursor: u64,
    /// Keys still to be looked at.
    left: u64,
    /// Walks still to be made.
    walks: u64,
    names: Names,
}

fn scan(cx: &mut Ctx<'_>) -> Outcome {
    let cursor = cursor_of(cx.args.at(1))?;
    let options = ScanOptions::parse(cx.args, 2, true)?;
    let mut scan = Scan {
        db: cx.db(),
        stripe: 0,
        cursor,
        left: options.count,
        walks: options.count.saturating_mul(WALKS_PER_KEY),
        options,
        names: Names::default(),
    };
    if scan.enter(cx.engine, cursor) {
        return Ok(Flow::Continue(Box::new(scan)));
    }
    scan.reply(cx, 0);
    Ok(Flow::Done)
}

impl Scan {
    /// Goes to a cursor, or to the next stripe with keys if its stripe has none; false when there is no such stripe.
    fn enter(&mut self, engine: &Engine, cursor: u64) -> bool {
        let wanted = usize::try_from(cursor >> POSITION_BITS).unwrap_or(usize::MAX);
        let Some(stripe) = next_stripe(engine, self.db, wanted) else {
            return false;
        };
        self.stripe = stripe;
        self.cursor = if stripe == wanted {
            cursor
        } else {
            (stripe as u64) << POSITION_BITS
        };
        true
    }

    fn reply(&mut self, cx: &mut Ctx<'_>, cursor: u64) {
        reply_cursor(cx, cursor);
        self.names.reply(cx);
    }
}

impl Continuation for Scan {
    fn lock_set(&self, _engine: &Engine) -> Option<LockSet> {
        Some(LockSet::One(self.stripe as u16))
    }

    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError> {
        let wanted = KEYS_PER_STEP.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let (options, names) = (&self.options, &mut self.names);
        let mut seen = 0;
        let next = cx
            .keys
            .scan(self.db, self.stripe, self.cursor, wanted, |entry| {
                seen += 1;
                let fits = |kind: &[u8]| {
                    let name = entry.kind().value_type().name();
                    kind.eq_ignore_ascii_case(name.as_bytes())
                };
                if options.matches(entry.key()) && options.kind.as_deref().is_none_or(fits) {
                    names.push(entry.key());
                }
            });
        self.left = self.left.saturating_sub(seen);
        self.walks -= 1;
        let more = if next == 0 {
            let following = (self.stripe as u64 + 1) << POSITION_BITS;
            self.enter(cx.engine, following)
        } else {
            self.cursor = next;
            true
        };
        if more && self.left > 0 && self.walks > 0 {
            return Ok(Progress::More);
        }
        let cursor = if more { self.cursor } else { 0 };
        self.reply(cx, cursor);
        Ok(Progress::Done)
    }
}

/// Parses a cursor as C's `strtoul` does, which Redis uses: an empty one is 0, a sign is allowed and a negative one wraps.
fn parse_cursor(text: &[u8]) -> Option<u64> {
    // A C string ends at its first zero byte.
    let text = text.split(|&b| b == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0u64, |n, &digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then_some(())?;
        n.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use dunlin_store::Settings;

    use super::parse_cursor;
    use crate::Engine;
    use crate::testing::{Console, check};

    /// Scans from the start to the end; the names, and how many calls it took. Panics when a name comes twice.
    fn all(console: &mut Console, options: &str) -> (BTreeSet<String>, usize) {
        let (mut cursor, mut calls, mut names) = ("0".to_owned(), 0, BTreeSet::new());
        loop {
            let reply = console.run(&format!("SCAN {cursor} {options}"));
            let (next, rest) = reply[1..].split_once(' ').expect("two elements");
            for name in rest.trim_matches(['[', ']']).split(' ') {
                assert!(
                    name.is_empty() || names.insert(name.to_owned()),
                    "{name} twice"
                );
            }
            calls += 1;
            assert!(calls < 10_000, "the scan does not end");
            if next == "0" {
                return (names, calls);
            }
            cursor = next.to_owned();
        }
    }

    fn filled(stripes: usize, keys: usize) -> Console {
        let settings = Settings {
            stripes,
            ..Settings::default()
        };
        let mut console = Console::new(Arc::new(Engine::new(&settings, &[])));
        for i in 0..keys {
            console.run(&format!("SET key:{i} {i}"));
        }
        console
    }

    #[test]
    fn every_key_comes_once_whatever_the_number_of_stripes() {
        for stripes in [1, 2, 16, 256] {
            let mut console = filled(stripes, 1000);
            for options in [
                "",
                "COUNT 1",
                "COUNT 7",
                "COUNT 100000",
                "MATCH * TYPE STRING",
            ] {
                let (names, calls) = all(&mut console, options);
                assert_eq!(names.len(), 1000, "{stripes} stripes, {options}");
                assert!(options != "COUNT 100000" || calls == 1);
            }
        }
    }

    #[test]
    fn cursors_have_the_stripe_in_their_top_eight_of_48_bits() {
        let mut console = filled(16, 1000);
        let reply = console.run("SCAN 0 COUNT 500");
        let cursor: u64 = reply[1..]
            .split(' ')
            .next()
            .expect("a cursor")
            .parse()
            .expect("a number");
        assert!(
            (4..12).contains(&(cursor >> 40)),
            "half of 16 stripes is done: {cursor:x}"
        );
    }

    #[test]
    fn filters() {
        let mut console = filled(256, 1000);
        assert_eq!(all(&mut console, "MATCH key:1??").0.len(), 100);
        assert_eq!(all(&mut console, "TYPE list").0.len(), 0);
        assert_eq!(all(&mut console, "TYPE nosuchtype").0.len(), 0);
        assert_eq!(
            all(&mut console, "match key:99* type string count 50")
                .0
                .len(),
            11
        );
    }

    #[test]
    fn a_call_is_bounded() {
        let mut console = filled(256, 5000);
        let reply = console.run("SCAN 0 MATCH nothing");
        assert_ne!(reply, "[0 []]", "a filter does not make a call longer");
        // Ten keys are asked for; a bucket's worth more may come.
        let reply = console.run("SCAN 0");
        assert!((10..100).contains(&reply.split(' ').count()), "{reply}");
    }

    #[test]
    fn expired_keys_are_removed_and_not_returned() {
        let mut console = filled(256, 100);
        console.run("SET foo bar PX 1; +2ms");
        let names = all(&mut console, "COUNT 10").0;
        assert_eq!((names.len(), names.contains("foo")), (100, false));
        assert_eq!(console.run("DBSIZE"), "100");
    }

    #[test]
    fn keys_that_stay_are_seen_whatever_happens_to_others() {
        let mut console = filled(16, 3000);
        let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
        for round in 0.. {
            let reply = console.run(&format!("SCAN {cursor} COUNT 100"));
            let (next, rest) = reply[1..].split_once(' ').expect("two elements");
            seen.extend(rest.trim_matches(['[', ']']).split(' ').map(str::to_owned));
            // Shrinks and grows the dicts: only the first 100 keys stay.
            for i in 100..3000 {
                let command = if (i + round) % 2 == 0 { "DEL" } else { "INCR" };
                console.run(&format!("{command} key:{i}"));
            }
            if next == "0" {
                break;
            }
            cursor = next.to_owned();
        }
        assert!((0..100).all(|i| seen.contains(&format!("key:{i}"))));
    }

    #[test]
    fn ends_where_there_is_nothing() {
        check(
            "SCAN 0; SCAN 99999999999999999; SCAN -1; SCAN ''; SCAN 0 COUNT 5",
            "[0 []]; [0 []]; [0 []]; [0 []]; [0 []]",
        );
        check(
            "SET a 1; SELECT 1; SCAN 0; SELECT 0; SCAN 0",
            "OK; OK; [0 []]; OK; [0 [a]]",
        );
        check(
            "MULTI; SET a 1; SCAN 0; EXEC",
            "OK; QUEUED; QUEUED; [OK [0 [a]]]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SCAN x; SCAN ' 1'; SCAN 1x; SCAN 0 COUNT 0; SCAN 0 COUNT x; SCAN 0 COUNT; SCAN 0 NOVALUES; SCAN 0 MATCH; SCAN",
            "(error) ERR invalid cursor; (error) ERR invalid cursor; (error) ERR invalid cursor; (error) ERR syntax error; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR syntax error; (error) ERR wrong number of arguments for 'scan' command",
        );
    }

    #[test]
    fn cursors_parse_as_in_c() {
        assert_eq!(parse_cursor(b""), Some(0));
        assert_eq!(parse_cursor(b"+007"), Some(7));
        assert_eq!(parse_cursor(b"-1"), Some(u64::MAX));
        assert_eq!(parse_cursor(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_cursor(b"18446744073709551616"), None);
        assert_eq!(parse_cursor(b"5\0x"), Some(5));
        assert_eq!(parse_cursor(b"-"), None);
    }
}
