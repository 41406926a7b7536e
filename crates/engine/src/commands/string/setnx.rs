//! SETNX key value: stores a string under a key that does not exist. <https://redis.io/commands/setnx>

use dunlin_store::Ttl;

use super::set::store;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// SETNX.
pub(super) const SETNX: Command = Command {
    name: "setnx",
    full_name: "setnx",
    arity: 3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["OW", "insert"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Stores a string under a key that does not exist.",
    deprecated: Some(("2.6.12", "`SET` with `NX`")),
    arguments: &[Argument::KEY, Argument::new("value", ArgKind::String)],
    handler: setnx,
    ..Command::BASE
};

fn setnx(cx: &mut Ctx<'_>) -> Outcome {
    let absent = cx.find(1).is_none();
    if absent {
        let key = cx.key(1);
        store(cx, &key, cx.args.at(2), Ttl::Clear);
    }
    cx.reply.integer(i64::from(absent));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn the_first_one_wins_until_it_expires() {
        check("SETNX k a; SETNX k b; GET k", "1; 0; a");
        check(
            "SET k a PX 5; SETNX k b; +5ms; SETNX k c; GET k; +5s; GET k",
            "OK; 0; 1; c; c",
        );
    }
}
