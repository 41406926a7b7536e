//! SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination], and SORT_RO, which stores
//! nothing: the elements of a list, set or sorted set in order. <https://redis.io/commands/sort>
//!
//! The order is always total: elements of equal weights stand in the order of their texts. So the same data gives the same result, and
//! what STORE records is the command itself.

use std::cmp::Ordering;
use std::ops::Range;

use dunlin_store::hash_value::HashRef;
use dunlin_store::list::{self, End, ListRef};
use dunlin_store::set::SetRef;
use dunlin_store::zset::ZSetRef;
use dunlin_store::{Entry, Event, StrRef, Txn, ValueType};
use dunlin_structures::packed::Element;

use super::{fill, integer};
use crate::command::{ArgKind, Argument, Begin, Categories, Command, Find, Flags, KeySpec, Scope};
use crate::number::parse_double;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// Keys that BY and GET make of elements.
const NAMED_BY_VALUES: KeySpec = KeySpec {
    begin: Begin::Unknown,
    find: Find::Values,
    flags: &["RO", "access"],
};

const ARGUMENTS: [Argument; 6] = [
    Argument::KEY,
    Argument::new("by-pattern", ArgKind::Pattern)
        .with_token("BY")
        .optional(),
    Argument::block(
        "limit",
        &[
            Argument::new("offset", ArgKind::Integer),
            Argument::new("count", ArgKind::Integer),
        ],
    )
    .with_token("LIMIT")
    .optional(),
    Argument::new("get-pattern", ArgKind::Pattern)
        .with_token("GET")
        .optional()
        .multiple_with_token(),
    Argument::one_of(
        "order",
        &[
            Argument::token("asc", "ASC"),
            Argument::token("desc", "DESC"),
        ],
    )
    .optional(),
    Argument::token("sorting", "ALPHA").optional(),
];

/// SORT.
pub(super) const SORT: Command = Command {
    name: "sort",
    full_name: "sort",
    arity: -2,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::MOVABLEKEYS),
    categories: Categories::WRITE
        .and(Categories::SET)
        .and(Categories::SORTEDSET)
        .and(Categories::LIST)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    keys: &[
        KeySpec::one(1, &["RO", "access"]),
        NAMED_BY_VALUES,
        KeySpec {
            begin: Begin::Unknown,
            find: Find::Option {
                word: "store",
                from: 2,
                others: &[("limit", 2), ("get", 1), ("by", 1)],
            },
            flags: &["OW", "update"],
        },
    ],
    scope: Scope::Patterns,
    group: "generic",
    since: "1.0.0",
    complexity: "O(N log N + M) for N elements, of which M are returned",
    summary: "Returns or stores the elements of a list, set or sorted set in order.",
    arguments: &{
        let [key, by, limit, get, order, alpha] = ARGUMENTS;
        let store = Argument::new("destination", ArgKind::Key(2))
            .with_token("STORE")
            .optional();
        [key, by, limit, get, order, alpha, store]
    },
    handler: |cx| sort(cx, true),
    ..Command::BASE
};

/// SORT_RO.
pub(super) const SORT_RO: Command = Command {
    name: "sort_ro",
    full_name: "sort_ro",
    flags: Flags::READONLY.and(Flags::MOVABLEKEYS),
    categories: Categories::READ
        .and(Categories::SET)
        .and(Categories::SORTEDSET)
        .and(Categories::LIST)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    keys: &[KeySpec::one(1, &["RO", "access"]), NAMED_BY_VALUES],
    since: "7.0.0",
    summary: "Returns the elements of a list, set or sorted set in order.",
    arguments: &ARGUMENTS,
    handler: |cx| sort(cx, false),
    ..SORT
};

/// How a pattern makes a value of an element.
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// Without `*`: nothing.
    Nothing,
    /// The element between two texts is a key, of a string or of a hash with this field.
    Key(&'a [u8], &'a [u8], Option<&'a [u8]>),
}

