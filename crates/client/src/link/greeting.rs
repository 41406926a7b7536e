//! What a new connection is told before any request: protocol, login, name, database, subscriptions.
//!
//! Invariant: no request goes out before all of it was accepted, so none runs as another user or in another database. A server that
//! does not know HELLO is spoken to in RESP2.

use std::collections::VecDeque;

use dunlin_resp::{Value, Version};

use crate::command::Command;
use crate::error::{Error, Result, ServerError};
use crate::options::{Options, Protocol};
use crate::pubsub::Channels;

/// What was asked, in the order of the replies.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Step {
    Hello,
    Auth,
    Name,
    Select,
    ReadOnly,
    /// A confirmation of this kind.
    Subscribe(&'static str),
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Hello => "HELLO",
            Step::Auth => "AUTH",
            Step::Name => "CLIENT SETNAME",
            Step::Select => "SELECT",
            Step::ReadOnly => "READONLY",
            Step::Subscribe(_) => "SUBSCRIBE",
        }
    }
}

/// How far a greeting is.
#[derive(Debug)]
pub(crate) struct Greeting {
    awaited: VecDeque<Step>,
    version: Version,
    /// Everything was asked.
    complete: bool,
}

/// What a reply came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More replies are to come; send what was appended.
    Going,
    /// The connection is ready, in this dialect.
    Ready(Version),
}

impl Greeting {
    /// Appends the first requests.
    pub(crate) fn begin(
        options: &Options,
        channels: &Channels,
        out: &mut Vec<u8>,
    ) -> (Greeting, Progress) {
        let mut greeting = Greeting {
            awaited: VecDeque::new(),
            version: Version::Resp2,
            complete: false,
        };
        if options.protocol == Protocol::Resp2 {
            greeting.login(options, out);
            greeting.rest(options, channels, out);
        } else {
            let mut hello = Command::new("HELLO").arg(3);
            if let Some(password) = &options.password {
                let user = options.user.as_deref().unwrap_or("default");
                hello = hello.arg(("AUTH", user, password));
            }
            if let Some(name) = &options.name {
                hello = hello.arg(("SETNAME", name));
            }
            greeting.ask(Step::Hello, &hello, out);
        }
        let progress = greeting.progress();
        (greeting, progress)
    }

    fn ask(&mut self, step: Step, command: &Command, out: &mut Vec<u8>) {
        command.encode(out);
        self.awaited.push_back(step);
    }

    /// What HELLO says otherwise.
    fn login(&mut self, options: &Options, out: &mut Vec<u8>) {
        if let Some(password) = &options.password {
            let auth = Command::new("AUTH")
                .arg(options.user.as_ref())
                .arg(password);
            self.ask(Step::Auth, &auth, out);
        }
        if let Some(name) = &options.name {
            let set = Command::new("CLIENT").arg(("SETNAME", name));
            self.ask(Step::Name, &set, out);
        }
    }

    fn rest(&mut self, options: &Options, channels: &Channels, out: &mut Vec<u8>) {
        if options.db != 0 {
            let select = Command::new("SELECT").arg(options.db);
            self.ask(Step::Select, &select, out);
        }
        if options.readonly {
            self.ask(Step::ReadOnly, &Command::new("READONLY"), out);
        }
        let shared = self.version == Version::Resp3 || options.subscriber;
        for (kind, names) in channels.iter().filter(|_| shared) {
            let mut subscribe = Command::new(kind.subscribe());
            for name in names {
                subscribe.push(name);
                self.awaited.push_back(Step::Subscribe(kind.confirmation()));
            }
            subscribe.encode(out);
        }
        self.complete = true;
    }

    fn progress(&self) -> Progress {
        if self.complete && self.awaited.is_empty() {
            Progress::Ready(self.version)
        } else {
            Progress::Going
        }
    }

    /// Takes a reply; appends what is to be asked next.
    ///
    /// # Errors
    /// When the server refused a step, or answers what nobody asked.
    pub(crate) fn reply(
        &mut self,
        reply: Value,
        options: &Options,
        channels: &Channels,
        out: &mut Vec<u8>,
    ) -> Result<Progress> {
        let Some(step) = self.awaited.pop_front() else {
            return Err(Error::ConnectionReset);
        };
        match reply {
            Value::Error(text) | Value::BulkError(text) => {
                let error = ServerError::new(&text);
                if step != Step::Hello || !is_unknown(&error) {
                    let step = step.name();
                    return Err(Error::Refused { step, error });
                }
                self.login(options, out);
                self.rest(options, channels, out);
            }
            _ if step == Step::Hello => {
                self.version = Version::Resp3;
                self.rest(options, channels, out);
            }
            _ => {}
        }
        Ok(self.progress())
    }

    /// Whether a push of this kind is a reply to what was asked.
    pub(crate) fn awaits(&self, kind: &str) -> bool {
        matches!(self.awaited.front(), Some(Step::Subscribe(awaited)) if *awaited == kind)
    }
}

/// The server has no HELLO, or none of version 3.
fn is_unknown(error: &ServerError) -> bool {
    error.code() == "NOPROTO"
        || error
            .text()
            .to_ascii_lowercase()
            .contains("unknown command")
}
