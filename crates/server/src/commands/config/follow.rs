//! Makes the running server follow a new configuration where more than a copied value is needed.
//!
//! Invariant: what can fail comes first and can be undone or changes nothing; after an error the server is as before.

use std::env;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, Key, SetError, errno_text};
use crate::logging;
use crate::process::{oom_score, title};
use crate::shared::Shared;
use crate::tls;

/// Descriptors needed beside those of clients, as at the start.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Acts on the keys that changed between `old` and `next`.
pub(super) fn follow(
    shared: &Shared,
    old: &Config,
    next: &Config,
    changed: &[&'static Key],
) -> Result<(), SetError> {
    let has = |name: &str| changed.iter().any(|key| key.name == name);
    if has("maxclients") && next.maxclients() > old.maxclients() {
        allow_descriptors(next.maxclients()).map_err(|reason| refused("maxclients", reason))?;
    }
    if has("dir") {
        env::set_current_dir(next.dir()).map_err(|error| refused("dir", errno_text(&error)))?;
    }
    let with_process = follow_tls(shared, next, changed).and_then(|before| {
        follow_with_process(shared, old, next, &has).inspect_err(|_| {
            if let Some(before) = before {
                shared.tls.replace(before);
            }
        })
    });
    if with_process.is_err() && has("dir") {
        // It was there a moment ago; were it gone, the next relative path would say so.
        let _ = env::set_current_dir(old.dir());
    }
    with_process?;
    if ["proc-title-template", "bind", "port", "tls-port"]
        .into_iter()
        .any(&has)
    {
        title::follow(next);
    }
    if has("log-format") {
        logging::set_format(next.log_format());
    }
    if has("loglevel") {
        logging::set_level(next.loglevel());
    }
    if has("crash-log-enabled") {
        logging::set_report_enabled(next.crash_log_enabled());
    }
    Ok(())
}

/// Reads the files of TLS anew if any of its keys was set. Returns what held before, to be put back; connections that stand keep it.
fn follow_tls(
    shared: &Shared,
    next: &Config,
    changed: &[&'static Key],
) -> Result<Option<Option<tls::Acceptor>>, SetError> {
    let Some(key) = changed.iter().find(|key| key.name.starts_with("tls-")) else {
        return Ok(None);
    };
    match tls::make(next) {
        Ok(made) => Ok(Some(shared.tls.replace(made))),
        Err(reason) => {
            tracing::warn!("TLS stays as it is: {reason}");
            let reason = "Unable to update TLS configuration. Check server logs.";
            Err(refused(key.name, reason.to_owned()))
        }
    }
}

/// Moves listeners and sets the process's score; after an error both are as before.
fn follow_with_process(
    shared: &Shared,
    old: &Config,
    next: &Config,
    has: &dyn Fn(&str) -> bool,
) -> Result<(), SetError> {
    let scored = ["oom-score-adj", "oom-score-adj-values"]
        .into_iter()
        .find(|name| has(name));
    if let Some(name) = scored
        && oom_score::apply(next).is_err()
    {
        let reason = "Failed to set new oom_score_adj. Check server logs.";
        return Err(refused(name, reason.to_owned()));
    }
    let moved = ["tls-port", "port", "bind"]
        .into_iter()
        .find(|name| has(name));
    if let Some(name) = moved
        && let Err(reason) = shared.move_listeners(next)
    {
        tracing::warn!("{reason}");
        if scored.is_some() && oom_score::apply(old).is_err() {
            tracing::warn!("The process keeps the oom_score_adj that was asked for");
        }
        let reason = match name {
            "bind" => "Failed to bind to specified addresses.",
            _ => "Unable to listen on this port. Check server logs.",
        };
        return Err(refused(name, reason.to_owned()));
    }
    Ok(())
}

/// Raises the soft limit of open files to what this many clients need.
fn allow_descriptors(clients: u32) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::from(clients) + RESERVED_DESCRIPTORS;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let reachable = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(reachable),
            maximum: limit.maximum,
        },
    );
    if raised.is_err() || reachable < wanted {
        let possible = reachable.saturating_sub(RESERVED_DESCRIPTORS);
        return Err(format!(
            "The operating system is not able to handle the specified number of clients, try with {possible}"
        ));
    }
    Ok(())
}

fn refused(name: &str, reason: String) -> SetError {
    SetError::Refused {
        name: name.to_owned(),
        reason,
    }
}
