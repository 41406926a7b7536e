//! CLIENT GETREDIR and CLIENT TRACKINGINFO: about client-side caching, which no client of this build can switch on.
//! <https://redis.io/commands/client-trackinginfo>

use dunlin_engine::{Command, Ctx, Flow, Outcome};

use super::FAMILY;

/// CLIENT GETREDIR.
pub(super) const GETREDIR: Command = Command {
    since: "6.0.0",
    complexity: "O(1)",
    summary: "Returns the client that gets this one's invalidations; -1 when it tracks nothing.",
    ..FAMILY.subcommand("getredir", "client|getredir", getredir)
};

/// CLIENT TRACKINGINFO.
pub(super) const TRACKINGINFO: Command = Command {
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Tells what this client tracks.",
    ..FAMILY.subcommand("trackinginfo", "client|trackinginfo", trackinginfo)
};

fn getredir(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.integer(-1);
    Ok(Flow::Done)
}

fn trackinginfo(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    cx.reply.set(1);
    cx.reply.bulk(b"off");
    cx.reply.bulk(b"redirect");
    cx.reply.integer(-1);
    cx.reply.bulk(b"prefixes");
    cx.reply.array(0);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::check;

    #[test]
    fn nothing_is_tracked() {
        check(
            "CLIENT GETREDIR; CLIENT TRACKINGINFO",
            "-1; [flags [off] redirect -1 prefixes []]",
        );
    }
}
