//! CLUSTER, ASKING, READONLY and READWRITE of a server that is no node of a cluster: all are refused, in Redis's words.
//! <https://redis.io/commands/cluster-info>

use dunlin_engine::command::{Categories, Flags};
use dunlin_engine::{Command, Ctx, Outcome, ReplyError};

/// ASKING, CLUSTER, READONLY, READWRITE.
pub(super) const TABLE: &[&Command] = &[&ASKING, &CLUSTER, &READONLY, &READWRITE];

const ASKING: Command = Command {
    arity: 1,
    flags: Flags::FAST,
    categories: Categories::FAST.and(Categories::CONNECTION),
    ..refused(
        "asking",
        "asking",
        1,
        READ,
        "3.0.0",
        "Lets the next command use a slot that is being moved here.",
    )
};

const READONLY: Command = Command {
    flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
    categories: Categories::FAST.and(Categories::CONNECTION),
    ..refused(
        "readonly",
        "readonly",
        1,
        READ,
        "3.0.0",
        "Lets the connection read from a replica of a cluster.",
    )
};

const READWRITE: Command = Command {
    flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
    categories: Categories::FAST.and(Categories::CONNECTION),
    ..refused(
        "readwrite",
        "readwrite",
        1,
        READ,
        "3.0.0",
        "Ends what READONLY allowed.",
    )
};

const CLUSTER: Command = Command {
    name: "cluster",
    full_name: "cluster",
    arity: -2,
    categories: Categories::SLOW,
    group: "cluster",
    since: "3.0.0",
    complexity: "Depends on the subcommand",
    summary: "Tells of and manages a cluster.",
    subcommands: &[
        &refused(
            "addslots",
            "cluster|addslots",
            -3,
            CHANGE,
            "3.0.0",
            "Gives slots to this node.",
        ),
        &refused(
            "addslotsrange",
            "cluster|addslotsrange",
            -4,
            CHANGE,
            "7.0.0",
            "Gives ranges of slots to this node.",
        ),
        &refused(
            "bumpepoch",
            "cluster|bumpepoch",
            2,
            CHANGE,
            "3.0.0",
            "Raises the node's configuration epoch.",
        ),
        &refused(
            "count-failure-reports",
            "cluster|count-failure-reports",
            3,
            LOOK,
            "3.0.0",
            "Counts the nodes that report a node as failing.",
        ),
        &refused(
            "countkeysinslot",
            "cluster|countkeysinslot",
            3,
            READ,
            "3.0.0",
            "Counts the keys in a slot.",
        ),
        &refused(
            "delslots",
            "cluster|delslots",
            -3,
            CHANGE,
            "3.0.0",
            "Takes slots from this node.",
        ),
        &refused(
            "delslotsrange",
            "cluster|delslotsrange",
            -4,
            CHANGE,
            "7.0.0",
            "Takes ranges of slots from this node.",
        ),
        &refused(
            "failover",
            "cluster|failover",
            -2,
            CHANGE,
            "3.0.0",
            "Makes a replica take its master's place.",
        ),
        &refused(
            "flushslots",
            "cluster|flushslots",
            2,
            CHANGE,
            "3.0.0",
            "Takes all slots from this node.",
        ),
        &refused(
            "forget",
            "cluster|forget",
            3,
            CHANGE,
            "3.0.0",
            "Removes a node from this node's view.",
        ),
        &refused(
            "getkeysinslot",
            "cluster|getkeysinslot",
            4,
            READ,
            "3.0.0",
            "Returns keys in a slot.",
        ),
        &refused(
            "help",
            "cluster|help",
            2,
            HELP,
            "5.0.0",
            "Describes the subcommands.",
        ),
        &refused(
            "info",
            "cluster|info",
            2,
            READ,
            "3.0.0",
            "Returns the state of the cluster.",
        ),
        &refused(
            "keyslot",
            "cluster|keyslot",
            3,
            READ,
            "3.0.0",
            "Returns the slot of a key.",
        ),
        &refused(
            "links",
            "cluster|links",
            2,
            READ,
            "7.0.0",
            "Returns the connections to other nodes.",
        ),
        &refused(
            "meet",
            "cluster|meet",
            -4,
            CHANGE,
            "3.0.0",
            "Joins another node.",
        ),
        &refused(
            "myid",
            "cluster|myid",
            2,
            READ,
            "3.0.0",
            "Returns the node's id.",
        ),
        &refused(
            "myshardid",
            "cluster|myshardid",
            2,
            READ,
            "7.2.0",
            "Returns the id of the node's shard.",
        ),
        &refused(
            "nodes",
            "cluster|nodes",
            2,
            READ,
            "3.0.0",
            "Returns all nodes that are known.",
        ),
        &refused(
            "replicas",
            "cluster|replicas",
            3,
            LOOK,
            "5.0.0",
            "Returns the replicas of a node.",
        ),
        &refused(
            "replicate",
            "cluster|replicate",
            3,
            CHANGE,
            "3.0.0",
            "Makes the node a replica of another.",
        ),
        &refused(
            "reset",
            "cluster|reset",
            -2,
            RESET,
            "3.0.0",
            "Lets the node forget its cluster.",
        ),
        &refused(
            "saveconfig",
            "cluster|saveconfig",
            2,
            CHANGE,
            "3.0.0",
            "Writes the node's view of the cluster to disk.",
        ),
        &refused(
            "set-config-epoch",
            "cluster|set-config-epoch",
            3,
            CHANGE,
            "3.0.0",
            "Sets the configuration epoch of a new node.",
        ),
        &refused(
            "setslot",
            "cluster|setslot",
            -4,
            CHANGE,
            "3.0.0",
            "Begins or ends the move of a slot.",
        ),
        &refused(
            "shards",
            "cluster|shards",
            2,
            SHOW,
            "7.0.0",
            "Returns the shards with their slots and nodes.",
        ),
        &refused(
            "slaves",
            "cluster|slaves",
            3,
            LOOK,
            "3.0.0",
            "Returns the replicas of a node.",
        ),
        &refused(
            "slots",
            "cluster|slots",
            2,
            SHOW,
            "3.0.0",
            "Returns the slots with their nodes.",
        ),
    ],
    ..Command::BASE
};

