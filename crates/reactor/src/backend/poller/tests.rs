//! What all pollers have in common, on each of them; then what is one's own.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::*;

/// Runs a test on every poller.
macro_rules! on_every_poller {
    ($($name:ident)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn epoll() {
                super::$name(EpollPoller::open().unwrap());
            }

            #[test]
            fn poll() {
                super::$name(PollPoller::open().unwrap());
            }

            #[test]
            fn select() {
                super::$name(SelectPoller::open().unwrap());
            }
        })*
    };
}

on_every_poller! {
    what_is_ready_is_repeated_until_it_is_not
    interest_can_be_changed_and_withdrawn
    a_hang_up_is_told_behind_the_data
    a_peers_end_is_told_though_nobody_reads
    an_error_is_told_whatever_is_wanted
    a_report_has_at_most_what_was_asked_and_nobody_starves
    a_wait_ends_in_time_and_not_before
    a_signal_ends_a_wait_early
    urgent_bytes_are_told
    what_is_not_watched_cannot_be_changed
    a_refused_connection_is_told
}

fn now(poller: &mut impl Poller) -> Vec<Readiness> {
    let mut out = Vec::new();
    let n = poller.wait(64, Some(0), &mut out).unwrap();
    assert_eq!(n, out.len());
    assert!(
        out.iter().all(|r| *r
            != Readiness {
                key: r.key,
                ..Readiness::default()
            }),
        "{out:?}"
    );
    out
}

/// Waits for one report; the time is only a bound for what hangs.
fn one(poller: &mut impl Poller) -> Readiness {
    let mut out = Vec::new();
    let started = Instant::now();
    while out.is_empty() {
        poller.wait(64, Some(1_000), &mut out).unwrap();
        assert!(started.elapsed() < Duration::from_secs(20), "nothing came");
    }
    assert_eq!(out.len(), 1);
    out[0]
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

fn steps(readiness: Readiness) -> Vec<Step> {
    readiness.steps().collect()
}

fn what_is_ready_is_repeated_until_it_is_not(mut poller: impl Poller) {
    let (mut ours, mut theirs) = pair();
    poller.add(ours.as_raw_fd(), 5, Interest::READABLE).unwrap();
    assert_eq!(now(&mut poller), []);
    theirs.write_all(b"ab").unwrap();
    for _ in 0..3 {
        let got = one(&mut poller);
        assert_eq!((got.key, steps(got)), (5, vec![Step::Read]));
    }
    ours.read_exact(&mut [0; 1]).unwrap();
    assert!(one(&mut poller).readable, "a byte is left");
    ours.read_exact(&mut [0; 1]).unwrap();
    assert_eq!(now(&mut poller), []);
}

fn interest_can_be_changed_and_withdrawn(mut poller: impl Poller) {
    let (ours, mut theirs) = pair();
    let fd = ours.as_raw_fd();
    theirs.write_all(b"x").unwrap();
    poller.add(fd, 1, Interest::NONE).unwrap();
    assert_eq!(now(&mut poller), []);
    poller
        .modify(fd, 2, Interest::READABLE | Interest::WRITABLE)
        .unwrap();
    let got = one(&mut poller);
    // On one machine, what was written has arrived.
    assert_eq!((got.key, steps(got)), (2, vec![Step::Read, Step::Write]));
    poller.modify(fd, 3, Interest::WRITABLE).unwrap();
    assert_eq!(steps(one(&mut poller)), [Step::Write]);
    poller.remove(fd).unwrap();
    assert_eq!(now(&mut poller), []);
    poller.add(fd, 4, Interest::READABLE).unwrap();
    assert_eq!(one(&mut poller).key, 4);
}

fn a_hang_up_is_told_behind_the_data(mut poller: impl Poller) {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let wanted = Interest::READABLE | Interest::PEER_CLOSED;
    poller.add(ours.as_raw_fd(), 1, wanted).unwrap();
    theirs.write_all(b"last").unwrap();
    drop(theirs);
    let got = one(&mut poller);
    assert!(got.readable && got.peer_closed && got.hang_up && !got.error);
    assert_eq!(steps(got), [Step::Read], "the data come first");
    let mut rest = Vec::new();
    ours.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"last");
    poller.modify(ours.as_raw_fd(), 1, Interest::NONE).unwrap();
    assert_eq!(
        steps(one(&mut poller)),
        [Step::HangUp],
        "nobody asked, and it is told"
    );
}

fn a_peers_end_is_told_though_nobody_reads(mut poller: impl Poller) {
    let (ours, mut theirs) = pair();
    let fd = ours.as_raw_fd();
    theirs.write_all(b"unread").unwrap();
    poller.add(fd, 1, Interest::PEER_CLOSED).unwrap();
    assert_eq!(now(&mut poller), []);
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    let got = one(&mut poller);
    assert!(
        got.peer_closed && !got.readable && !got.hang_up && !got.error,
        "{got:?}"
    );
    assert_eq!(steps(got), [Step::Read]);
}

