//! SELECT index: chooses the database of the commands that follow. <https://redis.io/commands/select>

use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::{Ctx, Flow, Outcome};

/// SELECT.
pub(super) const SELECT: Command = Command {
    name: "select",
    full_name: "select",
    arity: 2,
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    categories: Categories::FAST.and(Categories::CONNECTION),
    group: "connection",
    summary: "Selects a database by its number.",
    arguments: &[Argument::new("index", ArgKind::Integer)],
    handler: select,
    ..Command::BASE
};

fn select(cx: &mut Ctx<'_>) -> Outcome {
    cx.session.db = cx.database(cx.args.at(1))?;
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn selects_for_this_session() {
        check(
            "SET k 0; SELECT 15; GET k; SET k 15; 2> GET k; SELECT 0; GET k",
            "OK; OK; nil; OK; 0; OK; 0",
        );
        check(
            "MULTI; SELECT 1; SET k 1; EXEC; GET k; SELECT 0; GET k",
            "OK; QUEUED; QUEUED; [OK OK]; 1; OK; nil",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SELECT x; SELECT 16; SELECT -1; SELECT 2147483648",
            "(error) ERR value is not an integer or out of range; (error) ERR DB index is out of range; \
             (error) ERR DB index is out of range; \
             (error) ERR value is out of range, value must between -2147483648 and 2147483647",
        );
    }
}
