//! The arguments of one command: borrowed from the input they came in, or owned while the command waits.

use std::ops::Index;

use dunlin_resp::Span;

/// Borrowed arguments; `args[0]` is the command's name.
#[derive(Copy, Clone)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Views `spans` inside `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { bytes, spans }
    }

    /// Number of arguments, the name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is not even a name.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`. Panics past the end, like a slice.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.spans[index].of(self.bytes)
    }

    /// The argument at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|s| s.of(self.bytes))
    }

    /// All arguments from `start` on.
    pub fn from(
        &self,
        start: usize,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let bytes = self.bytes;
        self.spans[start.min(self.spans.len())..]
            .iter()
            .map(move |s| s.of(bytes))
    }

    /// All arguments.
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        self.from(0)
    }

    /// Whether the argument at `index` equals `word`, letter case aside.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.get(index)
            .is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Copies the arguments.
    pub fn to_owned(&self) -> OwnedArgs {
        OwnedArgs::of(self.iter())
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// Arguments that outlive their input: of a queued or suspended command.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedArgs {
    /// Copies these arguments. Their total length is limited by what a span can address, 4 GiB.
    pub fn of<'x>(args: impl IntoIterator<Item = &'x [u8]>) -> OwnedArgs {
        let mut owned = OwnedArgs::default();
        for arg in args {
            let start = u32::try_from(owned.bytes.len()).expect("a request is shorter than 4 GiB");
            let len = u32::try_from(arg.len()).expect("a request is shorter than 4 GiB");
            owned.spans.push(Span { start, len });
            owned.bytes.extend_from_slice(arg);
        }
        owned
    }

    /// The same arguments, borrowed.
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// Bytes of all arguments.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }
}
