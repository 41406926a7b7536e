//! Several workers and clients on one thread: commands go on in steps, wait for stripes and are resumed, in an order that a
//! seed decides.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use dunlin_engine::digest::Digest;
use dunlin_engine::dispatch::{Call, Executed, Heavy, Stepped};
use dunlin_engine::replay::{ReplayError, Replayer};
use dunlin_engine::{Blocked, Continuation, Engine, Host, OwnedArgs, Session, WorkerState};
use dunlin_store::log::Record;
use dunlin_store::stream::{self, Id, Stream};
use dunlin_store::stripes::{Held, LockSet, ReadyList, Waiter, Wake};
use dunlin_store::{Entry, Settings, Txn};
use dunlin_structures::rope::Rope;

use super::commands::Request;
use super::rng::Rng;

/// Where the clock starts, in milliseconds since 1970.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// One thread plays everyone: nobody sleeps.
pub(crate) struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// A host with a clock that stands still.
pub(crate) struct StillHost(pub(crate) u64);

impl Host for StillHost {
    fn unix_time_us(&mut self) -> u64 {
        self.0 * 1000
    }
    fn sleep_us(&mut self, _us: u64) {}
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// What a client waits for.
enum Pending {
    /// A stripe for the command of this id.
    Stripe(usize),
    /// Its next step.
    Step(Box<dyn Continuation>),
    /// A stripe for its next step.
    StepStripe(Box<dyn Continuation>),
    /// The auxiliary thread.
    Heavy(Box<Heavy>),
    /// A key.
    Key(Box<Blocked>),
    /// Those who are served because of its command.
    Others,
}

struct Client {
    session: Session,
    worker: usize,
    waiter: Arc<Waiter>,
    args: OwnedArgs,
    out: Rope,
    pending: Option<Pending>,
}

/// See the module's text.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) now_ms: u64,
    workers: Vec<WorkerState>,
    clients: Vec<Client>,
    ready: Arc<ReadyList>,
    /// Someone who takes stripes without doing anything, so that others have to wait.
    blocker: Arc<Waiter>,
    blocked: Option<Held>,
    /// Who waits for a key gives up.
    gives_up: bool,
    /// How often a command had to wait.
    pub(crate) parked: usize,
}

/// An engine over an empty store.
pub(crate) fn engine(stripes: usize, workers: usize, hash_key: u64) -> Engine {
    let settings = Settings {
        stripes,
        workers,
        spin: 0,
        hash_key: [hash_key, 2],
        ..Settings::default()
    };
    Engine::new(&settings, &[])
}

impl World {
    /// `clients` clients of `workers` workers.
    pub(crate) fn new(engine: Arc<Engine>, workers: usize, clients: usize) -> World {
        let ready = ReadyList::new(Nobody);
        let client = |i: usize| Client {
            session: Session::new(i as u64, true),
            worker: i % workers,
            waiter: Waiter::new(Arc::clone(&ready), i as u64),
            args: OwnedArgs::default(),
            out: Rope::new(),
            pending: None,
        };
        World {
            workers: (0..workers)
                .map(|i| engine.worker(i, i as u64 + 7))
                .collect(),
            clients: (0..clients).map(client).collect(),
            blocker: Waiter::new(Arc::clone(&ready), clients as u64),
            blocked: None,
            gives_up: false,
            engine,
            now_ms: START_MS,
            ready,
            parked: 0,
        }
    }

    /// Whether a client waits for something.
    pub(crate) fn is_busy(&self, client: usize) -> bool {
        self.clients[client].pending.is_some()
    }

    /// A client's session.
    pub(crate) fn session(&self, client: usize) -> &Session {
        &self.clients[client].session
    }

    /// Makes a client one that plays a log.
    pub(crate) fn set_replaying(&mut self, client: usize) {
        self.clients[client].session.replaying = true;
    }

    /// Lets a client that is not busy start a command.
    pub(crate) fn start(&mut self, client: usize, request: &Request) {
        self.clients[client].args = OwnedArgs::of(request.iter().map(Vec::as_slice));
        self.act(client, None);
    }

    /// Lets a client that waits for its next step do it, if that is what it waits for.
    pub(crate) fn step(&mut self, client: usize) {
        match self.clients[client].pending.take() {
            Some(pending @ (Pending::Step(_) | Pending::Heavy(_))) => {
                self.act(client, Some(pending))
            }
            Some(Pending::Key(blocked)) if self.gives_up && blocked.ticket.cancel() => {
                let Client { worker, .. } = &self.clients[client];
                let local = &mut self.workers[*worker].local;
                let store = &self.engine.store;
                assert!(store.forget_ticket(local, self.now_ms, &blocked.ticket));
                self.resume_ready();
            }
            waiting => self.clients[client].pending = waiting,
        }
    }

