//! AUTH [username] password. <https://redis.io/commands/auth>

use std::borrow::Cow;
use std::sync::Arc;

use dunlin_engine::acl::{DEFAULT_USER, Setting, User};
use dunlin_engine::command::{ArgKind, Argument, Categories};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::DOOR;
use super::client::edit_texts;
use crate::access::Reason;
use crate::host::ServerHost;

/// AUTH.
pub(super) const AUTH: Command = Command {
    name: "auth",
    full_name: "auth",
    arity: -2,
    flags: DOOR,
    categories: Categories::FAST.and(Categories::CONNECTION),
    group: "connection",
    complexity: "O(1)",
    summary: "Authenticates the connection.",
    history: &[("6.0.0", "Takes a user name as well.")],
    arguments: &[
        Argument::new("username", ArgKind::String)
            .optional()
            .since("6.0.0"),
        Argument::new("password", ArgKind::String),
    ],
    handler: auth,
    ..Command::BASE
};

fn auth(cx: &mut Ctx<'_>) -> Outcome {
    match cx.args.len() {
        2 if cx
            .engine
            .users
            .default_user()
            .with_rules(|rules| rules.nopass) =>
        {
            return Err(ReplyError::Text(Cow::Borrowed(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            )));
        }
        2 => authenticate(cx, DEFAULT_USER, cx.args.at(1))?,
        3 => authenticate(cx, cx.args.at(1), cx.args.at(2))?,
        _ => return Err(ReplyError::Syntax),
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

/// Authenticates the session, or leaves it as it was.
pub(super) fn authenticate(
    cx: &mut Ctx<'_>,
    user: &[u8],
    password: &[u8],
) -> Result<(), ReplyError> {
    let Some(found) = cx.engine.users.authenticate(user, password) else {
        let setting = if cx.session.in_transaction() {
            Setting::Transaction
        } else {
            Setting::TopLevel
        };
        let (id, name) = (cx.engine.table.id_of_call(cx.args), cx.args.at(0));
        let host: &mut ServerHost = cx
            .host
            .as_any_mut()
            .downcast_mut()
            .expect("the server's commands run on the server's host");
        host.counters().auth_failures.add(1);
        host.note_denied(cx.session, id, user, Reason::Auth, setting, name);
        return Err(ReplyError::WrongPass);
    };
    be(cx, found, true);
    Ok(())
}

/// Makes the session this user's.
pub(super) fn be(cx: &mut Ctx<'_>, user: Arc<User>, authenticated: bool) {
    let name = if user.is_default() {
        Box::default()
    } else {
        user.name().into()
    };
    cx.session.user = Some(user);
    cx.session.authenticated = authenticated;
    edit_texts(cx, |texts| texts.user = name);
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Console, check};

    #[test]
    fn without_a_password_anything_is_right() {
        check(
            "AUTH x; AUTH default x; AUTH other x; AUTH a b c; AUTH",
            "(error) ERR AUTH <password> called without any password configured for the default user. Are you sure \
             your configuration is correct?; OK; (error) WRONGPASS invalid username-password pair or user is \
             disabled.; (error) ERR syntax error; (error) ERR wrong number of arguments for 'auth' command",
        );
    }

    #[test]
    fn a_password_opens() {
        let mut console = Console::default();
        assert_eq!(console.run("CONFIG SET requirepass foobar"), "OK");
        assert_eq!(console.run("SET k 100"), "OK", "who was in stays in");
        let wrong = "(error) WRONGPASS invalid username-password pair or user is disabled.";
        let script = "2> SET k 1; 2> AUTH wrong!; 2> AUTH foobar1; 2> AUTH default fooba; 2> GET k; 2> AUTH foobar; 2> GET k";
        assert_eq!(
            console.run(script),
            format!(
                "(error) NOAUTH Authentication required.; {wrong}; {wrong}; {wrong}; (error) NOAUTH Authentication required.; OK; 100"
            )
        );
        assert_eq!(
            console.run("2> AUTH wrong; 2> GET k"),
            format!("{wrong}; 100"),
            "a failure takes nothing away"
        );
        assert!(
            console
                .run("INFO stats")
                .contains("acl_access_denied_auth:4")
        );
    }
}
