//! Where a scenario is played: a backend, and how to be its clients.
//!
//! Invariant: a scenario that cannot be played somewhere says why; it does not pass in silence.

use std::cell::Cell;
use std::marker::PhantomData;
use std::net::TcpStream;

use dunlin_reactor::backend::Backend;
use dunlin_reactor::backend::memory::{Client, Memory, Network};
use dunlin_reactor::{Limits, SystemBackend};
use rustix::io::Errno;

use crate::accepting;
use crate::common::{self, ADDRESS, Wire, World, in_memory};

/// The limit of a process that is to run out of descriptors.
const DESCRIPTORS_MAX: u64 = 200;

/// Why a scenario was not played.
#[derive(Debug)]
pub(crate) enum LeftOut {
    /// The system lacks the backend or forbids it.
    Absent(String),
    /// It says nothing about this backend.
    Meaningless(&'static str),
}

pub(crate) type Played = Result<(), LeftOut>;

pub(crate) type WorldOf<S> = World<<S as Site>::Backend, <S as Site>::Client>;

/// A backend and its clients.
pub(crate) trait Site: 'static {
    type Backend: Backend;
    type Client: Wire;
    /// In the names of tests.
    const NAME: &str;

    /// A loop with a listener.
    fn world(limits: Limits) -> Result<WorldOf<Self>, LeftOut>;

    /// A loop with a listener whose next accept calls will find no descriptors: `times` of them, or until one comes free.
    fn world_without_descriptors(times: usize) -> Result<Scarce<Self>, LeftOut>;

    /// See [`accepting::a_full_backlog_drains`].
    fn a_full_backlog_drains() -> Played;

    /// See [`accepting::one_connection_wakes_one_loop`].
    fn one_connection_wakes_one_loop() -> Played;
}

/// See [`Site::world_without_descriptors`].
pub(crate) struct Scarce<S: Site + ?Sized> {
    pub(crate) world: WorldOf<S>,
    /// Begins the scarcity; how many clients can connect in it.
    pub(crate) begin: Box<dyn FnOnce(usize)>,
}

/// The network in this process, under the seed of the day.
pub(crate) struct InMemory;

/// Seeds of the in-memory runs.
const SEEDS: u64 = 10;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// Plays a scenario on the in-memory network, once for each seed.
pub(crate) fn under_seeds(scene: fn() -> Played) -> Played {
    for seed in 0..SEEDS {
        SEED.set(seed);
        scene()?;
    }
    Ok(())
}

impl Site for InMemory {
    type Backend = Memory;
    type Client = Client;
    const NAME: &str = "memory";

    fn world(limits: Limits) -> Result<WorldOf<Self>, LeftOut> {
        Ok(in_memory(SEED.get(), limits).0)
    }

    fn world_without_descriptors(times: usize) -> Result<Scarce<Self>, LeftOut> {
        let (world, network): (_, Network) = in_memory(SEED.get(), Limits::default());
        let address = ADDRESS.parse().unwrap();
        let begin = move |_| network.fail_accepts(address, Errno::MFILE, times);
        Ok(Scarce {
            world,
            begin: Box::new(begin),
        })
    }

    fn a_full_backlog_drains() -> Played {
        Err(LeftOut::Meaningless("its backlog has no end"))
    }

    fn one_connection_wakes_one_loop() -> Played {
        let why = "a port of it belongs to one loop, and all loops run on one thread";
        Err(LeftOut::Meaningless(why))
    }
}

/// Sockets on the loopback interface.
pub(crate) struct OnSystem<B>(PhantomData<B>);

/// How a backend of the system is called, as in the list of them.
pub(crate) trait Named {
    const NAME: &str;
}

macro_rules! name_one {
    (() $id:ident $backend:ty) => {
        impl Named for $backend {
            const NAME: &str = stringify!($id);
        }
    };
}
for_each_system_backend!(name_one());

impl<B: SystemBackend + Named> Site for OnSystem<B> {
    type Backend = B;
    type Client = TcpStream;
    const NAME: &str = B::NAME;

    fn world(limits: Limits) -> Result<WorldOf<Self>, LeftOut> {
        Ok(common::world_of(open::<B>()?, limits))
    }

    fn world_without_descriptors(_: usize) -> Result<Scarce<Self>, LeftOut> {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // From the beginning: io_uring keeps to the limit that held when it was asked to accept.
        let lowered = Rlimit {
            current: Some(DESCRIPTORS_MAX),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        setrlimit(Resource::Nofile, lowered).unwrap();
        let begin = |clients: usize| {
            let mut taken = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                taken.push(file);
            }
            // Room for the clients' ends, not for the server's.
            taken.truncate(taken.len() - clients);
            std::mem::forget(taken);
        };
        Ok(Scarce {
            world: Self::world(Limits::default())?,
            begin: Box::new(begin),
        })
    }

    fn a_full_backlog_drains() -> Played {
        accepting::a_full_backlog_drains_on(open::<B>()?)
    }

    fn one_connection_wakes_one_loop() -> Played {
        accepting::one_connection_wakes_one_loop_on(open::<B>)
    }
}

fn open<B: SystemBackend>() -> Result<B, LeftOut> {
    common::open().map_err(LeftOut::Absent)
}
