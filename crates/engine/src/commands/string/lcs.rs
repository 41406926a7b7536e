//! LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]: the longest common subsequence of two strings.
//! <https://redis.io/commands/lcs>
//!
//! The classic table of lengths for all pairs of beginnings, of which two rows are kept, and of every cell the one bit that the way
//! back needs: whether it goes up. The limit is the one of Redis, whose table has four bytes a cell.

use dunlin_store::Txn;

use crate::command::{ArgKind, Argument, Categories, Command, Find, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// Bytes of a cell in Redis's table.
const REDIS_CELL_BYTES: usize = 4;
/// So many cells take about as long as touching one element of a collection.
const CELLS_PER_ELEMENT: usize = 16;

/// LCS.
pub(super) const LCS: Command = Command {
    name: "lcs",
    full_name: "lcs",
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::READ
        .and(Categories::STRING)
        .and(Categories::SLOW),
    keys: &[KeySpec {
        find: Find::Range {
            last: 1,
            step: 1,
            limit: 0,
        },
        ..KeySpec::one(1, &["RO", "access"])
    }],
    scope: Scope::Keys,
    group: "string",
    since: "7.0.0",
    complexity: "O(N*M) for strings of N and M bytes",
    summary: "Finds the longest sequence of bytes that two strings have in common, gaps allowed.",
    arguments: &[
        Argument::new("key1", ArgKind::Key(0)),
        Argument::new("key2", ArgKind::Key(0)),
        Argument::token("len", "LEN").optional(),
        Argument::token("idx", "IDX").optional(),
        Argument::new("min-match-len", ArgKind::Integer)
            .with_token("MINMATCHLEN")
            .optional(),
        Argument::token("withmatchlen", "WITHMATCHLEN").optional(),
    ],
    handler: lcs,
    ..Command::BASE
};

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: u64,
}

fn options(cx: &Ctx<'_>) -> Result<Options, ReplyError> {
    let mut options = Options::default();
    let mut i = 3;
    while i < cx.args.len() {
        if cx.args.is(i, "idx") {
            options.idx = true;
        } else if cx.args.is(i, "len") {
            options.len = true;
        } else if cx.args.is(i, "withmatchlen") {
            options.with_match_len = true;
        } else if cx.args.is(i, "minmatchlen") && i + 1 < cx.args.len() {
            i += 1;
            let min = parse_i64(cx.args.at(i)).ok_or(ReplyError::NotInteger)?;
            options.min_match_len = u64::try_from(min).unwrap_or(0);
        } else {
            return Err(ReplyError::Syntax);
        }
        i += 1;
    }
    if options.idx && options.len {
        return Err(ReplyError::err(
            "If you want both the length and indexes, please just use IDX.",
        ));
    }
    Ok(options)
}

/// The length of a key's string.
fn length(keys: &mut Txn<'_>, db: u32, key: &[u8]) -> Result<usize, ReplyError> {
    let key = keys.key(key);
    let Some(entry) = keys.peek(db, &key) else {
        return Ok(0);
    };
    let text = entry.as_string();
    text.map(|text| text.len())
        .ok_or_else(|| ReplyError::err("The specified keys must contain string values"))
}

/// The string of a key, whose type has been looked at; nothing for no key.
fn text(cx: &mut Ctx<'_>, index: usize) -> Vec<u8> {
    let (db, key) = (cx.db(), cx.key(index));
    let entry = cx.keys.read(db, &key);
    let text = entry.as_deref().and_then(|entry| entry.as_string());
    text.map(|text| text.to_vec()).unwrap_or_default()
}

