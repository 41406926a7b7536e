//! What the fields of INFO are read from. What costs a system call or a pass over counters is read once, when a field
//! asks for it.

use std::cell::OnceCell;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dunlin_engine::commands::server::memory::{DICT_SHARE_BYTES, TIMER_BYTES};

use crate::host::ServerHost;
use crate::observe::RecentMax;
use crate::shared::{Memory, Shared, Totals, WorkerCounters};

/// Microseconds of processor time.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct CpuTime {
    /// In the kernel.
    pub(crate) system_us: u64,
    /// Outside of it.
    pub(crate) user_us: u64,
    /// Of children that have ended.
    pub(crate) children_system_us: u64,
    /// See `children_system_us`.
    pub(crate) children_user_us: u64,
}

/// Allocated bytes that are no values.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Overhead {
    /// Before the first client.
    pub(crate) startup: usize,
    /// Input and output of clients.
    pub(crate) clients: usize,
    /// Buffers that no client uses now.
    pub(crate) pools: usize,
    /// Keys' shares of their dicts, all databases.
    pub(crate) dicts: usize,
    /// Deadlines' shares of the wheels.
    pub(crate) timers: usize,
}

impl Overhead {
    pub(crate) fn total(&self) -> usize {
        self.startup + self.clients + self.pools + self.dicts + self.timers
    }
}

/// See the module's text.
pub(crate) struct Facts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) now_us: u64,
    pub(crate) now_ms: u64,
    /// The loops' clock.
    now_mono_ms: u64,
    totals: OnceCell<Totals>,
    memory: OnceCell<Memory>,
    resident: OnceCell<Option<u64>>,
    cpu: OnceCell<Option<CpuTime>>,
    main_thread_cpu: OnceCell<Option<CpuTime>>,
    rates: OnceCell<(f64, f64, f64)>,
}

impl Facts {
    /// Facts at this time of the command.
    pub(crate) fn new(host: &ServerHost, now_ms: u64) -> Facts {
        let now_us = host.clock.wall_us();
        let now_mono_ms = host.clock.monotonic_us() / 1_000;
        Facts {
            now_ms,
            ..Facts::at(&host.shared, now_us, now_mono_ms)
        }
    }

    /// Facts at this time of the wall clock, and of the loops' clock.
    pub(crate) fn at(shared: &Arc<Shared>, now_us: u64, now_mono_ms: u64) -> Facts {
        Facts {
            shared: Arc::clone(shared),
            now_us,
            now_ms: now_us / 1_000,
            now_mono_ms,
            totals: OnceCell::new(),
            memory: OnceCell::new(),
            resident: OnceCell::new(),
            cpu: OnceCell::new(),
            main_thread_cpu: OnceCell::new(),
            rates: OnceCell::new(),
        }
    }

    /// The counters since the start or the last CONFIG RESETSTAT.
    pub(crate) fn totals(&self) -> &Totals {
        self.totals.get_or_init(|| self.shared.totals())
    }

    /// The allocator's figures; zeros where it has none.
    pub(crate) fn memory(&self) -> Memory {
        *self.memory.get_or_init(|| self.shared.measure_memory())
    }

    /// Bytes in use without the buffers of clients, see [`dunlin_store::eviction::Usage`].
    pub(crate) fn used(&self) -> u64 {
        match self.shared.engine.store.usage.bytes() {
            0 => self.memory().allocated,
            bytes => bytes,
        }
    }

    /// The most bytes that were allocated, as far as they were measured.
    pub(crate) fn peak(&self) -> u64 {
        self.memory();
        self.shared.peak_bytes.load(Ordering::Relaxed)
    }

