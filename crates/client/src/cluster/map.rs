//! Which node has which slot.
//!
//! Invariant: a slot is the CRC16 (XMODEM) of the key modulo 16384; if the key has a `{tag}` that is not empty, of the tag alone, so that keys
//! with the same tag are together. <https://redis.io/docs/reference/cluster-spec/>

use dunlin_resp::Value;

use crate::options::Address;

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x1021
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The slot of a key.
///
/// ```
/// use dunlin_client::slot_of;
///
/// assert_eq!(slot_of(b"foo"), 12182);
/// assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
/// ```
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
    let hashed = tag(key).unwrap_or(key);
    let crc = hashed.iter().fold(0u16, |crc, byte| {
        crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)]
    });
    crc % SLOTS
}

fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let rest = &key[open + 1..];
    let close = rest.iter().position(|byte| *byte == b'}')?;
    (close > 0).then_some(&rest[..close])
}

/// Nobody has the slot.
const NOBODY: u16 = u16::MAX;

/// The owner of each slot.
#[derive(Clone, Debug)]
pub(super) struct Map {
    owners: Vec<u16>,
    pub(super) nodes: Vec<Address>,
}

impl Map {
    /// A map on which everything is at one node: what is known before that was asked.
    pub(super) fn of_one(node: Address) -> Map {
        Map {
            owners: vec![NOBODY; usize::from(SLOTS)],
            nodes: vec![node],
        }
    }

    /// What CLUSTER SLOTS says. `asked` stands for a node that does not know its own address. `None`: it says nothing sensible.
    pub(super) fn read(reply: Value, asked: &Address) -> Option<Map> {
        let Value::Array(ranges) = reply else {
            return None;
        };
        let mut map = Map {
            owners: vec![NOBODY; usize::from(SLOTS)],
            nodes: Vec::new(),
        };
        for range in ranges {
            let Value::Array(range) = range else {
                return None;
            };
            let [
                Value::Integer(first),
                Value::Integer(last),
                Value::Array(node),
                ..,
            ] = range.as_slice()
            else {
                return None;
            };
            let (Some(host), Some(Value::Integer(port))) = (node.first(), node.get(1)) else {
                return None;
            };
            let host = match host {
                Value::Bulk(host) => String::from_utf8_lossy(host).into_owned(),
                _ => String::new(),
            };
            let port = u16::try_from(*port).ok()?;
            let node = map.number(address(&host, port, asked));
            let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
            map.owners.get_mut(first..=last)?.fill(node);
        }
        (!map.nodes.is_empty()).then_some(map)
    }

    /// What CLUSTER SHARDS says, in either dialect. A shard whose master is not known, or is lost, has nobody for its slots.
    /// With `tls` the ports are those for TLS.
    pub(super) fn read_shards(reply: Value, asked: &Address, tls: bool) -> Option<Map> {
        let Value::Array(shards) = reply else {
            return None;
        };
        let mut map = Map {
            owners: vec![NOBODY; usize::from(SLOTS)],
            nodes: Vec::new(),
        };
        for shard in &shards {
            let Value::Array(nodes) = field(shard, "nodes")? else {
                return None;
            };
            let Value::Array(slots) = field(shard, "slots")? else {
                return None;
            };
            let Some(master) = nodes.iter().find(|node| is_master(node)) else {
                continue;
            };
            if slots.is_empty() {
                continue;
            }
            let number = map.number(node_address(master, asked, tls)?);
            let (ranges, []) = slots.as_chunks::<2>() else {
                return None;
            };
            for range in ranges {
                let [Value::Integer(first), Value::Integer(last)] = range else {
                    return None;
                };
                let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
                map.owners.get_mut(first..=last)?.fill(number);
            }
        }
        (!map.nodes.is_empty()).then_some(map)
    }

    fn number(&mut self, node: Address) -> u16 {
        let known = self.nodes.iter().position(|other| *other == node);
        let number = known.unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        number as u16
    }

    /// Who has the slot, as far as is known.
    pub(super) fn owner(&self, slot: u16) -> Option<&Address> {
        self.nodes
            .get(usize::from(*self.owners.get(usize::from(slot))?))
    }

