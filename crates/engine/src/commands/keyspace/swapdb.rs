//! SWAPDB a b: exchanges two databases for all clients at once. <https://redis.io/commands/swapdb>

use dunlin_store::log::Arg;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// SWAPDB.
pub(super) const SWAPDB: Command = Command {
    name: "swapdb",
    full_name: "swapdb",
    arity: 3,
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::FAST)
        .and(Categories::DANGEROUS),
    scope: Scope::All,
    group: "server",
    since: "4.0.0",
    complexity: "O(N) in the number of keys that are watched",
    summary: "Exchanges the contents of two databases.",
    arguments: &[
        Argument::new("index1", ArgKind::Integer),
        Argument::new("index2", ArgKind::Integer),
    ],
    handler: swapdb,
    ..Command::BASE
};

fn swapdb(cx: &mut Ctx<'_>) -> Outcome {
    // Both must be numbers before either is looked at as a database.
    let first = index(cx.args.at(1)).ok_or(ReplyError::InvalidFirstDatabase)?;
    let second = index(cx.args.at(2)).ok_or(ReplyError::InvalidSecondDatabase)?;
    let databases = cx.engine.store.databases();
    let database = |n: i32| {
        u32::try_from(n)
            .ok()
            .filter(|&db| (db as usize) < databases)
            .ok_or(ReplyError::DatabaseOutOfRange)
    };
    let (a, b) = (database(first)?, database(second)?);
    cx.keys.swap(a, b);
    let effect: [Arg<'_>; 3] = ["SWAPDB".into(), i64::from(a).into(), i64::from(b).into()];
    cx.keys.record_global(cx.db(), &effect);
    cx.reply.ok();
    Ok(Flow::Done)
}

fn index(text: &[u8]) -> Option<i32> {
    i32::try_from(crate::number::parse_i64(text)?).ok()
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn databases_change_places_with_their_deadlines() {
        check(
            "SET a 0 PX 20; SELECT 1; SET b 1; SWAPDB 0 1; KEYS *; PTTL a; SELECT 0; KEYS *; SELECT 1; +20ms; GET a",
            "OK; OK; OK; OK; [a]; 20; OK; [b]; OK; nil",
        );
        check("SET a 0; SWAPDB 0 0; GET a; DBSIZE", "OK; OK; 0; 1");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "SWAPDB x 1; SWAPDB 99 x; SWAPDB 0 16; SWAPDB -1 0; SWAPDB 99999999999 1",
            "(error) ERR invalid first DB index; (error) ERR invalid second DB index; \
             (error) ERR DB index is out of range; (error) ERR DB index is out of range; \
             (error) ERR invalid first DB index",
        );
    }
}
