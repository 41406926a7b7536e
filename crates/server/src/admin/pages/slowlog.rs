//! `/api/slowlog` and `/debug/slowlog`: the slow commands, with their time split by what it went to.

use std::fmt::Write;

use serde_json::{Value, json};

use super::super::http::{Request, Response};
use super::super::json;
use super::super::routes::Context;
use crate::observe::Entry;

/// All entries, newest first.
pub(in super::super) fn as_json(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let entries = cx.shared.observer.slowlog.newest(usize::MAX);
    let entry = |entry: &Entry| {
        let arguments: Vec<Value> = entry.args.iter().map(|arg| json::bytes(arg)).collect();
        json!({
            "id": entry.id,
            "time_s": entry.time_s,
            "duration_us": entry.duration_us,
            "stages": stages(entry),
            "arguments": arguments,
            "client": entry.address,
            "name": json::bytes(&entry.name),
        })
    };
    Response::json(&entries.iter().map(entry).collect())
}

/// Where its time went, as far as that is known yet.
fn stages(entry: &Entry) -> Value {
    let stages = entry.stages();
    let mut value = json!({ "queue_us": stages.queue_us, "execute_us": stages.execute_us });
    for (name, us) in [
        ("log_wait_us", stages.log_wait_us),
        ("flush_us", stages.flush_us),
    ] {
        if let Some(us) = us {
            value[name] = Value::from(us);
        }
    }
    value
}

/// The same for a terminal.
pub(in super::super) fn as_text(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let mut text = format!(
        "{:>8}  {:<20}  {:>12}  {:>12}  {:<21}  command\n",
        "id", "time (UTC)", "executed us", "queued us", "client"
    );
    for entry in cx.shared.observer.slowlog.newest(usize::MAX) {
        let at = i64::try_from(entry.time_s).ok();
        let at = at.and_then(|s| jiff::Timestamp::from_second(s).ok());
        let at = at.map_or_else(String::new, |at| at.to_string());
        let _ = write!(
            text,
            "{:>8}  {at:<20}  {:>12}  {:>12}  {:<21} ",
            entry.id, entry.duration_us, entry.queued_us, entry.address
        );
        for argument in &entry.args {
            // Control characters of a stranger do nothing good to a terminal.
            let _ = write!(text, " {}", argument.escape_ascii());
        }
        text.push('\n');
    }
    Response::text(200, text)
}