    /// Says who has the slot.
    pub(super) fn set_owner(&mut self, slot: u16, node: Address) {
        let number = self.number(node);
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = number;
        }
    }
}

/// A field of what is a map in RESP3, and in RESP2 an array of names and values in turn.
fn field<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    let is = |key: &Value| matches!(key, Value::Bulk(key) if key == name.as_bytes());
    match of {
        Value::Map(pairs) => pairs
            .iter()
            .find_map(|(key, value)| is(key).then_some(value)),
        Value::Array(words) => words
            .as_chunks::<2>()
            .0
            .iter()
            .find_map(|[key, value]| is(key).then_some(value)),
        _ => None,
    }
}

fn is_master(node: &Value) -> bool {
    let says = |name, word: &str| matches!(field(node, name), Some(Value::Bulk(text)) if text == word.as_bytes());
    says("role", "master") && !says("health", "fail")
}

/// Where a node of CLUSTER SHARDS listens: where it prefers to be found, which may be unknown to it.
fn node_address(node: &Value, asked: &Address, tls: bool) -> Option<Address> {
    let port = if tls { "tls-port" } else { "port" };
    let Some(Value::Integer(port)) = field(node, port) else {
        return None;
    };
    let host = match field(node, "endpoint") {
        Some(Value::Bulk(host)) => String::from_utf8_lossy(host).into_owned(),
        _ => String::new(),
    };
    Some(address(&host, u16::try_from(*port).ok()?, asked))
}

/// A node's address; an empty host or a `?` is that of the node that was asked.
fn address(host: &str, port: u16, asked: &Address) -> Address {
    match (host, asked) {
        ("" | "?", Address::Tcp(host, _)) => Address::Tcp(host.clone(), port),
        ("" | "?", Address::Unix(_)) => Address::Tcp("127.0.0.1".into(), port),
        (host, _) => Address::Tcp(host.to_owned(), port),
    }
}

/// Where an error reply sends the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// For good.
    Moved(u16, Address),
    /// This once, behind ASKING.
    Ask(Address),
    /// Nowhere else: again.
    TryAgain,
}

