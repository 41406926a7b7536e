//! Carrying out the commands of a log.
//!
//! Invariant: nothing expires by itself meanwhile, for the log says when that happened; nothing is refused for want of memory or a
//! password, and nothing waits.

use std::sync::Arc;

use dunlin_engine::replay::HeldReplayer;
use dunlin_engine::{Args, Call, Command, Ctx, Engine, Executed, Session, WorkerState};
use dunlin_reactor::Clock;
use dunlin_store::Sighting;
use dunlin_structures::Rope;

use crate::host::ServerHost;
use crate::persistence::stripe_lock::StripeLock;
use crate::shared::Shared;

/// Commands that failed and are told of in the log.
const FAILURES_TOLD: u64 = 10;

/// Carries out commands.
pub(super) trait Replay {
    /// A file begins: its commands are of database 0 until one selects another.
    fn begin(&mut self);

    /// Brings keys with these hashes into the cache, if that helps: their commands come next.
    fn look_ahead(&mut self, _hashes: &mut dyn Iterator<Item = u64>) {}

    /// Carries out one.
    ///
    /// # Errors
    /// Why it is none that could be carried out: nobody knows it, or it has too few arguments.
    fn command(&mut self, args: Args<'_>, known: Known) -> Result<(), String>;

    /// Some commands are done.
    fn rest(&mut self) {}
}

/// What who reads the log finds out of a command, for who carries it out.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Known {
    /// Its id, if it is one.
    pub(super) id: Option<usize>,
    /// Index and hash of its first key.
    pub(super) first_hash: Option<(usize, u64)>,
    /// It is about that key and nothing else, and is no part of a transaction.
    pub(super) is_alone: bool,
}

impl Known {
    /// Of a command that is no part of a transaction.
    pub(super) fn of(engine: &Engine, args: Args<'_>) -> Known {
        let Some(id) = engine.table.id_of(args.at(0)) else {
            return Known::default();
        };
        let command = engine.table.at(id);
        let key = command.first_key().filter(|key| *key < args.len());
        let first_hash = key.map(|key| (key, engine.store.hasher().hash(args.at(key))));
        Known {
            id: Some(id),
            first_hash,
            is_alone: first_hash.is_some() && has_one_key(command, args),
        }
    }
}

/// Whether a command has only one key, though others of its name may have more.
fn has_one_key(command: &Command, args: Args<'_>) -> bool {
    let mut keys = 0;
    let mut fits = command
        .keys
        .iter()
        .map(|spec| spec.for_each(args, |_| keys += 1));
    command.has_one_key() || (fits.all(|fits| fits) && keys == 1)
}

/// Tells of a command that failed. As in Redis that is no reason to stop.
#[derive(Default)]
struct Failures(u64);

impl Failures {
    fn tell(&mut self, args: Args<'_>, reply: &[u8]) {
        self.0 += 1;
        if self.0 <= FAILURES_TOLD {
            let name = args.get(0).unwrap_or_default().escape_ascii();
            let reply = reply.trim_ascii().escape_ascii();
            tracing::warn!("Loading: the command {name} of the log fails: {reply}");
        }
    }
}

/// At the start: takes the stripes of each command.
pub(super) struct Replayer {
    engine: Arc<Engine>,
    worker: WorkerState,
    session: Session,
    host: ServerHost,
    lock: StripeLock,
    out: Rope,
    failures: Failures,
    sightings: Vec<Sighting>,
}

impl Replayer {
    pub(super) fn new(shared: &Arc<Shared>, clock: Arc<dyn Clock>) -> Replayer {
        let engine = Arc::clone(&shared.engine);
        // The auxiliary thread's number: it has next to nothing to do meanwhile.
        let number = engine.store.workers();
        let mut worker = engine.worker(number, 1);
        worker.local.clock = engine.store.eviction.clock(clock.wall_us() / 1_000);
        Replayer {
            host: ServerHost::new(Arc::clone(shared), clock, number),
            engine,
            worker,
            session: replaying(),
            lock: StripeLock::of_this_thread(),
            out: Rope::new(),
            failures: Failures::default(),
            sightings: Vec::new(),
        }
    }

