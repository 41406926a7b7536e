//! MODULE LIST | LOAD | LOADEX | UNLOAD | HELP: there are no modules, and none can be loaded. <https://redis.io/commands/module-list>

use std::borrow::Cow;

use dunlin_engine::command::{ArgKind, Argument, Categories, Flags};
use dunlin_engine::commands::server::help;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use crate::host::{host, origin};

/// MODULE.
pub(super) const MODULE: Command = Command {
    name: "module",
    full_name: "module",
    arity: -2,
    categories: Categories::SLOW,
    group: "server",
    since: "4.0.0",
    complexity: "Depends on the subcommand",
    summary: "Manages modules.",
    subcommands: &[&HELP, &LIST, &LOAD, &LOADEX, &UNLOAD],
    ..Command::BASE
};

const HELP: Command = Command {
    full_name: "module|help",
    categories: Categories::SLOW,
    group: "server",
    ..help::HELP
};

const LIST: Command = Command {
    arity: 2,
    flags: Flags::ADMIN.and(Flags::NOSCRIPT),
    complexity: "O(1)",
    summary: "Returns the modules that are loaded: none.",
    tips: &["nondeterministic_output_order"],
    ..FAMILY.subcommand("list", "module|list", list)
};

const LOAD: Command = Command {
    summary: "Is refused: this server loads no modules.",
    arguments: &[
        Argument::new("path", ArgKind::String),
        Argument::new("arg", ArgKind::String).optional().multiple(),
    ],
    ..FAMILY.subcommand("load", "module|load", load)
};

const LOADEX: Command = Command {
    since: "7.0.0",
    summary: "Is refused: this server loads no modules.",
    arguments: &[
        Argument::new("path", ArgKind::String),
        Argument::block(
            "configs",
            &[
                Argument::new("name", ArgKind::String),
                Argument::new("value", ArgKind::String),
            ],
        )
        .with_token("CONFIG")
        .optional()
        .multiple(),
        Argument::new("args", ArgKind::String)
            .with_token("ARGS")
            .optional()
            .multiple(),
    ],
    ..FAMILY.subcommand("loadex", "module|loadex", load)
};

const UNLOAD: Command = Command {
    arity: 3,
    summary: "Is refused: no module is loaded.",
    arguments: &[Argument::new("name", ArgKind::String)],
    ..FAMILY.subcommand("unload", "module|unload", unload)
};

/// What the subcommands have in common.
const FAMILY: Command = Command {
    arity: -3,
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::NO_ASYNC_LOADING),
    categories: Categories::ADMIN
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    group: "server",
    since: "4.0.0",
    ..Command::BASE
};

/// Lets the handler go on if `enable-module-command` lets this client.
fn permit(cx: &mut Ctx<'_>) -> Result<(), ReplyError> {
    let permission = host(cx).shared.config().permission("enable-module-command");
    if permission.allows(origin(cx.session)) {
        return Ok(());
    }
    Err(ReplyError::Text(Cow::Borrowed(
        "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a \
         local connection, otherwise you need to set this option in the configuration file, and then restart the \
         server.",
    )))
}

fn list(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.array(0);
    Ok(Flow::Done)
}

fn load(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx)?;
    let path = String::from_utf8_lossy(cx.args.at(2));
    tracing::warn!("Module {path} was not loaded: Dunlin has no interface for modules");
    Err(ReplyError::err(
        "Error loading the extension. Please check the server logs.",
    ))
}

fn unload(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx)?;
    Err(ReplyError::err(
        "Error unloading module: no such module with that name",
    ))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};
    use crate::config::Config;

    #[test]
    fn there_are_none() {
        let refused = "(error) ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you \
                       can run it from a local connection, otherwise you need to set this option in the configuration \
                       file, and then restart the server.";
        check(
            "MODULE LIST; MODULE LOAD /x.so; MODULE LOADEX /x.so; MODULE UNLOAD x",
            &format!("[]; {refused}; {refused}; {refused}"),
        );
        let loaded =
            Config::load(&["--enable-module-command", "yes"]).expect("a valid command line");
        assert_eq!(
            Console::new(loaded.config)
                .run("MODULE LOAD /x.so a b; MODULE UNLOAD x; MODULE UNLOAD"),
            "(error) ERR Error loading the extension. Please check the server logs.; \
             (error) ERR Error unloading module: no such module with that name; \
             (error) ERR wrong number of arguments for 'module|unload' command"
        );
    }
}