impl Redirect {
    pub(super) fn read(text: &str, asked: &Address) -> Option<Redirect> {
        let mut words = text.split(' ');
        let code = words.next()?;
        if code == "TRYAGAIN" {
            return Some(Redirect::TryAgain);
        }
        if code != "MOVED" && code != "ASK" {
            return None;
        }
        let slot = words.next()?.parse().ok().filter(|slot| *slot < SLOTS)?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        let node = address(host, port.parse().ok()?, asked);
        Some(match code {
            "MOVED" => Redirect::Moved(slot, node),
            _ => Redirect::Ask(node),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.into(), port)
    }

    #[test]
    fn slots_of_keys() {
        assert_eq!(slot_of(b""), 0);
        assert_eq!(slot_of(b"123456789"), 0x31C3 % SLOTS);
        assert_eq!(slot_of(b"foo{}{bar}"), slot_of(b"foo{}{bar}"));
        assert_ne!(slot_of(b"foo{}{bar}"), slot_of(b"bar"));
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
        assert_eq!(slot_of(b"foo{bar}{zap}"), slot_of(b"bar"));
        assert_eq!(slot_of(b"open{only"), slot_of(b"open{only"));
    }

    #[test]
    fn redirects() {
        let asked = tcp("h", 1);
        let read = |text| Redirect::read(text, &asked);
        assert_eq!(
            read("MOVED 7 10.0.0.1:6380"),
            Some(Redirect::Moved(7, tcp("10.0.0.1", 6380)))
        );
        assert_eq!(
            read("MOVED 7 :6380"),
            Some(Redirect::Moved(7, tcp("h", 6380)))
        );
        assert_eq!(
            read("ASK 7 ::1:6380"),
            Some(Redirect::Ask(tcp("::1", 6380)))
        );
        assert_eq!(read("TRYAGAIN later"), Some(Redirect::TryAgain));
        for text in [
            "ERR x",
            "MOVED",
            "MOVED 99999 a:1",
            "MOVED 1 a",
            "MOVED 1 a:x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn maps() {
        let node =
            |host: &str, port| Value::Array(vec![Value::Bulk(host.into()), Value::Integer(port)]);
        let range = |first, last, node| {
            Value::Array(vec![Value::Integer(first), Value::Integer(last), node])
        };
        let asked = tcp("h", 1);
        let reply = Value::Array(vec![
            range(0, 99, node("a", 1)),
            range(200, 16_383, node("", 2)),
        ]);
        let mut map = Map::read(reply, &asked).unwrap();
        assert_eq!(map.owner(99), Some(&tcp("a", 1)));
        assert_eq!(map.owner(100), None);
        assert_eq!(map.owner(16_383), Some(&tcp("h", 2)));
        map.set_owner(100, tcp("c", 3));
        assert_eq!(map.owner(100), Some(&tcp("c", 3)));
        for bad in [
            Value::Null,
            Value::Array(vec![]),
            Value::Array(vec![range(0, 16_384, node("a", 1))]),
            Value::Array(vec![range(-1, 5, node("a", 1))]),
            Value::Array(vec![range(0, 5, node("a", 70_000))]),
        ] {
            assert!(Map::read(bad, &asked).is_none());
        }
    }

    /// A shard of one master and one replica, as RESP2 has it.
    fn shard(slots: &[i64], host: Value, port: i64, health: &str) -> Value {
        let bulk = |text: &str| Value::Bulk(text.into());
        let node = |role: &str, host: Value, port: i64, health: &str| {
            let host = [bulk("endpoint"), host, bulk("role"), bulk(role)];
            let port = [bulk("port"), Value::Integer(port)];
            let health = [bulk("health"), bulk(health)];
            Value::Array(host.into_iter().chain(port).chain(health).collect())
        };
        let slots = slots.iter().map(|slot| Value::Integer(*slot)).collect();
        let nodes = vec![
            node("replica", bulk("elsewhere"), 9, "online"),
            node("master", host, port, health),
        ];
        Value::Array(vec![
            bulk("slots"),
            Value::Array(slots),
            bulk("nodes"),
            Value::Array(nodes),
        ])
    }

    /// The same in RESP3.
    fn mapped(value: Value) -> Value {
        match value {
            Value::Array(items) if matches!(items.first(), Some(Value::Bulk(_))) => {
                let (pairs, _) = items.as_chunks::<2>();
                let pair = |[key, value]: &[Value; 2]| (key.clone(), mapped(value.clone()));
                Value::Map(pairs.iter().map(pair).collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(mapped).collect()),
            other => other,
        }
    }

    #[test]
    fn shards() {
        let asked = tcp("h", 1);
        let host = |name: &str| Value::Bulk(name.into());
        let reply = Value::Array(vec![
            shard(&[0, 99, 200, 200], host("a"), 1, "online"),
            shard(&[300, 16_383], Value::Null, 2, "online"),
            shard(&[100, 199], host("lost"), 3, "fail"),
            shard(&[], host("idle"), 4, "online"),
        ]);
        for reply in [reply.clone(), mapped(reply)] {
            let map = Map::read_shards(reply, &asked, false).unwrap();
            for slot in [0, 99, 200] {
                assert_eq!(map.owner(slot), Some(&tcp("a", 1)), "{slot}");
            }
            assert_eq!(map.owner(16_383), Some(&tcp("h", 2)));
            assert_eq!((map.owner(150), map.owner(201)), (None, None));
            assert_eq!(map.nodes.len(), 2);
        }
        for bad in [
            Value::Null,
            Value::Array(vec![]),
            Value::Array(vec![Value::Null]),
            Value::Array(vec![shard(&[0], host("a"), 1, "online")]),
            Value::Array(vec![shard(&[0, 16_384], host("a"), 1, "online")]),
            Value::Array(vec![shard(&[-1, 5], host("a"), 1, "online")]),
            Value::Array(vec![shard(&[0, 5], host("a"), 70_000, "online")]),
        ] {
            assert!(Map::read_shards(bad, &asked, false).is_none());
        }
    }
}
