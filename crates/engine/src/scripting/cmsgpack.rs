//! `cmsgpack`: MessagePack, with the results of lua-cmsgpack. <https://msgpack.org>
//!
//! Nothing is allocated on the word of a length, tables inside each other end at [`DEPTH_MAX`] both ways.

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::interpreter::{Answer, add, number_arg, single, text_arg};

/// Tables inside each other that are packed; deeper ones become nil.
const PACKED_DEPTH_MAX: usize = 16;
/// Tables inside each other that are unpacked.
const DEPTH_MAX: usize = 1_000;
/// Values that one call returns: what Lua's stack holds.
const VALUES_MAX: usize = 7_990;

const MISSING: &str = "Missing bytes in input.";
const BAD_FORMAT: &str = "Bad data format in input.";

fn text(error: mlua::Error) -> String {
    super::interpreter::message(&error)
}

/// Appends a length behind the shortest of its heads: one for lengths below `short_end`, then with one (if there is one), two and four bytes.
fn head(out: &mut Vec<u8>, len: usize, short: u8, short_end: usize, with: [Option<u8>; 3]) {
    match len {
        len if len < short_end => out.push(short | len as u8),
        len if len <= 0xff && with[0].is_some() => {
            out.extend([with[0].unwrap_or_default(), len as u8]);
        }
        len if len <= 0xffff => {
            out.push(with[1].unwrap_or_default());
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(with[2].unwrap_or_default());
            out.extend((len as u32).to_be_bytes());
        }
    }
}

