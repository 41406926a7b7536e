//! What INFO tells of saves, and what the next one goes by.

use dunlin_reactor::{Clock as _, SystemClock};
use dunlin_store::snapshot::SnapshotFigures;

use super::{Purpose, SaveError, Saving, Waits, lock};
use crate::persistence::disk::Disk;
use crate::shared::Shared;

/// The last save of the dump file.
#[derive(Clone, Debug)]
pub struct LastSave {
    /// Whether it succeeded, or none failed.
    pub is_fine: bool,
    /// When one last succeeded, seconds since 1970.
    pub saved_s: u64,
    /// When one last began, seconds since 1970; 0 for never.
    pub tried_s: u64,
    /// How long it took, seconds.
    pub took_s: Option<u64>,
    /// Bytes that commands had to copy for it.
    pub copied_bytes: u64,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The last save.
    pub last: LastSave,
    /// Saves begun.
    pub saves: u64,
    /// Snapshots begun, for whatever purpose.
    pub cuts: u64,
    /// Microseconds that the last cut took, all stripes held.
    pub cut_us: u64,
    /// The most that commands had to copy for one snapshot.
    pub copied_bytes_max: u64,
    /// Bytes that commands had to copy for the last base of an append-only file.
    pub base_copied_bytes: u64,
    /// Changes that the last dump has.
    pub(super) saved_changes: u64,
    /// All keys were removed by this change, and a dump of that is on its way.
    pub(super) flushed_changes: Option<u64>,
}

impl Figures {
    /// As in Redis, the start counts as a save: nothing could be lost then.
    pub(super) fn new(started_s: u64) -> Figures {
        Figures {
            last: LastSave {
                is_fine: true,
                saved_s: started_s,
                tried_s: 0,
                took_s: None,
                copied_bytes: 0,
            },
            saves: 0,
            cuts: 0,
            cut_us: 0,
            copied_bytes_max: 0,
            base_copied_bytes: 0,
            saved_changes: 0,
            flushed_changes: None,
        }
    }

    pub(super) fn dump_begins(&mut self, now_s: u64) {
        self.saves += 1;
        self.last.tried_s = now_s;
    }
}

impl Saving {
    /// CONFIG RESETSTAT.
    pub fn reset_cuts(&self) {
        let mut figures = lock(&self.figures);
        (figures.cuts, figures.cut_us) = (0, 0);
    }

    /// Progress of the snapshot that runs; zeros when none does.
    pub fn progress(&self, shared: &Shared) -> SnapshotFigures {
        match self.running() {
            Some(_) => shared.engine.store.snapshots.figures(),
            None => SnapshotFigures::default(),
        }
    }

    /// Changes that are not saved. Those before everything was flushed count as saved, for a dump of that is on its way.
    pub fn unsaved_changes(&self, shared: &Shared) -> u64 {
        let changes = shared.engine.store.total(|counters| &counters.changes);
        let figures = lock(&self.figures);
        let flushed = figures.flushed_changes.unwrap_or(0);
        changes.saturating_sub(figures.saved_changes.max(flushed))
    }

    /// The snapshot of this purpose, which began then, has ended.
    pub(super) fn note_end(&self, shared: &Shared, purpose: Purpose, took_s: u64) {
        let copied = shared.engine.store.snapshots.figures().handed_bytes;
        let mut figures = lock(&self.figures);
        figures.copied_bytes_max = figures.copied_bytes_max.max(copied);
        match purpose {
            Purpose::Dump => {
                figures.last.took_s = Some(took_s);
                figures.last.copied_bytes = copied;
            }
            Purpose::Base => figures.base_copied_bytes = copied,
        }
    }

    /// A dump that has `changes` is written, or is not: gives it its name, and remembers what came of it.
    pub(super) fn dump_written(
        &self,
        waits: Waits,
        changes: u64,
        written: Result<u64, SaveError>,
        rename: impl FnOnce(&dyn Disk) -> Result<(), SaveError>,
    ) -> bool {
        let result = written.and_then(|_| rename(&**self.disk()));
        let mut figures = lock(&self.figures);
        match &result {
            Ok(()) => {
                tracing::info!("DB saved on disk");
                if waits == Waits::Nobody {
                    tracing::info!("Background saving terminated with success");
                }
                figures.saved_changes = changes;
                figures.last.saved_s = SystemClock.wall_us() / 1_000_000;
                figures.last.is_fine = true;
            }
            Err(SaveError::Abandoned) => {
                // What Redis's log says of a child that it ends.
                tracing::warn!("Background saving terminated by signal 10");
            }
            Err(error) => {
                tracing::warn!("{error}");
                if waits == Waits::Nobody {
                    tracing::warn!("Background saving error");
                    figures.last.is_fine = false;
                }
            }
        }
        if figures.flushed_changes.is_some_and(|at| at <= changes)
            || !matches!(result, Err(SaveError::Abandoned))
        {
            figures.flushed_changes = None;
        }
        drop(figures);
        self.show_trouble();
        result.is_ok()
    }
}
