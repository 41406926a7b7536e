//! Several connections to one server, each shared: what one connection cannot carry, another one takes.
//!
//! Invariant: the first connection that has fewer than [`SPILL`] requests under way takes the next, since requests that share a connection
//! share its writes and reads; a further one is made only when all others are that busy. None is ever taken away from anybody.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::options::Options;

/// Requests under way on a connection above which others are preferred.
pub const SPILL: usize = 64;

struct Inner {
    options: Options,
    /// From the front on; those that are not made yet stand behind.
    places: Box<[OnceLock<Client>]>,
}

/// Up to so many shared connections. Clones share them.
///
/// One [`Client`] is enough for most; this is for those whose threads together want more of the server than it gives one connection, as a server
/// with several workers does. Connections of one's own come from a [`crate::Pool`].
///
/// ```no_run
/// use dunlin_client::Clients;
/// use dunlin_client::commands::*;
///
/// let clients = Clients::connect("redis://127.0.0.1", 4)?;
/// let hits: i64 = clients.pick().incr("hits").call()?;
/// # let _ = hits; Ok::<(), dunlin_client::Error>(())
/// ```
#[derive(Clone)]
pub struct Clients {
    inner: Arc<Inner>,
}

impl Clients {
    /// Makes the first connection, and waits for it as [`Client::connect`] does; the others, up to `max` in all, when they are needed.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect<O>(options: O, max: usize) -> Result<Clients>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        let options = options.try_into()?;
        let first = Client::connect::<Options>(options.clone())?;
        let places: Box<[_]> = (0..max.max(1)).map(|_| OnceLock::new()).collect();
        let _ = places[0].set(first);
        let inner = Arc::new(Inner { options, places });
        Ok(Clients { inner })
    }

    /// Of clients that are there: one at least, the one that is preferred first. [`Client::driven`] makes such.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn of(clients: Vec<Client>) -> Clients {
        assert!(!clients.is_empty(), "no client to share");
        let options = clients[0].options().clone();
        let places = clients.into_iter().map(OnceLock::from).collect();
        let inner = Arc::new(Inner { options, places });
        Clients { inner }
    }

    /// The connection for the next request.
    #[must_use]
    pub fn pick(&self) -> &Client {
        let (first, others) = self.made_first();
        let mut least = (first.load(), first);
        if least.0 < SPILL {
            return first;
        }
        for place in others {
            let Some(client) = self.made(place) else {
                break;
            };
            let load = client.load();
            if load < SPILL {
                return client;
            }
            if load < least.0 {
                least = (load, client);
            }
        }
        least.1
    }

    fn made_first(&self) -> (&Client, &[OnceLock<Client>]) {
        match &*self.inner.places {
            [first, others @ ..] => (first.get().expect("made by connect"), others),
            [] => unreachable!("there is one place at least"),
        }
    }

    /// The connection of a place, which is made if need be; none if the server's name cannot be resolved any more.
    fn made<'a>(&self, place: &'a OnceLock<Client>) -> Option<&'a Client> {
        if place.get().is_none() {
            let made = Client::start(self.inner.options.clone()).ok()?;
            // Where two make one at once, the second is dropped, unused.
            let _ = place.set(made);
        }
        place.get()
    }

    /// Connections that were made.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.inner.places.iter().filter_map(OnceLock::get)
    }

    /// Closes all of them, see [`Client::close`].
    pub fn close(&self) {
        self.iter().for_each(Client::close);
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("made", &self.iter().count())
            .field("max", &self.inner.places.len())
            .finish_non_exhaustive()
    }
}
