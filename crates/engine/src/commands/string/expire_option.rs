//! The option EX s, PX ms, EXAT t or PXAT t of SET and GETEX, while options are being read.

use crate::Args;
use crate::expiry::Unit;

/// The expire time given so far.
#[derive(Copy, Clone, Default)]
pub(super) struct ExpireOption<'a> {
    /// Its unit and text; the text is looked at only once all options have been read.
    pub(super) given: Option<(Unit, &'a [u8])>,
}

impl<'a> ExpireOption<'a> {
    /// Takes the option at `index` and the time behind it, if that is what stands there. The same unit may be given
    /// again, and the last time counts; different units don't go together.
    pub(super) fn accept(&mut self, args: Args<'a>, index: usize) -> bool {
        let (Some(unit), Some(time)) = (Unit::from_option(&args[index]), args.get(index + 1))
        else {
            return false;
        };
        if self.given.is_some_and(|(other, _)| other != unit) {
            return false;
        }
        self.given = Some((unit, time));
        true
    }
}
