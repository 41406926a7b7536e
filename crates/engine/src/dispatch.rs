//! From arguments to a reply: the checks (`admission`), the locks, the handler, the record.
//!
//! Three entrances: [`Engine::execute`] for a fresh command, [`Engine::resume`] for one that was parked, and
//! [`Engine::step`] for one that goes on in steps. What can't be done at once is handed back to the caller, which owns
//! the sessions: a worker never waits.

use std::any::Any;
use std::sync::Arc;

use dunlin_store::blocked::Ticket;
use dunlin_store::stripes::{Held, LockSet, Waiter};
use dunlin_store::{Aside, Key, Reads, Store, Txn};
use dunlin_structures::rope::Rope;
use smallvec::SmallVec;

use crate::args::{Args, OwnedArgs};
use crate::command::{Command, Scope, has_patterns};
use crate::context::{Block, Continuation, Ctx, Flow, Host, Progress, UntilSafe};
use crate::engine::{Engine, WorkerState};
use crate::error::ReplyError;
use crate::reply::Reply;
use crate::session::{Queued, Session};

/// A command that touches more elements than this runs on the auxiliary thread.
pub const HEAVY_ELEMENTS: u64 = 20_000;

/// Everything around one command.
pub struct Call<'a> {
    /// Its arguments.
    pub args: Args<'a>,
    /// Id of the top-level command, looked up already by the look-ahead.
    pub id: Option<usize>,
    /// Index and hash of its first key, likewise.
    pub first_hash: Option<(usize, u64)>,
    /// The client's session.
    pub session: &'a mut Session,
    /// Where the reply goes.
    pub out: &'a mut Rope,
    /// What lies above the engine.
    pub host: &'a mut dyn Host,
    /// The worker's state.
    pub worker: &'a mut WorkerState,
    /// What parks when a stripe is busy.
    pub waiter: &'a Arc<Waiter>,
    /// Time in milliseconds since 1970.
    pub now_ms: u64,
}

/// What became of a call.
pub enum Executed {
    /// The reply is written.
    Done {
        /// Id of the command that ran, if one did.
        id: Option<usize>,
    },
    /// A stripe is busy: keep the arguments, suspend the session, call [`Engine::resume`] when its waiter is ready.
    Parked {
        /// Id of the command.
        id: usize,
    },
    /// Suspend the session until its ticket is called, which its waiter will tell, or until the deadline: [`Engine::resume_called`].
    Blocked(Box<Blocked>),
    /// Suspend the session and call [`Engine::step`] until it is done.
    Continue(Box<dyn Continuation>),
    /// Suspend the session until it comes back with its reply from who carries this order out.
    Away(Box<dyn Any + Send>),
    /// On the auxiliary thread only: the command must hold every stripe. Have its worker call [`Engine::run_again`].
    Again {
        /// Id of the command.
        id: usize,
    },
    /// Too long for a worker: suspend the session and have the auxiliary thread call [`Engine::run_heavy`].
    Heavy(Box<Heavy>),
}

/// A command that waits for a key.
pub struct Blocked {
    /// Id of the command.
    pub id: usize,
    /// Its place in the queues.
    pub ticket: Arc<Ticket>,
    /// When it gives up, milliseconds since 1970.
    pub deadline_ms: Option<u64>,
    /// Writes what is answered then.
    pub nothing: fn(&mut Reply<'_>),
    /// What is answered instead once the log is safe.
    pub until_safe: Option<UntilSafe>,
    /// Its arguments from now on, if they have changed.
    pub args: Option<OwnedArgs>,
}

/// A heavy command with its keys.
pub struct Heavy {
    id: usize,
    keys: HeavyKeys,
}

enum HeavyKeys {
    /// Their stripes, held.
    Held(Option<Held>),
    /// Images of them; no stripe is held.
    Aside(Aside),
}

impl Heavy {
    /// Whether others wait for its stripes while it waits to be run.
    pub fn holds_stripes(&self) -> bool {
        matches!(self.keys, HeavyKeys::Held(Some(_)))
    }
}

/// What became of one step.
pub enum Stepped {
    /// Call again.
    More,
    /// A stripe is busy: call again when the waiter is ready, with `resumed`.
    Parked,
    /// The reply is written.
    Done,
}

impl Engine {
    /// Runs a fresh command.
    #[inline]
    pub fn execute(&self, mut call: Call<'_>) -> Executed {
        if self.store.eviction.is_on() {
            return self.execute_within_limit(&mut call);
        }
        self.execute_now(&mut call)
    }

