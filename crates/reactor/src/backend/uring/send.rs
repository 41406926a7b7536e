//! Sending: the first bytes of a connection's output, one operation at a time, so that they arrive in order.
//!
//! Invariant: a rope that an operation sends from is not changed before the operation's completion. A short completion is followed by
//! an operation for the rest; the loop hears of it only when all is sent, and only if it asked.

use std::io::{self, IoSlice};
use std::{fmt, mem};

use dunlin_structures::Rope;
use io_uring::{opcode, types};

use super::link::Shut;
use super::{Kind, Uring, user_data};
use crate::backend::socket::SLICES_MAX;
use crate::backend::{Event, Sent};

/// Bytes in one operation: the kernel copies them in one go, while others wait.
const SEND_BYTES_MAX: usize = 256 * 1024;

/// What sendmsg reads: it stays where it is until the completion.
pub(super) struct Message {
    header: libc::msghdr,
    slices: [libc::iovec; SLICES_MAX],
}

/// One operation's bytes. Only a link that sends has one; the others of a loop wait in its pool.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// What is sent, from its front.
    pub(super) rope: Rope,
    message: Option<Box<Message>>,
}

impl Message {
    fn new() -> Box<Message> {
        #[allow(unsafe_code)]
        // SAFETY: both are plain data for which zeroes are valid (null pointers and zero lengths).
        unsafe {
            Box::new(mem::zeroed())
        }
    }

    /// Names the first bytes of `rope`, which must not change while the kernel reads this.
    fn describe(&mut self, rope: &Rope) {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let used = rope.slices_within(SEND_BYTES_MAX, &mut slices);
        for (to, from) in self.slices.iter_mut().zip(&slices[..used]) {
            to.iov_base = from.as_ptr().cast_mut().cast();
            to.iov_len = from.len();
        }
        self.header.msg_iov = self.slices.as_mut_ptr();
        self.header.msg_iovlen = used as _;
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").finish_non_exhaustive()
    }
}

#[allow(unsafe_code)]
// SAFETY: its pointers lead to memory that the same link owns.
unsafe impl Send for Message {}

impl Uring {
    pub(super) fn begin_send(
        &mut self,
        place: u32,
        rope: &mut Rope,
        bytes_max: usize,
        recycle: &mut dyn FnMut(Vec<u8>),
    ) -> io::Result<Sent> {
        self.spent.drain(..).for_each(recycle);
        let link = self.links.at(place);
        if let Some(errno) = link.send_failure {
            return Err(io::Error::from_raw_os_error(errno));
        }
        if link.sending.is_some() {
            return Ok(Sent {
                bytes: 0,
                blocked: true,
            });
        }
        let mut sending = self.idle_sendings.pop().unwrap_or_default();
        sending.rope = rope.take_front(bytes_max);
        let bytes = sending.rope.len();
        self.held.sending += bytes;
        self.held.sending_memory += sending.rope.owned_bytes();
        link.sending = Some(sending);
        self.submit_send(place);
        Ok(Sent {
            bytes,
            blocked: !rope.is_empty(),
        })
    }

    fn submit_send(&mut self, place: u32) {
        let link = self.links.at(place);
        let Some(sending) = &mut link.sending else {
            return;
        };
        link.operations += 1;
        self.sends += 1;
        let fd = types::Fd(link.fd);
        let entry = if sending.rope.is_contiguous() {
            let bytes = sending.rope.first();
            let len = bytes.len().min(SEND_BYTES_MAX);
            opcode::Send::new(fd, bytes.as_ptr(), len as u32)
                .flags(libc::MSG_NOSIGNAL)
                .build()
        } else {
            let message = sending
                .message
                .get_or_insert_with(|| self.messages.pop().unwrap_or_else(Message::new));
            message.describe(&sending.rope);
            opcode::SendMsg::new(fd, &raw const message.header)
                .flags(libc::MSG_NOSIGNAL as u32)
                .build()
        };
        #[allow(unsafe_code)]
        // SAFETY: rope and message belong to the link, which leaves them alone until the completion, and is itself kept until then.
        unsafe {
            self.ring
                .push(entry.user_data(user_data(Kind::Send, place)));
        }
    }

    pub(super) fn sent(&mut self, place: u32, result: i32, events: &mut Vec<Event>) {
        let link = self.links.at(place);
        link.operations -= 1;
        let Some(mut sending) = link.sending.take() else {
            debug_assert!(false, "a send completes once");
            return;
        };
        let memory = sending.rope.owned_bytes();
        let again = match usize::try_from(result) {
            Ok(bytes) => {
                let spent = &mut self.spent;
                sending
                    .rope
                    .advance_recycling(bytes, |buffer| spent.push(buffer));
                self.held.sending -= bytes;
                !sending.rope.is_empty()
            }
            Err(_) => {
                let again = matches!(-result, libc::EINTR | libc::EAGAIN);
                if !again {
                    link.send_failure = Some(-result);
                }
                again
            }
        };
        let closed = link.is_closed();
        if again && !closed {
            self.held.sending_memory =
                self.held.sending_memory + sending.rope.owned_bytes() - memory;
            link.sending = Some(sending);
            return self.submit_send(place);
        }
        self.held.sending_memory -= memory;
        self.held.sending -= sending.rope.len();
        if sending.rope.is_empty() {
            let tail = sending.rope.take_tail();
            if tail.capacity() > 0 {
                self.spent.push(tail);
            }
        }
        self.messages.extend(sending.message.take());
        sending.rope = Rope::new();
        self.idle_sendings.push(sending);
        if closed {
            return self.links.release(place);
        }
        if link.send_failure.is_some() {
            events.extend(link.token.map(|token| Event {
                failed: true,
                writable: true,
                ..Event::readable(token)
            }));
        } else if link.wants_writable {
            events.extend(link.token.map(|token| Event {
                readable: false,
                writable: true,
                ..Event::readable(token)
            }));
        }
        if link.shut == Shut::Wanted {
            link.shut = Shut::Done;
            let fd = link.fd;
            super::shutdown_write(fd);
        }
    }
}
