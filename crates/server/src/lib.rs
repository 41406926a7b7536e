//! The meeting point: workers, sessions, configuration, files, and the commands that need those.
//!
//! Bytes come in through the reactor, become commands by `resp`, change state in the engine, and leave as replies. Only
//! here are the layers joined; clocks and randomness are read here and handed down.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "the server reads the clocks for everybody below"
)]

pub mod access;
pub mod admin;
pub mod auxiliary;
pub mod clients;
pub mod commands;
pub mod config;
mod frames;
pub mod host;
mod housekeeping;
mod io_backend;
mod listeners;
pub mod logging;
pub mod observe;
pub mod persistence;
pub mod process;
mod random;
mod run;
pub mod shared;
mod tls;
pub mod worker;

pub use run::run;
pub use shared::{Allocator, Memory, Shared};
