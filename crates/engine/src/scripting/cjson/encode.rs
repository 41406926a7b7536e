//! Lua values as JSON.

use mlua::{Table, Value};

use super::Settings;
use crate::number::push_general_digits;

/// Tables inside each other that are encoded whatever is set: each takes some of the thread's own stack.
const DEPTH_MAX: i32 = 1_000;

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) => "userdata",
        other => other.type_name(),
    }
}

fn refused(value: &Value, why: &str) -> String {
    format!("Cannot serialise {}: {why}", type_name(value))
}

struct Encoder<'s> {
    settings: &'s Settings,
    out: Vec<u8>,
}

/// The JSON of a value.
pub(super) fn encode(settings: &Settings, value: &Value) -> Result<Vec<u8>, String> {
    let mut encoder = Encoder {
        settings,
        out: Vec::new(),
    };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: i32) -> Result<(), String> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(n) => self.number(value, *n as f64)?,
            Value::Number(n) => self.number(value, *n)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            Value::Table(table) => self.table(table, depth + 1)?,
            other => return Err(refused(other, "type not supported")),
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 2);
        self.out.push(b'"');
        for &byte in bytes {
            match byte {
                b'"' | b'\\' | b'/' => self.out.extend([b'\\', byte]),
                0x08 => self.out.extend_from_slice(b"\\b"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                0x0c => self.out.extend_from_slice(b"\\f"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                0..=0x1f | 0x7f => {
                    let escape = format!("\\u{byte:04x}");
                    self.out.extend_from_slice(escape.as_bytes());
                }
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    fn number(&mut self, value: &Value, n: f64) -> Result<(), String> {
        match self.settings.encode_invalid_numbers {
            0 if !n.is_finite() => return Err(refused(value, "must not be NaN or Inf")),
            1 if n.is_nan() => self.out.extend_from_slice(b"nan"),
            1 if n.is_infinite() && n > 0.0 => self.out.extend_from_slice(b"inf"),
            1 if n.is_infinite() => self.out.extend_from_slice(b"-inf"),
            2.. if !n.is_finite() => self.out.extend_from_slice(b"null"),
            _ => push_general_digits(&mut self.out, n, self.settings.precision as u8),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: i32) -> Result<(), String> {
        if depth > self.settings.encode_max_depth.min(DEPTH_MAX) {
            return Err(format!("Cannot serialise, excessive nesting ({depth})"));
        }
        match self.array_len(table)? {
            Some(len) if len > 0 => {
                self.out.push(b'[');
                for index in 1..=len {
                    if index > 1 {
                        self.out.push(b',');
                    }
                    let element = table.raw_get::<Value>(index).unwrap_or_default();
                    self.value(&element, depth)?;
                }
                self.out.push(b']');
            }
            _ => self.object(table, depth)?,
        }
        Ok(())
    }

    /// The highest index, if all keys are whole numbers from 1 on and enough of them are there.
    fn array_len(&self, table: &Table) -> Result<Option<i64>, String> {
        let (mut max, mut items) = (0i64, 0i64);
        for pair in table.pairs::<Value, Value>() {
            let Ok((Value::Integer(key), _)) = pair else {
                return Ok(None);
            };
            if key < 1 {
                return Ok(None);
            }
            max = max.max(key);
            items += 1;
        }
        let ratio = i64::from(self.settings.sparse_ratio);
        let is_sparse = ratio > 0
            && max > items.saturating_mul(ratio)
            && max > i64::from(self.settings.sparse_safe);
        match (is_sparse, self.settings.sparse_convert) {
            (false, _) => Ok(Some(max)),
            (true, true) => Ok(None),
            (true, false) => Err("Cannot serialise table: excessively sparse array".to_owned()),
        }
    }

    fn object(&mut self, table: &Table, depth: i32) -> Result<(), String> {
        self.out.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                Value::Integer(n) => {
                    self.out.push(b'"');
                    self.number(&key, *n as f64)?;
                    self.out.push(b'"');
                }
                Value::Number(n) => {
                    self.out.push(b'"');
                    self.number(&key, *n)?;
                    self.out.push(b'"');
                }
                other => return Err(refused(other, "table key must be a number or string")),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
