//! Access control: who may run which commands, on which keys and channels. <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>
//!
//! A [`User`] has [`Rules`]: flags, passwords, and [`Selector`]s, any one of which may allow a command. Rules are changed as a whole:
//! a reader sees those before or those after a change. [`Users`] are all users by name; the one called `default` is always there.
//!
//! Invariant: who is not restricted ([`User::is_restricted`]) costs one relaxed load a command. Rules read and write as the text that
//! describes them: what [`Rules::describe`] says, set again, gives equal rules.
//!
//! Not here: the log of what was denied, files, and the sessions of users; those are the server's.

mod check;
mod enforce;
mod rules;
mod selector;
#[cfg(test)]
mod tests;
mod user;

use std::fmt;

use crate::command::Command;

pub use check::channels;
pub use rules::{Rules, merge_selectors};
pub use selector::{Access, Selector, category};
pub use user::{Changed, DEFAULT_USER, NamedRules, User, Users, is_plain_name};

/// Why a command was denied.
#[derive(Copy, Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub enum Denial {
    /// The command itself.
    Command,
    /// The key at this argument.
    Key(usize),
    /// The channel at this argument.
    Channel(usize),
}

/// Where a command was denied.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Setting {
    /// A command of its own.
    TopLevel,
    /// Inside MULTI.
    Transaction,
    /// In a script.
    Script,
}

/// A denied command, for the log.
#[derive(Copy, Clone, Debug)]
pub struct Denied<'a> {
    /// Why.
    pub denial: Denial,
    /// Name of the denied command, the key, or the channel.
    pub object: &'a [u8],
    /// What the client called: the denied command, or the one that runs it.
    pub command: &'static Command,
    /// Where.
    pub setting: Setting,
}

/// A rule that can't be taken, in Redis's words.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum RuleError {
    /// There is no such command or category.
    Unknown,
    /// It makes no sense.
    Syntax,
    /// A key pattern where all keys are allowed.
    AfterAllKeys,
    /// A channel pattern where all channels are allowed.
    AfterAllChannels,
    /// A password to remove that is not there.
    NoSuchPassword,
    /// A hash that is none.
    BadHash,
    /// `+config|get|x`.
    FirstArgOfSubcommand,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try \
                 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try \
                 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgOfSubcommand => {
                "Allowing first-arg of a subcommand is not supported"
            }
        })
    }
}

impl std::error::Error for RuleError {}