    /// The same, counting what it allocates towards the limit of memory: all but its reply, which is the client's.
    #[inline(never)]
    fn execute_within_limit(&self, call: &mut Call<'_>) -> Executed {
        let usage = &self.store.usage;
        let before = usage.of_this_thread() - call.out.owned_bytes() as i64;
        let executed = self.execute_now(call);
        let after = usage.of_this_thread() - call.out.owned_bytes() as i64;
        call.worker.local.batch_bytes += after - before;
        executed
    }

    #[inline]
    fn execute_now(&self, call: &mut Call<'_>) -> Executed {
        let id = match self.admit(call) {
            Ok(id) => id,
            Err((Some(id), error)) if self.table.at(id).full_name == "exec" => {
                // A refused EXEC ends the transaction too: it runs to give up what is watched and to say why.
                call.session.transaction.get_or_insert_default().refused = Some(error);
                id
            }
            Err((_, error)) => {
                self.reject(call, &error);
                return Executed::Done { id: None };
            }
        };
        let command = self.table.at(id);
        if call.session.in_transaction() && !runs_inside_multi(command) {
            return self.queue(call, id);
        }
        if let Some(stripe) = self.only_stripe(command, call.first_hash) {
            // The common case.
            return match self.store.try_lock_stripe(stripe, call.waiter) {
                Some(held) => self.run_or_defer(call, id, command, held),
                None => self.execute_contended(call, id, command, stripe),
            };
        }
        if command.scope == Scope::Script {
            call.session.holds_all = self.scripts.needs_all(command, call.args);
        }
        match self.lock_set(command, call.args, call.session, None) {
            None => self.run(call, &self.store, id, command, None, true),
            Some(set) => match self.store.lock_stripes(&set, call.waiter) {
                Ok(held) => self.run_or_defer(call, id, command, held),
                Err(_parked) => Executed::Parked { id },
            },
        }
    }

    /// Runs a command whose only stripe was not free at the first attempt. Apart from the common case, so that there a proof of the lock is
    /// made where it stays, and not copied.
    #[cold]
    fn execute_contended(
        &self,
        call: &mut Call<'_>,
        id: usize,
        command: &'static Command,
        stripe: u16,
    ) -> Executed {
        match self.store.lock_stripes(&LockSet::One(stripe), call.waiter) {
            Ok(held) => self.run_or_defer(call, id, command, held),
            Err(_parked) => Executed::Parked { id },
        }
    }

    /// Runs a command that was parked and whose waiter came out of the ready list.
    pub fn resume(&self, mut call: Call<'_>, id: usize) -> Executed {
        let command = self.table.at(id);
        let set = self
            .lock_set(command, call.args, call.session, call.first_hash)
            .expect("a command that parked locks something");
        match self.store.resume_stripes(&set, call.waiter) {
            Ok(held) => self.run_or_defer(&mut call, id, command, held),
            Err(_parked) => Executed::Parked { id },
        }
    }

    /// Runs a command again whose ticket was called and whose waiter came out of the ready list. It may have to wait for a stripe
    /// ([`Executed::Parked`], its ticket still called) or to wait on, as before ([`Executed::Blocked`]).
    pub fn resume_called(&self, mut call: Call<'_>, id: usize, ticket: &Arc<Ticket>) -> Executed {
        let command = self.table.at(id);
        let set = self
            .lock_set(command, call.args, call.session, None)
            .expect("a command that waits for a key has one");
        match self.store.resume_stripes(&set, call.waiter) {
            Ok(held) => {
                let held = Some(held);
                self.run_with(
                    &mut call,
                    &self.store,
                    id,
                    command,
                    held,
                    true,
                    Some(ticket),
                )
            }
            Err(_parked) => Executed::Parked { id },
        }
    }

    /// Runs a heavy command on the auxiliary thread, with that thread's worker state in `call`.
    pub fn run_heavy(&self, mut call: Call<'_>, heavy: Heavy) -> Executed {
        let Heavy { id, keys } = heavy;
        let command = self.table.at(id);
        let mut aside = match keys {
            HeavyKeys::Held(held) => {
                return self.run(&mut call, &self.store, id, command, held, false);
            }
            HeavyKeys::Aside(aside) => aside,
        };
        let held = aside.lock();
        let executed = self.run(&mut call, aside.store(), id, command, Some(held), false);
        self.store.count_reads_of(&aside, call.worker.number);
        executed
    }

