//! A request in the making: a command and its arguments, encoded as they are added.
//!
//! Invariant: a request's buffer comes from its thread's stock and goes back to it, so a thread that sends one request after the other
//! allocates nothing for them.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use dunlin_resp::reply;

use crate::arg::{Arguments, ToArg};
use crate::error::Error;

/// Buffers that a thread keeps for its next requests.
const SPARE_MAX: usize = 8;
/// A buffer that has grown beyond this is not kept.
const SPARE_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A command with arguments, not yet sent.
///
/// ```
/// use dunlin_client::Command;
///
/// let command = Command::new("SET").arg("greeting").arg("hello").arg(("EX", 10));
/// assert_eq!(command.name(), b"SET");
/// assert_eq!(command.args().count(), 5);
/// ```
pub struct Command {
    arguments: Arguments,
    pub(crate) options: RequestOptions,
}

/// How a request is to be sent.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct RequestOptions {
    /// Its deadline, if not the client's.
    pub(crate) deadline: Option<Duration>,
    /// May be sent again when nobody knows what became of it.
    pub(crate) idempotent: bool,
}

/// What a command does to the state of its connection.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Nothing,
    /// Database, login, name, and other things that only RESET takes back.
    State,
    /// Answered by so many confirmations.
    Subscriptions(usize),
    Watch,
    Unwatch,
    Multi,
    /// A transaction ends, and with it what was watched.
    Exec,
    /// No replies, or others than those to requests, come from now on.
    Silence,
}

impl Command {
    /// A command without arguments. `name` is one word; that of a subcommand is an argument.
    #[must_use]
    pub fn new(name: &str) -> Command {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        let mut arguments = Arguments {
            bytes: spare.ok().flatten().unwrap_or_default(),
            count: 0,
        };
        arguments.push(name.as_bytes());
        Command {
            arguments,
            options: RequestOptions::default(),
        }
    }

    /// Adds an argument, or several: see [`ToArg`].
    #[must_use]
    #[inline]
    pub fn arg(mut self, argument: impl ToArg) -> Command {
        argument.write(&mut self.arguments);
        self
    }

    /// Adds arguments behind their number, as commands with `numkeys` have it.
    #[must_use]
    pub fn counted(mut self, arguments: impl ToArg) -> Command {
        let counted = Command::new("").arg(arguments);
        self.push(counted.arguments.count - 1);
        for argument in counted.args().skip(1) {
            self.push(argument);
        }
        self
    }

    /// As [`Command::arg`], for loops.
    #[inline]
    pub fn push(&mut self, argument: impl ToArg) {
        argument.write(&mut self.arguments);
    }

