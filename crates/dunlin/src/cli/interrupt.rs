//! Ctrl-C, as something that can be waited for and asked about instead of the end of the program.
//!
//! Invariant: registered at most once in a run, by the modes that have something left to do when it comes.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;

/// Becomes readable with each Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pipe: UnixStream,
}

impl Interrupt {
    /// Takes Ctrl-C over.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub(crate) fn register() -> io::Result<Interrupt> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGINT, writer)?;
        Ok(Interrupt { pipe: reader })
    }

    /// Whether it was pressed since this was asked last.
    pub(crate) fn take(&self) -> bool {
        let mut pressed = false;
        while (&self.pipe).read(&mut [0; 16]).is_ok_and(|n| n > 0) {
            pressed = true;
        }
        pressed
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Set by the first Ctrl-C; the second one ends the program.
#[derive(Clone, Debug)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Takes the first Ctrl-C over.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(crate) fn register() -> io::Result<StopFlag> {
        let flag = Arc::new(AtomicBool::new(false));
        // In this order: the first press finds the flag unset, sets it, and goes on.
        signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&flag))?;
        signal_hook::flag::register(SIGINT, Arc::clone(&flag))?;
        Ok(StopFlag(flag))
    }

    /// Whether it was pressed.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
