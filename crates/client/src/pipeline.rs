//! Many commands as one unit: sent together, answered together; also as a transaction.
//!
//! Invariant: the commands of a unit stand together on the connection, whoever else uses it, so MULTI and EXEC can share it.

use std::time::Duration;

use dunlin_resp::Value;

use crate::arg::ToArg;
use crate::client::Client;
use crate::command::{Command, RequestOptions};
use crate::error::{Error, Result, ServerError};
use crate::future::Reply;
use crate::outbox::{Entry, Expect};
use crate::reply::FromReply;

/// What EXEC does when a command of its transaction fails.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Atomicity {
    /// No transaction.
    None,
    /// The other commands stay done, as Redis has it.
    Plain,
    /// All is undone: Dunlin's `EXEC RB`.
    Rollback,
}

/// Commands that are sent as one unit.
///
/// The reply is that of each command in turn: ask for a tuple, for a vector, or for `Vec<Result<T, Error>>` if some may fail.
///
/// ```no_run
/// use dunlin_client::{Client, Pipeline};
///
/// let client = Client::connect("redis://127.0.0.1")?;
/// let mut pipeline = Pipeline::new();
/// pipeline.command("SET").arg(("k", 1)).command("INCR").arg("k").command("GET").arg("k");
/// let (_, n, text): (String, i64, String) = client.run(&pipeline)?;
///
/// let transfer = Pipeline::transaction()
///     .with(dunlin_client::Command::new("DECRBY").arg(("alice", 5)))
///     .with(dunlin_client::Command::new("INCRBY").arg(("bob", 5)));
/// let (alice, bob): (i64, i64) = client.run(&transfer)?;
/// # Ok::<(), dunlin_client::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is sent by `run`"]
pub struct Pipeline {
    commands: Vec<Command>,
    /// Begins with ASKING, which concerns the next command only.
    asking: bool,
    atomicity: Atomicity,
    options: RequestOptions,
}

impl Default for Pipeline {
    fn default() -> Pipeline {
        Pipeline::new()
    }
}

impl Pipeline {
    /// No commands yet.
    pub fn new() -> Pipeline {
        Pipeline {
            commands: Vec::new(),
            asking: false,
            atomicity: Atomicity::None,
            options: RequestOptions::default(),
        }
    }

    /// No commands yet, to be run as a transaction: all at once, and none if one of them is no command.
    pub fn transaction() -> Pipeline {
        Pipeline {
            atomicity: Atomicity::Plain,
            ..Pipeline::new()
        }
    }

    /// Undoes the transaction when one of its commands fails (`EXEC RB`, which Dunlin has and Redis has not).
    pub fn rollback(mut self) -> Pipeline {
        self.atomicity = Atomicity::Rollback;
        self
    }

    /// How long to wait for all replies, instead of the client's own deadline.
    pub fn deadline(mut self, deadline: Duration) -> Pipeline {
        self.options.deadline = Some(deadline);
        self
    }

    /// The whole unit may be carried out twice: see [`Command::idempotent`].
    pub fn idempotent(mut self) -> Pipeline {
        self.options.idempotent = true;
        self
    }

    /// Adds a command.
    pub fn with(mut self, command: Command) -> Pipeline {
        self.commands.push(command);
        self
    }

    /// Adds a command; its arguments follow by [`Pipeline::arg`].
    pub fn command(&mut self, name: &str) -> &mut Pipeline {
        self.add(Command::new(name))
    }

    /// Adds a command.
    pub fn add(&mut self, command: Command) -> &mut Pipeline {
        self.commands.push(command);
        self
    }

    /// Adds an argument to the last command.
    ///
    /// # Panics
    /// If there is none: a bug of the caller.
    pub fn arg(&mut self, argument: impl ToArg) -> &mut Pipeline {
        let last = self.commands.last_mut();
        last.expect("a command before its arguments").push(argument);
        self
    }

    /// Commands so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The commands.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Whether it is a transaction.
    #[must_use]
    pub fn is_transaction(&self) -> bool {
        self.atomicity != Atomicity::None
    }

    /// A command at a node that is just getting its slot.
    pub(crate) fn asking(command: Command) -> Pipeline {
        Pipeline {
            asking: true,
            options: command.options,
            ..Pipeline::new().with(command)
        }
    }

    /// Without commands, otherwise the same.
    pub(crate) fn empty_like(&self) -> Pipeline {
        Pipeline {
            commands: Vec::new(),
            ..*self
        }
    }

    pub(crate) fn options(&self) -> RequestOptions {
        self.options
    }

    /// Replies that it is answered with.
    pub(crate) fn replies(&self) -> u32 {
        let around = if self.is_transaction() {
            2
        } else {
            usize::from(self.asking)
        };
        (self.commands.len() + around) as u32
    }

    pub(crate) fn wire_bytes(&self) -> usize {
        self.commands.iter().map(Command::wire_bytes).sum::<usize>() + 64
    }

    pub(crate) fn check_shared(&self) -> Result<()> {
        self.commands.iter().try_for_each(Command::check_shared)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        if self.asking {
            Command::new("ASKING").encode(out);
        }
        if self.is_transaction() {
            Command::new("MULTI").encode(out);
        }
        for command in &self.commands {
            command.encode(out);
        }
        match self.atomicity {
            Atomicity::None => {}
            Atomicity::Plain => Command::new("EXEC").encode(out),
            Atomicity::Rollback => Command::new("EXEC").arg("RB").encode(out),
        }
    }

    /// What the caller gets for all these replies.
    pub(crate) fn read<T: FromReply>(&self, replies: Vec<Value>) -> Result<T> {
        if self.is_transaction() {
            read_exec(replies)
        } else {
            T::from_reply(Value::Array(replies))
        }
    }
}

/// The outcome of MULTI, so many QUEUED, and EXEC.
pub(crate) fn read_exec<T: FromReply>(mut replies: Vec<Value>) -> Result<T> {
    match replies.pop() {
        Some(Value::Null | Value::NullArray) => Err(Error::Aborted),
        Some(Value::Error(text) | Value::BulkError(text)) => {
            // EXECABORT only says that there was a reason; the reason stands before it.
            let reason = replies.into_iter().find_map(|reply| match reply {
                Value::Error(text) | Value::BulkError(text) => Some(text),
                _ => None,
            });
            Err(Error::Server(ServerError::new(&reason.unwrap_or(text))))
        }
        Some(results) => T::from_reply(results),
        None => Err(Error::ConnectionReset),
    }
}

impl Client {
    /// Sends all commands of a pipeline together and waits for all replies.
    ///
    /// # Errors
    /// As [`crate::Request::call`], for the whole unit. An error reply of one command is an error unless the reply's type has a place for it;
    /// [`Error::Server`] when a transaction was refused.
    pub fn run<T: FromReply>(&self, pipeline: &Pipeline) -> Result<T> {
        if pipeline.is_empty() {
            return T::from_reply(Value::Array(Vec::new()));
        }
        pipeline.check_shared()?;
        let entry = |ticket| Entry {
            expect: Expect::Replies(pipeline.replies()),
            ..self.entry(ticket, pipeline.wire_bytes(), pipeline.options())
        };
        let answer = self.wait_for(entry, &|out| pipeline.encode(out))?;
        pipeline.read(answer.many())
    }

    /// As [`Client::run`], as a future.
    pub fn run_async<T: FromReply>(&self, pipeline: Pipeline) -> Reply<T> {
        Reply::of_pipeline(self.clone(), pipeline)
    }
}
