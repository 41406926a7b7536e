//! What one worker keeps for itself while it works on the store: the record being built, garbage, memory in limbo.

use dunlin_structures::epoch::{Epochs, Limbo};

use crate::blocked::{Offer, Turn};
use crate::counter::Counter;
use crate::eviction::Pool;
use crate::log::Record;
use crate::outbox::{Outbox, Telling};
use crate::reaper::Garbage;
use crate::store::Store;
use crate::txn::awaited::Changed;
use crate::undo::{Step, Undo};

/// Counters of one worker; INFO sums them.
#[derive(Debug, Default)]
pub struct Counters {
    /// Reads that found their key.
    pub hits: Counter,
    /// Reads that did not.
    pub misses: Counter,
    /// Keys removed because their deadline had passed.
    pub expired: Counter,
    /// Milliseconds by which their deadlines had passed, all together.
    pub expiry_lag_ms: Counter,
    /// Keys evicted for want of memory.
    pub evicted: Counter,
    /// Changes recorded, expirations not counted.
    pub changes: Counter,
}

/// One worker's state below the engine.
pub struct Local {
    /// This worker's lane of the log and its number among the owners of stripes.
    pub worker: usize,
    /// The 24-bit access clock written into entries that are read (seconds).
    pub clock: u32,
    /// Reads count accesses in entries' clocks instead of setting them to `clock`.
    pub counts_accesses: bool,
    /// Bytes in use when the batch began, see [`crate::eviction::Usage`].
    pub used_bytes: u64,
    /// Bytes that this batch has allocated since, buffers of clients left out.
    pub batch_bytes: i64,
    /// Nothing is removed for its age or for room (CLIENT PAUSE).
    pub is_paused: bool,
    /// The longest time by which a deadline had passed when its key was removed, since this was last set to 0, milliseconds.
    pub expiry_lag_ms_max: u64,
    /// What subscribers are told once the transaction commits.
    pub outbox: Outbox,
    /// Number of the client whose command runs, while clients track keys; 0 for none.
    pub client: u64,
    /// Workers that have something to see, to be woken once no stripe is held.
    pub wakes: Vec<usize>,
    /// Replies wait until what they show is safe: see [`crate::log::Log::replies_wait`], as of this batch.
    pub replies_wait: bool,
    /// The latest record that the commands depend on which have run since this was last set to 0.
    pub awaits: u64,
    /// The last record that was published since this was last set to 0.
    pub wrote: u64,
    pub(crate) changed: Changed,
    pub(crate) pool: Pool,
    pub(crate) record: Record,
    pub(crate) reclaim: Limbo,
    pub(crate) garbage: Vec<Garbage>,
    pub(crate) undo: Option<Undo>,
    /// Memory for the next one's steps.
    pub(crate) undo_steps: Vec<Step>,
    /// Those who are served because of the last command, if anybody is.
    pub turn: Option<Turn>,
    pub(crate) offers: Vec<Offer>,
    /// A change was made that no [`crate::Txn::record`] has told of yet (checked in debug builds).
    pub(crate) unrecorded: bool,
    random: u64,
}

impl Local {
    pub(crate) fn new(worker: usize, seed: u64) -> Local {
        Local {
            worker,
            clock: 0,
            counts_accesses: false,
            used_bytes: 0,
            batch_bytes: 0,
            is_paused: false,
            expiry_lag_ms_max: 0,
            outbox: Outbox::default(),
            client: 0,
            wakes: Vec::new(),
            replies_wait: false,
            awaits: 0,
            wrote: 0,
            changed: Changed::default(),
            pool: Pool::default(),
            record: Record::default(),
            reclaim: Limbo::new(),
            garbage: Vec::new(),
            undo: None,
            undo_steps: Vec::new(),
            turn: None,
            offers: Vec::new(),
            unrecorded: false,
            random: seed | 1,
        }
    }

    /// Ends a batch: no pointer into the keyspace is kept, and memory that was given up is freed once all have passed.
    #[inline]
    pub fn batch_boundary(&mut self, epochs: &Epochs) {
        // Sealed first, so that passing this very boundary counts for what was given up in this batch.
        self.reclaim.turn(epochs);
        epochs.quiescent(self.worker);
    }

    /// Frees what was given up and what all have passed, on a thread that is none of those who look ahead; whether that is all. Such a
    /// thread must not drop this state before.
    pub fn pass(&mut self, epochs: &Epochs) -> bool {
        self.reclaim.turn(epochs);
        self.reclaim.bytes() == 0
    }

    /// Lets a message out at once, past the outbox: for what no transaction has to wait for. Whatever `tell` allocates for clients is
    /// not counted as the keyspace's.
    pub fn tell_now<T>(&mut self, store: &Store, tell: impl FnOnce(&mut Telling<'_>) -> T) -> T {
        let mut telling = Telling {
            store,
            wakes: &mut self.wakes,
            client: 0,
            client_bytes: 0,
        };
        let told = tell(&mut telling);
        self.batch_bytes -= telling.client_bytes;
        told
    }

    /// A pseudo-random number (xorshift64*, Vigna 2014); not for secrets.
    pub fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
