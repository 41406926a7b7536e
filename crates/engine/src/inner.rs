//! Commands inside others: those that EXEC has queued, and those that scripts call. Their stripes are held, and nothing waits.

use crate::context::{Ctx, Flow, Progress};
use crate::error::ReplyError;
use crate::session::Queued;

impl Ctx<'_> {
    /// Runs a queued command to its end inside a transaction whose stripes are held; its error, which is answered, too.
    pub(crate) fn run_queued(&mut self, queued: &Queued) -> Option<ReplyError> {
        let args = queued.args.as_args();
        if let Err(denial) = self.engine.permits(self.session, queued.id, args) {
            return Some(self.deny_queued(queued, denial));
        }
        let mut cx = self.nested(queued.command, args);
        let failure = cx.run_inner(queued.id, true);
        cx.remember_reads();
        let version = cx.reply.version();
        self.reply.set_version(version);
        failure
    }

    /// Runs the command of this context, which is nested in another's, to its end; its error, which is answered, too. Its host is told
    /// if it is `measured`.
    pub(crate) fn run_inner(&mut self, id: usize, measured: bool) -> Option<ReplyError> {
        let cx = self;
        let special = cx.is_special();
        if special {
            cx.set_reads();
        }
        let mut outcome = (cx.command.handler)(cx);
        while let Ok(Flow::Continue(mut continuation)) = outcome {
            outcome = loop {
                match continuation.step(cx) {
                    Ok(Progress::More) => {}
                    Ok(Progress::Done) => break Ok(Flow::Done),
                    Err(error) => break Err(error),
                }
            };
        }
        if special && cx.observed {
            cx.observe();
        }
        let stat = &cx.stats.commands[id];
        stat.calls.add(1);
        let failure = outcome.err();
        if let Some(error) = &failure {
            stat.failed.add(1);
            cx.stats.count_error(error);
            cx.reply.error(error);
        }
        if measured {
            cx.host.inner_ran(id, cx.args, cx.session);
        }
        failure
    }
}
