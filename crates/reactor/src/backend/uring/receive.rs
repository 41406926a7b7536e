//! Receiving: one multishot operation per connection brings every byte that arrives, in provided buffers.
//!
//! Invariant: bytes are collected in the order in which they came, and the end of the stream, or its failure, behind them. A connection
//! that is not read keeps at most [`UNREAD_BYTES_MAX`] bytes here and what a cancelled operation still brings; the rest waits in the
//! system, and the peer is slowed down.

use std::io;

use io_uring::{cqueue, opcode, types};
use rustix::event::PollFlags;

use super::buffers::GROUP;
use super::link::{End, Receiving, UNREAD_BYTES_MAX};
use super::{Kind, Uring, user_data};
use crate::backend::{Event, Received};
use crate::buffer::{BUFFER_BYTES, Buffer};

impl Uring {
    /// Begins to receive, unless that goes on, the stream has ended or too much is unread.
    pub(super) fn arm_receive(&mut self, place: u32) {
        let link = self.links.at(place);
        if link.receiving != Receiving::Idle
            || link.end.is_some()
            || link.connecting
            || link.is_closed()
            || link.unread_bytes >= UNREAD_BYTES_MAX
        {
            return;
        }
        link.receiving = Receiving::Armed;
        link.operations += 1;
        let entry = opcode::RecvMulti::new(types::Fd(link.fd), GROUP)
            .build()
            .user_data(user_data(Kind::Receive, place));
        #[allow(unsafe_code)]
        // SAFETY: it names no memory but the provided buffers.
        unsafe {
            self.ring.push(entry);
        }
    }

    pub(super) fn cancel(&mut self, kind: Kind, place: u32) {
        let entry = opcode::AsyncCancel::new(user_data(kind, place))
            .build()
            .user_data(user_data(Kind::Ignored, place));
        #[allow(unsafe_code)]
        // SAFETY: it names no memory.
        unsafe {
            self.ring.push(entry);
        }
    }

    /// A completion of the multishot operation.
    pub(super) fn received(
        &mut self,
        place: u32,
        result: i32,
        flags: u32,
        events: &mut Vec<Event>,
    ) {
        let bytes = usize::try_from(result).unwrap_or(0);
        let buffer = cqueue::buffer_select(flags).map(|number| self.buffers.take(number, bytes));
        let link = self.links.at(place);
        let was_unread = link.unread_bytes;
        if !cqueue::more(flags) {
            link.operations -= 1;
            link.receiving = Receiving::Idle;
        }
        if link.is_closed() {
            buffer
                .into_iter()
                .for_each(|buffer| self.buffers.give(buffer));
            return self.links.release(place);
        }
        match (result, buffer) {
            (1.., Some(buffer)) => {
                let spare = link.keep(buffer, &mut self.queues);
                self.held.received += bytes;
                self.moderation.received(bytes);
                self.moderation.arrived(place);
                if was_unread == 0 {
                    events.extend(link.token.map(Event::readable));
                }
                let full = link.unread_bytes >= UNREAD_BYTES_MAX;
                if full && link.receiving == Receiving::Armed {
                    link.receiving = Receiving::Cancelling;
                    self.cancel(Kind::Receive, place);
                }
                spare.into_iter().for_each(|spare| self.buffers.give(spare));
            }
            (0.., _) => {
                link.end = Some(End::Eof);
                events.extend(link.token.map(|token| Event {
                    peer_closed: true,
                    ..Event::readable(token)
                }));
            }
            (errno, _) => match -errno {
                // No buffer was free; ours was cancelled; interrupted: it goes on.
                libc::ENOBUFS => self.buffers.grow(),
                libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
                errno => {
                    link.end = Some(End::Failed(errno));
                    events.extend(link.token.map(|token| Event {
                        failed: true,
                        ..Event::readable(token)
                    }));
                }
            },
        }
        let link = self.links.at(place);
        if link.receiving == Receiving::Idle && link.end.is_none() {
            if link.unread_bytes >= UNREAD_BYTES_MAX {
                self.watch_hangup(place);
            } else {
                self.arm_receive(place);
            }
        }
    }

    /// Nothing is received for this connection: that its peer hangs up must be found out in another way.
    fn watch_hangup(&mut self, place: u32) {
        let link = self.links.at(place);
        if link.watches_hangup {
            return;
        }
        link.watches_hangup = true;
        link.operations += 1;
        let fd = link.fd;
        self.poll(fd, PollFlags::RDHUP, false, user_data(Kind::Hangup, place));
    }

    pub(super) fn hung_up(&mut self, place: u32, result: i32, events: &mut Vec<Event>) {
        let link = self.links.at(place);
        link.operations -= 1;
        link.watches_hangup = false;
        if link.is_closed() {
            return self.links.release(place);
        }
        // While it is being received again, the end comes behind its bytes.
        if result > 0 && link.receiving == Receiving::Idle && link.end.is_none() {
            let failed = result as u32 & u32::from(PollFlags::ERR.bits()) != 0;
            events.extend(link.token.map(|token| Event {
                peer_closed: true,
                failed,
                ..Event::readable(token)
            }));
        }
    }

    pub(super) fn collect(
        &mut self,
        place: u32,
        buffer: &mut Buffer,
        bytes_max: usize,
    ) -> io::Result<Received> {
        let link = self.links.at(place);
        let mut bytes = 0;
        while let Some(chunk) = link.chunks.front_mut() {
            let len = chunk.buffer.len() - chunk.start;
            // A wide buffer was lent for more than one chunk.
            let fits = chunk.start == 0 && len <= bytes_max && buffer.capacity() < 2 * BUFFER_BYTES;
            if bytes == 0 && buffer.is_empty() && fits {
                let arrived = std::mem::take(&mut chunk.buffer);
                let lent = std::mem::replace(buffer, Buffer::filled(arrived)).into_vec();
                self.buffers.give(lent);
                bytes = len;
            } else {
                let room = buffer.room(bytes_max - bytes).len().min(len);
                if room == 0 {
                    break;
                }
                buffer.append(&chunk.buffer[chunk.start..chunk.start + room]);
                bytes += room;
                chunk.start += room;
                if chunk.start < chunk.buffer.len() {
                    break;
                }
                let emptied = std::mem::take(&mut chunk.buffer);
                self.buffers.give(emptied);
            }
            link.chunks.pop_front();
        }
        self.queues.take_back(&mut link.chunks);
        link.unread_bytes -= bytes;
        self.held.received -= bytes;
        let mut got = Received {
            bytes,
            more: !link.chunks.is_empty(),
            eof: false,
        };
        if !got.more {
            match (link.end, link.send_failure) {
                (Some(End::Eof | End::Told), _) => got.eof = true,
                (Some(End::Failed(errno)), _) | (None, Some(errno)) => {
                    if bytes == 0 {
                        link.end = Some(End::Told);
                        return Err(io::Error::from_raw_os_error(errno));
                    }
                    // What came before a failure comes first.
                    got.more = true;
                }
                (None, None) => {}
            }
        }
        self.arm_receive(place);
        Ok(got)
    }

    /// Waits until a descriptor is ready, once or at each change.
    pub(super) fn poll(&mut self, fd: i32, flags: PollFlags, multi: bool, data: u64) {
        let entry = opcode::PollAdd::new(types::Fd(fd), u32::from(flags.bits()))
            .multi(multi)
            .build()
            .user_data(data);
        #[allow(unsafe_code)]
        // SAFETY: it names no memory.
        unsafe {
            self.ring.push(entry);
        }
    }
}
