//! The intrusive queue of waiters: first in, first out, without allocation.
//!
//! Invariant: the queue owns one reference of every waiter in it, and the `next` link of each. Whoever shares a queue
//! guards it with a lock. Not here: who may join; see the states in `waiter`.

use std::{ptr, sync::Arc};

use super::waiter::Waiter;

/// Waiters in the order in which they came.
pub(super) struct Queue {
    head: *const Waiter,
    tail: *const Waiter,
}

// SAFETY: a queue is a list of `Arc<Waiter>`, which are `Send`; the raw pointers are theirs.
#[allow(unsafe_code)]
unsafe impl Send for Queue {}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            head: ptr::null(),
            tail: ptr::null(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Appends a waiter. O(1).
    ///
    /// # Safety
    /// The waiter is in no list: the caller has just made it join (`Waiter::join`) or taken it out of another queue.
    #[allow(unsafe_code)]
    pub(super) unsafe fn push(&mut self, waiter: Arc<Waiter>) {
        let new = Arc::into_raw(waiter);
        // SAFETY: `new` is alive (we own the reference just turned into a pointer), and its link is ours by contract.
        unsafe { (*new).next.with_mut(|next| *next = ptr::null()) };
        if self.tail.is_null() {
            self.head = new;
        } else {
            // SAFETY: the tail is alive, for the queue owns a reference of it, and its link belongs to the queue.
            unsafe { (*self.tail).next.with_mut(|next| *next = new) };
        }
        self.tail = new;
    }

    /// Puts a waiter before all others. O(1).
    ///
    /// # Safety
    /// As for [`push`](Self::push).
    #[allow(unsafe_code)]
    pub(super) unsafe fn push_front(&mut self, waiter: Arc<Waiter>) {
        let new = Arc::into_raw(waiter);
        // SAFETY: `new` is alive (we own the reference just turned into a pointer), and its link is ours by contract.
        unsafe { (*new).next.with_mut(|next| *next = self.head) };
        if self.tail.is_null() {
            self.tail = new;
        }
        self.head = new;
    }

    /// Takes the first waiter. O(1).
    #[allow(unsafe_code)]
    pub(super) fn pop(&mut self) -> Option<Arc<Waiter>> {
        if self.head.is_null() {
            return None;
        }
        // SAFETY: `head` came from `Arc::into_raw` in `push`, and this turns that one reference back, once, for the
        // waiter leaves the queue here.
        let first = unsafe { Arc::from_raw(self.head) };
        // SAFETY: the link belongs to this queue until the waiter is out.
        self.head = first.next.with(|next| unsafe { *next });
        if self.head.is_null() {
            self.tail = ptr::null();
        }
        Some(first)
    }

    /// Sends all to their ready lists, in order. To be called with no internal lock and no stripe held, for waking a worker
    /// may be a system call.
    #[allow(unsafe_code)]
    pub(super) fn send_ready(mut self) {
        while let Some(waiter) = self.pop() {
            // A reference of our own: once pushed, the waiter may be drained and dropped by its worker at any moment, and
            // its reference of the list with it.
            let list = Arc::clone(waiter.ready());
            // SAFETY: the waiter was granted a place, is out of this queue and in no other.
            unsafe { list.push(waiter) };
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