    /// Runs a command to its end; whether it was admitted.
    fn run(&mut self, args: Args<'_>, known: Known) -> bool {
        let (mut parked, mut again) = (None, None);
        loop {
            let call = Call {
                args,
                id: known.id,
                first_hash: known.first_hash,
                session: &mut self.session,
                out: &mut self.out,
                host: &mut self.host,
                worker: &mut self.worker,
                waiter: self.lock.waiter(),
                now_ms: 0,
            };
            let mut executed = match (parked.take(), again.take()) {
                (None, None) => self.engine.execute(call),
                (Some(id), _) => self.engine.resume(call, id),
                (None, Some(id)) => self.engine.run_again(call, id),
            };
            if let Executed::Heavy(heavy) = executed {
                let call = Call {
                    args,
                    id: None,
                    first_hash: None,
                    session: &mut self.session,
                    out: &mut self.out,
                    host: &mut self.host,
                    worker: &mut self.worker,
                    waiter: self.lock.waiter(),
                    now_ms: 0,
                };
                executed = self.engine.run_heavy(call, *heavy);
            }
            match executed {
                Executed::Done { id } => return id.is_some(),
                // What goes on in steps only reads, and what goes away (SAVE) has nothing to do here.
                Executed::Continue(_) | Executed::Away(_) => return true,
                Executed::Parked { id } => {
                    parked = Some(id);
                    self.lock.wait();
                }
                Executed::Again { id } => again = Some(id),
                Executed::Blocked(_) | Executed::Heavy(_) => {
                    unreachable!("nothing waits while a log is replayed")
                }
            }
        }
    }

    /// Database of the commands that come.
    pub(super) fn db(&self) -> u32 {
        self.session.db
    }

    /// Has the commands that come be of this database.
    pub(super) fn select(&mut self, db: u32) {
        self.session.db = db;
    }

    /// Ends it.
    pub(super) fn finish(mut self) {
        let store = &self.engine.store;
        while !self.worker.local.pass(&store.epochs) {
            std::thread::sleep(super::SETTLE_PERIOD);
        }
    }
}

fn replaying() -> Session {
    let mut session = Session::new(0, true);
    session.replaying = true;
    session
}

impl Replay for Replayer {
    fn begin(&mut self) {
        self.session = replaying();
    }

    fn look_ahead(&mut self, hashes: &mut dyn Iterator<Item = u64>) {
        // Nobody but this thread changes the keys of these stripes while it plays its part of the log, so what it sees stays until it carries
        // out the next command.
        let (store, db) = (&self.engine.store, self.session.db);
        let sightings = &mut self.sightings;
        sightings.clear();
        sightings.extend(hashes.map(|hash| store.sight(db, hash)));
        for sighting in sightings {
            if store.prefetch_entry(*sighting) {
                store.prefetch_away(*sighting);
            }
        }
    }

    fn command(&mut self, args: Args<'_>, known: Known) -> Result<(), String> {
        let admitted = self.run(args, known);
        let mut reply = self.out.take_tail();
        if reply.first() == Some(&b'-') {
            if !admitted {
                let text = reply.trim_ascii().strip_prefix(b"-").unwrap_or_default();
                return Err(text.escape_ascii().to_string());
            }
            self.failures.tell(args, &reply);
        }
        // A long reply has more than its tail.
        self.out = Rope::new();
        reply.clear();
        *self.out.tail() = reply;
        Ok(())
    }

    fn rest(&mut self) {
        // Whoever was served by it is told by the stripes.
        self.worker.local.turn = None;
        self.host.wake(&mut self.worker);
        self.worker.local.pass(&self.engine.store.epochs);
    }
}

/// For a command that holds all stripes.
pub(super) struct Held<'c, 'x> {
    pub(super) cx: &'c mut Ctx<'x>,
    replayer: HeldReplayer,
    failures: Failures,
}

impl<'c, 'x> Held<'c, 'x> {
    pub(super) fn new(cx: &'c mut Ctx<'x>) -> Held<'c, 'x> {
        Held {
            cx,
            replayer: HeldReplayer::default(),
            failures: Failures::default(),
        }
    }
}

impl Replay for Held<'_, '_> {
    fn begin(&mut self) {
        self.replayer = HeldReplayer::default();
    }

    fn command(&mut self, args: Args<'_>, _known: Known) -> Result<(), String> {
        let failed = self.replayer.command(self.cx, args)?;
        if let Some(error) = failed {
            self.failures.tell(args, error.to_string().as_bytes());
        }
        Ok(())
    }
}
