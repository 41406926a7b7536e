//! Commands on sorted sets whose scores are points on the Earth: see [`dunlin_structures::geohash`].

mod geoadd;
mod geodist;
mod geohash;
mod geopos;
mod georadius;
mod geosearch;
mod options;
mod search;

use dunlin_store::Entry;
use dunlin_store::zset::ZSetRef;
use dunlin_structures::dict::Ref;
use dunlin_structures::geohash::Point;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_double;
use crate::reply::Reply;
use crate::{Args, ReplyError};

/// Sorted by name.
pub const TABLE: &[&Command] = &[
    &geoadd::GEOADD,
    &geodist::GEODIST,
    &geohash::GEOHASH,
    &geopos::GEOPOS,
    &georadius::GEORADIUS,
    &georadius::GEORADIUS_RO,
    &georadius::GEORADIUSBYMEMBER,
    &georadius::GEORADIUSBYMEMBER_RO,
    &geosearch::GEOSEARCH,
    &geosearch::GEOSEARCHSTORE,
];

/// What the constant of a reading command starts from.
const READ: Command = Command {
    flags: Flags::READONLY,
    categories: Categories::READ.and(Categories::GEO).and(Categories::SLOW),
    keys: &[KeySpec::one(1, &["RO", "access"])],
    scope: Scope::Keys,
    group: "geo",
    since: "3.2.0",
    ..Command::BASE
};

const LONGITUDE: Argument = Argument::new("longitude", ArgKind::Double);
const LATITUDE: Argument = Argument::new("latitude", ArgKind::Double);

/// `m | km | ft | mi`.
const UNIT: Argument = Argument::one_of(
    "unit",
    &[
        Argument::token("m", "m"),
        Argument::token("km", "km"),
        Argument::token("ft", "ft"),
        Argument::token("mi", "mi"),
    ],
);

/// Metres in a unit.
fn unit(text: &[u8]) -> Result<f64, ReplyError> {
    let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    units
        .into_iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, metres)| metres)
        .ok_or_else(|| ReplyError::err("unsupported unit provided. please use M, KM, FT, MI"))
}

/// The point of two arguments from `index` on.
fn point(args: Args<'_>, index: usize) -> Result<Point, ReplyError> {
    let point = Point {
        longitude: parse_double(args.at(index)).ok_or(ReplyError::NotFloat)?,
        latitude: parse_double(args.at(index + 1)).ok_or(ReplyError::NotFloat)?,
    };
    if point.is_valid() {
        return Ok(point);
    }
    Err(ReplyError::err(format!(
        "invalid longitude,latitude pair {:.6},{:.6}",
        point.longitude, point.latitude
    )))
}

/// The sorted set of an entry that was looked for; `None` where there is no key.
fn zset_of<'a>(entry: &'a Option<Ref<'_, Entry>>) -> Result<Option<ZSetRef<'a>>, ReplyError> {
    let zset = entry
        .as_ref()
        .map(|entry| ZSetRef::of(entry).ok_or(ReplyError::WrongType));
    zset.transpose()
}

/// A distance in its unit: four digits behind the point, always as text.
fn reply_distance(reply: &mut Reply<'_>, distance: f64) {
    const FRACTION: u64 = 10_000;
    let scaled = (distance * FRACTION as f64).round_ties_even() as i64;
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, fraction) = (
        scaled.unsigned_abs() / FRACTION,
        scaled.unsigned_abs() % FRACTION,
    );
    reply.bulk(format!("{sign}{whole}.{fraction:04}").as_bytes());
}

/// Longitude and latitude.
fn reply_point(reply: &mut Reply<'_>, point: Point) {
    reply.array(2);
    reply.human_double(point.longitude);
    reply.human_double(point.latitude);
}
