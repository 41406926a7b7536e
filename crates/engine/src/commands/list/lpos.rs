//! LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]: where an element is. <https://redis.io/commands/lpos>

use dunlin_store::list::{End, ListRef};

use super::magnitude;
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// LPOS.
pub(super) const LPOS: Command = Command {
    name: "lpos",
    full_name: "lpos",
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::LIST).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "list",
    since: "6.0.6",
    complexity: "O(N) in the number of elements looked at",
    summary: "Returns the index of an element, or the indices of several that are equal.",
    arguments: &[
        Argument::KEY,
        Argument::new("element", ArgKind::String),
        Argument::new("rank", ArgKind::Integer)
            .with_token("RANK")
            .optional(),
        Argument::new("num-matches", ArgKind::Integer)
            .with_token("COUNT")
            .optional(),
        Argument::new("len", ArgKind::Integer)
            .with_token("MAXLEN")
            .optional(),
    ],
    handler: lpos,
    ..Command::BASE
};

struct Options {
    from: End,
    /// The first match that counts, from 1.
    rank: u64,
    /// Most matches to answer, when several are asked for.
    count: Option<usize>,
    /// Most elements to look at.
    most: usize,
}

/// A count of which 0 means no limit.
fn limit(text: &[u8], refusal: &str) -> Result<usize, ReplyError> {
    let n = parse_i64(text).and_then(|n| usize::try_from(n).ok());
    match n.ok_or_else(|| ReplyError::err(refusal))? {
        0 => Ok(usize::MAX),
        n => Ok(n),
    }
}

fn options(cx: &Ctx<'_>) -> Result<Options, ReplyError> {
    let mut options = Options {
        from: End::Left,
        rank: 1,
        count: None,
        most: usize::MAX,
    };
    let mut i = 3;
    while i < cx.args.len() {
        let value = cx.args.get(i + 1).ok_or(ReplyError::Syntax)?;
        if cx.args.is(i, "rank") {
            let rank = magnitude(cx, i + 1)?;
            if rank == 0 {
                return Err(ReplyError::err(
                    "RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                     or use negative to start from the end of the list",
                ));
            }
            options.from = if rank > 0 { End::Left } else { End::Right };
            options.rank = rank.unsigned_abs();
        } else if cx.args.is(i, "count") {
            options.count = Some(limit(value, "COUNT can't be negative")?);
        } else if cx.args.is(i, "maxlen") {
            options.most = limit(value, "MAXLEN can't be negative")?;
        } else {
            return Err(ReplyError::Syntax);
        }
        i += 2;
    }
    Ok(options)
}

fn lpos(cx: &mut Ctx<'_>) -> Outcome {
    let options = options(cx)?;
    let (db, key, text) = (cx.db(), cx.key(1), cx.args.at(2));
    let len = cx.keys.elements(db, key.bytes) as usize;
    if cx.is_heavy(len.min(options.most)) {
        return Ok(Flow::HeavyRead);
    }
    let mut found = Vec::new();
    if let Some(entry) = cx.keys.read(db, &key) {
        let list = ListRef::of(&entry).ok_or(ReplyError::WrongType)?;
        let (mut matches, wanted) = (0, options.count.unwrap_or(1));
        list.matches(text, options.from, options.most, |index| {
            matches += 1;
            if matches >= options.rank {
                found.push(index);
            }
            found.len() < wanted
        });
    }
    match (options.count, found.first()) {
        (Some(_), _) => {
            cx.reply.array(found.len());
            found.iter().for_each(|&index| cx.reply.count(index));
        }
        (None, Some(&index)) => cx.reply.count(index),
        (None, None) => cx.reply.null(),
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn finds_by_rank_count_and_length() {
        let list = "RPUSH k a b c 1 2 3 c c";
        check(
            &format!(
                "{list}; LPOS k a; LPOS k c; LPOS k 2; LPOS k x; LPOS k c RANK 1; LPOS k c RANK 2; LPOS k c RANK 4; \
                 LPOS k c RANK -1; LPOS k c RANK -2"
            ),
            "8; 0; 2; 4; nil; 2; 6; nil; 7; 6",
        );
        check(
            &format!(
                "{list}; LPOS k c COUNT 0; LPOS k c COUNT 1; LPOS k c COUNT 2; LPOS k c COUNT 100; LPOS k c COUNT 0 RANK 2; \
                 LPOS k c COUNT 2 RANK -1; LPOS k x COUNT 0"
            ),
            "8; [2 6 7]; [2]; [2 6]; [2 6 7]; [6 7]; [7 6]; []",
        );
        check(
            &format!(
                "{list}; LPOS k a COUNT 0 MAXLEN 1; LPOS k c COUNT 0 MAXLEN 1; LPOS k c COUNT 0 MAXLEN 3; \
                 LPOS k c COUNT 0 MAXLEN 3 RANK -1; LPOS k c COUNT 0 MAXLEN 7 RANK 2; LPOS k c MAXLEN 0 COUNT 0"
            ),
            "8; [0]; []; [2]; [7 6]; [6]; [2 6 7]",
        );
        check("LPOS k a; LPOS k a COUNT 1", "nil; []");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let zero = "(error) ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
             or use negative to start from the end of the list";
        check(
            "LPOS k a RANK 0; LPOS k a COUNT -1; LPOS k a MAXLEN -1; LPOS k a COUNT x; LPOS k a RANK; LPOS k a NEAR 1",
            &format!(
                "{zero}; (error) ERR COUNT can't be negative; (error) ERR MAXLEN can't be negative; \
                 (error) ERR COUNT can't be negative; (error) ERR syntax error; (error) ERR syntax error"
            ),
        );
        check(
            "LPOS k a RANK -9223372036854775808; LPOS k a RANK x; SET s v; LPOS s a",
            "(error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807; \
             (error) ERR value is not an integer or out of range; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
