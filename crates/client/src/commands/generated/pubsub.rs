//! The commands of the group `pubsub`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `pubsub`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait PubsubCommands: Commands {
    /// Has messages to all channels that match these patterns sent to this client.
    ///
    /// `PSUBSCRIBE <pattern> [<pattern> ...]`
    ///
    /// O(N) for N patterns. Since 2.0.0.
    fn psubscribe(self, pattern: impl ToArg) -> Self::Out {
        self.put(Command::new("PSUBSCRIBE").arg(pattern))
    }

    /// Sends a message to a channel; returns how many clients get it.
    ///
    /// `PUBLISH <channel> <message>`
    ///
    /// O(N+M) for N subscribers of the channel and M patterns that anybody subscribed to. Since 2.0.0.
    fn publish(self, channel: impl ToArg, message: impl ToArg) -> Self::Out {
        self.put(Command::new("PUBLISH").arg(channel).arg(message))
    }

    /// Returns the channels that have subscribers, or those that match a pattern.
    ///
    /// `PUBSUB CHANNELS [<pattern>]`
    ///
    /// O(N) for N channels that have subscribers. Since 2.8.0.
    fn pubsub_channels(self) -> Self::Out {
        self.put(Command::new("PUBSUB").arg("CHANNELS"))
    }

    /// Returns how many patterns have subscribers.
    ///
    /// `PUBSUB NUMPAT`
    ///
    /// O(1). Since 2.8.0.
    fn pubsub_numpat(self) -> Self::Out {
        self.put(Command::new("PUBSUB").arg("NUMPAT"))
    }

    /// Returns how many subscribers channels have, those by patterns not counted.
    ///
    /// `PUBSUB NUMSUB [<channel> [<channel> ...]]`
    ///
    /// O(N) for N channels. Since 2.8.0.
    fn pubsub_numsub(self) -> Self::Out {
        self.put(Command::new("PUBSUB").arg("NUMSUB"))
    }

    /// Returns the shard channels that have subscribers, or those that match a pattern.
    ///
    /// `PUBSUB SHARDCHANNELS [<pattern>]`
    ///
    /// O(N) for N shard channels that have subscribers. Since 7.0.0.
    fn pubsub_shardchannels(self) -> Self::Out {
        self.put(Command::new("PUBSUB").arg("SHARDCHANNELS"))
    }

    /// Returns how many subscribers shard channels have.
    ///
    /// `PUBSUB SHARDNUMSUB [<shardchannel> [<shardchannel> ...]]`
    ///
    /// O(N) for N shard channels. Since 7.0.0.
    fn pubsub_shardnumsub(self) -> Self::Out {
        self.put(Command::new("PUBSUB").arg("SHARDNUMSUB"))
    }

    /// Sends no more messages for these patterns, or for any, to this client.
    ///
    /// `PUNSUBSCRIBE [<pattern> [<pattern> ...]]`
    ///
    /// O(N) for N patterns. Since 2.0.0.
    fn punsubscribe(self) -> Self::Out {
        self.put(Command::new("PUNSUBSCRIBE"))
    }

    /// Sends a message to a shard channel; returns how many clients get it.
    ///
    /// `SPUBLISH <shardchannel> <message>`
    ///
    /// O(N) for N subscribers of the shard channel. Since 7.0.0.
    fn spublish(self, shardchannel: impl ToArg, message: impl ToArg) -> Self::Out {
        self.put(Command::new("SPUBLISH").arg(shardchannel).arg(message))
    }

    /// Has messages to these shard channels sent to this client.
    ///
    /// `SSUBSCRIBE <shardchannel> [<shardchannel> ...]`
    ///
    /// O(N) for N shard channels. Since 7.0.0.
    fn ssubscribe(self, shardchannel: impl ToArg) -> Self::Out {
        self.put(Command::new("SSUBSCRIBE").arg(shardchannel))
    }

    /// Has messages to these channels sent to this client.
    ///
    /// `SUBSCRIBE <channel> [<channel> ...]`
    ///
    /// O(N) for N channels. Since 2.0.0.
    fn subscribe(self, channel: impl ToArg) -> Self::Out {
        self.put(Command::new("SUBSCRIBE").arg(channel))
    }

    /// Sends no more messages to these shard channels, or to any, to this client.
    ///
    /// `SUNSUBSCRIBE [<shardchannel> [<shardchannel> ...]]`
    ///
    /// O(N) for N shard channels. Since 7.0.0.
    fn sunsubscribe(self) -> Self::Out {
        self.put(Command::new("SUNSUBSCRIBE"))
    }

    /// Sends no more messages to these channels, or to any, to this client.
    ///
    /// `UNSUBSCRIBE [<channel> [<channel> ...]]`
    ///
    /// O(N) for N channels. Since 2.0.0.
    fn unsubscribe(self) -> Self::Out {
        self.put(Command::new("UNSUBSCRIBE"))
    }
}

impl<C: Commands> PubsubCommands for C {}
