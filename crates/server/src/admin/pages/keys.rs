//! `/api/hotkeys` and `/api/bigkeys`: what HOTKEYS and BIGKEYS reply, as plain JSON. `?count=` says how many.

use dunlin_resp::Value as Reply;
use serde_json::{Map, Value};

use super::super::call::Call;
use super::super::http::{Request, Response};
use super::super::json;
use super::super::routes::Context;

/// Keys told of unless asked for more or less.
const COUNT_DEFAULT: &str = "10";

/// An object for each of the keys that are asked for most.
pub(in super::super) fn hot(_: &Context<'_>, request: &Request<'_>) -> Result<Call, Response> {
    call("HOTKEYS", request, |reply| answer(reply, Some))
}

/// The same of the biggest.
pub(in super::super) fn big(_: &Context<'_>, request: &Request<'_>) -> Result<Call, Response> {
    call("BIGKEYS", request, |reply| answer(reply, keys))
}

fn call(name: &str, request: &Request<'_>, show: fn(Reply) -> Response) -> Result<Call, Response> {
    let mut fields = request.query.unwrap_or_default().split('&');
    let count = fields.find_map(|field| field.strip_prefix("count="));
    let count = count.unwrap_or(COUNT_DEFAULT);
    if !count.parse::<u32>().is_ok_and(|count| count > 0) {
        return Err(Response::error(400, "count has to be a number above 0"));
    }
    let arguments = [name, "COUNT", count];
    Ok(Call {
        db: 0,
        arguments: arguments.map(|word| word.as_bytes().to_vec()).to_vec(),
        show,
    })
}

/// The keys among what BIGKEYS tells.
fn keys(reply: Reply) -> Option<Reply> {
    let Reply::Map(pairs) = reply else {
        return None;
    };
    let is_keys = |name: &Reply| matches!(name, Reply::Bulk(name) if name == b"keys");
    pairs
        .into_iter()
        .find(|(name, _)| is_keys(name))
        .map(|(_, keys)| keys)
}

fn answer(reply: Reply, keys: fn(Reply) -> Option<Reply>) -> Response {
    match reply {
        Reply::Error(text) | Reply::BulkError(text) => {
            Response::error(503, String::from_utf8_lossy(&text))
        }
        reply => match keys(reply) {
            Some(Reply::Array(keys)) => Response::json(&keys.into_iter().map(plain).collect()),
            // Both commands are the server's own.
            _ => Response::error(500, "the reply is none of this command"),
        },
    }
}

/// A reply without its types; names of fields as the JSON of this port has them.
fn plain(reply: Reply) -> Value {
    match reply {
        Reply::Map(pairs) => {
            let field = |(name, value)| {
                let Reply::Bulk(name) = name else { return None };
                let name = String::from_utf8(name).ok()?;
                let name = if name == "rate" {
                    "rate_per_s".to_owned()
                } else {
                    name
                };
                Some((name, plain(value)))
            };
            Value::Object(
                pairs
                    .into_iter()
                    .filter_map(field)
                    .collect::<Map<String, Value>>(),
            )
        }
        Reply::Bulk(bytes) | Reply::Simple(bytes) => json::bytes(&bytes),
        Reply::Integer(n) => Value::from(n),
        Reply::Double(n) => Value::from(n),
        _ => Value::Null,
    }
}
