//! Where encodings go: a buffer that is emptied between the elements of a long value.

use std::io;

/// Above so many bytes in its buffer a sink is told that it may empty it.
pub const PIECE_BYTES: usize = 64 * 1024;

/// A buffer to append to, and who takes from it.
pub trait Sink {
    /// The buffer: encodings are appended.
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// May take what is in the buffer. Called between the elements of a value where there are more than [`PIECE_BYTES`], so that a value of
    /// any size passes through a buffer of bounded size (an element is in it as a whole).
    ///
    /// # Errors
    /// Whatever stops the writing.
    fn piece(&mut self) -> io::Result<()>;
}

/// All in memory.
impl Sink for Vec<u8> {
    #[inline]
    fn buffer(&mut self) -> &mut Vec<u8> {
        self
    }

    #[inline]
    fn piece(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets the sink take what is there if that is much.
#[inline]
pub(super) fn relieve<S: Sink>(sink: &mut S) -> io::Result<()> {
    if sink.buffer().len() >= PIECE_BYTES {
        return sink.piece();
    }
    Ok(())
}