fn an_error_is_told_whatever_is_wanted(mut poller: impl Poller) {
    let (ours, theirs) = pair();
    poller.add(ours.as_raw_fd(), 1, Interest::NONE).unwrap();
    assert_eq!(now(&mut poller), []);
    reset(theirs);
    let got = one(&mut poller);
    assert!(got.error && got.hang_up, "{got:?}");
    assert_eq!(steps(got)[..2], [Step::HangUp, Step::Error]);
    // Asking did not use it up.
    let error = rustix::net::sockopt::socket_error(&ours).unwrap();
    assert_eq!(error, Err(rustix::io::Errno::CONNRESET));
}

fn a_report_has_at_most_what_was_asked_and_nobody_starves(mut poller: impl Poller) {
    let pairs: Vec<_> = (0..10).map(|_| UnixStream::pair().unwrap()).collect();
    for (key, (ours, theirs)) in pairs.iter().enumerate() {
        poller
            .add(ours.as_raw_fd(), key as u64, Interest::READABLE)
            .unwrap();
        (&*theirs).write_all(b"x").unwrap();
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let mut out = Vec::new();
        assert_eq!(poller.wait(3, None, &mut out).unwrap(), 3);
        assert_eq!(out.len(), 3);
        seen.extend(out.iter().map(|r| r.key));
    }
    assert_eq!(seen.len(), 10, "only {seen:?} had a turn");
    let refused = poller.wait(0, None, &mut Vec::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

fn a_wait_ends_in_time_and_not_before(mut poller: impl Poller) {
    let (ours, _theirs) = pair();
    poller.add(ours.as_raw_fd(), 1, Interest::READABLE).unwrap();
    let started = Instant::now();
    assert_eq!(poller.wait(8, Some(30), &mut Vec::new()).unwrap(), 0);
    assert!(
        started.elapsed() >= Duration::from_millis(30),
        "it did not sleep"
    );
}

fn a_signal_ends_a_wait_early(mut poller: impl Poller) {
    // A handler must be there, or the signal would end the process.
    let _flag = signal_hook::flag::register(
        signal_hook::consts::SIGUSR2,
        std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)),
    );
    let waiting = rustix::thread::gettid();
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let sender = std::thread::spawn(move || {
        // Again and again: the first may come before the wait began.
        while finished.recv_timeout(Duration::from_millis(5)).is_err() {
            #[allow(unsafe_code)]
            // SAFETY: the thread is alive, it waits for this one's end.
            unsafe {
                libc::syscall(
                    libc::SYS_tgkill,
                    libc::getpid(),
                    waiting.as_raw_nonzero().get(),
                    signal_hook::consts::SIGUSR2,
                );
            }
        }
    });
    assert_eq!(poller.wait(8, None, &mut Vec::new()).unwrap(), 0);
    finish.send(()).unwrap();
    sender.join().unwrap();
}

fn urgent_bytes_are_told(mut poller: impl Poller) {
    let (ours, theirs) = pair();
    poller.add(ours.as_raw_fd(), 1, Interest::PRIORITY).unwrap();
    assert_eq!(now(&mut poller), []);
    let flags = rustix::net::SendFlags::OOB;
    rustix::net::send(theirs.as_fd(), b"!", flags).unwrap();
    let got = one(&mut poller);
    assert!(got.priority);
    assert_eq!(steps(got), [Step::Read]);
}

fn what_is_not_watched_cannot_be_changed(mut poller: impl Poller) {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    let kind = |outcome: io::Result<()>| outcome.unwrap_err().kind();
    assert_eq!(
        kind(poller.modify(fd, 1, Interest::READABLE)),
        ErrorKind::NotFound
    );
    assert_eq!(kind(poller.remove(fd)), ErrorKind::NotFound);
    poller.add(fd, 1, Interest::READABLE).unwrap();
    assert_eq!(
        kind(poller.add(fd, 2, Interest::READABLE)),
        ErrorKind::AlreadyExists
    );
    poller.remove(fd).unwrap();
    assert_eq!(kind(poller.remove(fd)), ErrorKind::NotFound);
}

fn a_refused_connection_is_told(mut poller: impl Poller) {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let flags = rustix::net::SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        flags,
        None,
    );
    let socket: OwnedFd = socket.unwrap();
    // Refused at once, or later.
    let _ = rustix::net::connect(&socket, &closed);
    poller
        .add(socket.as_raw_fd(), 1, Interest::WRITABLE)
        .unwrap();
    let got = one(&mut poller);
    assert!(got.hang_up || got.error, "{got:?}");
}