impl<'a> Pattern<'a> {
    fn of(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text.iter().position(|&byte| byte == b'*') else {
            return Pattern::Nothing;
        };
        let (before, after) = (&text[..star], &text[star + 1..]);
        match after.windows(2).position(|pair| pair == b"->") {
            Some(arrow) if arrow + 2 < after.len() => {
                Pattern::Key(before, &after[..arrow], Some(&after[arrow + 2..]))
            }
            _ => Pattern::Key(before, after, None),
        }
    }

    /// Hands over what it makes of an element. `name` is scratch space.
    fn look_up<R>(
        &self,
        keys: &mut Txn<'_>,
        db: u32,
        element: &[u8],
        name: &mut Vec<u8>,
        take: impl FnOnce(Option<StrRef<'_>>) -> R,
    ) -> R {
        let &Pattern::Key(before, after, field) = self else {
            let itself = matches!(self, Pattern::Element);
            return take(itself.then_some(StrRef::Bytes(element)));
        };
        name.clear();
        [before, element, after]
            .iter()
            .for_each(|part| name.extend_from_slice(part));
        let key = keys.key(name);
        let hasher = keys.store().hasher();
        let Some(entry) = keys.read(db, &key) else {
            return take(None);
        };
        take(match field {
            None => entry.as_string(),
            Some(field) => {
                let value = HashRef::of(&entry).and_then(|hash| hash.get(hasher, field));
                value.map(|value| match value {
                    Element::Int(n) => StrRef::Int(n),
                    Element::Bytes(bytes) => StrRef::Bytes(bytes),
                })
            }
        })
    }
}

struct Options<'a> {
    /// Negative: all.
    limit: (i64, i64),
    by: Option<Pattern<'a>>,
    get: Vec<Pattern<'a>>,
    descending: bool,
    alpha: bool,
    /// BY names no key: the elements' own order.
    as_they_are: bool,
    /// The argument.
    store: Option<usize>,
}

fn options<'a>(cx: &Ctx<'a>, may_store: bool) -> Result<Options<'a>, ReplyError> {
    let mut options = Options {
        limit: (0, -1),
        by: None,
        get: Vec::new(),
        descending: false,
        alpha: false,
        as_they_are: false,
        store: None,
    };
    let args = cx.args;
    let mut i = 2;
    while i < args.len() {
        let left = args.len() - i - 1;
        if args.is(i, "asc") {
            options.descending = false;
        } else if args.is(i, "desc") {
            options.descending = true;
        } else if args.is(i, "alpha") {
            options.alpha = true;
        } else if args.is(i, "limit") && left >= 2 {
            options.limit = (integer(cx, i + 1)?, integer(cx, i + 2)?);
            i += 2;
        } else if may_store && args.is(i, "store") && left >= 1 {
            options.store = Some(i + 1);
            i += 1;
        } else if args.is(i, "by") && left >= 1 {
            // Once without a key, it stays so, as in Redis.
            let pattern = args.at(i + 1);
            options.as_they_are |= !pattern.contains(&b'*');
            if !options.as_they_are && !cx.may_read_any_key() {
                return Err(denied("BY"));
            }
            options.by = Some(Pattern::of(pattern));
            i += 1;
        } else if args.is(i, "get") && left >= 1 {
            if !cx.may_read_any_key() {
                return Err(denied("GET"));
            }
            options.get.push(Pattern::of(args.at(i + 1)));
            i += 1;
        } else {
            return Err(ReplyError::Syntax);
        }
        i += 1;
    }
    Ok(options)
}

#[cold]
fn denied(option: &str) -> ReplyError {
    ReplyError::err(format!(
        "{option} option of SORT denied due to insufficient ACL permissions."
    ))
}

/// Texts one after the other.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    spans: Vec<Range<usize>>,
}

impl Texts {
    fn push(&mut self, text: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.spans.push(start..self.bytes.len());
    }

    fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.spans[index].clone()]
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator + Clone {
        self.spans.iter().map(|span| &self.bytes[span.clone()])
    }
}

