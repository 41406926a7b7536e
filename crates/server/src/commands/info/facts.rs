//! What the fields of INFO are read from. What costs a system call or a pass over counters is read once, when a field
//! asks for it.

use std::cell::OnceCell;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::host::ServerHost;
use crate::shared::{Memory, Shared, Totals};

/// Microseconds of processor time.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct CpuTime {
    /// In the kernel, of this process.
    pub(super) system_us: u64,
    /// Outside of it.
    pub(super) user_us: u64,
}

/// See the module's text.
pub(super) struct Facts {
    pub(super) shared: Arc<Shared>,
    pub(super) now_us: u64,
    pub(super) now_ms: u64,
    totals: OnceCell<Totals>,
    memory: OnceCell<Memory>,
    resident: OnceCell<Option<u64>>,
    cpu: OnceCell<Option<CpuTime>>,
}

impl Facts {
    /// Facts at this time of the command.
    pub(super) fn new(host: &ServerHost, now_ms: u64) -> Facts {
        Facts {
            shared: Arc::clone(&host.shared),
            now_us: host.clock.wall_us(),
            now_ms,
            totals: OnceCell::new(),
            memory: OnceCell::new(),
            resident: OnceCell::new(),
            cpu: OnceCell::new(),
        }
    }

    /// The counters since the start or the last CONFIG RESETSTAT.
    pub(super) fn totals(&self) -> &Totals {
        self.totals.get_or_init(|| self.shared.totals())
    }

    /// The allocator's figures; zeros where it has none.
    pub(super) fn memory(&self) -> Memory {
        *self.memory.get_or_init(|| {
            let memory = (self.shared.allocator.figures)();
            self.shared
                .peak_bytes
                .fetch_max(memory.allocated, Ordering::Relaxed);
            memory
        })
    }

    /// Bytes of the process in memory, if the system tells.
    pub(super) fn resident(&self) -> Option<u64> {
        *self.resident.get_or_init(|| {
            let pages = second_word(&fs::read_to_string("/proc/self/statm").ok()?)?;
            Some(pages * rustix::param::page_size() as u64)
        })
    }

    /// Processor time of the process, if the system tells.
    pub(super) fn cpu(&self) -> Option<CpuTime> {
        *self
            .cpu
            .get_or_init(|| cpu_time(&fs::read_to_string("/proc/self/stat").ok()?))
    }

    /// A counter of connections: how many are open.
    pub(super) fn seconds_up(&self) -> u64 {
        self.now_ms.saturating_sub(self.shared.started_ms) / 1_000
    }
}

fn second_word(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// User and system time out of /proc/self/stat: the 14th and 15th field, counted in ticks.
fn cpu_time(stat: &str) -> Option<CpuTime> {
    // The second field is the program's name in parentheses, which may hold blanks and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(CpuTime {
        system_us: system * tick_us,
        user_us: user * tick_us,
    })
}

#[cfg(test)]
mod tests {
    use super::{cpu_time, second_word};

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(second_word("1234 567 89 1 0 2 0\n"), Some(567));
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 7 300 0 0 20 0 1 0 1 1 1";
        let cpu = cpu_time(stat).expect("well formed");
        let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second();
        assert_eq!((cpu.user_us, cpu.system_us), (7 * tick_us, 300 * tick_us));
        assert!(cpu_time("").is_none() && second_word("1").is_none());
    }
}
