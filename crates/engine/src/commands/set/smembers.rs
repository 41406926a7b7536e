//! SMEMBERS key: all members of a set. <https://redis.io/commands/smembers>

use dunlin_store::Found;
use dunlin_store::set::SetRef;

use super::{hit, look_up};
use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// SMEMBERS.
pub(super) const SMEMBERS: Command = Command {
    name: "smembers",
    full_name: "smembers",
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::SET).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "set",
    since: "1.0.0",
    complexity: "O(N) in the number of members",
    summary: "Returns all members of a set.",
    tips: &["nondeterministic_output_order"],
    arguments: &[Argument::KEY],
    handler: smembers,
    ..Command::BASE
};

fn smembers(cx: &mut Ctx<'_>) -> Outcome {
    match look_up(cx, 1)? {
        None => cx.reply.set(0),
        Some((_, len)) if cx.is_heavy(len) => return Ok(Flow::HeavyRead),
        Some((found, len)) => {
            hit(cx, found);
            cx.reply.set(len);
            reply_all(cx, found);
        }
    }
    Ok(Flow::Done)
}

/// Answers with all members, behind a head.
pub(super) fn reply_all(cx: &mut Ctx<'_>, found: Found) {
    let entry = cx.keys.entry(found);
    if let Some(set) = SetRef::of(&entry) {
        set.for_each_text(|text| cx.reply.bulk(text));
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn lists_members() {
        check(
            "SMEMBERS s; SADD s b a 1; SMEMBERS s; SADD n 3 2; SMEMBERS n; SET k v; SMEMBERS k",
            "[]; 3; [b a 1]; 2; [2 3]; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn answers_a_set_in_resp3() {
        let mut console = Console::default();
        resp3(&mut console);
        console.run("SADD s a");
        assert_eq!(console.call(1, &[b"SMEMBERS", b"s"]), b"~1\r\n$1\r\na\r\n");
        assert_eq!(console.call(1, &[b"SMEMBERS", b"t"]), b"~0\r\n");
    }

    #[test]
    fn a_large_set_comes_as_a_whole() {
        let mut console = Console::default();
        let members: Vec<String> = (0..30_000).map(|i| i.to_string()).collect();
        console.run(&format!("SADD s {}", members.join(" ")));
        let reply = console.run("SMEMBERS s");
        let mut found: Vec<u32> = reply
            .trim_matches(['[', ']'])
            .split(' ')
            .map(|m| m.parse().expect("a number"))
            .collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(0..30_000));
    }
}
