//! Arguments of a function that Lua calls, read where they lie on Lua's stack. With mlua's own types each would become a reference: two
//! allocations, and there is room for 8,000 references in all, fewer than a call may have arguments.
//!
//! Invariant: what a [`Reader`] is shown lives only as long as that call of it.

use std::ffi::c_int;

use mlua::state::RawLua;
use mlua::{FromLuaMulti, Lua, MultiValue, Result, Value, ffi};

/// Takes arguments, in their order.
pub trait Reader: Sized {
    /// A reader of so many arguments.
    fn begin(count: usize) -> Self;
    /// The next one is a string.
    fn text(&mut self, text: &[u8]);
    /// The next one is a number.
    fn number(&mut self, number: f64);
    /// The next one is something else.
    fn other(&mut self);
}

/// What a reader made of the arguments.
pub struct Read<R>(pub R);

impl<R: Reader> FromLuaMulti for Read<R> {
    fn from_lua_multi(values: MultiValue, _: &Lua) -> Result<Self> {
        let mut reader = R::begin(values.len());
        for value in values {
            match value {
                Value::String(text) => reader.text(&text.as_bytes()),
                Value::Integer(number) => reader.number(number as f64),
                Value::Number(number) => reader.number(number),
                _ => reader.other(),
            }
        }
        Ok(Read(reader))
    }

    #[expect(unsafe_code, reason = "the trait's method is unsafe")]
    unsafe fn from_stack_args(
        count: c_int,
        _: usize,
        _: Option<&str>,
        lua: &RawLua,
    ) -> Result<Self> {
        let state = lua.state();
        let mut reader = R::begin(usize::try_from(count).unwrap_or_default());
        for index in -count..0 {
            // SAFETY: mlua calls this with the `count` topmost values of the stack being the arguments, so every index is valid. None
            // of these functions raises an error: the type is asked first, and a string needs no conversion. Its bytes stay where
            // they are while it is on the stack, and the reader can't keep them.
            #[expect(unsafe_code, reason = "reads Lua's stack")]
            unsafe {
                match ffi::lua_type(state, index) {
                    ffi::LUA_TSTRING => {
                        let mut len = 0;
                        let text = ffi::lua_tolstring(state, index, &mut len);
                        reader.text(std::slice::from_raw_parts(text.cast(), len));
                    }
                    ffi::LUA_TNUMBER => reader.number(ffi::lua_tonumber(state, index)),
                    _ => reader.other(),
                }
            }
        }
        // SAFETY: they are there, and nobody looks at a callback's arguments once they were converted. What the callback then makes finds
        // room on the stack, however many there were.
        #[expect(unsafe_code, reason = "pops what was read")]
        unsafe {
            ffi::lua_pop(state, count)
        };
        Ok(Read(reader))
    }
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::{Read, Reader};

    #[derive(Default)]
    struct Shown(Vec<String>);

    impl Reader for Shown {
        fn begin(count: usize) -> Shown {
            Shown(vec![count.to_string()])
        }
        fn text(&mut self, text: &[u8]) {
            self.0.push(format!("{text:?}"));
        }
        fn number(&mut self, number: f64) {
            self.0.push(number.to_string());
        }
        fn other(&mut self) {
            self.0.push("other".to_owned());
        }
    }

    #[test]
    fn arguments_come_in_their_order_however_many_there_are() {
        let lua = Lua::new();
        let show = lua.create_function(|_, Read(shown): Read<Shown>| Ok(shown.0.join(" ")));
        let globals = lua.globals();
        globals.set("show", show.expect("made")).expect("set");
        let eval = |code: &str| lua.load(code).eval::<String>().expect("it runs");
        assert_eq!(
            eval("return show('a\\0b', 1.5, nil, '', {})"),
            "5 [97, 0, 98] 1.5 other [] other"
        );
        assert_eq!(eval("return show()"), "0");
        let many = "local t = {} for i = 1, 7999 do t[i] = i end return show(unpack(t))";
        let shown = eval(many);
        assert!(shown.starts_with("7999 1 2 ") && shown.ends_with(" 7998 7999"));
    }

    #[test]
    fn values_are_read_alike_where_there_is_no_stack() {
        let lua = Lua::new();
        let text = lua.create_string(b"a").expect("made");
        let values = mlua::MultiValue::from_iter([
            mlua::Value::String(text),
            mlua::Value::Integer(2),
            mlua::Value::Nil,
        ]);
        let Read(shown) =
            <Read<Shown> as mlua::FromLuaMulti>::from_lua_multi(values, &lua).expect("read");
        assert_eq!(shown.0.join(" "), "3 [97] 2 other");
    }
}