    fn act(&mut self, client: usize, pending: Option<Pending>) {
        let now_ms = self.now_ms;
        let Client {
            session,
            worker,
            waiter,
            args,
            out,
            pending: next,
        } = &mut self.clients[client];
        let none = OwnedArgs::default();
        let worker = &mut self.workers[*worker];
        let mut host = StillHost(now_ms);
        let is_step = matches!(pending, Some(Pending::Step(_) | Pending::StepStripe(_)));
        let is_called = matches!(pending, Some(Pending::Key(_)));
        let call = Call {
            args: if is_step {
                none.as_args()
            } else {
                args.as_args()
            },
            id: None,
            first_hash: None,
            session,
            out,
            host: &mut host,
            worker,
            waiter,
            now_ms,
        };
        let executed = match pending {
            None => self.engine.execute(call),
            Some(Pending::Stripe(id)) => self.engine.resume(call, id),
            Some(Pending::Heavy(heavy)) => self.engine.run_heavy(call, *heavy),
            Some(Pending::Others) => {
                waiter.note_passed();
                Executed::Done { id: None }
            }
            Some(Pending::Key(blocked)) => {
                let (id, ticket) = (blocked.id, &blocked.ticket);
                match self.engine.resume_called(call, id, ticket) {
                    Executed::Parked { .. } => return self.park(client, Pending::Key(blocked)),
                    other => other,
                }
            }
            Some(Pending::Step(mut continuation)) => {
                match self.engine.step(call, &mut *continuation, false) {
                    Stepped::More => Executed::Continue(continuation),
                    Stepped::Done => Executed::Done { id: None },
                    Stepped::Parked => return self.park(client, Pending::StepStripe(continuation)),
                }
            }
            Some(Pending::StepStripe(mut continuation)) => {
                match self.engine.step(call, &mut *continuation, true) {
                    Stepped::More => Executed::Continue(continuation),
                    Stepped::Done => Executed::Done { id: None },
                    Stepped::Parked => return self.park(client, Pending::StepStripe(continuation)),
                }
            }
        };
        match executed {
            Executed::Done { .. } => *next = None,
            Executed::Blocked(mut blocked) => {
                if let Some(changed) = blocked.args.take() {
                    *args = changed;
                }
                *next = Some(Pending::Key(blocked));
            }
            Executed::Continue(continuation) => *next = Some(Pending::Step(continuation)),
            Executed::Away(_) => unreachable!("only commands of the server go away"),
            Executed::Again { .. } => unreachable!("only the auxiliary thread says so"),
            Executed::Heavy(heavy) => *next = Some(Pending::Heavy(heavy)),
            Executed::Parked { id } => return self.park(client, Pending::Stripe(id)),
        }
        let turn = worker.local.turn.take().filter(|_| !is_called);
        self.resume_ready();
        if turn.is_some_and(|turn| !turn.is_over()) {
            self.clients[client].pending = Some(Pending::Others);
        }
    }

    fn park(&mut self, client: usize, pending: Pending) {
        self.parked += 1;
        self.clients[client].pending = Some(pending);
    }

    /// Resumes whoever was granted a stripe.
    fn resume_ready(&mut self) {
        let mut tokens = Vec::new();
        while self.ready.drain(&mut tokens) > 0 {
            for token in tokens.drain(..) {
                let client = token as usize;
                assert!(client < self.clients.len(), "the blocker never waits");
                let pending = self.clients[client].pending.take();
                self.act(client, pending);
            }
        }
    }

    /// Takes stripes away from everyone for a while.
    pub(crate) fn block(&mut self, rng: &mut Rng) {
        let stripes = self.engine.store.stripe_count() as u64;
        let set = if rng.chance(20) {
            LockSet::All
        } else {
            LockSet::of((0..rng.between(1, 64)).map(|_| rng.below(stripes) as u16))
        };
        // Whoever holds something gives it back before its call returns, but for a heavy command.
        let heavy = self
            .clients
            .iter()
            .any(|c| matches!(c.pending, Some(Pending::Heavy(_))));
        if self.blocked.is_none() && !heavy {
            self.blocked = self.engine.store.lock_stripes(&set, &self.blocker).ok();
            assert!(self.blocked.is_some(), "all stripes are free");
        }
    }

    /// Gives them back.
    pub(crate) fn unblock(&mut self) {
        if let Some(held) = self.blocked.take() {
            self.engine.store.release_stripes(held);
            self.resume_ready();
        }
    }

    /// Brings everything that was started to its end.
    pub(crate) fn settle(&mut self) {
        self.unblock();
        self.gives_up = true;
        while let Some(client) = (0..self.clients.len()).find(|&i| self.is_busy(i)) {
            self.step(client);
        }
        self.gives_up = false;
    }

    /// Lets time pass; each worker looks after its deadlines, or not.
    pub(crate) fn advance(&mut self, ms: u64, expire: bool) {
        self.now_ms += ms;
        for worker in &mut self.workers {
            worker.local.clock = (self.now_ms / 1000) as u32;
            if expire {
                self.engine
                    .store
                    .expire_some(&mut worker.local, self.now_ms, usize::MAX);
            }
            worker.local.batch_boundary(&self.engine.store.epochs);
        }
    }

