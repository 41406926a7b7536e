//! Messages on their way to one worker's subscribers: encoded once, one behind the other, and taken by the worker in one go.
//!
//! Messages of one topic that follow each other are one *run*: each subscriber gets a run in one piece. A short run is copied into
//! its output, a long one is shared by all of them, and a long message is a [`Parcel`] of its own from the start. RESP3 differs from
//! RESP2 in the first byte of a message only.
//!
//! Invariant: what is allocated here is accounted as memory on its way to clients from the moment it is allocated until the thread
//! that frees it has published that: [`take_freed_bytes`].

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use dunlin_resp::{Version, reply};
use dunlin_store::Telling;
use dunlin_structures::{Parcel, Rope};

/// A message from this length on is not copied any more.
pub(super) const LONG_MESSAGE_BYTES: usize = 16 << 10;
/// A run up to this length is copied into each subscriber's output: a reference costs as much.
const COPIED_RUN_BYTES_MAX: usize = 4 << 10;
/// Room that a worker keeps for the mail to come.
const KEPT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// Bytes freed on this thread of those that are accounted as on their way to clients.
    static FREED_BYTES: Cell<i64> = const { Cell::new(0) };
}

fn note_freed(bytes: i64) {
    FREED_BYTES.set(FREED_BYTES.get() + bytes);
}

fn note_freed_parcel(bytes: usize) {
    note_freed(bytes as i64);
}

/// Bytes on their way to clients that the calling thread has freed since it last asked. They are to be taken off the account behind
/// the thread's own figures, in which they are missing already.
pub fn take_freed_bytes() -> i64 {
    FREED_BYTES.take()
}

/// A buffer that is accounted as on its way to clients.
fn parcel(bytes: Vec<u8>, telling: &mut Telling<'_>) -> Arc<Parcel> {
    telling.took(bytes.capacity());
    Parcel::new(bytes, note_freed_parcel)
}

/// What a message says, ready for any number of mailboxes.
pub(super) enum Payload<'a> {
    Short(&'a [u8]),
    /// With its line end.
    Long(Arc<Parcel>),
}

impl<'a> Payload<'a> {
    pub(super) fn new(message: &'a [u8], telling: &mut Telling<'_>) -> Payload<'a> {
        if message.len() < LONG_MESSAGE_BYTES {
            return Payload::Short(message);
        }
        let mut bytes = Vec::with_capacity(message.len() + 2);
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(b"\r\n");
        Payload::Long(parcel(bytes, telling))
    }
}

/// One message in a mail.
#[derive(Copy, Clone, Debug)]
struct Item {
    topic: u64,
    /// Where its bytes end; they begin where those of the one before end.
    end: usize,
    /// Its bytes are only its head: the next of the parcels follows.
    is_long: bool,
}

/// Messages for one worker, in order.
#[derive(Debug, Default)]
pub(super) struct Mail {
    items: Vec<Item>,
    bytes: Vec<u8>,
    parcels: Vec<Arc<Parcel>>,
    /// Bytes of all messages.
    pub(super) len: usize,
    /// Bytes of these buffers that are on the account.
    accounted: usize,
}

impl Mail {
    fn weight(&self) -> usize {
        self.bytes.capacity()
            + self.items.capacity() * size_of::<Item>()
            + self.parcels.capacity() * size_of::<Arc<Parcel>>()
    }

    /// Appends a message: what it begins with, the channel if that is not part of it, and what it says.
    pub(super) fn push(
        &mut self,
        topic: u64,
        prefix: &[u8],
        channel: Option<&[u8]>,
        payload: &Payload<'_>,
        telling: &mut Telling<'_>,
    ) {
        let (weight, start) = (self.weight(), self.bytes.len());
        self.bytes.extend_from_slice(prefix);
        if let Some(channel) = channel {
            reply::bulk(&mut self.bytes, channel);
        }
        let is_long = match payload {
            Payload::Short(message) => {
                reply::bulk(&mut self.bytes, message);
                false
            }
            Payload::Long(parcel) => {
                reply::bulk_header(&mut self.bytes, parcel.bytes().len() - 2);
                self.len += parcel.bytes().len();
                self.parcels.push(Arc::clone(parcel));
                true
            }
        };
        let end = self.bytes.len();
        self.len += end - start;
        self.items.push(Item {
            topic,
            end,
            is_long,
        });
        let grown = self.weight() - weight;
        if grown > 0 {
            self.accounted += grown;
            telling.took(grown);
        }
    }

    /// Shows every run to `each`, with its topic. Empty afterwards, with some room left.
    pub(super) fn deliver(
        &mut self,
        telling: &mut Telling<'_>,
        mut each: impl FnMut(u64, &mut Run<'_, '_>),
    ) {
        let mut source = Source::Plain(std::mem::take(&mut self.bytes));
        let mut parcels = self.parcels.drain(..);
        let (mut at, mut start) = (0, 0);
        while at < self.items.len() {
            let (first, from) = (at, start);
            let Item { topic, is_long, .. } = self.items[first];
            at += 1;
            while !is_long
                && at < self.items.len()
                && self.items[at].topic == topic
                && !self.items[at].is_long
            {
                at += 1;
            }
            start = self.items[at - 1].end;
            let mut run = Run {
                source: &mut source,
                items: &self.items[first..at],
                range: from..start,
                parcel: is_long.then(|| parcels.next().expect("pushed with its head")),
                resp3: None,
                telling,
            };
            each(topic, &mut run);
        }
        drop(parcels);
        let mut gone = self.accounted as i64;
        match source {
            Source::Plain(mut bytes) => {
                bytes.clear();
                bytes.shrink_to(KEPT_BYTES_MAX);
                self.bytes = bytes;
            }
            // Told when the last reader is done with it.
            Source::Parcel(parcel) => gone -= parcel.capacity() as i64,
        }
        note_freed(gone);
        self.items.clear();
        self.items.shrink_to(KEPT_BYTES_MAX / size_of::<Item>());
        self.parcels.shrink_to(KEPT_BYTES_MAX / size_of::<Item>());
        (self.len, self.accounted) = (0, 0);
    }
}

