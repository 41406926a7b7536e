//! Which clients CLIENT LIST shows and CLIENT KILL closes.

use super::line::address;
use super::{Client, Context, Mark};

/// What kind of client one is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Class {
    /// An ordinary client, or one that monitors.
    Normal,
    /// The server that this one replicates.
    Master,
    /// A server that replicates this one.
    Replica,
    /// A subscriber.
    Pubsub,
}

impl Class {
    /// By its name, letter case aside.
    pub fn named(name: &[u8]) -> Option<Class> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"normal" => Class::Normal,
            b"master" => Class::Master,
            b"slave" | b"replica" => Class::Replica,
            b"pubsub" => Class::Pubsub,
            _ => return None,
        })
    }

    /// That of a client.
    pub fn of(client: &Client) -> Class {
        // There are no others before replication.
        if client.is(Mark::SUBSCRIBER) {
            Class::Pubsub
        } else {
            Class::Normal
        }
    }
}

/// All that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Its number.
    pub id: Option<u64>,
    /// Its class.
    pub class: Option<Class>,
    /// Its user.
    pub user: Option<Vec<u8>>,
    /// Its own address, as CLIENT LIST shows it.
    pub addr: Option<Vec<u8>>,
    /// The address that it connected to.
    pub laddr: Option<Vec<u8>>,
    /// It is connected for at least so many seconds.
    pub age_s_min: Option<u64>,
}

impl Filter {
    /// Whether this client is meant.
    pub fn matches(&self, client: &Client, context: &Context<'_>) -> bool {
        let is = |wanted: &Option<Vec<u8>>, end| {
            wanted
                .as_ref()
                .is_none_or(|wanted| *wanted == address(client, end, context).as_bytes())
        };
        self.id.is_none_or(|id| id == client.id)
            && self.class.is_none_or(|class| class == Class::of(client))
            && self
                .user
                .as_ref()
                .is_none_or(|user| *client.user() == **user)
            && is(&self.addr, client.peer.remote)
            && is(&self.laddr, client.peer.local)
            && self
                .age_s_min
                .is_none_or(|seconds| context.age_s(client) >= seconds)
    }
}
