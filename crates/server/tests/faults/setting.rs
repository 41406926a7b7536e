//! What a seed decides about a whole run: the network, the reactor's limits, the server's configuration, what its clients do.
//!
//! Invariant: whatever makes the server close connections by itself is written down in [`Manner::closes`], so that it is not taken for a fault.

use dunlin_reactor::Limits;
use dunlin_reactor::backend::memory::Faults;
use dunlin_simulator::Random;

use crate::world;

/// What all clients of a run have in common.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Manner {
    /// What a connection takes at least.
    pub(crate) window_bytes: usize,
    /// Whether they use CLIENT PAUSE.
    pub(crate) pauses: bool,
    /// Whether the server closes connections for reasons of its own: limits of clients, of their output, of idle time.
    pub(crate) closes: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) faults: Faults,
    pub(crate) limits: Limits,
    pub(crate) options: Vec<&'static str>,
    pub(crate) manner: Manner,
    /// Replies wait for a log on a disk.
    pub(crate) durable: bool,
    /// The server is told to stop amid it all, and has so many ms.
    pub(crate) stops_within_ms: Option<u64>,
    pub(crate) clients: usize,
    pub(crate) connections: usize,
}

impl Setting {
    pub(crate) fn of(random: &mut Random) -> Setting {
        let faults = Faults::random(random.next_u64());
        let mut options = Vec::new();
        let durable = random.one_in(4);
        if durable {
            options.extend(["--appendfsync", "always"]);
        }
        if random.one_in(4) {
            options.extend(["--tcp-keepalive", "20"]);
        }
        if random.one_in(4) {
            options.extend(["--slowlog-log-slower-than", "0"]);
        }
        let mut limits = limits(random);
        let mut closes = true;
        match random.below(20) {
            0 => options.extend(["--maxclients", "3"]),
            1 => options.extend(["--timeout", "1"]),
            2 => options.extend(["--client-output-buffer-limit", "normal 4000 2000 1"]),
            3 => options.extend(["--client-output-buffer-limit", "pubsub 200 100 1"]),
            4 => options.extend(["--client-query-buffer-limit", "1048576"]),
            // All come from one.
            5 => limits.connections_per_address = 3,
            6 => (limits.request_pace_ms, limits.request_pace_bytes) = (100, 50),
            7 => limits.buffer_memory_bytes_max = 20_000,
            _ => closes = false,
        }
        let clients = 2 + random.below(14);
        Setting {
            manner: Manner {
                window_bytes: *faults.window_bytes.start(),
                pauses: random.one_in(3),
                closes,
            },
            faults,
            limits,
            options,
            durable,
            stops_within_ms: random.one_in(8).then(|| [0, 50, 5_000][random.below(3)]),
            clients,
            connections: clients + random.below(2 * clients),
        }
    }
}

/// The limits of a loop, half of them so low that they bind.
fn limits(random: &mut Random) -> Limits {
    let usual = world::limits();
    let accepts_per_s = if random.one_in(8) { 10 } else { 0 };
    let mut or = |usual: usize, low: usize| if random.one_in(2) { usual } else { low };
    Limits {
        input_turn_bytes: or(usual.input_turn_bytes, 40),
        inputs_per_turn: or(usual.inputs_per_turn, 2),
        output_turn_bytes: or(usual.output_turn_bytes, 60),
        output_soft_bytes: or(usual.output_soft_bytes, 3_000),
        accepts_per_turn: or(usual.accepts_per_turn, 1),
        handover_max: or(usual.handover_max, 1),
        accepts_per_s,
        timer_work_per_turn: or(usual.timer_work_per_turn, 1),
        ..usual
    }
}
