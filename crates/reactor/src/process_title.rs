//! The command line that `ps` shows, at run time. See PR_SET_MM_MAP in prctl(2).
//!
//! The kernel is told that the arguments lie in a buffer of ours. Those that the process was started with stay where they are and as
//! they are, so whoever reads them (`std::env::args`) reads no memory that changes.
//!
//! Invariant: the buffer that the kernel knows lives as long as it knows it.

use std::fs;
use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::process::{PrctlMmMap, configure_virtual_memory_map};

/// Longer titles are cut.
const TITLE_BYTES_MAX: usize = 4095;
/// No other program file: the field's own -1.
const SAME_PROGRAM: i32 = -1;

/// What the kernel shows now.
static SHOWN: Mutex<Option<Box<[u8]>>> = Mutex::new(None);

/// Shows `title` in the place of the process's arguments.
///
/// # Errors
/// Where the kernel does not let a process move them (it is built without CONFIG_CHECKPOINT_RESTORE, or a filter forbids it); what it
/// shows is as before then.
pub fn set(title: &[u8]) -> io::Result<()> {
    let mut bytes = title[..title.len().min(TITLE_BYTES_MAX)].to_vec();
    bytes.push(0);
    let bytes = bytes.into_boxed_slice();
    // A panic aborts, so a poisoned lock is never seen.
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let stat = fs::read_to_string("/proc/self/stat")?;
    let map = map(&stat, bytes.as_ptr_range(), current_break())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    #[allow(unsafe_code)]
    // SAFETY: all addresses are those that the kernel has just told, but for the arguments', which lie in a buffer that is kept below
    // until it was told of another.
    unsafe {
        configure_virtual_memory_map(&map)?;
    }
    *shown = Some(bytes);
    Ok(())
}

/// The end of the heap that brk(2) makes. No allocator here uses it, so nobody moves it meanwhile; were it moved, the next call of
/// brk would fail, and its caller would map memory elsewhere.
fn current_break() -> u64 {
    #[allow(unsafe_code)]
    // SAFETY: a move by nothing tells the place and changes nothing.
    let end = unsafe { libc::sbrk(0) };
    end.addr() as u64
}

/// The map of the process as /proc/self/stat tells it (see proc(5)), with other arguments.
fn map(stat: &str, arguments: std::ops::Range<*const u8>, brk: u64) -> Option<PrctlMmMap> {
    // The second field is a name in parentheses, which may hold blanks and parentheses; the third follows.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(PrctlMmMap {
        start_code: field(26)?,
        end_code: field(27)?,
        start_data: field(45)?,
        end_data: field(46)?,
        start_brk: field(47)?,
        brk,
        start_stack: field(28)?,
        arg_start: arguments.start.addr() as u64,
        arg_end: arguments.end.addr() as u64,
        env_start: field(50)?,
        env_end: field(51)?,
        auxv: std::ptr::null_mut(),
        auxv_size: 0,
        exe_fd: SAME_PROGRAM,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_shows_it() {
        let shown = || fs::read("/proc/self/cmdline").expect("the system has /proc");
        let arguments: Vec<_> = std::env::args_os().collect();
        if let Err(error) = set(b"a title") {
            eprintln!("left out: {error}");
            return;
        }
        assert_eq!(shown(), b"a title\0");
        let long = vec![b'x'; 2 * TITLE_BYTES_MAX];
        set(&long).expect("it did so before");
        assert_eq!(shown().len(), TITLE_BYTES_MAX + 1);
        assert!(std::env::args_os().eq(arguments), "they stay");
    }

    #[test]
    fn what_is_no_stat_is_refused() {
        let nothing = [0u8; 0].as_ptr_range();
        assert!(map("", nothing.clone(), 0).is_none());
        assert!(map("1 (a) b) S 1 2 3", nothing, 0).is_none());
    }
}
