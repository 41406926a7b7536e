//! Commands that save the dataset.

mod bgrewriteaof;
mod bgsave;
mod lastsave;
mod save;
#[cfg(test)]
mod tests;

use dunlin_engine::Command;

pub(super) const TABLE: &[&Command] = &[
    &bgrewriteaof::BGREWRITEAOF,
    &bgsave::BGSAVE,
    &lastsave::LASTSAVE,
    &save::SAVE,
];

/// What a save is refused with while another one runs.
const IN_PROGRESS: &str = "Background save already in progress";
