//! Lua scripts: called by their digest, sent whole only where the server does not know them.
//!
//! Invariant: a call runs the script once: NOSCRIPT says that it did not run.

use std::fmt::Write;

use sha1::{Digest, Sha1};

use crate::arg::ToArg;
use crate::client::Client;
use crate::command::Command;
use crate::error::Result;
use crate::reply::FromReply;

/// A script with its digest.
///
/// ```no_run
/// use dunlin_client::{Client, Script};
///
/// let client = Client::connect("redis://127.0.0.1")?;
/// let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
/// let n: i64 = add.call(&client, ["counter"], [5])?;
/// # Ok::<(), dunlin_client::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Script {
    source: String,
    digest: String,
}

impl Script {
    /// A script of this source.
    #[must_use]
    pub fn new(source: &str) -> Script {
        let mut digest = String::with_capacity(40);
        for byte in Sha1::digest(source.as_bytes()) {
            // Writing to a string does not fail.
            let _ = write!(digest, "{byte:02x}");
        }
        Script {
            source: source.to_owned(),
            digest,
        }
    }

    /// SHA-1 of the source, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn command(&self, name: &str, script: &str, keys: &impl ToArg, args: &impl ToArg) -> Command {
        let keys = Command::new("").arg(keys);
        let mut command = Command::new(name).arg((script, keys.args().count() - 1));
        for key in keys.args().skip(1) {
            command.push(key);
        }
        command.push(args);
        command
    }

    /// The call by digest, such as for a pipeline. A server that does not know the script answers NOSCRIPT.
    #[must_use]
    pub fn evalsha(&self, keys: impl ToArg, args: impl ToArg) -> Command {
        self.command("EVALSHA", &self.digest, &keys, &args)
    }

    /// The call with the whole source, after which the server knows it.
    #[must_use]
    pub fn eval(&self, keys: impl ToArg, args: impl ToArg) -> Command {
        self.command("EVAL", &self.source, &keys, &args)
    }

    /// Runs it with these keys and arguments, and waits.
    ///
    /// # Errors
    /// As [`crate::Request::call`].
    pub fn call<T: FromReply>(
        &self,
        client: &Client,
        keys: impl ToArg,
        args: impl ToArg,
    ) -> Result<T> {
        match client.call(self.evalsha(&keys, &args)) {
            Err(error) if error.server().is_some_and(|e| e.code() == "NOSCRIPT") => {
                client.call(self.eval(&keys, &args))
            }
            outcome => outcome,
        }
    }

    /// As [`Script::call`], for tasks.
    ///
    /// # Errors
    /// As [`crate::Request::call`].
    pub async fn run<T: FromReply>(
        &self,
        client: &Client,
        keys: impl ToArg,
        args: impl ToArg,
    ) -> Result<T> {
        match client.send(self.evalsha(&keys, &args)).await {
            Err(error) if error.server().is_some_and(|e| e.code() == "NOSCRIPT") => {
                client.send(self.eval(&keys, &args)).await
            }
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_keys() {
        let script = Script::new("return 1");
        assert_eq!(script.digest(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        let command = script.evalsha(["a", "b"], 7);
        let words: Vec<_> = command.args().map(String::from_utf8_lossy).collect();
        assert_eq!(words, ["EVALSHA", script.digest(), "2", "a", "b", "7"]);
        let none: [&str; 0] = [];
        let command = script.eval(none, none);
        let words: Vec<_> = command.args().map(String::from_utf8_lossy).collect();
        assert_eq!(words, ["EVAL", "return 1", "0"]);
    }
}