/// The elements of a LIMIT.
fn limited((offset, count): (i64, i64), len: usize) -> Range<usize> {
    let start = usize::try_from(offset.max(0)).map_or(len, |start| start.min(len));
    let end = match usize::try_from(count) {
        Ok(count) => start.saturating_add(count).min(len),
        Err(_) => len,
    };
    start..end
}

/// Elements in their own order: the range that is wanted, counted from the end when it descends.
fn load_range<'e>(
    elements: impl DoubleEndedIterator<Item = Element<'e>>,
    range: Range<usize>,
    descending: bool,
) -> Texts {
    let mut texts = Texts::default();
    let mut push = |element: Element<'_>| element.with_text(|text| texts.push(text));
    let (skipped, count) = (range.start, range.len());
    if descending {
        elements.rev().skip(skipped).take(count).for_each(&mut push);
    } else {
        elements.skip(skipped).take(count).for_each(&mut push);
    }
    texts
}

/// Elements of a value in their own order; sets have none, so they never descend.
fn load(entry: &Entry, range: Range<usize>, descending: bool) -> Texts {
    if let Some(list) = ListRef::of(entry) {
        let len = list.len();
        let kept = if descending {
            len - range.end..len - range.start
        } else {
            range
        };
        let count = kept.len();
        return load_range(list.range(kept), 0..count, descending);
    }
    if let Some(zset) = ZSetRef::of(entry) {
        let len = zset.len();
        let kept = if descending {
            len - range.end..len - range.start
        } else {
            range
        };
        let count = kept.len();
        let members = zset.range(kept).map(|(member, _)| member);
        return load_range(members, 0..count, descending);
    }
    let mut texts = Texts::default();
    if let Some(set) = SetRef::of(entry) {
        let members = set.iter().skip(range.start).take(range.len());
        members.for_each(|member| member.with_text(|text| texts.push(text)));
    }
    texts
}

/// Number of elements of what can be sorted; `None` for other types.
fn sortable_len(entry: &Entry) -> Option<usize> {
    ListRef::of(entry)
        .map(|list| list.len())
        .or_else(|| ZSetRef::of(entry).map(|zset| zset.len()))
        .or_else(|| SetRef::of(entry).map(|set| set.len()))
}

/// What C's `strtod` makes of a whole text; nothing is 0.
fn weight(text: &[u8]) -> Option<f64> {
    let end = text.iter().position(|&byte| byte == 0);
    let text = &text[..end.unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(is_blank).count();
    parse_double(&text[blanks..])
}

/// The part `wanted` of the sorted places: what lies before and behind it is put aside without being sorted, so that a short
/// LIMIT costs O(N) comparisons and not O(N log N).
fn sort_part(
    places: &mut [usize],
    wanted: Range<usize>,
    mut compare: impl FnMut(usize, usize) -> Ordering,
) -> &[usize] {
    let mut compare = |a: &usize, b: &usize| compare(*a, *b);
    let Range { start, end } = wanted;
    if start >= end {
        return &[];
    }
    if end < places.len() {
        places.select_nth_unstable_by(end, &mut compare);
    }
    let places = &mut places[..end];
    if start > 0 {
        places.select_nth_unstable_by(start, &mut compare);
    }
    let part = &mut places[start..];
    part.sort_unstable_by(compare);
    part
}

/// The places of the wanted elements, in order.
fn ordered(
    cx: &mut Ctx<'_>,
    texts: &Texts,
    options: &Options<'_>,
    wanted: Range<usize>,
) -> Result<Vec<usize>, ReplyError> {
    let (db, len) = (cx.db(), texts.spans.len());
    let mut places: Vec<usize> = (0..len).collect();
    let mut name = Vec::new();
    let by_text = |a: usize, b: usize| texts.get(a).cmp(texts.get(b));
    let turned = |order: Ordering| {
        if options.descending {
            order.reverse()
        } else {
            order
        }
    };
    let part = match (options.alpha, &options.by) {
        (true, None) => sort_part(&mut places, wanted, |a, b| turned(by_text(a, b))),
        (true, Some(pattern)) => {
            let weights: Vec<Option<Vec<u8>>> = texts
                .iter()
                .map(|text| {
                    pattern.look_up(&mut cx.keys, db, text, &mut name, |value| {
                        value.map(|value| value.to_vec())
                    })
                })
                .collect();
            sort_part(&mut places, wanted, |a, b| {
                turned(weights[a].cmp(&weights[b]).then_with(|| by_text(a, b)))
            })
        }
        (false, by) => {
            let number = |value: Option<StrRef<'_>>| match value {
                None => Some(0.0),
                Some(StrRef::Int(n)) => Some(n as f64),
                Some(StrRef::Bytes(bytes)) => weight(bytes),
                Some(chunked) => weight(&chunked.to_vec()),
            };
            let weights: Option<Vec<f64>> = texts
                .iter()
                .map(|text| match by {
                    None => weight(text),
                    Some(by) => by.look_up(&mut cx.keys, db, text, &mut name, number),
                })
                .collect();
            let weights = weights.ok_or_else(|| {
                ReplyError::err("One or more scores can't be converted into double")
            })?;
            sort_part(&mut places, wanted, |a, b| {
                let order = weights[a].partial_cmp(&weights[b]);
                // No weight is NaN.
                turned(order.unwrap_or(Ordering::Equal).then_with(|| by_text(a, b)))
            })
        }
    };
    Ok(part.to_vec())
}

