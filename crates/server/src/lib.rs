//! The meeting point: workers, sessions, configuration, files, and the commands that need those.

pub mod config;
pub mod logging;
