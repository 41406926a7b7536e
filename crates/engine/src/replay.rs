//! Carries out recorded effects again, through ordinary dispatch.

use std::any::Any;
use std::sync::Arc;

use dunlin_resp::{Limits, Outcome as Parsed, RequestParser};
use dunlin_store::log::Record;
use dunlin_store::stripes::{ReadyList, Waiter, Wake};
use dunlin_structures::rope::Rope;

use crate::args::Args;
use crate::context::Host;
use crate::dispatch::{Call, Executed};
use crate::engine::{Engine, WorkerState};
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
