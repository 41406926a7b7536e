//! The commands of the group `geo`.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `geo`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait GeoCommands: Commands {
    /// Adds members with their places on the Earth to a sorted set, or moves them.
    ///
    /// `GEOADD <key> [NX | XX] [CH] <longitude> <latitude> <member> [<longitude> <latitude> <member> ...]`
    ///
    /// O(log N) for each member, with N members in the sorted set. Since 3.2.0.
    /// `rest` is what stands from here on: `[NX | XX] [CH] <longitude> <latitude> <member> [<longitude> <latitude> <member> ...]`.
    fn geoadd(self, key: impl ToArg, rest: impl ToArg) -> Self::Out {
        self.put(Command::new("GEOADD").arg(key).arg(rest))
    }

    /// Returns the distance between two members.
    ///
    /// `GEODIST <key> <member1> <member2> [m | km | ft | mi]`
    ///
    /// O(log N) with N members in the sorted set. Since 3.2.0.
    fn geodist(self, key: impl ToArg, member1: impl ToArg, member2: impl ToArg) -> Self::Out {
        self.put(Command::new("GEODIST").arg(key).arg(member1).arg(member2))
    }

    /// Returns the places of members as geohashes.
    ///
    /// `GEOHASH <key> [<member> [<member> ...]]`
    ///
    /// O(M log N) for M members out of N. Since 3.2.0.
    fn geohash(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("GEOHASH").arg(key))
    }

    /// Returns the longitudes and latitudes of members.
    ///
    /// `GEOPOS <key> [<member> [<member> ...]]`
    ///
    /// O(M log N) for M members out of N. Since 3.2.0.
    fn geopos(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("GEOPOS").arg(key))
    }

    /// Returns or stores the members within a distance of a point.
    ///
    /// `GEORADIUS <key> <longitude> <latitude> <radius> <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT <count> [ANY]] [ASC | DESC] [STORE <storekey> | STOREDIST <storedistkey>]`
    ///
    /// O(log N + M) for M members in the cells round the area out of N. Since 3.2.0.
    /// Deprecated since 6.2.0: `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument
    fn georadius(self, key: impl ToArg, longitude: impl ToArg, latitude: impl ToArg, radius: impl ToArg, unit: impl ToArg) -> Self::Out {
        self.put(Command::new("GEORADIUS").arg(key).arg(longitude).arg(latitude).arg(radius).arg(unit))
    }

    /// Returns the members within a distance of a point.
    ///
    /// `GEORADIUS_RO <key> <longitude> <latitude> <radius> <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT <count> [ANY]] [ASC | DESC]`
    ///
    /// O(log N + M) for M members in the cells round the area out of N. Since 3.2.10.
    /// Deprecated since 6.2.0: `GEOSEARCH` with the `BYRADIUS` argument
    fn georadius_ro(self, key: impl ToArg, longitude: impl ToArg, latitude: impl ToArg, radius: impl ToArg, unit: impl ToArg) -> Self::Out {
        self.put(Command::new("GEORADIUS_RO").arg(key).arg(longitude).arg(latitude).arg(radius).arg(unit))
    }

    /// Returns or stores the members within a distance of a member.
    ///
    /// `GEORADIUSBYMEMBER <key> <member> <radius> <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT <count> [ANY]] [ASC | DESC] [STORE <storekey> | STOREDIST <storedistkey>]`
    ///
    /// O(log N + M) for M members in the cells round the area out of N. Since 3.2.0.
    /// Deprecated since 6.2.0: `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments
    fn georadiusbymember(self, key: impl ToArg, member: impl ToArg, radius: impl ToArg, unit: impl ToArg) -> Self::Out {
        self.put(Command::new("GEORADIUSBYMEMBER").arg(key).arg(member).arg(radius).arg(unit))
    }

    /// Returns the members within a distance of a member.
    ///
    /// `GEORADIUSBYMEMBER_RO <key> <member> <radius> <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT <count> [ANY]] [ASC | DESC]`
    ///
    /// O(log N + M) for M members in the cells round the area out of N. Since 3.2.10.
    /// Deprecated since 6.2.0: `GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments
    fn georadiusbymember_ro(self, key: impl ToArg, member: impl ToArg, radius: impl ToArg, unit: impl ToArg) -> Self::Out {
        self.put(Command::new("GEORADIUSBYMEMBER_RO").arg(key).arg(member).arg(radius).arg(unit))
    }

    /// Returns the members that are inside a circle or a box.
    ///
    /// `GEOSEARCH <key> <FROMMEMBER <member> | FROMLONLAT <longitude> <latitude>> <BYRADIUS <radius> <m | km | ft | mi> | BYBOX <width> <height> <m | km | ft | mi>> [ASC | DESC] [COUNT <count> [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`
    ///
    /// O(log N + M) for M members in the cells round the area out of N. Since 6.2.0.
    fn geosearch(self, key: impl ToArg, from: impl ToArg, by: impl ToArg) -> Self::Out {
        self.put(Command::new("GEOSEARCH").arg(key).arg(from).arg(by))
    }

    /// Stores the members that are inside a circle or a box, or their distances.
    ///
    /// `GEOSEARCHSTORE <destination> <source> <FROMMEMBER <member> | FROMLONLAT <longitude> <latitude>> <BYRADIUS <radius> <m | km | ft | mi> | BYBOX <width> <height> <m | km | ft | mi>> [ASC | DESC] [COUNT <count> [ANY]] [STOREDIST]`
    ///
    /// O(log N + M) for M members in the cells round the area out of N. Since 6.2.0.
    fn geosearchstore(self, destination: impl ToArg, source: impl ToArg, from: impl ToArg, by: impl ToArg) -> Self::Out {
        self.put(Command::new("GEOSEARCHSTORE").arg(destination).arg(source).arg(from).arg(by))
    }
}

impl<C: Commands> GeoCommands for C {}
