//! DEBUG SLEEP seconds: stalls every data command for so long, as it does in Redis.
//!
//! It holds every stripe on the auxiliary thread; commands that touch no key go on, because the workers do. A server of one worker sleeps
//! on that: it stops as a whole, as redis-server does.

use dunlin_engine::command::{ArgKind, Argument, Scope};
use dunlin_engine::dispatch::HEAVY_ELEMENTS;
use dunlin_engine::{Args, Command, Ctx, Engine, Flow, Outcome, Session};

use super::{FAMILY, permit};

/// Longest sleep in seconds; a server that is to stop ends it earlier.
const SECONDS_MAX: f64 = 1e9;

/// DEBUG SLEEP.
pub(super) const SLEEP: Command = Command {
    scope: Scope::All,
    summary: "Stalls the server for so many seconds; decimals are allowed.",
    arguments: &[Argument::new("seconds", ArgKind::Double)],
    weight: Some(too_long_for_a_worker),
    ..FAMILY.subcommand("sleep", "debug", sleep)
};

fn too_long_for_a_worker(engine: &Engine, _session: &Session, _args: Args<'_>) -> u64 {
    match engine.store.workers() {
        1 => 0,
        _ => HEAVY_ELEMENTS + 1,
    }
}

fn sleep(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let text = String::from_utf8_lossy(cx.args.at(2));
    // As C's strtod: what is no number is 0.
    let seconds = text
        .trim_start()
        .parse::<f64>()
        .unwrap_or(0.0)
        .clamp(0.0, SECONDS_MAX);
    cx.host.sleep_us((seconds * 1e6) as u64);
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn one_worker_sleeps_itself() {
        // The console is one; where it would sleep away from it is tested with a simulated server of two.
        let mut console = Console::with_debug();
        assert_eq!(
            console.run(
                "DEBUG SLEEP 0.1; DEBUG SLEEP x; DEBUG SLEEP -1; DEBUG SLEEP nan; MULTI; DEBUG SLEEP 1; EXEC"
            ),
            "OK; OK; OK; OK; OK; QUEUED; [OK]"
        );
        assert_eq!(console.heavy, 0);
    }
}
