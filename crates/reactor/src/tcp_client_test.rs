//! The client on virtual time, without a loop: what it asks of its [`Io`], call by call.

use std::sync::Arc;

use dunlin_structures::Due;

use super::*;
use crate::clock::VirtualClock;
use crate::conn::ConnState;
use crate::limits::Limits;
use crate::state::State;
use crate::timers::Action;

const TOKEN: u64 = 77;

struct World {
    state: State,
    client: TcpClient,
}

impl World {
    fn new(limits: RetryLimits) -> World {
        let address = ConnectAddress::Tcp("10.0.0.1:7000".parse().unwrap());
        World {
            state: State::new(Arc::new(VirtualClock::default()), Limits::default()),
            client: TcpClient::with_limits(address, TOKEN, 5, limits),
        }
    }

    fn started() -> (World, ConnId) {
        let mut world = World::new(RetryLimits::default());
        world.client.start(&mut Io::new(&mut world.state));
        let conn = world.attempt();
        (world, conn)
    }

    /// The one connection that was asked for since the last call.
    fn attempt(&mut self) -> ConnId {
        let asked = std::mem::take(&mut self.state.connects);
        assert_eq!(asked.len(), 1, "one attempt at a time");
        asked[0]
    }

    fn connected(&mut self, conn: ConnId) -> bool {
        self.client.connected(&mut Io::new(&mut self.state), conn)
    }

    fn closed(&mut self, conn: ConnId) -> bool {
        self.client.closed(&mut Io::new(&mut self.state), conn)
    }

    fn stop(&mut self) {
        self.client.stop(&mut Io::new(&mut self.state));
    }

    /// Lets time pass up to the next timer, and passes it on. How long that was; `None` if there was none.
    fn wait(&mut self) -> Option<u64> {
        let before_ms = self.state.now_ms();
        let at_ms = self.state.timers.next_ms()?;
        let mut work = 1_000;
        // The wheel may name a time at which nothing is due yet.
        for now_ms in at_ms.. {
            self.state.now_us = now_ms * 1_000;
            if let Due::Fired(Action::User(token)) = self.state.timers.pop(now_ms, &mut work) {
                assert!(self.client.timer(&mut Io::new(&mut self.state), token));
                break;
            }
        }
        Some(self.state.now_ms() - before_ms)
    }

    fn pass_ms(&mut self, ms: u64) {
        self.state.now_us += ms * 1_000;
    }
}

#[test]
fn it_connects_at_once_and_says_when_it_stands() {
    let (mut world, conn) = World::started();
    assert!(world.client.is_started() && world.client.connection().is_none());
    // A second start changes nothing.
    world.client.start(&mut Io::new(&mut world.state));
    assert!(world.state.connects.is_empty());
    assert!(world.connected(conn));
    assert!(!world.connected(conn), "told twice");
    assert_eq!(world.client.connection(), Some(conn));
    assert_eq!(
        world.state.timers.next_ms(),
        None,
        "no timer while it stands"
    );
}

#[test]
fn other_connections_and_timers_are_not_its_own() {
    let (mut world, conn) = World::started();
    let other = world.state.conns.insert();
    assert!(!world.connected(other) && !world.closed(other));
    assert!(
        !world
            .client
            .timer(&mut Io::new(&mut world.state), TOKEN + 1)
    );
    assert!(world.connected(conn));
    assert!(!world.closed(other));
    assert_eq!(world.client.connection(), Some(conn));
}

#[test]
fn failures_are_followed_by_growing_waits() {
    let (mut world, mut conn) = World::started();
    let limits = RetryLimits::default();
    for n in 0..20 {
        assert!(world.closed(conn));
        assert!(!world.closed(conn), "told twice");
        assert!(world.state.connects.is_empty(), "a hot retry");
        assert_eq!(world.client.failures(), n + 1);
        let until_ms = world.client.retry_at_ms().unwrap();
        let waited_ms = world.wait().unwrap();
        assert_eq!(until_ms, world.state.now_ms());
        let bound_ms = match n {
            0..3 => limits.quick_wait_ms,
            n => (limits.wait_ms << (n - 3)).min(limits.wait_max_ms),
        };
        assert!(
            (bound_ms / 2..=bound_ms).contains(&waited_ms),
            "{waited_ms}"
        );
        let next = world.attempt();
        assert_ne!(next, conn);
        conn = next;
    }
    assert!(world.connected(conn));
}

#[test]
fn only_a_steady_connection_clears_the_count() {
    let (mut world, mut conn) = World::started();
    let steady_ms = RetryLimits::default().steady_ms;
    for n in 1..=6 {
        // It stands, but not for long.
        assert!(world.connected(conn));
        world.pass_ms(steady_ms - 1);
        assert!(world.closed(conn));
        assert_eq!(world.client.failures(), n);
        world.wait().unwrap();
        conn = world.attempt();
    }
    assert!(world.connected(conn));
    world.pass_ms(steady_ms);
    assert!(world.closed(conn));
    assert_eq!(world.client.failures(), 1);
    assert!(world.wait().unwrap() <= RetryLimits::default().quick_wait_ms);
}

#[test]
fn a_stop_ends_whatever_it_is_doing() {
    // An attempt.
    let (mut world, conn) = World::started();
    world.stop();
    assert_eq!(
        Io::new(&mut world.state).state(conn),
        ConnState::Disconnected
    );
    assert!(!world.connected(conn), "it came too late");
    assert!(world.closed(conn), "it is still this client's");
    assert_eq!(world.state.timers.next_ms(), None);
    assert!(!world.client.is_started());
    // A wait.
    let (mut world, conn) = World::started();
    world.closed(conn);
    world.stop();
    assert_eq!(world.wait(), None, "the timer was cancelled");
    assert_eq!(world.client.retry_at_ms(), None);
    // A connection: its output goes out.
    let (mut world, conn) = World::started();
    world.connected(conn);
    world.stop();
    assert!(world.state.conns.at(conn.index() as u32).closing);
    assert!(world.closed(conn));
    assert_eq!(world.wait(), None);
    // Twice is as good as once.
    world.stop();
}

#[test]
fn a_stopped_client_can_be_started_again_before_its_old_connection_is_gone() {
    let (mut world, old) = World::started();
    world.connected(old);
    world.stop();
    world.client.start(&mut Io::new(&mut world.state));
    let new = world.attempt();
    assert!(world.closed(old), "its own, but not the one that matters");
    assert_eq!(world.client.retry_at_ms(), None);
    assert!(world.connected(new));
    assert_eq!(world.client.connection(), Some(new));
}

#[test]
fn a_loop_that_stops_gets_no_new_attempt() {
    let (mut world, conn) = World::started();
    world.state.stopping = Some(crate::state::Stopping {
        deadline_ms: u64::MAX,
        turns: 0,
        stalled_since_ms: None,
        bytes_out: 0,
    });
    assert!(world.closed(conn));
    assert_eq!(world.wait(), None);
    assert!(!world.client.is_started());
}
