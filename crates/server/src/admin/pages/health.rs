//! `/healthz` and `/readyz`: for who restarts the process, and for who sends it clients.

use std::sync::atomic::Ordering;

use super::super::http::{Request, Response};
use super::super::routes::Context;

/// That this answer came is the answer.
pub(in super::super) fn alive(_: &Context<'_>, _: &Request<'_>) -> Response {
    Response::text(200, "ok\n")
}

/// 200 while the server answers all commands, else 503 and why.
pub(in super::super) fn ready(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let shared = cx.shared;
    // A signal that was heeded: it may save before it stops.
    let is_told = shared.stop_signals.load(Ordering::Relaxed) > 0;
    if shared.is_stopping() || is_told {
        Response::text(503, "stopping\n")
    } else if shared.is_loading() {
        Response::text(503, "loading the dataset\n")
    } else {
        Response::text(200, "ok\n")
    }
}
