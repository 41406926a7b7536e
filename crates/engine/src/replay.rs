//! Carries out recorded effects again, through ordinary dispatch.

use std::any::Any;
use std::sync::Arc;

use dunlin_resp::{Limits, Outcome as Parsed, RequestParser, Version};
use dunlin_store::log::Record;
use dunlin_store::stripes::{ReadyList, Waiter, Wake};
use dunlin_structures::rope::Rope;

use crate::args::{Args, OwnedArgs};
use crate::command::Command;
use crate::context::{Ctx, Host};
use crate::dispatch::{Call, Executed};
use crate::engine::{Engine, WorkerState};
use crate::error::ReplyError;
use crate::reply::Reply;
use crate::session::Session;

/// The log has no clock: a replayed command that asks for one is a bug of its effect.
struct NoHost;

impl Host for NoHost {
    fn unix_time_us(&mut self) -> u64 {
        unreachable!("effects carry absolute times")
    }
    fn sleep_us(&mut self, _us: u64) {}
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Nobody waits for the replayer.
struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

/// Replays records into an engine that nobody else uses meanwhile.
pub struct Replayer<'a> {
    engine: &'a Engine,
    worker: &'a mut WorkerState,
    session: Session,
    waiter: Arc<Waiter>,
    parser: RequestParser,
    host: NoHost,
}

/// An effect that was not carried out: a damaged log, or a bug.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("effect {index} of record {sequence} failed: {reason}")]
pub struct ReplayError {
    /// The record.
    pub sequence: u64,
    /// The effect in it.
    pub index: usize,
    /// What it answered.
    pub reason: String,
}

impl<'a> Replayer<'a> {
    /// A replayer into `engine`.
    pub fn new(engine: &'a Engine, worker: &'a mut WorkerState) -> Replayer<'a> {
        let mut session = Session::new(0, true);
        session.replaying = true;
        let waiter = Waiter::new(ReadyList::new(NoOne), 0);
        Replayer {
            engine,
            worker,
            session,
            waiter,
            parser: RequestParser::new(),
            host: NoHost,
        }
    }

    /// Carries out all effects of one record.
    pub fn replay(&mut self, record: &Record) -> Result<(), ReplayError> {
        for (index, (db, bytes)) in record.iter().enumerate() {
            let fail = |reason: String| ReplayError {
                sequence: record.sequence,
                index,
                reason,
            };
            let mut spans = Vec::new();
            match self.parser.next(bytes, &Limits::default(), &mut spans) {
                Parsed::Request { end } if end == bytes.len() => {}
                other => return Err(fail(format!("not one command: {other:?}"))),
            }
            self.session.db = db;
            let args = Args::new(bytes, &spans);
            let mut out = Rope::new();
            let mut executed = self.engine.execute(self.call(args, &mut out));
            if let Executed::Heavy(heavy) = executed {
                // Nobody waits for this thread.
                executed = self.engine.run_heavy(self.call(args, &mut out), *heavy);
            }
            let reply = out.take_tail();
            match executed {
                Executed::Done { id: Some(_) } if reply.first() != Some(&b'-') => {}
                Executed::Done { .. } => {
                    return Err(fail(String::from_utf8_lossy(&reply).trim().to_owned()));
                }
                _ => return Err(fail("the store is in use".into())),
            }
        }
        Ok(())
    }
    fn call<'c>(&'c mut self, args: Args<'c>, out: &'c mut Rope) -> Call<'c> {
        Call {
            args,
            id: None,
            first_hash: None,
            session: &mut self.session,
            out,
            host: &mut self.host,
            worker: self.worker,
            waiter: &self.waiter,
            // Nothing expires by itself: the log's DELs do that.
            now_ms: 0,
        }
    }
}

/// Carries out the commands of a log inside a command that holds all stripes. Nothing expires by itself meanwhile, and nothing goes to
/// the log.
pub struct HeldReplayer {
    session: Session,
    /// Commands between MULTI and EXEC.
    queue: Option<Vec<OwnedArgs>>,
    out: Rope,
}

impl Default for HeldReplayer {
    fn default() -> HeldReplayer {
        let mut session = Session::new(0, true);
        session.replaying = true;
        HeldReplayer {
            session,
            queue: None,
            out: Rope::new(),
        }
    }
}

impl HeldReplayer {
    /// Carries out a command, or keeps it until its transaction is complete; the first error that was answered, if one was.
    ///
    /// # Errors
    /// Why it is none: nobody knows it, or it has too few arguments.
    pub fn command(
        &mut self,
        cx: &mut Ctx<'_>,
        args: Args<'_>,
    ) -> Result<Option<ReplyError>, String> {
        let checked = cx.engine.check(&args, None, &self.session);
        let id = checked.map_err(|(_, error)| error.to_string())?;
        let command = cx.engine.table.at(id);
        Ok(match command.full_name {
            "multi" => {
                self.queue = Some(Vec::new());
                None
            }
            "discard" => {
                self.queue = None;
                None
            }
            "exec" => {
                let queue = self.queue.take().unwrap_or_default();
                let mut failure = None;
                for queued in &queue {
                    let args = queued.as_args();
                    let checked = cx.engine.check(&args, None, &self.session);
                    let id = checked.map_err(|(_, error)| error.to_string())?;
                    let failed = self.run(cx, cx.engine.table.at(id), args);
                    failure = failure.or(failed);
                }
                failure
            }
            _ => match &mut self.queue {
                Some(queue) => {
                    queue.push(args.to_owned());
                    None
                }
                None => self.run(cx, command, args),
            },
        })
    }

    fn run(
        &mut self,
        cx: &mut Ctx<'_>,
        command: &'static Command,
        args: Args<'_>,
    ) -> Option<ReplyError> {
        let mut inner = Ctx {
            command,
            args,
            keys: cx.keys.at(0),
            session: &mut self.session,
            reply: Reply::new(&mut self.out, Version::Resp2),
            host: cx.host,
            engine: cx.engine,
            stats: cx.stats,
            may_defer: false,
            observed: false,
            paused: false,
            first_hash: None,
        };
        // What goes on in steps only reads.
        let outcome = (command.handler)(&mut inner);
        inner.keys.forget_effects();
        self.out.clear();
        outcome.err()
    }
}
