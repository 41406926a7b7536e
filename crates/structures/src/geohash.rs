//! Points on the Earth as numbers of 52 bits, and areas as ranges of such numbers. As in Redis, number for number.
//!
//! Longitude and latitude are each cut into 2^26 steps, whose bits take turns: points whose numbers begin with the same bits lie in one cell.
//! A cell of `steps` bits of either is a range of numbers; a search visits the cell of its centre and the eight round it. Distances are those
//! on a sphere (haversine).

use std::ops::Range;

/// Bits of each coordinate.
const STEPS_MAX: u32 = 26;
/// Limits of the Mercator projection: there is no cell beyond.
const LATITUDE_MAX: f64 = 85.05112878;
const LONGITUDE_MAX: f64 = 180.0;
/// Of the sphere.
const EARTH_RADIUS_M: f64 = 6_372_797.560856;
/// Half the width of the projection.
const MERCATOR_M: f64 = 20_037_726.37;
/// Of standard geohash texts.
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

const EVEN_BITS: u64 = 0x5555_5555_5555_5555;
const ODD_BITS: u64 = EVEN_BITS << 1;

/// A point, in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From -180 to 180.
    pub longitude: f64,
    /// From -85.05112878 to 85.05112878.
    pub latitude: f64,
}

/// What a coordinate's numbers begin at, and how far they go.
#[derive(Clone, Copy)]
struct Span {
    min: f64,
    max: f64,
}

const LONGITUDES: Span = Span {
    min: -LONGITUDE_MAX,
    max: LONGITUDE_MAX,
};
const LATITUDES: Span = Span {
    min: -LATITUDE_MAX,
    max: LATITUDE_MAX,
};
/// Of standard geohash texts.
const ALL_LATITUDES: Span = Span {
    min: -90.0,
    max: 90.0,
};

impl Span {
    /// The number of the step in which a coordinate lies.
    fn step(self, at: f64, steps: u32) -> u32 {
        let offset = (at - self.min) / (self.max - self.min);
        (offset * (1_u64 << steps) as f64) as u32
    }

    /// Where a step begins and ends.
    fn bounds(self, step: u32, steps: u32) -> (f64, f64) {
        let (scale, parts) = (self.max - self.min, (1_u64 << steps) as f64);
        let at = |step: u32| self.min + f64::from(step) / parts * scale;
        (at(step), at(step.wrapping_add(1)))
    }
}

impl Point {
    /// Whether a cell holds it.
    pub fn is_valid(self) -> bool {
        (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&self.longitude)
            && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&self.latitude)
    }

    /// The number of the smallest cell that holds a valid point.
    pub fn number(self) -> u64 {
        Cell::of(self, STEPS_MAX).bits
    }

    /// The middle of the cell that a score stands for. Whatever the score is, some point comes out.
    pub fn of_score(score: f64) -> Point {
        // As the conversion of x86-64 does it: a negative number wraps round.
        let bits = if score < 0.0 {
            score as i64 as u64
        } else {
            score as u64
        };
        let area = Cell {
            bits,
            steps: STEPS_MAX,
        }
        .area();
        let middle = |(min, max): (f64, f64), limit: f64| ((min + max) / 2.0).clamp(-limit, limit);
        Point {
            longitude: middle(area.longitudes, LONGITUDE_MAX),
            latitude: middle(area.latitudes, LATITUDE_MAX),
        }
    }

    /// The point's standard geohash. There are bits for ten letters; the eleventh is always `0`.
    pub fn text(self) -> [u8; 11] {
        let longitude = LONGITUDES.step(self.longitude, STEPS_MAX);
        let latitude = ALL_LATITUDES.step(self.latitude, STEPS_MAX);
        let bits = interleaved(latitude, longitude);
        let mut text = [b'0'; 11];
        for (i, letter) in text[..10].iter_mut().enumerate() {
            *letter = ALPHABET[(bits >> (2 * STEPS_MAX as usize - 5 * (i + 1)) & 0x1f) as usize];
        }
        text
    }

    /// Metres to another point.
    pub fn distance(self, other: Point) -> f64 {
        let (a, b) = (self.longitude.degrees(), other.longitude.degrees());
        let v = ((b - a) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self, other);
        }
        let (a, b) = (self.latitude.degrees(), other.latitude.degrees());
        let u = ((b - a) / 2.0).sin();
        let square = u * u + a.cos() * b.cos() * v * v;
        2.0 * EARTH_RADIUS_M * square.sqrt().asin()
    }
}

/// Metres along a meridian.
fn latitude_distance(a: Point, b: Point) -> f64 {
    EARTH_RADIUS_M * (b.latitude.degrees() - a.latitude.degrees()).abs()
}

/// One degree in radians; not `to_radians`, whose result may differ in the last bit.
const DEGREE: f64 = std::f64::consts::PI / 180.0;

