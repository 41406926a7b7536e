//! `bit`: operations on 32 bits, with the results of LuaBitOp.

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::interpreter::{Answer, add};

/// Adding it moves a double's integer part, modulo 2^32, into the lowest bits of its representation.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// The 32 bits of the argument at `index`, from 0.
fn bits(args: &MultiValue, index: usize) -> std::result::Result<u32, String> {
    let number = match args.get(index) {
        Some(Value::Integer(number)) => *number as f64,
        Some(Value::Number(number)) => *number,
        Some(Value::String(text)) => {
            let text = text.to_string_lossy();
            crate::number::parse_double(text.trim().as_bytes())
                .ok_or_else(|| wrong(index, "string"))?
        }
        Some(other) => return Err(wrong(index, other.type_name())),
        None => return Err(wrong(index, "no value")),
    };
    Ok((number + MAGIC).to_bits() as u32)
}

fn wrong(index: usize, got: &str) -> String {
    format!("bad argument #{} (number expected, got {got})", index + 1)
}

fn number(bits: u32) -> Answer {
    Ok(MultiValue::from_iter([Value::Integer(i64::from(
        bits as i32,
    ))]))
}

fn fold(args: &MultiValue, fold: impl Fn(u32, u32) -> u32) -> Answer {
    let mut result = bits(args, 0)?;
    for index in 1..args.len() {
        result = fold(result, bits(args, index)?);
    }
    number(result)
}

fn shift(args: &MultiValue, shift: impl Fn(u32, u32) -> u32) -> Answer {
    number(shift(bits(args, 0)?, bits(args, 1)? & 31))
}

/// Hexadecimal digits: as many as the second argument says, upper case if it is negative, eight at most.
fn to_hex(lua: &Lua, args: &MultiValue) -> Answer {
    let value = bits(args, 0)?;
    let count = match args.len() {
        0 | 1 => 8,
        _ => bits(args, 1)? as i32,
    };
    let digits = count.unsigned_abs().min(8) as usize;
    let all = if count < 0 {
        format!("{value:08X}")
    } else {
        format!("{value:08x}")
    };
    let text = lua
        .create_string(&all.as_bytes()[8 - digits..])
        .map_err(|error| error.to_string())?;
    Ok(MultiValue::from_iter([Value::String(text)]))
}

pub(super) fn library(lua: &Lua) -> Result<Table> {
    let bit = lua.create_table()?;
    add(lua, &bit, "tobit", |_, args| number(bits(&args, 0)?))?;
    add(lua, &bit, "bnot", |_, args| number(!bits(&args, 0)?))?;
    add(lua, &bit, "band", |_, args| fold(&args, |a, b| a & b))?;
    add(lua, &bit, "bor", |_, args| fold(&args, |a, b| a | b))?;
    add(lua, &bit, "bxor", |_, args| fold(&args, |a, b| a ^ b))?;
    add(lua, &bit, "lshift", |_, args| shift(&args, |a, n| a << n))?;
    add(lua, &bit, "rshift", |_, args| shift(&args, |a, n| a >> n))?;
    add(lua, &bit, "arshift", |_, args| {
        shift(&args, |a, n| ((a as i32) >> n) as u32)
    })?;
    add(lua, &bit, "rol", |_, args| shift(&args, u32::rotate_left))?;
    add(lua, &bit, "ror", |_, args| shift(&args, u32::rotate_right))?;
    add(lua, &bit, "bswap", |_, args| {
        number(bits(&args, 0)?.swap_bytes())
    })?;
    add(lua, &bit, "tohex", |lua, args| to_hex(lua, &args))?;
    Ok(bit)
}
