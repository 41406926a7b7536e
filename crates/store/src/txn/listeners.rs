//! Telling: who watches a key or waits for it, and who subscribed to its events.
//!
//! Invariant: called only while somebody listens; see [`crate::Store::has_listeners`].

use super::Txn;
use crate::event::{Event, EventClass};
use crate::outbox::{Mark, Telling};

impl Txn<'_> {
    /// Trips WATCH, offers the key to who waits for it, and puts the event down for subscribers.
    #[cold]
    pub(super) fn tell_listeners(&mut self, db: u32, key: &[u8], event: Event) {
        if self.store.any_observed() {
            let by_client = !matches!(event.class, EventClass::Expired | EventClass::Evicted);
            self.tell_observers(db, key, by_client);
        }
        self.put_down(db, key, event);
    }

    /// Puts an event down for subscribers, if they want its class.
    #[cold]
    pub(super) fn put_down(&mut self, db: u32, key: &[u8], event: Event) {
        if self.store.notify.has(event.class) {
            self.local.outbox.event(db, key, event);
        }
    }

    /// Tells that a key was looked for which does not exist: commands that look up by [`Txn::peek`].
    #[inline]
    pub fn missed(&mut self, db: u32, key: &[u8]) {
        if self.store.has_listeners() {
            self.put_down(db, key, Event::MISS);
        }
    }

    /// Tells everything that was put down.
    #[cold]
    pub(super) fn tell_all(&mut self) {
        let local = &mut *self.local;
        if let Some(listener) = self.store.listener() {
            let mut telling = Telling {
                store: self.store,
                wakes: &mut local.wakes,
                client: local.client,
                client_bytes: 0,
            };
            for told in local.outbox.iter() {
                listener.told(told, &mut telling);
            }
            let client_bytes = telling.client_bytes;
            local.batch_bytes -= client_bytes;
        }
        local.outbox.discard(Mark::default());
    }
}
