//! DEBUG CONFIG-REWRITE-FORCE-ALL: CONFIG REWRITE with every key, those at their defaults as well.

use dunlin_engine::{Command, Ctx, Outcome};

use crate::commands::config::rewrite_with;
use crate::config::Appended;

/// DEBUG CONFIG-REWRITE-FORCE-ALL.
pub(super) const CONFIG_REWRITE_FORCE_ALL: Command = Command {
    summary: "Like CONFIG REWRITE, but writes all parameters to the file, whatever their values.",
    ..super::FAMILY.subcommand("config-rewrite-force-all", "debug", force_all)
};

fn force_all(cx: &mut Ctx<'_>) -> Outcome {
    super::permit(cx, 0..=0)?;
    rewrite_with(cx, Appended::All)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn without_a_file_there_is_nothing_to_rewrite() {
        assert_eq!(
            Console::with_debug()
                .run("DEBUG CONFIG-REWRITE-FORCE-ALL; DEBUG CONFIG-REWRITE-FORCE-ALL now"),
            "(error) ERR The server is running without a config file; (error) ERR unknown subcommand or wrong number of \
             arguments for 'CONFIG-REWRITE-FORCE-ALL'. Try DEBUG HELP."
        );
    }
}