fn lcs(cx: &mut Ctx<'_>) -> Outcome {
    let db = cx.db();
    let a_len = length(&mut cx.keys, db, cx.args.at(1))?;
    let b_len = length(&mut cx.keys, db, cx.args.at(2))?;
    let options = options(cx)?;
    if a_len.max(b_len) >= u32::MAX as usize - 1 {
        return Err(ReplyError::err("String too long for LCS"));
    }
    let cells = (a_len + 1) * (b_len + 1);
    if cells.saturating_mul(REDIS_CELL_BYTES) > cx.engine.string_bytes_max() {
        return Err(ReplyError::err(
            "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    if cx.is_heavy(cells / CELLS_PER_ELEMENT) {
        return Ok(Flow::HeavyRead);
    }
    let (a, b) = (text(cx, 1), text(cx, 2));
    let table = Table::new(&a, &b, !options.len);
    if options.idx {
        let mut runs = table.runs(&a, &b);
        runs.retain(|run| run.len as u64 >= options.min_match_len);
        reply_runs(cx, &runs, table.len, options.with_match_len);
    } else if options.len {
        cx.reply.count(table.len);
    } else {
        let runs = table.runs(&a, &b);
        let pieces = runs.iter().rev().map(|run| &a[run.a..run.a + run.len]);
        cx.reply.bulk(&pieces.collect::<Vec<_>>().concat());
    }
    Ok(Flow::Done)
}

fn reply_runs(cx: &mut Ctx<'_>, runs: &[Run], len: usize, with_len: bool) {
    cx.reply.map(2);
    cx.reply.bulk(b"matches");
    cx.reply.array(runs.len());
    for run in runs {
        cx.reply.array(if with_len { 3 } else { 2 });
        for start in [run.a, run.b] {
            cx.reply.array(2);
            cx.reply.count(start);
            cx.reply.count(start + run.len - 1);
        }
        if with_len {
            cx.reply.count(run.len);
        }
    }
    cx.reply.bulk(b"len");
    cx.reply.count(len);
}

/// A run of bytes that stand at `a` in one string and at `b` in the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

struct Table {
    /// Length of the longest common subsequence.
    len: usize,
    /// A bit for each cell: the beginning of `a` without its last byte has a longer one than that of `b` without its last.
    up: Vec<u64>,
    /// Words of a row.
    stride: usize,
}

impl Table {
    fn new(a: &[u8], b: &[u8], keep_way: bool) -> Table {
        let stride = if keep_way { b.len().div_ceil(64) } else { 0 };
        let mut up = vec![0u64; a.len() * stride];
        let mut above = vec![0u32; b.len() + 1];
        for (i, &byte) in a.iter().enumerate() {
            let (mut diagonal, mut left) = (0, 0);
            let row = &mut up[i * stride..(i + 1) * stride];
            for (j, &other) in b.iter().enumerate() {
                let top = above[j + 1];
                let cell = if byte == other {
                    diagonal + 1
                } else {
                    if keep_way && top > left {
                        row[j / 64] |= 1 << (j % 64);
                    }
                    top.max(left)
                };
                above[j + 1] = cell;
                (diagonal, left) = (top, cell);
            }
        }
        Table {
            len: above[b.len()] as usize,
            up,
            stride,
        }
    }

    /// The runs of a longest common subsequence, the last first: the one that Redis chooses.
    fn runs(&self, a: &[u8], b: &[u8]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut i, mut j, mut goes_on) = (a.len(), b.len(), false);
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                match runs.last_mut() {
                    Some(run) if goes_on => {
                        *run = Run {
                            a: i,
                            b: j,
                            len: run.len + 1,
                        }
                    }
                    _ => runs.push(Run { a: i, b: j, len: 1 }),
                }
                goes_on = true;
            } else {
                goes_on = false;
                if self.up[(i - 1) * self.stride + (j - 1) / 64] >> ((j - 1) % 64) & 1 == 1 {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::Table;
    use crate::testing::{Console, check, resp3};

    #[test]
    fn the_three_replies() {
        check(
            "MSET a ohmytext b mynewtext; LCS a b; LCS a b LEN; LCS a b IDX; LCS a b IDX MINMATCHLEN 4; \
             LCS a b idx minmatchlen 4 withmatchlen; LCS a b IDX MINMATCHLEN -1",
            "OK; mytext; 6; [matches [[[4 7] [5 8]] [[2 3] [0 1]]] len 6]; [matches [[[4 7] [5 8]]] len 6]; \
             [matches [[[4 7] [5 8] 4]] len 6]; [matches [[[4 7] [5 8]] [[2 3] [0 1]]] len 6]",
        );
        check(
            "LCS a b; LCS a b LEN; LCS a b IDX; SET a x; LCS a b; LCS a a",
            "; 0; [matches [] len 0]; OK; ; x",
        );
        check(
            "MSET a 12345 b 345; LCS a b; LCS b a IDX",
            "OK; 345; [matches [[[0 2] [2 4]]] len 3]",
        );
        let mut console = Console::default();
        resp3(&mut console);
        assert_eq!(
            console.run("MSET a x b x; LCS a b IDX"),
            "OK; {matches [[[0 0] [0 0]]] len 1}"
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "RPUSH l x; LCS l a NEAR; LCS a l; LCS a b NEAR; LCS a b MINMATCHLEN; LCS a b MINMATCHLEN x; LCS a b LEN IDX; LCS a",
            "1; (error) ERR The specified keys must contain string values; \
             (error) ERR The specified keys must contain string values; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR value is not an integer or out of range; \
             (error) ERR If you want both the length and indexes, please just use IDX.; \
             (error) ERR wrong number of arguments for 'lcs' command",
        );
        let mut console = Console::default();
        console.engine.bulk_bytes_max.store(100, Ordering::Relaxed);
        assert_eq!(
            console.run("MSET a 1234 b 1234; LCS a b LEN; SET a 12345; LCS a b LEN"),
            "OK; 4; OK; (error) ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        );
    }

    #[test]
    fn of_long_strings() {
        let (a, b) = ("ab".repeat(1000), "b".repeat(900));
        check(
            &format!("MSET a {a} b {b}; LCS a b LEN; LCS a b; STRLEN a"),
            &format!("OK; 900; {b}; 2000"),
        );
    }

    /// The table of the definition.
    fn plain(a: &[u8], b: &[u8]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        table[a.len()][b.len()]
    }

    #[test]
    fn runs_are_common_and_as_long_as_can_be() {
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..300 {
            let [a, b] = [0; 2].map(|_| {
                (0..random(150))
                    .map(|_| random(4) as u8)
                    .collect::<Vec<u8>>()
            });
            let table = Table::new(&a, &b, true);
            assert_eq!(table.len, plain(&a, &b));
            let runs = table.runs(&a, &b);
            assert_eq!(runs.iter().map(|run| run.len).sum::<usize>(), table.len);
            for run in &runs {
                assert_eq!(a[run.a..run.a + run.len], b[run.b..run.b + run.len]);
            }
            assert!(runs.is_sorted_by(
                |later, run| run.a + run.len <= later.a && run.b + run.len <= later.b
            ));
        }
    }
}
