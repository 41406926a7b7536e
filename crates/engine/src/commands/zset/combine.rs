//! Unions, intersections and differences of sorted sets, with plain sets taken for sorted ones whose scores are all 1.

use dunlin_store::set::{SetRef, Snapshot};
use dunlin_store::zset::{Item, ZSetRef, order_items, order_members};
use dunlin_store::{Entry, KeyHasher, MemberHash, members::member_hash};
use dunlin_structures::packed::Element;

use crate::number::{parse_double, parse_i64};
use crate::{Ctx, ReplyError};

/// How the scores of a member that stands in several sources become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// Opposite infinities make zero; a comparison with no number keeps what was there.
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

/// Zero times infinity counts as zero.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// The operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Union,
    Intersection,
    Difference,
}

/// Which options a command takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) operation: Operation,
    /// Argument with the number of keys.
    pub(super) count_at: usize,
    /// WITHSCORES.
    pub(super) answers: bool,
    /// LIMIT alone: only the number is asked for.
    pub(super) counts: bool,
}

/// A value that does not change any more.
enum Value {
    Nothing,
    ZSet(Entry),
    Set(Snapshot),
}

impl Value {
    fn of(entry: &Entry) -> Result<Value, ReplyError> {
        if ZSetRef::of(entry).is_some() {
            return Ok(Value::ZSet(entry.image().to_entry(b"")));
        }
        let set = Snapshot::of(entry).ok_or(ReplyError::WrongType)?;
        Ok(Value::Set(set))
    }

    fn zset(&self) -> Option<ZSetRef<'_>> {
        match self {
            Value::ZSet(entry) => ZSetRef::of(entry),
            _ => None,
        }
    }

    fn set(&self) -> Option<SetRef<'_>> {
        match self {
            Value::Set(set) => Some(set.as_ref()),
            _ => None,
        }
    }
}

/// A source and its weight.
struct Source {
    value: Value,
    weight: f64,
}

impl Source {
    fn len(&self) -> usize {
        match &self.value {
            Value::Nothing => 0,
            Value::ZSet(_) => self.value.zset().map_or(0, ZSetRef::len),
            Value::Set(set) => set.as_ref().len(),
        }
    }

    /// Score of a member; one in a plain set has 1.
    fn score(&self, hasher: &KeyHasher, member: &[u8]) -> Option<f64> {
        match &self.value {
            Value::Nothing => None,
            Value::ZSet(_) => self.value.zset()?.score(hasher, member),
            Value::Set(set) => set
                .as_ref()
                .contains(hasher, Element::of(member))
                .then_some(1.0),
        }
    }

    /// All items; integers are `Element::Int` whatever form the source has.
    fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let scored = self.value.zset().into_iter().flat_map(ZSetRef::iter);
        let plain = self.value.set().into_iter().flat_map(SetRef::iter);
        let items = scored.chain(plain.map(|member| (member, 1.0)));
        items.map(|(member, score)| match member {
            Element::Bytes(text) => (Element::of(text), score),
            Element::Int(_) => (member, score),
        })
    }
}

/// What a command asks for.
pub(super) struct Query {
    operation: Operation,
    sources: Vec<Source>,
    aggregate: Aggregate,
    pub(super) with_scores: bool,
    /// 0: none.
    limit: usize,
}

impl Query {
    /// Reads arguments and keys. `None`: the command is heavy.
    pub(super) fn read(cx: &mut Ctx<'_>, form: Form) -> Result<Option<Query>, ReplyError> {
        let args = cx.args;
        let keys = parse_i64(args.at(form.count_at)).ok_or(ReplyError::NotInteger)?;
        if keys < 1 {
            return Err(ReplyError::err(format!(
                "at least 1 input key is needed for '{}' command",
                cx.command.full_name
            )));
        }
        let first = form.count_at + 1;
        let keys = usize::try_from(keys).unwrap_or(usize::MAX);
        if keys > args.len() - first {
            return Err(ReplyError::Syntax);
        }
        let db = cx.db();
        if cx.is_heavy(usize::MAX) {
            let sizes = (first..first + keys).map(|i| cx.keys.elements(db, args.at(i)));
            let elements = sizes.fold(0u64, u64::saturating_add);
            if cx.is_heavy(usize::try_from(elements).unwrap_or(usize::MAX)) {
                return Ok(None);
            }
        }
        let mut sources = Vec::with_capacity(keys);
        for i in first..first + keys {
            let key = cx.key(i);
            let value = match cx.keys.read(db, &key) {
                None => Value::Nothing,
                Some(entry) => Value::of(&entry)?,
            };
            sources.push(Source { value, weight: 1.0 });
        }
        let mut query = Query {
            operation: form.operation,
            sources,
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: 0,
        };
        query.parse_options(args, first + keys, form)?;
        Ok(Some(query))
    }

