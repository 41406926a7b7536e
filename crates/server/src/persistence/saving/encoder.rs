//! Records of a dump or of a base of commands, made wherever an entry is met: by the saving thread, or by a command that is about to change it.
//!
//! Invariant: the first failure is kept and fails the save; what is appended after it is of no use to anybody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_persist::aof::{append_commands, append_select_command};
use dunlin_persist::rdb::{EncodeOptions, KeyMeta, WriteError, append_key, append_select};
use dunlin_store::Entry;
use dunlin_store::eviction::{Eviction, Policy};
use dunlin_store::snapshot::{By, Encode};

/// Access clocks count seconds in 24 bits.
const CLOCK_MASK: u32 = (1 << 24) - 1;

/// What a dump says of the use of keys.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Use {
    Nothing,
    /// How long they were idle at this time.
    Idle {
        clock: u32,
    },
    /// How often they are used: the count stands in the low byte of the clock.
    Frequency,
}

/// What is said of a key beside its value.
#[derive(Copy, Clone, Debug)]
pub(super) struct Meta(Use);

impl Meta {
    /// As the policy of eviction goes by it, at this time.
    pub(super) fn of(eviction: &Eviction, now_ms: u64) -> Meta {
        let policy: Policy = eviction.policy();
        Meta(if policy.is_lfu() {
            Use::Frequency
        } else if policy.needs_clocks() {
            let clock = (now_ms / 1_000) as u32;
            Use::Idle { clock }
        } else {
            Use::Nothing
        })
    }

    /// Of an entry with this deadline and access clock.
    pub(super) fn of_key(self, deadline_ms: Option<u64>, clock: u32) -> KeyMeta {
        let mut meta = KeyMeta::with_deadline(deadline_ms);
        match self.0 {
            Use::Nothing => {}
            Use::Idle { clock: now } => {
                let idle_s = now.wrapping_sub(clock) & CLOCK_MASK;
                // A worker's clock may be a second ahead.
                meta.idle_s = Some(if idle_s > CLOCK_MASK / 2 { 0 } else { idle_s }.into());
            }
            Use::Frequency => meta.frequency = Some(clock as u8),
        }
        meta
    }
}

/// What a save is made of.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A dump.
    Dump(EncodeOptions),
    /// Commands.
    Commands,
}

/// See the module's text.
pub(super) struct Encoder {
    form: Form,
    pub(super) meta: Meta,
    failed: AtomicBool,
    failure: Mutex<Option<WriteError>>,
}

impl Encoder {
    pub(super) fn new(form: Form, meta: Meta) -> Encoder {
        Encoder {
            form,
            meta,
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    /// The first failure, if there was one. It is given once.
    pub(super) fn take_failure(&self) -> Option<WriteError> {
        if !self.failed.load(Ordering::Relaxed) {
            return None;
        }
        self.failure().take()
    }

    fn failure(&self) -> MutexGuard<'_, Option<WriteError>> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Encode for Encoder {
    fn append(&self, out: &mut Vec<u8>, before: Option<u32>, db: u32, entry: &Entry, by: By) {
        let options = match self.form {
            Form::Dump(options) => options,
            Form::Commands => {
                if before != Some(db) {
                    append_select_command(out, db);
                }
                append_commands(out, entry.deadline(), entry);
                return;
            }
        };
        if before != Some(db) {
            append_select(out, db);
        }
        let options = EncodeOptions {
            // Compressing takes longer than the command itself.
            compress: options.compress && by == By::Walk,
            ..options
        };
        let meta = self.meta.of_key(entry.deadline(), entry.clock());
        if let Err(error) = append_key(out, &meta, entry, &options) {
            self.failure().get_or_insert(error);
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}