    /// The reply to a client's last command.
    pub(crate) fn reply(&mut self, client: usize) -> Vec<u8> {
        let out = &mut self.clients[client].out;
        let mut bytes = Vec::new();
        while !out.is_empty() {
            let piece = out.first().to_vec();
            out.advance(piece.len());
            bytes.extend(piece);
        }
        bytes
    }

    /// The keys of database 0 by name, with what OBJECT ENCODING says.
    pub(crate) fn encodings(&mut self) -> Vec<(String, String)> {
        let waiter = Waiter::new(ReadyList::new(Nobody), 0);
        let local = &mut self.workers[0].local;
        let store = &self.engine.store;
        let mut held = store
            .lock_stripes(&LockSet::All, &waiter)
            .expect("all stripes are free");
        let mut keys = Txn::new(store, Some(&mut held), local, self.now_ms);
        let mut names = Vec::new();
        keys.for_each(0, |entry| {
            let encoding = entry.kind().encoding_name().to_owned();
            names.push((entry.key().escape_ascii().to_string(), encoding));
        });
        keys.commit(None);
        store.release_stripes(held);
        names.sort();
        names
    }

    /// Visits every key of every database, with its database.
    pub(crate) fn for_each(&mut self, mut visit: impl FnMut(u32, &Entry)) {
        let waiter = Waiter::new(ReadyList::new(Nobody), 0);
        let local = &mut self.workers[0].local;
        let store = &self.engine.store;
        let mut held = store
            .lock_stripes(&LockSet::All, &waiter)
            .expect("all stripes are free");
        let mut keys = Txn::new(store, Some(&mut held), local, self.now_ms);
        for db in 0..store.databases() as u32 {
            keys.for_each(db, |entry| visit(db, entry));
        }
        keys.commit(None);
        store.release_stripes(held);
    }

    /// The dataset as it is now.
    pub(crate) fn dataset(&mut self) -> Dataset {
        Dataset::of(&self.engine, &mut self.workers[0], self.now_ms)
    }
}

/// What is in an engine: the digest, and for the reader of a failure every key with its deadline.
#[derive(Debug, PartialEq)]
pub(crate) struct Dataset {
    digest: String,
    entries: BTreeSet<String>,
}

impl Dataset {
    /// All that is alive at a time.
    pub(crate) fn of(engine: &Engine, worker: &mut WorkerState, now_ms: u64) -> Dataset {
        let waiter = Waiter::new(ReadyList::new(Nobody), 0);
        let mut held = engine
            .store
            .lock_stripes(&LockSet::All, &waiter)
            .expect("all stripes are free");
        let dataset = Dataset::of_held(engine, worker, &mut held, now_ms);
        engine.store.release_stripes(held);
        dataset
    }

    /// The same with all stripes held.
    pub(crate) fn of_held(
        engine: &Engine,
        worker: &mut WorkerState,
        held: &mut Held,
        now_ms: u64,
    ) -> Dataset {
        let mut keys = Txn::new(&engine.store, Some(held), &mut worker.local, now_ms);
        let digest = Digest::of_dataset(&mut keys).to_string();
        let mut entries = BTreeSet::new();
        for db in 0..engine.store.databases() as u32 {
            keys.for_each(db, |entry| {
                let value = Digest::of_value(entry);
                let deadline = entry.deadline();
                entries.insert(format!(
                    "{db} {} {value} {deadline:?}{}",
                    entry.key().escape_ascii(),
                    stream::of(entry).map_or_else(String::new, beside_entries),
                ));
            });
        }
        keys.commit(None);
        Dataset { digest, entries }
    }

    /// DEBUG DIGEST.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }
}

/// What the digest of a stream leaves out, but for times and numbers of deliveries: reading what is pending changes these without an effect,
/// as in Redis.
fn beside_entries(stream: &Stream) -> String {
    let (last, deleted) = (stream.last_id(), stream.max_deleted_id());
    let mut text = format!(" {last:?} {deleted:?} {}", stream.entries_added());
    for group in stream.groups() {
        let consumers = group.consumers().map(|consumer| consumer.name());
        let consumers: Vec<String> = consumers.map(|n| n.escape_ascii().to_string()).collect();
        let pending = group.pending_from(Id::MIN).map(|pending| {
            let name = group.consumer(pending.consumer).name();
            format!("{:?} {}", pending.id, name.escape_ascii())
        });
        let pending: Vec<String> = pending.collect();
        text += &format!(
            " [{} {:?} {:?} {consumers:?} {pending:?}]",
            group.name().escape_ascii(),
            group.last_id,
            group.entries_read,
        );
    }
    text
}

/// What these records make of an empty engine.
pub(crate) fn replayed(records: &[Record], stripes: usize) -> Result<Dataset, ReplayError> {
    let engine = engine(stripes, 1, 99);
    let mut worker = engine.worker(0, 1);
    let mut replayer = Replayer::new(&engine, &mut worker);
    for record in records {
        replayer.replay(record)?;
    }
    Ok(Dataset::of(&engine, &mut worker, 0))
}
