//! `/api/slowlog` and `/debug/slowlog`: the slow commands, with their time split by what it went to.

use std::fmt::Write;

use serde_json::{Value, json};

use super::super::http::{Request, Response};
use super::super::json;
use super::super::routes::Context;
use crate::observe::{Entry, SlowStages};

/// All entries, newest first.
pub(in super::super) fn as_json(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let entries = cx.shared.observer.slowlog.newest(usize::MAX);
    let entry = |entry: &Entry| {
        let arguments: Vec<Value> = entry.args.iter().map(|arg| json::bytes(arg)).collect();
        json!({
            "id": entry.id,
            "time_s": entry.time_s,
            "duration_us": entry.duration_us,
            "stages": stages(&entry.stages()),
            "arguments": arguments,
            "client": entry.address,
            "name": json::bytes(&entry.name),
        })
    };
    Response::json(&entries.iter().map(entry).collect())
}

/// The stages that are known.
fn stages(stages: &SlowStages) -> Value {
    let known = [
        ("queue_us", Some(stages.queue_us)),
        ("execute_us", Some(stages.execute_us)),
        ("log_wait_us", stages.log_wait_us),
        ("flush_us", stages.flush_us),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, us)| Some((name.to_owned(), us?.into())));
    Value::Object(known.collect())
}

/// The same for a terminal.
pub(in super::super) fn as_text(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let mut text = format!(
        "{:>8}  {:<20}  {:>10}  {:>10}  {:>10}  {:>10}  {:<21}  command\n",
        "id", "time (UTC)", "queue us", "execute us", "log us", "flush us", "client"
    );
    for entry in cx.shared.observer.slowlog.newest(usize::MAX) {
        let at = i64::try_from(entry.time_s).ok();
        let at = at.and_then(|s| jiff::Timestamp::from_second(s).ok());
        let at = at.map_or_else(String::new, |at| at.to_string());
        let stages = entry.stages();
        let known = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), |us| us.to_string());
        let (log, flush) = (known(stages.log_wait_us), known(stages.flush_us));
        let _ = write!(
            text,
            "{:>8}  {at:<20}  {:>10}  {:>10}  {log:>10}  {flush:>10}  {:<21} ",
            entry.id, stages.queue_us, stages.execute_us, entry.address
        );
        for argument in &entry.args {
            // Control characters of a stranger do nothing good to a terminal.
            let _ = write!(text, " {}", argument.escape_ascii());
        }
        text.push('\n');
    }
    Response::text(200, text)
}
