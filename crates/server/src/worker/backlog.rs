//! Clients that are not read while a snapshot has too much to write of what was changed.
//!
//! Invariant: a worker adds no more to it than the commands of one turn.

use dunlin_reactor::{Input, Io};

use super::Worker;

impl Worker {
    /// Leaves the input of this turn unread if a snapshot is behind; whether it did.
    #[inline]
    pub(super) fn leave_unread(&mut self, io: &mut Io<'_>, inputs: &[Input]) -> bool {
        let shared = &self.host.shared;
        if !shared.saving.is_behind(shared) {
            return false;
        }
        for input in inputs {
            io.pause_input(input.conn());
            self.unread.push(input.conn());
        }
        true
    }

    /// Lets them go on if the snapshot has caught up; whether some still wait.
    pub(super) fn release_unread(&mut self, io: &mut Io<'_>) -> bool {
        if self.unread.is_empty() {
            return false;
        }
        let shared = &self.host.shared;
        if shared.saving.is_behind(shared) {
            return true;
        }
        for conn in std::mem::take(&mut self.unread) {
            if self.slot(conn).is_some_and(|slot| slot.is_idle()) {
                io.resume_input(conn);
            }
        }
        false
    }
}
