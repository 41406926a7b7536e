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
        .moot()
        .doc("Load a module. There are no modules here: refused, so that nothing depends on one in silence."),
    line("lua-replicate-commands", Line::Obsolete)
        .moot()
        .idle("")
        .doc("Withdrawn by Redis, skipped."),
    line("rename-command", Line::RenameCommand)
        .acted()
        .doc("Give a command another name, or with an empty name remove it. Errors and statistics go on with the first name. \
             A name that no command has is passed over with a warning."),
    line("sentinel", Line::Sentinel)
        .moot()
        .doc("Configures Sentinel, which this server is not: refused, as by redis-server."),
    line("user", Line::User)
        .acted()
        .doc("Defines an ACL user by its rules; one line for each user, and no `aclfile` beside them."),
];
