//! JSON as Lua values.

use mlua::{Lua, Value};

use super::Settings;

/// Values inside each other that are decoded whatever is set: each takes some of the thread's own stack.
const DEPTH_MAX: i32 = 1_000;

#[derive(Debug)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    /// What lua-cjson calls it in error messages.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

struct Decoder<'d> {
    lua: &'d Lua,
    settings: &'d Settings,
    json: &'d [u8],
    at: usize,
    depth: i32,
}

/// The value of a JSON text.
pub(super) fn decode(lua: &Lua, settings: &Settings, json: &[u8]) -> Result<Value, String> {
    if json.len() >= 2 && (json[0] == 0 || json[1] == 0) {
        return Err("JSON parser does not support UTF-16 or UTF-32".to_owned());
    }
    let mut decoder = Decoder {
        lua,
        settings,
        json,
        at: 0,
        depth: 0,
    };
    let token = decoder.next();
    let value = decoder.value(token)?;
    match decoder.next() {
        (Token::End, _) => Ok(value),
        other => Err(unexpected("the end", &other)),
    }
}

fn unexpected(expected: &str, (token, at): &(Token, usize)) -> String {
    format!(
        "Expected {expected} but found {} at character {}",
        token.name(),
        at + 1
    )
}

fn text(error: mlua::Error) -> String {
    super::super::interpreter::message(&error)
}

