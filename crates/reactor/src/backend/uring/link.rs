//! What the kernel is doing for one socket, and what it has brought.
//!
//! A link outlives its socket: it is freed at the last completion of its last operation, and until then it keeps the descriptor and
//! every byte that an operation may touch.
//!
//! Invariant: `operations` counts the submissions whose last completion has not come. Links are named by their place, which is not used
//! again before.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use dunlin_structures::SegmentedVec;

use super::send::Sending;
use crate::backend::Token;

/// Unread bytes of one connection at which the kernel is told to receive no more for it.
pub(super) const UNREAD_BYTES_MAX: usize = 64 * 1024;

/// Empty queues that are kept, and the room of each: for as many connections as a busy turn has.
const QUEUES_MAX: usize = 1_024;
const QUEUE_CHUNKS_MAX: usize = 8;

/// Where receiving stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(super) enum Receiving {
    /// No operation; one is submitted when there is room.
    #[default]
    Idle,
    /// The operation is in the kernel's hands.
    Armed,
    /// Its cancellation was submitted; bytes may still come with it.
    Cancelling,
}

/// Where the own end of the stream stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(super) enum Shut {
    #[default]
    Open,
    /// To be shut once everything is sent.
    Wanted,
    Done,
}

/// What stands behind the last received byte.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer's stream has ended.
    Eof,
    /// The connection failed with this errno.
    Failed(i32),
    /// That was told.
    Told,
}

/// Received bytes: a buffer, and how many of its bytes were collected.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) buffer: Vec<u8>,
    pub(super) start: usize,
}

#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) token: Option<Token>,
    pub(super) fd: RawFd,
    pub(super) operations: u32,
    pub(super) receiving: Receiving,
    /// The socket is not connected yet.
    pub(super) connecting: bool,
    /// Told when the peer hangs up although nothing is received.
    pub(super) watches_hangup: bool,
    /// What was received and not collected. While there is nothing it has no memory: that lies in [`Queues`].
    pub(super) chunks: VecDeque<Chunk>,
    pub(super) unread_bytes: usize,
    pub(super) end: Option<End>,
    /// What the operation in flight sends.
    pub(super) sending: Option<Box<Sending>>,
    pub(super) send_failure: Option<i32>,
    pub(super) wants_writable: bool,
    pub(super) shut: Shut,
    /// The descriptor of a socket that the loop has closed.
    closed: Option<OwnedFd>,
}

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Keeps received bytes. Short ones are copied behind those that wait already, and their buffer is returned: else a peer could take a
    /// buffer with every byte it sends.
    pub(super) fn keep(&mut self, buffer: Vec<u8>, queues: &mut Queues) -> Option<Vec<u8>> {
        self.unread_bytes += buffer.len();
        if let Some(last) = self.chunks.back_mut()
            && last.buffer.capacity() - last.buffer.len() >= buffer.len()
        {
            last.buffer.extend_from_slice(&buffer);
            return Some(buffer);
        }
        if self.chunks.capacity() == 0 {
            self.chunks = queues.lend();
        }
        self.chunks.push_back(Chunk { buffer, start: 0 });
        None
    }
}

/// Empty queues of links that have nothing to be collected, so that an idle connection has none.
#[derive(Debug, Default)]
pub(super) struct Queues(Vec<VecDeque<Chunk>>);

impl Queues {
    fn lend(&mut self) -> VecDeque<Chunk> {
        self.0.pop().unwrap_or_default()
    }

    /// Takes a link's queue back if it is empty. One that has grown, or one too many, is freed.
    pub(super) fn take_back(&mut self, chunks: &mut VecDeque<Chunk>) {
        if !chunks.is_empty() || chunks.capacity() == 0 {
            return;
        }
        let queue = std::mem::take(chunks);
        if queue.capacity() <= QUEUE_CHUNKS_MAX && self.0.len() < QUEUES_MAX {
            self.0.push(queue);
        }
    }
}

/// All links of a loop.
#[derive(Debug, Default)]
pub(super) struct Links {
    all: SegmentedVec<Link>,
    free: Vec<u32>,
}

impl Links {
    pub(super) fn insert(&mut self, token: Token, fd: RawFd) -> u32 {
        let link = Link {
            token: Some(token),
            fd,
            ..Link::default()
        };
        if let Some(place) = self.free.pop() {
            self.all[place as usize] = link;
            return place;
        }
        self.all.push(link) as u32
    }

    #[inline]
    pub(super) fn at(&mut self, place: u32) -> &mut Link {
        &mut self.all[place as usize]
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> Option<&Link> {
        self.all.get(place as usize)
    }

    /// The loop has closed the socket: its descriptor is closed with its last operation.
    pub(super) fn close(&mut self, place: u32, fd: OwnedFd) {
        debug_assert_eq!(fd.as_raw_fd(), self.at(place).fd);
        self.at(place).closed = Some(fd);
        self.release(place);
    }

    /// Frees a closed link without operations.
    pub(super) fn release(&mut self, place: u32) {
        let link = self.at(place);
        if link.closed.is_some() && link.operations == 0 {
            *link = Link::default();
            self.free.push(place);
        }
    }

    /// Operations that the kernel has not finished.
    pub(super) fn operations(&self) -> u64 {
        self.all.iter().map(|link| u64::from(link.operations)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue of a link that has received `chunks` times, and whose bytes were collected.
    fn used(queues: &mut Queues, chunks: usize) -> VecDeque<Chunk> {
        let mut link = Link::default();
        for _ in 0..chunks {
            // No room for more behind it.
            assert_eq!(link.keep(vec![0], queues), None);
        }
        link.chunks.clear();
        link.chunks
    }

    #[test]
    fn queues_are_lent_again_up_to_a_limit() {
        let mut queues = Queues::default();
        let mut all: Vec<_> = (0..QUEUES_MAX + 10).map(|_| used(&mut queues, 1)).collect();
        for chunks in &mut all {
            queues.take_back(chunks);
            assert_eq!(chunks.capacity(), 0, "an idle link owns nothing");
        }
        assert_eq!(queues.0.len(), QUEUES_MAX);
        let again = used(&mut queues, 1);
        assert!(again.capacity() > 0);
        assert_eq!(queues.0.len(), QUEUES_MAX - 1);
    }

    #[test]
    fn a_queue_that_grew_and_one_in_use_are_not_kept() {
        let mut queues = Queues::default();
        let mut grown = used(&mut queues, 4 * QUEUE_CHUNKS_MAX);
        queues.take_back(&mut grown);
        assert_eq!((grown.capacity(), queues.0.len()), (0, 0));
        let mut in_use = used(&mut queues, 1);
        in_use.push_back(Chunk {
            buffer: Vec::new(),
            start: 0,
        });
        queues.take_back(&mut in_use);
        assert_eq!((in_use.len(), queues.0.len()), (1, 0));
    }
}
