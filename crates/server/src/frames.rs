//! `frame-port`: the gateway of devices inside the server.
//!
//! It is the gateway of `dunlin gateway` on a thread of its own; its lane is a pair of sockets whose other end a worker adopts as a
//! connection like any other, which needs no password. So its messages go through ordinary dispatch, and are acknowledged when
//! replies are.
//!
//! Invariant: the workers are told to stop only when the gateway has answered what devices submitted, or its time is over.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, bail};
use dunlin_gateway::{Service, Settings, Stopper, Store};
use dunlin_reactor::{
    AdoptError, Adopter, Clock, EventLoop, Listener, Remote, Socket, SystemBackend, SystemClock,
};

use crate::config::Config;
use crate::listeners;

/// What the workers have of the time that a stop may take, beside the gateway.
const WORKERS_PART: u64 = 4;

/// The gateway, if there is one.
pub(crate) struct Frames {
    running: Option<Running>,
    /// Until when the workers are to stop, once somebody asked; ms of the monotonic clock.
    deadline_ms: Arc<Mutex<Option<u64>>>,
}

struct Running {
    stopper: Stopper,
    thread: JoinHandle<()>,
    /// Who stops when the gateway has ended.
    workers: Arc<Mutex<Vec<Remote>>>,
}

/// Stops the workers, behind the gateway.
pub(crate) struct Stopping {
    gateway: Option<Stopper>,
    workers: Vec<Remote>,
    deadline_ms: Arc<Mutex<Option<u64>>>,
}

/// Listens where the configuration says.
///
/// # Errors
/// When an address is in use or not ours.
pub(crate) fn listen(config: &Config) -> anyhow::Result<Vec<Listener>> {
    let port = config.frame_port();
    let listeners = listeners::open_port(config, port).context("frame-port")?;
    if port > 0 && listeners.is_empty() {
        bail!("frame-port {port} needs an address to listen on: see bind");
    }
    Ok(listeners)
}

impl Frames {
    /// Starts the gateway on these listeners, if there are any. `workers` are the loops that will serve it.
    ///
    /// # Errors
    /// When the system is out of descriptors or threads.
    pub(crate) fn start<B: SystemBackend>(
        listeners: Vec<Listener>,
        config: &Config,
        workers: &[EventLoop<B>],
        seed: u64,
    ) -> anyhow::Result<Frames> {
        let deadline_ms = Arc::default();
        if listeners.is_empty() {
            return Ok(Frames {
                running: None,
                deadline_ms,
            });
        }
        let adopters: Vec<Adopter<Socket>> = workers.iter().map(EventLoop::adopter).collect();
        let dial = move || {
            let (ours, theirs) = Socket::pair()?;
            let idlest = adopters.iter().min_by_key(|adopter| adopter.load());
            let adopter = idlest.ok_or(std::io::ErrorKind::NotConnected)?;
            let refused =
                |_: AdoptError<Socket>| std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            adopter.adopt(theirs).map_err(refused)?;
            Ok(ours)
        };
        // Its name was checked with the configuration.
        let stream = config.text("frame-stream");
        let mut settings = Settings::new(Store::Within(Arc::new(dial)), stream)?;
        settings.limits.connections_max = config.maxclients() as usize;
        let service = Service::start::<B>(listeners, 1, "frames", settings, seed)?;
        for address in service.addresses() {
            tracing::info!("Ready to take frames of devices on {address}");
        }
        let stopper = service.stopper();
        let remotes = Arc::new(Mutex::new(Vec::new()));
        let (told, until) = (Arc::clone(&remotes), Arc::clone(&deadline_ms));
        let thread = thread::Builder::new()
            .name("frames-end".into())
            .spawn(move || when_ended(service, &told, &until))?;
        Ok(Frames {
            running: Some(Running {
                stopper,
                thread,
                workers: remotes,
            }),
            deadline_ms,
        })
    }

    /// How these workers are stopped: behind the gateway.
    pub(crate) fn workers_after(&self, workers: Vec<Remote>) -> Stopping {
        if let Some(running) = &self.running {
            lock(&running.workers).clone_from(&workers);
        }
        Stopping {
            gateway: self.running.as_ref().map(|running| running.stopper.clone()),
            workers,
            deadline_ms: Arc::clone(&self.deadline_ms),
        }
    }

    /// The workers have ended, and so does the gateway.
    pub(crate) fn end(self) {
        if let Some(running) = self.running {
            running.stopper.cut();
            // It does nothing that panics.
            let _ = running.thread.join();
        }
    }
}

impl Stopping {
    /// Stops all by this time of the monotonic clock, ms.
    pub(crate) fn stop(&self, deadline_ms: u64) {
        let Some(gateway) = &self.gateway else {
            return self.workers.iter().for_each(|r| r.stop(deadline_ms));
        };
        let is_first = {
            let mut until = lock(&self.deadline_ms);
            let is_first = until.is_none();
            *until = Some(until.map_or(deadline_ms, |at| at.min(deadline_ms)));
            is_first
        };
        let now_ms = SystemClock.monotonic_us() / 1_000;
        let left_ms = deadline_ms.saturating_sub(now_ms);
        if is_first {
            gateway.drain(now_ms + left_ms - left_ms / WORKERS_PART);
        } else {
            gateway.cut();
        }
    }
}

/// Waits for the gateway's end, which stops the workers if that was asked for.
fn when_ended(service: Service, workers: &Mutex<Vec<Remote>>, deadline_ms: &Mutex<Option<u64>>) {
    if let Err(error) = service.join() {
        tracing::error!("The gateway of frame-port has failed: {error}");
    }
    let deadline_ms = *lock(deadline_ms);
    // Failed or not: without a gateway the server is not what it was started as.
    let deadline_ms = deadline_ms.unwrap_or(SystemClock.monotonic_us() / 1_000 + 1);
    lock(workers).iter().for_each(|r| r.stop(deadline_ms));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic aborts, so a poisoned lock is never seen.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