    fn parse_options(
        &mut self,
        args: crate::Args<'_>,
        mut i: usize,
        form: Form,
    ) -> Result<(), ReplyError> {
        let keys = self.sources.len();
        let weighs = form.operation != Operation::Difference && !form.counts;
        while i < args.len() {
            let left = args.len() - i;
            if weighs && left > keys && args.is(i, "weights") {
                for (source, text) in self.sources.iter_mut().zip(args.from(i + 1)) {
                    source.weight = parse_double(text)
                        .ok_or_else(|| ReplyError::err("weight value is not a float"))?;
                }
                i += keys + 1;
            } else if weighs && left >= 2 && args.is(i, "aggregate") {
                self.aggregate = if args.is(i + 1, "sum") {
                    Aggregate::Sum
                } else if args.is(i + 1, "min") {
                    Aggregate::Min
                } else if args.is(i + 1, "max") {
                    Aggregate::Max
                } else {
                    return Err(ReplyError::Syntax);
                };
                i += 2;
            } else if form.answers && args.is(i, "withscores") {
                self.with_scores = true;
                i += 1;
            } else if form.counts && left >= 2 && args.is(i, "limit") {
                let limit = parse_i64(args.at(i + 1)).and_then(|n| usize::try_from(n).ok());
                self.limit = limit.ok_or_else(|| ReplyError::err("LIMIT can't be negative"))?;
                i += 2;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(())
    }

    /// The result, in order.
    pub(super) fn result(&mut self, hasher: &KeyHasher) -> Vec<Item<'_>> {
        if self.operation != Operation::Difference {
            // Scores are added up from the smallest source to the largest.
            self.sources.sort_by_key(Source::len);
        }
        let mut items = match self.operation {
            Operation::Union => self.union(hasher),
            Operation::Intersection => self.intersection(hasher).collect(),
            Operation::Difference => self.difference(hasher),
        };
        items.sort_unstable_by(|a, b| order_items(*a, *b));
        items
    }

    /// Number of members of an intersection, up to the limit.
    pub(super) fn count(&mut self, hasher: &KeyHasher) -> usize {
        self.sources.sort_by_key(Source::len);
        let limit = if self.limit == 0 {
            usize::MAX
        } else {
            self.limit
        };
        self.intersection(hasher).take(limit).count()
    }

    /// Equal members are brought together by sorting, which keeps the order of sources.
    fn union(&self, hasher: &KeyHasher) -> Vec<Item<'_>> {
        let total = self.sources.iter().map(Source::len).sum();
        let mut all: Vec<(MemberHash, Item<'_>)> = Vec::with_capacity(total);
        for source in &self.sources {
            all.extend(source.items().map(|(member, score)| {
                let hash = member.with_text(|text| member_hash(hasher, text));
                (hash, (member, number_or_zero(source.weight * score)))
            }));
        }
        all.sort_by(|(a_hash, a), (b_hash, b)| {
            a_hash.cmp(b_hash).then_with(|| order_members(a.0, b.0))
        });
        let mut items: Vec<Item<'_>> = Vec::with_capacity(all.len());
        for (_, (member, score)) in all {
            match items.last_mut() {
                Some(last) if last.0 == member => last.1 = self.aggregate.join(last.1, score),
                _ => items.push((member, score)),
            }
        }
        items
    }

    /// Members of the first source, the smallest, that stand in all others.
    fn intersection(&self, hasher: &KeyHasher) -> impl Iterator<Item = Item<'_>> {
        let (first, others) = self.sources.split_first().expect("at least one source");
        first.items().filter_map(move |(member, score)| {
            let score = number_or_zero(first.weight * score);
            let joined = member.with_text(|text| {
                others.iter().try_fold(score, |joined, source| {
                    let score = source.score(hasher, text)? * source.weight;
                    Some(self.aggregate.join(joined, score))
                })
            });
            joined.map(|score| (member, score))
        })
    }

    /// Members of the first source that stand in no other: each is looked for, or, where the others are small beside the first, they are
    /// gathered before.
    fn difference(&self, hasher: &KeyHasher) -> Vec<Item<'_>> {
        let (first, others) = self.sources.split_first().expect("at least one source");
        let total: usize = self.sources.iter().map(Source::len).sum();
        if first.len().saturating_mul(others.len() + 1) / 2 <= total {
            let stays = |member: Element<'_>| {
                member.with_text(|text| others.iter().all(|s| s.score(hasher, text).is_none()))
            };
            return first.items().filter(|item| stays(item.0)).collect();
        }
        let hash_of = |member: Element<'_>| member.with_text(|text| member_hash(hasher, text));
        let taken = others.iter().flat_map(Source::items);
        let mut taken: Vec<(MemberHash, Element<'_>)> =
            taken.map(|(member, _)| (hash_of(member), member)).collect();
        let order = |a: &(MemberHash, Element<'_>), b: &(MemberHash, Element<'_>)| {
            a.0.cmp(&b.0).then_with(|| order_members(a.1, b.1))
        };
        taken.sort_unstable_by(order);
        let stays = |member: Element<'_>| {
            let wanted = (hash_of(member), member);
            taken
                .binary_search_by(|probe| order(probe, &wanted))
                .is_err()
        };
        first.items().filter(|item| stays(item.0)).collect()
    }
}
