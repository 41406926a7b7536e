//! `/`: the console, one page for a browser, which reads the JSON of the other paths.
//!
//! Invariant: the page is the same for everybody and tells nothing of the server, so it is served without a token. What it may do is in its
//! policy: run the script that stands in it, ask this port, and nothing else. Both files are made by `cargo xtask web` of the sources in web/.

use super::http::{Request, Response};
use super::routes::Context;

const PAGE: &str = include_str!("console/page.html");
const POLICY: &str = include_str!("console/policy.txt");

/// The page.
pub(super) fn page(_: &Context<'_>, _: &Request<'_>) -> Response {
    Response::ok("text/html; charset=utf-8", PAGE.as_bytes())
        .with("Content-Security-Policy", POLICY.trim_end())
        .with("Referrer-Policy", "no-referrer")
        .with("X-Frame-Options", "DENY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_one_line_and_lets_nothing_in() {
        let policy = POLICY.trim_end();
        assert!(!policy.contains(['\r', '\n']));
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
    }

    #[test]
    fn the_page_is_whole_and_small() {
        assert!(PAGE.starts_with("<!doctype html>") && PAGE.trim_end().ends_with("</html>"));
        assert!(PAGE.len() <= 300 << 10);
    }
}
