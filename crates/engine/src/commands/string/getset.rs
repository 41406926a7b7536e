//! GETSET key value: stores a string and returns the one before. <https://redis.io/commands/getset>

use dunlin_store::Ttl;

use super::get::reply_value;
use super::set::store;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome};

/// GETSET.
pub(super) const GETSET: Command = Command {
    name: "getset",
    full_name: "getset",
    arity: 3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "access", "update"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Stores a string under a key and returns the one that was there.",
    deprecated: Some(("6.2.0", "`SET` with `GET`")),
    arguments: &[Argument::KEY, Argument::new("value", ArgKind::String)],
    handler: getset,
    ..Command::BASE
};

fn getset(cx: &mut Ctx<'_>) -> Outcome {
    let key = cx.key(1);
    reply_value(cx, &key)?;
    store(cx, &key, cx.args.at(2), Ttl::Clear);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn swaps_and_forgets_the_deadline() {
        check("GETSET k a; GETSET k b; GET k", "nil; a; b");
        check("SET k 1 PX 5; GETSET k 2; +5ms; GET k", "OK; 1; 2");
    }
}
