//! XLEN key: the number of entries. <https://redis.io/commands/xlen>

use super::{READ, stream_of};
use crate::command::{Argument, Categories, Command, Flags, KeySpec};
use crate::{Ctx, Flow, Outcome};

/// XLEN.
pub(super) const XLEN: Command = Command {
    name: "xlen",
    full_name: "xlen",
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ
        .and(Categories::STREAM)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO"])],
    summary: "Returns the number of entries in a stream.",
    arguments: &[Argument::KEY],
    handler: xlen,
    ..READ
};

fn xlen(cx: &mut Ctx<'_>) -> Outcome {
    let (db, key) = (cx.db(), cx.key(1));
    let entry = cx.keys.read(db, &key);
    let len = stream_of(&entry)?.map_or(0, |stream| stream.len());
    cx.reply.integer(len as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts() {
        check(
            "XLEN s; XADD s 1 a 1; XADD s 2 a 1; XLEN s; XDEL s 1; XLEN s; SET k v; XLEN k",
            "0; 1-0; 2-0; 2; 1; 1; OK; (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
