//! Typed commands: a method for each command of the server, on everything that takes commands.
//!
//! Invariant: the methods are made from the server's command table, see `generated`. They name and order the arguments that a command must
//! have; options follow by `arg`. The reply's type is the caller's to choose.
//!
//! ```no_run
//! use dunlin_client::commands::*;
//! use dunlin_client::{Client, Pipeline};
//!
//! let client = Client::connect("redis://127.0.0.1")?;
//! let () = client.set("visits", 1).arg(("EX", 60)).call()?;
//! let n: i64 = client.incrby("visits", 2).call()?;
//! let () = client.hset("user:1", [("name", "Ada"), ("mail", "ada@example.org")]).call()?;
//!
//! let mut pipeline = Pipeline::new();
//! pipeline.incr("visits").set("k", "v").arg("KEEPTTL").mget(["visits", "k"]);
//! let (_, _, both): (i64, (), Vec<String>) = client.run(&pipeline)?;
//! # let _ = (n, both); Ok::<(), dunlin_client::Error>(())
//! ```

mod generated;

use crate::client::{Client, Request};
use crate::command::Command;
use crate::connection::{Connection, ConnectionRequest};
use crate::pipeline::Pipeline;

pub use generated::*;

/// Something that takes commands: a [`Client`], a [`Connection`], a [`Pipeline`].
pub trait Commands: Sized {
    /// What a command becomes there.
    type Out;

    /// Takes a command.
    fn put(self, command: Command) -> Self::Out;
}

impl<'a> Commands for &'a Client {
    type Out = Request<'a>;
    fn put(self, command: Command) -> Request<'a> {
        self.request(command)
    }
}

impl<'a> Commands for &'a mut Connection {
    type Out = ConnectionRequest<'a>;
    fn put(self, command: Command) -> ConnectionRequest<'a> {
        self.request(command)
    }
}

impl<'a> Commands for &'a mut Pipeline {
    type Out = &'a mut Pipeline;
    fn put(self, command: Command) -> &'a mut Pipeline {
        self.add(command)
    }
}

/// Where a command's first key stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum FirstKey {
    /// At this argument.
    At(usize),
    /// At the second one, if the first says that there are keys.
    Counted(usize, usize),
    /// Behind this word.
    Behind(&'static str),
}

/// Commands that this crate's table lacks as long as the server's does.
const SCRIPTS: [&str; 6] = [
    "EVAL",
    "EVALSHA",
    "EVAL_RO",
    "EVALSHA_RO",
    "FCALL",
    "FCALL_RO",
];

/// Where the first key of a command is, if it has one.
pub(crate) fn first_key(command: &Command) -> Option<usize> {
    let place = place_of_key(command)?;
    let count = command.args().count();
    let at = match place {
        FirstKey::At(at) => at,
        FirstKey::Counted(number, first) => {
            let number = command.args().nth(number)?;
            let number: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
            if number == 0 {
                return None;
            }
            first
        }
        FirstKey::Behind(word) => {
            let is_word = |argument: &[u8]| argument.eq_ignore_ascii_case(word.as_bytes());
            command.args().position(is_word)? + 1
        }
    };
    (at < count).then_some(at)
}

fn place_of_key(command: &Command) -> Option<FirstKey> {
    let mut words = command.args().map(<[u8]>::to_ascii_uppercase);
    let name = words.next()?;
    let find = |name: &[u8]| {
        let found =
            generated::keys::FIRST_KEYS.binary_search_by(|(other, _)| other.as_bytes().cmp(name));
        found.ok().map(|at| generated::keys::FIRST_KEYS[at].1)
    };
    if let Some(place) = find(&name) {
        return Some(place);
    }
    if SCRIPTS.iter().any(|script| script.as_bytes() == name) {
        return Some(FirstKey::Counted(2, 3));
    }
    let subcommand = words.next()?;
    find(&[&name[..], b" ", &subcommand[..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_keys_are_found() {
        let keys = generated::keys::FIRST_KEYS;
        assert!(keys.is_sorted_by(|a, b| a.0 < b.0));
        let find = |words: &str| {
            let mut words = words.split(' ');
            let mut command = Command::new(words.next().unwrap());
            words.for_each(|word| command.push(word));
            first_key(&command)
        };
        assert_eq!(find("get k"), Some(1));
        assert_eq!(find("BITOP AND d a"), Some(2));
        assert_eq!(find("object encoding k"), Some(2));
        assert_eq!(find("ZUNION 2 a b"), Some(2));
        assert_eq!(find("EVAL s 1 k"), Some(3));
        assert_eq!(find("EVAL s 0 a"), None);
        assert_eq!(find("XREAD COUNT 2 STREAMS s 0"), Some(4));
        assert_eq!(find("PING"), None);
        assert_eq!(find("GET"), None);
        assert_eq!(find("NOSUCH k"), None);
    }
}
