//! `/api/clients` and `/debug/clients`: who is connected, as CLIENT LIST tells it.

use serde_json::{Map, Value};

use super::super::http::{Request, Response};
use super::super::routes::Context;

/// An object for each client, with the fields of its line; numbers are numbers.
pub(in super::super) fn as_json(cx: &Context<'_>, _: &Request<'_>) -> Response {
    Response::json(&lines(cx).map(|line| Value::Object(fields(&line))).collect())
}

/// The lines.
pub(in super::super) fn as_text(cx: &Context<'_>, _: &Request<'_>) -> Response {
    let mut text = String::new();
    for line in lines(cx) {
        text.push_str(&line);
        text.push('\n');
    }
    Response::text(200, text)
}

fn lines(cx: &Context<'_>) -> impl Iterator<Item = String> {
    let clients = cx.shared.clients.all().into_iter();
    let wall_ms = cx.wall_us / 1_000;
    clients.map(move |client| cx.shared.client_line(&client, wall_ms, cx.now_ms))
}

/// Names of clients and the like hold no blank, so a line can be taken apart.
fn fields(line: &str) -> Map<String, Value> {
    /// What is a text, even if it looks like a number.
    const TEXTS: &[&str] = &["name", "addr", "laddr", "user", "lib-name", "lib-ver"];
    let field = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let number = value.parse::<i64>().ok();
        let value = match number.filter(|_| !TEXTS.contains(&name)) {
            Some(number) => Value::from(number),
            None => Value::from(value),
        };
        Some((name.to_owned(), value))
    };
    line.split(' ').filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_taken_apart() {
        let fields = fields(
            "id=3 addr=127.0.0.1:5 name=7 age=0 redir=-1 flags=N cmd=client|list user= lib-ver=1=2",
        );
        let expected = json!({
            "id": 3, "addr": "127.0.0.1:5", "name": "7", "age": 0, "redir": -1, "flags": "N", "cmd": "client|list",
            "user": "", "lib-ver": "1=2",
        });
        assert_eq!(Value::Object(fields), expected);
    }
}
