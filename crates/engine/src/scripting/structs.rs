//! `struct`: numbers and strings as bytes by a format, with the results of Roberto Ierusalimschy's library.
//!
//! Every size is checked before it is used: what a format asks for is never larger than what is there, or than [`PACKED_BYTES_MAX`].

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::interpreter::{Answer, add, number_arg, single, text_arg};

/// Longest integer.
const INTEGER_BYTES_MAX: usize = 32;
/// Alignment unless the format says otherwise: that of a double.
const NATIVE_ALIGN: usize = 8;
/// Longest packed string.
const PACKED_BYTES_MAX: usize = 512 << 20;

/// One item of a format.
struct Item {
    option: u8,
    size: usize,
    /// Bytes before it, so that it stands where its alignment asks.
    padding: usize,
}

struct Format<'f> {
    rest: &'f [u8],
    big_endian: bool,
    align: usize,
}

impl<'f> Format<'f> {
    fn new(format: &'f [u8]) -> Format<'f> {
        // A NUL ends it, as in C.
        let end = format.iter().position(|&byte| byte == 0);
        Format {
            rest: &format[..end.unwrap_or(format.len())],
            big_endian: false,
            align: 1,
        }
    }

    fn number(&mut self, default: usize) -> std::result::Result<usize, String> {
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (text, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let mut number = 0i32;
        for digit in text {
            let next = number.checked_mul(10);
            let next = next.and_then(|n| n.checked_add(i32::from(digit - b'0')));
            number = next.ok_or("integral size overflow")?;
        }
        Ok(number as usize)
    }

    /// The next item at position `at` of the data; options that only control are carried out.
    fn next(&mut self, at: usize) -> std::result::Result<Option<Item>, String> {
        loop {
            let Some((&option, rest)) = self.rest.split_first() else {
                return Ok(None);
            };
            self.rest = rest;
            let size = match option {
                b'B' | b'b' | b'x' => 1,
                b'H' | b'h' => 2,
                b'L' | b'l' | b'T' | b'd' => 8,
                b'f' => 4,
                b'c' => self.number(1)?,
                b'i' | b'I' => match self.number(4)? {
                    size if size <= INTEGER_BYTES_MAX => size,
                    size => {
                        return Err(format!(
                            "integral size {size} is larger than limit of {INTEGER_BYTES_MAX}"
                        ));
                    }
                },
                b's' => 0,
                b' ' => continue,
                b'>' => {
                    self.big_endian = true;
                    continue;
                }
                b'<' => {
                    self.big_endian = false;
                    continue;
                }
                b'!' => {
                    let align = self.number(NATIVE_ALIGN)?;
                    if !align.is_power_of_two() {
                        return Err(format!("alignment {align} is not a power of 2"));
                    }
                    self.align = align;
                    continue;
                }
                other => {
                    return Err(format!(
                        "bad argument #1 (invalid format option '{}')",
                        other as char
                    ));
                }
            };
            let padding = if size == 0 || option == b'c' {
                0
            } else {
                let align = size.min(self.align);
                // Of a size that is no power of two Redis makes the same of the same bits.
                align.wrapping_sub(at & (align - 1)) & (align - 1)
            };
            return Ok(Some(Item {
                option,
                size,
                padding,
            }));
        }
    }
}

fn is_integer(option: u8) -> bool {
    matches!(
        option,
        b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I'
    )
}

fn pack(lua: &Lua, args: &MultiValue) -> Answer {
    let format = text_arg(args, 0)?;
    let mut format = Format::new(&format);
    let (mut out, mut arg) = (Vec::new(), 1);
    while let Some(item) = format.next(out.len())? {
        let size = item.size;
        let wanted = out.len().saturating_add(item.padding).saturating_add(size);
        if wanted > PACKED_BYTES_MAX {
            return Err("result too long".to_owned());
        }
        out.resize(out.len() + item.padding, 0);
        let start = out.len();
        match item.option {
            b'x' => out.push(0),
            option if is_integer(option) => {
                let number = number_arg(args, arg)?;
                let value = if number < 0.0 {
                    number as i64 as u64
                } else {
                    number as u64
                };
                let bytes = value.to_le_bytes();
                // As in C, where the value is unsigned: no sign beyond its eight bytes.
                out.extend((0..size).map(|i| bytes.get(i).copied().unwrap_or(0)));
                if format.big_endian {
                    out[start..].reverse();
                }
                arg += 1;
            }
            b'f' => {
                out.extend_from_slice(&(number_arg(args, arg)? as f32).to_le_bytes());
                if format.big_endian {
                    out[start..].reverse();
                }
                arg += 1;
            }
            b'd' => {
                out.extend_from_slice(&number_arg(args, arg)?.to_le_bytes());
                if format.big_endian {
                    out[start..].reverse();
                }
                arg += 1;
            }
            option => {
                let text = text_arg(args, arg)?;
                arg += 1;
                let size = if size == 0 { text.len() } else { size };
                let part = text
                    .get(..size)
                    .ok_or_else(|| format!("bad argument #{} (string too short)", arg + 1))?;
                out.extend_from_slice(part);
                if option == b's' {
                    out.push(0);
                }
            }
        }
    }
    single(lua, &out)
}

fn integer(bytes: &[u8], big_endian: bool, signed: bool) -> f64 {
    let mut value = 0u64;
    let mut take = |byte: &u8| value = value << 8 | u64::from(*byte);
    if big_endian {
        bytes.iter().for_each(&mut take);
    } else {
        bytes.iter().rev().for_each(&mut take);
    }
    if !signed {
        return value as f64;
    }
    let bits = bytes.len() * 8;
    if bits == 0 || bits >= 64 {
        return value as i64 as f64;
    }
    let unused = 64 - bits as u32;
    ((value << unused) as i64 >> unused) as f64
}

fn unpack(lua: &Lua, args: &MultiValue) -> Answer {
    let format = text_arg(args, 0)?;
    let data = text_arg(args, 1)?;
    let position = match args.get(2) {
        None | Some(Value::Nil) => 1.0,
        Some(_) => number_arg(args, 2)?,
    };
    if position.is_nan() || position < 1.0 {
        return Err("bad argument #3 (offset must be 1 or greater)".to_owned());
    }
    let mut format = Format::new(&format);
    let mut at = position as usize - 1;
    let mut results = Vec::<Value>::new();
    let too_short = || "bad argument #2 (data string too short)".to_owned();
    let part = |at: usize, size: usize| {
        let end = at.checked_add(size).ok_or_else(too_short)?;
        data.get(at..end).ok_or_else(too_short)
    };
    while let Some(item) = format.next(at)? {
        at = at.checked_add(item.padding).ok_or_else(too_short)?;
        let mut size = item.size;
        let bytes = part(at, size)?;
        match item.option {
            b'x' => {}
            option if is_integer(option) => {
                let number = integer(bytes, format.big_endian, option.is_ascii_lowercase());
                results.push(Value::Number(number));
            }
            b'f' => {
                let mut bytes: [u8; 4] = bytes.try_into().expect("four bytes were taken");
                if format.big_endian {
                    bytes.reverse();
                }
                results.push(Value::Number(f64::from(f32::from_le_bytes(bytes))));
            }
            b'd' => {
                let mut bytes: [u8; 8] = bytes.try_into().expect("eight bytes were taken");
                if format.big_endian {
                    bytes.reverse();
                }
                results.push(Value::Number(f64::from_le_bytes(bytes)));
            }
            b'c' => {
                if size == 0 {
                    size = match results.pop() {
                        Some(Value::Number(n)) if n >= 0.0 && n <= data.len() as f64 => n as usize,
                        Some(Value::Number(_)) => return Err(too_short()),
                        _ => return Err("format 'c0' needs a previous size".to_owned()),
                    };
                }
                results.push(string(lua, part(at, size)?)?);
            }
            _ => {
                let rest = &data[at.min(data.len())..];
                let len = rest.iter().position(|&byte| byte == 0);
                let len = len.ok_or("unfinished string in data")?;
                results.push(string(lua, &rest[..len])?);
                size = len + 1;
            }
        }
        at += size;
    }
    results.push(Value::Number((at + 1) as f64));
    Ok(MultiValue::from_iter(results))
}

fn string(lua: &Lua, bytes: &[u8]) -> std::result::Result<Value, String> {
    let text = lua.create_string(bytes);
    text.map(Value::String).map_err(|error| error.to_string())
}

fn size(args: &MultiValue) -> Answer {
    let format = text_arg(args, 0)?;
    let mut format = Format::new(&format);
    let mut at = 0usize;
    while let Some(item) = format.next(at)? {
        match (item.option, item.size) {
            (b's', _) => return Err("bad argument #1 (option 's' has no fixed size)".to_owned()),
            (b'c', 0) => return Err("bad argument #1 (option 'c0' has no fixed size)".to_owned()),
            _ => {}
        }
        at = at.saturating_add(item.padding).saturating_add(item.size);
    }
    Ok(MultiValue::from_iter([Value::Number(at as f64)]))
}

pub(super) fn library(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    add(lua, &library, "pack", |lua, args| pack(lua, &args))?;
    add(lua, &library, "unpack", |lua, args| unpack(lua, &args))?;
    add(lua, &library, "size", |_, args| size(&args))?;
    Ok(library)
}
