//! Whether a command may run: the checks that come before its locks and its handler, in Redis's order.

use std::sync::atomic::Ordering;

use dunlin_store::eviction::Room;

use crate::args::Args;
use crate::command::{Command, Flags, Scope};
use crate::commands::transaction::is_exec;
use crate::dispatch::{Call, runs_inside_multi};
use crate::engine::Engine;
use crate::error::ReplyError;
use crate::session::Session;

impl Engine {
    /// The checks that come before everything else, in Redis's order. Id of the command or subcommand; with an error, the id if
    /// there is such a command.
    #[inline]
    pub(crate) fn admit(&self, call: &mut Call<'_>) -> Result<usize, (Option<usize>, ReplyError)> {
        let mut checked = self.check(&call.args, call.id, call.session);
        if let Err((Some(id), ReplyError::NoPermission(_))) = checked {
            self.report_denial(call.host, call.session, id, call.args);
        }
        if self.store.eviction.is_on() {
            call.session.out_of_memory = false;
        }
        if let Ok(id) = checked
            && self.store.eviction.is_on()
            && !call.session.replaying
            && let Some(need) = needs_room(self.table.at(id), call.session)
            && matches!(self.make_room(call), Room::Full)
        {
            match need {
                Need::Now => checked = Err((Some(id), ReplyError::OutOfMemory)),
                // Its commands are refused if they need it.
                Need::Script => call.session.out_of_memory = true,
            }
        }
        if let Ok(id) = checked
            && self.disk_trouble.is_there()
            && is_refused_in_trouble(self.table.at(id), call.session)
            && let Some(refusal) = self.disk_trouble.refusal()
        {
            checked = Err((Some(id), refusal));
        }
        if let Err((Some(id), _)) = checked {
            self.stats[call.worker.number].commands[id].rejected.add(1);
        }
        checked
    }

    /// See [`Engine::admit`]; counts nothing.
    #[inline]
    pub(crate) fn check(
        &self,
        args: &Args<'_>,
        id: Option<usize>,
        session: &Session,
    ) -> Result<usize, (Option<usize>, ReplyError)> {
        let mut id = id
            .or_else(|| self.table.id_of(args.at(0)))
            .ok_or_else(|| (None, ReplyError::unknown_command(*args)))?;
        let mut command = self.table.at(id);
        if !command.subcommands.is_empty()
            && let Some(name) = args.get(1)
        {
            id = self
                .table
                .subcommand(id, name)
                .ok_or_else(|| (None, ReplyError::unknown_subcommand(command.name, name)))?;
            command = self.table.at(id);
        }
        let refusal = if !command.accepts(args.len())
            || (command.scope == Scope::Transaction && !is_exec(*args))
        {
            ReplyError::WrongArity(command.full_name)
        } else if !session.authenticated
            && self.users.password_required()
            && !command.flags.has(Flags::NO_AUTH)
        {
            ReplyError::NoAuth
        } else if session.in_transaction() && command.flags.has(Flags::NO_MULTI) {
            ReplyError::err("Command not allowed inside a transaction")
        } else if let Err(denial) = self.permits(session, id, *args) {
            ReplyError::NoPermission(self.denial_text(id, *args, denial, false))
        } else if session.only_listens() && !is_for_listeners(command) {
            ReplyError::OnlyListens(command.full_name)
        } else if self.is_loading.load(Ordering::Relaxed)
            && !command.flags.has(Flags::LOADING)
            && !session.replaying
        {
            ReplyError::Loading
        } else {
            return Ok(id);
        };
        Err((Some(id), refusal))
    }

    fn make_room(&self, call: &mut Call<'_>) -> Room {
        let victims_max = self.store.eviction.victims_max.load(Ordering::Relaxed);
        // What eviction frees is counted by it, and must not be counted again as the command's.
        let before = self.store.usage.of_this_thread();
        let local = &mut call.worker.local;
        let room = self.store.make_room(local, call.now_ms, victims_max);
        local.batch_bytes -= self.store.usage.of_this_thread() - before;
        room
    }

    /// Whether this command would get past the checks, and if so, whether it may change data: itself or, if it is EXEC, by
    /// what is queued. For who decides if it has to wait.
    pub fn would_write(
        &self,
        args: Args<'_>,
        id: Option<usize>,
        session: &Session,
    ) -> Option<bool> {
        let command = self.table.at(self.check(&args, id, session).ok()?);
        let changes = |command: &Command, args: Args<'_>| {
            let may = command.flags.has(Flags::WRITE) || command.flags.has(Flags::MAY_REPLICATE);
            let is_script = command.scope == Scope::Script;
            may && !(is_script && self.scripts.says_no_writes(command, args))
        };
        let mut queued = session.transaction.iter().flat_map(|t| &t.queue);
        let executes = command.scope == Scope::Transaction;
        Some(
            changes(command, args)
                || (executes && queued.any(|q| changes(q.command, q.args.as_args()))),
        )
    }
}

/// What may take memory.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Need {
    /// The command: it is refused when there is none.
    Now,
    /// A script, which is told when there is none.
    Script,
}

/// Whether a command may take memory.
fn needs_room(command: &Command, session: &Session) -> Option<Need> {
    let of = |flags: Flags| match flags {
        flags if flags.has(Flags::DENYOOM) => Some(Need::Now),
        // Scripts have it; so has PUBLISH, which is none the worse for it.
        flags if flags.has(Flags::MAY_REPLICATE) => Some(Need::Script),
        _ => None,
    };
    if command.scope != Scope::Transaction {
        // A queue may grow without end, whatever is queued.
        let queued = session.in_transaction() && !runs_inside_multi(command);
        return if queued {
            Some(Need::Now)
        } else {
            of(command.flags)
        };
    }
    session.transaction.as_ref().and_then(|t| of(t.flags))
}

/// Whether a command is refused while the disk takes nothing: what writes, and PING, by which others see that something is wrong.
#[cold]
fn is_refused_in_trouble(command: &Command, session: &Session) -> bool {
    let queued = session.transaction.as_ref();
    let executes = command.scope == Scope::Transaction;
    !session.replaying
        && (command.flags.has(Flags::WRITE)
            || command.full_name == "ping"
            || (executes && queued.is_some_and(|t| t.flags.has(Flags::WRITE))))
}

/// Commands that a subscriber in RESP2 may send.
fn is_for_listeners(command: &Command) -> bool {
    matches!(
        command.full_name,
        "ping"
            | "subscribe"
            | "ssubscribe"
            | "psubscribe"
            | "unsubscribe"
            | "sunsubscribe"
            | "punsubscribe"
            | "quit"
            | "reset"
    )
}
