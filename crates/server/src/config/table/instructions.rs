//! Lines of the file that are not values.

use super::super::key::{Key, Line, line};

pub(super) const KEYS: &[Key] = &[
    line("include", Line::Include)
        .acted()
        .doc("Read another file here. `*`, `?` and `[...]` name several, or none; files may include files 16 deep."),
    line("list-max-ziplist-entries", Line::Obsolete)
        .moot()
        .idle("")
        .doc("Withdrawn by Redis, skipped."),
    line("list-max-ziplist-value", Line::Obsolete)
        .moot()
        .idle("")
        .doc("Withdrawn by Redis, skipped."),
    line("loadmodule", Line::LoadModule)
        .missing("modules are not supported: none is loaded")
        .doc("Load a module."),
    line("lua-replicate-commands", Line::Obsolete)
        .moot()
        .idle("")
        .doc("Withdrawn by Redis, skipped."),
    line("rename-command", Line::RenameCommand)
        .missing("renaming is not built yet: every command keeps its name")
        .doc("Give a command another name, or with an empty name remove it."),
    line("sentinel", Line::Sentinel)
        .moot()
        .doc("Configures Sentinel, which this server is not: refused, as by redis-server."),
    line("user", Line::User)
        .missing("ACLs are not built yet: every client that knows `requirepass` may do everything")
        .doc("Define an ACL user: name and rules."),
];
