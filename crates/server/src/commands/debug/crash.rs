//! DEBUG SEGFAULT, PANIC, ASSERT and OOM: the process dies, so that its crash report can be looked at.

use std::alloc::Layout;

use dunlin_engine::{Command, Ctx, Flow, Outcome};
use signal_hook::consts::SIGSEGV;

/// DEBUG SEGFAULT.
pub(super) const SEGFAULT: Command = Command {
    summary: "Ends the server by SIGSEGV.",
    ..super::FAMILY.subcommand("segfault", "debug", segfault)
};

/// DEBUG PANIC.
pub(super) const PANIC: Command = Command {
    summary: "Ends the server by a panic.",
    ..super::FAMILY.subcommand("panic", "debug", panic)
};

/// DEBUG ASSERT.
pub(super) const ASSERT: Command = Command {
    summary: "Ends the server by an assertion that does not hold.",
    ..super::FAMILY.subcommand("assert", "debug", assert)
};

/// DEBUG OOM.
pub(super) const OOM: Command = Command {
    summary: "Ends the server as when the system has no memory left.",
    ..super::FAMILY.subcommand("oom", "debug", oom)
};

fn segfault(cx: &mut Ctx<'_>) -> Outcome {
    super::permit(cx, 0..=0)?;
    // Sent to this thread, so that the report shows where it was.
    if let Err(error) = signal_hook::low_level::raise(SIGSEGV) {
        tracing::warn!("DEBUG SEGFAULT: {error}");
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn panic(cx: &mut Ctx<'_>) -> Outcome {
    super::permit(cx, 0..=0)?;
    panic!("DEBUG PANIC was called")
}

fn assert(cx: &mut Ctx<'_>) -> Outcome {
    super::permit(cx, 0..=0)?;
    let arguments = cx.args.len();
    assert_eq!(arguments, 0, "DEBUG ASSERT was called");
    Ok(Flow::Done)
}

fn oom(cx: &mut Ctx<'_>) -> Outcome {
    super::permit(cx, 0..=0)?;
    // More than any address space has; the layout is one all the same.
    let bytes = isize::MAX as usize / 2;
    std::alloc::handle_alloc_error(Layout::array::<u8>(bytes).expect("below isize::MAX"))
}
