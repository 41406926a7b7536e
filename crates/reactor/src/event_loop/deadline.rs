//! Deadlines that pass.
//!
//! Invariant: the handler is told once, and of writing only when there is something to be written; from then on that side stands
//! still until the deadline is set anew, or the connection is closed.

use super::EventLoop;
use crate::backend::Backend;
use crate::deadlines::Side;
use crate::handler::Handler;
use crate::io::Io;

impl<B: Backend> EventLoop<B> {
    pub(super) fn expire<H: Handler>(
        &mut self,
        side: Side,
        index: u32,
        generation: u32,
        handler: &mut H,
    ) {
        let Some(c) = self.state.conns.of_event(index, generation) else {
            return;
        };
        if !c.is_live() {
            return;
        }
        match side {
            Side::Read => {
                c.read_expired = true;
                let id = self.state.conns.id(index);
                if let Some(bytes) = self.state.deadlines.tell(index, side) {
                    handler.read_deadline(&mut Io::new(&mut self.state), id, bytes);
                }
            }
            Side::Write => {
                c.write_expired = true;
                self.tell_write_deadline(index, handler);
            }
        }
    }

    /// There is output that may not be written any more, or may be later on.
    pub(super) fn tell_write_deadline<H: Handler>(&mut self, index: u32, handler: &mut H) {
        if self.state.conns.at(index).unsent() == 0 {
            return;
        }
        let id = self.state.conns.id(index);
        if let Some(bytes) = self.state.deadlines.tell(index, Side::Write) {
            self.busy = true;
            handler.write_deadline(&mut Io::new(&mut self.state), id, bytes);
        }
    }
}
