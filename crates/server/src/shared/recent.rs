//! What a worker runs and has run, for the crash report.
//!
//! Invariant: written by its worker alone, with plain stores, once for each run of equal commands in a batch; read by whoever reports.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

/// Runs of commands that are remembered.
const RUNS: usize = 16;
/// No command.
const NONE: u16 = u16::MAX;

/// See the module's text.
#[derive(Debug)]
pub struct Recent {
    /// Ids, each where its run's number leads.
    runs: [AtomicU16; RUNS],
    /// Runs so far.
    count: AtomicUsize,
    /// The id of what is running.
    running: AtomicU16,
}

impl Default for Recent {
    fn default() -> Self {
        Recent {
            runs: std::array::from_fn(|_| AtomicU16::new(NONE)),
            count: AtomicUsize::new(0),
            running: AtomicU16::new(NONE),
        }
    }
}

impl Recent {
    /// A command with this id is about to run; `None` is one that the table does not have. Nothing is written if the one before
    /// was the same.
    #[inline]
    pub fn begin(&self, id: Option<usize>) {
        let id = id.map_or(NONE, |id| id as u16);
        if self.running.load(Ordering::Relaxed) == id {
            return;
        }
        let count = self.count.load(Ordering::Relaxed);
        self.runs[count % RUNS].store(id, Ordering::Relaxed);
        self.count.store(count.wrapping_add(1), Ordering::Relaxed);
        self.running.store(id, Ordering::Relaxed);
    }

    /// Nothing runs.
    #[inline]
    pub fn end(&self) {
        self.running.store(NONE, Ordering::Relaxed);
    }

    /// The id of what is running.
    pub fn running(&self) -> Option<usize> {
        id(&self.running)
    }

    /// The ids of what ran last, newest first, each run of equal commands once.
    pub fn newest_first(&self) -> impl Iterator<Item = usize> + '_ {
        let count = self.count.load(Ordering::Relaxed);
        (1..=RUNS.min(count)).filter_map(move |back| id(&self.runs[(count - back) % RUNS]))
    }
}

fn id(cell: &AtomicU16) -> Option<usize> {
    let id = cell.load(Ordering::Relaxed);
    (id != NONE).then_some(usize::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest() {
        let recent = Recent::default();
        assert_eq!(recent.newest_first().count(), 0);
        recent.begin(Some(7));
        recent.begin(None);
        assert_eq!(recent.newest_first().collect::<Vec<_>>(), [7]);
        for id in 0..20 {
            recent.begin(Some(id));
        }
        assert_eq!(recent.running(), Some(19));
        recent.end();
        assert_eq!(recent.running(), None);
        let ids: Vec<usize> = recent.newest_first().collect();
        assert_eq!(ids, (4..20).rev().collect::<Vec<_>>());
    }
}
