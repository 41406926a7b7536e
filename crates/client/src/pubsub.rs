//! Subscriptions: who gets which message, and the queues in which messages wait.
//!
//! Invariant: a slow subscriber holds nobody up. Its queue is bounded ([`crate::Options::messages_max`]); when it is full the oldest
//! message goes, and [`Subscription::dropped`] counts it. Subscriptions come back with the connection; what was published while it was
//! down is lost, as always with pub/sub. SUBSCRIBE and UNSUBSCRIBE of one channel are sent in the order in which the first subscriber
//! came and the last one went.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dunlin_resp::Value;

use crate::client::Client;
use crate::error::{Error, Result};

/// What a subscription is to.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Channels by their names.
    Channel,
    /// Channels whose names match a pattern.
    Pattern,
    /// Shard channels by their names.
    Shard,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

    pub(crate) fn subscribe(self) -> &'static str {
        match self {
            Kind::Channel => "SUBSCRIBE",
            Kind::Pattern => "PSUBSCRIBE",
            Kind::Shard => "SSUBSCRIBE",
        }
    }

    pub(crate) fn unsubscribe(self) -> &'static str {
        match self {
            Kind::Channel => "UNSUBSCRIBE",
            Kind::Pattern => "PUNSUBSCRIBE",
            Kind::Shard => "SUNSUBSCRIBE",
        }
    }

    pub(crate) fn confirmation(self) -> &'static str {
        match self {
            Kind::Channel => "subscribe",
            Kind::Pattern => "psubscribe",
            Kind::Shard => "ssubscribe",
        }
    }

    pub(crate) fn farewell(self) -> &'static str {
        match self {
            Kind::Channel => "unsubscribe",
            Kind::Pattern => "punsubscribe",
            Kind::Shard => "sunsubscribe",
        }
    }
}

/// What came over a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: Vec<u8>,
    /// The pattern that matched, for subscriptions to patterns.
    pub pattern: Option<Vec<u8>>,
    /// What was published.
    pub payload: Vec<u8>,
}

impl Message {
    /// What a push says, if it is a message.
    pub(crate) fn from_push(push: Value) -> Option<(Kind, Message)> {
        let (Value::Push(items) | Value::Array(items)) = push else {
            return None;
        };
        let mut texts = items.into_iter().map(|item| match item {
            Value::Bulk(text) | Value::Simple(text) => Some(text),
            _ => None,
        });
        let mut next = || texts.next().flatten();
        let (kind, pattern) = match next()?.as_slice() {
            b"message" => (Kind::Channel, None),
            b"smessage" => (Kind::Shard, None),
            b"pmessage" => (Kind::Pattern, Some(next()?)),
            _ => return None,
        };
        let message = Message {
            channel: next()?,
            pattern,
            payload: next()?,
        };
        Some((kind, message))
    }
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    waker: Option<Waker>,
    ended: bool,
}

/// The queue of one subscription.
#[derive(Debug)]
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
    came: Condvar,
    max: usize,
    dropped: AtomicU64,
}

