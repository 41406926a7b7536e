//! SRANDMEMBER key [count]: members at random, which stay. <https://redis.io/commands/srandmember>
//!
//! A negative count allows repetitions. Many repetitions are drawn in steps from the set as it was, without a lock and only while the
//! client takes what has been drawn, so that a huge count takes neither memory nor anyone's time.

use dunlin_store::set::{SetRef, Snapshot};
use dunlin_store::stripes::LockSet;
use dunlin_store::{Big, Entry, Kind};
use dunlin_structures::packed::Element;

use super::smembers::reply_all;
use super::{hit, look_up};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::context::{Continuation, Progress};
use crate::number::parse_i64;
use crate::sample::{below, distinct};
use crate::{Ctx, Engine, Flow, Outcome, ReplyError};

/// Members drawn in a step.
const DRAWN_PER_STEP: usize = 500;

/// SRANDMEMBER.
pub(super) const SRANDMEMBER: Command = Command {
    name: "srandmember",
    full_name: "srandmember",
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::SET).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(1) for one member, O(N) in the count",
    summary: "Returns members of a set at random.",
    tips: &["nondeterministic_output"],
    history: &[("2.6.0", "Takes a count.")],
    arguments: &[
        Argument::KEY,
        Argument::new("count", ArgKind::Integer)
            .optional()
            .since("2.6.0"),
    ],
    handler: srandmember,
    ..Command::BASE
};

fn srandmember(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 => one(cx),
        3 => several(cx),
        _ => Err(ReplyError::Syntax),
    }
}

fn one(cx: &mut Ctx<'_>) -> Outcome {
    let Some((found, len)) = look_up(cx, 1)? else {
        cx.reply.null();
        return Ok(Flow::Done);
    };
    hit(cx, found);
    let index = below(cx.keys.local().random(), len);
    let entry = cx.keys.entry(found);
    if let Some(member) = SetRef::of(&entry).and_then(|set| set.get(index)) {
        member.with_text(|text| cx.reply.bulk(text));
    }
    Ok(Flow::Done)
}

fn several(cx: &mut Ctx<'_>) -> Outcome {
    let count = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    if count == i64::MIN {
        return Err(ReplyError::NotNegatable);
    }
    let Some((found, len)) = look_up(cx, 1)? else {
        cx.reply.array(0);
        return Ok(Flow::Done);
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count > 0 && cx.is_heavy(wanted.min(len)) {
        return Ok(Flow::HeavyRead);
    }
    hit(cx, found);
    if count < 0 && wanted > DRAWN_PER_STEP {
        let set = Snapshot::of(&cx.keys.entry(found)).ok_or(ReplyError::WrongType)?;
        cx.reply.array(wanted);
        return Ok(Flow::Continue(Box::new(Drawing { set, left: wanted })));
    }
    if count > 0 && wanted >= len {
        cx.reply.array(len);
        reply_all(cx, found);
        return Ok(Flow::Done);
    }
    cx.reply.array(wanted);
    if count < 0 {
        let set = Snapshot::of(&cx.keys.entry(found)).ok_or(ReplyError::WrongType)?;
        draw(cx, set.as_ref(), wanted);
        return Ok(Flow::Done);
    }
    let local = cx.keys.local();
    let indexes = distinct(len, wanted, || local.random());
    let entry = cx.keys.entry(found);
    if let Some(set) = SetRef::of(&entry) {
        set.pick(indexes.into_iter(), |member| {
            member.with_text(|text| cx.reply.bulk(text));
        });
    }
    Ok(Flow::Done)
}

/// Answers with members at random, repetitions among them.
fn draw(cx: &mut Ctx<'_>, set: SetRef<'_>, count: usize) {
    // A packed list is gone through once.
    let listed: Vec<Element<'_>> = match set {
        SetRef::Packed(_) => set.iter().collect(),
        _ => Vec::new(),
    };
    let len = set.len();
    for _ in 0..count {
        let index = below(cx.keys.local().random(), len);
        let member = listed.get(index).copied().or_else(|| set.get(index));
        if let Some(member) = member {
            member.with_text(|text| cx.reply.bulk(text));
        }
    }
}

/// Many draws from one set.
struct Drawing {
    set: Snapshot,
    left: usize,
}

impl Continuation for Drawing {
    fn lock_set(&self, _engine: &Engine) -> Option<LockSet> {
        None
    }