    /// What is allocated beside the values.
    pub(crate) fn overhead(&self) -> Overhead {
        let store = &self.shared.engine.store;
        let databases = 0..store.databases() as u32;
        let keys: u64 = databases.clone().map(|db| store.len(db)).sum();
        let deadlines: u64 = databases.map(|db| store.expires(db)).sum();
        let workers = || self.shared.workers.iter();
        let load = |bytes: &AtomicUsize| bytes.load(Ordering::Relaxed);
        Overhead {
            startup: self.shared.startup_bytes as usize,
            clients: workers().map(|w| load(&w.buffer_bytes)).sum(),
            pools: workers().map(|w| load(&w.pool_bytes)).sum(),
            dicts: keys as usize * DICT_SHARE_BYTES,
            timers: deadlines as usize * TIMER_BYTES,
        }
    }

    /// Bytes of keys and values.
    pub(crate) fn dataset(&self) -> u64 {
        let overhead = self.overhead().total() as u64;
        self.memory().allocated.saturating_sub(overhead)
    }

    /// Bytes allocated since the start.
    pub(crate) fn net_usage(&self) -> u64 {
        let startup = self.shared.startup_bytes;
        self.memory().allocated.saturating_sub(startup).max(1)
    }

    /// Bytes of the process in memory, if the system tells.
    pub(crate) fn resident(&self) -> Option<u64> {
        *self.resident.get_or_init(|| {
            let pages = second_word(&fs::read_to_string("/proc/self/statm").ok()?)?;
            Some(pages * rustix::param::page_size() as u64)
        })
    }

    /// Processor time of the process, if the system tells.
    pub(crate) fn cpu(&self) -> Option<CpuTime> {
        *self
            .cpu
            .get_or_init(|| cpu_time(&fs::read_to_string("/proc/self/stat").ok()?))
    }

    /// Processor time of the first thread, if the system tells.
    pub(crate) fn main_thread_cpu(&self) -> Option<CpuTime> {
        *self.main_thread_cpu.get_or_init(|| {
            let path = format!("/proc/self/task/{}/stat", std::process::id());
            cpu_time(&fs::read_to_string(path).ok()?)
        })
    }

    /// Commands, bytes read and bytes written a second.
    pub(crate) fn rates(&self) -> (f64, f64, f64) {
        *self.rates.get_or_init(|| {
            let now = self.shared.reading(self.now_mono_ms);
            self.shared.observer.rates.per_second(now)
        })
    }

    /// The largest value of the last seconds, of all workers.
    pub(crate) fn recent(&self, of: fn(&WorkerCounters) -> &RecentMax) -> usize {
        let largest = |w: &WorkerCounters| of(w).largest(self.now_mono_ms);
        let workers = self.shared.workers.iter();
        workers.map(|w| largest(w)).max().unwrap_or(0)
    }

    /// Bytes of the log that were not written yet.
    pub(crate) fn log_bytes(&self) -> u64 {
        let store = &self.shared.engine.store;
        let lanes = 0..=store.workers();
        lanes.map(|lane| store.log.waiting_bytes(lane) as u64).sum()
    }

    /// Seconds since the start.
    pub(crate) fn seconds_up(&self) -> u64 {
        self.now_ms.saturating_sub(self.shared.started_ms) / 1_000
    }
}

fn second_word(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// User and system time out of /proc/self/stat: the 14th to 17th field, counted in ticks.
fn cpu_time(stat: &str) -> Option<CpuTime> {
    // The second field is the program's name in parentheses, which may hold blanks and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second();
    let mut next_us = || Some(fields.next()?.parse::<u64>().ok()? * tick_us);
    Some(CpuTime {
        user_us: next_us()?,
        system_us: next_us()?,
        children_user_us: next_us()?,
        children_system_us: next_us()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{cpu_time, second_word};

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(second_word("1234 567 89 1 0 2 0\n"), Some(567));
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 7 300 1 2 20 0 1 0 1 1 1";
        let cpu = cpu_time(stat).expect("well formed");
        let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second();
        assert_eq!((cpu.user_us, cpu.system_us), (7 * tick_us, 300 * tick_us));
        let children = (cpu.children_user_us, cpu.children_system_us);
        assert_eq!(children, (tick_us, 2 * tick_us));
        assert!(cpu_time("").is_none() && second_word("1").is_none());
    }
}
