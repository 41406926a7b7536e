//! Where the server listens: opened at the start, moved by CONFIG SET `bind`, `port` and `tls-port`.
//!
//! Invariant: after a failed move the server listens where it did. What stays is not touched; new sockets listen before
//! old ones are closed, except where the kernel allows only one of the two (`127.0.0.1` and `*` on one port): there the old
//! one is turned off first, and on again if the new one fails. Connections outlive their listener.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use dunlin_reactor::{
    EventLoop, ListenAddress, ListenOptions, Listener, ListenerSwitch, Listeners, SystemBackend,
};
use rustix::io::Errno;

use crate::config::{BindAddress, BindHost, Config, errno_text};
use crate::tls;

/// The tag of listeners whose clients speak RESP at once.
pub(crate) const PLAIN: u32 = 0;

/// A TCP listener of the running server.
struct Open {
    address: SocketAddr,
    /// See [`ListenOptions::tag`].
    tag: u32,
    /// As the event loop knows it.
    number: usize,
    switch: ListenerSwitch,
}

/// See the module's text.
pub(crate) struct Listening {
    queue: Listeners<Listener>,
    options: ListenOptions,
    open: Vec<Open>,
}

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "Could not create server TCP listening socket {address}: {}",
    errno_text(cause)
)]
pub(crate) struct ListenError {
    address: String,
    /// `tcp` or `tls`.
    pub(crate) kind: &'static str,
    pub(crate) port: u16,
    cause: io::Error,
}

/// The options of every listener.
pub(crate) fn options(config: &Config) -> ListenOptions {
    ListenOptions {
        backlog: i32::try_from(config.tcp_backlog()).unwrap_or(i32::MAX),
        keepalive: None,
        ..ListenOptions::default()
    }
}

/// Listens on every address of `bind`; the caller adds the listeners to a loop, in this order.
pub(crate) fn open_tcp(config: &Config) -> Result<Vec<Listener>, ListenError> {
    open_all(config, &addresses(config)?)
}

/// Listens on a port of every address of `bind`; port 0 is none.
pub(crate) fn open_port(config: &Config, port: u16) -> Result<Vec<Listener>, ListenError> {
    open_at(config, &config.bind(), port)
}

/// Listens on a port of these addresses; port 0 is none.
pub(crate) fn open_at(
    config: &Config,
    binds: &[BindAddress],
    port: u16,
) -> Result<Vec<Listener>, ListenError> {
    open_all(config, &addresses_at(binds, port, PLAIN)?)
}

fn open_all(config: &Config, all: &[Wanted]) -> Result<Vec<Listener>, ListenError> {
    let options = options(config);
    let mut listeners = Vec::new();
    for wanted in all {
        if let Some(listener) = wanted.listen(&options)? {
            listeners.push(listener);
        }
    }
    mark(config, &listeners);
    Ok(listeners)
}

/// `socket-mark-id`. As in Redis, a mark that the system refuses keeps nobody from serving; here it is said.
fn mark(config: &Config, listeners: &[Listener]) {
    let Some(mark) = u32::try_from(config.integer("socket-mark-id"))
        .ok()
        .filter(|mark| *mark != 0)
    else {
        return;
    };
    for listener in listeners {
        if let Err(error) = listener.set_mark(mark) {
            tracing::warn!(
                "socket-mark-id: the socket on {} goes without its mark: {}",
                listener.address(),
                errno_text(&error)
            );
        }
    }
}

/// One address of `bind` with the port.
struct Wanted {
    address: SocketAddr,
    /// [`tls::TAG`] or [`PLAIN`].
    tag: u32,
    /// As it was written.
    name: String,
    optional: bool,
}

impl Wanted {
    /// Whether this listener is what is wanted.
    fn is(&self, open: &Open) -> bool {
        (self.address, self.tag) == (open.address, open.tag)
    }

