//! What a search is for: the arguments of GEOSEARCH, GEORADIUS and their relatives, read in Redis's order of errors.

use dunlin_store::KeyHasher;
use dunlin_store::zset::ZSetRef;
use dunlin_structures::geohash::{Point, Shape};

use super::{point, unit};
use crate::number::{parse_double, parse_i64};
use crate::{Args, ReplyError};

/// Which command's arguments are read.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Form {
    /// GEORADIUS; whether it may store.
    Radius { stores: bool },
    /// GEORADIUSBYMEMBER; likewise.
    RadiusByMember { stores: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Form {
    /// The argument that is the key to be searched.
    pub(super) fn source(self) -> usize {
        if self == Form::SearchStore { 2 } else { 1 }
    }

    fn is_search(self) -> bool {
        matches!(self, Form::Search | Form::SearchStore)
    }

    fn may_store(self) -> bool {
        matches!(
            self,
            Form::Radius { stores: true } | Form::RadiusByMember { stores: true }
        )
    }

    /// The event of a result that was stored.
    pub(super) fn event(self) -> &'static str {
        if self.is_search() {
            "geosearchstore"
        } else {
            "georadiusstore"
        }
    }
}

/// The order of what was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sort {
    /// As it is found.
    None,
    /// Nearest first.
    Ascending,
    /// Farthest first.
    Descending,
}

/// A search.
pub(super) struct Query {
    /// Known unless the sorted set is missing.
    pub(super) centre: Point,
    /// In metres.
    pub(super) shape: Shape,
    /// Metres in the unit of distances.
    pub(super) metres: f64,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_point: bool,
    pub(super) sort: Sort,
    /// How many are wanted at most.
    pub(super) count: Option<usize>,
    /// The first that are found will do.
    pub(super) any: bool,
    /// The argument that is the key to store under.
    pub(super) store: Option<usize>,
    /// Distances are stored instead of the points.
    pub(super) stores_distance: bool,
}

/// A distance and its unit, from `index` on.
fn radius(args: Args<'_>, index: usize) -> Result<(Shape, f64), ReplyError> {
    let radius = parse_double(args.at(index)).ok_or(ReplyError::err("need numeric radius"))?;
    if radius < 0.0 {
        return Err(ReplyError::err("radius cannot be negative"));
    }
    let metres = unit(args.at(index + 1))?;
    Ok((Shape::Circle(radius * metres), metres))
}

/// Width, height and their unit, from `index` on.
fn rectangle(args: Args<'_>, index: usize) -> Result<(Shape, f64), ReplyError> {
    let width = parse_double(args.at(index)).ok_or(ReplyError::err("need numeric width"))?;
    let height = parse_double(args.at(index + 1)).ok_or(ReplyError::err("need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(ReplyError::err("height or width cannot be negative"));
    }
    let metres = unit(args.at(index + 2))?;
    let shape = Shape::Box {
        width: width * metres,
        height: height * metres,
    };
    Ok((shape, metres))
}

/// What has been read so far, beside the query itself.
#[derive(Default)]
struct Given {
    member: bool,
    point: bool,
    radius: bool,
    rectangle: bool,
}

impl Query {
    /// Reads the arguments. Of members it asks `zset`, if there is one.
    pub(super) fn parse(
        args: Args<'_>,
        form: Form,
        zset: Option<ZSetRef<'_>>,
        hasher: &KeyHasher,
    ) -> Result<Query, ReplyError> {
        let member = |index: usize| {
            let Some(zset) = zset else {
                return Ok(Point::default());
            };
            let score = zset.score(hasher, args.at(index));
            score
                .map(Point::of_score)
                .ok_or_else(|| ReplyError::err("could not decode requested zset member"))
        };
        let mut query = Query {
            centre: Point::default(),
            shape: Shape::Circle(0.0),
            metres: 1.0,
            with_distance: false,
            with_hash: false,
            with_point: false,
            sort: Sort::None,
            count: None,
            any: false,
            store: (form == Form::SearchStore).then_some(1),
            stores_distance: false,
        };
        let mut i = match form {
            Form::Radius { .. } => {
                query.centre = point(args, 2)?;
                (query.shape, query.metres) = radius(args, 4)?;
                6
            }
            Form::RadiusByMember { .. } => {
                if zset.is_some() {
                    query.centre = member(2)?;
                    (query.shape, query.metres) = radius(args, 3)?;
                }
                5
            }
            Form::Search => 2,
            Form::SearchStore => 3,
        };
        let mut given = Given::default();
        while i < args.len() {
            let behind = args.len() - i - 1;
            let is = |word: &str, arguments: usize| behind >= arguments && args.is(i, word);
            let taken = if is("withdist", 0) {
                query.with_distance = true;
                0
            } else if is("withhash", 0) {
                query.with_hash = true;
                0
            } else if is("withcoord", 0) {
                query.with_point = true;
                0
            } else if is("any", 0) {
                query.any = true;
                0
            } else if is("asc", 0) {
                query.sort = Sort::Ascending;
                0
            } else if is("desc", 0) {
                query.sort = Sort::Descending;
                0
            } else if is("count", 1) {
                let count = parse_i64(args.at(i + 1)).ok_or(ReplyError::NotInteger)?;
                if count <= 0 {
                    return Err(ReplyError::err("COUNT must be > 0"));
                }
                query.count = usize::try_from(count).ok();
                1
            } else if form.may_store() && (is("store", 1) || is("storedist", 1)) {
                query.store = Some(i + 1);
                query.stores_distance = args.is(i, "storedist");
                1
            } else if form == Form::SearchStore && is("storedist", 0) {
                query.stores_distance = true;
                0
            } else if form.is_search() && is("frommember", 1) && !given.point {
                query.centre = member(i + 1)?;
                given.member = true;
                1
            } else if form.is_search() && is("fromlonlat", 2) && !given.member {
                query.centre = point(args, i + 1)?;
                given.point = true;
                2
            } else if form.is_search() && is("byradius", 2) && !given.rectangle {
                (query.shape, query.metres) = radius(args, i + 1)?;
                given.radius = true;
                2
            } else if form.is_search() && is("bybox", 3) && !given.radius {
                (query.shape, query.metres) = rectangle(args, i + 1)?;
                given.rectangle = true;
                3
            } else {
                return Err(ReplyError::Syntax);
            };
            i += 1 + taken;
        }
        query.check(args, form, &given)?;
        Ok(query)
    }

    /// What must stand together, and what must not.
    fn check(&mut self, args: Args<'_>, form: Form, given: &Given) -> Result<(), ReplyError> {
        let refuse = |text: String| Err(ReplyError::err(text));
        let name = || String::from_utf8_lossy(args.at(0));
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            let what = if form == Form::SearchStore {
                "GEOSEARCHSTORE"
            } else {
                "STORE option in GEORADIUS"
            };
            return refuse(format!(
                "{what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            ));
        }
        if form.is_search() && !(given.member || given.point) {
            return refuse(format!(
                "exactly one of FROMMEMBER or FROMLONLAT can be specified for {}",
                name()
            ));
        }
        if form.is_search() && !(given.radius || given.rectangle) {
            return refuse(format!(
                "exactly one of BYRADIUS and BYBOX can be specified for {}",
                name()
            ));
        }
        if self.any && self.count.is_none() {
            return refuse("the ANY argument requires COUNT argument".to_owned());
        }
        // The nearest are what a count without an order asks for.
        if self.count.is_some() && self.sort == Sort::None && !self.any {
            self.sort = Sort::Ascending;
        }
        Ok(())
    }
}
