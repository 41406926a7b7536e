//! ACL SETUSER | DELUSER | GETUSER | LIST | USERS. <https://redis.io/commands/acl-setuser>

use std::borrow::Cow;
use std::sync::Arc;

use dunlin_engine::acl::{DEFAULT_USER, Selector, is_plain_name};
use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::{Command, Ctx, Flow, Outcome, Reply, ReplyError};

use super::ADMIN;
use crate::access::{close_clients_of, close_listeners_of, describe_all};
use crate::host::host;

const USERNAME: Argument = Argument::new("username", ArgKind::String);

/// ACL SETUSER.
pub(super) const SETUSER: Command = Command {
    arity: -3,
    complexity: "O(N) in the number of rules",
    summary: "Makes a user, or changes one, by rules: all of them apply, or none.",
    tips: TO_ALL,
    history: &[
        ("6.2.0", "Rules about channels."),
        (
            "7.0.0",
            "Selectors, and patterns of keys to read or to write.",
        ),
    ],
    arguments: &[
        USERNAME,
        Argument::new("rule", ArgKind::String).optional().multiple(),
    ],
    ..ADMIN.subcommand("setuser", "acl|setuser", setuser)
};

/// ACL DELUSER.
pub(super) const DELUSER: Command = Command {
    arity: -3,
    complexity: "O(1) for each user, and O(N) in the number of clients",
    summary: "Removes users and closes their connections.",
    tips: TO_ALL,
    arguments: &[USERNAME.multiple()],
    ..ADMIN.subcommand("deluser", "acl|deluser", deluser)
};

/// ACL GETUSER.
pub(super) const GETUSER: Command = Command {
    arity: 3,
    complexity: "O(N) in the number of rules",
    summary: "Returns what a user may do.",
    history: &[
        ("6.2.0", "Tells the channels."),
        (
            "7.0.0",
            "Tells the selectors, and keys and channels as rules.",
        ),
    ],
    arguments: &[USERNAME],
    ..ADMIN.subcommand("getuser", "acl|getuser", getuser)
};

/// ACL LIST.
pub(super) const LIST: Command = Command {
    complexity: "O(N) in the number of users",
    summary: "Returns all users as lines of a configuration file.",
    ..ADMIN.subcommand("list", "acl|list", list)
};

/// ACL USERS.
pub(super) const USERS: Command = Command {
    complexity: "O(N) in the number of users",
    summary: "Returns the names of all users.",
    ..ADMIN.subcommand("users", "acl|users", users)
};

const TO_ALL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

