//! Options and counters of sockets.
//!
//! Invariant: none; each function is one fact of tcp(7) or socket(7).

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::ioctl::{Getter, ioctl};
use rustix::net::sockopt;

use crate::backend::SocketOption;

/// Probes without an answer after which a peer counts as dead.
const KEEPALIVE_PROBES: u32 = 3;

/// SIOCOUTQ, the same number as TIOCOUTQ: see tcp(7).
const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;

pub(super) fn set(fd: impl AsFd, option: SocketOption) -> io::Result<()> {
    match option {
        SocketOption::NoDelay(on) => sockopt::set_tcp_nodelay(fd, on)?,
        SocketOption::KeepAlive(None) => sockopt::set_socket_keepalive(fd, false)?,
        SocketOption::KeepAlive(Some(idle)) => {
            let fd = fd.as_fd();
            let idle = idle.max(Duration::from_secs(1));
            // The dead are found within twice the idle time.
            let interval = Duration::from_secs((idle.as_secs() / 3).max(1));
            sockopt::set_socket_keepalive(fd, true)?;
            sockopt::set_tcp_keepidle(fd, idle)?;
            sockopt::set_tcp_keepintvl(fd, interval)?;
            sockopt::set_tcp_keepcnt(fd, KEEPALIVE_PROBES)?;
        }
    }
    Ok(())
}

/// Gives a socket the mark that the kernel's routing and filters see; connections that it accepts inherit it.
pub(super) fn set_mark(fd: &OwnedFd, mark: u32) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: SO_MARK reads one u32, which outlives the call.
    let outcome = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MARK,
            std::ptr::from_ref(&mark).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Bytes that were sent but not confirmed by the peer's system (or, on a Unix socket, not read by the peer).
pub(super) fn unconfirmed_bytes(fd: &OwnedFd) -> usize {
    #[allow(unsafe_code)]
    // SAFETY: SIOCOUTQ writes one int.
    let count = unsafe { ioctl(fd, Getter::<SIOCOUTQ, std::ffi::c_int>::new()) };
    // A socket that cannot tell has nothing that waiting would save.
    count.map_or(0, |n| usize::try_from(n).unwrap_or(0))
}

/// How long ago the last data came, microseconds (the kernel tells milliseconds, as fine as its tick): see tcp(7), TCP_INFO.
pub(super) fn last_received_ago_us(fd: &OwnedFd) -> Option<u64> {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    #[allow(unsafe_code)]
    // SAFETY: the kernel writes at most `len` bytes, and both outlive the call.
    let outcome = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let field_end = std::mem::offset_of!(libc::tcp_info, tcpi_last_data_recv) + size_of::<u32>();
    if outcome != 0 || (len as usize) < field_end {
        return None;
    }
    #[allow(unsafe_code)]
    // SAFETY: all of it is integers, and it was zeroed.
    let info = unsafe { info.assume_init() };
    Some(u64::from(info.tcpi_last_data_recv) * 1_000)
}
