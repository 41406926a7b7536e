//! Numbers as arguments and replies: Redis's rules of what parses and how it prints.

mod big;
mod double;
mod general;
mod long_double;

pub use double::{parse_bound, parse_double};
pub use general::{push_general, push_general_digits};
pub use long_double::LongDouble;

/// Parses a decimal integer in canonical form (no `+`, no leading zeros, no blanks), as Redis demands of arguments.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    dunlin_store::entry::parse_canonical_int(text)
}
