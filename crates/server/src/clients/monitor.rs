//! MONITOR: every command that runs, sent to who asked for it.
//!
//! Invariant: a command is put into each monitor's queue while its stripes are held, so the lines of one key come in the order
//! of its commands; between keys nothing is promised. Queues are bounded: a monitor whose queue overflows is closed, and
//! nobody ever waits for it.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::{Client, Mark, lock};

/// Lines that wait for the monitor's worker, and replies that wait for its client, each up to this many bytes.
pub const MONITOR_BYTES_MAX: usize = 32 << 20;

/// One monitor.
#[derive(Debug)]
pub struct Monitor {
    /// Whose it is.
    pub client: Arc<Client>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    overflowed: bool,
}

impl Monitor {
    /// Lines that came since the last time; `None` once some were lost.
    pub fn take(&self) -> Option<Vec<u8>> {
        let mut queue = lock(&self.queue);
        (!queue.overflowed).then(|| std::mem::take(&mut queue.lines))
    }
}

/// All monitors.
#[derive(Debug, Default)]
pub struct Monitors {
    count: AtomicUsize,
    list: Mutex<Arc<[Arc<Monitor>]>>,
}

impl Monitors {
    /// Whether nobody monitors. One relaxed load.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    /// Those of now.
    pub fn list(&self) -> Arc<[Arc<Monitor>]> {
        Arc::clone(&lock(&self.list))
    }

    /// Lets a client monitor; false if it does.
    pub fn add(&self, client: Arc<Client>) -> bool {
        if !client.mark(Mark::MONITOR, true) {
            return false;
        }
        let monitor = Arc::new(Monitor {
            client,
            queue: Mutex::default(),
        });
        let mut list = lock(&self.list);
        *list = list.iter().cloned().chain([monitor]).collect();
        self.count.store(list.len(), Relaxed);
        true
    }

    /// A client monitors no longer.
    pub fn remove(&self, client: &Client) {
        client.mark(Mark::MONITOR, false);
        let mut list = lock(&self.list);
        *list = list
            .iter()
            .filter(|m| m.client.id != client.id)
            .cloned()
            .collect();
        self.count.store(list.len(), Relaxed);
    }

    /// Gives a line to every monitor. Calls `wake` with the worker of each whose queue was empty.
    pub fn feed(&self, line: &str, mut wake: impl FnMut(usize)) {
        for monitor in self.list().iter() {
            let mut queue = lock(&monitor.queue);
            if queue.lines.is_empty() {
                wake(monitor.client.worker());
            }
            if queue.lines.len() + line.len() > MONITOR_BYTES_MAX {
                queue.overflowed = true;
                queue.lines = Vec::new();
            }
            if !queue.overflowed {
                queue.lines.extend_from_slice(line.as_bytes());
            }
        }
    }
}

/// A line as Redis prints it: time in microseconds, database, the client's address, quoted arguments.
pub fn line<'a>(
    time_us: u64,
    db: u32,
    address: &str,
    args: impl Iterator<Item = &'a [u8]>,
) -> String {
    let mut line = format!(
        "+{}.{:06} [{db} {address}]",
        time_us / 1_000_000,
        time_us % 1_000_000
    );
    for arg in args {
        line.push_str(" \"");
        for &byte in arg {
            match byte {
                b'\\' | b'"' => line.extend(['\\', char::from(byte)]),
                b'\n' => line.push_str("\\n"),
                b'\r' => line.push_str("\\r"),
                b'\t' => line.push_str("\\t"),
                0x07 => line.push_str("\\a"),
                0x08 => line.push_str("\\b"),
                b' '..=b'~' => line.push(char::from(byte)),
                _ => {
                    let _ = write!(line, "\\x{byte:02x}");
                }
            }
        }
        line.push('"');
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_engine::session::Peer;

    #[test]
    fn arguments_are_quoted() {
        let args: [&[u8]; 3] = [b"set", b"a \"b\"\\", b"\r\n\t\x07\x08\x00\xff~"];
        assert_eq!(
            line(1_700_000_000_000_042, 3, "127.0.0.1:9", args.into_iter()),
            "+1700000000.000042 [3 127.0.0.1:9] \"set\" \"a \\\"b\\\"\\\\\" \"\\r\\n\\t\\a\\b\\x00\\xff~\"\r\n"
        );
    }

    #[test]
    fn a_queue_that_overflows_is_lost_and_takes_no_memory() {
        let monitors = Monitors::default();
        let client = Arc::new(Client::new(1, Peer::default(), 3, 0, 0));
        assert!(monitors.add(Arc::clone(&client)) && !monitors.add(Arc::clone(&client)));
        let long = "x".repeat(MONITOR_BYTES_MAX / 2);
        let mut woken = Vec::new();
        monitors.feed(&long, |worker| woken.push(worker));
        monitors.feed(&long, |worker| woken.push(worker));
        assert_eq!(woken, [3], "once until the lines are taken");
        let monitor = Arc::clone(&monitors.list()[0]);
        assert_eq!(
            monitor.take().map(|lines| lines.len()),
            Some(2 * long.len())
        );
        (0..3).for_each(|_| monitors.feed(&long, |_| {}));
        assert_eq!(monitor.take(), None);
        monitors.remove(&client);
        assert!(monitors.is_empty() && !client.is(Mark::MONITOR));
    }
}