trait Angle {
    /// A number of degrees in radians.
    fn degrees(self) -> f64;
}

impl Angle for f64 {
    #[inline]
    fn degrees(self) -> f64 {
        self * DEGREE
    }
}

/// Puts the bits of `even` at even places and those of `odd` at odd ones.
fn interleaved(even: u32, odd: u32) -> u64 {
    spread(even) | spread(odd) << 1
}

/// Moves bit n to bit 2 n.
fn spread(bits: u32) -> u64 {
    let mut x = u64::from(bits);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, EVEN_BITS),
    ] {
        x = (x | x << shift) & mask;
    }
    x
}

/// Moves bit 2 n to bit n.
fn gathered(bits: u64) -> u32 {
    let mut x = bits & EVEN_BITS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0xffff_ffff),
    ] {
        x = (x | x >> shift) & mask;
    }
    x as u32
}

/// A cell: all points whose numbers begin with these bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Cell {
    bits: u64,
    steps: u32,
}

/// Where a cell lies, in degrees.
struct Area {
    longitudes: (f64, f64),
    latitudes: (f64, f64),
}

impl Cell {
    fn of(point: Point, steps: u32) -> Cell {
        let longitude = LONGITUDES.step(point.longitude, steps);
        let latitude = LATITUDES.step(point.latitude, steps);
        Cell {
            bits: interleaved(latitude, longitude),
            steps,
        }
    }

    fn area(self) -> Area {
        Area {
            longitudes: LONGITUDES.bounds(gathered(self.bits >> 1), self.steps),
            latitudes: LATITUDES.bounds(gathered(self.bits), self.steps),
        }
    }

    /// The numbers in it.
    fn numbers(self) -> Range<u64> {
        let shift = 2 * (STEPS_MAX - self.steps);
        self.bits << shift..(self.bits + 1) << shift
    }

    /// The cell so many cells to the east and to the north, round the Earth.
    fn moved(self, east: i32, north: i32) -> Cell {
        let unused = 64 - 2 * self.steps;
        let moved = |by: i32, mine: u64, others: u64| {
            let bits = self.bits & mine;
            let fill = others >> unused;
            let bits = match by {
                0 => return bits,
                1.. => bits.wrapping_add(fill + 1),
                // Filled with ones between, so that the loan goes through them.
                _ => (bits | fill).wrapping_sub(fill + 1),
            };
            bits & mine >> unused
        };
        Cell {
            bits: moved(east, ODD_BITS, EVEN_BITS) | moved(north, EVEN_BITS, ODD_BITS),
            steps: self.steps,
        }
    }
}

/// What a search covers round its centre; all in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Within this distance.
    Circle(f64),
    /// Within half the width to the east and west, and half the height to the north and south.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

impl Shape {
    /// Metres from the centre to a point, if the shape covers it.
    pub fn reaches(self, centre: Point, point: Point) -> Option<f64> {
        match self {
            Shape::Circle(radius) => {
                let distance = centre.distance(point);
                (distance <= radius).then_some(distance)
            }
            Shape::Box { width, height } => {
                if latitude_distance(point, centre) > height / 2.0 {
                    return None;
                }
                let beside = Point {
                    latitude: point.latitude,
                    ..centre
                };
                let is_inside = point.distance(beside) <= width / 2.0;
                is_inside.then(|| centre.distance(point))
            }
        }
    }

    /// Metres from the centre to the east and to the north.
    fn half(self) -> (f64, f64) {
        match self {
            Shape::Circle(radius) => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        }
    }

    /// Metres to the farthest point.
    fn reach(self) -> f64 {
        match self {
            Shape::Circle(radius) => radius,
            Shape::Box { .. } => {
                let (width, height) = self.half();
                (width * width + height * height).sqrt()
            }
        }
    }

    /// The degrees that the shape covers round its centre.
    fn bounds(self, centre: Point) -> Area {
        let (width, height) = self.half();
        let north = height / EARTH_RADIUS_M / DEGREE;
        // A degree of longitude is shorter the farther it is from the equator.
        let wide_end = if centre.latitude < 0.0 {
            centre.latitude - north
        } else {
            centre.latitude + north
        };
        let east = width / EARTH_RADIUS_M / wide_end.degrees().cos() / DEGREE;
        Area {
            longitudes: (centre.longitude - east, centre.longitude + east),
            latitudes: (centre.latitude - north, centre.latitude + north),
        }
    }

