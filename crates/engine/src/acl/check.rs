//! Whether a selector allows a call.

use super::{Access, Denial, Selector};
use crate::args::Args;
use crate::command::Flags;
use crate::glob;
use crate::table::Table;

/// Whether this selector allows a command with these arguments.
pub(super) fn command(
    selector: &Selector,
    table: &Table,
    id: usize,
    args: Args<'_>,
) -> Result<(), Denial> {
    let command = table.at(id);
    if !command.flags.has(Flags::NO_AUTH) {
        // Redis knows these containers' subcommands as first arguments.
        let (id, first) = if command.is_hidden() {
            (table.container(id), 1)
        } else {
            (
                id,
                if command.full_name.contains('|') {
                    2
                } else {
                    1
                },
            )
        };
        if !selector.allows_command(id, args.get(first)) {
            return Err(Denial::Command);
        }
    }
    if !selector.all_keys {
        for spec in command.keys.iter().filter(|spec| spec.is_of_keys()) {
            let (access, mut denied) = (Access::of_flags(spec.flags_in(command, args)), None);
            spec.for_each(args, |i| {
                if denied.is_none() && !key(selector, args.at(i), access) {
                    denied = Some(i);
                }
            });
            if let Some(i) = denied {
                return Err(Denial::Key(i));
            }
        }
    }
    if !selector.all_channels
        && let Some((range, is_pattern)) = channels(command.full_name, args)
    {
        for i in range {
            if !channel(selector, args.at(i), is_pattern) {
                return Err(Denial::Channel(i));
            }
        }
    }
    Ok(())
}

/// Which arguments of a command name channels that are published to or subscribed to, and whether as patterns.
pub fn channels(full_name: &str, args: Args<'_>) -> Option<(std::ops::Range<usize>, bool)> {
    match full_name {
        "publish" | "spublish" => Some((1..2, false)),
        "subscribe" | "ssubscribe" => Some((1..args.len(), false)),
        "psubscribe" => Some((1..args.len(), true)),
        _ => None,
    }
}

fn key(selector: &Selector, key: &[u8], access: Access) -> bool {
    selector
        .keys
        .iter()
        .any(|p| p.access.covers(access) && glob::matches(&p.glob, key, false))
}

/// Whether it allows this access to whatever key there is.
pub(super) fn any_key(selector: &Selector, access: Access) -> bool {
    selector.all_keys
        || selector
            .keys
            .iter()
            .any(|p| p.access.covers(access) && *p.glob == *b"*")
}

/// Patterns are compared as they stand: what one matches is not known.
pub(super) fn channel(selector: &Selector, name: &[u8], is_pattern: bool) -> bool {
    selector.all_channels
        || selector.channels.iter().any(|allowed| {
            if is_pattern {
                **allowed == *name
            } else {
                glob::matches(allowed, name, false)
            }
        })
}
