//! STRLEN key: the length of a string. <https://redis.io/commands/strlen>

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// STRLEN.
pub(super) const STRLEN: Command = Command {
    name: "strlen",
    full_name: "strlen",
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO"])],
    scope: Scope::Keys,
    group: "string",
    since: "2.2.0",
    complexity: "O(1)",
    summary: "Returns the length of a string in bytes.",
    arguments: &[Argument::KEY],
    handler: strlen,
    ..Command::BASE
};

fn strlen(cx: &mut Ctx<'_>) -> Outcome {
    let key = cx.key(1);
    let len = match cx.keys.read(cx.session.db, &key) {
        None => 0,
        Some(entry) => entry.as_string().ok_or(ReplyError::WrongType)?.len(),
    };
    cx.reply.integer(len as i64);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts_bytes_of_every_encoding() {
        check(
            "STRLEN k; SET k -555; STRLEN k; SET k foobar; STRLEN k; SET k \"\"; STRLEN k",
            "0; OK; 4; OK; 6; OK; 0",
        );
        check(
            &format!("SET k {}; STRLEN k", "x".repeat(70_000)),
            "OK; 70000",
        );
    }
}
