//! The machine: what it is, which cores whom, and limits of this process.

use std::fs;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Which cores the servers get, in taskset's notation. The load gets the others, where there are any.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    /// All that this process may use.
    all: Vec<usize>,
    /// For one worker.
    pub(crate) one: String,
    /// For two workers.
    pub(crate) two: String,
    /// The load has none of its own beside these two.
    pub(crate) shared: bool,
}

/// Divides the cores, and moves this process (with what it starts) to the load's.
pub(crate) fn divide() -> Result<Cores> {
    let ours = sched_getaffinity(None)?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|core| ours.is_set(*core))
        .collect();
    let first = cores[0];
    let second = cores.get(1).copied().unwrap_or(first);
    let divided = Cores {
        one: first.to_string(),
        two: format!("{first},{second}"),
        shared: cores.len() <= 2,
        all: cores,
    };
    divided.load_beside(2)?;
    Ok(divided)
}

impl Cores {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// The first `count` of them, for a server.
    pub(crate) fn first(&self, count: usize) -> String {
        let names: Vec<String> = self.all.iter().take(count).map(usize::to_string).collect();
        names.join(",")
    }

    /// Moves this process, with what it starts, to the cores behind the first `count`. Where there are none it gets the last one.
    pub(crate) fn load_beside(&self, count: usize) -> Result<()> {
        let behind = count.min(self.all.len() - 1);
        let mut set = CpuSet::new();
        for core in &self.all[behind..] {
            set.set(*core);
        }
        Ok(sched_setaffinity(None, &set)?)
    }
}

/// Raises the limit of open descriptors to what is allowed, and says how many that is.
pub(crate) fn raise_descriptors() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// The machine in words.
pub(crate) fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("an unknown CPU", |(_, name)| name.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{model}, {} cores, Linux {}",
        crate::workspace::cores(),
        kernel.trim()
    )
}
