//! Replies as the types that the caller asks for.
//!
//! Invariant: a reply that does not fit is an error, never a default. Both dialects give the same: a map may come as an array of pairs,
//! a double as text, a boolean as an integer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use dunlin_resp::Value;

use crate::error::{Error, Result, ServerError};

/// A type that a reply can be turned into.
///
/// | ask for | and get |
/// |-|-|
/// | `()` | anything but an error |
/// | `bool` | `OK` and 1 as true, null and 0 as false |
/// | integers, floats | numbers, also as text |
/// | `String`, `Vec<u8>` | texts; a number is written out |
/// | `Option<T>` | null as `None` |
/// | `Vec<T>`, sets, tuples | arrays and sets; tuples of two are a map's pairs, too |
/// | `HashMap`, `BTreeMap`, `Vec<(K, V)>` | maps, and arrays of pairs |
/// | `Result<T, Error>` | errors inside of arrays, without giving up the rest |
/// | [`Value`] | the reply as it came |
pub trait FromReply: Sized {
    /// Turns a reply into this type.
    ///
    /// # Errors
    /// [`Error::Server`] if it is an error, [`Error::Type`] if it is something else.
    fn from_reply(reply: Value) -> Result<Self>;

    /// Turns a reply into a vector of this type. Bytes come as text, others as arrays.
    #[doc(hidden)]
    fn vec_from_reply(reply: Value) -> Result<Vec<Self>> {
        items(reply, "array")?
            .into_iter()
            .map(Self::from_reply)
            .collect()
    }
}

/// The reply without its attributes, or the error that it is.
pub(crate) fn sound(reply: Value) -> Result<Value> {
    match reply {
        Value::Error(text) | Value::BulkError(text) => Err(Error::Server(ServerError::new(&text))),
        Value::Attributed { value, .. } => sound(*value),
        other => Ok(other),
    }
}

fn name(reply: &Value) -> &'static str {
    match reply {
        Value::Simple(_) => "simple string",
        Value::Error(_) | Value::BulkError(_) => "error",
        Value::Integer(_) => "integer",
        Value::Bulk(_) => "string",
        Value::Null | Value::NullArray => "null",
        Value::Array(_) => "array",
        Value::Double(_) => "double",
        Value::Boolean(_) => "boolean",
        Value::BigNumber(_) => "big number",
        Value::Verbatim { .. } => "verbatim string",
        Value::Map(_) => "map",
        Value::Set(_) => "set",
        Value::Push(_) => "push",
        Value::Attributed { value, .. } => name(value),
    }
}

#[cold]
fn mismatch(wanted: &'static str, reply: &Value) -> Error {
    Error::Type {
        wanted,
        reply: name(reply),
    }
}

/// The elements of anything that has some.
fn items(reply: Value, wanted: &'static str) -> Result<Vec<Value>> {
    match sound(reply)? {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => Ok(items),
        Value::Map(pairs) => Ok(pairs
            .into_iter()
            .map(|(key, value)| Value::Array(vec![key, value]))
            .collect()),
        other => Err(mismatch(wanted, &other)),
    }
}

/// The pairs of a map, of a flat array, or of an array of pairs.
fn pairs(reply: Value) -> Result<Vec<(Value, Value)>> {
    let items = match sound(reply)? {
        Value::Map(pairs) => return Ok(pairs),
        Value::Array(items) | Value::Set(items) => items,
        other => return Err(mismatch("map", &other)),
    };
    let nested = |item: &Value| matches!(item, Value::Array(pair) if pair.len() == 2);
    let mut out = Vec::with_capacity(items.len());
    if !items.is_empty() && items.iter().all(nested) {
        for item in items {
            if let Value::Array(pair) = item {
                let mut pair = pair.into_iter();
                out.extend(pair.next().zip(pair.next()));
            }
        }
        return Ok(out);
    }
    if items.len() % 2 != 0 {
        return Err(mismatch("map", &Value::Array(items)));
    }
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        out.push((key, value));
    }
    Ok(out)
}

/// Bytes of anything that is one piece of text.
fn text(reply: Value, wanted: &'static str) -> Result<Vec<u8>> {
    match sound(reply)? {
        Value::Bulk(bytes) | Value::Simple(bytes) | Value::Verbatim { text: bytes, .. } => {
            Ok(bytes)
        }
        Value::Integer(n) => Ok(n.to_string().into_bytes()),
        Value::Double(n) => Ok(n.to_string().into_bytes()),
        Value::BigNumber(digits) => Ok(digits.into_bytes()),
        other => Err(mismatch(wanted, &other)),
    }
}

impl FromReply for Value {
    fn from_reply(reply: Value) -> Result<Value> {
        sound(reply)
    }
}

