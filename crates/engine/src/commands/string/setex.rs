//! SETEX key seconds value and PSETEX key milliseconds value: store a string that expires.
//! <https://redis.io/commands/setex>

use dunlin_store::Ttl;

use super::set::store;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::expiry::{Unit, positive_deadline};
use crate::{Ctx, Flow, Outcome};

/// SETEX.
pub(super) const SETEX: Command = Command {
    name: "setex",
    full_name: "setex",
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::WRITE
        .and(Categories::STRING)
        .and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["OW", "update"])],
    scope: Scope::Keys,
    group: "string",
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Stores a string under a key for a number of seconds.",
    deprecated: Some(("2.6.12", "`SET` with `EX`")),
    arguments: &[
        Argument::KEY,
        Argument::new("seconds", ArgKind::Integer),
        Argument::new("value", ArgKind::String),
    ],
    handler: setex,
    ..Command::BASE
};

/// PSETEX.
pub(super) const PSETEX: Command = Command {
    name: "psetex",
    full_name: "psetex",
    since: "2.6.0",
    summary: "Stores a string under a key for a number of milliseconds.",
    deprecated: Some(("2.6.12", "`SET` with `PX`")),
    arguments: &[
        Argument::KEY,
        Argument::new("milliseconds", ArgKind::Integer),
        Argument::new("value", ArgKind::String),
    ],
    handler: psetex,
    ..SETEX
};

fn setex(cx: &mut Ctx<'_>) -> Outcome {
    store_for(cx, Unit::EX)
}

fn psetex(cx: &mut Ctx<'_>) -> Outcome {
    store_for(cx, Unit::PX)
}

fn store_for(cx: &mut Ctx<'_>, unit: Unit) -> Outcome {
    let at = positive_deadline(unit, cx.args.at(2), cx.keys.now_ms(), cx.command.full_name)?;
    let key = cx.key(1);
    store(cx, &key, cx.args.at(3), Ttl::At(at));
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn the_string_goes_on_time() {
        check("SETEX k 1 v; +999ms; GET k; +1ms; GET k", "OK; v; nil");
        check(
            "SET k 1; PSETEX k 7 v; +6ms; GET k; +1ms; GET k",
            "OK; OK; v; nil",
        );
    }

    #[test]
    fn the_time_must_be_one() {
        for command in ["setex", "psetex"] {
            let error = format!("(error) ERR invalid expire time in '{command}' command");
            for time in ["0", "-1", "9223372036854775807"] {
                check(
                    &format!("{command} k {time} v; KEYS *"),
                    &format!("{error}; []"),
                );
            }
            check(
                &format!("{command} k v 10"),
                "(error) ERR value is not an integer or out of range",
            );
        }
    }
}