fn sort(cx: &mut Ctx<'_>, may_store: bool) -> Outcome {
    let mut options = options(cx, may_store)?;
    let (db, key) = (cx.db(), cx.key(1));
    let lookups = 1 + options.get.len() + usize::from(options.by.is_some());
    let elements = cx.keys.elements(db, key.bytes) as usize;
    if cx.is_heavy(elements.saturating_mul(lookups)) {
        let touches_others = lookups > 1 || options.store.is_some();
        return Ok(if touches_others {
            Flow::Heavy
        } else {
            Flow::HeavyRead
        });
    }
    let (mut texts, mut is_sorted) = (Texts::default(), true);
    let mut wanted = 0..0;
    if let Some(entry) = cx.keys.read(db, &key) {
        let len = sortable_len(&entry).ok_or(ReplyError::WrongType)?;
        wanted = limited(options.limit, len);
        let must_repeat = options.store.is_some() || cx.session.in_script;
        if options.as_they_are && must_repeat && entry.kind().value_type() == ValueType::Set {
            // A set's own order is chance, which must neither be stored nor decide what a script does.
            (options.as_they_are, options.alpha, options.by) = (false, true, None);
        }
        is_sorted = options.as_they_are;
        let loaded = if is_sorted { wanted.clone() } else { 0..len };
        texts = load(&entry, loaded, is_sorted && options.descending);
    }
    let places = if is_sorted {
        (0..texts.spans.len()).collect()
    } else {
        ordered(cx, &texts, &options, wanted)?
    };
    let mut name = Vec::new();
    if let Some(destination) = options.store {
        let mut result = Texts::default();
        for &place in &places {
            let text = texts.get(place);
            if options.get.is_empty() {
                result.push(text);
            }
            for pattern in &options.get {
                pattern.look_up(&mut cx.keys, db, text, &mut name, |value| {
                    result.push(&value.map(|value| value.to_vec()).unwrap_or_default());
                });
            }
        }
        store(cx, destination, &result);
        return Ok(Flow::Done);
    }
    cx.reply.array(places.len() * options.get.len().max(1));
    for &place in &places {
        let text = texts.get(place);
        if options.get.is_empty() {
            cx.reply.bulk(text);
        }
        for pattern in &options.get {
            let reply = &mut cx.reply;
            pattern.look_up(&mut cx.keys, db, text, &mut name, |value| match value {
                Some(value) => reply.string(value),
                None => reply.null(),
            });
        }
    }
    Ok(Flow::Done)
}