const READ: Flags = Flags::STALE;
const SHOW: Flags = Flags::LOADING.and(Flags::STALE);
const HELP: Flags = SHOW;
const LOOK: Flags = Flags::ADMIN.and(Flags::STALE);
const RESET: Flags = LOOK.and(Flags::NOSCRIPT);
const CHANGE: Flags = LOOK.and(Flags::NO_ASYNC_LOADING);

/// A command or subcommand that needs a cluster.
const fn refused(
    name: &'static str,
    full_name: &'static str,
    arity: i32,
    flags: Flags,
    since: &'static str,
    summary: &'static str,
) -> Command {
    let categories = if flags.has(Flags::ADMIN) {
        Categories::ADMIN
            .and(Categories::SLOW)
            .and(Categories::DANGEROUS)
    } else {
        Categories::SLOW
    };
    Command {
        name,
        full_name,
        arity,
        flags,
        categories,
        group: "cluster",
        since,
        summary,
        handler: no_cluster,
        ..Command::BASE
    }
}

fn no_cluster(_cx: &mut Ctx<'_>) -> Outcome {
    Err(ReplyError::err(
        "This instance has cluster support disabled",
    ))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::check;

    #[test]
    fn no_cluster_here() {
        for command in [
            "CLUSTER INFO",
            "CLUSTER HELP",
            "CLUSTER SETSLOT 1 NODE x",
            "READONLY",
            "ASKING",
        ] {
            check(
                command,
                "(error) ERR This instance has cluster support disabled",
            );
        }
        check(
            "CLUSTER NOSUCH; CLUSTER KEYSLOT; CLUSTER",
            "(error) ERR unknown subcommand 'NOSUCH'. Try CLUSTER HELP.; \
             (error) ERR wrong number of arguments for 'cluster|keyslot' command; \
             (error) ERR wrong number of arguments for 'cluster' command",
        );
    }
}
