//! GET key: the value of a string. <https://redis.io/commands/get>

use dunlin_store::Key;

use crate::command::{Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// GET.
pub(super) const GET: Command = Command {
    name: "get",
    full_name: "get",
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    categories: Categories::READ
        .and(Categories::STRING)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "string",
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns the string stored under a key.",
    arguments: &[Argument::KEY],
    handler: get,
    ..Command::BASE
};

fn get(cx: &mut Ctx<'_>) -> Outcome {
    let key = cx.key(1);
    reply_value(cx, &key)?;
    Ok(Flow::Done)
}

/// Answers with the string under `key`, or null; whether the key exists.
#[inline]
pub(super) fn reply_value(cx: &mut Ctx<'_>, key: &Key<'_>) -> Result<bool, ReplyError> {
    let reply = &mut cx.reply;
    let answered = cx.keys.read_with(cx.session.db, key, |entry| {
        // Spelled out: an error that is made ahead has to be dropped.
        match entry.as_string() {
            Some(value) => {
                reply.string(value);
                Ok(true)
            }
            None => Err(ReplyError::WrongType),
        }
    });
    answered.unwrap_or_else(|| {
        cx.reply.null();
        Ok(false)
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, check, resp3};

    #[test]
    fn returns_what_was_set() {
        check(
            "GET k; SET k v; GET k; SET k \"\"; GET k; SET k -9223372036854775808; GET k",
            "nil; OK; v; OK; ; OK; -9223372036854775808",
        );
        check(
            "GET",
            "(error) ERR wrong number of arguments for 'get' command",
        );
    }

    #[test]
    fn null_has_its_own_type_in_resp3() {
        let mut console = Console::default();
        assert_eq!(console.call(1, &[b"GET", b"k"]), b"$-1\r\n");
        resp3(&mut console);
        assert_eq!(console.call(1, &[b"GET", b"k"]), b"_\r\n");
    }

    #[test]
    fn long_strings_arrive_whole() {
        let mut console = Console::default();
        for len in [65_535, 65_536, 65_537, 200_000] {
            let value: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8).collect();
            assert_eq!(console.call(1, &[b"SET", b"k", &value]), b"+OK\r\n");
            let expected = [format!("${len}\r\n").as_bytes(), &value, b"\r\n"].concat();
            assert_eq!(console.call(1, &[b"GET", b"k"]), expected);
        }
    }
}
