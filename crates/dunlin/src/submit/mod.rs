//! `dunlin submit`: many devices that submit messages over the Frame protocol, and a report of how that went.
//!
//! Invariant: the exit code is 0 only if every message that was sent was acknowledged with result 0, and there were no errors.

mod codename;
mod device;
mod fleet;
mod report;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use clap::Parser;
use dunlin_frame::{AckBase, Codec, FRAME_BYTES_MAX_DEFAULT};
use dunlin_reactor::{Epoll, EventLoop, EventLoopPool, Limits, Remote, TcpServer};
use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};

use crate::gateway::{ack_base, raise_descriptor_limit, store, told};
use fleet::{Fleet, Plan};
use report::Progress;

/// Descriptors needed beside those of devices.
const RESERVED_DESCRIPTORS: u64 = 32;
/// How often the progress is shown.
const SHOW_PERIOD: Duration = Duration::from_millis(200);

/// Submit messages over the Frame protocol as many devices do, and report how that went.
///
/// Each device connects, introduces itself (Conn), and submits its messages one after another, with IDs from 00000001 on. An ack is
/// matched with the message of its ID. A device that waits 5 seconds for an ack in vain gives up, or connects again with --reconnect.
///
/// Exit code: 0 if every message was acknowledged with result 0; 1 if not. ^C ends it early: what was sent is still waited for.
#[derive(Debug, Parser)]
#[command(name = "dunlin submit", version)]
struct Options {
    /// The gateway, `HOST:PORT` or the path of a Unix socket.
    address: String,

    /// Devices.
    #[arg(short = 'c', long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,

    /// Messages of each device.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=99_999_999))]
    messages: u32,

    /// Time between two messages of a device: `1s`, `250ms`, or `0` for one as soon as the one before is acknowledged.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    interval: Duration,

    /// Messages that a device may have sent and not acknowledged.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pipeline: u32,

    /// Introduce each device by a token, TOKEN-1 and so on, so that each of its messages is kept exactly once.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,

    /// Bytes of a payload; shorter ones than a codename has are cut.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=i64::from(FRAME_BYTES_MAX_DEFAULT) - 13))]
    payload: Option<u32>,

    /// Connect again when a connection is lost or silent, and submit again what was not acknowledged; until nothing is acknowledged for
    /// 30 seconds.
    #[arg(long)]
    reconnect: bool,

    /// Code of ConnAck, 0x81 or 0x80; SubmitAck's is one more.
    #[arg(long, value_name = "CODE", default_value = "0x81", value_parser = ack_base)]
    ack_base: AckBase,

    /// Threads that the devices are shared out among.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=128))]
    threads: u16,
}

fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let unit = units.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) = match unit {
        Some((unit, factor)) => (&text[..text.len() - unit.len()], *factor),
        None if text == "0" => (text, 1),
        None => return Err("a number and a unit: 1s, 250ms, 1m; or 0".to_owned()),
    };
    let number: u32 = digits.parse().map_err(|error| format!("{error}"))?;
    Ok(Duration::from_millis(u64::from(number) * factor))
}

/// Its command line, for completions and the manual.
pub(crate) fn command() -> clap::Command {
    <Options as clap::CommandFactory>::command()
}

/// `submit`.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let program = OsString::from("dunlin submit");
    let options = match Options::try_parse_from(std::iter::once(&program).chain(arguments)) {
        Ok(options) => options,
        Err(error) => return told(&error),
    };
    raise_descriptor_limit(u64::from(options.connections) + RESERVED_DESCRIPTORS);
    let plan = Arc::new(Plan {
        address: store(&options.address)?,
        codec: Codec {
            ack_base: options.ack_base,
            ..Codec::default()
        },
        devices: options.connections as usize,
        messages: options.messages,
        interval_ms: options.interval.as_millis() as u64,
        pipeline: options.pipeline as usize,
        token: options.token,
        payload_bytes: options.payload.map(|bytes| bytes as usize),
        reconnect: options.reconnect,
    });
    let progress = Arc::new(Progress::new(
        plan.devices as u64 * u64::from(plan.messages),
    ));
    let threads = usize::from(options.threads).min(plan.devices);
    let limits = Limits {
        connecting_max: plan.devices,
        ..Limits::default()
    };
    let loops = TcpServer::new().into_loops::<Epoll>(threads, &limits)?;
    let make = {
        let (plan, progress) = (Arc::clone(&plan), Arc::clone(&progress));
        move |event_loop: &mut EventLoop<Epoll>| {
            Fleet::new(
                Arc::clone(&plan),
                event_loop.index(),
                threads,
                Arc::clone(&progress),
            )
        }
    };
    let pool = EventLoopPool::start(loops, "submit", make)?;
    quit_on_signals(pool.remotes().to_vec(), Arc::clone(&progress))?;
    let shown = show_progress(&progress)?;
    pool.join()?;
    progress.ended.store(true, Ordering::Release);
    if let Some(shown) = shown {
        shown.thread().unpark();
        // It shows, and nothing else.
        let _ = shown.join();
    }
    let (text, is_clean) = progress.report(&plan);
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A signal ends the sending, a second one the waiting.
fn quit_on_signals(loops: Vec<Remote>, progress: Arc<Progress>) -> anyhow::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGQUIT])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for _ in signals.forever() {
                let is_first = !progress.quit.swap(true, Ordering::SeqCst);
                for remote in &loops {
                    match is_first {
                        true => remote.waker().wake(),
                        false => remote.stop(0),
                    }
                }
            }
        })?;
    Ok(())
}

/// On a terminal: a line that is written again and again.
fn show_progress(progress: &Arc<Progress>) -> anyhow::Result<Option<thread::JoinHandle<()>>> {
    if !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let progress = Arc::clone(progress);
    let show = move || {
        let mut terminal = std::io::stderr();
        while !progress.ended.load(Ordering::Acquire) {
            let _ = write!(terminal, "\r{}\x1b[K", progress.line());
            let _ = terminal.flush();
            thread::park_timeout(SHOW_PERIOD);
        }
        let _ = write!(terminal, "\r\x1b[K");
    };
    let shown = thread::Builder::new().name("progress".into()).spawn(show)?;
    Ok(Some(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }

    #[test]
    fn times() {
        assert_eq!(time("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(time("0"), Ok(Duration::ZERO));
        for text in ["", "1", "s", "-1s", "1h", "1.5s"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
