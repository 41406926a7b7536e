//! Clients on real threads.

use std::sync::Arc;

use dunlin_engine::dispatch::{Call, Executed, Stepped};
use dunlin_engine::{Args, Blocked, Engine, OwnedArgs, Session, WorkerState};
use dunlin_store::stripes::{ReadyList, Waiter};
use dunlin_structures::rope::Rope;

use super::world::{Nobody, StillHost};

/// One client on its own worker, which waits instead of serving others.
pub(crate) struct Client<'a> {
    engine: &'a Engine,
    pub(crate) worker: WorkerState,
    pub(crate) session: Session,
    ready: Arc<ReadyList>,
    waiter: Arc<Waiter>,
    pub(crate) parked: usize,
}

impl Client<'_> {
    /// The client of worker number `number`.
    pub(crate) fn new(engine: &Engine, number: usize, seed: u64) -> Client<'_> {
        let ready = ReadyList::new(Nobody);
        Client {
            engine,
            worker: engine.worker(number, seed),
            session: Session::new(number as u64, true),
            waiter: Waiter::new(Arc::clone(&ready), 0),
            ready,
            parked: 0,
        }
    }

    /// Runs one command to its end.
    pub(crate) fn run(&mut self, args: &OwnedArgs, now_ms: u64) {
        let mut out = Rope::new();
        let mut executed = self.call(args.as_args(), now_ms, &mut out, |engine, call| {
            engine.execute(call)
        });
        loop {
            executed = match executed {
                Executed::Done { .. } => break,
                Executed::Blocked(blocked) => {
                    match self.give_up_or_go_on(&blocked, args.as_args(), now_ms, &mut out) {
                        Some(executed) => executed,
                        None => break,
                    }
                }
                Executed::Away(_) => unreachable!("only commands of the server go away"),
                Executed::Again { .. } => unreachable!("only the auxiliary thread says so"),
                Executed::Heavy(heavy) => {
                    self.call(args.as_args(), now_ms, &mut out, |engine, call| {
                        engine.run_heavy(call, *heavy)
                    })
                }
                Executed::Parked { id } => {
                    self.wait();
                    self.call(args.as_args(), now_ms, &mut out, |engine, call| {
                        engine.resume(call, id)
                    })
                }
                Executed::Continue(mut continuation) => {
                    let none = OwnedArgs::default();
                    let mut resumed = false;
                    loop {
                        let stepped =
                            self.call(none.as_args(), now_ms, &mut out, |engine, call| {
                                engine.step(call, &mut *continuation, resumed)
                            });
                        resumed = matches!(stepped, Stepped::Parked);
                        match stepped {
                            Stepped::More => {}
                            Stepped::Parked => self.wait(),
                            Stepped::Done => break,
                        }
                    }
                    break;
                }
            };
        }
        if let Some(turn) = self.worker.local.turn.take()
            && !turn.is_over()
        {
            wait(&self.ready);
            self.waiter.note_passed();
        }
        self.worker.local.batch_boundary(&self.engine.store.epochs);
    }

    /// A command that waits for a key gives up, unless somebody has something for it at this very moment: then it is run again.
    fn give_up_or_go_on(
        &mut self,
        blocked: &Blocked,
        args: Args<'_>,
        now_ms: u64,
        out: &mut Rope,
    ) -> Option<Executed> {
        let ticket = &blocked.ticket;
        if ticket.cancel() {
            let local = &mut self.worker.local;
            while !self.engine.store.forget_ticket(local, now_ms, ticket) {
                std::thread::yield_now();
            }
            return None;
        }
        loop {
            self.wait();
            let executed = self.call(args, now_ms, out, |engine, call| {
                engine.resume_called(call, blocked.id, ticket)
            });
            if !matches!(executed, Executed::Parked { .. }) {
                // It was served in the turn of another.
                self.worker.local.turn = None;
                return Some(executed);
            }
        }
    }

    fn call<T>(
        &mut self,
        args: Args<'_>,
        now_ms: u64,
        out: &mut Rope,
        enter: impl FnOnce(&Engine, Call<'_>) -> T,
    ) -> T {
        let call = Call {
            args,
            id: None,
            first_hash: None,
            session: &mut self.session,
            out,
            host: &mut StillHost(now_ms),
            worker: &mut self.worker,
            waiter: &self.waiter,
            now_ms,
        };
        enter(self.engine, call)
    }

    fn wait(&mut self) {
        self.parked += 1;
        wait(&self.ready);
    }
}

/// Waits until a stripe was granted.
pub(crate) fn wait(ready: &ReadyList) {
    let mut tokens = Vec::new();
    while ready.drain(&mut tokens) == 0 {
        std::thread::yield_now();
    }
}