impl FromReply for () {
    fn from_reply(reply: Value) -> Result<()> {
        sound(reply).map(drop)
    }
}

impl FromReply for bool {
    fn from_reply(reply: Value) -> Result<bool> {
        match sound(reply)? {
            Value::Boolean(yes) => Ok(yes),
            Value::Integer(n @ (0 | 1)) => Ok(n == 1),
            Value::Null | Value::NullArray => Ok(false),
            Value::Simple(text) if text == b"OK" => Ok(true),
            Value::Bulk(text) if text == b"1" => Ok(true),
            Value::Bulk(text) if text == b"0" => Ok(false),
            other => Err(mismatch("boolean", &other)),
        }
    }
}

macro_rules! integers {
    ($($type:ty)*) => { $(
        impl FromReply for $type {
            fn from_reply(reply: Value) -> Result<$type> {
                let reply = sound(reply)?;
                let number = match &reply {
                    Value::Integer(n) => <$type>::try_from(*n).ok(),
                    Value::Bulk(text) | Value::Simple(text) => {
                        std::str::from_utf8(text).ok().and_then(|text| text.parse().ok())
                    }
                    Value::BigNumber(digits) => digits.parse().ok(),
                    Value::Boolean(yes) => <$type>::try_from(i8::from(*yes)).ok(),
                    _ => None,
                };
                number.ok_or_else(|| mismatch(stringify!($type), &reply))
            }
        }
    )* };
}
integers!(i8 i16 i32 i64 i128 isize u16 u32 u64 u128 usize);

impl FromReply for u8 {
    fn from_reply(reply: Value) -> Result<u8> {
        let reply = sound(reply)?;
        match &reply {
            Value::Integer(n) => u8::try_from(*n).map_err(|_| mismatch("u8", &reply)),
            _ => Err(mismatch("u8", &reply)),
        }
    }

    fn vec_from_reply(reply: Value) -> Result<Vec<u8>> {
        text(reply, "string")
    }
}

impl FromReply for f64 {
    fn from_reply(reply: Value) -> Result<f64> {
        let reply = sound(reply)?;
        let number = match &reply {
            Value::Double(n) => Some(*n),
            #[allow(clippy::cast_precision_loss, reason = "who asks for a float takes one")]
            Value::Integer(n) => Some(*n as f64),
            Value::Bulk(text) | Value::Simple(text) => std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok()),
            _ => None,
        };
        number.ok_or_else(|| mismatch("f64", &reply))
    }
}

impl FromReply for f32 {
    fn from_reply(reply: Value) -> Result<f32> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "who asks for f32 takes one"
        )]
        f64::from_reply(reply).map(|n| n as f32)
    }
}

impl FromReply for String {
    fn from_reply(reply: Value) -> Result<String> {
        let bytes = text(reply, "string")?;
        String::from_utf8(bytes).map_err(|_| Error::Type {
            wanted: "text in UTF-8",
            reply: "string",
        })
    }
}

impl<T: FromReply> FromReply for Option<T> {
    fn from_reply(reply: Value) -> Result<Option<T>> {
        match sound(reply)? {
            Value::Null | Value::NullArray => Ok(None),
            other => T::from_reply(other).map(Some),
        }
    }
}

impl<T: FromReply> FromReply for Result<T> {
    fn from_reply(reply: Value) -> Result<Result<T>> {
        Ok(T::from_reply(reply))
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(reply: Value) -> Result<Vec<T>> {
        T::vec_from_reply(reply)
    }
}

impl<T: FromReply + Eq + Hash, S: BuildHasher + Default> FromReply for HashSet<T, S> {
    fn from_reply(reply: Value) -> Result<HashSet<T, S>> {
        items(reply, "set")?
            .into_iter()
            .map(T::from_reply)
            .collect()
    }
}

impl<T: FromReply + Ord> FromReply for BTreeSet<T> {
    fn from_reply(reply: Value) -> Result<BTreeSet<T>> {
        items(reply, "set")?
            .into_iter()
            .map(T::from_reply)
            .collect()
    }
}

impl<K: FromReply + Eq + Hash, V: FromReply, S: BuildHasher + Default> FromReply
    for HashMap<K, V, S>
{
    fn from_reply(reply: Value) -> Result<HashMap<K, V, S>> {
        pairs(reply)?
            .into_iter()
            .map(|(key, value)| Ok((K::from_reply(key)?, V::from_reply(value)?)))
            .collect()
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: Value) -> Result<BTreeMap<K, V>> {
        pairs(reply)?
            .into_iter()
            .map(|(key, value)| Ok((K::from_reply(key)?, V::from_reply(value)?)))
            .collect()
    }
}

impl<A: FromReply> FromReply for (A,) {
    fn from_reply(reply: Value) -> Result<(A,)> {
        let [a] = exactly(reply)?;
        Ok((A::from_reply(a)?,))
    }
}

impl<A: FromReply, B: FromReply> FromReply for (A, B) {
    fn from_reply(reply: Value) -> Result<(A, B)> {
        let [a, b] = exactly(reply)?;
        Ok((A::from_reply(a)?, B::from_reply(b)?))
    }