/// Puts a list in the place of a key, or removes it for an empty one; the reply.
fn store(cx: &mut Ctx<'_>, destination: usize, result: &Texts) {
    let (db, key, len) = (cx.db(), cx.key(destination), result.spans.len());
    cx.reply.count(len);
    if len > 0 {
        let (fill, clock) = (fill(cx.engine), cx.keys.local().clock);
        let entry = list::create(key.bytes, result.iter(), End::Right, fill, clock);
        cx.keys.put_entry(db, &key, entry, None);
        cx.record_verbatim(key.bytes, Event::list("sortstore"));
        cx.keys.count_changes(len as u64 - 1);
    } else if let Some(entry) = cx.keys.remove(db, &key) {
        cx.keys.discard(entry);
        cx.record_verbatim(key.bytes, Event::generic("del"));
    }
}

#[cfg(test)]
mod tests {
    use super::{limited, sort_part, weight};
    use crate::testing::{Console, check};

    /// xorshift64*, Vigna 2014.
    fn below(state: &mut u64, bound: u64) -> u64 {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    #[test]
    fn numbers_and_texts() {
        check(
            "RPUSH k 10 9 -1 2.5 1e2 2.5; SORT k; SORT k DESC; SORT k ALPHA; SORT k ALPHA DESC; SORT_RO k LIMIT 1 2; SORT nosuch",
            "6; [-1 2.5 2.5 9 10 1e2]; [1e2 10 9 2.5 2.5 -1]; [-1 10 1e2 2.5 2.5 9]; [9 2.5 2.5 1e2 10 -1]; [2.5 2.5]; []",
        );
        check(
            "SADD k 3 1 2; SORT k; SORT k LIMIT 0 1 DESC; SADD t b a c; SORT t ALPHA LIMIT 1 10",
            "3; [1 2 3]; [3]; 3; [b c]",
        );
        check(
            "ZADD k 1 30 2 20 3 10; SORT k; SORT k BY nosort; SORT k BY nosort DESC LIMIT 0 2",
            "3; [10 20 30]; [30 20 10]; [10 20]",
        );
        check(
            "RPUSH k c a b; SORT k BY nosort LIMIT 1 5; SORT k BY nosort DESC LIMIT 0 2; SORT k BY nosort GET #",
            "3; [a b]; [b a]; [c a b]",
        );
    }

    #[test]
    fn weights_and_values_of_other_keys() {
        check(
            "RPUSH k 1 2 3; MSET w1 30 w2 20 d1 one d3 three; SORT k BY w*; SORT k BY w* GET # GET d*; SORT k BY w* DESC ALPHA; \
             SORT k GET nostar",
            "3; OK; [3 2 1]; [3 three 2 nil 1 one]; [1 2 3]; [nil nil nil]",
        );
        check(
            "RPUSH k 1 2; HSET h1 w 5 n one; HSET h2 w 4 n two; SORT k BY h*->w GET h*->n; SORT k BY h*->w GET h*->nosuch; SORT k GET h*; \
             SET h1-> x; SORT k GET h*->",
            "2; 2; 2; [two one]; [nil nil]; [nil nil]; OK; [x nil]",
        );
        check(
            "RPUSH k b a; SET wa 1 PX 5; SET wb 2 PX 5; SORT k BY w*; +5ms; SORT k BY w*; DBSIZE; SORT k BY w* GET w*",
            "2; OK; OK; [a b]; [a b]; 1; [nil nil]",
        );
    }

    #[test]
    fn storing() {
        check(
            "RPUSH k 3 1 2; SET d x PX 100; SORT k STORE d; LRANGE d 0 -1; PTTL d; SORT k LIMIT 9 9 STORE d; EXISTS d; SORT nosuch STORE d; \
             SORT k DESC STORE k; LRANGE k 0 -1; OBJECT ENCODING k",
            "3; OK; 3; [1 2 3]; -1; 0; 0; 0; 3; [3 2 1]; listpack",
        );
        check(
            "SADD s b a 10 9; SORT s BY nosort STORE d; LRANGE d 0 -1",
            "4; 4; [10 9 a b]",
        );
        check(
            "RPUSH k 2 1; SET w2 x; SORT k GET w* STORE d STORE e; LRANGE e 0 -1; EXISTS d; COMMAND GETKEYS SORT k BY store STORE d STORE e",
            "2; OK; 2; [ x]; 0; [k e]",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            "RPUSH k a 1; SORT k; SORT k NEAR; SORT k LIMIT 1; SORT k LIMIT a 1; SORT k BY; SORT_RO k STORE d; SET s v; SORT s; SORT k BY w* STORE d; SET wa x; SORT k BY w*",
            "2; (error) ERR One or more scores can't be converted into double; (error) ERR syntax error; (error) ERR syntax error; \
             (error) ERR value is not an integer or out of range; (error) ERR syntax error; (error) ERR syntax error; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; 2; OK; \
             (error) ERR One or more scores can't be converted into double",
        );
    }

    #[test]
    fn other_keys_are_read_inside_a_transaction() {
        check(
            "RPUSH k 1 2; MSET w1 2 w2 1; MULTI; SORT k BY w*; SORT k STORE d; EXEC",
            "2; OK; OK; QUEUED; QUEUED; [[2 1] 2]",
        );
    }

    #[test]
    fn a_sorted_part_is_the_part_of_the_sorted_whole() {
        let mut state = 7;
        for round in 0..2000 {
            let len = below(&mut state, 120);
            // From all equal to hardly any.
            let kinds = 1 + below(&mut state, 1 << (round % 10));
            let keys: Vec<u64> = (0..len).map(|_| below(&mut state, kinds)).collect();
            let mut whole = keys.clone();
            whole.sort_unstable();
            let start = below(&mut state, len + 1) as usize;
            let end = start + below(&mut state, len - start as u64 + 1) as usize;
            let mut places: Vec<usize> = (0..keys.len()).collect();
            let part = sort_part(&mut places, start..end, |a, b| keys[a].cmp(&keys[b]));
            let shown: Vec<u64> = part.iter().map(|&place| keys[place]).collect();
            assert_eq!(shown, whole[start..end], "{keys:?} {start}..{end}");
            let mut places = part.to_vec();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), end - start, "no place twice");
        }
    }

    #[test]
    fn a_limit_gives_the_part_of_the_whole_reply() {
        let mut state = 11;
        let mut console = Console::default();
        for n in 0..300 {
            let (number, weight) = (below(&mut state, 90), below(&mut state, 9));
            console.run(&format!("RPUSH k {number}.0 {number}; SET w{n} {weight}"));
        }
        for options in [
            "",
            "DESC",
            "ALPHA",
            "ALPHA DESC",
            "BY w*",
            "BY w* ALPHA DESC",
        ] {
            let whole = console.run(&format!("SORT k {options}"));
            let whole: Vec<&str> = whole.trim_matches(['[', ']']).split(' ').collect();
            assert_eq!(whole.len(), 600);
            for (offset, count) in [
                (0, 1),
                (0, 10),
                (299, 5),
                (595, 9),
                (600, 1),
                (17, 500),
                (3, 0),
            ] {
                let part = console.run(&format!("SORT k {options} LIMIT {offset} {count}"));
                let end = (offset + count).min(whole.len());
                assert_eq!(
                    part,
                    format!("[{}]", whole[offset..end].join(" ")),
                    "{options}"
                );
            }
        }
    }

    #[test]
    fn limits_are_cut() {
        assert_eq!(limited((0, -1), 5), 0..5);
        assert_eq!(limited((1, 2), 5), 1..3);
        assert_eq!(limited((-3, 2), 5), 0..2);
        assert_eq!(limited((7, 2), 5), 5..5);
        assert_eq!(limited((2, 0), 5), 2..2);
        assert_eq!(limited((i64::MAX, i64::MAX), 5), 5..5);
        assert_eq!(limited((2, i64::MIN), 5), 2..5);
    }

    #[test]
    fn weights_are_what_strtod_makes() {
        assert_eq!(weight(b""), Some(0.0));
        assert_eq!(weight(b" 5"), Some(5.0));
        assert_eq!(weight(b"-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(weight(b"5\0junk"), Some(5.0));
        for wrong in ["5 ", " ", "nan", "1e999", "x", "5x"] {
            assert_eq!(weight(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
