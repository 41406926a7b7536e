//! ROLE: a master without replicas. <https://redis.io/commands/role>

use dunlin_engine::command::{Categories, Flags};
use dunlin_engine::{Command, Ctx, Flow, Outcome};

/// ROLE.
pub(super) const ROLE: Command = Command {
    name: "role",
    full_name: "role",
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST),
    categories: Categories::ADMIN
        .and(Categories::FAST)
        .and(Categories::DANGEROUS),
    group: "server",
    since: "2.8.12",
    complexity: "O(1)",
    summary: "Returns the server's part in replication: master, its offset, and its replicas.",
    handler: role,
    ..Command::BASE
};

fn role(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.array(3);
    cx.reply.bulk(b"master");
    // Nothing is replicated, so no byte ever was.
    cx.reply.integer(0);
    cx.reply.array(0);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::check;

    #[test]
    fn master() {
        check("ROLE", "[master 0 []]");
    }
}