    /// Pairs, also in the flat form that RESP2 has for maps.
    fn vec_from_reply(reply: Value) -> Result<Vec<(A, B)>> {
        pairs(reply)?
            .into_iter()
            .map(|(a, b)| Ok((A::from_reply(a)?, B::from_reply(b)?)))
            .collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => { $(
        impl<$($name: FromReply),*> FromReply for ($($name,)*) {
            #[allow(non_snake_case, reason = "each part is named for its type")]
            fn from_reply(reply: Value) -> Result<($($name,)*)> {
                let [$($name),*] = exactly(reply)?;
                Ok(($($name::from_reply($name)?,)*))
            }
        }
    )* };
}
tuples!((A B C)(A B C D)(A B C D E)(A B C D E F)(A B C D E F G)(A B C D E F G H));

fn exactly<const N: usize>(reply: Value) -> Result<[Value; N]> {
    let items = items(reply, "tuple")?;
    items
        .try_into()
        .map_err(|items| mismatch("tuple of this length", &Value::Array(items)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_resp::{ReplyLimits, ReplyParser};

    fn parse<T: FromReply>(wire: &str) -> Result<T> {
        let mut parser = ReplyParser::new(ReplyLimits::default());
        let decoded = parser.feed(wire.as_bytes()).unwrap();
        T::from_reply(decoded.value.unwrap())
    }

    #[test]
    fn both_dialects_give_the_same() {
        assert_eq!(parse::<i64>(":5\r\n").unwrap(), 5);
        assert_eq!(parse::<i64>("$1\r\n5\r\n").unwrap(), 5);
        for wire in [",1.5\r\n", "$3\r\n1.5\r\n"] {
            assert_eq!(parse::<f64>(wire).unwrap(), 1.5);
        }
        for wire in ["#t\r\n", ":1\r\n", "+OK\r\n"] {
            assert!(parse::<bool>(wire).unwrap());
        }
        for wire in [
            "%1\r\n$1\r\na\r\n:1\r\n",
            "*2\r\n$1\r\na\r\n:1\r\n",
            "*1\r\n*2\r\n$1\r\na\r\n:1\r\n",
        ] {
            let map: HashMap<String, i64> = parse(wire).unwrap();
            assert_eq!(map, HashMap::from([("a".into(), 1)]));
            let pairs: Vec<(String, i64)> = parse(wire).unwrap();
            assert_eq!(pairs, [("a".into(), 1)]);
        }
        for wire in ["$-1\r\n", "*-1\r\n", "_\r\n"] {
            assert_eq!(parse::<Option<String>>(wire).unwrap(), None);
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(parse::<i64>("$1\r\nx\r\n").is_err());
        assert!(parse::<u16>(":-1\r\n").is_err());
        assert!(parse::<String>("_\r\n").is_err());
        assert!(parse::<String>("$1\r\n\u{1}\r\n").is_ok());
        assert!(parse::<(i64, i64)>("*1\r\n:1\r\n").is_err());
        assert!(parse::<HashMap<String, i64>>("*1\r\n:1\r\n").is_err());
        let error = parse::<()>("-WRONGTYPE no\r\n").unwrap_err();
        assert_eq!(error.server().unwrap().code(), "WRONGTYPE");
        assert_eq!(error.to_string(), "WRONGTYPE no");
    }

    #[test]
    fn errors_inside_are_one_element_each() {
        let all: Vec<Result<i64>> = parse("*2\r\n:1\r\n-ERR x\r\n").unwrap();
        assert_eq!(all[0].as_ref().unwrap(), &1);
        assert!(all[1].is_err());
        assert!(parse::<Vec<i64>>("*2\r\n:1\r\n-ERR x\r\n").is_err());
    }

    #[test]
    fn bytes_and_numbers() {
        assert_eq!(parse::<Vec<u8>>("$2\r\n\0\u{7f}\r\n").unwrap(), [0, 127]);
        assert_eq!(parse::<Vec<i64>>("*2\r\n:1\r\n:2\r\n").unwrap(), [1, 2]);
        assert_eq!(
            parse::<Vec<Vec<u8>>>("*1\r\n$1\r\na\r\n").unwrap(),
            [b"a".to_vec()]
        );
        assert_eq!(
            parse::<i128>("(170141183460469231731687303715884105727\r\n").unwrap(),
            i128::MAX
        );
    }
}
