//! DEBUG MALLCTL and MALLCTL-STR: the allocator's own settings and figures, by the names that its documentation gives them.
//! <https://jemalloc.net/jemalloc.3.html>

use std::borrow::Cow;

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::{FAMILY, permit};
use crate::host::host;

/// DEBUG MALLCTL.
pub(super) const MALLCTL: Command = Command {
    summary: "Reads a number of the allocator's, and sets it if a value is given.",
    arguments: &[
        Argument::new("name", ArgKind::String),
        Argument::new("value", ArgKind::Integer).optional(),
    ],
    ..FAMILY.subcommand("mallctl", "debug", number)
};

/// DEBUG MALLCTL-STR.
pub(super) const MALLCTL_STR: Command = Command {
    summary: "Reads a text of the allocator's.",
    arguments: &[Argument::new("name", ArgKind::String)],
    ..FAMILY.subcommand("mallctl-str", "debug", text)
};

fn number(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=2)?;
    let value = match cx.args.get(3) {
        None => None,
        Some(word) => Some(parse_i64(word).ok_or(ReplyError::NotInteger)?),
    };
    match (host(cx).shared.allocator.number)(cx.args.at(2), value).map_err(refused)? {
        Some(old) => cx.reply.integer(old),
        None => cx.reply.ok(),
    }
    Ok(Flow::Done)
}

fn text(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let text = (host(cx).shared.allocator.text)(cx.args.at(2)).map_err(refused)?;
    cx.reply.bulk(text.as_bytes());
    Ok(Flow::Done)
}

fn refused(why: String) -> ReplyError {
    ReplyError::Text(Cow::Owned(format!("ERR {why}")))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn an_allocator_without_names_refuses_them() {
        assert_eq!(
            Console::with_debug()
                .run("DEBUG MALLCTL arenas.page; DEBUG MALLCTL arenas.page x; DEBUG MALLCTL-STR version; DEBUG MALLCTL"),
            "(error) ERR the allocator has no names; (error) ERR value is not an integer or out of range; \
             (error) ERR the allocator has no names; \
             (error) ERR unknown subcommand or wrong number of arguments for 'MALLCTL'. Try DEBUG HELP."
        );
    }
}
