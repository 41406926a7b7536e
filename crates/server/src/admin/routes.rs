//! What is served, and to whom: one row for each path.
//!
//! Invariant: a path stands once (tested). Adding one is a row here and a function in a file of its own; functions of `Get` run on the
//! admin thread, so they may take their time but must not wait for a stripe, a worker or a file.

use std::sync::Arc;

use super::call::{self, Call};
use super::console;
use super::guard::Guard;
use super::http::{Request, Response};
use super::pages::{clients, commands, config, health, keys, metrics, slowlog};
use crate::shared::Shared;

/// What a page is made from.
pub(super) struct Context<'a> {
    /// The server.
    pub(super) shared: &'a Arc<Shared>,
    /// Now, microseconds since 1970.
    pub(super) wall_us: u64,
    /// The workers' clock, milliseconds.
    pub(super) now_ms: u64,
}

/// A path.
pub(super) struct Route {
    /// As it stands in the request.
    pub(super) path: &'static str,
    /// Who is answered.
    pub(super) guard: Guard,
    /// What is done.
    pub(super) serve: Serve,
}

/// What is done for a path.
#[derive(Clone, Copy)]
pub(super) enum Serve {
    /// GET and HEAD: a page, at once.
    Get(fn(&Context<'_>, &Request<'_>) -> Response),
    /// GET: a command that is always the same, whose reply is the answer.
    Ask(fn(&Context<'_>, &Request<'_>) -> Result<Call, Response>),
    /// POST: a command, whose reply is the answer.
    Post(fn(&Context<'_>, &Request<'_>) -> Result<Call, Response>),
}

impl Serve {
    /// The methods, as `Allow` has them.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Serve::Get(_) => "GET, HEAD",
            Serve::Ask(_) => "GET",
            Serve::Post(_) => "POST",
        }
    }
}

const fn get(
    path: &'static str,
    guard: Guard,
    page: fn(&Context<'_>, &Request<'_>) -> Response,
) -> Route {
    Route {
        path,
        guard,
        serve: Serve::Get(page),
    }
}

/// All paths, in the order of docs/admin.md.
pub(super) static ROUTES: &[Route] = &[
    get("/", Guard::Open, console::page),
    get("/healthz", Guard::Open, health::alive),
    get("/readyz", Guard::Open, health::ready),
    get("/metrics", Guard::Figures, metrics::as_text),
    get("/api/stats", Guard::Figures, metrics::as_json),
    Route {
        path: "/api/command",
        guard: Guard::Data,
        serve: Serve::Post(call::read),
    },
    get("/api/commands", Guard::Figures, commands::as_json),
    get("/api/config", Guard::Data, config::as_json),
    get("/api/slowlog", Guard::Data, slowlog::as_json),
    get("/api/clients", Guard::Data, clients::as_json),
    Route {
        path: "/api/hotkeys",
        guard: Guard::Data,
        serve: Serve::Ask(keys::hot),
    },
    Route {
        path: "/api/bigkeys",
        guard: Guard::Data,
        serve: Serve::Ask(keys::big),
    },
    get("/debug/slowlog", Guard::Data, slowlog::as_text),
    get("/debug/clients", Guard::Data, clients::as_text),
];

/// The row of a path.
pub(super) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_stands_once() {
        for route in ROUTES {
            assert!(route.path.starts_with('/'));
            let rows = ROUTES.iter().filter(|other| other.path == route.path);
            assert_eq!(rows.count(), 1, "{}", route.path);
        }
    }
}