fn setuser(cx: &mut Ctx<'_>) -> Outcome {
    let name = cx.args.at(2);
    if !is_plain_name(name) {
        return Err(ReplyError::err(
            "Usernames can't contain spaces or null characters",
        ));
    }
    let words: Vec<&[u8]> = cx.args.from(3).collect();
    let engine = cx.engine;
    let changed = engine
        .users
        .set(&engine.table, name, &words)
        .map_err(|error| ReplyError::err(String::from_utf8_lossy(&error)))?;
    if let Some(before) = changed.before {
        close_listeners_of(&host(cx).shared, &changed.user, &before);
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn deluser(cx: &mut Ctx<'_>) -> Outcome {
    if cx.args.from(2).any(|name| name == DEFAULT_USER) {
        return Err(ReplyError::err("The 'default' user cannot be removed"));
    }
    let (engine, shared) = (cx.engine, Arc::clone(&host(cx).shared));
    let mut removed = 0;
    for name in cx.args.from(2) {
        if let Some(user) = engine.users.remove(&engine.table, name) {
            close_clients_of(&shared, &user, Some(cx.session));
            removed += 1;
        }
    }
    cx.reply.integer(removed);
    Ok(Flow::Done)
}

fn getuser(cx: &mut Ctx<'_>) -> Outcome {
    let Some(user) = cx.engine.users.find(cx.args.at(2)) else {
        cx.reply.null();
        return Ok(Flow::Done);
    };
    let rules = user.rules();
    let reply = &mut cx.reply;
    reply.map(6);
    reply.bulk(b"flags");
    let flags: Vec<&str> = rules.flags().collect();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(rules.passwords().len());
    rules.passwords().for_each(|hash| reply.bulk(hash));
    let (own, others) = rules
        .selectors()
        .split_first()
        .expect("a user has a selector of its own");
    tell_selector(reply, own);
    reply.bulk(b"selectors");
    reply.array(others.len());
    for selector in others {
        reply.map(3);
        tell_selector(reply, selector);
    }
    Ok(Flow::Done)
}

fn tell_selector(reply: &mut Reply<'_>, selector: &Selector) {
    let commands = selector.commands_text().into_bytes();
    let facts: [(&str, Cow<'_, [u8]>); 3] = [
        ("commands", commands.into()),
        ("keys", selector.keys_text().into()),
        ("channels", selector.channels_text().into()),
    ];
    for (name, text) in &facts {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
}

fn list(cx: &mut Ctx<'_>) -> Outcome {
    let lines = describe_all(&cx.engine.users);
    cx.reply.array(lines.len());
    lines.iter().for_each(|line| cx.reply.bulk(line));
    Ok(Flow::Done)
}

fn users(cx: &mut Ctx<'_>) -> Outcome {
    let users = cx.engine.users.all();
    cx.reply.array(users.len());
    users.iter().for_each(|user| cx.reply.bulk(user.name()));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn users_come_change_and_go() {
        check(
            "ACL SETUSER alice; ACL LIST; ACL SETUSER alice on nopass +get ~a:* (+set ~b); ACL USERS; ACL GETUSER alice; \
             ACL GETUSER nobody; ACL DELUSER alice nobody; ACL USERS; ACL DELUSER default; ACL SETUSER 'a b'",
            "OK; [user alice off sanitize-payload resetchannels -@all user default on nopass sanitize-payload ~* &* +@all]; OK; \
             [alice default]; [flags [on nopass sanitize-payload] passwords [] commands -@all +get keys ~a:* channels  selectors \
             [[commands -@all +set keys ~b channels ]]]; nil; 1; [default]; (error) ERR The 'default' user cannot be removed; (error) ERR \
             Usernames can't contain spaces or null characters",
        );
    }

    #[test]
    fn a_wrong_rule_changes_nothing() {
        check(
            "ACL SETUSER alice on +get +nosuch; ACL SETUSER alice (+get; ACL USERS",
            "(error) ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL; (error) ERR Unmatched \
             parenthesis in acl selector starting at '(+get'.; [default]",
        );
    }

    #[test]
    fn rights_are_asked_for_at_each_command() {
        let mut console = Console::default();
        console.run("ACL SETUSER alice on >pw +@all -flushall ~a:* %R~r:* resetchannels &news");
        assert_eq!(
            console.run(
                "2> AUTH alice wrong; 2> AUTH alice pw; 2> ACL WHOAMI; 2> SET a:1 x; 2> GET b; 2> GET r:1; 2> SET r:1 x; 2> FLUSHALL; \
                 2> COPY r:1 a:2; 2> COPY a:1 r:2; 2> PUBLISH news x; 2> PUBLISH other x; 2> PSUBSCRIBE new*"
            ),
            "(error) WRONGPASS invalid username-password pair or user is disabled.; OK; alice; OK; (error) NOPERM this user has no permissions to access one of the keys used as arguments; nil; (error) NOPERM this user has no permissions to access one of the keys used as arguments; (error) NOPERM this user has no permissions to run the 'flushall' \
             command; 0; (error) NOPERM this user has no permissions to access one of the keys used as arguments; 0; (error) NOPERM this user has no permissions to access one of the channels used as arguments; (error) \
             NOPERM this user has no permissions to access one of the channels used as arguments"
        );
        console.run("ACL SETUSER alice -set");
        assert_eq!(
            console.run("2> SET a:1 x"),
            "(error) NOPERM this user has no permissions to run the 'set' command"
        );
        let info = console.run("INFO stats");
        for field in ["auth:1", "cmd:2", "key:3", "channel:2"] {
            assert!(
                info.contains(&format!("acl_access_denied_{field}")),
                "{info}"
            );
        }
    }

    #[test]
    fn what_was_queued_is_asked_for_again() {
        let mut console = Console::default();
        console.run(
            "ACL SETUSER alice on nopass +@all ~*; 2> AUTH alice x; 2> MULTI; 2> SET k 1; 2> GET k",
        );
        console.run("ACL SETUSER alice -set");
        let reply = console.run("2> EXEC");
        assert!(
            reply.starts_with("[(error) NOPERM ACLs rules changed between")
                && reply.ends_with(" nil]"),
            "{reply}"
        );
        assert_eq!(
            console.run("2> MULTI; 2> SET k 1; 2> EXEC"),
            "OK; (error) NOPERM this user has no permissions to run the 'set' command; (error) EXECABORT Transaction discarded because of \
             previous errors."
        );
        let log = console.run("ACL LOG");
        assert!(
            log.contains("context multi object set username alice"),
            "{log}"
        );
    }

    #[test]
    fn who_is_removed_may_do_nothing_and_is_closed() {
        let mut console = Console::default();
        console.run("ACL SETUSER alice on nopass +@all ~*; 2> AUTH alice x; 2> CLIENT SETNAME a");
        assert!(console.run("CLIENT LIST").contains("user=alice "));
        assert_eq!(console.run("ACL DELUSER alice"), "1");
        assert_eq!(console.shared.clients.len(), 1);
        assert_eq!(
            console.run("2> GET k"),
            "(error) NOPERM this user has no permissions to run the 'get' command"
        );
    }

    #[test]
    fn the_default_user_is_one_like_others() {
        let mut console = Console::default();
        console.run("ACL SETUSER admin on >root +@all ~* &*; 2> AUTH admin root; 2> ACL SETUSER default off >x");
        assert_eq!(
            console.run("3> GET k; 3> AUTH x; 3> AUTH admin root; 3> GET k; 1> GET k"),
            "(error) NOAUTH Authentication required.; (error) WRONGPASS invalid username-password pair or user is disabled.; OK; nil; nil"
        );
        assert_eq!(
            console.run("2> ACL SETUSER default on nopass -@all +ping; 1> GET k; 1> PING"),
            "OK; (error) NOPERM this user has no permissions to run the 'get' command; PONG"
        );
    }

    #[test]
    fn sort_reads_other_keys_only_for_who_may_read_all() {
        let mut console = Console::default();
        console.run("RPUSH l 1 2; ACL SETUSER alice on nopass +@all ~l; 2> AUTH alice x");
        assert_eq!(
            console.run("2> SORT l; 2> SORT l BY w_*; 2> SORT l GET #; 2> SORT l BY nosort"),
            "[1 2]; (error) ERR BY option of SORT denied due to insufficient ACL permissions.; (error) ERR GET option of SORT denied due to \
             insufficient ACL permissions.; [1 2]"
        );
        console.run("ACL SETUSER alice %R~*");
        assert_eq!(console.run("2> SORT l BY w_* GET #"), "[1 2]");
    }
}
