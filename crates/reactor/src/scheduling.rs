//! How the kernel shares a processor among threads. See sched_setattr(2), and sched(7) for the policies.
//!
//! A loop that wakes on a processor where another thread computes waits until that one's slice is used up, which the kernel may look
//! at every 4 ms only. [`set_slice`] lets the loop go first, [`compute`] keeps the other from taking the processor as soon as the loop
//! hands it something to do. Neither changes the shares; niceness does.

use std::io;
use std::time::Duration;

use libc::{SCHED_BATCH, SCHED_OTHER, c_int};

/// The least slice that the kernel gives.
pub const SLICE_MIN: Duration = Duration::from_micros(100);

/// Gives this thread, and those that it starts, turns of `slice` (the kernel keeps it within 0.1 and 100 ms). Who has the shorter
/// slice may interrupt the other when it wakes. Kernels before 6.12 take the call and ignore the slice.
///
/// # Errors
/// Those of sched_setattr(2), such as `EPERM` under some filters of system calls.
pub fn set_slice(slice: Duration) -> io::Result<()> {
    if policy() != SCHED_OTHER {
        return Ok(());
    }
    let slice_ns = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    set(SCHED_OTHER, slice_ns)
}

/// Declares that this thread, and those that it starts, compute for long: they never interrupt another when they wake (`SCHED_BATCH`).
/// `false`: it is under another policy than the usual one, and stays so; whoever chose it knows why.
///
/// # Errors
/// Those of sched_setattr(2), such as `EPERM` under some filters of system calls.
pub fn compute() -> io::Result<bool> {
    if policy() != SCHED_OTHER {
        return Ok(false);
    }
    set(SCHED_BATCH, 0)?;
    Ok(true)
}

/// Takes back what [`compute`] said `true` to.
///
/// # Errors
/// As for [`compute`].
pub fn stop_computing() -> io::Result<()> {
    if policy() != SCHED_BATCH {
        return Ok(());
    }
    set(SCHED_OTHER, 0)
}

fn policy() -> c_int {
    #[allow(unsafe_code)]
    // SAFETY: asks for the policy of this thread (0), and touches no memory.
    unsafe {
        libc::sched_getscheduler(0)
    }
}

/// Sets policy and slice of this thread; its niceness stays.
fn set(policy: c_int, slice_ns: u64) -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: policy as u32,
        sched_flags: 0,
        sched_nice: rustix::process::getpriority_process(None)?,
        sched_priority: 0,
        sched_runtime: slice_ns,
        sched_deadline: 0,
        sched_period: 0,
    };
    #[allow(unsafe_code)]
    // SAFETY: the kernel reads the structure, whose size it is told, and changes nothing but how this thread (0) is scheduled.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// One field of what `/proc` says of this thread, where this kernel says it.
    fn told(field: &str) -> Option<u64> {
        let told = std::fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = told.lines().find(|line| line.starts_with(field))?;
        line.rsplit(':').next()?.trim().parse().ok()
    }

    #[test]
    fn slice_and_policy_are_set_and_the_niceness_stays() {
        let checked = thread::spawn(|| {
            rustix::process::setpriority_process(None, 3).unwrap();
            set_slice(SLICE_MIN).unwrap();
            assert!(told("se.slice").is_none_or(|ns| ns == 100_000));
            assert!(compute().unwrap());
            assert!(told("policy").is_none_or(|policy| policy == SCHED_BATCH as u64));
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), 3);
            // Batch is another policy than the usual one: it stays.
            set_slice(SLICE_MIN).unwrap();
            assert!(!compute().unwrap());
            assert!(told("policy").is_none_or(|policy| policy == SCHED_BATCH as u64));
            stop_computing().unwrap();
            assert!(told("policy").is_none_or(|policy| policy == SCHED_OTHER as u64));
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), 3);
        });
        checked.join().unwrap();
    }
}