#[test]
fn steps_come_in_the_order_in_which_nothing_is_lost() {
    let all = Readiness {
        key: 0,
        readable: false,
        priority: true,
        writable: true,
        peer_closed: true,
        hang_up: true,
        error: true,
    };
    assert_eq!(
        steps(all),
        [Step::HangUp, Step::Error, Step::Read, Step::Write]
    );
    let data = Readiness {
        readable: true,
        ..all
    };
    assert_eq!(steps(data), [Step::Error, Step::Read, Step::Write]);
    assert_eq!(steps(Readiness::default()), []);
}

#[test]
fn edges_are_told_once() {
    let mut poller = EpollPoller::open().unwrap();
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    poller
        .add(ours.as_raw_fd(), 1, Interest::READABLE | Interest::EDGE)
        .unwrap();
    theirs.write_all(b"ab").unwrap();
    assert!(one(&mut poller).readable);
    assert_eq!(now(&mut poller), [], "nothing is new");
    ours.read_exact(&mut [0; 1]).unwrap();
    assert_eq!(now(&mut poller), [], "a byte is left, and is no news");
    theirs.write_all(b"c").unwrap();
    assert!(one(&mut poller).readable);
}

#[test]
fn an_exclusive_listener_wakes_one_of_many() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut pollers: Vec<_> = (0..4).map(|_| EpollPoller::open().unwrap()).collect();
    let wanted = Interest::READABLE | Interest::EXCLUSIVE;
    for poller in &mut pollers {
        poller.add(listener.as_raw_fd(), 1, wanted).unwrap();
    }
    let (tell, told) = std::sync::mpsc::channel();
    let threads: Vec<_> = pollers
        .into_iter()
        .map(|mut poller| {
            let tell = tell.clone();
            std::thread::spawn(move || {
                tell.send(rustix::thread::gettid()).unwrap();
                // The time is how long the others are given to be woken in vain.
                poller.wait(8, Some(1_500), &mut Vec::new()).unwrap()
            })
        })
        .collect();
    for thread in told.iter().take(threads.len()) {
        let started = Instant::now();
        while !sleeps(thread) {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "it does not wait"
            );
        }
    }
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let woken = threads.into_iter().map(|t| t.join().unwrap());
    assert_eq!(woken.sum::<usize>(), 1);
}

/// True if a thread of this process waits in the kernel for longer than a moment.
fn sleeps(thread: rustix::thread::Pid) -> bool {
    let path = format!("/proc/self/task/{}/stat", thread.as_raw_nonzero());
    (0..5).all(|_| {
        std::thread::sleep(Duration::from_millis(5));
        let stat = std::fs::read_to_string(&path).unwrap();
        stat.contains(") S ")
    })
}

#[test]
fn level_triggered_pollers_refuse_what_epoll_alone_has() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    for wanted in [Interest::EDGE, Interest::EXCLUSIVE] {
        let fd = ours.as_raw_fd();
        let poll = PollPoller::default().add(fd, 1, wanted).unwrap_err();
        let select = SelectPoller::default().add(fd, 1, wanted).unwrap_err();
        assert_eq!(poll.kind(), ErrorKind::Unsupported);
        assert_eq!(select.kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn poll_ignores_negative_descriptors_and_the_others_refuse_them() {
    let mut poller = PollPoller::default();
    poller.add(-1, 1, Interest::READABLE).unwrap();
    poller.modify(-1, 2, Interest::WRITABLE).unwrap();
    assert_eq!(now(&mut poller), []);
    poller.remove(-1).unwrap();
    assert!(
        EpollPoller::open()
            .unwrap()
            .add(-1, 1, Interest::READABLE)
            .is_err()
    );
    assert!(
        SelectPoller::default()
            .add(-1, 1, Interest::READABLE)
            .is_err()
    );
}

#[test]
fn select_refuses_what_does_not_fit_its_sets() {
    let mut poller = SelectPoller::default();
    for fd in [1_024, 1_025, 1_000_000, i32::MAX] {
        let refused = poller.add(fd, 1, Interest::READABLE).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains(&fd.to_string()) && text.contains("FD_SETSIZE"),
            "{text}"
        );
    }
    // The last one that fits works.
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let highest = rustix::io::fcntl_dupfd_cloexec(&ours, 1_023).unwrap();
    if highest.as_raw_fd() == 1_023 {
        poller.add(1_023, 9, Interest::READABLE).unwrap();
        theirs.write_all(b"x").unwrap();
        assert_eq!(one(&mut poller).key, 9);
    }
}

#[test]
fn descriptors_that_were_closed_are_told_as_errors() {
    fn check(mut poller: impl Poller) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        // A number that no other test gets meanwhile.
        let high = rustix::io::fcntl_dupfd_cloexec(&ours, 900).unwrap();
        poller.add(high.as_raw_fd(), 1, Interest::READABLE).unwrap();
        poller
            .add(theirs.as_raw_fd(), 2, Interest::READABLE)
            .unwrap();
        drop(high);
        let got = now(&mut poller);
        assert_eq!(got.len(), 1);
        assert!(got[0].error && got[0].key == 1);
    }
    check(PollPoller::default());
    check(SelectPoller::default());
}