fn pack_integer(out: &mut Vec<u8>, n: i64) {
    match n {
        0..=0x7f => out.push(n as u8),
        0x80..=0xff => out.extend([0xcc, n as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((n as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend(n.to_be_bytes());
        }
        -32..=-1 => out.push(n as u8),
        -128..=-33 => out.extend([0xd0, n as u8]),
        -32768..=-129 => {
            out.push(0xd1);
            out.extend((n as u16).to_be_bytes());
        }
        -2_147_483_648..=-32769 => {
            out.push(0xd2);
            out.extend((n as u32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend(n.to_be_bytes());
        }
    }
}

fn pack_number(out: &mut Vec<u8>, n: f64) {
    if f64::from(n as f32) == n {
        out.push(0xca);
        out.extend((n as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend(n.to_be_bytes());
    }
}

fn pack_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> std::result::Result<(), String> {
    match value {
        Value::String(string) => {
            let bytes = string.as_bytes();
            let heads = [Some(0xd9), Some(0xda), Some(0xdb)];
            head(out, bytes.len(), 0xa0, 32, heads);
            out.extend_from_slice(&bytes);
        }
        Value::Boolean(yes) => out.push(if *yes { 0xc3 } else { 0xc2 }),
        Value::Integer(n) => pack_integer(out, *n),
        Value::Number(n) => pack_number(out, *n),
        Value::Table(table) if depth < PACKED_DEPTH_MAX => pack_table(out, table, depth)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

/// How many elements a table has, and whether their keys are 1, 2 and so on.
fn shape(table: &Table) -> std::result::Result<(usize, bool), String> {
    let (mut count, mut max, mut is_array) = (0usize, 0i64, true);
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair.map_err(text)?;
        count += 1;
        match key {
            Value::Integer(key) if key > 0 => max = max.max(key),
            _ => is_array = false,
        }
    }
    Ok((count, is_array && max == count as i64))
}

fn pack_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> std::result::Result<(), String> {
    let (count, is_array) = shape(table)?;
    if is_array {
        head(out, count, 0x90, 16, [None, Some(0xdc), Some(0xdd)]);
        for index in 1..=count {
            let element = table.raw_get::<Value>(index).map_err(text)?;
            pack_value(out, &element, depth + 1)?;
        }
    } else {
        head(out, count, 0x80, 16, [None, Some(0xde), Some(0xdf)]);
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair.map_err(text)?;
            pack_value(out, &key, depth + 1)?;
            pack_value(out, &value, depth + 1)?;
        }
    }
    Ok(())
}

fn pack(lua: &Lua, args: &MultiValue) -> Answer {
    if args.is_empty() {
        return Err("bad argument #0 (MessagePack pack needs input.)".to_owned());
    }
    let mut out = Vec::new();
    for arg in args {
        pack_value(&mut out, arg, 0)?;
    }
    single(lua, &out)
}

struct Reader<'r> {
    lua: &'r Lua,
    rest: &'r [u8],
}

impl<'r> Reader<'r> {
    fn take(&mut self, len: usize) -> std::result::Result<&'r [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(MISSING)?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned number of `bytes` bytes.
    fn number(&mut self, bytes: usize) -> std::result::Result<u64, String> {
        let taken = self.take(bytes)?.iter();
        Ok(taken.fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> std::result::Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(BAD_FORMAT.to_owned());
        }
        let kind = self.take(1)?[0];
        Ok(match kind {
            0x00..=0x7f => Value::Integer(i64::from(kind)),
            0xe0..=0xff => Value::Integer(i64::from(kind as i8)),
            0x80..=0x8f => self.map(usize::from(kind & 0xf), depth)?,
            0x90..=0x9f => self.array(usize::from(kind & 0xf), depth)?,
            0xa0..=0xbf => self.string(usize::from(kind & 0x1f))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f64::from(f32::from_bits(self.number(4)? as u32))),
            0xcb => Value::Number(f64::from_bits(self.number(8)?)),
            0xcc => Value::Integer(self.number(1)? as i64),
            0xcd => Value::Integer(self.number(2)? as i64),
            0xce => Value::Integer(self.number(4)? as i64),
            0xcf => Value::Number(self.number(8)? as f64),
            0xd0 => Value::Integer(i64::from(self.number(1)? as i8)),
            0xd1 => Value::Integer(i64::from(self.number(2)? as i16)),
            0xd2 => Value::Integer(i64::from(self.number(4)? as i32)),
            0xd3 => Value::Integer(self.number(8)? as i64),
            0xd9 => self.sized(1, Reader::string)?,
            0xda => self.sized(2, Reader::string)?,
            0xdb => self.sized(4, Reader::string)?,
            0xdc => self.sized(2, |reader, len| reader.array(len, depth))?,
            0xdd => self.sized(4, |reader, len| reader.array(len, depth))?,
            0xde => self.sized(2, |reader, len| reader.map(len, depth))?,
            0xdf => self.sized(4, |reader, len| reader.map(len, depth))?,
            _ => return Err(BAD_FORMAT.to_owned()),
        })
    }

    fn sized(
        &mut self,
        bytes: usize,
        read: impl FnOnce(&mut Reader<'r>, usize) -> std::result::Result<Value, String>,
    ) -> std::result::Result<Value, String> {
        let len = self.number(bytes)?;
        read(self, usize::try_from(len).map_err(|_| MISSING)?)
    }

    fn string(&mut self, len: usize) -> std::result::Result<Value, String> {
        let bytes = self.take(len)?;
        self.lua
            .create_string(bytes)
            .map(Value::String)
            .map_err(text)
    }

    fn array(&mut self, len: usize, depth: usize) -> std::result::Result<Value, String> {
        // An element takes a byte at least.
        let room = len.min(self.rest.len());
        let table = self.lua.create_table_with_capacity(room, 0).map_err(text)?;
        for index in 1..=len {
            table.raw_set(index, self.value(depth + 1)?).map_err(text)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> std::result::Result<Value, String> {
        let table = self.lua.create_table().map_err(text)?;
        for _ in 0..len {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            match key {
                Value::Nil => return Err("index is nil".to_owned()),
                Value::Number(key) if key.is_nan() => return Err("index is NaN".to_owned()),
                key => table.raw_set(key, value).map_err(text)?,
            }
        }
        Ok(Value::Table(table))
    }
}

/// Values from `offset` on, `limit` at most; without either, all of them and no offset before them.
fn unpack(lua: &Lua, args: &MultiValue, limit: i64, offset: i64) -> Answer {
    let data = text_arg(args, 0)?;
    let len = data.len();
    if limit < 0 || offset < 0 {
        return Err(format!(
            "Invalid request to unpack with offset of {offset} and limit of {len}."
        ));
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let Some(rest) = data.get(start..) else {
        return Err(format!(
            "Start offset {offset} greater than input length {len}."
        ));
    };
    let all = limit == 0 && offset == 0;
    let mut reader = Reader { lua, rest };
    let mut results = MultiValue::new();
    while !reader.rest.is_empty() && (all || (results.len() as i64) < limit) {
        if results.len() == VALUES_MAX {
            return Err(
                "too many return values at once; use unpack_one or unpack_limit instead."
                    .to_owned(),
            );
        }
        results.push_back(reader.value(0)?);
    }
    if !all {
        let next = match reader.rest.len() {
            0 => -1,
            left => (len - left) as i64,
        };
        results.push_front(Value::Integer(next));
    }
    Ok(results)
}

fn optional(args: &MultiValue, index: usize) -> std::result::Result<i64, String> {
    match args.get(index) {
        None | Some(Value::Nil) => Ok(0),
        Some(_) => Ok(number_arg(args, index)? as i64),
    }
}

pub(super) fn library(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    add(lua, &library, "pack", |lua, args| pack(lua, &args))?;
    add(lua, &library, "unpack", |lua, args| {
        unpack(lua, &args, 0, 0)
    })?;
    add(lua, &library, "unpack_one", |lua, args| {
        unpack(lua, &args, 1, optional(&args, 1)?)
    })?;
    add(lua, &library, "unpack_limit", |lua, args| {
        let limit = number_arg(&args, 1)? as i64;
        unpack(lua, &args, limit, optional(&args, 2)?)
    })?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_DESCRIPTION", "MessagePack for Lua")?;
    Ok(library)
}
