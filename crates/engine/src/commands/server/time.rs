//! TIME: the server's clock. <https://redis.io/commands/time>

use crate::command::{Categories, Command, Flags};
use crate::{Ctx, Flow, Outcome};

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// TIME.
pub(super) const TIME: Command = Command {
    name: "time",
    full_name: "time",
    arity: 1,
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    categories: Categories::FAST,
    group: "server",
    since: "2.6.0",
    summary: "Returns the time since 1970: seconds, and microseconds of the second.",
    tips: &["nondeterministic_output"],
    handler: time,
    ..Command::BASE
};

fn time(cx: &mut Ctx<'_>) -> Outcome {
    // Time stands still for a script.
    let now = match cx.session.in_script {
        true => cx.keys.now_ms() * 1_000,
        false => cx.host.unix_time_us(),
    };
    cx.reply.array(2);
    for part in [now / SECOND_US, now % SECOND_US] {
        cx.reply.bulk(itoa::Buffer::new().format(part).as_bytes());
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn seconds_and_microseconds() {
        check("+1234ms; TIME", "[1700000001 234000]");
    }
}
