//! The two queues shared with the kernel, and the only place that enters it.
//!
//! The ring is made disabled, so that it can be made on one thread and used on another: its owner is the thread that enables it, by its
//! first wait (SINGLE_ISSUER). Completions are worked on only when that thread asks (DEFER_TASKRUN). See io_uring_setup(2).
//!
//! Invariant: submission entries go to the kernel in the order in which they were pushed, none is lost: what the queue has no room for
//! waits here.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, squeue};

use crate::backend::SLEEP_MS_MAX;

/// Entries of the submission queue; more wait in `overflow`.
const SUBMISSIONS: u32 = 1_024;

/// Entries of the completion queue. The kernel keeps what does not fit until there is room.
const COMPLETIONS: u32 = 8 * SUBMISSIONS;

/// Completions in one wait from which on a loop counts as busy: its next wait is for more of them, at most so many, but not longer than
/// so long for others than the first. Whoever is alone never waits; a busy loop has fewer turns, each with more to look ahead to.
const BUSY_MIN: usize = 3;
const EXPECTED_MAX: usize = 32;
const MODERATION_US: u32 = 20;

pub(super) struct Ring {
    ring: IoUring,
    /// The kernel can wait for several completions for a moment, and for one after that (Linux 6.12).
    can_moderate: bool,
    overflow: VecDeque<squeue::Entry>,
    enabled: bool,
}

impl Ring {
    /// # Errors
    /// Where the system forbids io_uring (EPERM, as containers often do), lacks it (ENOSYS) or is older than Linux 6.1 (EINVAL).
    pub(super) fn new() -> io::Result<Ring> {
        let ring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_r_disabled()
            .dontfork()
            .build(SUBMISSIONS)?;
        let can_moderate = ring.params().is_feature_min_timeout();
        Ok(Ring {
            ring,
            can_moderate,
            overflow: VecDeque::new(),
            enabled: false,
        })
    }

    /// Makes the calling thread the ring's owner. True the first time.
    pub(super) fn enable(&mut self) -> io::Result<bool> {
        if self.enabled {
            return Ok(false);
        }
        self.ring.submitter().register_enable_rings()?;
        // Best effort: entering is a little cheaper when the descriptor need not be looked up.
        let _ = self.ring.submitter().register_ring_fd();
        self.enabled = true;
        Ok(true)
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Registers the ring of provided buffers.
    ///
    /// # Safety
    /// The memory must stay valid until this ring is dropped.
    #[allow(unsafe_code)]
    pub(super) unsafe fn register_buffers(
        &self,
        address: u64,
        entries: u16,
        group: u16,
    ) -> io::Result<()> {
        let submitter = self.ring.submitter();
        // SAFETY: passed on to the caller.
        unsafe { submitter.register_buf_ring_with_flags(address, entries, group, 0) }
    }

    /// Queues an operation; it begins at the next submission.
    ///
    /// # Safety
    /// Memory that the entry names must stay valid until its last completion.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: passed on to the caller.
        let pushed =
            self.overflow.is_empty() && unsafe { self.ring.submission().push(&entry) }.is_ok();
        if !pushed {
            self.overflow.push_back(entry);
        }
    }

    /// Submits what was pushed, without waiting.
    pub(super) fn submit(&mut self) -> io::Result<()> {
        if !self.enabled {
            return Ok(());
        }
        self.refill();
        if self.ring.submission().is_empty() {
            return Ok(());
        }
        tolerate(self.ring.submit())
    }

    /// Submits, and waits for a completion unless there is one. `expected` is how many the last wait brought, sends left out: if they were
    /// several, this one waits a moment for several, beside those of the `sends` that are submitted now: they complete at once as a rule.
    pub(super) fn wait(
        &mut self,
        timeout_ms: Option<u64>,
        expected: usize,
        sends: usize,
    ) -> io::Result<()> {
        self.refill();
        if !self.ring.completion().is_empty() || timeout_ms == Some(0) {
            let submission = self.ring.submission();
            let idle = submission.is_empty() && !submission.taskrun() && !submission.cq_overflow();
            drop(submission);
            return if idle {
                Ok(())
            } else {
                tolerate(self.ring.submit())
            };
        }
        let ms = timeout_ms.unwrap_or(SLEEP_MS_MAX).min(SLEEP_MS_MAX);
        let timeout = Timespec::from(Duration::from_millis(ms));
        let args = SubmitArgs::new().timespec(&timeout);
        let (want, args) = if self.moderates(expected) {
            let want = sends + (2 * expected).min(EXPECTED_MAX);
            (want, args.min_wait_usec(MODERATION_US))
        } else {
            (1, args)
        };
        tolerate(self.ring.submitter().submit_with_args(want, &args))
    }

    /// Whether a wait, of which the last brought so many completions, sends left out, is for more than one.
    #[inline]
    pub(super) fn moderates(&self, expected: usize) -> bool {
        self.can_moderate && expected >= BUSY_MIN
    }

    /// The next completion.
    #[inline]
    pub(super) fn completion(&mut self) -> Option<cqueue::Entry> {
        self.ring.completion().next()
    }

    /// Cancels everything that was submitted, and waits for it.
    pub(super) fn cancel_all(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = Some(Timespec::from(timeout));
        let everything = CancelBuilder::any();
        let cancelled = self
            .ring
            .submitter()
            .register_sync_cancel(timeout, everything);
        match cancelled {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Moves entries that found no room into the queue, submitting to make room.
    fn refill(&mut self) {
        while let Some(entry) = self.overflow.front() {
            #[allow(unsafe_code)]
            // SAFETY: who pushed it first keeps its memory valid.
            let pushed = unsafe { self.ring.submission().push(entry) }.is_ok();
            if pushed {
                self.overflow.pop_front();
            } else if self.ring.submit().is_err() {
                // The kernel wants its completions to be taken first: the rest goes with the next wait.
                return;
            }
        }
    }
}

/// A wait that ends early, for whatever reason, is no failure.
fn tolerate(outcome: io::Result<usize>) -> io::Result<()> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            // EBUSY and EAGAIN: completions have to be taken, or memory is short; what was not submitted stays queued.
            Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        },
    }
}
