//! `/metrics` and `/api/stats`: what is measured, for scrapers and for the console.

use super::super::http::{Request, Response};
use super::super::routes::Context;
use crate::observe::metrics::{self, Format};

/// In the format that is asked for.
pub(in super::super) fn as_text(cx: &Context<'_>, request: &Request<'_>) -> Response {
    let format = Format::accepted(request.accept.map(str::as_bytes));
    let text = metrics::render(cx.shared, cx.wall_us, cx.now_ms, format);
    Response::ok(format.content_type(), text.into_bytes())
}

/// As JSON.
pub(in super::super) fn as_json(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let stats = metrics::stats(cx.shared, cx.wall_us, cx.now_ms);
    Response::ok("application/json", stats.into_bytes())
}
