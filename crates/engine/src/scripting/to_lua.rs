//! Replies of commands as Lua values, by Redis's rules.
//!
//! The bytes are our own reply writer's, so what does not parse is a bug; nothing is allocated on the word of a length all the same.

use mlua::{Lua, Result, Table, Value};

use super::call::Failure;

/// The first line's text and what follows it.
pub(super) fn line(reply: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr_cr(reply);
    (&reply[1..end], &reply[end + 2..])
}

#[inline]
fn memchr_cr(reply: &[u8]) -> usize {
    reply
        .iter()
        .position(|&byte| byte == b'\r')
        .expect("every line of a reply ends")
}

fn number(text: &[u8]) -> i64 {
    crate::number::parse_i64(text).expect("a reply's number")
}

fn string(lua: &Lua, bytes: &[u8]) -> Result<Value> {
    lua.create_string(bytes).map(Value::String)
}

fn single(lua: &Lua, name: &str, value: Value) -> Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

/// A failure as scripts see it.
pub(super) fn failure(lua: &Lua, failure: &Failure) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 4)?;
    table.raw_set("err", lua.create_string(&failure.text)?)?;
    if failure.is_counted {
        // Whoever answers with it does not count it again.
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

/// The text of an error reply in the form in which scripts see it: with a code, whatever it is.
pub(super) fn error_text(line: &[u8]) -> Vec<u8> {
    match line.contains(&b' ') {
        true => line.to_vec(),
        false => [b"ERR ", line].concat(),
    }
}

/// Takes one reply off `reply`.
pub(super) fn read(lua: &Lua, reply: &mut &[u8]) -> Result<Value> {
    let kind = reply[0];
    let (text, rest) = line(reply);
    *reply = rest;
    match kind {
        b':' => Ok(Value::Integer(number(text))),
        b'$' => match usize::try_from(number(text)) {
            Err(_) => Ok(Value::Boolean(false)),
            Ok(len) => {
                let bytes = &rest[..len];
                *reply = &rest[len + 2..];
                string(lua, bytes)
            }
        },
        b'+' => single(lua, "ok", string(lua, text)?),
        b'-' => Ok(Value::Table(failure(
            lua,
            &Failure::counted(error_text(text)),
        )?)),
        b'*' | b'>' => match usize::try_from(number(text)) {
            Err(_) => Ok(Value::Boolean(false)),
            Ok(len) => {
                // As long as an element takes at least three bytes, so many are there.
                let table = lua.create_table_with_capacity(len.min(rest.len() / 3), 0)?;
                for i in 1..=len {
                    table.raw_set(i, read(lua, reply)?)?;
                }
                Ok(Value::Table(table))
            }
        },
        b'%' => {
            let pairs = lua.create_table()?;
            for _ in 0..number(text) {
                let key = read(lua, reply)?;
                pairs.raw_set(key, read(lua, reply)?)?;
            }
            single(lua, "map", Value::Table(pairs))
        }
        b'~' => {
            let members = lua.create_table()?;
            for _ in 0..number(text) {
                members.raw_set(read(lua, reply)?, true)?;
            }
            single(lua, "set", Value::Table(members))
        }
        b'_' => Ok(Value::Nil),
        b'#' => Ok(Value::Boolean(text == b"t")),
        b',' => {
            let value = crate::number::parse_double(text).unwrap_or(f64::NAN);
            single(lua, "double", Value::Number(value))
        }
        b'(' => single(lua, "big_number", string(lua, text)?),
        b'=' => {
            let len = usize::try_from(number(text)).expect("a reply's length");
            let bytes = &rest[..len];
            *reply = &rest[len + 2..];
            let verbatim = lua.create_table_with_capacity(0, 2)?;
            verbatim.raw_set("format", lua.create_string(&bytes[..3])?)?;
            verbatim.raw_set("string", lua.create_string(&bytes[4..])?)?;
            single(lua, "verbatim_string", Value::Table(verbatim))
        }
        b'|' => {
            for _ in 0..2 * number(text) {
                read(lua, reply)?;
            }
            read(lua, reply)
        }
        other => unreachable!("a reply of kind {other}"),
    }
}
