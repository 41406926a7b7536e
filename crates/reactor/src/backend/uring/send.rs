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
        if link.is_sending {
            return Ok(Sent {
                bytes: 0,
                blocked: true,
            });
        }
        link.sending = rope.take_front(bytes_max);
        link.is_sending = true;
        let bytes = link.sending.len();
        self.held.sending += bytes;
        self.held.sending_memory += link.sending.owned_bytes();
        self.submit_send(place);
        Ok(Sent {
            bytes,
            blocked: !rope.is_empty(),
        })
    }

    fn submit_send(&mut self, place: u32) {
        let link = self.links.at(place);
        link.operations += 1;
        self.sends += 1;
        let fd = types::Fd(link.fd);
        let entry = if link.sending.is_contiguous() {
            let bytes = link.sending.first();
            let len = bytes.len().min(SEND_BYTES_MAX);
            opcode::Send::new(fd, bytes.as_ptr(), len as u32)
                .flags(libc::MSG_NOSIGNAL)
                .build()
        } else {
            let message = link
                .message
                .get_or_insert_with(|| self.messages.pop().unwrap_or_else(Message::new));
            message.describe(&link.sending);
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
        let memory = link.sending.owned_bytes();
        let again = match usize::try_from(result) {
            Ok(bytes) => {
                let spent = &mut self.spent;
                link.sending
                    .advance_recycling(bytes, |buffer| spent.push(buffer));
                self.held.sending -= bytes;
                !link.sending.is_empty()
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
                self.held.sending_memory + link.sending.owned_bytes() - memory;
            return self.submit_send(place);
        }
        self.held.sending_memory -= memory;
        let mut rope = mem::take(&mut link.sending);
        self.held.sending -= rope.len();
        if rope.is_empty() {
            let tail = rope.take_tail();
            if tail.capacity() > 0 {
                self.spent.push(tail);
            }
        }
        link.is_sending = false;
        self.messages.extend(link.message.take());
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
