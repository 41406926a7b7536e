//! DEBUG POPULATE count [prefix] [size]: makes keys `prefix:0`, `prefix:1` ... that did not exist.

use std::io::Write;

use dunlin_engine::command::{ArgKind, Argument, Scope};
use dunlin_engine::number::parse_i64;
use dunlin_engine::{Args, Command, Ctx, Engine, Flow, Outcome, ReplyError, Session};
use dunlin_store::{Event, NewString, Ttl};

use super::{FAMILY, permit};
use crate::host::host;

/// More keys than any memory holds.
const KEYS_MAX: u64 = u32::MAX as u64;

/// DEBUG POPULATE.
pub(super) const POPULATE: Command = Command {
    scope: Scope::All,
    complexity: "O(N) in the number of keys",
    summary: "Makes so many keys, named 'key' or the prefix with a number behind it.",
    arguments: &[
        Argument::new("count", ArgKind::Integer),
        Argument::new("prefix", ArgKind::String).optional(),
        Argument::new("size", ArgKind::Integer).optional(),
    ],
    weight: Some(count_asked_for),
    ..FAMILY.subcommand("populate", "debug", populate)
};

fn count_asked_for(_engine: &Engine, _session: &Session, args: Args<'_>) -> u64 {
    args.get(2)
        .and_then(parse_i64)
        .map_or(0, |count| count.clamp(0, KEYS_MAX as i64) as u64)
}

fn populate(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=3)?;
    if host(cx).shared.is_loading() {
        return Err(ReplyError::Loading);
    }
    let count = positive(cx.args.at(2))?;
    let size = cx.args.get(4).map_or(Ok(0), positive)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > cx.engine.string_bytes_max() {
        return Err(ReplyError::StringTooLong);
    }
    if count > KEYS_MAX {
        return Err(ReplyError::err("OOM in dictTryExpand"));
    }
    let db = cx.db();
    let prefix = cx.args.get(3).unwrap_or(b"key");
    let (mut name, mut value) = (Vec::new(), Vec::new());
    for number in 0..count {
        name.clear();
        name.extend_from_slice(prefix);
        write!(name, ":{number}").expect("a vector takes everything");
        let key = cx.keys.key(&name);
        if cx.keys.find(db, &key).is_some() {
            continue;
        }
        value.clear();
        write!(value, "value:{number}").expect("a vector takes everything");
        if size > 0 {
            value.resize(size, 0);
        }
        cx.keys
            .put_string(db, &key, NewString::text(&value), Ttl::Clear);
        cx.keys.record(
            db,
            &name,
            Event::string("set"),
            &["SET".into(), name[..].into(), value[..].into()],
        );
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn positive(arg: &[u8]) -> Result<u64, ReplyError> {
    let n = parse_i64(arg).and_then(|n| u64::try_from(n).ok());
    n.ok_or_else(|| ReplyError::err("value is out of range, must be positive"))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn makes_keys() {
        let mut console = Console::with_debug();
        assert_eq!(
            console.run(
                "SET key:1 mine; DEBUG POPULATE 3; GET key:0; GET key:1; GET key:2; GET key:3"
            ),
            "OK; OK; value:0; mine; value:2; nil"
        );
        assert_eq!(
            console.run(
                "DEBUG POPULATE 2 p 10; GET p:1; DEBUG POPULATE 1 q 3; GET q:0; DEBUG POPULATE 0"
            ),
            "OK; value:1\\x00\\x00\\x00; OK; val; OK"
        );
        assert_eq!(console.heavy, 0);
        assert_eq!(console.run("SELECT 2; DEBUG POPULATE 30000 x"), "OK; OK");
        assert_eq!(
            (console.heavy, console.shared.engine.store.len(2)),
            (1, 30_000)
        );
    }

    #[test]
    fn refuses_nonsense() {
        assert_eq!(
            Console::with_debug().run("DEBUG POPULATE -1; DEBUG POPULATE x; DEBUG POPULATE 1 p x; DEBUG POPULATE 99999999999"),
            "(error) ERR value is out of range, must be positive; (error) ERR value is out of range, must be positive; \
             (error) ERR value is out of range, must be positive; (error) ERR OOM in dictTryExpand"
        );
    }
}