    /// The ranges of numbers in which all covered points lie, in the order of search; others lie there, too.
    pub fn ranges(self, centre: Point) -> Vec<Range<u64>> {
        let bounds = self.bounds(centre);
        let mut cell = Cell::of(centre, steps_for(self.reach(), centre.latitude));
        let (north, south) = (cell.moved(0, 1).area(), cell.moved(0, -1).area());
        let (east, west) = (cell.moved(1, 0).area(), cell.moved(-1, 0).area());
        // Where the shape looks out of the nine cells, larger ones are taken.
        if cell.steps > 1
            && (north.latitudes.1 < bounds.latitudes.1
                || south.latitudes.0 > bounds.latitudes.0
                || east.longitudes.1 < bounds.longitudes.1
                || west.longitudes.0 > bounds.longitudes.0)
        {
            cell = Cell::of(centre, cell.steps - 1);
        }
        let area = cell.area();
        // Whether the middle cell leaves nothing for those on this side.
        let ends = |is_inside: bool| cell.steps >= 2 && is_inside;
        let south = ends(area.latitudes.0 < bounds.latitudes.0);
        let north = ends(area.latitudes.1 > bounds.latitudes.1);
        let west = ends(area.longitudes.0 < bounds.longitudes.0);
        let east = ends(area.longitudes.1 > bounds.longitudes.1);
        let is_left_out = |x: i32, y: i32| {
            (x > 0 && east) || (x < 0 && west) || (y > 0 && north) || (y < 0 && south)
        };
        let mut ranges = Vec::with_capacity(9);
        let mut last: Option<Cell> = None;
        for (x, y) in [
            (0, 0),
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (-1, 1),
            (1, -1),
            (-1, -1),
        ] {
            let neighbour = cell.moved(x, y);
            // Round the Earth a cell may come twice, the same after each other.
            if is_left_out(x, y) || last == Some(neighbour) {
                continue;
            }
            ranges.push(neighbour.numbers());
            if (x, y) != (0, 0) {
                last = Some(neighbour);
            }
        }
        ranges
    }
}

/// Bits of each coordinate with which nine cells cover so many metres round a point of this latitude, in most cases.
fn steps_for(metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return STEPS_MAX;
    }
    let (mut metres, mut steps) = (metres, 1_i32);
    while metres < MERCATOR_M {
        metres *= 2.0;
        steps += 1;
    }
    steps -= 2;
    if latitude.abs() > 66.0 {
        steps -= 1;
        if latitude.abs() > 80.0 {
            steps -= 1;
        }
    }
    steps.clamp(1, STEPS_MAX as i32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PALERMO: Point = Point {
        longitude: 13.361389,
        latitude: 38.115556,
    };
    const CATANIA: Point = Point {
        longitude: 15.087269,
        latitude: 37.502669,
    };

    fn points() -> impl Strategy<Value = Point> {
        (-180.0..=180.0, -85.05..=85.05).prop_map(|(longitude, latitude)| Point {
            longitude,
            latitude,
        })
    }

    #[test]
    fn known_points() {
        assert_eq!(PALERMO.number(), 3_479_099_956_230_698);
        assert_eq!(CATANIA.number(), 3_479_447_370_796_909);
        let palermo = Point::of_score(3_479_099_956_230_698.0);
        assert_eq!(&palermo.text(), b"sqc8b49rny0");
        let distance = palermo.distance(Point::of_score(3_479_447_370_796_909.0));
        assert!((distance - 166_274.151_6).abs() < 0.0001, "{distance}");
    }

    #[test]
    fn any_score_is_a_point() {
        for score in [
            -5.0,
            -1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e19,
            1e17,
            0.0,
        ] {
            assert!(Point::of_score(score).is_valid(), "{score}");
        }
    }

    proptest! {
        #[test]
        fn a_number_leads_back_to_its_point(point in points()) {
            let back = Point::of_score(point.number() as f64);
            prop_assert!((back.longitude - point.longitude).abs() < 1e-5);
            prop_assert!((back.latitude - point.latitude).abs() < 1e-5);
            prop_assert_eq!(back.number(), point.number());
        }

        #[test]
        fn ranges_hold_whatever_is_near(
            centre in points(),
            east in -1.0..=1.0,
            north in -1.0..=1.0,
            scale in 1u32..22,
        ) {
            // Within a few hundred kilometres, and not at the edges of the map, where Redis misses some, too.
            let degrees = 0.5_f64.powi(scale as i32) * 4.0;
            prop_assume!(centre.latitude.abs() < 75.0 && centre.longitude.abs() < 170.0);
            let point = Point {
                longitude: centre.longitude + degrees * east,
                latitude: centre.latitude + degrees * north,
            };
            let point = Point::of_score(point.number() as f64);
            let radius = centre.distance(point);
            let height = 2.0 * latitude_distance(centre, point);
            let beside = Point { latitude: point.latitude, ..centre };
            let width = 2.0 * beside.distance(point);
            for shape in [Shape::Circle(radius), Shape::Box { width, height }] {
                prop_assert_eq!(shape.reaches(centre, point), Some(radius));
                let ranges = shape.ranges(centre);
                prop_assert!(ranges.iter().any(|range| range.contains(&point.number())), "{:?}", shape);
            }
            prop_assert_eq!(Shape::Circle(radius * 0.999 - 0.001).reaches(centre, point), None);
        }
    }
}
