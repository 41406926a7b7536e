//! ACL LOG [count | RESET]: what was denied lately. <https://redis.io/commands/acl-log>

use dunlin_engine::acl::Setting;
use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::ADMIN;
use crate::host::host;

/// Entries returned unless asked for more.
const COUNT_DEFAULT: usize = 10;

/// ACL LOG.
pub(super) const LOG: Command = Command {
    arity: -2,
    complexity: "O(N) in the number of entries returned",
    summary: "Returns what was denied lately, newest first, ten entries if no number is given; or forgets it.",
    history: &[(
        "7.2.0",
        "Tells when an entry was made and changed, and its number.",
    )],
    arguments: &[Argument::one_of(
        "operation",
        &[
            Argument::new("count", ArgKind::Integer),
            Argument::token("reset", "RESET"),
        ],
    )
    .optional()],
    ..ADMIN.subcommand("log", "acl|log", log)
};

fn log(cx: &mut Ctx<'_>) -> Outcome {
    let count = match cx.args.len() {
        2 => COUNT_DEFAULT,
        3 if cx.args.is(2, "reset") => {
            host(cx).shared.access_log.reset();
            cx.reply.ok();
            return Ok(Flow::Done);
        }
        3 => {
            let count = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
            usize::try_from(count).unwrap_or(0)
        }
        _ => return Err(ReplyError::subcommand_syntax(cx.args)),
    };
    let now_ms = cx.keys.now_ms();
    let entries = host(cx).shared.access_log.newest(count);
    let reply = &mut cx.reply;
    reply.array(entries.len());
    for entry in &entries {
        reply.map(10);
        reply.bulk(b"count");
        reply.integer(entry.count as i64);
        let setting = match entry.setting {
            Setting::TopLevel => "toplevel",
            Setting::Transaction => "multi",
            Setting::Script => "lua",
        };
        for (name, text) in [
            ("reason", entry.reason.name().as_bytes()),
            ("context", setting.as_bytes()),
            ("object", &entry.object),
            ("username", &entry.user),
        ] {
            reply.bulk(name.as_bytes());
            reply.bulk(text);
        }
        reply.bulk(b"age-seconds");
        reply.double(now_ms.saturating_sub(entry.updated_ms) as f64 / 1_000.0);
        reply.bulk(b"client-info");
        reply.bulk(entry.client.as_bytes());
        for (name, number) in [
            ("entry-id", entry.id),
            ("timestamp-created", entry.created_ms),
            ("timestamp-last-updated", entry.updated_ms),
        ] {
            reply.bulk(name.as_bytes());
            reply.integer(number as i64);
        }
    }
    Ok(Flow::Done)
}
