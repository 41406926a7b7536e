//! Where dispatch asks for rights, and what is answered and told when they lack.

use super::{Denial, Denied, Setting};
use crate::args::Args;
use crate::command::Command;
use crate::context::{Ctx, Host};
use crate::engine::Engine;
use crate::error::ReplyError;
use crate::session::{Queued, Session};

impl Engine {
    /// Whether the session's user may run a command with these arguments.
    ///
    /// # Errors
    /// What is denied.
    #[inline]
    pub fn permits(&self, session: &Session, id: usize, args: Args<'_>) -> Result<(), Denial> {
        match &session.user {
            Some(user) if user.is_restricted() => {
                user.with_rules(|rules| rules.check(&self.table, id, args))
            }
            _ => Ok(()),
        }
    }

    /// What was denied, in Redis 7.0's words; `verbose` with the name of a key or channel.
    #[cold]
    pub fn denial_text(&self, id: usize, args: Args<'_>, denial: Denial, verbose: bool) -> String {
        let (i, what) = match denial {
            Denial::Command => {
                let command = self.table.at(id).full_name;
                return format!("this user has no permissions to run the '{command}' command");
            }
            Denial::Key(i) => (i, "key"),
            Denial::Channel(i) => (i, "channel"),
        };
        if verbose {
            let name = String::from_utf8_lossy(args.at(i));
            format!("this user has no permissions to access the '{name}' {what}")
        } else {
            format!("this user has no permissions to access one of the {what}s used as arguments")
        }
    }

    /// Tells the host of a denial.
    #[cold]
    pub(crate) fn report_denial(
        &self,
        host: &mut dyn Host,
        session: &Session,
        id: usize,
        args: Args<'_>,
    ) {
        // The rules may have changed meanwhile.
        let Err(denial) = self.permits(session, id, args) else {
            return;
        };
        let command = self.table.at(id);
        let setting = if session.in_transaction() {
            Setting::Transaction
        } else {
            Setting::TopLevel
        };
        host.denied(session, &denied(denial, command, args, command, setting));
    }
}

impl Ctx<'_> {
    /// Tells the host that a script may not call a command.
    #[cold]
    pub(crate) fn report_denied_call(&mut self, id: usize, args: Args<'_>, denial: Denial) {
        let (command, runs) = (self.engine.table.at(id), self.command);
        let denied = denied(denial, command, args, runs, Setting::Script);
        self.host.denied(self.session, &denied);
    }

    /// The user's rules have changed since the command was queued.
    #[cold]
    pub(crate) fn deny_queued(&mut self, queued: &Queued, denial: Denial) -> ReplyError {
        let (args, runs) = (queued.args.as_args(), self.command);
        let denied = denied(denial, queued.command, args, runs, Setting::Transaction);
        self.host.denied(self.session, &denied);
        let why = match denial {
            Denial::Command => "no permission to execute the command or subcommand",
            Denial::Key(_) => "no permission to touch the specified keys",
            Denial::Channel(_) => {
                "no permission to access one of the channels used as argument to the command"
            }
        };
        let error = ReplyError::NoPermission(format!(
            "ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer \
             allowed for the following reason: {why}"
        ));
        self.stats.commands[queued.id].rejected.add(1);
        self.stats.count_error(&error);
        self.reply.error(&error);
        error
    }
}

/// What the log is told of a denied `command`, which the client called itself or through another that `runs` it.
fn denied<'a>(
    denial: Denial,
    command: &'static Command,
    args: Args<'a>,
    runs: &'static Command,
    setting: Setting,
) -> Denied<'a> {
    let object = match denial {
        Denial::Command => command.full_name.as_bytes(),
        Denial::Key(i) | Denial::Channel(i) => args.at(i),
    };
    Denied {
        denial,
        object,
        command: runs,
        setting,
    }
}