impl Mailbox {
    fn new(max: usize) -> Mailbox {
        Mailbox {
            waiting: Mutex::default(),
            came: Condvar::new(),
            max,
            dropped: AtomicU64::new(0),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, message: Message) {
        let mut waiting = self.waiting();
        if waiting.messages.len() >= self.max {
            waiting.messages.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        waiting.messages.push_back(message);
        self.tell(waiting);
    }

    fn end(&self) {
        let mut waiting = self.waiting();
        waiting.ended = true;
        self.tell(waiting);
    }

    fn tell(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let waker = waiting.waker.take();
        drop(waiting);
        self.came.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wait(&self, until: Option<Instant>) -> Result<Option<Message>> {
        let mut waiting = self.waiting();
        loop {
            if let Some(message) = waiting.messages.pop_front() {
                return Ok(Some(message));
            }
            if waiting.ended {
                return Err(Error::Closed);
            }
            waiting = match until {
                None => {
                    let waited = self.came.wait(waiting);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    let waited = self.came.wait_timeout(waiting, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<Message>> {
        let mut waiting = self.waiting();
        if let Some(message) = waiting.messages.pop_front() {
            return Poll::Ready(Ok(message));
        }
        if waiting.ended {
            return Poll::Ready(Err(Error::Closed));
        }
        waiting.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// What a new connection subscribes to.
pub(crate) type Channels = Vec<(Kind, Vec<Vec<u8>>)>;

#[derive(Debug, Default)]
struct Members {
    by_name: HashMap<(Kind, Vec<u8>), Vec<Arc<Mailbox>>>,
    ended: bool,
}

/// Who listens to what, over one connection.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    members: Mutex<Members>,
    /// Held while members change and the server is told, so that both have the same order.
    changes: Mutex<()>,
}

impl Hub {
    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is subscribed to.
    pub(crate) fn channels(&self) -> Channels {
        let members = self.members();
        let of = |kind| -> Vec<Vec<u8>> {
            let names = members.by_name.keys();
            let names = names.filter(|(of, _)| *of == kind);
            names.map(|(_, name)| name.clone()).collect()
        };
        let all = Kind::ALL.map(|kind| (kind, of(kind)));
        all.into_iter()
            .filter(|(_, names)| !names.is_empty())
            .collect()
    }

    fn add(&self, kind: Kind, names: &[Vec<u8>], mailbox: &Arc<Mailbox>) -> Result<()> {
        let mut members = self.members();
        if members.ended {
            return Err(Error::Closed);
        }
        for name in names {
            let to = members.by_name.entry((kind, name.clone())).or_default();
            to.push(Arc::clone(mailbox));
        }
        Ok(())
    }

    /// Takes a member out; returns the names that have none left.
    fn remove(&self, kind: Kind, names: &[Vec<u8>], mailbox: &Arc<Mailbox>) -> Vec<Vec<u8>> {
        let mut members = self.members();
        let mut orphans = Vec::new();
        for name in names {
            let key = (kind, name.clone());
            let Some(listeners) = members.by_name.get_mut(&key) else {
                continue;
            };
            listeners.retain(|listener| !Arc::ptr_eq(listener, mailbox));
            if listeners.is_empty() {
                members.by_name.remove(&key);
                orphans.push(name.clone());
            }
        }
        orphans
    }

    /// Hands a push on. What nobody listens to is dropped.
    pub(crate) fn deliver(&self, push: Value) {
        let Some((kind, message)) = Message::from_push(push) else {
            return;
        };
        let name = message.pattern.as_ref().unwrap_or(&message.channel);
        let key = (kind, name.clone());
        let listeners = self.members().by_name.get(&key).cloned();
        let Some((last, others)) = listeners.as_deref().and_then(<[_]>::split_last) else {
            return;
        };
        for listener in others {
            listener.put(message.clone());
        }
        last.put(message);
    }

    /// Nothing will come any more.
    pub(crate) fn end(&self) {
        let mut members = self.members();
        members.ended = true;
        let all = std::mem::take(&mut members.by_name);
        drop(members);
        all.into_values()
            .flatten()
            .for_each(|mailbox| mailbox.end());
    }
}

/// A subscription: receives messages until it is dropped, which unsubscribes.
pub struct Subscription {
    client: Client,
    mailbox: Arc<Mailbox>,
    kind: Kind,
    names: Vec<Vec<u8>>,
}

impl Subscription {
    pub(crate) fn begin(client: Client, kind: Kind, names: Vec<Vec<u8>>) -> Result<Subscription> {
        let mailbox = Arc::new(Mailbox::new(client.options().messages_max));
        let hub = Arc::clone(client.hub());
        let changing = hub.changing();
        hub.add(kind, &names, &mailbox)?;
        let subscription = Subscription {
            client,
            mailbox,
            kind,
            names,
        };
        // From here on, dropping it takes all of this back. The server is told again of a channel that has listeners already: it
        // confirms that the connection still has it.
        let confirmed = subscription
            .client
            .subscribe_names(kind, &subscription.names);
        drop(changing);
        confirmed?.wait()?;
        Ok(subscription)
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// [`Error::Closed`] when the client is closed and all messages were taken.
    pub fn recv(&self) -> Result<Message> {
        self.mailbox.wait(None)?.ok_or(Error::Closed)
    }

    /// Waits for the next message so long; `None` if none came.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub fn recv_timeout(&self, time: Duration) -> Result<Option<Message>> {
        self.mailbox.wait(Some(Instant::now() + time))
    }

    /// The next message, without blocking the thread.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub async fn next(&self) -> Result<Message> {
        poll_fn(|context| self.mailbox.poll(context)).await
    }

    /// Messages that were lost because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.mailbox.dropped.load(Ordering::Relaxed)
    }

    /// Messages that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.mailbox.waiting().messages.len()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let hub = Arc::clone(self.client.hub());
        let _changing = hub.changing();
        let orphans = hub.remove(self.kind, &self.names, &self.mailbox);
        if !orphans.is_empty() {
            // A client that is closed has no subscriptions either.
            let _ = self.client.unsubscribe_names(self.kind, &orphans);
        }
    }
}

impl Iterator for Subscription {
    type Item = Message;

    /// Waits for the next message; ends when the client is closed.
    fn next(&mut self) -> Option<Message> {
        self.recv().ok()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("kind", &self.kind)
            .field("names", &self.names.len())
            .finish_non_exhaustive()
    }
}
