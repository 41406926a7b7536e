//! The search itself: the members of a sorted set whose points a shape covers, answered or stored.

use std::ops::Range;

use dunlin_store::Event;
use dunlin_store::zset::{Item, ScoreBound, ScoreRange, ZSetRef, edit, order, order_items};
use dunlin_structures::geohash::Point;
use dunlin_structures::packed::Element;

use super::options::{Form, Query, Sort};
use super::{reply_distance, reply_point, zset_of};
use crate::commands::zset::{rules, store};
use crate::reply::Reply;
use crate::{Ctx, Flow, Outcome};

/// A member that was found.
struct Found<'a> {
    member: Element<'a>,
    score: f64,
    point: Point,
    /// In the query's unit.
    distance: f64,
}

/// Reads the arguments and does what they ask for.
pub(super) fn search(cx: &mut Ctx<'_>, form: Form) -> Outcome {
    let (db, args, source) = (cx.db(), cx.args, cx.key(form.source()));
    let (may_defer, rules, clock) = (cx.may_defer, rules(cx), cx.keys.local().clock);
    let entry = cx.keys.read(db, &source);
    let zset = zset_of(&entry)?;
    let query = Query::parse(args, form, zset, rules.hasher)?;
    let destination = query.store.map(|index| args.at(index));
    let mut found = Vec::new();
    if let Some(zset) = zset {
        let ranks = ranks(zset, &query);
        if may_defer && Ctx::is_many(ranks.iter().map(ExactSizeIterator::len).sum()) {
            return Ok(if destination.is_some() {
                Flow::Heavy
            } else {
                Flow::HeavyRead
            });
        }
        found = find(zset, &query, ranks);
        arrange(&mut found, &query);
    }
    let Some(destination) = destination else {
        answer(&mut cx.reply, &found, &query);
        return Ok(Flow::Done);
    };
    let mut items: Vec<Item<'_>> = found
        .iter()
        .map(|found| {
            let stored = if query.stores_distance {
                found.distance
            } else {
                found.score
            };
            (found.member, stored)
        })
        .collect();
    items.sort_by(|a, b| order_items(*a, *b));
    let stored = (!items.is_empty()).then(|| {
        let entry = edit::from_sorted(destination, clock, items.iter().copied(), &rules);
        (entry, items.len())
    });
    let destination = cx.keys.key(destination);
    store(cx, &destination, stored, Event::zset(form.event()));
    Ok(Flow::Done)
}

/// The ranks of all members that may be covered, in the order of search.
fn ranks(zset: ZSetRef<'_>, query: &Query) -> Vec<Range<usize>> {
    let ranges = query.shape.ranges(query.centre).into_iter();
    let ranks = ranges.map(|numbers| {
        zset.score_ranks(&ScoreRange {
            min: ScoreBound {
                score: numbers.start as f64,
                exclusive: false,
            },
            max: ScoreBound {
                score: numbers.end as f64,
                exclusive: true,
            },
        })
    });
    ranks.collect()
}

fn find<'a>(zset: ZSetRef<'a>, query: &Query, ranks: Vec<Range<usize>>) -> Vec<Found<'a>> {
    let limit = query.count.filter(|_| query.any).unwrap_or(usize::MAX);
    let items = ranks.into_iter().flat_map(|ranks| zset.range(ranks));
    let found = items.filter_map(|(member, score)| {
        let point = Point::of_score(score);
        let distance = query.shape.reaches(query.centre, point)?;
        Some(Found {
            member,
            score,
            point,
            distance: distance / query.metres,
        })
    });
    found.take(limit).collect()
}

/// Puts what was found into its order, and drops what is more than was asked for.
fn arrange(found: &mut Vec<Found<'_>>, query: &Query) {
    match query.sort {
        Sort::None => {}
        Sort::Ascending => found.sort_by(|a, b| order(a.distance, b.distance)),
        Sort::Descending => found.sort_by(|a, b| order(b.distance, a.distance)),
    }
    found.truncate(query.count.unwrap_or(usize::MAX));
}

fn answer(reply: &mut Reply<'_>, found: &[Found<'_>], query: &Query) {
    let options = [query.with_distance, query.with_hash, query.with_point];
    let options = options.into_iter().filter(|wanted| *wanted).count();
    reply.array(found.len());
    for found in found {
        if options > 0 {
            reply.array(options + 1);
        }
        reply.element(found.member);
        if query.with_distance {
            reply_distance(reply, found.distance);
        }
        if query.with_hash {
            reply.integer(found.score as i64);
        }
        if query.with_point {
            reply_point(reply, found.point);
        }
    }
}
