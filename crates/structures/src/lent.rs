//! Lends what is borrowed to code that can hold nothing but what is `'static`: the callbacks of an interpreter.
//!
//! Invariant: what is lent is reachable only while [`Lent::lend`] runs, and by one user at a time.

use std::cell::Cell;
use std::ptr::NonNull;

/// Names a type with a lifetime, `Ctx<'a>` say, for [`Lent`].
pub trait Borrowed {
    /// The type at one lifetime.
    type At<'a>;
}

/// See the module's text. It stays on its thread.
pub struct Lent<B: Borrowed> {
    at: Cell<Option<NonNull<B::At<'static>>>>,
}

impl<B: Borrowed> Default for Lent<B> {
    fn default() -> Lent<B> {
        Lent {
            at: Cell::new(None),
        }
    }
}

/// Puts back what was there, even when the code in between unwinds.
struct Restore<'l, B: Borrowed> {
    lent: &'l Lent<B>,
    before: Option<NonNull<B::At<'static>>>,
}

impl<B: Borrowed> Drop for Restore<'_, B> {
    fn drop(&mut self) {
        self.lent.at.set(self.before);
    }
}

impl<B: Borrowed> Lent<B> {
    /// Lends `value` to whoever calls [`Lent::with`] while `f` runs.
    pub fn lend<'a, R>(&self, value: &mut B::At<'a>, f: impl FnOnce() -> R) -> R {
        let before = self.at.replace(Some(NonNull::from(value).cast()));
        let _restore = Restore { lent: self, before };
        f()
    }

    /// Uses what is lent; `None` where nothing is, or where it is in use.
    pub fn with<R>(&self, f: impl for<'a> FnOnce(&mut B::At<'a>) -> R) -> Option<R> {
        let before = self.at.take();
        let mut at = before?;
        let _restore = Restore { lent: self, before };
        // SAFETY: the pointer was made by `lend` from a unique borrow, which lasts until `lend` returns, and is taken away by then;
        // meanwhile the slot is empty, so nobody else gets at it. `f` works for every lifetime, so it can neither keep
        // what it is given nor put anything shorter-lived into it than the lifetime that `lend` was called with.
        #[expect(unsafe_code, reason = "the lifetime is erased between two calls")]
        let value = unsafe { at.as_mut() };
        Some(f(value))
    }
}

#[cfg(test)]
mod tests {
    use super::{Borrowed, Lent};

    struct Numbers;
    impl Borrowed for Numbers {
        type At<'a> = Vec<&'a Cell>;
    }
    type Cell = std::cell::Cell<u32>;

    #[test]
    fn what_is_lent_is_there_for_one_user_while_it_is_lent() {
        let lent = Lent::<Numbers>::default();
        assert!(lent.with(|_| ()).is_none());
        let number = Cell::new(1);
        let mut numbers = vec![&number];
        let len = lent.lend(&mut numbers, || {
            lent.with(|numbers| {
                numbers[0].set(2);
                assert!(lent.with(|_| ()).is_none(), "in use");
                numbers.clear();
            });
            lent.with(|numbers| numbers.len())
        });
        assert_eq!((len, number.get(), numbers.len()), (Some(0), 2, 0));
        assert!(lent.with(|_| ()).is_none());
    }
}
