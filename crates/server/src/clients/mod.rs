//! The clients of all workers: who they are, how to close them, who monitors, and whether they are paused.
//!
//! Invariant: nothing here is locked on the way of an ordinary command. Connecting, closing and the CLIENT commands lock the
//! map; a batch stores into its clients' records and reads two words. A client that is to be closed is out of the map at
//! once, so that nobody finds it again, and its worker is told by its mailbox.

mod filter;
mod line;
mod monitor;
mod pause;
mod record;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use filter::{Class, Filter};
pub use line::{Context, line};
pub use monitor::{MONITOR_BYTES_MAX, Monitor, Monitors, line as monitor_line};
pub use pause::{Pause, Scope};
pub use record::{Buffered, Client, Figures, Mark, Texts};

/// What a worker is to do with one of its clients, which it knows by its token.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// Close its connection.
    Close(u64),
    /// End its wait for a key, as by its timeout or with an error.
    Unblock {
        /// Its connection.
        token: u64,
        /// With an error.
        with_error: bool,
    },
}

/// See the module's text.
#[derive(Debug)]
pub struct Clients {
    by_id: Mutex<BTreeMap<u64, Arc<Client>>>,
    count: AtomicUsize,
    next_id: AtomicU64,
    /// For each worker, what it is to do with its clients.
    mail: Box<[Mutex<Vec<Order>>]>,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// MONITOR.
    pub monitors: Monitors,
}

impl Clients {
    /// No clients yet, of this many workers.
    pub fn new(workers: usize) -> Clients {
        Clients {
            by_id: Mutex::default(),
            count: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
            mail: (0..workers).map(|_| Mutex::default()).collect(),
            pause: Pause::default(),
            monitors: Monitors::default(),
        }
    }

    /// Number for a new client.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A client has connected. O(log n).
    pub fn insert(&self, client: Arc<Client>) {
        let mut by_id = lock(&self.by_id);
        by_id.insert(client.id, client);
        self.count.store(by_id.len(), Ordering::Relaxed);
    }

    /// A client is gone. O(log n).
    pub fn remove(&self, client: &Client) {
        let mut by_id = lock(&self.by_id);
        by_id.remove(&client.id);
        self.count.store(by_id.len(), Ordering::Relaxed);
        drop(by_id);
        if client.is(Mark::MONITOR) {
            self.monitors.remove(client);
        }
    }

    /// Clients that are connected.
    #[inline]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The client of this number.
    pub fn find(&self, id: u64) -> Option<Arc<Client>> {
        lock(&self.by_id).get(&id).cloned()
    }

    /// All clients in the order in which they came.
    pub fn all(&self) -> Vec<Arc<Client>> {
        lock(&self.by_id).values().cloned().collect()
    }

    /// How many clients are so. O(n).
    pub fn count(&self, is_so: impl Fn(&Client) -> bool) -> usize {
        lock(&self.by_id).values().filter(|c| is_so(c)).count()
    }

    /// How many clients each of so many workers has.
    pub fn by_worker(&self, workers: usize) -> Vec<usize> {
        let mut counts = vec![0; workers];
        for client in lock(&self.by_id).values() {
            if let Some(count) = counts.get_mut(client.worker()) {
                *count += 1;
            }
        }
        counts
    }

    /// Has a client closed by its worker, which must be woken; false if that was done before.
    pub fn kill(&self, client: &Client) -> bool {
        if !client.mark(Mark::KILLED, true) {
            return false;
        }
        self.remove(client);
        lock(&self.mail[client.worker()]).push(Order::Close(client.token));
        true
    }

    /// Has the wait of a client ended by its worker, which must be woken; false if it waits for no key.
    pub fn unblock(&self, client: &Client, with_error: bool) -> bool {
        let is_blocked = client.mark(Mark::BLOCKED, false);
        if is_blocked {
            let token = client.token;
            lock(&self.mail[client.worker()]).push(Order::Unblock { token, with_error });
        }
        is_blocked
    }

    /// What a worker is to do.
    pub fn take_mail(&self, worker: usize) -> Vec<Order> {
        std::mem::take(&mut *lock(&self.mail[worker]))
    }

    /// Closes the clients that take most memory until all together take at most `max` bytes. O(n log n).
    pub fn evict(&self, max: u64) -> Vec<Arc<Client>> {
        let mut victims = self.all();
        let mut sum: u64 = victims.iter().map(|client| client.memory()).sum();
        victims.retain(|client| !client.is(Mark::NO_EVICT));
        victims.sort_by_key(|client| std::cmp::Reverse(client.memory()));
        victims.retain(|client| {
            let dies = sum > max && self.kill(client);
            if dies {
                sum = sum.saturating_sub(client.memory());
            }
            dies
        });
        victims
    }

    /// Whether commands have to be looked at one by one: somebody monitors, or clients are paused. Two relaxed loads.
    #[inline]
    pub fn is_watchful(&self) -> bool {
        self.pause.is_set() | !self.monitors.is_empty()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the process, so a poisoned lock is never seen in production.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_engine::Session;
    use dunlin_engine::session::Peer;

    fn client(clients: &Clients, room: usize) -> Arc<Client> {
        let client = Arc::new(Client::new(clients.next_id(), Peer::default(), 0, 7, 0));
        let buffered = Buffered {
            room,
            ..Buffered::default()
        };
        client.publish_session(&Session::new(client.id, true), None);
        client.set_buffered(buffered);
        client.weigh(100);
        clients.insert(Arc::clone(&client));
        client
    }

    #[test]
    fn the_greediest_are_evicted_until_it_is_enough() {
        let clients = Clients::new(1);
        let sizes = [10, 5_000, 300, 4_000, 9_000];
        let made: Vec<_> = sizes.iter().map(|&size| client(&clients, size)).collect();
        made[4].mark(Mark::NO_EVICT, true);
        let sum: u64 = made.iter().map(|c| c.memory()).sum();
        assert!(clients.evict(sum).is_empty());
        let evicted: Vec<u64> = clients.evict(sum - 5_101).iter().map(|c| c.id).collect();
        assert_eq!(evicted, [made[1].id, made[3].id]);
        assert_eq!(clients.len(), 3);
        assert_eq!(clients.take_mail(0).len(), 2);
        assert!(clients.evict(sum - 5_101).is_empty(), "they count no more");
    }

    #[test]
    fn a_client_is_killed_once() {
        let clients = Clients::new(1);
        let client = client(&clients, 0);
        assert!(clients.kill(&client));
        assert!(!clients.kill(&client));
        assert!(clients.find(client.id).is_none() && clients.is_empty());
        assert_eq!(clients.take_mail(0), [Order::Close(7)]);
    }
}
