//! What can stand in a request: texts, bytes, numbers, and sequences of those.
//!
//! Invariant: an argument is encoded once, into the request's buffer. A sequence adds as many arguments as it has elements.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use dunlin_resp::{push_shortest, reply};

/// Encoded arguments, counted. What [`ToArg`] writes to.
#[derive(Debug, Default)]
pub struct Arguments {
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: usize,
}

impl Arguments {
    /// Adds one argument.
    #[inline]
    pub fn push(&mut self, argument: &[u8]) {
        reply::bulk(&mut self.bytes, argument);
        self.count += 1;
    }

    /// The arguments, as they were added.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let line_end = rest.iter().position(|byte| *byte == b'\r')?;
            let len: usize = std::str::from_utf8(&rest[1..line_end]).ok()?.parse().ok()?;
            let (argument, behind) = rest[line_end + 2..].split_at(len);
            rest = &behind[2..];
            Some(argument)
        })
    }
}

/// Something that can be sent as arguments of a request.
///
/// Texts and byte strings are one argument, and so are numbers. Slices, arrays, vectors, tuples and maps are as many as they have
/// parts; `None` is none.
pub trait ToArg {
    /// Adds the arguments.
    fn write(&self, out: &mut Arguments);

    /// Adds those of a slice. A slice of bytes is one argument.
    #[doc(hidden)]
    fn write_slice(items: &[Self], out: &mut Arguments)
    where
        Self: Sized,
    {
        for item in items {
            item.write(out);
        }
    }
}

macro_rules! integers {
    ($($type:ty)*) => { $(
        impl ToArg for $type {
            #[inline]
            fn write(&self, out: &mut Arguments) {
                out.push(itoa::Buffer::new().format(*self).as_bytes());
            }
        }
    )* };
}
integers!(i8 i16 i32 i64 i128 isize u16 u32 u64 u128 usize);

impl ToArg for u8 {
    fn write(&self, out: &mut Arguments) {
        out.push(itoa::Buffer::new().format(*self).as_bytes());
    }
    fn write_slice(items: &[u8], out: &mut Arguments) {
        out.push(items);
    }
}

impl ToArg for f64 {
    fn write(&self, out: &mut Arguments) {
        let mut text = Vec::with_capacity(24);
        push_shortest(&mut text, *self);
        out.push(&text);
    }
}

impl ToArg for f32 {
    fn write(&self, out: &mut Arguments) {
        f64::from(*self).write(out);
    }
}

impl ToArg for str {
    #[inline]
    fn write(&self, out: &mut Arguments) {
        out.push(self.as_bytes());
    }
}

impl ToArg for String {
    fn write(&self, out: &mut Arguments) {
        out.push(self.as_bytes());
    }
}

impl<T: ToArg> ToArg for [T] {
    fn write(&self, out: &mut Arguments) {
        T::write_slice(self, out);
    }
}

impl<T: ToArg, const N: usize> ToArg for [T; N] {
    fn write(&self, out: &mut Arguments) {
        T::write_slice(self, out);
    }
}

impl<T: ToArg> ToArg for Vec<T> {
    fn write(&self, out: &mut Arguments) {
        T::write_slice(self, out);
    }
}

impl<T: ToArg + ?Sized> ToArg for &T {
    #[inline]
    fn write(&self, out: &mut Arguments) {
        (**self).write(out);
    }
}

impl<T: ToArg> ToArg for Option<T> {
    fn write(&self, out: &mut Arguments) {
        if let Some(value) = self {
            value.write(out);
        }
    }
}

impl<K: ToArg, V: ToArg, S: BuildHasher> ToArg for HashMap<K, V, S> {
    fn write(&self, out: &mut Arguments) {
        for (key, value) in self {
            key.write(out);
            value.write(out);
        }
    }
}

impl<K: ToArg, V: ToArg> ToArg for BTreeMap<K, V> {
    fn write(&self, out: &mut Arguments) {
        for (key, value) in self {
            key.write(out);
            value.write(out);
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => { $(
        impl<$($name: ToArg),*> ToArg for ($($name,)*) {
            #[allow(non_snake_case, reason = "each part is named for its type")]
            fn write(&self, out: &mut Arguments) {
                let ($($name,)*) = self;
                $($name.write(out);)*
            }
        }
    )* };
}
tuples!((A)(A B)(A B C)(A B C D)(A B C D E)(A B C D E F));

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argument: impl ToArg, expected: &[&str]) {
        let mut out = Arguments::default();
        argument.write(&mut out);
        let written: Vec<_> = out.iter().map(|a| String::from_utf8_lossy(a)).collect();
        assert_eq!(written, expected);
        assert_eq!(out.count, expected.len());
    }

    #[test]
    fn one_argument_each() {
        check("text", &["text"]);
        check("", &[""]);
        check(b"bytes", &["bytes"]);
        check(vec![b'a', b'\r'], &["a\r"]);
        check(&b"slice"[..], &["slice"]);
        check(String::from("owned"), &["owned"]);
        check(-7i64, &["-7"]);
        check(7u8, &["7"]);
        check(0.1, &["0.1"]);
        check(f64::INFINITY, &["inf"]);
    }

    #[test]
    fn as_many_as_there_are() {
        check(["a", "b"], &["a", "b"]);
        check(vec![b"x".to_vec(), b"y".to_vec()], &["x", "y"]);
        check(("k", 1), &["k", "1"]);
        check([("k", 1), ("l", 2)], &["k", "1", "l", "2"]);
        check(None::<&str>, &[]);
        check(Some("v"), &["v"]);
        check(BTreeMap::from([("a", 1)]), &["a", "1"]);
        check(HashMap::from([("a", "z")]), &["a", "z"]);
    }
}
