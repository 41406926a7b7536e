//! All commands by name, and a number for each that statistics are filed under.
//!
//! Invariant: `id`s are dense, stable for the life of the table, and subcommands have their own. A command that was renamed
//! or removed keeps its id: only the index of names knows of it.

use crate::args::Args;
use crate::command::{Command, Flags};

/// Slots of the name index; far more than commands, so that most look-ups hit at once.
const INDEX_SLOTS: usize = 2048;
/// Longest name of a command.
pub const NAME_BYTES_MAX: usize = u8::MAX as usize;
/// So much of a name is in its slot.
const HEAD_BYTES: usize = 8;
/// Marks a free slot.
const FREE: u16 = u16::MAX;

/// The merged command table.
pub struct Table {
    commands: Vec<&'static Command>,
    /// For each command the id of its container, or its own.
    containers: Vec<usize>,
    /// For each command whether it is brief, see [`Table::is_brief`].
    brief: Vec<bool>,
    /// By id, in lower case: how clients call it. Empty for subcommands, and for what was removed.
    names: Vec<Box<[u8]>>,
    index: Box<[Indexed; INDEX_SLOTS]>,
}

/// A slot of the name index: the beginning of a command's name, and its id.
#[derive(Clone, Copy)]
struct Indexed {
    /// [`head`] of the name.
    head: u64,
    /// Bit 5, which is letter case, of every byte of `head` that is a letter.
    case: u64,
    len: u8,
    id: u16,
}

/// The first eight bytes, zero-padded, as a little-endian number.
#[inline]
fn head(name: &[u8]) -> u64 {
    if let Some(bytes) = name.first_chunk::<HEAD_BYTES>() {
        u64::from_le_bytes(*bytes)
    } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        // The two overlap, in bytes that are the same in both.
        let last = u64::from(u32::from_le_bytes(*last)) << ((name.len() - 4) * 8);
        u64::from(u32::from_le_bytes(*first)) | last
    } else {
        match *name {
            [a, b, c] => u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]),
            [a, b] => u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]),
            [a] => a.into(),
            _ => 0,
        }
    }
}

#[inline]
fn slot(head: u64, len: usize) -> usize {
    // Setting bit 5 lowers letters; other bytes may collide, which the comparison sorts out.
    let lower = head | 0x2020_2020_2020_2020;
    let mixed = (lower ^ (len as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - INDEX_SLOTS.trailing_zeros())) as usize
}

/// Redis calls only some of the commands on one string fast; with short arguments and replies all of them are.
fn is_brief(command: &Command) -> bool {
    command.flags.has(Flags::FAST) || (command.group == "string" && command.has_one_key())
}

