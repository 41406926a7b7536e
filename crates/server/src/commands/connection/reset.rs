//! RESET: makes the connection as good as new. <https://redis.io/commands/reset>
//!
//! What CLIENT SETINFO told stays, as in Redis: it is the library's, not the application's.

use std::sync::Arc;

use dunlin_engine::command::{Categories, Scope};
use dunlin_engine::{Command, Ctx, Flow, Outcome, Replies};
use dunlin_resp::Version;
use dunlin_store::Key;

use super::DOOR;
use super::auth::be;
use super::client::publish_name;
use crate::clients::Mark;
use crate::host::host;

/// RESET.
pub(super) const RESET: Command = Command {
    name: "reset",
    full_name: "reset",
    arity: 1,
    flags: DOOR,
    categories: Categories::FAST.and(Categories::CONNECTION),
    scope: Scope::Watched,
    group: "connection",
    since: "6.2.0",
    summary: "Resets the connection: database, protocol, transaction, watched keys, subscriptions, name, authentication.",
    handler: reset,
    ..Command::BASE
};

fn reset(cx: &mut Ctx<'_>) -> Outcome {
    cx.session.transaction = None;
    if let Some(watches) = cx.session.watches.take() {
        for (db, key, hash) in &watches.keys {
            cx.keys.unwatch(
                *db,
                &Key {
                    bytes: key,
                    hash: *hash,
                },
                &watches.flag,
            );
        }
    }
    cx.engine.pubsub.unsubscribe_all(cx.session);
    cx.host.subscribed(cx.session);
    let engine = cx.engine;
    engine.tracking.stop(&engine.store, cx.session);
    cx.session.db = 0;
    cx.session.version = Version::Resp2;
    cx.reply.set_version(Version::Resp2);
    cx.session.name = Box::default();
    cx.session.replies = Replies::On;
    cx.session.no_touch = false;
    publish_name(cx);
    let id = cx.session.id;
    let clients = &host(cx).shared.clients;
    if let Some(client) = clients.find(id) {
        client.mark(Mark::NO_EVICT, false);
        client.mark(Mark::NO_TOUCH, false);
        clients.monitors.remove(&client);
    }
    let users = &cx.engine.users;
    let (user, open) = (Arc::clone(users.default_user()), !users.password_required());
    be(cx, user, open);
    cx.reply.simple("RESET");
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn everything_is_as_at_the_start() {
        check(
            "HELLO 3 SETNAME me; SELECT 3; SET k v; WATCH k; MULTI; GET k; RESET; EXEC; CLIENT GETNAME; GET k",
            "{server redis version 7.2.4 proto 3 id 1 mode standalone role master modules []}; OK; OK; OK; OK; QUEUED; \
             RESET; (error) ERR EXEC without MULTI; nil; nil",
        );
    }

    #[test]
    fn watched_keys_are_forgotten() {
        check(
            "WATCH k; RESET; 2> SET k 1; MULTI; GET k; EXEC",
            "OK; RESET; OK; OK; QUEUED; [1]",
        );
    }

    #[test]
    fn a_password_is_asked_again() {
        let mut console = Console::default();
        console.run("CONFIG SET requirepass secret");
        assert_eq!(
            console.run("GET k; RESET; GET k; AUTH secret; GET k"),
            "nil; RESET; (error) NOAUTH Authentication required.; OK; nil"
        );
    }
}
