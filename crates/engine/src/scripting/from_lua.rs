//! What a script returns as a reply, by Redis's rules.
//!
//! Tables are looked at without regard to metatables, and no deeper than [`DEPTH_MAX`].

use dunlin_resp::{Version, reply};
use mlua::{Table, Value};

/// Tables inside each other that are answered; in Redis the limit is that of Lua's stack.
const DEPTH_MAX: usize = 1_000;

/// Writes returned values.
pub(super) struct Writer<'a> {
    /// Where they go.
    pub(super) out: &'a mut Vec<u8>,
    /// What the client speaks.
    pub(super) client: Version,
    /// What the script has chosen by `redis.setresp`.
    pub(super) script: Version,
    /// Errors that were not counted when they came up.
    pub(super) uncounted: Vec<String>,
}

/// The text under `err` of a table, if it is a failure, and whether it has been counted.
pub(super) fn failure(table: &Table) -> Option<(Vec<u8>, bool)> {
    match table.raw_get("err") {
        Ok(Value::String(text)) => {
            let counted = table.raw_get::<Value>("ignore_error_stats_update");
            Some((
                text.as_bytes().to_vec(),
                matches!(counted, Ok(Value::Boolean(true))),
            ))
        }
        _ => None,
    }
}

fn one_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(['\r', '\n'], " ")
}

/// A number as C converts it: towards zero, the smallest integer for what does not fit.
fn to_integer(number: f64) -> i64 {
    match number {
        n if n.is_nan() || n >= 9_223_372_036_854_775_808.0 => i64::MIN,
        n => n as i64,
    }
}

impl Writer<'_> {
    /// Writes one value.
    pub(super) fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => reply::bulk(self.out, &text.as_bytes()),
            Value::Integer(number) => reply::integer(self.out, *number),
            Value::Number(number) => reply::integer(self.out, to_integer(*number)),
            Value::Boolean(yes) => match (self.script, yes) {
                (Version::Resp3, yes) => reply::boolean(self.out, self.client, *yes),
                (Version::Resp2, true) => reply::integer(self.out, 1),
                (Version::Resp2, false) => reply::null(self.out, self.client),
            },
            Value::Table(table) if depth < DEPTH_MAX => self.table(table, depth),
            Value::Table(_) => reply::error(self.out, "ERR reached lua stack limit"),
            _ => reply::null(self.out, self.client),
        }
    }

    fn table(&mut self, table: &Table, depth: usize) {
        let field = |name: &str| table.raw_get::<Value>(name).unwrap_or_default();
        if let Some((text, is_counted)) = failure(table) {
            if !is_counted {
                self.uncounted
                    .push(String::from_utf8_lossy(&text).into_owned());
            }
            return reply::error(self.out, &text);
        }
        if let Value::String(text) = field("ok") {
            return reply::simple(self.out, &one_line(&text.as_bytes()));
        }
        match field("double") {
            Value::Number(number) => return reply::double(self.out, self.client, number),
            Value::Integer(number) => return reply::double(self.out, self.client, number as f64),
            _ => {}
        }
        if let Value::String(digits) = field("big_number") {
            return reply::big_number(self.out, self.client, &one_line(&digits.as_bytes()));
        }
        if let Value::Table(verbatim) = field("verbatim_string") {
            let part = |name: &str| verbatim.raw_get::<Value>(name).unwrap_or_default();
            if let (Value::String(format), Value::String(text)) = (part("format"), part("string")) {
                let format = String::from_utf8_lossy(&format.as_bytes()).into_owned();
                return reply::verbatim(self.out, self.client, &format, &text.as_bytes());
            }
        }
        if let Value::Table(map) = field("map") {
            return self.counted(reply::map, |writer| {
                writer.pairs(&map, |writer, key, value| {
                    writer.value(key, depth + 1);
                    writer.value(value, depth + 1);
                })
            });
        }
        if let Value::Table(set) = field("set") {
            return self.counted(reply::set, |writer| {
                writer.pairs(&set, |writer, member, _| writer.value(member, depth + 1))
            });
        }
        let array = |out: &mut Vec<u8>, _: Version, len: usize| reply::array(out, len);
        self.counted(array, |writer| {
            let mut len = 0;
            loop {
                match table.raw_get::<Value>(len + 1) {
                    Ok(Value::Nil) | Err(_) => return len,
                    Ok(value) => writer.value(&value, depth + 1),
                }
                len += 1;
            }
        });
    }

    fn pairs(&mut self, table: &Table, mut each: impl FnMut(&mut Self, &Value, &Value)) -> usize {
        let mut len = 0;
        // Lua's `next`, which knows no metatable.
        for pair in table.pairs::<Value, Value>() {
            let Ok((key, value)) = pair else { break };
            each(self, &key, &value);
            len += 1;
        }
        len
    }

    /// Writes elements, and their number before them.
    fn counted(
        &mut self,
        head: impl Fn(&mut Vec<u8>, Version, usize),
        elements: impl FnOnce(&mut Self) -> usize,
    ) {
        let start = self.out.len();
        let len = elements(self);
        let end = self.out.len();
        head(self.out, self.client, len);
        let head_bytes = self.out.len() - end;
        self.out[start..].rotate_right(head_bytes);
    }
}
