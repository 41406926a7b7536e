//! `admin-port`: what the server tells about itself, over HTTP/1.1, on a thread and an event loop of its own.
//!
//! A page may take milliseconds to write (ten thousand clients are megabytes of JSON), and a worker that wrote it would let its
//! clients wait; so the port has its own thread, which sleeps unless it is asked. It reads what the workers publish anyway. Commands go
//! to a worker over a pair of sockets, as any client's do.
//!
//! Invariant: nothing here is on a worker's way, and no request that is refused reaches one. Every buffer, count and wait has a named
//! limit.

mod call;
mod calling;
mod connection;
mod console;
mod guard;
mod handler;
pub mod http;
mod json;
pub(crate) mod lane;
mod pages;
mod routes;

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use dunlin_reactor::{
    Adopter, Clock, EventLoop, EventLoopPool, ListenAddress, Listener, Socket, SystemBackend,
    SystemClock, TcpServer,
};

use self::guard::Keeper;
use self::handler::Admin;
use self::lane::Dialer;
use crate::config::Config;
use crate::listeners;
use crate::process;
use crate::shared::Shared;

/// Descriptors that the port takes at most: each connection may have a lane, which has two ends.
pub(crate) const DESCRIPTORS_MAX: u64 = 3 * handler::CONNECTIONS_MAX as u64;

/// How long clients of the port may take to take what they were sent, once the server has ended; ms.
const FAREWELL_MS: u64 = 200;

/// The admin port, if there is one.
pub(crate) struct AdminPort {
    pool: Option<EventLoopPool>,
}

/// Listens where the configuration says.
///
/// # Errors
/// When an address is in use or not ours, or others could reach the port without a token.
pub(crate) fn listen(config: &Config) -> anyhow::Result<Vec<Listener>> {
    let port = config.admin_port();
    let listeners = listeners::open_at(config, &config.admin_bind(), port).context("admin-port")?;
    if port > 0 && listeners.is_empty() {
        bail!("admin-port {port} needs an address to listen on: see admin-bind");
    }
    let is_local = |listener: &Listener| match listener.address() {
        ListenAddress::Tcp(address) => is_loopback(address.ip()),
        _ => true,
    };
    if let Some(listener) = listeners.iter().find(|listener| !is_local(listener))
        && config.admin_token().is_none()
    {
        bail!(
            "admin-port listens on {}, where others can reach it: set admin-token to a secret, or admin-bind to 127.0.0.1",
            listener.address()
        );
    }
    Ok(listeners)
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

impl AdminPort {
    /// Serves what these listeners accept, if there are any; `workers` are the loops that will run commands.
    ///
    /// # Errors
    /// When the system is out of descriptors or threads.
    pub(crate) fn start<B: SystemBackend>(
        listeners: Vec<Listener>,
        shared: &Arc<Shared>,
        workers: &[EventLoop<B>],
    ) -> anyhow::Result<AdminPort> {
        if listeners.is_empty() {
            return Ok(AdminPort { pool: None });
        }
        for listener in &listeners {
            tracing::info!(
                "Ready to tell about myself on http://{}",
                listener.address()
            );
        }
        let mut loops = TcpServer::new().into_loops::<B>(1, &handler::limits())?;
        for listener in listeners {
            loops[0].add_listener(listener)?;
        }
        let shared = Arc::clone(shared);
        let workers: Vec<Adopter<Socket>> = workers.iter().map(EventLoop::adopter).collect();
        let pool = EventLoopPool::start(loops, "admin", move |event_loop: &mut EventLoop<B>| {
            let config = shared.config();
            process::keep_to_background(&config);
            let token = config.admin_token().map(<[u8]>::to_vec);
            let hosts = config.admin_bind().into_iter().map(|bind| bind.host);
            let keeper = Keeper::new(token, hosts);
            drop(config);
            let dialer = Dialer::new(event_loop.adopter(), workers.clone());
            Admin::new(Arc::clone(&shared), keeper, dialer)
        })?;
        Ok(AdminPort { pool: Some(pool) })
    }

    /// The server has ended, and so does this.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        if let Some(pool) = self.pool {
            pool.stop(SystemClock.monotonic_us() / 1_000 + FAREWELL_MS);
            pool.join()?;
        }
        Ok(())
    }
}
