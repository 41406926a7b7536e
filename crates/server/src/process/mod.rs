//! The process among others: its supervisor, its place in the kernel's order of victims, its name.
//!
//! Invariant: nothing here decides whether the server serves; what fails is logged, or told to who asked.

pub mod oom_score;
pub mod processors;
mod supervisor;
pub(crate) mod title;

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use dunlin_reactor::scheduling;
pub use supervisor::{Supervision, Supervisor};

use crate::config::Config;

/// Lets this thread, which computes for long, give way to others. Left out under a service manager's filter of system calls: that of Debian's unit
/// for redis-server ends a process that changes a priority, and there is no way to ask.
pub fn lower_priority(niceness: i32) {
    if !may_set_priority() {
        return;
    }
    let lowered = rustix::process::setpriority_process(None, niceness).map_err(Into::into);
    if let Err(error) = lowered.and_then(|()| scheduling::compute()) {
        tracing::debug!("A thread keeps its priority: {error}");
    }
}

/// Whether a thread lets others finish when it wakes, where that changes as it goes on.
#[derive(Debug, Default)]
pub struct Patience {
    wanted: bool,
    /// The kernel was told so.
    is_set: bool,
}

impl Patience {
    /// For the thread that calls it. Left out where a priority would be.
    pub fn set(&mut self, patient: bool) {
        if std::mem::replace(&mut self.wanted, patient) == patient || !may_set_priority() {
            return;
        }
        let set = match (patient, self.is_set) {
            (true, false) => scheduling::compute(),
            (false, true) => scheduling::stop_computing().map(|()| false),
            (_, is_set) => Ok(is_set),
        };
        match set {
            Ok(is_set) => self.is_set = is_set,
            Err(error) => tracing::debug!("A thread keeps its policy: {error}"),
        }
    }
}

/// Lets this thread, when it wakes, go before those that run for long. Left out where a priority would be.
pub fn answer_promptly() {
    if !may_set_priority() {
        return;
    }
    if let Err(error) = scheduling::set_slice(scheduling::SLICE_MIN) {
        tracing::debug!("A thread keeps its slice of time: {error}");
    }
}

/// A filter of a service manager may end the process for it.
fn may_set_priority() -> bool {
    let managed = std::env::var_os("INVOCATION_ID").is_some();
    if managed && is_filtered() {
        tracing::debug!("A thread keeps its priority: system calls are filtered");
        return false;
    }
    true
}

/// Keeps this thread on the processors of the background threads.
pub fn keep_to_background(config: &Config) {
    processors::keep_to(config.text("bio_cpulist"), "bio_cpulist");
}

/// Keeps this thread on the processors of what saves.
pub fn keep_to_savers(config: &Config) {
    processors::keep_to(config.text("bgsave_cpulist"), "bgsave_cpulist");
}

/// Keeps this thread on the processors of the workers.
pub fn keep_to_workers(config: &Config) {
    processors::keep_to(config.text("server_cpulist"), "server_cpulist");
}

/// Whether the kernel asks a filter about each system call.
fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

/// The kernel keeps this much of a name.
const NAME_BYTES_MAX: usize = 15;

/// Names the process after the program that was called (`set-proc-title`): a server that started itself again in the
/// background would be called after the file that a link leads to. Call it on the main thread.
pub fn set_name(config: &Config, program: &OsStr) {
    if !config.yes("set-proc-title") {
        return;
    }
    title::remember(program);
    let name = Path::new(program).file_name().unwrap_or(program);
    let bytes = name.as_bytes();
    let cut = &bytes[..bytes.len().min(NAME_BYTES_MAX)];
    // An argument of a program has no NUL.
    if let Ok(name) = CString::new(cut)
        && let Err(error) = rustix::thread::set_name(&name)
    {
        tracing::debug!("The process keeps its name: {error}");
    }
}
