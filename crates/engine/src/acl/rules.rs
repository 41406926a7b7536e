//! What a user may do, as a value: flags, passwords, selectors.

use dunlin_resp::split_words;
use sha2::{Digest, Sha256};

use super::selector::Selector;
use super::{Access, Denial, RuleError, check};
use crate::args::Args;
use crate::table::Table;

/// Characters of a password's hash.
const HASH_CHARS: usize = 64;

/// SHA-256 of a password, in lower-case hexadecimal digits.
type Hash = [u8; HASH_CHARS];

/// See the module's text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    /// Whether anybody may log in as this user.
    pub enabled: bool,
    /// Whether any password is right.
    pub nopass: bool,
    /// Whether payloads of RESTORE are examined, however much that is configured.
    pub sanitize_payload: bool,
    /// Passwords, any of which is right.
    passwords: Vec<Hash>,
    /// The first one has the rules outside parentheses.
    selectors: Vec<Selector>,
}

impl Rules {
    /// Those of a new user: off, and nothing is allowed but, where that is the default, all channels.
    pub fn new(table: &Table, all_channels: bool) -> Rules {
        Rules {
            enabled: false,
            nopass: false,
            sanitize_payload: true,
            passwords: Vec::new(),
            selectors: vec![Selector::new(table, all_channels)],
        }
    }

    /// Those of the default user, as long as nobody says otherwise: everything, without a password.
    pub fn of_default(table: &Table) -> Rules {
        let mut rules = Rules::new(table, true);
        for rule in [&b"+@all"[..], b"~*", b"&*", b"on", b"nopass"] {
            rules
                .apply(rule, table, true)
                .expect("these are rules that stand for themselves");
        }
        rules
    }

    /// Applies one rule. `all_channels` is what `reset` leaves for channels.
    ///
    /// # Errors
    /// When it is none; the rules may have changed then.
    pub fn apply(
        &mut self,
        rule: &[u8],
        table: &Table,
        all_channels: bool,
    ) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.enabled = true,
            b"off" => self.enabled = false,
            b"skip-sanitize-payload" => self.sanitize_payload = false,
            b"sanitize-payload" => self.sanitize_payload = true,
            b"nopass" => {
                self.nopass = true;
                self.passwords.clear();
            }
            b"resetpass" => {
                self.nopass = false;
                self.passwords.clear();
            }
            b"clearselectors" => self.selectors.truncate(1),
            b"reset" => *self = Rules::new(table, all_channels),
            _ => match rule {
                [b'>', password @ ..] => self.add_password(hash(password)),
                [b'#', digits @ ..] => self.add_password(read_hash(digits)?),
                [b'<', password @ ..] => self.remove_password(&hash(password))?,
                [b'!', digits @ ..] => self.remove_password(&read_hash(digits)?)?,
                [b'(', inner @ .., b')'] => {
                    let words = split_words(inner).map_err(|_| RuleError::Syntax)?;
                    let mut selector = Selector::new(table, all_channels);
                    for word in &words {
                        selector.apply(word, table)?;
                    }
                    self.selectors.push(selector);
                }
                _ => self.selectors[0].apply(rule, table)?,
            },
        }
        Ok(())
    }

    fn add_password(&mut self, hash: Hash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.nopass = false;
    }

    fn remove_password(&mut self, hash: &Hash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| known == hash);
        self.passwords.remove(at.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }

    /// Has the password of `requirepass` alone; empty for none.
    pub fn set_only_password(&mut self, password: &[u8]) {
        self.passwords.clear();
        self.nopass = password.is_empty();
        if !self.nopass {
            self.add_password(hash(password));
        }
    }

    /// Whether this password is right. The time it takes does not tell how much of it is.
    pub fn admits(&self, password: &[u8]) -> bool {
        if !self.enabled || self.nopass {
            return self.enabled;
        }
        let given = hash(password);
        let differs = |known: &Hash| {
            known
                .iter()
                .zip(&given)
                .fold(0, |sum, (a, b)| sum | (a ^ b))
        };
        // All are looked at.
        self.passwords
            .iter()
            .fold(false, |found, known| found | (differs(known) == 0))
    }

    /// The hashes of its passwords, 64 hexadecimal digits each.
    pub fn passwords(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.passwords.iter().map(|hash| &hash[..])
    }

    /// Its selectors; the first one is the user's own.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Its flags by name, in Redis's order.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            (self.enabled, "on"),
            (!self.enabled, "off"),
            (self.nopass, "nopass"),
            (!self.sanitize_payload, "skip-sanitize-payload"),
            (self.sanitize_payload, "sanitize-payload"),
        ];
        flags
            .into_iter()
            .filter_map(|(set, name)| set.then_some(name))
    }

    /// Whether it denies anything.
    pub(super) fn is_restricted(&self) -> bool {
        self.selectors.iter().all(Selector::is_restricted)
    }

    /// The rules that make these, separated by blanks.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = self.flags().collect::<Vec<_>>().join(" ").into_bytes();
        for hash in &self.passwords {
            text.extend_from_slice(b" #");
            text.extend_from_slice(hash);
        }
        for (nth, selector) in self.selectors.iter().enumerate() {
            let (open, close): (&[u8], &[u8]) = if nth == 0 { (b" ", b"") } else { (b" (", b")") };
            text.extend_from_slice(open);
            text.extend_from_slice(&selector.describe());
            text.extend_from_slice(close);
        }
        text
    }

    /// Whether a command that fits its arity may run. Among several selectors' refusals the one that came furthest is told.
    ///
    /// # Errors
    /// What is denied.
    pub fn check(&self, table: &Table, id: usize, args: Args<'_>) -> Result<(), Denial> {
        let mut worst = Denial::Command;
        for selector in &self.selectors {
            match check::command(selector, table, id, args) {
                Ok(()) => return Ok(()),
                Err(denial) => worst = worst.max(denial),
            }
        }
        Err(worst)
    }

    /// Whether a selector that allows this command allows this access to any key: SORT finds keys in values.
    pub fn allows_any_key(&self, table: &Table, id: usize, args: Args<'_>, access: Access) -> bool {
        self.selectors.iter().any(|selector| {
            check::any_key(selector, access) && check::command(selector, table, id, args).is_ok()
        })
    }

    /// Whether a message of this channel, or of a pattern by this name, may be received.
    pub fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.selectors
            .iter()
            .any(|selector| check::channel(selector, name, is_pattern))
    }
}

/// Joins the words of a selector that was split at its blanks: from one that begins with `(` to one that ends with `)`.
///
/// # Errors
/// The word with an opening parenthesis that nothing closes.
pub fn merge_selectors(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, usize> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open = None;
    for (i, word) in words.iter().enumerate() {
        if open.is_some() {
            let selector = merged.last_mut().expect("the open one");
            selector.push(b' ');
            selector.extend_from_slice(word);
        } else {
            merged.push(word.to_vec());
            if word.starts_with(b"(") {
                open = Some(i);
            }
        }
        if open.is_some() && word.ends_with(b")") {
            open = None;
        }
    }
    open.map_or(Ok(merged), Err)
}

fn hash(password: &[u8]) -> Hash {
    let mut text = [0; HASH_CHARS];
    for (chars, byte) in text.chunks_exact_mut(2).zip(Sha256::digest(password)) {
        let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
        chars.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

fn read_hash(digits: &[u8]) -> Result<Hash, RuleError> {
    let hash: Hash = digits.try_into().map_err(|_| RuleError::BadHash)?;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !hash.iter().all(is_digit) {
        return Err(RuleError::BadHash);
    }
    Ok(hash)
}
