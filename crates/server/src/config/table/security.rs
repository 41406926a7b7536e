//! Keys of access: passwords, ACLs, and commands that can do harm.

use super::super::key::{Key, choice, integer, text};

const PERMISSIONS: &[&str] = &["no", "yes", "local"];

pub(super) const KEYS: &[Key] = &[
    choice("acl-pubsub-default", "resetchannels", &["allchannels", "resetchannels"])
        .idle("resetchannels")
        .doc("Channels that a new ACL user may use."),
    text("aclfile", "")
        .at_start()
        .fatal(
            "",
            "ACLs are not built in this server yet: without them every client that knows 'requirepass' may do everything",
        )
        .doc("File of ACL users. Refused, so that nobody may do more than such a file says."),
    integer("acllog-max-len", "128", 0, i64::MAX)
        .doc("Entries of the log of refused commands and logins."),
    choice("enable-debug-command", "no", PERMISSIONS)
        .acted()
        .at_start()
        .doc("Who may use DEBUG: `no` one, `yes` everyone, `local` clients on loopback or a Unix socket."),
    choice("enable-module-command", "no", PERMISSIONS)
        .moot()
        .at_start()
        .idle("no")
        .doc("Who may use MODULE. There are no modules."),
    choice("enable-protected-configs", "no", PERMISSIONS)
        .acted()
        .at_start()
        .doc("Who may set the keys that name files (`dir`, `dbfilename`) while the server runs."),
    text("requirepass", "")
        .acted()
        .secret()
        .doc("Password of the default user. Empty is none."),
];
