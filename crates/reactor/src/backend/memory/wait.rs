//! What happened on the in-memory network since a loop last asked.
//!
//! Invariant: it returns at once, whatever the timeout: virtual time is moved by the test alone. Bytes move only here, so each
//! turn of a loop sees a little more of what was sent to it.

use super::network::Inner;
use crate::backend::{Event, Token};

pub(super) fn wait(inner: &mut Inner, backend: usize, out: &mut Vec<Event>) {
    let first = out.len();
    let Inner {
        rng,
        links,
        ports,
        woken,
        splitting,
        ..
    } = inner;
    for link in links.iter_mut().flatten() {
        if link.dialer.is_of(backend) {
            out.extend(link.dialer.take_event());
        }
        let Some(owner) = link.owner.filter(|o| o.backend == backend) else {
            continue;
        };
        link.deliver(rng, *splitting);
        out.extend(link.take_event(owner.token));
    }
    for port in ports.iter() {
        if let Some((_, token)) = port.acceptor.filter(|(b, _)| *b == backend)
            && !port.backlog.is_empty()
        {
            out.push(readable(token));
        }
    }
    if std::mem::take(&mut woken[backend]) {
        out.push(readable(Token::WAKER));
    }
    if *splitting {
        rng.shuffle(&mut out[first..]);
    }
}

/// True when [`wait`] would report something, now or after some more calls.
pub(super) fn has_news(inner: &Inner, backend: usize) -> bool {
    let mut links = inner.links.iter().flatten();
    inner.woken[backend]
        || links.any(|l| {
            l.owner.is_some_and(|o| o.backend == backend) && l.has_news()
                || l.dialer.is_of(backend) && l.dialer.has_news()
        })
        || inner
            .ports
            .iter()
            .any(|p| p.acceptor.is_some_and(|(b, _)| b == backend) && !p.backlog.is_empty())
}

pub(super) fn readable(token: Token) -> Event {
    Event {
        token,
        readable: true,
        writable: false,
        peer_closed: false,
        failed: false,
    }
}
