//! The commands of the group `cluster`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::Command;

/// The commands of the group `cluster`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait ClusterCommands: Commands {
    /// Lets the next command use a slot that is being moved here.
    ///
    /// `ASKING`
    ///
    /// O(1). Since 3.0.0.
    fn asking(self) -> Self::Out {
        self.put(Command::new("ASKING"))
    }

    /// Gives slots to this node.
    ///
    /// `CLUSTER ADDSLOTS`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_addslots(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("ADDSLOTS"))
    }

    /// Gives ranges of slots to this node.
    ///
    /// `CLUSTER ADDSLOTSRANGE`
    ///
    /// O(1). Since 7.0.0.
    fn cluster_addslotsrange(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("ADDSLOTSRANGE"))
    }

    /// Raises the node's configuration epoch.
    ///
    /// `CLUSTER BUMPEPOCH`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_bumpepoch(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("BUMPEPOCH"))
    }

    /// Counts the nodes that report a node as failing.
    ///
    /// `CLUSTER COUNT-FAILURE-REPORTS`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_count_failure_reports(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("COUNT-FAILURE-REPORTS"))
    }

    /// Counts the keys in a slot.
    ///
    /// `CLUSTER COUNTKEYSINSLOT`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_countkeysinslot(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("COUNTKEYSINSLOT"))
    }

    /// Takes slots from this node.
    ///
    /// `CLUSTER DELSLOTS`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_delslots(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("DELSLOTS"))
    }

    /// Takes ranges of slots from this node.
    ///
    /// `CLUSTER DELSLOTSRANGE`
    ///
    /// O(1). Since 7.0.0.
    fn cluster_delslotsrange(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("DELSLOTSRANGE"))
    }

    /// Makes a replica take its master's place.
    ///
    /// `CLUSTER FAILOVER`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_failover(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("FAILOVER"))
    }

    /// Takes all slots from this node.
    ///
    /// `CLUSTER FLUSHSLOTS`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_flushslots(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("FLUSHSLOTS"))
    }

    /// Removes a node from this node's view.
    ///
    /// `CLUSTER FORGET`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_forget(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("FORGET"))
    }

    /// Returns keys in a slot.
    ///
    /// `CLUSTER GETKEYSINSLOT`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_getkeysinslot(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("GETKEYSINSLOT"))
    }

    /// Returns the state of the cluster.
    ///
    /// `CLUSTER INFO`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_info(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("INFO"))
    }

    /// Returns the slot of a key.
    ///
    /// `CLUSTER KEYSLOT`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_keyslot(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("KEYSLOT"))
    }

    /// Returns the connections to other nodes.
    ///
    /// `CLUSTER LINKS`
    ///
    /// O(1). Since 7.0.0.
    fn cluster_links(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("LINKS"))
    }

    /// Joins another node.
    ///
    /// `CLUSTER MEET`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_meet(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("MEET"))
    }

    /// Returns the node's id.
    ///
    /// `CLUSTER MYID`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_myid(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("MYID"))
    }

    /// Returns the id of the node's shard.
    ///
    /// `CLUSTER MYSHARDID`
    ///
    /// O(1). Since 7.2.0.
    fn cluster_myshardid(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("MYSHARDID"))
    }

    /// Returns all nodes that are known.
    ///
    /// `CLUSTER NODES`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_nodes(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("NODES"))
    }

    /// Returns the replicas of a node.
    ///
    /// `CLUSTER REPLICAS`
    ///
    /// O(1). Since 5.0.0.
    fn cluster_replicas(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("REPLICAS"))
    }

    /// Makes the node a replica of another.
    ///
    /// `CLUSTER REPLICATE`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_replicate(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("REPLICATE"))
    }

    /// Lets the node forget its cluster.
    ///
    /// `CLUSTER RESET`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_reset(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("RESET"))
    }

    /// Writes the node's view of the cluster to disk.
    ///
    /// `CLUSTER SAVECONFIG`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_saveconfig(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("SAVECONFIG"))
    }

    /// Sets the configuration epoch of a new node.
    ///
    /// `CLUSTER SET-CONFIG-EPOCH`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_set_config_epoch(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("SET-CONFIG-EPOCH"))
    }

    /// Begins or ends the move of a slot.
    ///
    /// `CLUSTER SETSLOT`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_setslot(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("SETSLOT"))
    }

    /// Returns the shards with their slots and nodes.
    ///
    /// `CLUSTER SHARDS`
    ///
    /// O(1). Since 7.0.0.
    fn cluster_shards(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("SHARDS"))
    }

    /// Returns the replicas of a node.
    ///
    /// `CLUSTER SLAVES`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_slaves(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("SLAVES"))
    }

    /// Returns the slots with their nodes.
    ///
    /// `CLUSTER SLOTS`
    ///
    /// O(1). Since 3.0.0.
    fn cluster_slots(self) -> Self::Out {
        self.put(Command::new("CLUSTER").arg("SLOTS"))
    }

    /// Lets the connection read from a replica of a cluster.
    ///
    /// `READONLY`
    ///
    /// O(1). Since 3.0.0.
    fn readonly(self) -> Self::Out {
        self.put(Command::new("READONLY"))
    }

    /// Ends what READONLY allowed.
    ///
    /// `READWRITE`
    ///
    /// O(1). Since 3.0.0.
    fn readwrite(self) -> Self::Out {
        self.put(Command::new("READWRITE"))
    }
}

impl<C: Commands> ClusterCommands for C {}