    /// `None` where the machine lacks the address or its family, and that is allowed.
    fn listen(&self, options: &ListenOptions) -> Result<Option<Listener>, ListenError> {
        let options = ListenOptions {
            tag: self.tag,
            ..options.clone()
        };
        match Listener::bind(&ListenAddress::Tcp(self.address), &options) {
            Ok(listener) => Ok(Some(listener)),
            Err(error) if may_lack(&error, self.optional) => {
                tracing::debug!("Skipping {}: {}", self.name, errno_text(&error));
                Ok(None)
            }
            Err(cause) => Err(ListenError {
                address: format!("{}:{}", self.name, self.address.port()),
                kind: kind(self.tag),
                port: self.address.port(),
                cause,
            }),
        }
    }
}

/// As the log has it.
fn kind(tag: u32) -> &'static str {
    if tag == PLAIN { "tcp" } else { "tls" }
}

/// As redis-server: a missing address only if it was marked, a missing protocol family always.
fn may_lack(error: &io::Error, optional: bool) -> bool {
    match Errno::from_io_error(error) {
        Some(Errno::ADDRNOTAVAIL) => optional,
        Some(
            Errno::NOPROTOOPT
            | Errno::PROTONOSUPPORT
            | Errno::SOCKTNOSUPPORT
            | Errno::PFNOSUPPORT
            | Errno::AFNOSUPPORT,
        ) => true,
        _ => false,
    }
}

/// What `bind` names with `port` and `tls-port`; an address named twice stands once.
fn addresses(config: &Config) -> Result<Vec<Wanted>, ListenError> {
    let binds = config.bind();
    let mut all = addresses_at(&binds, config.port(), PLAIN)?;
    all.extend(addresses_at(&binds, config.tls_port(), tls::TAG)?);
    Ok(all)
}

fn addresses_at(binds: &[BindAddress], port: u16, tag: u32) -> Result<Vec<Wanted>, ListenError> {
    let mut all: Vec<Wanted> = Vec::new();
    if port == 0 {
        return Ok(all);
    }
    for bind in binds {
        let Some(wanted) = resolve(bind, port, tag)? else {
            continue;
        };
        if !all.iter().any(|known| known.address == wanted.address) {
            all.push(wanted);
        }
    }
    Ok(all)
}

fn resolve(bind: &BindAddress, port: u16, tag: u32) -> Result<Option<Wanted>, ListenError> {
    let name = bind.host.to_string();
    let found = match &bind.host {
        BindHost::AnyV4 => Ok(Some(SocketAddr::from(([0, 0, 0, 0], port)))),
        BindHost::AnyV6 => Ok(Some(SocketAddr::from(([0u16; 8], port)))),
        BindHost::Name(host) => (host.as_str(), port)
            .to_socket_addrs()
            .map(|mut found| found.next()),
    };
    match found {
        Ok(Some(address)) => Ok(Some(Wanted {
            address,
            tag,
            name,
            optional: bind.optional,
        })),
        Ok(None) => Ok(None),
        Err(cause) => Err(ListenError {
            address: format!("{name}:{port}"),
            kind: kind(tag),
            port,
            cause,
        }),
    }
}

impl Listening {
    /// Listens nowhere yet; `queue` leads to the loop that accepts.
    pub(crate) fn new(queue: Listeners<Listener>, options: ListenOptions) -> Self {
        Listening {
            queue,
            options,
            open: Vec::new(),
        }
    }

    /// Adds what was opened at the start to its loop.
    pub(crate) fn add<B: SystemBackend>(
        &mut self,
        accepting: &mut EventLoop<B>,
        listener: Listener,
    ) -> io::Result<()> {
        let ListenAddress::Tcp(address) = *listener.address() else {
            unreachable!("only TCP listeners are moved")
        };
        let switch = listener.switch();
        let tag = listener.tag();
        let number = accepting.add_listener(listener)?;
        self.open.push(Open {
            address,
            tag,
            number,
            switch,
        });
        Ok(())
    }

