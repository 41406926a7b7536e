//! All commands by name, and a number for each that statistics are filed under.
//!
//! Invariant: `id`s are dense, stable for the life of the table, and subcommands have their own.

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
    index: Box<[(u64, u16)]>,
}

/// First eight bytes in lower case, zero-padded.
#[inline]
fn head(name: &[u8]) -> u64 {
    let mut bytes = [0u8; 8];
    let n = name.len().min(8);
    bytes[..n].copy_from_slice(&name[..n]);
    // Setting bit 5 lowers letters; other bytes may collide, which the full comparison sorts out.
    u64::from_le_bytes(bytes) | 0x2020_2020_2020_2020
}

#[inline]
fn slot(head: u64, len: usize) -> usize {
    let mixed = (head ^ (len as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - INDEX_SLOTS.trailing_zeros())) as usize
}

impl Table {
    /// Merges sorted families. Panics when a name stands twice: a bug.
    pub fn new(families: &[&[&'static Command]]) -> Table {
        let mut table = Table {
            commands: Vec::new(),
            containers: Vec::new(),
            index: vec![(0, FREE); INDEX_SLOTS].into(),
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
            let head = head(command.name.as_bytes());
            let mut at = slot(head, command.name.len());
            while table.index[at].1 != FREE {
                at = (at + 1) % INDEX_SLOTS;
            }
            table.index[at] = (head, id as u16);
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
            let (stored, id) = self.index[at];
            if id == FREE {
                return None;
            }
            if stored == head
                && self.commands[id as usize]
                    .name
                    .as_bytes()
                    .eq_ignore_ascii_case(name)
            {
                return Some(id as usize);
            }
            at = (at + 1) % INDEX_SLOTS;
        }
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
