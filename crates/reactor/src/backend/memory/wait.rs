//! What happened on the in-memory network since a loop last asked.
//!
//! Invariant: it returns at once, whatever the timeout: virtual time is moved by the test alone. Bytes move on towards loops only here, so
//! each turn of a loop sees a little more of what was sent to it.

use super::link::{ACCEPTED, OPENER};
use super::network::Inner;
use super::pipe::Moment;
use crate::backend::{Event, Token};
use crate::clock::Clock;

pub(super) fn wait(inner: &mut Inner, backend: usize, out: &mut Vec<Event>) {
    let first = out.len();
    let now_us = inner.clock.monotonic_us();
    let Inner {
        rng,
        links,
        woken,
        faults,
        ..
    } = inner;
    let mut moment = Moment {
        now_us,
        rng,
        splitting: faults.splitting,
    };
    for link in links.iter_mut().flatten() {
        for end in [OPENER, ACCEPTED] {
            let Some(owner) = link.owner(end).filter(|o| o.backend == backend) else {
                continue;
            };
            link.deliver(end, &mut moment);
            out.extend(link.take_event(end, owner.token));
        }
    }
    if std::mem::take(&mut woken[backend]) {
        out.push(Event::readable(Token::WAKER));
    }
    out.extend(ready_ports(inner, backend, now_us).map(Event::readable));
    if inner.faults.splitting {
        inner.rng.shuffle(&mut out[first..]);
    }
}

/// Listeners of this loop with something to accept.
fn ready_ports(inner: &Inner, backend: usize, now_us: u64) -> impl Iterator<Item = Token> {
    inner.ports.iter().filter_map(move |port| {
        let (_, token) = port.acceptor.filter(|(b, _)| *b == backend)?;
        inner.first_arrived(port, now_us).map(|_| token)
    })
}

/// True when [`wait`] would report something, now or after some more calls.
pub(super) fn has_news(inner: &Inner, backend: usize) -> bool {
    let now_us = inner.clock.monotonic_us();
    let mut links = inner.links.iter().flatten();
    inner.woken[backend]
        || links.any(|link| {
            [OPENER, ACCEPTED].into_iter().any(|end| {
                let owned = link.owner(end).is_some_and(|o| o.backend == backend);
                owned && link.has_news(end, now_us)
            })
        })
        || ready_ports(inner, backend, now_us).next().is_some()
}
