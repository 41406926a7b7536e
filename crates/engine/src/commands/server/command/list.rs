//! COMMAND LIST: names of commands and subcommands.

use crate::command::{Categories, Command};
use crate::glob;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// Which commands are listed.
enum Filter<'a> {
    All,
    /// Those of a module: there are no modules.
    Module,
    /// Those in a category; none if there is no such category.
    Category(Option<Categories>),
    /// Those whose full names match, letter case aside.
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(args: Args<'a>) -> Result<Filter<'a>, ReplyError> {
        match args.len() {
            2 => return Ok(Filter::All),
            5 if args.is(2, "filterby") => {}
            _ => return Err(ReplyError::Syntax),
        }
        let value = args.at(4);
        if args.is(3, "module") {
            Ok(Filter::Module)
        } else if args.is(3, "aclcat") {
            let named =
                |(_, name): &&(Categories, &str)| value.eq_ignore_ascii_case(name.as_bytes());
            Ok(Filter::Category(
                Categories::NAMES
                    .iter()
                    .find(named)
                    .map(|(category, _)| *category),
            ))
        } else if args.is(3, "pattern") {
            Ok(Filter::Pattern(value))
        } else {
            Err(ReplyError::Syntax)
        }
    }

    fn lets_through(&self, command: &Command) -> bool {
        match self {
            Filter::All => true,
            Filter::Module => false,
            Filter::Category(category) => category.is_some_and(|c| command.categories.has(c)),
            Filter::Pattern(pattern) => glob::matches(pattern, command.full_name.as_bytes(), true),
        }
    }
}

/// COMMAND LIST.
pub(super) fn list(cx: &mut Ctx<'_>) -> Outcome {
    let filter = Filter::parse(cx.args)?;
    let listed = cx
        .engine
        .table
        .iter_callable()
        .map(|(_, command)| command)
        .filter(|command| !command.is_hidden() && filter.lets_through(command));
    let names: Vec<&str> = listed.map(|command| command.full_name).collect();
    cx.reply.array(names.len());
    names.iter().for_each(|name| cx.reply.bulk(name.as_bytes()));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check};

    #[test]
    fn filters() {
        let all = Console::default().run("COMMAND LIST");
        assert!(
            all.contains(" object ") && all.contains(" object|encoding "),
            "{all}"
        );
        check(
            "COMMAND LIST FILTERBY PATTERN set; COMMAND LIST FILTERBY PATTERN nosuch*",
            "[set]; []",
        );
        check("COMMAND LIST FILTERBY PATTERN OBJECT|*Q", "[object|freq]");
        check(
            "COMMAND LIST FILTERBY MODULE m; COMMAND LIST FILTERBY ACLCAT nosuch",
            "[]; []",
        );
        let scripting = Console::default().run("COMMAND LIST FILTERBY ACLCAT scripting");
        assert!(
            scripting.contains("script|flush") && !scripting.contains("set"),
            "{scripting}"
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        for arguments in [
            "bad",
            "FILTERBY bad",
            "FILTERBY bad x",
            "FILTERBY PATTERN",
            "FILTERBY PATTERN a b",
        ] {
            check(
                &format!("COMMAND LIST {arguments}"),
                "(error) ERR syntax error",
            );
        }
    }
}