impl Decoder<'_> {
    /// The byte at a place; NUL past the end, where it ends as in C.
    fn byte(&self, at: usize) -> u8 {
        self.json.get(at).copied().unwrap_or(0)
    }

    /// The next token and where it is.
    fn next(&mut self) -> (Token, usize) {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let start = self.at;
        let mut single = |token: Token| {
            self.at += 1;
            (token, start)
        };
        match self.json.get(start).copied().unwrap_or(0) {
            b'{' => single(Token::ObjectBegin),
            b'}' => single(Token::ObjectEnd),
            b'[' => single(Token::ArrayBegin),
            b']' => single(Token::ArrayEnd),
            b',' => single(Token::Comma),
            b':' => single(Token::Colon),
            0 => (Token::End, start),
            b'"' => match self.string() {
                Ok(string) => (Token::String(string), start),
                Err(what) => (Token::Error(what), self.at),
            },
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid_numbers && self.is_invalid_number() {
                    return (Token::Error("invalid number"), start);
                }
                self.number(start)
            }
            _ => {
                for (word, token) in [
                    ("true", Token::Boolean(true)),
                    ("false", Token::Boolean(false)),
                    ("null", Token::Null),
                ] {
                    if self.json[start..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return (token, start);
                    }
                }
                let may_be_number = matches!(self.byte(start), b'i' | b'I' | b'n' | b'N' | b'+');
                if may_be_number && self.settings.decode_invalid_numbers && self.is_invalid_number()
                {
                    return self.number(start);
                }
                (Token::Error("invalid token"), start)
            }
        }
    }

    /// Whether what is here is no number in JSON, though it may be one in C.
    fn is_invalid_number(&self) -> bool {
        let mut at = self.at;
        match self.byte(at) {
            b'+' => return true,
            b'-' => at += 1,
            _ => {}
        }
        let first = self.byte(at);
        if first == b'0' {
            let second = self.byte(at + 1);
            return second | 0x20 == b'x' || second.is_ascii_digit();
        }
        if first <= b'9' {
            return false;
        }
        let word = self.json.get(at..at + 3).unwrap_or_default();
        word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
    }

    /// A number as C's strtod reads it.
    fn number(&mut self, start: usize) -> (Token, usize) {
        match strtod(&self.json[start..]) {
            Some((number, len)) => {
                self.at = start + len;
                (Token::Number(number), start)
            }
            None => (Token::Error("invalid number"), start),
        }
    }

    /// A string whose quotation mark is next; where it fails `at` is the place.
    fn string(&mut self) -> Result<Vec<u8>, &'static str> {
        let mut string = Vec::new();
        self.at += 1;
        loop {
            // What needs no look is taken in one piece.
            let rest = &self.json[self.at.min(self.json.len())..];
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0))
                .unwrap_or(rest.len());
            string.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.byte(self.at) {
                b'"' => {
                    self.at += 1;
                    return Ok(string);
                }
                0 => return Err("unexpected end of string"),
                _ => {}
            }
            let escaped = match self.byte(self.at + 1) {
                b'u' => {
                    let (code, len) = self.unicode().ok_or("invalid unicode escape code")?;
                    string.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += len;
                    continue;
                }
                byte @ (b'"' | b'\\' | b'/') => byte,
                b'b' => 0x08,
                b't' => b'\t',
                b'n' => b'\n',
                b'f' => 0x0c,
                b'r' => b'\r',
                _ => return Err("invalid escape code"),
            };
            string.push(escaped);
            self.at += 2;
        }
    }

    /// The character of a `\uXXXX`, or of two that make a pair, and its length.
    fn unicode(&self) -> Option<(char, usize)> {
        let first = self.hex4(self.at + 2)?;
        if first & 0xF800 != 0xD800 {
            return char::from_u32(first).map(|code| (code, 6));
        }
        if first & 0x400 != 0 || self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
            return None;
        }
        let second = self.hex4(self.at + 8)?;
        if second & 0xFC00 != 0xDC00 {
            return None;
        }
        let code = ((first & 0x3FF) << 10 | second & 0x3FF) + 0x1_0000;
        char::from_u32(code).map(|code| (code, 12))
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        (at..at + 4).try_fold(0, |code, at| {
            let digit = (self.byte(at) as char).to_digit(16)?;
            Some(code << 4 | digit)
        })
    }

    fn descend(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > self.settings.decode_max_depth.min(DEPTH_MAX) {
            return Err(format!(
                "Found too many nested data structures ({}) at character {}",
                self.depth, self.at
            ));
        }
        Ok(())
    }

    fn value(&mut self, token: (Token, usize)) -> Result<Value, String> {
        match token.0 {
            Token::String(string) => self
                .lua
                .create_string(string)
                .map(Value::String)
                .map_err(text),
            Token::Number(number) => Ok(Value::Number(number)),
            Token::Boolean(yes) => Ok(Value::Boolean(yes)),
            Token::Null => Ok(Value::NULL),
            Token::ObjectBegin => self.object(),
            Token::ArrayBegin => self.array(),
            _ => Err(unexpected("value", &token)),
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        self.descend()?;
        let table = self.lua.create_table().map_err(text)?;
        let mut token = self.next();
        if !matches!(token.0, Token::ObjectEnd) {
            loop {
                let Token::String(key) = token.0 else {
                    return Err(unexpected("object key string", &token));
                };
                let colon = self.next();
                if !matches!(colon.0, Token::Colon) {
                    return Err(unexpected("colon", &colon));
                }
                let first = self.next();
                let value = self.value(first)?;
                let key = self.lua.create_string(key).map_err(text)?;
                table.raw_set(key, value).map_err(text)?;
                token = self.next();
                match token.0 {
                    Token::ObjectEnd => break,
                    Token::Comma => token = self.next(),
                    _ => return Err(unexpected("comma or object end", &token)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn array(&mut self) -> Result<Value, String> {
        self.descend()?;
        let table = self.lua.create_table().map_err(text)?;
        let mut token = self.next();
        if !matches!(token.0, Token::ArrayEnd) {
            for index in 1.. {
                let value = self.value(token)?;
                table.raw_set(index, value).map_err(text)?;
                token = self.next();
                match token.0 {
                    Token::ArrayEnd => break,
                    Token::Comma => token = self.next(),
                    _ => return Err(unexpected("comma or array end", &token)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}

/// The longest prefix that C's strtod reads, and its length: decimal and hexadecimal numbers, `inf`, `infinity`, `nan`.
fn strtod(text: &[u8]) -> Option<(f64, usize)> {
    let sign_len = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let sign = if text.first() == Some(&b'-') {
        -1.0
    } else {
        1.0
    };
    let rest = &text[sign_len..];
    let has = |word: &[u8]| {
        rest.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    for (word, value) in [
        (&b"infinity"[..], f64::INFINITY),
        (b"inf", f64::INFINITY),
        (b"nan", f64::NAN),
    ] {
        if has(word) {
            return Some((sign * value, sign_len + word.len()));
        }
    }
    if has(b"0x") && rest.get(2).is_some_and(u8::is_ascii_hexdigit) {
        let digits = rest[2..].iter().take_while(|b| b.is_ascii_hexdigit());
        let (value, len) = digits.fold((0.0, 0), |(value, len), digit| {
            let digit = (*digit as char).to_digit(16).unwrap_or(0);
            (value * 16.0 + f64::from(digit), len + 1)
        });
        return Some((sign * value, sign_len + 2 + len));
    }
    let (value, len) = fast_float2::parse_partial::<f64, _>(rest).ok()?;
    (len > 0).then_some((sign * value, sign_len + len))
}