/// Where the bytes of a mail are: one buffer, that of the mail until a run is shared.
enum Source {
    Plain(Vec<u8>),
    Parcel(Arc<Parcel>),
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Source::Plain(bytes) => bytes,
            Source::Parcel(parcel) => parcel.bytes(),
        }
    }

    fn share(&mut self) -> &Arc<Parcel> {
        if let Source::Plain(bytes) = self {
            // On the account already, as the mail's.
            *self = Source::Parcel(Parcel::new(std::mem::take(bytes), note_freed_parcel));
        }
        match self {
            Source::Parcel(parcel) => parcel,
            Source::Plain(_) => unreachable!("made a parcel above"),
        }
    }
}

/// Messages of one topic that follow each other, for one subscriber after the other.
pub struct Run<'m, 't> {
    source: &'m mut Source,
    items: &'m [Item],
    range: Range<usize>,
    /// The rest of a long message.
    parcel: Option<Arc<Parcel>>,
    /// The run as RESP3, once somebody needs a long one.
    resp3: Option<Arc<Parcel>>,
    telling: &'m mut Telling<'t>,
}

impl Run<'_, '_> {
    /// Number of messages.
    pub fn messages(&self) -> usize {
        self.items.len()
    }

    /// Appends the messages to a subscriber's output.
    pub fn append_to(&mut self, out: &mut Rope, version: Version) {
        if let Some(parcel) = &self.parcel {
            self.copy(out.tail(), version);
            out.push_parcel(parcel, 0..parcel.bytes().len());
        } else if self.range.len() <= COPIED_RUN_BYTES_MAX {
            self.copy(out.tail(), version);
        } else if version == Version::Resp2 {
            out.push_parcel(self.source.share(), self.range.clone());
        } else {
            if self.resp3.is_none() {
                let mut bytes = Vec::with_capacity(self.range.len());
                self.copy(&mut bytes, version);
                self.resp3 = Some(parcel(bytes, self.telling));
            }
            if let Some(parcel) = &self.resp3 {
                out.push_parcel(parcel, 0..parcel.bytes().len());
            }
        }
    }

    fn copy(&self, out: &mut Vec<u8>, version: Version) {
        let at = out.len();
        out.extend_from_slice(&self.source.bytes()[self.range.clone()]);
        if version == Version::Resp3 {
            let mut start = self.range.start;
            for item in self.items {
                // An array becomes a push.
                out[at + start - self.range.start] = b'>';
                start = item.end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_store::{Settings, Store};

    fn content(rope: &mut Rope) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !rope.is_empty() {
            let piece = rope.first().to_vec();
            rope.advance(piece.len());
            bytes.extend(piece);
        }
        bytes
    }

    /// Delivers messages of these topics and lengths to readers of both versions; every byte must arrive, in order.
    fn check(messages: &[(u64, usize)]) {
        let store = Store::new(&Settings::default());
        let mut wakes = Vec::new();
        let mut telling = Telling {
            store: &store,
            wakes: &mut wakes,
            client: 0,
            client_bytes: 0,
        };
        assert_eq!(take_freed_bytes(), 0);
        let mut mail = Mail::default();
        let (mut outs, mut expected) = ([Rope::new(), Rope::new()], [Vec::new(), Vec::new()]);
        for round in 0..2 {
            for (i, &(topic, len)) in messages.iter().enumerate() {
                let message = vec![b'a' + (i + round) as u8 % 26; len];
                let payload = Payload::new(&message, &mut telling);
                mail.push(
                    topic,
                    b"*3\r\n$7\r\nmessage\r\n",
                    Some(b"ch"),
                    &payload,
                    &mut telling,
                );
                for (version, out) in expected.iter_mut().enumerate() {
                    let kind = [b'*', b'>'][version];
                    out.push(kind);
                    out.extend_from_slice(b"3\r\n$7\r\nmessage\r\n$2\r\nch\r\n");
                    reply::bulk(out, &message);
                }
            }
            let mut seen = 0;
            mail.deliver(&mut telling, |_, run| {
                seen += run.messages();
                for _ in 0..2 {
                    // As often as there are subscribers.
                    run.append_to(&mut Rope::new(), Version::Resp3);
                }
                run.append_to(&mut outs[0], Version::Resp2);
                run.append_to(&mut outs[1], Version::Resp3);
            });
            assert_eq!(seen, messages.len());
            assert!(mail.items.is_empty() && mail.len == 0);
        }
        for (out, expected) in outs.iter_mut().zip(expected) {
            assert!(content(out) == expected, "{messages:?}");
        }
        // All that was accounted is free again.
        assert_eq!(telling.client_bytes, take_freed_bytes());
    }

    #[test]
    fn every_reader_gets_every_byte_in_order() {
        check(&[(1, 5)]);
        check(&[(1, 5), (1, 0), (2, 7), (1, 3), (1, 3)]);
        check(&[(1, 100); 300]);
        check(&[(1, 50_000), (1, 10), (1, 20_000), (2, 30_000)]);
        let mixed: Vec<(u64, usize)> = (0..500)
            .map(|i| (i / 7 % 3, (i * i % 900) as usize))
            .collect();
        check(&mixed);
    }
}
