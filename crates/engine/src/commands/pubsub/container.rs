//! PUBSUB CHANNELS [pattern] | NUMPAT | NUMSUB [channel ...] | SHARDCHANNELS [pattern] | SHARDNUMSUB [shardchannel ...] | HELP: who
//! listens. <https://redis.io/commands/pubsub-channels>

use super::FLAGS;
use crate::command::{ArgKind, Argument, Categories, Command, Handler};
use crate::commands::server::help;
use crate::pubsub::Kind;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// PUBSUB.
pub(super) const PUBSUB: Command = Command {
    name: "pubsub",
    full_name: "pubsub",
    arity: -2,
    categories: Categories::SLOW,
    group: "pubsub",
    since: "2.8.0",
    complexity: "Depends on the subcommand",
    summary: "Tells who has subscribed to what.",
    subcommands: &[
        &CHANNELS,
        &HELP,
        &NUMPAT,
        &NUMSUB,
        &SHARDCHANNELS,
        &SHARDNUMSUB,
    ],
    ..Command::BASE
};

const CHANNELS: Command = Command {
    complexity: "O(N) for N channels that have subscribers",
    summary: "Returns the channels that have subscribers, or those that match a pattern.",
    arguments: &[Argument::new("pattern", ArgKind::Pattern).optional()],
    ..subcommand("channels", "pubsub|channels", |cx| channels(cx, false))
};

const HELP: Command = Command {
    full_name: "pubsub|help",
    categories: Categories::SLOW,
    group: "pubsub",
    since: "6.2.0",
    ..help::HELP
};

const NUMPAT: Command = Command {
    arity: 2,
    summary: "Returns how many patterns have subscribers.",
    ..subcommand("numpat", "pubsub|numpat", numpat)
};

const NUMSUB: Command = Command {
    complexity: "O(N) for N channels",
    summary: "Returns how many subscribers channels have, those by patterns not counted.",
    arguments: &[Argument::new("channel", ArgKind::String)
        .optional()
        .multiple()],
    ..subcommand("numsub", "pubsub|numsub", |cx| numsub(cx, false))
};

const SHARDCHANNELS: Command = Command {
    since: "7.0.0",
    complexity: "O(N) for N shard channels that have subscribers",
    summary: "Returns the shard channels that have subscribers, or those that match a pattern.",
    arguments: &[Argument::new("pattern", ArgKind::Pattern).optional()],
    ..subcommand("shardchannels", "pubsub|shardchannels", |cx| {
        channels(cx, true)
    })
};

const SHARDNUMSUB: Command = Command {
    since: "7.0.0",
    complexity: "O(N) for N shard channels",
    summary: "Returns how many subscribers shard channels have.",
    arguments: &[Argument::new("shardchannel", ArgKind::String)
        .optional()
        .multiple()],
    ..subcommand("shardnumsub", "pubsub|shardnumsub", |cx| numsub(cx, true))
};

const fn subcommand(name: &'static str, full_name: &'static str, handler: Handler) -> Command {
    Command {
        name,
        full_name,
        arity: -2,
        flags: FLAGS,
        categories: Categories::PUBSUB.and(Categories::SLOW),
        group: "pubsub",
        since: "2.8.0",
        handler,
        ..Command::BASE
    }
}

fn channels(cx: &mut Ctx<'_>, shard: bool) -> Outcome {
    if cx.args.len() > 3 {
        return Err(ReplyError::subcommand_syntax(cx.args));
    }
    let names = cx.engine.pubsub.names(shard, cx.args.get(2));
    cx.reply.array(names.len());
    names.iter().for_each(|name| cx.reply.bulk(name));
    Ok(Flow::Done)
}

fn numpat(cx: &mut Ctx<'_>) -> Outcome {
    cx.reply.count(cx.engine.pubsub.len(Kind::Pattern));
    Ok(Flow::Done)
}

fn numsub(cx: &mut Ctx<'_>, shard: bool) -> Outcome {
    cx.reply.array(2 * (cx.args.len() - 2));
    for i in 2..cx.args.len() {
        let channel = cx.args.at(i);
        cx.reply.bulk(channel);
        cx.reply.count(cx.engine.pubsub.count(shard, channel));
    }
    Ok(Flow::Done)
}