    /// Runs a command again that turned out to need every stripe; nothing of it has remained.
    #[cold]
    pub fn run_again(&self, mut call: Call<'_>, id: usize) -> Executed {
        self.again(&mut call, id)
    }

    #[cold]
    fn again(&self, call: &mut Call<'_>, id: usize) -> Executed {
        call.session.holds_all = true;
        match self.store.lock_stripes(&LockSet::All, call.waiter) {
            Ok(held) => {
                let command = self.table.at(id);
                self.run(call, &self.store, id, command, Some(held), true)
            }
            Err(_parked) => Executed::Parked { id },
        }
    }

    /// Has the session wait for its keys, at its old place if it has one.
    #[cold]
    fn block(
        cx: &mut Ctx<'_>,
        id: usize,
        block: Block,
        ticket: Option<&Arc<Ticket>>,
        waiter: &Arc<Waiter>,
    ) -> Box<Blocked> {
        let ticket = match ticket {
            Some(ticket) => {
                cx.keys.wait_again(ticket);
                Arc::clone(ticket)
            }
            None => {
                let keys = block.keys.iter().map(|&i| cx.key(i));
                let keys = keys.collect::<SmallVec<[Key<'_>; 4]>>();
                let db = cx.db();
                cx.keys.wait_for(db, keys.into_iter(), block.wanted, waiter)
            }
        };
        Box::new(Blocked {
            id,
            ticket,
            deadline_ms: block.deadline_ms,
            nothing: block.nothing,
            until_safe: block.until_safe,
            args: block.args,
        })
    }

    /// A heavy read goes on over images of its keys: whoever waits for their stripes need not wait for it.
    #[cold]
    fn set_aside(cx: &mut Ctx<'_>) -> HeavyKeys {
        let mut places = SmallVec::<[usize; 8]>::new();
        for spec in cx.command.keys {
            spec.for_each(cx.args, |i| places.push(i));
        }
        let keys = places
            .iter()
            .map(|&i| cx.key(i))
            .collect::<SmallVec<[Key<'_>; 8]>>();
        HeavyKeys::Aside(cx.keys.set_aside(cx.session.db, keys.into_iter()))
    }

    /// Does one step of a command that goes on in steps. `call.args` is not looked at.
    pub fn step(
        &self,
        call: Call<'_>,
        continuation: &mut dyn Continuation,
        resumed: bool,
    ) -> Stepped {
        let set = continuation.lock_set(self);
        let mut held = match &set {
            None => None,
            Some(set) => {
                let taken = if resumed {
                    self.store.resume_stripes(set, call.waiter)
                } else {
                    self.store.lock_stripes(set, call.waiter)
                };
                match taken {
                    Ok(held) => Some(held),
                    Err(_parked) => return Stepped::Parked,
                }
            }
        };
        let paused = call.worker.local.is_paused;
        call.worker.local.client = 0;
        let mut cx = Ctx {
            // A step has no command of its own to check: only its continuation knows what it does.
            command: &Command::BASE,
            args: Args::new(&[], &[]),
            keys: Txn::new(
                &self.store,
                held.as_mut(),
                &mut call.worker.local,
                call.now_ms,
            ),
            reply: Reply::new(call.out, call.session.version),
            session: call.session,
            host: call.host,
            engine: self,
            stats: &self.stats[call.worker.number],
            may_defer: false,
            observed: false,
            paused,
            first_hash: None,
        };
        if cx.paused {
            // Commands in steps only read.
            cx.keys.set_reads(Reads {
                keep_expired: true,
                ..Reads::default()
            });
        }
        let stepped = match continuation.step(&mut cx) {
            Ok(Progress::More) => Stepped::More,
            Ok(Progress::Done) => Stepped::Done,
            Err(error) => {
                cx.reply.error(&error);
                cx.stats.count_error(&error);
                Stepped::Done
            }
        };
        cx.keys.commit(Some(call.waiter));
        if let Some(held) = held {
            self.store.release_stripes(held);
        }
        stepped
    }

    /// Answers an error from before the handler; in a transaction EXEC will refuse.
    fn reject(&self, call: &mut Call<'_>, error: &ReplyError) {
        if let Some(transaction) = &mut call.session.transaction {
            transaction.aborted = true;
        }
        self.stats[call.worker.number].count_error(error);
        Reply::new(call.out, call.session.version).error(error);
    }

    fn queue(&self, call: &mut Call<'_>, id: usize) -> Executed {
        let command = self.table.at(id);
        let transaction = call
            .session
            .transaction
            .as_mut()
            .expect("only called inside MULTI");
        // EXEC will refuse to run an aborted transaction, so its commands need no memory.
        if !transaction.aborted {
            transaction.push(Queued {
                id,
                command,
                args: call.args.to_owned(),
            });
        }
        Reply::new(call.out, call.session.version).simple("QUEUED");
        Executed::Done { id: None }
    }

    /// What `command` locks with these arguments.
    #[inline]
    pub fn lock_set(
        &self,
        command: &Command,
        args: Args<'_>,
        session: &Session,
        first_hash: Option<(usize, u64)>,
    ) -> Option<LockSet> {
        match command.scope {
            Scope::Nothing | Scope::Stepwise => None,
            Scope::All => Some(LockSet::All),
            Scope::Transaction => self.transaction_set(session),
            Scope::Watched => {
                let mut stripes = SmallVec::<[u16; 8]>::new();
                self.watched_stripes(session, &mut stripes);
                (!stripes.is_empty()).then(|| LockSet::of(stripes))
            }
            Scope::Patterns if has_patterns(args) => Some(LockSet::All),
            Scope::Script if session.holds_all => Some(LockSet::All),
            Scope::Keys | Scope::Patterns | Scope::Script => {
                if let Some(stripe) = self.only_stripe(command, first_hash) {
                    return Some(LockSet::One(stripe));
                }
                let mut stripes = SmallVec::<[u16; 8]>::new();
                self.each_stripe(command, args, &mut stripes);
                (!stripes.is_empty()).then(|| LockSet::of(stripes))
            }
        }
    }

    /// The stripe of a command that has one key, if the look-ahead hashed it.
    #[inline]
    fn only_stripe(&self, command: &Command, first_hash: Option<(usize, u64)>) -> Option<u16> {
        let (_, hash) = first_hash?;
        (command.has_one_key()).then(|| self.store.stripe_of(hash) as u16)
    }

    fn each_stripe(&self, command: &Command, args: Args<'_>, stripes: &mut SmallVec<[u16; 8]>) {
        for spec in command.keys {
            spec.for_each(args, |i| {
                let hash = self.store.hasher().hash(args.at(i));
                stripes.push(self.store.stripe_of(hash) as u16);
            });
        }
    }

    fn watched_stripes(&self, session: &Session, stripes: &mut SmallVec<[u16; 8]>) {
        if let Some(watches) = &session.watches {
            stripes.extend(
                watches
                    .keys
                    .iter()
                    .map(|(_, _, hash)| self.store.stripe_of(*hash) as u16),
            );
        }
    }

    /// Stripes of everything queued and watched.
    fn transaction_set(&self, session: &Session) -> Option<LockSet> {
        let mut stripes = SmallVec::<[u16; 8]>::new();
        self.watched_stripes(session, &mut stripes);
        for queued in session.transaction.iter().flat_map(|t| &t.queue) {
            match queued.command.scope {
                Scope::All | Scope::Stepwise | Scope::Script => return Some(LockSet::All),
                Scope::Patterns if has_patterns(queued.args.as_args()) => {
                    return Some(LockSet::All);
                }
                Scope::Keys | Scope::Patterns => {
                    self.each_stripe(queued.command, queued.args.as_args(), &mut stripes)
                }
                // Its watched keys are held anyway.
                Scope::Nothing | Scope::Transaction | Scope::Watched => {}
            }
        }
        (!stripes.is_empty()).then(|| LockSet::of(stripes))
    }

    #[inline(always)]
    fn run_or_defer(
        &self,
        call: &mut Call<'_>,
        id: usize,
        command: &'static Command,
        held: Held,
    ) -> Executed {
        if let Some(weight) = command.weight
            && weight(self, call.session, call.args) > HEAVY_ELEMENTS
        {
            let keys = HeavyKeys::Held(Some(held));
            return Executed::Heavy(Box::new(Heavy { id, keys }));
        }
        self.run(call, &self.store, id, command, Some(held), true)
    }

    /// Runs the handler over what is held of `store`, publishes its effects and releases.
    #[inline(always)]
    fn run(
        &self,
        call: &mut Call<'_>,
        store: &Store,
        id: usize,
        command: &'static Command,
        held: Option<Held>,
        may_defer: bool,
    ) -> Executed {
        self.run_with(call, store, id, command, held, may_defer, None)
    }

    /// The same for a command that may have been called by its `ticket`.
    #[inline(always)]
    #[expect(
        clippy::too_many_arguments,
        reason = "one body for all ways to run a command, inlined into each"
    )]
    fn run_with(
        &self,
        call: &mut Call<'_>,
        store: &Store,
        id: usize,
        command: &'static Command,
        mut held: Option<Held>,
        may_defer: bool,
        ticket: Option<&Arc<Ticket>>,
    ) -> Executed {
        // Whoever says that it is too long has looked its keys up already, and will again.
        let hits = &store.counters(call.worker.number).hits;
        let hits_before = hits.value();
        call.worker.local.client = 0;
        let paused = call.worker.local.is_paused;
        let mut cx = Ctx {
            command,
            args: call.args,
            keys: Txn::new(store, held.as_mut(), &mut call.worker.local, call.now_ms),
            reply: Reply::new(call.out, call.session.version),
            session: call.session,
            host: call.host,
            engine: self,
            stats: &self.stats[call.worker.number],
            may_defer,
            observed: call.worker.observed,
            paused,
            first_hash: call.first_hash,
        };
        if !may_defer {
            cx.reply.write_in_background();
        }
        // One branch for all that is rare.
        let special = cx.is_special();
        if special {
            cx.set_reads();
            cx.begin_tracked();
        }
        if let Some(ticket) = ticket {
            cx.keys.take_turn(ticket);
        }
        let mut outcome = (command.handler)(&mut cx);
        if special {
            cx.end_tracked(&mut outcome);
        }
        if special && cx.observed && matches!(outcome, Ok(Flow::Done | Flow::Continue(_)) | Err(_))
        {
            cx.observe();
        }
        if let Some(ticket) = ticket
            && !matches!(outcome, Ok(Flow::Block(_)))
        {
            cx.keys.stop_waiting(ticket);
        }
        let executed = match outcome {
            Ok(Flow::Done) => Executed::Done { id: Some(id) },
            Ok(Flow::Continue(continuation)) => Executed::Continue(continuation),
            Ok(Flow::Away(order)) => Executed::Away(order),
            Ok(Flow::Heavy) => {
                hits.sub(hits.value() - hits_before);
                // Keys that had expired may have been removed already.
                cx.keys.commit(Some(call.waiter));
                let keys = HeavyKeys::Held(held);
                return Executed::Heavy(Box::new(Heavy { id, keys }));
            }
            Ok(Flow::Again) => {
                hits.sub(hits.value() - hits_before);
                cx.keys.commit(Some(call.waiter));
                if let Some(held) = held {
                    store.release_stripes(held);
                }
                return match may_defer {
                    true => self.again(call, id),
                    false => Executed::Again { id },
                };
            }
            Ok(Flow::Block(block)) => {
                let blocked = Engine::block(&mut cx, id, *block, ticket, call.waiter);
                cx.keys.commit(Some(call.waiter));
                if let Some(held) = held {
                    store.release_stripes(held);
                }
                return Executed::Blocked(blocked);
            }
            Ok(Flow::HeavyRead) => {
                hits.sub(hits.value() - hits_before);
                let keys = Engine::set_aside(&mut cx);
                cx.keys.commit(Some(call.waiter));
                if let Some(held) = held {
                    store.release_stripes(held);
                }
                return Executed::Heavy(Box::new(Heavy { id, keys }));
            }
            Err(error) => {
                cx.reply.error(&error);
                cx.stats.count_error(&error);
                // It has been counted as rejected.
                let ran = !matches!(error, ReplyError::ExecRefused(_));
                cx.stats.commands[id].failed.add(u64::from(ran));
                Executed::Done {
                    id: ran.then_some(id),
                }
            }
        };
        if !matches!(executed, Executed::Done { id: None }) {
            cx.stats.commands[id].calls.add(1);
        }
        cx.keys.commit(Some(call.waiter));
        if let Some(held) = held {
            store.release_stripes(held);
        }
        executed
    }
}

/// Commands that act on the transaction itself instead of being queued.
pub(crate) fn runs_inside_multi(command: &Command) -> bool {
    matches!(
        command.name,
        "exec" | "discard" | "multi" | "watch" | "quit" | "reset"
    ) && command.full_name == command.name
}
