//! ZCOUNT key min max, ZLEXCOUNT key min max: number of members in a range. <https://redis.io/commands/zcount>,
//! <https://redis.io/commands/zlexcount>

use super::bounds::{lex_range, score_range};
use super::{FAST_READ, view};
use crate::command::{ArgKind, Argument, Command};
use crate::{Ctx, Flow, Outcome};

/// ZCOUNT.
pub(super) const ZCOUNT: Command = Command {
    name: "zcount",
    full_name: "zcount",
    arity: 4,
    since: "2.0.0",
    complexity: "O(log N) with N members in the sorted set",
    summary: "Counts the members of a sorted set whose scores lie in a range.",
    arguments: &[
        Argument::KEY,
        Argument::new("min", ArgKind::Double),
        Argument::new("max", ArgKind::Double),
    ],
    handler: zcount,
    ..FAST_READ
};

/// ZLEXCOUNT.
pub(super) const ZLEXCOUNT: Command = Command {
    name: "zlexcount",
    full_name: "zlexcount",
    since: "2.8.9",
    summary: "Counts the members of a sorted set that lie in a range by their bytes.",
    arguments: &[
        Argument::KEY,
        Argument::new("min", ArgKind::String),
        Argument::new("max", ArgKind::String),
    ],
    handler: zlexcount,
    ..ZCOUNT
};

fn zcount(cx: &mut Ctx<'_>) -> Outcome {
    let range = score_range(cx.args.at(2), cx.args.at(3))?;
    let (db, key) = (cx.db(), cx.key(1));
    let count = match cx.keys.read(db, &key) {
        None => 0,
        Some(entry) => view(&entry)?.score_ranks(&range).len(),
    };
    cx.reply.count(count);
    Ok(Flow::Done)
}

fn zlexcount(cx: &mut Ctx<'_>) -> Outcome {
    let range = lex_range(cx.args.at(2), cx.args.at(3))?;
    let (db, key) = (cx.db(), cx.key(1));
    let count = match cx.keys.read(db, &key) {
        None => 0,
        Some(entry) => view(&entry)?.lex_ranks(&range).len(),
    };
    cx.reply.count(count);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn counts_scores() {
        check(
            "ZADD z 1 a 2 b 2 c 3 d; ZCOUNT z -inf +inf; ZCOUNT z 2 2; ZCOUNT z (2 3; ZCOUNT z 1 (2; ZCOUNT z (2 (2; \
             ZCOUNT z 3 1; ZCOUNT none 1 2; ZCOUNT z x 1; ZCOUNT z 1 nan; ZCOUNT z \"\" 1",
            "4; 4; 2; 1; 1; 0; 0; 0; (error) ERR min or max is not a float; (error) ERR min or max is not a float; 1",
        );
    }

    #[test]
    fn counts_members() {
        check(
            "ZADD z 0 a 0 b 0 c 0 1; ZLEXCOUNT z - +; ZLEXCOUNT z [a (c; ZLEXCOUNT z (a [c; ZLEXCOUNT z + -; ZLEXCOUNT z [1 [a; \
             ZLEXCOUNT z a c; ZLEXCOUNT z -a +; ZLEXCOUNT z ( [b; ZLEXCOUNT none - +",
            "4; 4; 2; 2; 0; 2; (error) ERR min or max not valid string range item; \
             (error) ERR min or max not valid string range item; 3; 0",
        );
    }
}
