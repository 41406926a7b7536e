//! A reply that is on its way: a future, for any executor.
//!
//! Invariant: the request is sent when the future is made, if there is room, and otherwise when it is polled and there is. Dropping the
//! future gives the reply up, not the request.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dunlin_resp::Value;

use crate::client::Client;
use crate::command::Command;
use crate::error::{Error, Result};
use crate::outbox::{Entry, Expect};
use crate::pipeline::{Pipeline, read_exec};
use crate::reply::FromReply;
use crate::slot::{Answer, Slot, Ticket};

/// What is to be sent.
enum Unit {
    Command(Command),
    Pipeline(Pipeline),
}

impl Unit {
    fn entry(&self, client: &Client, ticket: Ticket) -> Entry {
        match self {
            Unit::Command(command) => client.entry(ticket, command.wire_bytes(), command.options),
            Unit::Pipeline(pipeline) => Entry {
                expect: Expect::Replies(pipeline.replies()),
                ..client.entry(ticket, pipeline.wire_bytes(), pipeline.options())
            },
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Unit::Command(command) => command.encode(out),
            Unit::Pipeline(pipeline) => pipeline.encode(out),
        }
    }
}

/// How its answer is to be understood.
#[derive(Copy, Clone)]
enum Shape {
    One,
    All,
    Exec,
}

enum State {
    /// There was no room yet.
    Unsent(Unit),
    Waiting(Arc<Slot>),
    Failed(Error),
    /// A pipeline without commands.
    Empty,
    Done,
}

/// The reply to a request, as a future or by [`Reply::wait`].
#[must_use = "a reply is awaited, or waited for"]
pub struct Reply<T> {
    client: Client,
    shape: Shape,
    state: State,
    reply: PhantomData<fn() -> T>,
}

impl<T: FromReply> Reply<T> {
    pub(crate) fn new(client: Client, command: Command) -> Reply<T> {
        let state = match command.check_shared() {
            Ok(()) => offer(&client, Unit::Command(command)),
            Err(error) => State::Failed(error),
        };
        Reply {
            client,
            shape: Shape::One,
            state,
            reply: PhantomData,
        }
    }

    pub(crate) fn of_pipeline(client: Client, pipeline: Pipeline) -> Reply<T> {
        let shape = if pipeline.is_transaction() {
            Shape::Exec
        } else {
            Shape::All
        };
        let state = match pipeline.check_shared() {
            Ok(()) if pipeline.is_empty() => State::Empty,
            Ok(()) => offer(&client, Unit::Pipeline(pipeline)),
            Err(error) => State::Failed(error),
        };
        Reply {
            client,
            shape,
            state,
            reply: PhantomData,
        }
    }

    /// Of a command that is always accepted.
    pub(crate) fn begun(client: &Client, command: &Command, expect: Expect) -> Result<Reply<T>> {
        let slot = Slot::take();
        let entry = Entry {
            expect,
            unlimited: true,
            ..client.entry(Ticket::new(&slot), command.wire_bytes(), command.options)
        };
        let offered = client.outbox().offer(entry, &|out| command.encode(out));
        if let Err((entry, error)) = offered {
            entry.ticket.forget();
            return Err(error);
        }
        Ok(Reply {
            client: client.clone(),
            shape: Shape::One,
            state: State::Waiting(slot),
            reply: PhantomData,
        })
    }

    /// This, if the request was accepted.
    pub(crate) fn accepted(mut self) -> Result<Reply<T>> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Unsent(_) => Err(Error::Full),
            State::Failed(error) => Err(error),
            state => {
                self.state = state;
                Ok(self)
            }
        }
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// As [`crate::Request::call`].
    pub fn wait(mut self) -> Result<T> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Unsent(Unit::Command(command)) => self.client.call(command),
            State::Unsent(Unit::Pipeline(pipeline)) => self.client.run(&pipeline),
            State::Waiting(slot) => {
                slot.expect_here();
                let answer = slot.wait();
                slot.give_back();
                read(self.shape, answer?)
            }
            State::Failed(error) => Err(error),
            State::Empty => T::from_reply(Value::Array(Vec::new())),
            State::Done => Err(Error::Closed),
        }
    }
}

fn offer(client: &Client, unit: Unit) -> State {
    let slot = Slot::take();
    let entry = unit.entry(client, Ticket::new(&slot));
    let offered = client.outbox().offer(entry, &|out| unit.encode(out));
    match offered {
        Ok(()) => State::Waiting(slot),
        Err((entry, error)) => {
            entry.ticket.forget();
            match error {
                Error::Full => State::Unsent(unit),
                error => State::Failed(error),
            }
        }
    }
}

fn read<T: FromReply>(shape: Shape, answer: Answer) -> Result<T> {
    match (shape, answer) {
        (Shape::One, Answer::One(value)) => T::from_reply(value),
        // A subscription: nothing, or the error that it was refused with.
        (Shape::One, Answer::Many(mut values)) => {
            T::from_reply(values.pop().unwrap_or(Value::Null))
        }
        (Shape::All, answer) => T::from_reply(Value::Array(answer.many())),
        (Shape::Exec, answer) => read_exec(answer.many()),
    }
}

impl<T: FromReply> Future for Reply<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Unsent(unit) => {
                    let entry = unit.entry(&self.client, Ticket::nobody());
                    if self.client.outbox().wake_on_room(&entry, context.waker()) {
                        self.state = State::Unsent(unit);
                        return Poll::Pending;
                    }
                    self.state = offer(&self.client, unit);
                }
                State::Waiting(slot) => {
                    self.client.outbox().relay().run();
                    let Poll::Ready(answer) = slot.poll(context) else {
                        self.state = State::Waiting(slot);
                        return Poll::Pending;
                    };
                    slot.give_back();
                    return Poll::Ready(answer.and_then(|answer| read(self.shape, answer)));
                }
                State::Failed(error) => return Poll::Ready(Err(error)),
                State::Empty => return Poll::Ready(T::from_reply(Value::Array(Vec::new()))),
                State::Done => return Poll::Ready(Err(Error::Closed)),
            }
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Unsent(_) => "unsent",
            State::Waiting(_) => "waiting",
            State::Failed(_) => "failed",
            State::Empty | State::Done => "done",
        };
        f.debug_struct("Reply").field("state", &state).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Client, Cluster, Command, Pipeline, Script, Subscription};

    /// Executors with several threads take nothing else.
    fn is_send<T: Send>(_: impl FnOnce() -> T) {}

    #[test]
    fn futures_are_send() {
        fn check(client: &Client, cluster: &Cluster, messages: &Subscription, script: &Script) {
            is_send(|| client.send::<i64>(Command::new("PING")));
            is_send(|| client.run_async::<i64>(Pipeline::new()));
            is_send(|| cluster.send::<i64>(Command::new("PING")));
            is_send(|| messages.next());
            is_send(|| script.run::<i64>(client, "k", "a"));
        }
        let _: fn(&Client, &Cluster, &Subscription, &Script) = check;
    }
}
