//! A console for the tests of this crate's commands: like the engine's, over the server's host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_engine::dispatch::Stepped;
use dunlin_engine::testing::{START_MS, show};
use dunlin_engine::{Call, Engine, Executed, OwnedArgs, Reply, Session, WorkerState};
use dunlin_reactor::Clock;
use dunlin_store::Settings;
use dunlin_store::stripes::{ReadyList, Waiter, Wake};
use dunlin_structures::Rope;

use super::FAMILIES;
use crate::auxiliary::Exchange;
use crate::clients::Client;
use crate::config::Config;
use crate::host::ServerHost;
use crate::persistence::saving::{Order, Saver};
use crate::persistence::stripe_lock::StripeLock;
use crate::shared::{Allocator, Memory, Shared};

struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

/// A clock that stands, but for what is slept through.
struct StoppedClock(AtomicU64);

impl Clock for StoppedClock {
    fn monotonic_us(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    fn wall_us(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A server without sockets, driven by text.
pub(crate) struct Console {
    /// Its shared state.
    pub(crate) shared: Arc<Shared>,
    /// Calls that were handed to the auxiliary thread.
    pub(crate) heavy: usize,
    clock: Arc<StoppedClock>,
    worker: WorkerState,
    sessions: BTreeMap<u64, Session>,
    clients: BTreeMap<u64, Arc<Client>>,
    waiter: Arc<Waiter>,
}

impl Default for Console {
    fn default() -> Console {
        Console::new(Config::default())
    }
}

impl Console {
    /// A console over a server with this configuration.
    pub(crate) fn new(config: Config) -> Console {
        let engine = Arc::new(Engine::renamed(
            &Settings::default(),
            FAMILIES,
            config.renamed_commands(),
        ));
        let figures = || Memory {
            allocated: 3 << 20,
            active: 4 << 20,
            resident: 5 << 20,
        };
        let allocator = Allocator {
            figures,
            ..Allocator::UNKNOWN
        };
        let worker = engine.worker(0, 42);
        Console {
            shared: Arc::new(Shared::new(
                engine,
                config,
                START_MS,
                "0".repeat(40),
                allocator,
            )),
            heavy: 0,
            clock: Arc::new(StoppedClock(AtomicU64::new(START_MS * 1_000))),
            worker,
            sessions: BTreeMap::new(),
            clients: BTreeMap::new(),
            waiter: Waiter::new(ReadyList::new(NoOne), 0),
        }
    }

    /// A console that allows DEBUG.
    pub(crate) fn with_debug() -> Console {
        let loaded =
            Config::load(&["--enable-debug-command", "yes"]).expect("a valid command line");
        Console::new(loaded.config)
    }

    /// The session of that number, made when first asked for.
    pub(crate) fn session(&mut self, id: u64) -> &mut Session {
        let users = &self.shared.engine.users;
        self.sessions
            .entry(id)
            .or_insert_with(|| Session::of_client(id, users))
    }

    fn saver(&self) -> Saver {
        Saver::new(
            Arc::clone(&self.shared),
            Arc::new(Exchange::new(1)),
            Arc::<StoppedClock>::clone(&self.clock),
        )
    }

    /// Does what the saving thread has to do.
    pub(crate) fn save_in_background(&mut self) {
        self.saver().step(&mut StripeLock::of_this_thread());
    }

    fn now_ms(&self) -> u64 {
        self.clock.wall_us() / 1_000
    }

    /// Lets time pass.
    pub(crate) fn advance_ms(&mut self, ms: u64) {
        self.clock.0.fetch_add(ms * 1_000, Ordering::Relaxed);
        self.worker.local.clock = (self.now_ms() / 1_000) as u32;
    }

    /// Runs one command of session `id` and returns the encoded reply.
    pub(crate) fn call(&mut self, id: u64, args: &[&[u8]]) -> Vec<u8> {
        self.session(id);
        let now_ms = self.now_ms();
        let peer = self.session(id).peer;
        let now_mono_ms = self.clock.monotonic_us() / 1_000;
        let registry = Arc::clone(&self.shared);
        // Registered with the first command, so that tests can say where it comes from.
        self.clients.entry(id).or_insert_with(|| {
            let client = Arc::new(Client::new(id, peer, 0, id, now_mono_ms));
            registry.clients.insert(Arc::clone(&client));
            client
        });
        let saver = self.saver();
        let session = self.sessions.get_mut(&id).expect("made above");
        let engine = Arc::clone(&self.shared.engine);
        let clock = Arc::<StoppedClock>::clone(&self.clock);
        let mut host = ServerHost::new(Arc::clone(&self.shared), clock, 0);
        host.arrived_us = host.clock.monotonic_us();
        host.look_around(&mut self.worker, now_ms);
        let (owned, mut out) = (OwnedArgs::of(args.iter().copied()), Rope::new());
        let mut call = Call {
            args: owned.as_args(),
            id: None,
            first_hash: None,
            session,
            out: &mut out,
            host: &mut host,
            worker: &mut self.worker,
            waiter: &self.waiter,
            now_ms,
        };
        let mut ran = engine.table.id_of_call(owned.as_args());
        match engine.execute(call.again()) {
            Executed::Done { id } => ran = id,
            Executed::Parked { .. } => panic!("one thread has nobody to wait for"),
            Executed::Blocked(_) => panic!("a console waits for nobody"),
            Executed::Continue(mut continuation) => loop {
                match engine.step(call.again(), &mut *continuation, false) {
                    Stepped::More => {}
                    Stepped::Done => break,
                    Stepped::Parked => panic!("one thread has nobody to wait for"),
                }
            },
            Executed::Again { .. } => unreachable!("only the auxiliary thread says so"),
            Executed::Away(order) => {
                let order = order.downcast::<Order>().expect("an order to save");
                let mut reply = Reply::new(call.out, call.session.version);
                match saver.carry_out(&mut StripeLock::of_this_thread(), *order) {
                    Ok(()) => reply.ok(),
                    Err(error) => reply.error(&error),
                }
            }
            Executed::Heavy(heavy) => {
                self.heavy += 1;
                engine.run_heavy(call.again(), *heavy);
            }
        }
        let session = &self.sessions[&id];
        if let Some(command) = ran {
            host.ran(command, owned.as_args(), session, 0, 1);
        }
        self.clients[&id].publish_session(session, None);
        let mut bytes = Vec::new();
        while !out.is_empty() {
            let piece = out.first().to_vec();
            out.advance(piece.len());
            bytes.extend(piece);
        }
        bytes
    }

    /// Runs a script of commands separated by `;` and returns the replies separated by `; `: see the engine's console.
    pub(crate) fn run(&mut self, script: &str) -> String {
        let mut replies = Vec::new();
        for line in script.split(';').map(str::trim).filter(|l| !l.is_empty()) {
            if let Some(ms) = line
                .strip_prefix('+')
                .and_then(|step| step.strip_suffix("ms"))
            {
                self.advance_ms(ms.parse().expect("a number of milliseconds"));
                continue;
            }
            let (id, command) = match line.split_once("> ") {
                Some((id, command)) if id.chars().all(|c| c.is_ascii_digit()) => {
                    (id.parse().expect("digits"), command)
                }
                _ => (1, line),
            };
            let words = dunlin_resp::split_words(command.as_bytes()).expect("balanced quotes");
            let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let reply = self.call(id, &args);
            replies.push(show(&reply));
        }
        replies.join("; ")
    }
}

/// The parts of a call, lent once for each step of it.
trait Again {
    fn again(&mut self) -> Call<'_>;
}

impl Again for Call<'_> {
    fn again(&mut self) -> Call<'_> {
        Call {
            args: self.args,
            id: None,
            first_hash: None,
            session: self.session,
            out: self.out,
            host: self.host,
            worker: self.worker,
            waiter: self.waiter,
            now_ms: self.now_ms,
        }
    }
}

/// Runs a script in a fresh console and compares the replies.
#[track_caller]
pub(crate) fn check(script: &str, expected: &str) {
    assert_eq!(Console::default().run(script), expected, "{script}");
}
