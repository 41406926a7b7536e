//! ACL LOAD | SAVE: users from and to `aclfile`. <https://redis.io/commands/acl-load>
//!
//! The worker that was asked reads or writes the file: a few milliseconds of its time, once in a while, by an administrator's wish.

use std::path::PathBuf;
use std::sync::Arc;

use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::ADMIN;
use crate::access;
use crate::host::host;

/// ACL LOAD.
pub(super) const LOAD: Command = Command {
    complexity: "O(N) in the size of the file",
    summary: "Reads all users from the ACL file: they replace those there are, or, if a line is wrong, nothing changes.",
    ..ADMIN.subcommand("load", "acl|load", load)
};

/// ACL SAVE.
pub(super) const SAVE: Command = Command {
    complexity: "O(N) in the number of users",
    summary: "Writes all users to the ACL file.",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..ADMIN.subcommand("save", "acl|save", save)
};

fn file(cx: &mut Ctx<'_>) -> Result<PathBuf, ReplyError> {
    let config = host(cx).shared.config();
    config.aclfile().map(PathBuf::from).ok_or_else(|| {
        ReplyError::err(
            "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and \
             then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis \
             configuration.",
        )
    })
}

fn load(cx: &mut Ctx<'_>) -> Outcome {
    let file = file(cx)?;
    let shared = Arc::clone(&host(cx).shared);
    access::reload(&shared, &file, cx.session).map_err(ReplyError::err)?;
    cx.reply.ok();
    Ok(Flow::Done)
}

fn save(cx: &mut Ctx<'_>) -> Outcome {
    let file = file(cx)?;
    if let Err(error) = access::save(&host(cx).shared, &file) {
        tracing::warn!("ACL SAVE to '{}' failed: {error}", file.display());
        return Err(ReplyError::err(
            "There was an error trying to save the ACLs. Please check the server logs for more information",
        ));
    }
    cx.reply.ok();
    Ok(Flow::Done)
}
