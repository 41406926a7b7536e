//! String commands.

mod append;
mod expire_option;
mod get;
mod getdel;
mod getex;
mod getrange;
mod getset;
mod incr;
mod incrbyfloat;
mod lcs;
mod mget;
mod mset;
mod set;
mod setex;
mod setnx;
mod setrange;
mod strlen;

use crate::{Args, Command, Ctx, Engine, ReplyError, Session};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &append::APPEND,
    &incr::DECR,
    &incr::DECRBY,
    &get::GET,
    &getdel::GETDEL,
    &getex::GETEX,
    &getrange::GETRANGE,
    &getset::GETSET,
    &incr::INCR,
    &incr::INCRBY,
    &incrbyfloat::INCRBYFLOAT,
    &lcs::LCS,
    &mget::MGET,
    &mset::MSET,
    &mset::MSETNX,
    &setex::PSETEX,
    &set::SET,
    &setex::SETEX,
    &setnx::SETNX,
    &setrange::SETRANGE,
    &strlen::STRLEN,
    &getrange::SUBSTR,
];

/// The length of a string that gets `added` bytes at `offset`; an error when it would be longer than a string may be.
/// What the log says is carried out whatever the limit is now.
fn check_length(cx: &Ctx<'_>, offset: usize, added: usize) -> Result<usize, ReplyError> {
    let max = if cx.session.replaying {
        usize::MAX
    } else {
        cx.engine.string_bytes_max()
    };
    offset
        .checked_add(added)
        .filter(|&len| len <= max)
        .ok_or(ReplyError::StringTooLong)
}

/// Weight of what does a constant amount of work for each argument.
pub(crate) fn argument_count(_engine: &Engine, _session: &Session, args: Args<'_>) -> u64 {
    args.len() as u64
}
