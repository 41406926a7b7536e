//! Commands on keys whatever they hold, and on whole databases.

mod copy;
mod dbsize;
mod del;
mod dump;
mod exists;
mod expire;
mod flush;
mod keys;
mod move_key;
mod object;
mod persist;
mod randomkey;
mod rename;
mod restore;
pub(crate) mod scan;
mod swapdb;
mod touch;
mod ttl;
mod type_of;

use crate::Command;

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &copy::COPY,
    &dbsize::DBSIZE,
    &del::DEL,
    &dump::DUMP,
    &exists::EXISTS,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &ttl::EXPIRETIME,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &keys::KEYS,
    &move_key::MOVE,
    &object::OBJECT,
    &persist::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &randomkey::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &restore::RESTORE,
    &scan::SCAN,
    &swapdb::SWAPDB,
    &touch::TOUCH,
    &ttl::TTL,
    &type_of::TYPE,
    &del::UNLINK,
];
