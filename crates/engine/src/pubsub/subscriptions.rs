//! What one client has subscribed to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Kind;

/// What a subscription costs beside its name: its node here, and its place in its worker's list.
const SUBSCRIPTION_BYTES: usize = 64;

/// Names by kind; never without any.
#[derive(Debug, Default)]
pub struct Subscriptions {
    names: [BTreeSet<Arc<[u8]>>; 3],
    /// Memory that they take.
    pub bytes: usize,
}

impl Subscriptions {
    /// Number of subscriptions of this kind.
    pub fn len(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }

    /// Names of this kind, in their order.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &Arc<[u8]>> {
        self.names[kind as usize].iter()
    }

    pub(super) fn has(&self, kind: Kind, name: &[u8]) -> bool {
        self.names[kind as usize].contains(name)
    }

    pub(super) fn insert(&mut self, kind: Kind, name: Arc<[u8]>) {
        let bytes = SUBSCRIPTION_BYTES + name.len();
        if self.names[kind as usize].insert(name) {
            self.bytes += bytes;
        }
    }

    pub(super) fn remove(&mut self, kind: Kind, name: &[u8]) -> bool {
        let had = self.names[kind as usize].remove(name);
        if had {
            self.bytes -= SUBSCRIPTION_BYTES + name.len();
        }
        had
    }
}