    /// Listens where this configuration says, and nowhere else.
    pub(crate) fn follow(&mut self, config: &Config) -> Result<(), String> {
        let wanted = addresses(config).map_err(|error| error.to_string())?;
        let stays = |open: &Open| wanted.iter().any(|wanted| wanted.is(open));
        let (kept, gone): (Vec<Open>, Vec<Open>) =
            std::mem::take(&mut self.open).into_iter().partition(stays);
        let fresh = wanted
            .iter()
            .filter(|wanted| !kept.iter().any(|open| wanted.is(open)));
        let mut off = Vec::new();
        let opened = fresh
            .map(|wanted| listen_beside(wanted, &self.options, &gone, &mut off))
            .filter_map(Result::transpose)
            .collect::<Result<Vec<Listener>, ListenError>>()
            .map_err(|error| error.to_string());
        let moved = opened.and_then(|listeners| {
            mark(config, &listeners);
            self.hand_over(listeners, &gone)
        });
        self.open.extend(kept);
        if let Err(error) = moved {
            for open in off {
                if let Err(error) = gone[open].switch.on() {
                    tracing::warn!("Could not listen on {} again: {error}", gone[open].address);
                }
            }
            self.open.extend(gone);
            return Err(error);
        }
        Ok(())
    }

    /// Gives new listeners to the event loop and takes the old ones away from it.
    fn hand_over(&mut self, listeners: Vec<Listener>, gone: &[Open]) -> Result<(), String> {
        let notes: Vec<(ListenAddress, u32, ListenerSwitch)> = listeners
            .iter()
            .map(|listener| {
                (
                    listener.address().clone(),
                    listener.tag(),
                    listener.switch(),
                )
            })
            .collect();
        let removed: Vec<usize> = gone.iter().map(|open| open.number).collect();
        let numbers = self
            .queue
            .change(listeners, &removed)
            .map_err(|error| error.to_string())?;
        for ((address, tag, switch), number) in notes.into_iter().zip(numbers) {
            if let ListenAddress::Tcp(address) = address {
                self.open.push(Open {
                    address,
                    tag,
                    number,
                    switch,
                });
            }
        }
        for open in gone {
            // The loop closes it in its next turn; whoever is told OK must not be able to connect there any more.
            if let Err(error) = open.switch.off() {
                tracing::debug!(
                    "The listener on {} stays for a moment: {error}",
                    open.address
                );
            }
        }
        Ok(())
    }
}

/// Listens on an address, turning listeners that are about to go off where they are in the way.
fn listen_beside(
    wanted: &Wanted,
    options: &ListenOptions,
    gone: &[Open],
    off: &mut Vec<usize>,
) -> Result<Option<Listener>, ListenError> {
    let outcome = wanted.listen(options);
    let in_use = |error: &ListenError| Errno::from_io_error(&error.cause) == Some(Errno::ADDRINUSE);
    if !outcome.as_ref().is_err_and(in_use) {
        return outcome;
    }
    let before = off.len();
    for (index, open) in gone.iter().enumerate() {
        if excludes(open.address, wanted.address)
            && !off.contains(&index)
            && open.switch.off().is_ok()
        {
            off.push(index);
        }
    }
    if off.len() == before {
        return outcome;
    }
    wanted.listen(options)
}

/// Whether the kernel lets only one of two addresses listen.
fn excludes(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one == other || one.ip().is_unspecified() || other.ip().is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_exclude_their_family() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(excludes(address("127.0.0.1:7"), address("0.0.0.0:7")));
        assert!(excludes(address("[::]:7"), address("[::1]:7")));
        assert!(excludes(address("127.0.0.1:7"), address("127.0.0.1:7")));
        assert!(!excludes(address("127.0.0.1:7"), address("0.0.0.0:8")));
        assert!(!excludes(address("127.0.0.1:7"), address("[::]:7")));
        assert!(!excludes(address("127.0.0.1:7"), address("127.0.0.2:7")));
    }
}