    fn step(&mut self, cx: &mut Ctx<'_>) -> Result<Progress, ReplyError> {
        let count = self.left.min(DRAWN_PER_STEP);
        draw(cx, self.set.as_ref(), count);
        self.left -= count;
        if self.left > 0 {
            return Ok(Progress::More);
        }
        if let Snapshot::Big(tree) = &mut self.set {
            // The key may be gone meanwhile, and this the last of it: to be freed in the background.
            let tree = std::mem::take(tree);
            let last = Entry::packed(b"", Kind::SetPacked, &[], 0).with_big(Big::Set(tree));
            cx.keys.discard(last);
        }
        Ok(Progress::Done)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::testing::{Console, check, resp3};

    fn members(console: &mut Console, command: &str) -> Vec<String> {
        let reply = console.run(command);
        let inner = reply.trim_matches(['[', ']']);
        inner
            .split(' ')
            .filter(|m| !m.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Sets of `len` members in all three forms.
    fn forms(len: usize) -> [(Console, &'static str); 3] {
        let fill = |prefix: &str, limit: usize| {
            let mut console = Console::default();
            console.engine.encodings.set.set(limit, 64);
            for i in 0..len {
                console.run(&format!("SADD s {prefix}{i}"));
            }
            console
        };
        let forms = [
            (fill("", 128), "intset"),
            (fill("m", 1000), "listpack"),
            (fill("m", 0), "hashtable"),
        ];
        forms.map(|(mut console, encoding)| {
            assert_eq!(console.run("OBJECT ENCODING s"), encoding);
            (console, encoding)
        })
    }

    #[test]
    fn members_are_drawn_equally_often() {
        for (mut console, encoding) in forms(50) {
            for (command, draws) in [
                ("SRANDMEMBER s", 10_000),
                ("SRANDMEMBER s 1", 10_000),
                ("SRANDMEMBER s -100", 100),
                ("SRANDMEMBER s -1000", 10),
                ("SRANDMEMBER s 5", 2000),
                ("SRANDMEMBER s 25", 400),
            ] {
                let mut times: BTreeMap<String, usize> = BTreeMap::new();
                for _ in 0..draws {
                    for member in members(&mut console, command) {
                        *times.entry(member).or_default() += 1;
                    }
                }
                assert_eq!(times.len(), 50, "{command}, {encoding}");
                let expected = 200.0;
                let chi: f64 = times
                    .values()
                    .map(|&n| (n as f64 - expected).powi(2) / expected)
                    .sum();
                // 49 degrees of freedom: above this once in 10^7.
                assert!(chi < 115.0, "{command}, {encoding}: {chi}");
            }
        }
    }

    #[test]
    fn counts() {
        for (mut console, _) in forms(20) {
            for count in [0usize, 1, 3, 10, 19, 20, 21, 1000] {
                let mut drawn = members(&mut console, &format!("SRANDMEMBER s {count}"));
                drawn.sort_unstable();
                drawn.dedup();
                assert_eq!(drawn.len(), count.min(20), "{count}");
            }
            for count in [1usize, 7, 499, 500, 501, 2345] {
                let drawn = members(&mut console, &format!("SRANDMEMBER s -{count}"));
                assert_eq!(drawn.len(), count);
            }
            assert_eq!(console.run("SCARD s"), "20");
        }
    }

    #[test]
    fn keys_that_hold_no_set() {
        check(
            "SRANDMEMBER s; SRANDMEMBER s 5; SRANDMEMBER s -5; SADD s a; SRANDMEMBER s 0; SRANDMEMBER s; SRANDMEMBER s -2",
            "nil; []; []; 1; []; a; [a a]",
        );
        check(
            "SET k v; SRANDMEMBER k; SRANDMEMBER k 0; SRANDMEMBER k x; SRANDMEMBER k 1 2; SRANDMEMBER k -9223372036854775808",
            "OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error; \
             (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        );
    }

    #[test]
    fn answers_an_array_in_resp3() {
        let mut console = Console::default();
        resp3(&mut console);
        console.run("SADD s a");
        assert_eq!(
            console.call(1, &[b"SRANDMEMBER", b"s", b"3"]),
            b"*1\r\n$1\r\na\r\n"
        );
        assert_eq!(console.call(1, &[b"SRANDMEMBER", b"t", b"3"]), b"*0\r\n");
        assert_eq!(console.call(1, &[b"SRANDMEMBER", b"t"]), b"_\r\n");
    }
}
