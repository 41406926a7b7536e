//! Keys of access: passwords, ACLs, and commands that can do harm.

use super::super::key::{Key, checked_text, choice, integer, text, yes_no};
use super::super::special::token;

const PERMISSIONS: &[&str] = &["no", "yes", "local"];

pub(super) const KEYS: &[Key] = &[
    choice("acl-pubsub-default", "resetchannels", &["allchannels", "resetchannels"])
        .acted()
        .doc("Channels that a new ACL user may use."),
    text("aclfile", "")
        .acted()
        .at_start()
        .doc("File of ACL users, which ACL LOAD reads again and ACL SAVE writes. Not together with `user` lines."),
    integer("acllog-max-len", "128", 0, i64::MAX)
        .acted()
        .doc("Entries of the log of refused commands and logins."),
    yes_no("admin-allow-writes", "no")
        .acted()
        .ours()
        .doc("Whether commands that write or administrate may be given over `admin-port`. Not in Redis."),
    checked_text("admin-token", "", token)
        .acted()
        .at_start()
        .ours()
        .secret()
        .doc("What requests to `admin-port` have to show, as `Authorization: Bearer <token>`: a secret of printable characters. Empty is none: then only this machine is served. Not in Redis."),
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
