//! How a transaction reads: what it leaves alone that reads usually change.
//!
//! Invariant: nothing here changes what is found, only what finding does.

/// What reads leave as it is.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Reads {
    /// A key that has expired is not found, but stays: while clients are paused nothing may change by itself. Only for
    /// transactions that write nothing.
    pub keep_expired: bool,
    /// Access clocks stay as they are.
    pub keep_clocks: bool,
}
