//! The place where one reply is awaited, by a thread or by a task.
//!
//! Invariant: a slot that was given out with a [`Ticket`] is filled exactly once, whatever happens: a ticket that is dropped fills it with
//! [`Error::ConnectionReset`]. Whoever fills it never touches it again, so its owner may use it anew. A slot whose owner gave up is
//! never used again: a late reply falls into the void.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};

use dunlin_resp::Value;

use crate::error::{Error, Result};
use crate::yielding::Yielding;

/// Slots that a thread keeps for its next requests.
const SPARE_MAX: usize = 64;

/// How often a thread lets others run before it sleeps. Where there are more threads than cores, these send their requests meanwhile, and the
/// replies to all of them come with one turn of the loop, which then has nobody to wake: with 16 threads on two cores a request costs
/// its client a third to a half of what it does without. Where nobody else wants to run, a yield costs a fraction of a microsecond.
const YIELDS_MAX: u32 = 3;

thread_local! {
    static SPARE: RefCell<Vec<Arc<Slot>>> = const { RefCell::new(Vec::new()) };
}

/// What a request is answered with: one reply, or those of a whole unit.
#[derive(Debug)]
pub(crate) enum Answer {
    One(Value),
    Many(Vec<Value>),
}

impl Answer {
    pub(crate) fn one(self) -> Value {
        match self {
            Answer::One(value) => value,
            Answer::Many(values) => Value::Array(values),
        }
    }

    pub(crate) fn many(self) -> Vec<Value> {
        match self {
            Answer::One(value) => vec![value],
            Answer::Many(values) => values,
        }
    }
}

/// Who is to be told.
#[derive(Debug, Default)]
enum Waiter {
    #[default]
    Nobody,
    Thread(Thread),
    Task(Waker),
}

/// To be woken once no lock is held.
#[derive(Debug)]
pub(crate) struct Wakeup(Waiter);

impl Wakeup {
    /// The task, if it is one. Everybody else is woken here.
    pub(crate) fn wake_thread(self) -> Option<Waker> {
        match self.0 {
            Waiter::Task(waker) => Some(waker),
            other => {
                Wakeup(other).wake();
                None
            }
        }
    }

    pub(crate) fn wake(self) {
        match self.0 {
            Waiter::Nobody => {}
            Waiter::Thread(thread) => thread.unpark(),
            Waiter::Task(waker) => waker.wake(),
        }
    }
}

#[derive(Debug, Default)]
struct Cell {
    answer: Option<Result<Answer>>,
    waiter: Waiter,
}

#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// The answer is there.
    done: AtomicBool,
    cell: Mutex<Cell>,
}

impl Slot {
    /// An empty slot, from the thread's stock if that has one.
    pub(crate) fn take() -> Arc<Slot> {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        spare.ok().flatten().unwrap_or_default()
    }

    /// Puts a slot whose answer was taken into the thread's stock.
    pub(crate) fn give_back(self: Arc<Slot>) {
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_MAX {
                spare.push(self);
            }
        });
    }

    fn cell(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that this thread is going to wait. To be called before the request is sent.
    pub(crate) fn expect_here(&self) {
        self.cell().waiter = Waiter::Thread(thread::current());
    }

    /// Waits for the answer and takes it.
    pub(crate) fn wait(&self) -> Result<Answer> {
        let mut yields = 0;
        let mut yielding = Yielding::default();
        loop {
            if self.done.load(Ordering::Acquire)
                && let Some(answer) = self.take_answer()
            {
                return answer;
            }
            if yields < YIELDS_MAX && yielding.give_way() {
                yields += 1;
            } else {
                yields = YIELDS_MAX;
                thread::park();
            }
        }
    }

    /// The answer, or a promise to wake the task.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Result<Answer>> {
        if !self.done.load(Ordering::Acquire) {
            let mut cell = self.cell();
            if cell.answer.is_none() {
                match &mut cell.waiter {
                    Waiter::Task(waker) => waker.clone_from(context.waker()),
                    waiter => *waiter = Waiter::Task(context.waker().clone()),
                }
                return Poll::Pending;
            }
        }
        self.take_answer().map_or(Poll::Pending, Poll::Ready)
    }

    /// The answer; the slot is empty afterwards.
    fn take_answer(&self) -> Option<Result<Answer>> {
        let mut cell = self.cell();
        let answer = cell.answer.take();
        cell.waiter = Waiter::Nobody;
        self.done.store(false, Ordering::Relaxed);
        answer
    }
}

/// The obligation to fill a slot.
#[derive(Debug)]
pub(crate) struct Ticket(Option<Arc<Slot>>);

impl Ticket {
    pub(crate) fn new(slot: &Arc<Slot>) -> Ticket {
        Ticket(Some(Arc::clone(slot)))
    }

    /// A ticket for what nobody waits for.
    pub(crate) fn nobody() -> Ticket {
        Ticket(None)
    }

    /// Fills the slot, if that was not done before, and returns who is to be woken.
    pub(crate) fn fill(&mut self, answer: Result<Answer>) -> Wakeup {
        let Some(slot) = self.0.take() else {
            return Wakeup(Waiter::Nobody);
        };
        let mut cell = slot.cell();
        cell.answer = Some(answer);
        let waiter = std::mem::take(&mut cell.waiter);
        // Within the lock: whoever takes the answer out has seen this, and empties the slot after it.
        slot.done.store(true, Ordering::Release);
        drop(cell);
        Wakeup(waiter)
    }

    /// Gives up the obligation: the request was never accepted.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }

    /// Whether the slot was filled already, or never was.
    pub(crate) fn is_filled(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.fill(Err(Error::ConnectionReset)).wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_ticket_wakes_its_waiter() {
        let slot = Slot::take();
        slot.expect_here();
        let ticket = Ticket::new(&slot);
        let dropper = thread::spawn(move || drop(ticket));
        assert!(matches!(slot.wait(), Err(Error::ConnectionReset)));
        dropper.join().unwrap();
    }

    #[test]
    fn a_slot_is_used_again_and_again() {
        let slot = Slot::take();
        for n in 0..1_000 {
            slot.expect_here();
            let mut ticket = Ticket::new(&slot);
            let filler = (n % 50 == 0).then(|| {
                let mut ticket = Ticket(ticket.0.take());
                thread::spawn(move || {
                    ticket.fill(Ok(Answer::One(Value::Integer(n)))).wake();
                })
            });
            ticket.fill(Ok(Answer::One(Value::Integer(n)))).wake();
            assert_eq!(slot.wait().unwrap().one(), Value::Integer(n));
            if let Some(filler) = filler {
                filler.join().unwrap();
            }
        }
        slot.give_back();
    }
}
