//! `cjson`: JSON, with the results of lua-cjson 2.1.
//!
//! Settings belong to the interpreter and last, as in Redis.

mod decode;
mod encode;

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::interpreter::{Answer, add, number_arg, single, text_arg};

/// What scripts may set.
struct Settings {
    sparse_convert: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_max_depth: i32,
    decode_max_depth: i32,
    /// 0: an error; 1: written; 2: `null`.
    encode_invalid_numbers: usize,
    decode_invalid_numbers: bool,
    keep_buffer: bool,
    precision: i32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            encode_invalid_numbers: 0,
            decode_invalid_numbers: true,
            keep_buffer: true,
            precision: 14,
        }
    }
}

type Shared = Rc<RefCell<Settings>>;

/// Sets a number if there is an argument; the number.
fn integer(
    args: &MultiValue,
    index: usize,
    setting: &mut i32,
    min: i32,
    max: i32,
) -> std::result::Result<Value, String> {
    if !matches!(args.get(index), None | Some(Value::Nil)) {
        let value = number_arg(args, index)?;
        if !(f64::from(min)..=f64::from(max)).contains(&value) {
            return Err(format!(
                "bad argument #1 (expected integer between {min} and {max})"
            ));
        }
        *setting = value as i32;
    }
    Ok(Value::Integer(i64::from(*setting)))
}

/// Sets one of several words, the second of which is also `true` and the first `false`.
fn choice(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    setting: &mut usize,
    words: &[&str],
) -> std::result::Result<Value, String> {
    match args.get(index) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(yes)) => *setting = usize::from(*yes),
        Some(_) => {
            let word = text_arg(args, index)?;
            let found = words.iter().position(|known| known.as_bytes() == word);
            *setting = found.ok_or_else(|| {
                format!(
                    "bad argument #{} (invalid option '{}')",
                    index + 1,
                    String::from_utf8_lossy(&word)
                )
            })?;
        }
    }
    match *setting {
        0 => Ok(Value::Boolean(false)),
        1 => Ok(Value::Boolean(true)),
        other => lua
            .create_string(words[other])
            .map(Value::String)
            .map_err(|error| error.to_string()),
    }
}

fn flag(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    setting: &mut bool,
) -> std::result::Result<Value, String> {
    let mut chosen = usize::from(*setting);
    let value = choice(lua, args, index, &mut chosen, &["off", "on"])?;
    *setting = chosen == 1;
    Ok(value)
}

fn at_most(args: &MultiValue, max: usize) -> std::result::Result<(), String> {
    match args.len() <= max {
        true => Ok(()),
        false => Err(format!(
            "bad argument #{} (found too many arguments)",
            max + 1
        )),
    }
}

fn one(value: std::result::Result<Value, String>) -> Answer {
    value.map(|value| MultiValue::from_iter([value]))
}

pub(super) fn library(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    let settings = Shared::default();
    let function =
        |name: &str, max: usize, body: fn(&Lua, &MultiValue, &mut Settings) -> Answer| {
            let settings = Rc::clone(&settings);
            add(lua, &library, name, move |lua, args| {
                at_most(&args, max)?;
                body(lua, &args, &mut settings.borrow_mut())
            })
        };
    function("encode_sparse_array", 3, |lua, args, settings| {
        Ok(MultiValue::from_iter([
            flag(lua, args, 0, &mut settings.sparse_convert)?,
            integer(args, 1, &mut settings.sparse_ratio, 0, i32::MAX)?,
            integer(args, 2, &mut settings.sparse_safe, 0, i32::MAX)?,
        ]))
    })?;
    function("encode_max_depth", 1, |_, args, settings| {
        one(integer(
            args,
            0,
            &mut settings.encode_max_depth,
            1,
            i32::MAX,
        ))
    })?;
    function("decode_max_depth", 1, |_, args, settings| {
        one(integer(
            args,
            0,
            &mut settings.decode_max_depth,
            1,
            i32::MAX,
        ))
    })?;
    function("encode_number_precision", 1, |_, args, settings| {
        one(integer(args, 0, &mut settings.precision, 1, 14))
    })?;
    function("encode_keep_buffer", 1, |lua, args, settings| {
        one(flag(lua, args, 0, &mut settings.keep_buffer))
    })?;
    function("encode_invalid_numbers", 1, |lua, args, settings| {
        let setting = &mut settings.encode_invalid_numbers;
        one(choice(lua, args, 0, setting, &["off", "on", "null"]))
    })?;
    function("decode_invalid_numbers", 1, |lua, args, settings| {
        one(flag(lua, args, 0, &mut settings.decode_invalid_numbers))
    })?;
    let expected = "bad argument #1 (expected 1 argument)";
    let own = Rc::clone(&settings);
    add(lua, &library, "encode", move |lua, args| match args.len() {
        1 => single(lua, &encode::encode(&own.borrow(), &args[0])?),
        _ => Err(expected.to_owned()),
    })?;
    add(lua, &library, "decode", move |lua, args| {
        if args.len() != 1 {
            return Err(expected.to_owned());
        }
        let json = text_arg(&args, 0)?;
        one(decode::decode(lua, &settings.borrow(), &json))
    })?;
    library.raw_set("null", Value::NULL)?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}
