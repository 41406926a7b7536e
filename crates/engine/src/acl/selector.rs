//! A set of permissions: commands, keys and channels that go together.
//!
//! Invariant: `bits` is what the rules, applied in their order to nothing (or to everything, where future commands are allowed), give.

use std::collections::BTreeMap;

use super::RuleError;
use crate::command::Categories;
use crate::table::Table;

/// What may be done with a key.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Access(u8);

impl Access {
    /// Nothing needs to be allowed.
    pub const NONE: Access = Access(0);
    /// Its value is read.
    pub const READ: Access = Access(1);
    /// It is written.
    pub const WRITE: Access = Access(2);
    /// Both.
    pub const ALL: Access = Access(3);

    /// Whether all of `other` is in.
    pub fn covers(self, other: Access) -> bool {
        self.0 & other.0 == other.0
    }

    fn and(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }

    /// What the flags of a key spec ask for.
    pub fn of_flags(flags: &[&str]) -> Access {
        flags.iter().fold(Access::NONE, |access, flag| match *flag {
            "access" => access.and(Access::READ),
            "insert" | "delete" | "update" => access.and(Access::WRITE),
            _ => access,
        })
    }
}

/// Keys that may be used in some way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KeyPattern {
    pub(super) access: Access,
    pub(super) glob: Box<[u8]>,
}

/// `+get`, `-@dangerous`, as the user was told.
#[derive(Clone, Debug, Eq, PartialEq)]
struct CommandRule {
    allow: bool,
    name: String,
}

/// See the module's text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selector {
    /// Keys: all of them, or those that match.
    pub(super) all_keys: bool,
    pub(super) keys: Vec<KeyPattern>,
    /// Channels, likewise.
    pub(super) all_channels: bool,
    pub(super) channels: Vec<Box<[u8]>>,
    /// Every command is allowed.
    pub(super) all_commands: bool,
    /// Commands that are yet to come are allowed.
    future: bool,
    /// Allowed commands by id.
    bits: Box<[u64]>,
    /// By id of a command that is not allowed: first arguments with which it is.
    first_args: BTreeMap<usize, Vec<Box<[u8]>>>,
    rules: Vec<CommandRule>,
}

impl Selector {
    /// Nothing is allowed, but channels if that is the default.
    pub(super) fn new(table: &Table, all_channels: bool) -> Selector {
        Selector {
            all_keys: false,
            keys: Vec::new(),
            all_channels,
            channels: Vec::new(),
            all_commands: false,
            future: false,
            bits: vec![0; table.len().div_ceil(64)].into(),
            first_args: BTreeMap::new(),
            rules: Vec::new(),
        }
    }

    /// Whether it denies anything.
    pub(super) fn is_restricted(&self) -> bool {
        !(self.all_keys && self.all_channels && self.all_commands)
    }

