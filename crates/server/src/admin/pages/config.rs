//! `/api/config`: every key with its value, default and documentation, from the table.
//!
//! Invariant: no secret leaves: where one is set, stars stand for it.

use serde_json::{Value, json};

use super::super::http::{Request, Response};
use super::super::json;
use super::super::routes::Context;
use crate::config::table::TABLE;
use crate::config::{Change, Config, Key, type_text};

/// What stands for a secret, however long it is.
const MASK: &str = "********";

/// All keys that hold values, by name.
pub(in super::super) fn as_json(cx: &Context<'_>, _: &Request<'_>) -> Response {
    // A copy, so that nobody waits for the lock while this is written.
    let config = cx.shared.config().clone();
    let defaults = Config::default();
    let keys = TABLE.iter().filter(|key| key.holds_value() && !key.hidden);
    Response::json(&keys.map(|key| described(&config, &defaults, key)).collect())
}

fn described(config: &Config, defaults: &Config, key: &Key) -> Value {
    let value = config.value(key.name).show(key.kind);
    let value = match key.secret && !value.is_empty() {
        true => Value::from(MASK),
        false => json::bytes(&value),
    };
    json!({
        "name": key.name,
        "value": value,
        // As the value is written, so that the two are equal when nothing was changed.
        "default": json::bytes(&defaults.value(key.name).show(key.kind)),
        "documentation": key.doc,
        "mutable": key.change != Change::AtStart,
        "kind": type_text(&key.kind),
    })
}
