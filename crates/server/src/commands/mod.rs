//! Commands that need sessions, files or configuration; the same table type as the engine's.

use dunlin_engine::Command;

/// Added to the engine's own families.
pub const FAMILIES: &[&[&Command]] = &[];