    /// How long to wait for the reply, instead of the client's own deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Command {
        self.options.deadline = Some(deadline);
        self
    }

    /// Says that the request may be carried out twice: when the connection is lost and nobody knows what became of it, it is sent again
    /// on the next connection, as long as its deadline allows.
    #[must_use]
    pub fn idempotent(mut self) -> Command {
        self.options.idempotent = true;
        self
    }

    /// The command's name, as it was given.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.args().next().unwrap_or_default()
    }

    /// All arguments, the name first.
    pub fn args(&self) -> impl Iterator<Item = &[u8]> {
        self.arguments.iter()
    }

    /// Bytes on the wire, about.
    pub(crate) fn wire_bytes(&self) -> usize {
        self.arguments.bytes.len() + 8
    }

    /// Appends the request.
    #[inline]
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        reply::array(out, self.arguments.count);
        out.extend_from_slice(&self.arguments.bytes);
    }

    /// Refuses what would change a connection for everybody who shares it, or hold it up.
    pub(crate) fn check_shared(&self) -> Result<(), Error> {
        let name = self.name();
        let hint = match name.first().map(u8::to_ascii_uppercase) {
            Some(b'A' | b'B' | b'C' | b'D' | b'E' | b'H' | b'M' | b'P' | b'Q' | b'R' | b'S')
            | Some(b'U' | b'W' | b'X') => self.hint(name),
            _ => None,
        };
        match hint {
            None => Ok(()),
            Some(hint) => Err(Error::NotShared {
                command: String::from_utf8_lossy(name).to_ascii_uppercase(),
                hint,
            }),
        }
    }

    /// What it does to the state of a connection.
    pub(crate) fn touch(&self) -> Touch {
        /// Those that leave state behind. (`CLIENT`, too: most of its subcommands do.)
        const STATE: [&str; 8] = [
            "SELECT",
            "AUTH",
            "HELLO",
            "CLIENT",
            "READONLY",
            "READWRITE",
            "ASKING",
            "RESET",
        ];
        let name = self.name();
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        match name.last().map(u8::to_ascii_uppercase) {
            Some(b'E')
                if name.len() > 8 && name[name.len() - 9..].eq_ignore_ascii_case(b"SUBSCRIBE") =>
            {
                Touch::Subscriptions(self.arguments.count - 1)
            }
            Some(b'H') if is("WATCH") => Touch::Watch,
            Some(b'H') if is("UNWATCH") => Touch::Unwatch,
            Some(b'I') if is("MULTI") => Touch::Multi,
            Some(b'C') if is("EXEC") => Touch::Exec,
            Some(b'D') if is("DISCARD") => Touch::Exec,
            Some(b'T') if is("QUIT") => Touch::Silence,
            Some(b'R') if is("MONITOR") => Touch::Silence,
            Some(b'C') if is("SYNC") || is("PSYNC") => Touch::Silence,
            Some(b'T') if is("CLIENT") && self.has(1, "REPLY") => Touch::Silence,
            _ if STATE.into_iter().any(is) => Touch::State,
            _ => Touch::Nothing,
        }
    }

    fn has(&self, at: usize, word: &str) -> bool {
        let argument = self.args().nth(at);
        argument.is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn hint(&self, name: &[u8]) -> Option<&'static str> {
        const OPTIONS: &str = "say it in the client's options";
        const SUBSCRIBE: &str = "use the client's subscribe methods";
        const TRANSACTION: &str = "use a transaction, or a connection from a pool";
        const OWN: &str = "use a connection from a pool";
        /// Names, and what to do instead.
        const REFUSED: [(&str, &str); 28] = [
            ("AUTH", OPTIONS),
            ("HELLO", OPTIONS),
            ("SELECT", OPTIONS),
            ("SUBSCRIBE", SUBSCRIBE),
            ("PSUBSCRIBE", SUBSCRIBE),
            ("SSUBSCRIBE", SUBSCRIBE),
            ("UNSUBSCRIBE", SUBSCRIBE),
            ("PUNSUBSCRIBE", SUBSCRIBE),
            ("SUNSUBSCRIBE", SUBSCRIBE),
            ("MULTI", TRANSACTION),
            ("EXEC", TRANSACTION),
            ("DISCARD", TRANSACTION),
            ("WATCH", TRANSACTION),
            ("UNWATCH", TRANSACTION),
            ("MONITOR", OWN),
            ("QUIT", "close the client"),
            ("RESET", OWN),
            ("SYNC", OWN),
            ("PSYNC", OWN),
            ("BLPOP", OWN),
            ("BRPOP", OWN),
            ("BLMOVE", OWN),
            ("BRPOPLPUSH", OWN),
            ("BLMPOP", OWN),
            ("BZPOPMIN", OWN),
            ("BZPOPMAX", OWN),
            ("BZMPOP", OWN),
            ("ASKING", OWN),
        ];
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if let Some((_, hint)) = REFUSED.iter().find(|(word, _)| is(word)) {
            return Some(hint);
        }
        if is("CLIENT") && (self.has(1, "REPLY") || self.has(1, "SETNAME")) {
            return Some(OWN);
        }
        let may_block = is("XREAD") || is("XREADGROUP");
        (may_block && (1..self.arguments.count.min(8)).any(|at| self.has(at, "BLOCK")))
            .then_some(OWN)
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.arguments.bytes);
        if bytes.capacity() == 0 || bytes.capacity() > SPARE_BYTES_MAX {
            return;
        }
        bytes.clear();
        // A thread that is ending keeps nothing.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_MAX {
                spare.push(bytes);
            }
        });
    }
}

impl Clone for Command {
    fn clone(&self) -> Command {
        Command {
            arguments: Arguments {
                bytes: self.arguments.bytes.clone(),
                count: self.arguments.count,
            },
            options: self.options,
        }
    }
}

impl fmt::Debug for Command {
    /// The name only: arguments may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &String::from_utf8_lossy(self.name()))
            .field("args", &(self.arguments.count - 1))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_encoded_as_it_goes() {
        let mut out = b"before".to_vec();
        Command::new("GET").arg("k").encode(&mut out);
        assert_eq!(out, b"before*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }

    #[test]
    fn what_changes_a_connection_is_not_for_sharing() {
        for name in [
            "select", "Multi", "AUTH", "watch", "BLPOP", "reset", "quit", "hello",
        ] {
            assert!(Command::new(name).check_shared().is_err(), "{name}");
        }
        for name in ["GET", "SET", "MGET", "EXISTS", "HSET", "PUBLISH", "XREAD"] {
            assert!(Command::new(name).check_shared().is_ok(), "{name}");
        }
        assert!(
            Command::new("xread")
                .arg(("block", 0))
                .check_shared()
                .is_err()
        );
        assert!(
            Command::new("CLIENT")
                .arg("REPLY")
                .arg("OFF")
                .check_shared()
                .is_err()
        );
        assert!(Command::new("CLIENT").arg("ID").check_shared().is_ok());
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", Command::new("AUTH").arg("secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
