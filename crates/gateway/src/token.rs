//! Tokens: who a device says that it is, the same for all its connections.
//!
//! Invariant: within a loop a token is one [`Token`], so that messages of one device are seen to be of one device, whatever connection
//! they came by. It is forgotten once no connection and no message has it.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::names::Names;

/// Entries at which those are looked for that nobody has any more, at least.
const SWEEP_MIN: usize = 64;

/// A device's token.
#[derive(Debug)]
pub(crate) struct Token {
    /// As the device said it.
    pub(crate) name: Box<[u8]>,
    /// The key with the IDs of its messages.
    pub(crate) key: Box<[u8]>,
    /// Tells tokens of a loop apart.
    pub(crate) serial: u64,
    /// IDs that this loop has added to the key since it was last cut to the window.
    pub(crate) uncut: Cell<u32>,
    /// When this loop last set the key's deadline, ms of its clock.
    pub(crate) deadline_set_ms: Cell<Option<u64>>,
}

/// The tokens of a loop.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: HashMap<Box<[u8]>, Rc<Token>>,
    next_serial: u64,
    sweep_at: usize,
}

impl Tokens {
    /// The token of this name.
    pub(crate) fn of(&mut self, name: &[u8], names: &Names) -> Rc<Token> {
        if let Some(token) = self.known.get(name) {
            return Rc::clone(token);
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, token| Rc::strong_count(token) > 1);
            self.sweep_at = SWEEP_MIN.max(2 * self.known.len());
        }
        self.next_serial += 1;
        let token = Rc::new(Token {
            name: name.into(),
            key: names.kept(name),
            serial: self.next_serial,
            uncut: Cell::new(u32::MAX),
            deadline_set_ms: Cell::new(None),
        });
        self.known.insert(name.into(), Rc::clone(&token));
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_each_name_and_none_for_ever() {
        let names = Names::of(b"s").unwrap();
        let mut tokens = Tokens::default();
        let one = tokens.of(b"a", &names);
        assert_eq!(one.serial, tokens.of(b"a", &names).serial);
        assert_ne!(one.serial, tokens.of(b"b", &names).serial);
        for number in 0..10_000u32 {
            tokens.of(&number.to_be_bytes(), &names);
        }
        assert!(tokens.known.len() <= SWEEP_MIN + 1);
        assert_eq!(one.serial, tokens.of(b"a", &names).serial, "it is in use");
    }
}
