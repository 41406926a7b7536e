//! `oom-score-adj`: which process the kernel ends first when memory runs out. See proc_pid_oom_score_adj(5).
//!
//! Invariant: the score from before we changed it is kept while we do, and put back when we are told to stop.

use std::fs;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::{Config, OomScoreAdjust, errno_text};

const FILE: &str = "/proc/self/oom_score_adj";
/// The kernel's bound, both ways.
const SCORE_MAX: i64 = 1000;

/// The score from before the first change; `None` while it is not ours.
static BASE: Mutex<Option<i64>> = Mutex::new(None);

/// Brings the score of this process, a master, to what is configured.
///
/// # Errors
/// When the kernel refuses: lowering it needs a privilege. The score is as it was then.
pub fn apply(config: &Config) -> io::Result<()> {
    let mut base = lock();
    let mode = config.oom_score_adjust();
    let (score, next_base) = match (mode, *base) {
        (OomScoreAdjust::No, None) => return Ok(()),
        (OomScoreAdjust::No, Some(before)) => (before, None),
        (OomScoreAdjust::Absolute, before) => {
            let before = before.map_or_else(read, Ok)?;
            (config.oom_scores()[0], Some(before))
        }
        (OomScoreAdjust::Relative, before) => {
            let before = before.map_or_else(read, Ok)?;
            (before + config.oom_scores()[0], Some(before))
        }
    };
    let score = score.clamp(-SCORE_MAX, SCORE_MAX);
    fs::write(FILE, score.to_string()).inspect_err(|error| {
        tracing::warn!("Unable to write oom_score_adj: {}", errno_text(error));
    })?;
    *base = next_base;
    Ok(())
}

fn read() -> io::Result<i64> {
    let text = fs::read_to_string(FILE)?;
    text.trim().parse().map_err(io::Error::other)
}

/// A panic aborts the process, so a poisoned lock is never seen.
fn lock() -> MutexGuard<'static, Option<i64>> {
    BASE.lock().unwrap_or_else(PoisonError::into_inner)
}