impl Table {
    /// Merges sorted families. Panics when a name stands twice: a bug.
    pub fn new(families: &[&[&'static Command]]) -> Table {
        Table::renamed(families, &[])
    }

    /// As [`Table::new`], with commands under other names, in order: old name and new one, empty to remove the command.
    /// Names that no command has are passed over. Panics when a new name is taken or too long: check before.
    pub fn renamed(families: &[&[&'static Command]], renames: &[(Vec<u8>, Vec<u8>)]) -> Table {
        let mut table = Table {
            commands: Vec::new(),
            containers: Vec::new(),
            brief: Vec::new(),
            names: Vec::new(),
            index: Box::new(
                [Indexed {
                    head: 0,
                    case: 0,
                    len: 0,
                    id: FREE,
                }; INDEX_SLOTS],
            ),
        };
        for command in families.iter().flat_map(|f| f.iter()) {
            let id = table.commands.len();
            table.commands.push(command);
            table.containers.push(id);
            table.names.push(command.name.as_bytes().into());
            for subcommand in command.subcommands {
                table.commands.push(subcommand);
                table.containers.push(id);
                table.names.push(Box::default());
            }
        }
        table.brief = table.commands.iter().map(|c| is_brief(c)).collect();
        for (from, to) in renames {
            let from = from.to_ascii_lowercase();
            let id = table.names.iter().position(|name| **name == *from);
            if let Some(id) = id.filter(|_| !from.is_empty()) {
                table.names[id] = to.to_ascii_lowercase().into();
            }
        }
        for id in 0..table.commands.len() {
            if !table.names[id].is_empty() {
                table.enter(id);
            }
        }
        table
    }

    /// Puts a command into the index of names.
    fn enter(&mut self, id: usize) {
        let name = &*self.names[id];
        assert!(
            self.id_of(name).is_none(),
            "{} stands twice in the table",
            name.escape_ascii()
        );
        let mut at = slot(head(name), name.len());
        while self.index[at].id != FREE {
            at = (at + 1) % INDEX_SLOTS;
        }
        let case = |byte: &u8| u8::from(byte.is_ascii_alphabetic()) << 5;
        self.index[at] = Indexed {
            head: head(name),
            case: head(&name.iter().map(case).collect::<Vec<u8>>()),
            len: u8::try_from(name.len()).expect("names are short"),
            id: id as u16,
        };
    }

    /// Number of commands and subcommands: ids are below it.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether a command, its arguments and reply being short, takes a fraction of a microsecond: nobody measures one alone.
    #[inline]
    pub fn is_brief(&self, id: usize) -> bool {
        self.brief[id]
    }

    /// The command with this id.
    #[inline]
    pub fn at(&self, id: usize) -> &'static Command {
        self.commands[id]
    }

    /// Top-level commands that clients can call, with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &'static Command)> + '_ {
        self.commands
            .iter()
            .enumerate()
            .filter(|&(id, _)| !self.names[id].is_empty())
            .map(|(id, c)| (id, *c))
    }

    /// All commands that clients can call, subcommands included, with their ids.
    pub fn iter_callable(&self) -> impl Iterator<Item = (usize, &'static Command)> + '_ {
        self.iter_all()
            .filter(|&(id, _)| !self.names[self.containers[id]].is_empty())
    }

    /// All commands, subcommands and removed ones included, with their ids.
    pub fn iter_all(&self) -> impl Iterator<Item = (usize, &'static Command)> + '_ {
        self.commands.iter().copied().enumerate()
    }

    /// Id of the container of this command, or its own.
    #[inline]
    pub fn container(&self, id: usize) -> usize {
        self.containers[id]
    }

    /// Id of a top-level command, letter case aside.
    #[inline]
    pub fn id_of(&self, name: &[u8]) -> Option<usize> {
        let head = head(name);
        let mut at = slot(head, name.len());
        loop {
            let indexed = &self.index[at];
            if indexed.id == FREE {
                return None;
            }
            let id = usize::from(indexed.id);
            if (indexed.head ^ head) & !indexed.case == 0
                && usize::from(indexed.len) == name.len()
                && (name.len() <= HEAD_BYTES
                    || self.names[id][HEAD_BYTES..].eq_ignore_ascii_case(&name[HEAD_BYTES..]))
            {
                return Some(id);
            }
            at = (at + 1) % INDEX_SLOTS;
        }
    }

    /// Id of the command or subcommand that these arguments call.
    pub fn id_of_call(&self, args: Args<'_>) -> Option<usize> {
        let id = self.id_of(args.get(0)?)?;
        match args.get(1) {
            Some(name) if !self.commands[id].subcommands.is_empty() => self.subcommand(id, name),
            _ => Some(id),
        }
    }

    /// Id of what a client names, `get` or `config|get`, letter case aside.
    pub fn id_of_full(&self, name: &[u8]) -> Option<usize> {
        let mut parts = name.split(|&byte| byte == b'|');
        let id = self.id_of(parts.next()?)?;
        let found = match parts.next() {
            None => id,
            Some(subcommand) => self.subcommand(id, subcommand)?,
        };
        parts.next().is_none().then_some(found)
    }

    /// Id of what has this name in Redis, `get` or `config|get`, letter case aside, whatever it was renamed to. O(commands).
    pub fn id_in_redis(&self, name: &[u8]) -> Option<usize> {
        let is = |command: &Command| {
            !command.is_hidden() && command.full_name.as_bytes().eq_ignore_ascii_case(name)
        };
        self.iter_all()
            .find_map(|(id, command)| is(command).then_some(id))
    }

    /// Id of the subcommand `name` of the container with this id.
    #[inline]
    pub fn subcommand(&self, container: usize, name: &[u8]) -> Option<usize> {
        let subcommands = self.commands[container].subcommands;
        let index = subcommands
            .iter()
            .position(|s| s.name.as_bytes().eq_ignore_ascii_case(name))?;
        Some(container + 1 + index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::FAMILIES;

    #[test]
    fn every_name_is_found_in_any_case_and_nothing_like_it() {
        let table = Table::new(FAMILIES);
        for (id, command) in table.iter() {
            let name = command.name.as_bytes();
            assert_eq!(table.id_of(name), Some(id));
            assert_eq!(table.id_of(&name.to_ascii_uppercase()), Some(id));
            for at in 0..name.len() {
                let mut mixed = name.to_vec();
                mixed[at] = mixed[at].to_ascii_uppercase();
                assert_eq!(table.id_of(&mixed), Some(id));
                for bit in [0, 1, 6, 7] {
                    let mut wrong = name.to_vec();
                    wrong[at] ^= 1 << bit;
                    assert_ne!(table.id_of(&wrong), Some(id), "{}", wrong.escape_ascii());
                }
                assert_ne!(table.id_of(&name[..at]), Some(id));
            }
            assert_ne!(table.id_of(&[name, b"\0"].concat()), Some(id));
        }
        assert_eq!(table.id_of(b""), None);
    }

    #[test]
    fn renamed_commands_are_found_by_their_new_names_only() {
        let renames = [
            ("SET", "Store-A-Value"),
            ("get", ""),
            ("nosuch", "other"),
            ("mget", "get"),
            ("del", "mget"),
        ];
        let renames = renames.map(|(from, to)| (from.into(), to.into()));
        let plain = Table::new(FAMILIES);
        let table = Table::renamed(FAMILIES, &renames);
        assert_eq!(table.len(), plain.len());
        for (new, old) in [("STORE-a-value", "set"), ("get", "mget"), ("mget", "del")] {
            assert_eq!(table.id_of(new.as_bytes()), plain.id_of(old.as_bytes()));
        }
        for gone in [&b"set"[..], b"del", b"other", b""] {
            assert_eq!(table.id_of(gone), None);
        }
        let names = |table: &Table| table.iter().map(|(_, c)| c.name).collect::<Vec<_>>();
        let mut without = names(&plain);
        without.retain(|name| *name != "get");
        assert_eq!(names(&table), without);
        assert!(table.iter_callable().all(|(_, c)| c.name != "get"));
    }
}
