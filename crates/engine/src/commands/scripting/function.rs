//! FUNCTION FLUSH, FUNCTION LIST: there are no functions, so both are soon done. <https://redis.io/commands/function-list>

use crate::command::{ArgKind, Argument, Categories, Command, Flags};
use crate::commands::server::help;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// FUNCTION.
pub(super) const FUNCTION: Command = Command {
    name: "function",
    full_name: "function",
    arity: -2,
    categories: Categories::SLOW,
    group: "scripting",
    since: "7.0.0",
    complexity: "Depends on the subcommand",
    summary: "Manages the functions that scripts are made of.",
    subcommands: &[&FLUSH, &HELP, &LIST],
    ..Command::BASE
};

const FLUSH: Command = Command {
    name: "flush",
    full_name: "function|flush",
    arity: -2,
    flags: Flags::WRITE.and(Flags::NOSCRIPT),
    categories: Categories::WRITE
        .and(Categories::SLOW)
        .and(Categories::SCRIPTING),
    group: "scripting",
    since: "7.0.0",
    complexity: "O(N) in the number of functions",
    summary: "Removes all functions.",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    arguments: &[Argument::one_of(
        "flush-type",
        &[
            Argument::token("async", "ASYNC"),
            Argument::token("sync", "SYNC"),
        ],
    )
    .optional()],
    handler: flush,
    ..Command::BASE
};

const LIST: Command = Command {
    name: "list",
    full_name: "function|list",
    arity: -2,
    flags: Flags::NOSCRIPT,
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "7.0.0",
    complexity: "O(N) in the number of functions",
    summary: "Lists the function libraries.",
    tips: &["nondeterministic_output_order"],
    arguments: &[
        Argument::new("library-name-pattern", ArgKind::String)
            .with_token("LIBRARYNAME")
            .optional(),
        Argument::token("withcode", "WITHCODE").optional(),
    ],
    handler: list,
    ..Command::BASE
};

const HELP: Command = Command {
    name: "help",
    full_name: "function|help",
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::SLOW.and(Categories::SCRIPTING),
    group: "scripting",
    since: "7.0.0",
    ..help::HELP
};

fn flush(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 => {}
        3 if cx.args.is(2, "sync") || cx.args.is(2, "async") => {}
        3 => return Err(ReplyError::FunctionFlushMode),
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn list(cx: &mut Ctx<'_>) -> Outcome {
    let (mut pattern, mut with_code) = (false, false);
    let mut i = 2;
    while i < cx.args.len() {
        if !with_code && cx.args.is(i, "withcode") {
            with_code = true;
        } else if !pattern && cx.args.is(i, "libraryname") {
            i += 1;
            if i == cx.args.len() {
                return Err(ReplyError::LibraryNameMissing);
            }
            pattern = true;
        } else {
            let argument = String::from_utf8_lossy(cx.args.at(i)).into_owned();
            return Err(ReplyError::UnknownArgument(argument));
        }
        i += 1;
    }
    cx.reply.array(0);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn there_are_no_functions() {
        check(
            "FUNCTION FLUSH; FUNCTION FLUSH async; FUNCTION LIST; FUNCTION LIST LIBRARYNAME a* WITHCODE",
            "OK; OK; []; []",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "FUNCTION FLUSH now; FUNCTION FLUSH SYNC SYNC; FUNCTION LIST LIBRARYNAME; FUNCTION LIST WITHCODE WITHCODE; \
             FUNCTION LOAD x; FUNCTION",
            "(error) ERR FUNCTION FLUSH only supports SYNC|ASYNC option; \
             (error) ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.; \
             (error) ERR library name argument was not given; (error) ERR Unknown argument WITHCODE; \
             (error) ERR unknown subcommand 'LOAD'. Try FUNCTION HELP.; \
             (error) ERR wrong number of arguments for 'function' command",
        );
    }
}
