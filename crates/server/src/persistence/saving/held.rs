//! Saving with all stripes held: DEBUG RELOAD, and a server that stops. Nothing changes meanwhile, so nothing is marked.

use std::path::Path;
use std::time::Duration;

use dunlin_reactor::{Clock as _, SystemClock};
use dunlin_store::Entry;
use dunlin_store::snapshot::DatabaseKeys;
use dunlin_store::stripes::LockSet;

use super::dump::{self, Dump, DumpOptions, Head, SaveError};
use super::encoder::Meta;
use super::{Purpose, Saving, Waits, dump_options, dump_paths, lock, thread};
use crate::persistence::stripe_lock::StripeLock;
use crate::shared::Shared;

impl Saving {
    /// Writes the dump file; `each` shows the entries of a database, and all stripes are held. Whether it is saved: if not, the log
    /// says why.
    pub fn save_held(
        &self,
        shared: &Shared,
        each: impl FnMut(u32, &mut dyn FnMut(&Entry)),
    ) -> bool {
        let now_ms = SystemClock.wall_us() / 1_000;
        lock(&self.figures).dump_begins(now_ms / 1_000);
        let changes = shared.engine.store.total(|counters| &counters.changes);
        let (path, temp) = dump_paths(&shared.config());
        let options = dump_options(&shared.config(), Purpose::Dump);
        let written = self.write_held(shared, &options, &temp, now_ms, each);
        let is_saved = self.dump_written(Waits::Client, changes, written, |disk| {
            dump::rename(disk, &temp, &path)
        });
        if !is_saved {
            let _ = self.disk().remove(&temp);
        }
        is_saved
    }

    /// Writes all there is to this path, as the base of an append-only file that begins, and makes it durable but for its name. For a
    /// server that has not begun to serve. Whether it is a dump, and not commands.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn save_base(&self, shared: &Shared, path: &Path) -> Result<bool, SaveError> {
        let store = &shared.engine.store;
        let mut held = StripeLock::of_this_thread().lock(store, &LockSet::All);
        let now_ms = SystemClock.wall_us() / 1_000;
        let options = dump_options(&shared.config(), Purpose::Base);
        let written = self.write_held(shared, &options, path, now_ms, |db, visit| {
            store.each_entry(&mut held, db, visit);
        });
        store.release_stripes(held);
        written.map(|_| options.is_dump())
    }

    fn write_held(
        &self,
        shared: &Shared,
        options: &DumpOptions,
        temp: &Path,
        now_ms: u64,
        mut each: impl FnMut(u32, &mut dyn FnMut(&Entry)),
    ) -> Result<u64, SaveError> {
        let store = &shared.engine.store;
        let databases: Vec<DatabaseKeys> = (0..store.databases() as u32)
            .map(|db| DatabaseKeys {
                db,
                keys: store.len(db),
                expires: store.expires(db),
            })
            .filter(|count| count.keys > 0)
            .collect();
        let meta = Meta::of(&store.eviction, now_ms);
        let libraries = shared.engine.scripts.libraries();
        let head = Head {
            now_s: now_ms / 1_000,
            used_bytes: store.usage.bytes(),
            databases: &databases,
            libraries: &libraries,
        };
        let mut dump = Dump::create(&**self.disk(), temp, options, meta, &head)?;
        let mut result = Ok(());
        for count in &databases {
            each(count.db, &mut |entry| {
                if result.is_ok() {
                    result = dump.key(count.db, entry.deadline(), entry);
                    self.delay_held();
                    if self.is_ending() {
                        result = Err(SaveError::Abandoned);
                    }
                }
            });
        }
        result?;
        dump.finish()
    }

    /// `rdb-key-save-delay`, for one key.
    fn delay_held(&self) {
        let mut left_us = self.delay_us(1);
        while left_us > 0 && !self.is_ending() {
            let piece_us = left_us.min(thread::DELAY_PIECE_US);
            std::thread::sleep(Duration::from_micros(piece_us));
            left_us -= piece_us;
        }
    }
}