    /// Applies one rule.
    pub(super) fn apply(&mut self, rule: &[u8], table: &Table) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => self.reset_keys(true),
            b"resetkeys" => self.reset_keys(false),
            b"allchannels" | b"&*" => self.reset_channels(true),
            b"resetchannels" => self.reset_channels(false),
            b"allcommands" | b"+@all" => self.reset_commands(true),
            b"nocommands" | b"-@all" => self.reset_commands(false),
            _ => match rule {
                [b'~', glob @ ..] => self.add_keys(Access::ALL, glob)?,
                [b'%', rest @ ..] => {
                    let (access, glob) = read_access(rest)?;
                    self.add_keys(access, glob)?;
                }
                [b'&', glob @ ..] => self.add_channels(glob)?,
                [sign @ (b'+' | b'-'), b'@', category @ ..] => {
                    self.change_category(category, *sign == b'+', table)?;
                }
                [b'+', command @ ..] if command.contains(&b'|') => {
                    self.allow_part(command, table)?;
                }
                [sign @ (b'+' | b'-'), command @ ..] => {
                    let id = table.id_in_redis(command).ok_or(RuleError::Unknown)?;
                    self.change_command(id, *sign == b'+', table);
                    self.note(*sign == b'+', table.at(id).full_name.to_owned());
                }
                _ => return Err(RuleError::Syntax),
            },
        }
        Ok(())
    }

    fn reset_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    fn reset_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn reset_commands(&mut self, all: bool) {
        self.bits.fill(if all { u64::MAX } else { 0 });
        (self.all_commands, self.future) = (all, all);
        self.rules.clear();
        self.first_args.clear();
    }

    fn add_keys(&mut self, access: Access, glob: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AfterAllKeys);
        }
        check_glob(glob)?;
        match self.keys.iter_mut().find(|known| *known.glob == *glob) {
            Some(known) => known.access = known.access.and(access),
            None => self.keys.push(KeyPattern {
                access,
                glob: glob.into(),
            }),
        }
        Ok(())
    }

    fn add_channels(&mut self, glob: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AfterAllChannels);
        }
        check_glob(glob)?;
        if !self.channels.iter().any(|known| **known == *glob) {
            self.channels.push(glob.into());
        }
        Ok(())
    }

    fn change_category(
        &mut self,
        name: &[u8],
        allow: bool,
        table: &Table,
    ) -> Result<(), RuleError> {
        let (category, name) = category(name).ok_or(RuleError::Unknown)?;
        self.note(allow, format!("@{name}"));
        for (id, command) in table.iter_all() {
            if !command.is_hidden() && command.categories.has(category) {
                self.change_command(id, allow, table);
            }
        }
        Ok(())
    }

    /// A subcommand, or a command with a first argument.
    fn allow_part(&mut self, name: &[u8], table: &Table) -> Result<(), RuleError> {
        let at = name.iter().rposition(|&byte| byte == b'|');
        let (container, part) = name.split_at(at.expect("only called for names with a bar"));
        let part = &part[1..];
        let id = table.id_in_redis(container).ok_or(RuleError::Unknown)?;
        let command = table.at(id);
        if command.full_name.contains('|') {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        if part.is_empty() {
            return Err(RuleError::Syntax);
        }
        if command.shown_subcommands().next().is_some() {
            let id = table.id_in_redis(name).ok_or(RuleError::Unknown)?;
            self.change_command(id, true, table);
        } else {
            let args = self.first_args.entry(id).or_default();
            if !args.iter().any(|known| known.eq_ignore_ascii_case(part)) {
                args.push(part.into());
            }
        }
        self.note(true, String::from_utf8_lossy(name).to_ascii_lowercase());
        Ok(())
    }

    /// Allows or denies a command, and its subcommands with it.
    fn change_command(&mut self, id: usize, allow: bool, table: &Table) {
        self.first_args.remove(&id);
        for id in id..=id + table.at(id).subcommands.len() {
            let (word, bit) = (id / 64, 1 << (id % 64));
            if allow {
                self.bits[word] |= bit;
            } else {
                self.bits[word] &= !bit;
                self.all_commands = false;
            }
        }
    }

    /// Keeps a rule, which replaces what said the same before, or the same of a part.
    fn note(&mut self, allow: bool, name: String) {
        self.rules.retain(|known| {
            let rest = known.name.strip_prefix(name.as_str());
            rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('|'))
        });
        self.rules.push(CommandRule { allow, name });
    }

    /// Whether the command with this id may be called, with this first argument behind its name.
    pub(super) fn allows_command(&self, id: usize, first_arg: Option<&[u8]>) -> bool {
        self.all_commands
            || self.bits[id / 64] & 1 << (id % 64) != 0
            || first_arg.is_some_and(|arg| {
                let allowed = self.first_args.get(&id);
                allowed.is_some_and(|args| args.iter().any(|a| a.eq_ignore_ascii_case(arg)))
            })
    }

    /// Its rules about commands, from `+@all` or `-@all` on.
    pub fn commands_text(&self) -> String {
        let mut text = String::from(if self.future { "+@all" } else { "-@all" });
        for rule in &self.rules {
            text.push_str(if rule.allow { " +" } else { " -" });
            text.push_str(&rule.name);
        }
        text
    }

    /// Its rules about keys, separated by blanks.
    pub fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let patterns = self.keys.iter().map(|pattern| {
            let prefix: &[u8] = match pattern.access {
                Access::READ => b"%R~",
                Access::WRITE => b"%W~",
                _ => b"~",
            };
            [prefix, &pattern.glob].concat()
        });
        patterns.collect::<Vec<_>>().join(&b' ')
    }

    /// Its channel patterns, separated by blanks.
    pub fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let patterns = self.channels.iter().map(|glob| [b"&", &**glob].concat());
        patterns.collect::<Vec<_>>().join(&b' ')
    }

    /// All its rules.
    pub(super) fn describe(&self) -> Vec<u8> {
        let (keys, channels) = (self.keys_text(), self.channels_text());
        let mut text = keys;
        let mut add = |words: &[u8]| {
            if !words.is_empty() {
                if !text.is_empty() {
                    text.push(b' ');
                }
                text.extend_from_slice(words);
            }
        };
        if !self.all_channels {
            add(b"resetchannels");
        }
        add(&channels);
        add(self.commands_text().as_bytes());
        text
    }
}

/// The letters up to the tilde, and what stands behind it.
fn read_access(rule: &[u8]) -> Result<(Access, &[u8]), RuleError> {
    // As in Redis: without the tilde it allows the empty key.
    let at = rule.iter().position(|&byte| byte == b'~');
    let (letters, glob) = rule.split_at(at.unwrap_or(rule.len()));
    let mut access = Access::NONE;
    for letter in letters {
        let one = match letter.to_ascii_uppercase() {
            b'R' => Access::READ,
            b'W' => Access::WRITE,
            _ => return Err(RuleError::Syntax),
        };
        if access.covers(one) {
            return Err(RuleError::Syntax);
        }
        access = access.and(one);
    }
    if access == Access::NONE {
        return Err(RuleError::Syntax);
    }
    Ok((access, glob.strip_prefix(b"~").unwrap_or(glob)))
}

fn check_glob(glob: &[u8]) -> Result<(), RuleError> {
    let bad = |&byte: &u8| byte == 0 || byte.is_ascii_whitespace() || byte == 0x0b;
    if glob.iter().any(bad) {
        return Err(RuleError::Syntax);
    }
    Ok(())
}

/// A category by its name, letter case aside.
pub fn category(name: &[u8]) -> Option<(Categories, &'static str)> {
    let named = |(_, known): &&(Categories, &str)| known.as_bytes().eq_ignore_ascii_case(name);
    Categories::NAMES.iter().find(named).copied()
}
