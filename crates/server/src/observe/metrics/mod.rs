//! What is measured, as text for Prometheus and its kind, and as the JSON of `/api/stats`.
//!
//! Each metric is a row of `table`; `text` writes rows, in the Prometheus format 0.0.4 or as OpenMetrics 1.0, and docs/metrics.md is written from
//! them. The numbers are those of INFO and its kind, read from the same places; counters are since the start, whatever CONFIG RESETSTAT says.
//!
//! Invariant: labels have values out of tables (commands, databases, stages, workers), so that a scrape is bounded, whatever clients send. Commands that
//! were never called have no samples. Nothing is written, and no stripe is taken.

mod kinds;
mod page;
mod stats;
mod table;
mod text;

pub use kinds::MemoryKinds;
pub use page::markdown;
pub use stats::stats;
pub use text::{Format, render};
