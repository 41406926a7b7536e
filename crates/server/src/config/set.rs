//! CONFIG GET and CONFIG SET over the table.
//!
//! Invariant: a set changes all of its keys or none. It does not act on the values: the caller sets a clone, lets the
//! server follow the change, and keeps the clone only if that worked.

use super::error::SetError;
use super::key::{Change, Key};
use super::pattern::{self, Case};
use super::table::{self, Found, TABLE};
use super::value::{Reading, Value};
use super::{Config, Permission};

/// Where a CONFIG SET comes from: `enable-protected-configs local` asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Loopback or a Unix socket.
    Local,
    /// Anywhere else.
    Remote,
}

impl Config {
    /// The keys that match a pattern, with their values as Redis shows them, sorted by name. See [`Config::matching_any`].
    pub fn matching(&self, pattern: &[u8]) -> Vec<(String, Vec<u8>)> {
        self.matching_any(&[pattern])
    }

    /// The keys that match any of these patterns, each once. A name without wildcards is answered as it was spelled,
    /// and finds hidden keys, too; aliases are answered as keys of their own. O(keys * patterns).
    pub fn matching_any(&self, patterns: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
        let mut found = std::collections::BTreeMap::new();
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
                if let Some(entry) = table::find_value(pattern) {
                    let name = String::from_utf8_lossy(pattern).into_owned();
                    found.entry(name).or_insert_with(|| self.shown(&entry));
                }
                continue;
            }
            for (index, key) in TABLE.iter().enumerate() {
                if key.hidden || !key.holds_value() {
                    continue;
                }
                for name in std::iter::once(key.name).chain(key.alias) {
                    if pattern::matches(pattern, name.as_bytes(), Case::Ignored) {
                        found
                            .entry(name.to_owned())
                            .or_insert_with(|| self.shown(&Found { index, key, name }));
                    }
                }
            }
        }
        found.into_iter().collect()
    }

    fn shown(&self, entry: &Found) -> Vec<u8> {
        self.values[entry.index].show(entry.key.kind)
    }

    /// Sets several keys at once, as CONFIG SET does: either all values stand afterwards, or an error says why none does.
    /// Returns the keys whose values are new, or name what may be.
    pub fn set<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        pairs: &[(N, V)],
        origin: Origin,
    ) -> Result<Vec<&'static Key>, SetError> {
        let entries = self.changeable(pairs, origin)?;
        let before: Vec<Value> = entries
            .iter()
            .map(|entry| self.values[entry.index].clone())
            .collect();
        for (done, (entry, (_, value))) in entries.iter().zip(pairs).enumerate() {
            if let Err(reason) = self.set_one(entry, value.as_ref()) {
                // Backwards, so that the oldest value of a key named twice (by its alias) is put back last.
                for (entry, value) in entries.iter().zip(before).take(done).rev() {
                    self.values[entry.index] = value;
                }
                return Err(refused(entry.name, reason));
            }
        }
        self.clamp();
        let mut changed: Vec<&'static Key> = Vec::new();
        for (entry, before) in entries.iter().zip(&before) {
            let is_new = entry.key.volatile || self.values[entry.index] != *before;
            if is_new && !changed.iter().any(|key| key.name == entry.key.name) {
                changed.push(entry.key);
            }
        }
        Ok(changed)
    }

    /// Finds the keys and checks that each may change now, before any value is looked at.
    fn changeable<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        pairs: &[(N, V)],
        origin: Origin,
    ) -> Result<Vec<Found>, SetError> {
        let mut entries: Vec<Found> = Vec::with_capacity(pairs.len());
        let mut error = None;
        for (typed, value) in pairs {
            let typed = typed.as_ref();
            let name = || String::from_utf8_lossy(typed).into_owned();
            let Some(entry) = table::find_value(typed) else {
                // As in Redis, an unknown name is reported only if nothing was wrong before it.
                error = error.or_else(|| Some(SetError::UnknownOption(name())));
                continue;
            };
            if error.is_some() {
                continue;
            }
            let reason = match entry.key.change {
                Change::AtStart if !(entry.key.ours && self.shown(&entry) == value.as_ref()) => {
                    Some("can't set immutable config")
                }
                Change::Protected if !self.protected_allowed(origin) => {
                    Some("can't set protected config")
                }
                _ if entries.iter().any(|known| known.name == entry.name) => {
                    Some("duplicate parameter")
                }
                _ => None,
            };
            match reason {
                Some(reason) => error = Some(refused(&name(), reason.to_owned())),
                None => entries.push(entry),
            }
        }
        error.map_or(Ok(entries), Err)
    }

    fn protected_allowed(&self, origin: Origin) -> bool {
        self.permission("enable-protected-configs").allows(origin)
    }

    fn set_one(&mut self, entry: &Found, bytes: &[u8]) -> Result<(), String> {
        let words: Vec<&[u8]> = if !entry.key.takes_list() {
            vec![bytes]
        } else if bytes.is_empty() {
            Vec::new()
        } else {
            bytes.split(|byte| *byte == b' ').collect()
        };
        let slot = &mut self.values[entry.index];
        let reading = Reading {
            current: slot,
            adds_up: false,
        };
        let value = Value::read(entry.key, &words, &reading)?;
        if let (Some(idle), Some(reason)) = (entry.key.idle, entry.key.refusal)
            && value != *slot
            && value.show(entry.key.kind) != idle.as_bytes()
        {
            return Err(reason.to_owned());
        }
        *slot = value;
        Ok(())
    }
}

impl Permission {
    /// True if a client from there may.
    pub fn allows(self, origin: Origin) -> bool {
        match self {
            Permission::No => false,
            Permission::Yes => true,
            Permission::Local => origin == Origin::Local,
        }
    }
}

fn refused(name: &str, reason: String) -> SetError {
    SetError::Refused {
        name: name.to_owned(),
        reason,
    }
}
