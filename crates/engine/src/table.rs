//! All commands by name, and a number for each that statistics are filed under.
//!
//! Invariant: `id`s are dense, stable for the life of the table, and subcommands have their own.

use crate::args::Args;
use crate::command::Command;

/// Slots of the name index; far more than commands, so that most look-ups hit at once.
const INDEX_SLOTS: usize = 2048;
/// Marks a free slot.
const FREE: u16 = u16::MAX;

/// The merged command table.
pub struct Table {
    commands: Vec<&'static Command>,
    /// For each command the id of its container, or its own.
    containers: Vec<usize>,
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
    if let Some(bytes) = name.first_chunk::<8>() {
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

impl Table {
    /// Merges sorted families. Panics when a name stands twice: a bug.
    pub fn new(families: &[&[&'static Command]]) -> Table {
        let mut table = Table {
            commands: Vec::new(),
            containers: Vec::new(),
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
            assert!(
                table.id_of(command.name.as_bytes()).is_none(),
                "{} stands twice in the table",
                command.name
            );
            table.commands.push(command);
            table.containers.push(id);
            let name = command.name.as_bytes();
            let mut at = slot(head(name), name.len());
            while table.index[at].id != FREE {
                at = (at + 1) % INDEX_SLOTS;
            }
            let case = |byte: &u8| u8::from(byte.is_ascii_alphabetic()) << 5;
            table.index[at] = Indexed {
                head: head(name),
                case: head(&name.iter().map(case).collect::<Vec<u8>>()),
                len: u8::try_from(name.len()).expect("names are short"),
                id: id as u16,
            };
            for subcommand in command.subcommands {
                table.commands.push(subcommand);
                table.containers.push(id);
            }
        }
        table
    }

    /// Number of commands and subcommands: ids are below it.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The command with this id.
    #[inline]
    pub fn at(&self, id: usize) -> &'static Command {
        self.commands[id]
    }

    /// Top-level commands with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &'static Command)> + '_ {
        self.commands
            .iter()
            .enumerate()
            .filter(|&(id, _)| self.containers[id] == id)
            .map(|(id, c)| (id, *c))
    }

    /// All commands, subcommands included, with their ids.
    pub fn iter_all(&self) -> impl Iterator<Item = (usize, &'static Command)> + '_ {
        self.commands.iter().copied().enumerate()
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
                && self.commands[id].name.as_bytes()[name.len().min(8)..]
                    .eq_ignore_ascii_case(&name[name.len().min(8)..])
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
}
